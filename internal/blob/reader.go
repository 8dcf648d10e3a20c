package blob

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"sync"
)

// reader reads a file whose data may lie in thousands of pieces. It keeps one
// of them open, for almost every reader goes through a file in order.
type reader struct {
	rec  record
	root *os.Root
	ends []int64 // where each piece ends in the whole

	mu     sync.Mutex
	closed bool
	at     int      // the piece that is open
	piece  *os.File // nil if none is
}

func newReader(root *os.Root, rec record) *reader {
	r := &reader{rec: rec, root: root, ends: make([]int64, len(rec.Data))}
	var end int64
	for i, s := range rec.Data {
		end += s.Size
		r.ends[i] = end
	}
	return r
}

func (r *reader) Info() Info { return r.rec.info() }

func (r *reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("blob: reading before the beginning")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(p) {
		if off >= r.rec.Size {
			return n, io.EOF
		}
		i := sort.Search(len(r.ends), func(i int) bool { return r.ends[i] > off })
		if err := r.use(i); err != nil {
			return n, err
		}
		want := p[n:min(int64(len(p)), int64(n)+r.ends[i]-off)]
		got, err := r.piece.ReadAt(want, off-(r.ends[i]-r.rec.Data[i].Size))
		n, off = n+got, off+int64(got)
		if got < len(want) {
			return n, fmt.Errorf("reading %q: data is shorter than its record says: %w", r.rec.Key, errors.Join(io.ErrUnexpectedEOF, err))
		}
	}
	return n, nil
}

// use opens piece i.
func (r *reader) use(i int) error {
	if r.closed {
		return fs.ErrClosed
	}
	if r.piece != nil && r.at == i {
		return nil
	}
	f, err := r.root.Open(filepath.Join("data", r.rec.Data[i].Name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading %q: it was deleted or replaced meanwhile: %w", r.rec.Key, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("reading %q: %w", r.rec.Key, err)
	}
	if r.piece != nil {
		r.piece.Close()
	}
	r.at, r.piece = i, f
	return nil
}

func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fs.ErrClosed
	}
	r.closed = true
	if r.piece == nil {
		return nil
	}
	return r.piece.Close()
}
