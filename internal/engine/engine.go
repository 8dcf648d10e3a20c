// Package engine loads what a decision needs, asks a pure function, saves the
// answer with the effects it wants in one transaction, and sends the effects
// after the commit. Everything that changes the service's state goes through
// it: operations by Update, agents by Handle, the clock by Turn.
//
// It must not know the wire, sockets or hosts: effects leave by its Sender.
// What it keeps in memory is a cache or a hint whose loss costs a little time
// and nothing else.
//
//	e := engine.New(engine.Options{Store: s, Sender: hub, Now: time.Now, IDs: rand.Reader})
//	go e.Run(ctx)
//	err := e.Update(ctx, func(tx *engine.Tx) error { … })
package engine

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Sender takes effects whose decision is committed. Send must not block and
// may lose them: every effect stays in the store until its receiver confirms
// it, and is sent again.
type Sender interface {
	Send([]lift.Effect)
}

// Options are what an engine is made of. Store and Sender are required.
type Options struct {
	Store  store.Store
	Sender Sender
	Now    func() time.Time // default time.Now
	IDs    io.Reader        // default crypto/rand
	Log    *slog.Logger     // default discards
	Owner  string           // names this server, of several, in claims and leases; default "server"
	Host   string           // names this server's host, of several; "" for none
	// Heard tells when an agent last spoke, if it did since this server started.
	Heard func(lift.InstanceID) (time.Time, bool)
	// Sinks names the sinks that an event published to the topic goes to; the
	// topic is "" if its source has none. Nil: nobody listens.
	Sinks func(topic string) []string
	// DNSSuffix is the domain that instances get host names in; "" for none.
	DNSSuffix string
	// Codes renames event codes, for eras that had others.
	Codes map[lift.EventCode]lift.EventCode
	// Count, if not nil, hears of what was committed, for the metrics.
	Count func(Count)
	// NoReplay leaves effects that were not confirmed unsent after a restart.
	// It exists to prove that a test notices.
	NoReplay bool
}

// Engine is safe for use by many goroutines.
type Engine struct {
	opts  Options
	log   *slog.Logger
	wake  chan struct{}
	watch watch
	due   dueTimes

	arrived chan struct{} // see Arrived

	mu      sync.Mutex
	freed   map[lift.FleetID]int // processes that became idle since the last turn
	eventAt time.Time            // of the last event

	doubtful []lift.Effect // see doubt; guarded by mu

	shared  store.Shared // the store, if other servers write to it, too
	servers servers

	evaluated map[string][]lift.RuleCount // see Evaluated; guarded by mu

	sets sync.Map // rule sets that were parsed; see Tx.rules
}

// New makes an engine. It starts nothing; see Run.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.IDs == nil {
		o.IDs = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Owner == "" {
		o.Owner = "server"
	}
	if o.Heard == nil {
		o.Heard = func(lift.InstanceID) (time.Time, bool) { return time.Time{}, false }
	}
	shared, ok := o.Store.(store.Shared)
	if !ok || !shared.Shared() {
		shared = nil
	}
	return &Engine{
		shared: shared, opts: o, log: o.Log, wake: make(chan struct{}, 1), arrived: make(chan struct{}, 1), freed: map[lift.FleetID]int{},
		watch: watch{started: o.Now()},
	}
}

// Now is the engine's clock, cut to the microsecond that the store keeps.
func (e *Engine) Now() time.Time { return e.opts.Now().UTC().Truncate(time.Microsecond) }

// View reads what is committed.
func (e *Engine) View(ctx context.Context, f func(store.Tx) error) error {
	return e.opts.Store.View(ctx, f)
}

// Update runs f in one transaction, then sends the effects it emitted and
// wakes the turn loop. Nothing f did is visible before the commit. f may run
// more than once and only computes.
func (e *Engine) Update(ctx context.Context, f func(*Tx) error) error {
	var done *Tx
	err := e.opts.Store.Update(ctx, func(stx store.Tx) error {
		done = nil
		tx := &Tx{Tx: stx, Now: e.Now(), e: e}
		if err := f(tx); err != nil {
			return err
		}
		done = tx
		return nil
	})
	if done != nil {
		e.told(done.eventAt)
	}
	if err != nil {
		if done != nil {
			e.doubt(done)
		}
		return err
	}
	e.sent(done.effects)
	e.send(done.effects)
	if e.opts.Count != nil {
		for _, c := range done.counts {
			e.opts.Count(c)
		}
	}
	e.note(done.freed)
	if done.arrived {
		select {
		case e.arrived <- struct{}{}:
		default:
		}
	}
	for kind, at := range done.dueRows {
		if e.due.lower(kind, at) {
			e.Wake()
		}
	}
	return nil
}

func (e *Engine) send(effects []lift.Effect) {
	if len(effects) > 0 {
		e.opts.Sender.Send(effects)
	}
}

// Wake asks for a turn soon.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// note remembers fleets that got idle processes, for those who wait for one.
func (e *Engine) note(fleets []lift.FleetID) {
	if len(fleets) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range fleets {
		e.freed[f]++
	}
	e.Wake()
}

func (e *Engine) takeFreed() map[lift.FleetID]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.freed
	e.freed = map[lift.FleetID]int{}
	return f
}

// eventTime returns a time for an event that is after that of every event
// before it, so that the log keeps its order.
func (tx *Tx) eventTime() time.Time {
	at := tx.Now
	tx.e.mu.Lock()
	last := later(tx.e.eventAt, tx.eventAt)
	tx.e.mu.Unlock()
	if !at.After(last) {
		at = last.Add(time.Microsecond)
	}
	tx.eventAt = at
	return at
}

// told notes the time of the last event of a transaction.
func (e *Engine) told(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.eventAt = later(e.eventAt, at)
}
