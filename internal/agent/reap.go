package agent

import (
	"os/exec"
	"sync"
)

// reaper starts processes and, in an agent that is the first process of its PID
// namespace with no init above it (a container's entry point), takes the exits
// of the orphans that come to it. Elsewhere others do that.
type reaper struct {
	start func(*exec.Cmd) error

	mu    sync.Mutex   // held while a process starts, so that none is unknown for a moment
	known map[int]bool // our own children; os/exec waits for them
}

func newReaper(start func(*exec.Cmd) error) *reaper {
	if start == nil {
		start = (*exec.Cmd).Start
	}
	return &reaper{start: start, known: make(map[int]bool)}
}

// launch starts cmd in a session of its own.
func (r *reaper) launch(cmd *exec.Cmd) error {
	setAttributes(cmd)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.start(cmd); err != nil {
		return err
	}
	r.known[cmd.Process.Pid] = true
	return nil
}

// waited says that the exit of one of our own was taken.
func (r *reaper) waited(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, pid)
}
