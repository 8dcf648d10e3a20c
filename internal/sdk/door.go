package sdk

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Limits of the shell.
const (
	connectLimit   = 10 * time.Second // for Games.Connect
	callLimit      = 2 * time.Minute  // for Games.Call: C++ repeats a request six times, 20 s each
	writeLimit     = 10 * time.Second // for one frame
	confirmDelay   = 250 * time.Millisecond
	confirmLimit   = 10 * time.Second // for the pong
	closeLimit     = 5 * time.Second  // for what is in progress when the door closes; twice
	maxFrameBytes  = 1 << 20          // of a request
	maxOutboxItems = 2048             // frames waiting in one socket
	headerLimit    = 10 * time.Second // for TLS and the HTTP request
	maxHeaderBytes = 32 << 10
)

// Options of a door. The zero value is usable.
type Options struct {
	Log        *slog.Logger     // default: none
	Now        func() time.Time // default: time.Now
	TLS        *tls.Config      // default: a self-signed certificate made by Serve
	MaxSockets int              // default: 10,000
}

// A Door lets game servers in. See the package comment.
type Door struct {
	games   Games
	log     *slog.Logger
	now     func() time.Time
	tls     *tls.Config
	max     int
	ctx     context.Context // ends Games calls and sockets when the door has closed
	cancel  context.CancelFunc
	running sync.WaitGroup // goroutines and requests; joined under mu

	mu      sync.Mutex // guards what follows; never held while Games is called
	core    *Core
	sockets map[SocketID]*wire
	last    SocketID
	timer   *time.Timer
	closed  bool
}

// NewDoor returns a door in front of games. It starts nothing: serve it with
// Serve, or mount it as an http.Handler.
func NewDoor(games Games, o Options) *Door {
	d := &Door{games: games, log: o.Log, now: o.Now, tls: o.TLS, max: o.MaxSockets, core: NewCore(), sockets: make(map[SocketID]*wire)}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.max <= 0 {
		d.max = 10_000
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Push tells a process something. Pushes go out in the order given, to the
// newest socket; while the process has none they wait for one. A push whose
// socket broke before the client confirmed that it was read goes to the next,
// to three in all; a RefreshConnection does not, because it was followed or has
// become needless. So a push is very rarely heard twice, and lost only with its
// process. A process that has ended hears nothing.
func (d *Door) Push(p Process, push Push) { d.step(Pushed{p, push}) }

// Forget says that a process has ended. Later connects with its pID are refused
// with 403; sockets it still has are dropped after 30 s. Every process that was
// let in must be forgotten some day, or the door remembers it for ever.
func (d *Door) Forget(p Process) { d.step(Forgotten{p}) }

// Connected tells whether a process has a socket at the moment.
func (d *Door) Connected(p Process) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Connected(p)
}

// Serve accepts connections until ctx ends or the listener fails, then closes
// the door. It speaks TLS and plain text on the one listener, which it closes.
func (d *Door) Serve(ctx context.Context, ln net.Listener) error {
	either, err := EitherTLS(ln, d.tls)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	server := &http.Server{
		Handler:           d,
		ReadHeaderTimeout: headerLimit,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err = server.Serve(either)
	d.Close()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Close ends every socket with a code that makes clients come back (1012). It
// gives what is in progress 5 s before it ends its context, and 5 s after.
// After Close connects are refused and pushes go nowhere.
func (d *Door) Close() {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	if d.timer != nil {
		d.timer.Stop()
	}
	for _, w := range d.sockets {
		w.drop(closeRestart, "the service restarts")
	}
	d.mu.Unlock()

	done := make(chan struct{})
	go func() { d.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(closeLimit):
	}
	d.cancel()
	select {
	case <-done:
	case <-time.After(closeLimit):
		d.log.Error("closed the door although something in progress does not heed its context")
	}
}

// enter counts a goroutine or request in, unless the door is closed.
func (d *Door) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.enterLocked()
}

func (d *Door) enterLocked() bool {
	if d.closed {
		return false
	}
	d.running.Add(1)
	return true
}

// ServeHTTP takes one connect and stays with its socket until it closes.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !d.enter() {
		http.Error(w, "the service restarts", http.StatusServiceUnavailable)
		return
	}
	defer d.running.Done()
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "game servers connect here with a WebSocket of the GameLift Server SDK 5", http.StatusUpgradeRequired)
		return
	}
	hello, refusal := ParseHello(r.URL.RawQuery)
	if refusal != nil {
		d.refuse(w, r, hello, refusal)
		return
	}
	s := d.newWire(hello.Process)
	if s == nil {
		d.refuse(w, r, hello, refuse(http.StatusServiceUnavailable, "too many sockets are open here already"))
		return
	}
	defer d.step(Closed{s.id})
	d.step(Knock{s.id, hello})
	select {
	case refusal = <-s.verdict:
	case <-r.Context().Done():
		return
	case <-d.ctx.Done():
		refusal = refuse(http.StatusServiceUnavailable, "the service restarts")
	}
	if refusal != nil {
		d.refuse(w, r, hello, refusal)
		return
	}
	// The origin is of no interest: a token in the query lets a client in, never
	// a cookie that a browser would add.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		d.log.Debug("upgrade failed", "process", hello.Process, "error", err)
		return
	}
	d.log.Debug("process connected", "process", hello.Process, "socket", s.id, "sdk", hello.SDKLanguage+" "+hello.SDKVersion, "from", r.RemoteAddr)
	s.run(conn)
}

func (d *Door) refuse(w http.ResponseWriter, r *http.Request, h Hello, refusal *Refusal) {
	d.log.Info("connect refused", "process", h.Process, "status", refusal.status(), "reason", refusal.Reason, "from", r.RemoteAddr)
	http.Error(w, refusal.Reason, refusal.status())
}

func (d *Door) newWire(p Process) *wire {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sockets) >= d.max {
		return nil
	}
	d.last++
	s := &wire{id: d.last, process: p, door: d, verdict: make(chan *Refusal, 1), wake: make(chan struct{}, 1)}
	d.sockets[s.id] = s
	return s
}

// step gives the core one event and does what it says. What goes to sockets is
// queued before the lock is released, so it keeps the order the core gave it.
func (d *Door) step(ev Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.core.Step(d.now(), ev) {
		d.do(a)
	}
	if closed, ok := ev.(Closed); ok {
		delete(d.sockets, closed.Socket)
	}
	d.setTimer()
}

// do carries out one action; mu is held.
func (d *Door) do(a Action) {
	switch a := a.(type) {
	case Ask:
		if !d.goLocked(func() { d.ask(a) }) {
			d.sockets[a.Socket].verdict <- refuse(http.StatusServiceUnavailable, "the service restarts")
		}
	case Admit:
		d.sockets[a.Socket].verdict <- nil
	case Refuse:
		d.sockets[a.Socket].verdict <- a.Refusal
	case Call:
		d.goLocked(func() { d.call(a) })
	case SendReply:
		d.sockets[a.Socket].send(outgoing{reply: &a})
	case SendPush:
		d.sockets[a.Socket].send(outgoing{push: &a})
	case Drop:
		d.sockets[a.Socket].drop(a.Code, a.Reason)
	case Lost:
		d.goLocked(func() {
			d.games.Disconnected(a.Process, a.At)
			d.step(Told{a.Process})
		})
	case Note:
		d.log.Warn(a.Text, "process", a.Process)
	}
}

// goLocked starts f unless the door is closed; mu is held.
func (d *Door) goLocked(f func()) bool {
	if !d.enterLocked() {
		return false
	}
	go func() {
		defer d.running.Done()
		f()
	}()
	return true
}

// setTimer plans the next Tick; mu is held.
func (d *Door) setTimer() {
	due := d.core.Due()
	if d.closed || due.IsZero() {
		return
	}
	wait := max(0, due.Sub(d.now()))
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, func() { d.step(Tick{}) })
		return
	}
	d.timer.Reset(wait)
}

func (d *Door) ask(a Ask) {
	ctx, cancel := context.WithTimeout(d.ctx, connectLimit)
	defer cancel()
	err := d.games.Connect(ctx, a.Hello)
	if err == nil {
		d.step(Admitted{Socket: a.Socket})
		return
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		d.log.Error("connect failed", "process", a.Hello.Process, "error", err)
		refusal = refuse(http.StatusInternalServerError, "the service could not decide; it has logged why")
	}
	d.step(Admitted{Socket: a.Socket, Refusal: refusal})
}

func (d *Door) call(a Call) {
	ctx, cancel := context.WithTimeout(d.ctx, callLimit)
	defer cancel()
	reply, err := d.games.Call(ctx, a.Process, a.Request)
	var known *Error
	if err != nil && !errors.As(err, &known) {
		d.log.Error("request failed", "process", a.Process, "action", a.Request.Action(), "error", err)
		known = Errorf(http.StatusInternalServerError, "%s failed; the service has logged why", a.Request.Action())
	}
	d.step(Answered{Process: a.Process, Call: a.Call, Reply: reply, Err: known})
}
