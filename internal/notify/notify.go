// Package notify carries the events of tickets and placements to the sinks
// that people configured: webhooks in the form of a topic's or an event bus's
// subscribers, and files.
//
// The engine saves an event in the transaction of the change it tells, as an
// effect for each sink. Here each sink has a goroutine that reads its effects
// from the store, the oldest first, and deletes one when the sink has taken it.
// So an event arrives at least once, whatever is killed in between; those about
// one ticket or placement arrive in order; and a sink that is slow or gone
// delays no other, nor any call. What a sink does not take for long becomes a
// dead letter, which an operator can look at and send again.
//
// Several servers may share a store: then each sink is served by one of them at
// a time, and by another when that one stops or falls silent.
//
// It must not know what an event means, nor how it came to be.
//
//	sinks, err := configured.Ready()
//	n, err := notify.New(notify.Options{Store: s, Sinks: sinks})
//	go n.Run(ctx)
//	n.Wake("backend") // it has something to do
package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Options are what a Notifier is made of. Store and Sinks are required.
type Options struct {
	Store store.Store
	Sinks Sinks             // as Ready returned them
	Out   io.Writer         // of the sink whose file is "-"; default os.Stdout
	HTTP  http.RoundTripper // default a transport of its own
	Now   func() time.Time  // default time.Now
	Owner string            // this server's name among those that share the store
	Log   *slog.Logger      // default discards
	// Observe, if not nil, hears of every attempt and every dead letter.
	Observe func(sink string, r Result)
}

// Result is what came of an attempt.
type Result string

const (
	Delivered Result = "delivered"
	Failed    Result = "failed"
	Dead      Result = "dead" // a failed attempt was the last
)

// Notifier carries events to all sinks.
type Notifier struct {
	o        Options
	shared   store.Shared // the store, if other servers may write to it, too
	carriers map[string]*carrier
	files    []io.Closer
}

// carrier serves one sink.
type carrier struct {
	*Notifier
	sink Sink
	to   interface {
		deliver(context.Context, *lift.Publish) (refused bool, err error)
	}
	flights int          // attempts at once
	until   atomic.Int64 // when this server's turn ends, in microseconds; 0: never
	wake    chan struct{}
	log     *slog.Logger

	desk   *desk     // of this server's turn; for Step
	holdAt time.Time // when the lease is to be taken or renewed; likewise
}

const (
	// lookEvery is how often a sink's outbox is looked at, to find what a lost
	// wake-up hid.
	lookEvery = 5 * time.Second
	// clockSkew is how far servers' clocks may be apart for one to stop sending
	// before another begins.
	clockSkew = 2 * time.Second
	storeWait = time.Second // after the store failed
)

// New opens the sinks. It starts nothing; see Run.
func New(o Options) (*Notifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = flightsMost
		o.HTTP = t
	}
	if o.Observe == nil {
		o.Observe = func(string, Result) {}
	}
	n := &Notifier{o: o, carriers: map[string]*carrier{}}
	if s, ok := o.Store.(store.Shared); ok && s.Shared() {
		n.shared = s
	}
	for _, s := range o.Sinks {
		c := &carrier{Notifier: n, sink: s, wake: make(chan struct{}, 1), flights: flightsMost, log: o.Log.With("sink", s.Name)}
		switch {
		case s.URL != "":
			c.to = newWebhook(s, o.HTTP, o.Now)
		case s.File == "-":
			c.to, c.flights = &file{o.Out}, 1
		default:
			f, err := os.OpenFile(s.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				n.Close()
				return nil, fmt.Errorf("sink %s: %w", s.Name, err)
			}
			n.files = append(n.files, f)
			c.to, c.flights = &file{f}, 1
		}
		n.carriers[s.Name] = c
	}
	return n, nil
}

// Close closes the files of sinks. Run must have ended.
func (n *Notifier) Close() {
	for _, f := range n.files {
		f.Close()
	}
}

// Wake says that there is something for a sink. It does not block.
func (n *Notifier) Wake(sink string) {
	if c := n.carriers[sink]; c != nil {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// Run carries events until ctx ends. Attempts that are under way then are made
// again at the next start.
func (n *Notifier) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, c := range n.carriers {
		wg.Go(func() { c.run(ctx) })
	}
	if n.shared != nil {
		wg.Go(func() { n.follow(ctx) })
	}
	n.buryOrphans(ctx)
	wg.Wait()
	return nil
}

// desk is what a carrier works on during one turn.
type desk struct {
	*carrier
	w      window
	looked time.Time // when the outbox was last looked at
	more   bool      // there may be more to read
	flying int       // attempts under way
}

// look reads what waits, if it is time to: always the oldest events, for those
// of a server whose clock is behind are older than others that were read already,
// and may be about the same ticket as one that is yet to come.
func (d *desk) look(ctx context.Context, now time.Time) error {
	if d.more = d.more || now.Sub(d.looked) >= lookEvery; !d.more || d.w.room() <= windowItems/2 {
		return nil
	}
	rows, full, err := d.read(ctx)
	if err != nil {
		return err
	}
	d.w.take(rows)
	d.looked, d.more = now, full
	return nil
}

// launch returns an event to send now. If there is none it returns when to ask
// again, zero if only news can change anything.
func (d *desk) launch(now time.Time) (*item, time.Time) {
	if d.flying >= d.flights || d.over(now) {
		return nil, time.Time{}
	}
	it, again := d.w.next(now)
	if it != nil {
		it.flying = true
		d.flying++
	}
	return it, again
}

// carry serves one sink until ctx ends.
func (c *carrier) carry(ctx context.Context) {
	d := &desk{carrier: c, more: true}
	landed := make(chan outcome, flightsMost)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := c.o.Now()
		next := now.Add(lookEvery)
		if err := d.look(ctx, now); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			c.log.Error("waiting events not read; it is tried again", "err", err)
			next = now.Add(storeWait)
		}
		for {
			it, again := d.launch(now)
			if it == nil {
				if !again.IsZero() && again.Before(next) {
					next = again
				}
				break
			}
			go func() {
				refused, err := c.to.deliver(ctx, it.pub)
				if err == nil {
					err = c.confirm(ctx, it)
				}
				landed <- outcome{it, err, refused}
			}()
		}
		timer.Reset(max(next.Sub(c.o.Now()), 0))
		select {
		case <-ctx.Done():
			for ; d.flying > 0; d.flying-- {
				<-landed
			}
			return
		case <-timer.C:
		case <-c.wake:
			d.more = true
		case o := <-landed:
			d.flying--
			if ctx.Err() == nil {
				c.land(ctx, &d.w, o)
			}
		}
	}
}

// land draws the consequences of an attempt.
func (c *carrier) land(ctx context.Context, w *window, o outcome) {
	down := w.failures > 0
	done, dead := w.landed(c.o.Now(), o, c.sink.GiveUp)
	switch {
	case done:
		w.drop(o.item)
		c.o.Observe(c.sink.Name, Delivered)
		if down {
			c.log.Info("the sink takes events again")
		}
	case dead:
		c.o.Observe(c.sink.Name, Failed)
		if err := c.bury(ctx, o.item, o.err.Error()); err != nil {
			c.log.Error("dead letter not saved; the event is tried again", "err", err)
			return
		}
		w.drop(o.item)
		c.o.Observe(c.sink.Name, Dead)
		c.log.Warn("an event is a dead letter; chairlift dead-letters shows it", "about", o.item.pub.Subjects, "attempts", o.item.attempts, "err", o.err)
	default:
		c.o.Observe(c.sink.Name, Failed)
		if !down || o.refused {
			c.log.Warn("an event was not taken; it is tried again", "about", o.item.pub.Subjects, "attempts", o.item.attempts, "err", o.err)
		}
	}
}

// read returns the oldest events that wait for the sink, without those that the
// window holds, and whether there may be more.
func (d *desk) read(ctx context.Context) (fresh []*store.Outbox, full bool, err error) {
	err = d.o.Store.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Scan(store.Effects.Kind.Name, "to", string(lift.ToSink(d.sink.Name))+"/", store.Cursor{}, windowItems)
		fresh, full = nil, len(rows) == windowItems
		for _, r := range rows {
			if d.w.known[lift.EffectID(r.ID)] != nil {
				continue
			}
			o, err := store.Effects.Decode(r)
			if err != nil {
				return err
			}
			fresh = append(fresh, o)
		}
		return err
	})
	return fresh, full, err
}

// confirm forgets an event that the sink has. If the store fails it goes on
// trying: sending it again would be right, but is not needed.
func (c *carrier) confirm(ctx context.Context, it *item) error {
	for {
		err := c.confirmOnce(ctx, it)
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return err
		}
		c.log.Error("delivery not saved; it is tried again", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(storeWait):
		}
	}
}

func (c *carrier) confirmOnce(ctx context.Context, it *item) error {
	return c.o.Store.Update(ctx, func(tx store.Tx) error { return store.Effects.Delete(tx, string(it.id)) })
}
