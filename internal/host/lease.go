package host

import (
	"os"
	"os/exec"
)

// Lease is an agent's hold on its instance, from Enter until its process ends.
type Lease struct {
	Place  Place
	anchor *anchor // nil where an init holds it
	starter
}

// Enter is what an agent calls first. It takes the instance that the host's
// environment variables name: its lock and socket, and on some systems the
// means to take all processes along when the agent ends. On Linux a process
// that was started as the init of an instance does not return from here: it
// builds the instance, runs the agent as its child and ends with it.
func Enter() (*Lease, error) {
	if stage := os.Getenv(envStage); stage != "" {
		enterStage(stage)
	}
	p, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	return EnterAs(p)
}

// EnterAs is Enter for an agent that was started by hand and found out its
// place another way.
func EnterAs(p Place) (*Lease, error) {
	l := &Lease{Place: p}
	for _, dir := range []string{p.Dir, p.GameDir(), p.MetadataDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if os.Getenv(envAnchored) == "" {
		a, err := drop(p.Dir, p.ID)
		if err != nil {
			return nil, err
		}
		l.anchor = a
		if err := markStarted(p.Dir); err != nil {
			a.Close()
			return nil, err
		}
	}
	os.Unsetenv(envAnchored) // not for the game servers
	if err := l.starter.init(p.Dir); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// envAnchored tells the agent that its init holds lock and socket.
const envAnchored = "CHAIRLIFT_HOST_ANCHORED"

// Start starts cmd so that it ends when the agent ends, however that ends. It
// leads a process group of its own; its own children end with it or with the
// instance. Wait for it as for any command.
func (l *Lease) Start(cmd *exec.Cmd) error { return l.starter.start(cmd) }

// Close lets go of the instance. What was launched is not ended: the end of the
// process does that.
func (l *Lease) Close() error {
	if l.anchor == nil {
		return nil
	}
	return l.anchor.Close()
}
