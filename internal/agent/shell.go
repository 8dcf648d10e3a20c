package agent

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// Limits of the shell.
const (
	mailboxEvents = 256
	goodbyeLimit  = 5 * time.Second // for the last reports and logs to arrive
	logsAtOnce    = 2               // are on their way to the service; each takes memory
)

// shell does what a core says. One goroutine steps the core, with events from
// the mailbox; everything that takes time has a goroutine of its own and posts
// its outcome.
type shell struct {
	cfg   Config
	link  Link
	log   *slog.Logger
	core  *Core
	mail  chan Event
	gone  chan struct{} // closed when nobody empties the mailbox any more
	end   chan error    // cap 1: the link has ended
	token string

	door     *sdk.Door
	listener net.Listener
	launcher *launcher
	outbox   *outbox
	reaper   *reaper
	config   lift.Configure // set before anything that reads it begins
	abort    context.CancelFunc
	left     bool

	background context.Context // of everything that goes on until the end
	working    sync.WaitGroup  // stages, reports, questions
	shipping   sync.WaitGroup  // logs on their way
	turns      chan struct{}   // cap logsAtOnce: held by who sends a piece of a log

	calls   atomic.Uint64
	waiting sync.Map // Call -> chan Action, for those who wait for an answer
}

func newShell(cfg Config, l Link) (*shell, error) {
	s := &shell{
		cfg: cfg, link: l, log: cfg.Log.With("instance", cfg.Instance), token: newToken(),
		core: NewCore(Options{Instance: cfg.Instance, Address: cfg.Address, Shared: cfg.Shared, Pace: cfg.Pace, Limits: cfg.Limits, IDs: rand.Reader}),
		mail: make(chan Event, mailboxEvents), gone: make(chan struct{}), end: make(chan error, 1),
		reaper: newReaper(cfg.Start), turns: make(chan struct{}, logsAtOnce),
	}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("opening the door for server processes: %w", err)
	}
	s.door = sdk.NewDoor(games{s}, sdk.Options{Log: s.log})
	return s, nil
}

// lost says that the link has ended for good.
func (s *shell) lost(err error) { s.end <- err }

// post puts an event into the mailbox.
func (s *shell) post(ev Event) {
	select {
	case s.mail <- ev:
	case <-s.gone:
	}
}

// run steps the core until it leaves.
func (s *shell) run(ctx, background context.Context) (err error) {
	background, stop := context.WithCancel(background)
	defer stop()
	s.background = background
	var door sync.WaitGroup
	door.Go(func() {
		if err := s.door.Serve(background, s.listener); err != nil {
			s.log.Error("the door for server processes failed", "error", err)
			s.post(Interrupted{Reason: "the door for server processes failed: " + err.Error()})
		}
	})
	go s.reaper.run(s.gone)
	s.outbox = newOutbox(s.link, func(congested bool) { s.post(Congested{congested}) })
	s.working.Go(func() { s.outbox.run(background) })

	s.loop(ctx)

	close(s.gone)
	err = s.goodbye()
	stop()
	s.working.Wait()
	s.shipping.Wait()
	door.Wait()
	return err
}

func (s *shell) loop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	interrupted := ctx.Done()
	for !s.left {
		var ev Event
		select {
		case ev = <-s.mail:
		case ef := <-s.link.Commands():
			ev = Commanded{ef}
		case <-timer.C:
			ev = Tick{}
		case err := <-s.end:
			s.log.Error("the service does not want this agent", "error", err)
			ev = Interrupted{Reason: "the service does not want this agent: " + err.Error()}
		case <-interrupted:
			interrupted = nil
			ev = Interrupted{Reason: "the agent was told to end by its machine"}
		}
		if c, ok := ev.(Commanded); ok && c.Effect.Configure != nil && s.config.InstanceID == "" {
			s.configure(*c.Effect.Configure)
		}
		s.step(ev)
		if full, crossed := s.outbox.pressure(); crossed {
			s.step(Congested{full})
		}
		if due := s.core.Due(); due.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(time.Until(due))
		}
	}
}

func (s *shell) step(ev Event) {
	for _, a := range s.core.Step(time.Now(), ev) {
		s.do(a)
	}
}

// configure makes what the first command decides.
func (s *shell) configure(c lift.Configure) {
	s.config = c
	url := "ws://" + s.listener.Addr().String()
	s.launcher = newLauncher(place{
		game: s.cfg.Game, logs: s.cfg.logs(), env: cleanEnvironment(os.Environ()),
		sdk: func(id lift.ProcessID) []string {
			env := sdkEnvironment(url, c.Fleet.ID, s.cfg.Instance, id, s.token)
			// A game that binds to its instance's address and no other asks here,
			// as chairlift wrap does.
			return append(env, host.EnvAddress+"="+s.cfg.Address)
		},
	}, s.reaper, s.post, s.ship, s.log)
	go s.launcher.run(s.gone)
}

// do carries out one action; it never blocks.
func (s *shell) do(a Action) {
	switch a := a.(type) {
	case Report:
		s.logReport(a.Event)
		s.outbox.add(outgoing{event: a.Event})
	case Ask:
		s.outbox.add(outgoing{event: a.Event, answer: func(r lift.Reply, err error) {
			if err != nil {
				r = lift.Reply{Status: 500, Message: "the instance ends: " + err.Error()}
			}
			s.post(Replied{Call: a.Call, Reply: r})
		}})
	case Prepare:
		ctx, cancel := context.WithCancel(s.background)
		s.abort = cancel
		s.working.Go(func() {
			defer cancel()
			s.post(s.stage(ctx, a.Stage))
		})
	case Abort:
		if s.abort != nil {
			s.abort()
		}
	case Launch:
		s.launcher.launch(a)
	case Kill:
		s.launcher.kill(a.ProcessID)
	case Admit:
		s.answer(a.Call, a)
	case Answer:
		s.answer(a.Call, a)
	case Push:
		s.door.Push(s.process(a.ProcessID), a.Push)
	case Forget:
		s.door.Forget(s.process(a.ProcessID))
	case Leave:
		s.left = true
	}
}

// goodbye gives the last reports and logs a while to arrive.
func (s *shell) goodbye() error {
	ctx, cancel := context.WithTimeout(s.background, goodbyeLimit)
	defer cancel()
	if err := s.outbox.drain(ctx); err != nil {
		return fmt.Errorf("the service was not told of the end: %w", err)
	}
	if err := s.link.Flush(ctx); err != nil {
		return fmt.Errorf("the service was not told of the end: %w", err)
	}
	shipped := make(chan struct{})
	go func() { s.shipping.Wait(); close(shipped) }()
	select {
	case <-shipped:
	case <-ctx.Done():
		s.log.Warn("some output did not reach the service in time")
	}
	return nil
}

// ship sends a log to the service while it grows.
func (s *shell) ship(c *capture) {
	s.shipping.Go(func() {
		if err := c.ship(s.background, s.appendLog); err != nil && s.background.Err() == nil {
			s.log.Warn("output is not sent to the service any more", "log", c.key, "error", err)
		}
	})
}

// appendLog sends a piece of a log when it is its turn.
func (s *shell) appendLog(ctx context.Context, key string, offset int64, r io.Reader) (int64, error) {
	select {
	case s.turns <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-s.turns }()
	return s.link.AppendLog(ctx, key, offset, r)
}

// process is the door's name for a process of ours.
func (s *shell) process(id lift.ProcessID) sdk.Process {
	return sdk.Process{Fleet: string(s.config.Fleet.ID), Compute: string(s.cfg.Instance), ID: string(id)}
}

// logReport lets somebody who reads the agent's own log follow.
func (s *shell) logReport(ev lift.Event) {
	switch {
	case ev.Stage != nil:
		s.log.Info("stage reached", "stage", ev.Stage.Stage, "message", ev.Stage.Message)
	case ev.Failed != nil:
		s.log.Error("instance failed", "code", ev.Failed.Code, "message", ev.Failed.Message)
	case ev.Notice != nil:
		s.log.Warn("notice", "code", ev.Notice.Code, "message", ev.Notice.Message)
	case ev.ProcessStarted != nil:
		s.log.Info("process started", "process", ev.ProcessStarted.ProcessID, "pid", ev.ProcessStarted.OSPID)
	case ev.ProcessReady != nil:
		s.log.Info("process ready", "process", ev.ProcessReady.ProcessID, "port", ev.ProcessReady.Port)
	case ev.ProcessExited != nil:
		s.log.Info("process exited", "process", ev.ProcessExited.ProcessID, "code", ev.ProcessExited.Code, "message", ev.ProcessExited.Message)
	case ev.Stopped != nil:
		s.log.Info("instance stopped", "reason", ev.Stopped.Reason)
	}
}
