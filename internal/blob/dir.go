package blob

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// Dir keeps files in a folder of this machine:
//
//	objects/<digest of the key>.json   a record: key, size, digests and the names of its data
//	data/<random name>                 content, never changed once a record names it
//	uploads/<upload>/upload.json       the key of an upload in parts
//	uploads/<upload>/<number>.json     a record of each part that arrived
//
// Renaming a record into place is the moment a file exists. A file that came in
// parts stays in them, so completing an upload copies nothing, whatever its
// size. What a crash leaves behind is data no record names; Sweep removes it.
//
// Several processes may share the folder if its file system renames atomically.
type Dir struct {
	root *os.Root
	mu   sync.Mutex // held while a record is replaced, so that the data of the old one is dropped once
}

// record is what a file of objects or a part of an upload looks like on disk.
type record struct {
	Key      string
	Size     int64
	SHA256   string
	ETag     string
	Modified time.Time
	Data     []segment
	Upload   string `json:",omitempty"` // the upload it came by, if in parts
}

type segment struct {
	Name string
	Size int64
}

func (r record) info() Info {
	return Info{Key: r.Key, SizeBytes: r.Size, SHA256: r.SHA256, ETag: r.ETag, Modified: r.Modified}
}

// Open opens the store in the folder path and makes it if it is not there.
func Open(path string) (*Dir, error) {
	for _, sub := range []string{"objects", "data", "uploads"} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			return nil, fmt.Errorf("opening the file store: %w", err)
		}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("opening the file store: %w", err)
	}
	return &Dir{root: root}, nil
}

// Close lets go of the folder.
func (d *Dir) Close() error { return d.root.Close() }

func (d *Dir) Put(ctx context.Context, key string, r io.Reader) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	rec, err := d.write(ctx, r)
	if err != nil {
		return Info{}, err
	}
	rec.Key = key
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.publish(rec); err != nil {
		return Info{}, errors.Join(err, d.drop(rec.Data))
	}
	return rec.info(), nil
}

func (d *Dir) Stat(_ context.Context, key string) (Info, error) {
	rec, err := d.lookup(key)
	return rec.info(), err
}

func (d *Dir) Open(_ context.Context, key string) (File, error) {
	for {
		rec, err := d.lookup(key)
		if err != nil {
			return nil, err
		}
		f := newReader(d.root, rec)
		if len(rec.Data) == 0 {
			return f, nil
		}
		// With its first piece open, a file in one piece can be read to its end
		// whatever happens to it from here on. If it was replaced since the
		// lookup, the next one finds the new one; if deleted, none.
		if err := f.use(0); !errors.Is(err, ErrNotFound) {
			return f, err
		}
		if again, err := d.lookup(key); err == nil && slices.Equal(again.Data, rec.Data) {
			return nil, fmt.Errorf("the data of %q is gone though its record is there", key)
		}
	}
}

func (d *Dir) Delete(_ context.Context, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	rec, err := d.lookup(key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.remove(objectName(key)); err != nil {
		return err
	}
	if err := syncFolder(d.root, "objects"); err != nil {
		return err
	}
	return d.drop(rec.Data)
}

// publish makes rec the record of its key and drops the data of the one
// before. Callers hold mu.
func (d *Dir) publish(rec record) error {
	old, err := d.lookup(rec.Key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := d.writeJSON(objectName(rec.Key), rec); err != nil {
		return err
	}
	if err := d.drop(old.Data); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil // Windows forbids removing what somebody reads; Sweep will
}

func (d *Dir) lookup(key string) (record, error) {
	if err := checkKey(key); err != nil {
		return record{}, err
	}
	rec, err := readJSON[record](d.root, objectName(key))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, fmt.Errorf("%q: %w", key, ErrNotFound)
	}
	return rec, err
}

// write stores what r gives as data of a new name, on the disk when it returns.
func (d *Dir) write(ctx context.Context, r io.Reader) (rec record, err error) {
	name := filepath.Join("data", randomName())
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return rec, fmt.Errorf("storing a file: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			d.root.Remove(name)
		}
	}()
	whole, etag := sha256.New(), md5.New()
	buf := *buffers.Get().(*[]byte)
	defer buffers.Put(&buf)
	for {
		if err := ctx.Err(); err != nil {
			return rec, err
		}
		n, readErr := r.Read(buf)
		if n > 0 {
			whole.Write(buf[:n])
			etag.Write(buf[:n])
			if _, err := f.Write(buf[:n]); err != nil {
				return rec, fmt.Errorf("storing a file: %w", err)
			}
			rec.Size += int64(n)
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return rec, readErr
		}
	}
	if err := f.Sync(); err != nil {
		return rec, fmt.Errorf("storing a file: %w", err)
	}
	if err := f.Close(); err != nil {
		return rec, fmt.Errorf("storing a file: %w", err)
	}
	if err := syncFolder(d.root, "data"); err != nil {
		return rec, err
	}
	rec.SHA256, rec.ETag = hex.EncodeToString(whole.Sum(nil)), hex.EncodeToString(etag.Sum(nil))
	rec.Modified = time.Now().UTC().Truncate(time.Second) // HTTP dates have no finer
	rec.Data = []segment{{filepath.Base(name), rec.Size}}
	return rec, nil
}

func (d *Dir) drop(data []segment) error {
	var errs []error
	for _, s := range data {
		errs = append(errs, d.remove(filepath.Join("data", s.Name)))
	}
	return errors.Join(errs...)
}

func (d *Dir) remove(name string) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

func checkKey(key string) error {
	if key == "" || len(key) > KeyMaxBytes || !utf8.ValidString(key) {
		return fmt.Errorf("%.40q: %w", key, ErrBadKey)
	}
	return nil
}

// objectName is where the record of key lies. Hashing makes every key a short
// name that means nothing to any file system.
func objectName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join("objects", hex.EncodeToString(sum[:])+".json")
}

func randomName() string { return rand.Text() }

// writeJSON puts v into place under name at once, on the disk when it returns.
func (d *Dir) writeJSON(name string, v any) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("storing a record: %w", err)
		}
	}()
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	temp := name + "." + randomName() + ".tmp"
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.root.Remove(temp)
		}
	}()
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := d.root.Rename(temp, name); err != nil {
		return err
	}
	return syncFolder(d.root, filepath.Dir(name))
}

func readJSON[T any](root *os.Root, name string) (v T, err error) {
	body, err := root.ReadFile(name)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fmt.Errorf("the record %s is damaged: %w", name, err)
	}
	return v, nil
}
