package blob

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type upload struct {
	Key   string
	Begun time.Time
}

func (d *Dir) Begin(_ context.Context, key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	id := randomName()
	if err := d.root.Mkdir(filepath.Join("uploads", id), 0o700); err != nil {
		return "", fmt.Errorf("beginning an upload: %w", err)
	}
	if err := d.writeJSON(filepath.Join("uploads", id, "upload.json"), upload{key, time.Now().UTC()}); err != nil {
		return "", err
	}
	return id, syncFolder(d.root, "uploads")
}

func (d *Dir) PutPart(ctx context.Context, key, uploadID string, number int, r io.Reader) (Part, error) {
	if number < 1 || number > PartsMax {
		return Part{}, ErrBadPart
	}
	if err := d.checkUpload(key, uploadID); err != nil {
		return Part{}, err
	}
	rec, err := d.write(ctx, r)
	if err != nil {
		return Part{}, err
	}
	rec.Key = key
	d.mu.Lock()
	defer d.mu.Unlock()
	// The upload may have ended while the part came in.
	if err := d.checkUpload(key, uploadID); err != nil {
		return Part{}, errors.Join(err, d.drop(rec.Data))
	}
	name := partName(uploadID, number)
	old, err := readJSON[record](d.root, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Part{}, err
	}
	if err := d.writeJSON(name, rec); err != nil {
		return Part{}, errors.Join(err, d.drop(rec.Data))
	}
	return rec.part(number), d.drop(old.Data)
}

func (r record) part(number int) Part {
	return Part{Number: number, SizeBytes: r.Size, ETag: r.ETag, SHA256: r.SHA256, Modified: r.Modified}
}

func (d *Dir) Parts(_ context.Context, key, uploadID string) ([]Part, error) {
	if err := d.checkUpload(key, uploadID); err != nil {
		return nil, err
	}
	records, err := d.partRecords(uploadID)
	if err != nil {
		return nil, err
	}
	var parts []Part
	for number, rec := range records {
		if rec.Data != nil {
			parts = append(parts, rec.part(number))
		}
	}
	return parts, nil
}

func (d *Dir) Complete(_ context.Context, key, uploadID string, numbers []int) (Info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.checkUpload(key, uploadID); err != nil {
		// A client that did not hear the answer asks again.
		if done, lookupErr := d.lookup(key); lookupErr == nil && done.Upload == uploadID {
			return done.info(), nil
		}
		return Info{}, err
	}
	records, err := d.partRecords(uploadID)
	if err != nil {
		return Info{}, err
	}

	whole := record{Key: key, Upload: uploadID, Modified: time.Now().UTC().Truncate(time.Second)}
	digests, etags := sha256.New(), md5.New()
	last := 0
	for _, number := range numbers {
		if number <= last || number > PartsMax {
			return Info{}, ErrBadPart
		}
		last = number
		if number >= len(records) || records[number].Data == nil {
			return Info{}, fmt.Errorf("part %d: %w", number, ErrNoPart)
		}
		rec := records[number]
		whole.Size += rec.Size
		if rec.Size > 0 { // an empty piece could not be found again by its end
			whole.Data = append(whole.Data, rec.Data...)
		}
		hexInto(digests, rec.SHA256)
		hexInto(etags, rec.ETag)
	}
	if len(numbers) == 0 {
		return Info{}, fmt.Errorf("no part is named: %w", ErrNoPart)
	}
	whole.SHA256 = fmt.Sprintf("%x-%d", digests.Sum(nil), len(numbers))
	whole.ETag = fmt.Sprintf("%x-%d", etags.Sum(nil), len(numbers))

	// From here on the record owns the parts it names. Should the process end
	// between the two steps, Sweep finds them named and leaves them.
	if err := d.publish(whole); err != nil {
		return Info{}, err
	}
	return whole.info(), d.endUpload(uploadID, whole.Data)
}

func hexInto(w io.Writer, digest string) {
	raw, _ := hex.DecodeString(digest) // we wrote it
	w.Write(raw)
}

func (d *Dir) Abort(_ context.Context, key, uploadID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.checkUpload(key, uploadID); err != nil {
		return err
	}
	return d.endUpload(uploadID, d.named(key))
}

// endUpload removes an upload and the data of its parts except what is kept.
// Callers hold mu.
func (d *Dir) endUpload(uploadID string, keep []segment) error {
	records, err := d.partRecords(uploadID)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, s := range keep {
		kept[s.Name] = true
	}
	if err := d.root.RemoveAll(filepath.Join("uploads", uploadID)); err != nil {
		return err
	}
	var errs []error
	for _, rec := range records {
		for _, s := range rec.Data {
			if !kept[s.Name] {
				errs = append(errs, d.drop([]segment{s}))
			}
		}
	}
	return errors.Join(errs...)
}

// checkUpload says whether uploadID names an upload to key. Identifiers come
// over the wire, so only the letters of our own pass.
func (d *Dir) checkUpload(key, uploadID string) error {
	if len(uploadID) != len(randomName()) || strings.Trim(uploadID, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ErrNoUpload
	}
	u, err := readJSON[upload](d.root, filepath.Join("uploads", uploadID, "upload.json"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && u.Key != key {
		return ErrNoUpload
	}
	return err
}

// partRecords gives the records of an upload's parts by number; those of parts
// that have not arrived have no data.
func (d *Dir) partRecords(uploadID string) ([]record, error) {
	folder := filepath.Join("uploads", uploadID)
	names, err := list(d.root, folder)
	if err != nil {
		return nil, err
	}
	var records []record
	for _, name := range names {
		var number int
		if _, err := fmt.Sscanf(name.Name(), "%05d.json", &number); err != nil || partName(uploadID, number) != filepath.Join(folder, name.Name()) {
			continue
		}
		rec, err := readJSON[record](d.root, filepath.Join(folder, name.Name()))
		if err != nil {
			return nil, err
		}
		for len(records) <= number {
			records = append(records, record{})
		}
		records[number] = rec
	}
	return records, nil
}

func partName(uploadID string, number int) string {
	return filepath.Join("uploads", uploadID, fmt.Sprintf("%05d.json", number))
}

// list gives what lies in a folder; nothing if it is not there.
func list(root *os.Root, folder string) ([]fs.DirEntry, error) {
	f, err := root.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}
