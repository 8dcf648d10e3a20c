//go:build unix

package storetest

import (
	"syscall"
	"time"
)

// cpuTime returns what this process has used, which says more than the clock
// on a machine that others use too.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
