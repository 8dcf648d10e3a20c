package server

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"sync"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
)

// logLimitBytes bounds one log of one process or stage (behaviour 3.5).
const logLimitBytes = 200 << 20

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

// append writes r at offset. Bytes the log has already are skipped; those
// beyond the limit are dropped and counted as written.
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

// list names the logs of an instance.
func (l *logs) list(id lift.InstanceID) ([]string, error) {
	es, err := os.ReadDir(filepath.Join(l.dir, string(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	sort.Strings(names)
	return names, err
}

// read returns up to limit bytes of a log from an offset on.
func (l *logs) read(id lift.InstanceID, key string, offset int64, limit int) ([]byte, error) {
	path, err := l.path(id, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, limit)
	n, err := f.ReadAt(b, offset)
	if err == io.EOF {
		err = nil
	}
	return b[:n], err
}

// forget removes everything of an instance.
func (l *logs) forget(id lift.InstanceID) error {
	if !logName.MatchString(string(id)) {
		return nil
	}
	return os.RemoveAll(filepath.Join(l.dir, string(id)))
}
