package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/coder/websocket"
)

// Pauses between two attempts to connect: the first, doubled each time up to
// the last, each cut at random to between a half and the whole. A connection
// that stood for steady starts over with the first.
const (
	firstPause    = 50 * time.Millisecond
	lastPause     = 2 * time.Second
	lastPauseHere = 400 * time.Millisecond // to a service on this machine, which few agents ask
	steady        = 5 * time.Second
	dialTimeout   = 10 * time.Second
)

// Options say how an agent reaches the service.
type Options struct {
	Server   string // unix:/path, http://host:port or https://host:port
	Instance lift.InstanceID
	Token    string
	TLS      *tls.Config // for https; nil for the system's roots
	Log      *slog.Logger
}

// lastPause is the longest pause between two attempts.
func (o *Options) lastPause() time.Duration {
	if strings.HasPrefix(o.Server, "unix:") {
		return lastPauseHere
	}
	return lastPause
}

// What ends a link for good. After everything else the agent connects again.
var (
	ErrGone      = errors.New("link: the service does not know this instance any more")
	ErrOtherLife = errors.New("link: another agent has already spoken for this instance")
	ErrForgotten = errors.New("link: the service has forgotten events that it acknowledged")
)

// Agent is an agent's link to the service. It remembers nothing on disk: an
// agent that dies takes its processes with it. Its methods may be called from
// any goroutine.
type Agent struct {
	o        Options
	client   *http.Client
	base     *url.URL
	commands chan lift.Effect

	news   chan struct{} // cap 1: something to send
	handed chan struct{} // cap 1: a command may wait
	done   chan struct{} // closed when Run returns

	mu      sync.Mutex
	core    *AgentEnd
	asked   map[Ticket]chan lift.Reply // callers of Ask who still wait
	changed chan struct{}              // closed and renewed when something was acknowledged
	err     error                      // of Run
}

// NewAgent makes a link that is not connected yet: Run does that. The error
// is about the options.
func NewAgent(o Options) (*Agent, error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Instance == "" || o.Token == "" {
		return nil, errors.New("link: an agent needs the instance it is, and its token")
	}
	client, base, err := dialer(o)
	if err != nil {
		return nil, err
	}
	return &Agent{
		o: o, client: client, base: base,
		commands: make(chan lift.Effect),
		news:     make(chan struct{}, 1), handed: make(chan struct{}, 1), done: make(chan struct{}),
		core:    NewAgentEnd(o.Instance),
		asked:   map[Ticket]chan lift.Reply{},
		changed: make(chan struct{}),
	}, nil
}

// Run connects and stays connected, for ever, until ctx ends or the service
// says that there is no point: ErrGone, ErrOtherLife, ErrForgotten. It is
// called once.
func (a *Agent) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { a.hand(ctx) })
	defer func() {
		cancel()
		wg.Wait()
		a.client.CloseIdleConnections()
		a.mu.Lock()
		a.err = err
		a.mu.Unlock()
		close(a.done)
	}()
	pause, lost := firstPause, ""
	for {
		began := time.Now()
		err := a.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrGone), errors.Is(err, ErrOtherLife), errors.Is(err, ErrForgotten):
			a.o.Log.Error("link ended", "server", a.o.Server, "reason", err)
			return err
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		wait := pause/2 + rand.N(pause/2)
		level := slog.LevelInfo
		if err.Error() == lost {
			level = slog.LevelDebug // a service that is away for long is said once
		}
		lost = err.Error()
		a.o.Log.Log(ctx, level, "link lost", "server", a.o.Server, "reason", err, "again", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		pause = min(2*pause, a.o.lastPause())
	}
}

// connect dials once and holds the connection until it ends.
func (a *Agent) connect(ctx context.Context) error {
	ws, err := a.dial(ctx)
	if err != nil {
		return err
	}
	ws.SetReadLimit(serviceFrameBytes)
	a.mu.Lock()
	a.core.Open(time.Now())
	a.mu.Unlock()

	broken := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { broken <- a.read(ctx, ws) })
	err = a.write(ctx, ws, broken)
	if code := refusal(err); code != 0 {
		_ = ws.Close(code, reason(err)) // it says why, for the other end's log
	}
	_ = ws.CloseNow()
	wg.Wait()
	a.mu.Lock()
	a.core.Close()
	a.mu.Unlock()
	return err
}

func (a *Agent) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, a.url("/agent").String(), &websocket.DialOptions{
		HTTPClient: a.client,
		HTTPHeader: a.header(),
	})
	if err == nil {
		return ws, nil
	}
	if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("the service answered %d: %s", resp.StatusCode, rest(resp.Body))
		if resp.StatusCode == http.StatusGone {
			return nil, fmt.Errorf("%w: %w", ErrGone, err)
		}
	}
	return nil, err
}

// read takes frames until the connection breaks, which the writer sees to.
func (a *Agent) read(ctx context.Context, ws *websocket.Conn) error {
	for {
		_, data, err := ws.Read(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		if err := a.receive(data); err != nil {
			return err
		}
		wake(a.news)
		wake(a.handed)
	}
}

func (a *Agent) receive(data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.core.Welcomed()
	if err := a.core.Receive(time.Now(), data); err != nil {
		return err
	}
	if a.core.Welcomed() != before {
		a.o.Log.Info("link up", "server", a.o.Server)
	}
	for _, r := range a.core.Replies() {
		if c := a.asked[r.Ticket]; c != nil {
			c <- r.Reply // it has room for the one reply
			delete(a.asked, r.Ticket)
		}
	}
	close(a.changed)
	a.changed = make(chan struct{})
	return nil
}

// write sends what there is to say until the connection ends.
func (a *Agent) write(ctx context.Context, ws *websocket.Conn, broken <-chan error) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		a.mu.Lock()
		data, due, err := a.core.Next(time.Now())
		a.mu.Unlock()
		if err != nil {
			return err
		}
		if data != nil {
			// After an error the connection is broken, and the reader says how.
			wctx, cancel := context.WithTimeout(ctx, silence)
			_ = ws.Write(wctx, websocket.MessageText, data)
			cancel()
			continue
		}
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-timer.C:
		case <-a.news:
		}
	}
}

// hand gives commands to whoever receives from Commands, on and off line.
func (a *Agent) hand(ctx context.Context) {
	for {
		a.mu.Lock()
		ef, ok := a.core.Command()
		a.mu.Unlock()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-a.handed:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case a.commands <- ef:
		}
		a.mu.Lock()
		a.core.Took(ef.ID)
		a.mu.Unlock()
		wake(a.news)
	}
}

// Commands hands out each command of the service once, in order. A command
// received from it counts as taken and will not come again. It is never
// closed.
func (a *Agent) Commands() <-chan lift.Effect { return a.commands }

// Connected reports whether the service has welcomed this agent on a
// connection that stands.
func (a *Agent) Connected() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.core.Welcomed()
}

// Report tells the service what happened, each event once and in order. It
// returns when the event is in the buffer, and waits only while that is full.
// The error is that of ctx, or of Run when that has ended, or ErrTooLarge for
// an event of more than 256 KiB.
func (a *Agent) Report(ctx context.Context, ev lift.Event) error {
	_, err := a.report(ctx, ev, nil)
	return err
}

// Ask is Report for an event that wants a reply, and waits for it, however
// long the service is away, until ctx ends. An Ask given up takes effect all
// the same.
func (a *Agent) Ask(ctx context.Context, ev lift.Event) (lift.Reply, error) {
	if !ev.WantsReply() {
		return lift.Reply{}, errors.New("link: nobody replies to this kind of event: Report it")
	}
	reply := make(chan lift.Reply, 1)
	ticket, err := a.report(ctx, ev, reply)
	if err != nil {
		return lift.Reply{}, err
	}
	select {
	case r := <-reply:
		return r, nil
	case <-ctx.Done():
		a.mu.Lock()
		delete(a.asked, ticket)
		a.mu.Unlock()
		return lift.Reply{}, ctx.Err()
	case <-a.done:
		return lift.Reply{}, a.ended()
	}
}

func (a *Agent) report(ctx context.Context, ev lift.Event, reply chan lift.Reply) (Ticket, error) {
	for {
		select {
		case <-a.done:
			return 0, a.ended()
		default:
		}
		a.mu.Lock()
		ticket, err := a.core.Report(ev)
		if err == nil && reply != nil {
			a.asked[ticket] = reply
		}
		changed := a.changed
		a.mu.Unlock()
		if !errors.Is(err, ErrFull) {
			wake(a.news)
			return ticket, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", err, ctx.Err())
		case <-a.done:
			return 0, a.ended()
		}
	}
}

// Flush waits until the service has handled everything reported.
func (a *Agent) Flush(ctx context.Context) error {
	for {
		a.mu.Lock()
		settled, changed := a.core.Settled(), a.changed
		a.mu.Unlock()
		if settled {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-a.done:
			return a.ended()
		}
	}
}

// ended returns why Run returned.
func (a *Agent) ended() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Errorf("link: the link has ended: %w", a.err)
}
