package server

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/s3door"
)

// logLimitBytes bounds one log of one process or stage. An agent stops at 200 MiB
// (behaviour 3.5) and says so in the log: there is room for that.
const logLimitBytes = 201 << 20

// keepLogs is how long a log is kept after its last line (behaviour 3.5).
const keepLogs = 14 * 24 * time.Hour

// logs keeps what agents send of the output of stages and processes, in
// DIR/<instance>/<key>. Writing is appending at a known offset, so that a
// repeated piece changes nothing.
type logs struct {
	dir string
	mu  sync.Mutex // one append at a time: it reads the size and writes behind it
}

var logName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func (l *logs) path(id lift.InstanceID, key string) (string, error) {
	if !logName.MatchString(string(id)) || !logName.MatchString(key) {
		return "", lift.Errorf(lift.InvalidRequest, "%q is not a name for a log", key)
	}
	return filepath.Join(l.dir, string(id), key), nil
}

// append writes r at offset, and returns the size of the log then. Bytes the log
// has already are skipped; those beyond the limit are dropped.
func (l *logs) append(id lift.InstanceID, key string, offset int64, r io.Reader) (int64, error) {
	path, err := l.path(id, key)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	tail, err := link.Tail(size, offset, r)
	if err != nil {
		return size, err
	}
	n, err := io.Copy(f, io.LimitReader(tail, max(logLimitBytes-size, 0)))
	return size + n, err
}

// List is ops.Logs.List: the names INSTANCE/KEY that begin with prefix.
func (l *logs) List(_ context.Context, prefix string) ([]string, error) {
	folder, key, whole := strings.Cut(prefix, "/")
	folders := []string{folder}
	if !whole {
		es, err := os.ReadDir(l.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		folders = nil
		for _, e := range es {
			if strings.HasPrefix(e.Name(), folder) {
				folders = append(folders, e.Name())
			}
		}
	}
	var names []string
	for _, f := range folders {
		if !logName.MatchString(f) {
			continue
		}
		es, err := os.ReadDir(filepath.Join(l.dir, f))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range es {
			if strings.HasPrefix(e.Name(), key) {
				names = append(names, f+"/"+e.Name())
			}
		}
	}
	return names, nil
}

// ReadAt is ops.Logs.ReadAt: an io.ReaderAt by name, of which a log that is
// not there is empty.
func (l *logs) ReadAt(_ context.Context, name string, b []byte, off int64) (int, error) {
	id, key, _ := strings.Cut(name, "/")
	path, err := l.path(lift.InstanceID(id), key)
	if err != nil {
		return 0, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, io.EOF
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(b, off)
}

// forget removes the logs of instances that have written nothing since before.
func (l *logs) forget(before time.Time) error {
	folders, err := os.ReadDir(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range folders {
		dir := filepath.Join(l.dir, f.Name())
		files, readErr := os.ReadDir(dir)
		err = errors.Join(err, readErr)
		old := readErr == nil
		for _, file := range files {
			info, statErr := file.Info()
			old = old && statErr == nil && info.ModTime().Before(before)
		}
		if old {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}

// logBucket is where the S3 door shows the logs: links to them are presigned
// reads of it.
const logBucket = "chairlift-logs"

// withLogs is a store of files in which the bucket of logs can be read.
type withLogs struct {
	blob.Store
	logs *logs
}

func (w withLogs) Open(ctx context.Context, key string) (blob.File, error) {
	name, ok := strings.CutPrefix(key, s3door.Key(logBucket, ""))
	if !ok {
		return w.Store.Open(ctx, key)
	}
	id, log, _ := strings.Cut(name, "/")
	path, err := w.logs.path(lift.InstanceID(id), log)
	if err != nil {
		return nil, blob.ErrNotFound
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, blob.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return blob.OnDisk(key, f)
}

func (w withLogs) Stat(ctx context.Context, key string) (blob.Info, error) {
	f, err := w.Open(ctx, key)
	if err != nil {
		return blob.Info{}, err
	}
	defer f.Close()
	return f.Info(), nil
}
