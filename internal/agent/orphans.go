package agent

import (
	"sync"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// orphans collects the processes that server processes started and left behind:
// they become children of the agent, which reaps them when they end and ends
// them with the process they belonged to. A nil value collects none; only an
// agent that is alone in its process may collect, as it takes the exit of every
// child it does not know for its own. See collect for the systems that can.
type orphans struct {
	mu    sync.Mutex // held while a process starts, so that none is unknown for a moment
	known map[int]bool
}

// starting runs start, and remembers the process it made.
func (o *orphans) starting(start func() (pid int, err error)) error {
	if o == nil {
		_, err := start()
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	pid, err := start()
	if err == nil {
		o.known[pid] = true
	}
	return err
}

// ended forgets a process that was waited for, and ends the orphans it left.
func (o *orphans) ended(pid int, id lift.ProcessID) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.known, pid)
	if id != "" {
		o.killOf(id)
	}
}
