package sqldb_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// mountReadOnly mounts an empty read-only file system on a folder, for this
// thread only, which ends with the test.
func mountReadOnly(t *testing.T, dir string) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: nobody else gets this thread's mounts
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		skip(t, "root without the right to mount: %v", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		skip(t, "cannot make mounts private: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		skip(t, "cannot mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
}

func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CHAIRLIFT_TEST_ALL") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
