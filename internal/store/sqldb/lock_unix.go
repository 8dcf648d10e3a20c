//go:build unix

package sqldb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/chairlift-games/chairlift/internal/store"
)

// lock takes a lock file that the kernel lets go with this process, however it
// ends. The file says who holds it and stays behind, as removing it would race
// with the next holder.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot lock %s (does its file system have locks?): %w", path, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(f, 20))
		return nil, fmt.Errorf("%w by process %s", store.ErrLocked, strings.TrimSpace(string(holder)))
	}
	f.Truncate(0)
	f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return f.Close, nil
}

func isReadOnlyFileSystem(err error) bool { return errors.Is(err, syscall.EROFS) }
