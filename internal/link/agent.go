package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Options say how an agent reaches the service.
type Options struct {
	Server   string // unix:/path, http://host:port or https://host:port
	Instance lift.InstanceID
	Token    string
	TLS      *tls.Config // for https; nil for the system's roots
	Log      *slog.Logger
}

// What ends a link for good. After everything else the agent connects again.
var (
	ErrGone      = errors.New("link: the service does not know this instance any more")
	ErrOtherLife = errors.New("link: another agent has already spoken for this instance")
	ErrForgotten = errors.New("link: the service has forgotten events that it acknowledged")
)

// Agent is an agent's link to the service. It remembers nothing on disk: an
// agent that dies takes its processes with it.
type Agent struct {
	o        Options
	commands chan lift.Effect
}

// NewAgent makes a link that is not connected yet: Run does that.
func NewAgent(o Options) (*Agent, error) {
	return &Agent{o: o, commands: make(chan lift.Effect)}, nil
}

// Run connects and stays connected, for ever, until ctx ends or the service
// says that there is no point: ErrGone, ErrOtherLife, ErrForgotten.
func (a *Agent) Run(ctx context.Context) error { return errors.New("link: not built yet") }

// Report tells the service what happened, each event once and in order. It
// returns when the event is in the buffer, and waits only while that is full.
// The error is that of ctx, or says that the event is too large.
func (a *Agent) Report(ctx context.Context, ev lift.Event) error {
	return errors.New("link: not built yet")
}

// Ask is Report for an event that wants a reply, and waits for it, however
// long the service is away, until ctx ends. An Ask given up takes effect all
// the same.
func (a *Agent) Ask(ctx context.Context, ev lift.Event) (lift.Reply, error) {
	return lift.Reply{}, errors.New("link: not built yet")
}

// Commands hands out each command of the service once, in order. A command
// received from it counts as taken and will not come again. Never closed.
func (a *Agent) Commands() <-chan lift.Effect { return a.commands }

// Flush waits until the service has handled everything reported.
func (a *Agent) Flush(ctx context.Context) error { return errors.New("link: not built yet") }

// FetchBuild writes the archive of the instance's build to w and returns its
// size in bytes. It resumes where a connection broke, until ctx ends.
func (a *Agent) FetchBuild(ctx context.Context, w io.Writer) (int64, error) {
	return 0, errors.New("link: not built yet")
}

// AppendLog sends all of r to the log key, from offset on, and returns the
// size of the log then. It may be repeated. It outlasts a service that is away, until ctx
// ends. ErrOffset means that the service has only size bytes: go on from there.
func (a *Agent) AppendLog(ctx context.Context, key string, offset int64, r io.Reader) (size int64, err error) {
	return 0, errors.New("link: not built yet")
}
