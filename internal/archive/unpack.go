package archive

import (
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Unpack checks the zip that r holds as Check does and writes its content into
// dest, which should be an empty folder: a file that is there already is an
// error, not overwritten. Files keep their executable bit and lose all other
// modes; folders and files belong to the caller. After an error, a cancelled
// context's included, dest holds a part of the archive and the caller removes it.
//
// progress, if not nil, hears after every file and every few megabytes how many
// of totalBytes are written. Its calls never overlap.
func Unpack(ctx context.Context, r io.ReaderAt, sizeBytes int64, dest *os.Root, lim Limits, progress func(doneBytes, totalBytes int64)) (Summary, error) {
	plan, err := read(r, sizeBytes, lim)
	if err != nil {
		return Summary{}, err
	}
	for _, name := range plan.folders {
		if err := mkdir(dest, name, name); err != nil {
			return Summary{}, err
		}
	}
	made := map[string]bool{".": true}
	for _, f := range plan.files {
		if parent := path.Dir(f.name); !made[parent] {
			if err := mkdir(dest, parent, f.name); err != nil {
				return Summary{}, err
			}
			made[parent] = true
		}
	}

	count := &counter{total: plan.sum.Bytes, report: progress}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range plan.files {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return unpackFile(gctx, dest, f, count) })
	}
	if err := g.Wait(); err != nil {
		return Summary{}, err
	}
	if err := ctx.Err(); err != nil {
		return Summary{}, err
	}

	// Links come last, so that nothing was written through one.
	for _, l := range plan.links {
		if err := mkdir(dest, path.Dir(l.name), l.name); err != nil {
			return Summary{}, err
		}
		local, err := localize(l.name)
		if err != nil {
			return Summary{}, err
		}
		if err := dest.Symlink(filepath.FromSlash(l.target), local); err != nil {
			return Summary{}, fmt.Errorf("unpacking %s: %w", quoted(l.name), err)
		}
	}
	return plan.sum, nil
}

func mkdir(dest *os.Root, name, entry string) error {
	local, err := localize(name)
	if err != nil {
		return err
	}
	if err := dest.MkdirAll(local, 0o755); err != nil {
		return fmt.Errorf("making the folder of %s: %w", quoted(entry), err)
	}
	return nil
}

// localize spells name as this operating system does. Windows knows names that
// cannot be files there (NUL, a:b).
func localize(name string) (string, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return "", refuse(name, "cannot be a file name on this system (%s); rename it and zip again", runtime.GOOS)
	}
	return local, nil
}

func unpackFile(ctx context.Context, dest *os.Root, f planned, count *counter) (err error) {
	local, err := localize(f.name)
	if err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if f.entry.Mode()&0o111 != 0 {
		perm = 0o755
	}
	body, err := f.entry.Open()
	if err != nil {
		return damaged(f.entry, err)
	}
	defer body.Close()
	out, err := dest.OpenFile(local, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("unpacking %s: a file of that name is there already; unpack into an empty folder", quoted(f.name))
		}
		return fmt.Errorf("unpacking %s: %w", quoted(f.name), err)
	}
	defer func() {
		if closeErr := out.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("unpacking %s: %w", quoted(f.name), closeErr)
		}
	}()

	// The declared size was counted against the limits. archive/zip holds the
	// entry to it: a longer one is a format error.
	buf := *buffers.Get().(*[]byte)
	defer buffers.Put(&buf)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, readErr := body.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return fmt.Errorf("unpacking %s: %w", quoted(f.name), err)
			}
			count.add(int64(n), false)
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return damaged(f.entry, readErr)
		}
	}
	if perm == 0o755 { // the umask may have taken the bit
		if err := out.Chmod(perm); err != nil {
			return fmt.Errorf("unpacking %s: %w", quoted(f.name), err)
		}
	}
	count.add(0, true)
	return nil
}

func isCorrupt(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// counter adds up what the writers wrote and reports it, one call at a time.
type counter struct {
	mu         sync.Mutex
	done       int64
	unreported int64
	total      int64
	report     func(done, total int64)
}

func (c *counter) add(n int64, fileDone bool) {
	if c.report == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += n
	c.unreported += n
	if fileDone || c.unreported >= 4<<20 {
		c.unreported = 0
		c.report(c.done, c.total)
	}
}
