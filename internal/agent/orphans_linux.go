package agent

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// collect makes this process the parent of every orphan below it, and reaps
// them until stop is closed.
func collect(stop <-chan struct{}) (*orphans, error) {
	if os.Getpid() != 1 {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("collecting orphans: %w", err)
		}
	}
	o := &orphans{known: make(map[int]bool)}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		defer signal.Stop(ended)
		for {
			select {
			case <-stop:
				return
			case <-ended:
				o.reap()
			}
		}
	}()
	return o, nil
}

// reap takes the exit of every orphan that has ended.
func (o *orphans) reap() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for pid, state := range children() {
		if !o.known[pid] && state == 'Z' {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// killOf ends the orphans whose environment names the process; mu is held. An
// empty id ends all.
func (o *orphans) killOf(id lift.ProcessID) {
	mark := []byte("GAMELIFT_SDK_PROCESS_ID=" + string(id))
	for pid, state := range children() {
		if o.known[pid] || state == 'Z' {
			continue
		}
		if id != "" {
			env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			if err != nil || !bytes.Contains(env, mark) {
				continue
			}
		}
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// killAll ends every orphan.
func (o *orphans) killAll() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.killOf("")
}

// children lists the children of this process with their states, a letter each.
func children() map[int]byte {
	found := make(map[int]byte)
	self := os.Getpid()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // gone meanwhile
		}
		// pid (name) state ppid …, where the name may hold anything.
		rest := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(rest) < 2 || string(rest[1]) != strconv.Itoa(self) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			found[pid] = rest[0][0]
		}
	}
	return found
}
