package sqldb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/chairlift-games/chairlift/internal/store"
)

// lock takes a lock file that the system lets go with this process, however it
// ends. A lock here keeps others from reading what is locked: so the locked
// byte is far behind the text that says who holds the file.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	at := &windows.Overlapped{Offset: 1 << 30}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if err != nil {
		defer f.Close()
		if !errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(f, 20))
		return nil, fmt.Errorf("%w by process %s", store.ErrLocked, strings.TrimSpace(string(holder)))
	}
	f.Truncate(0)
	f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return f.Close, nil
}

func isReadOnlyFileSystem(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }
