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
}

const (
	// lookEvery is how often a sink's whole outbox is looked at, to find what a
	// lost wake-up or another server's clock hid.
	lookEvery = 5 * time.Second
	// clockSkew is how far servers' clocks may be apart without delay.
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

// carry serves one sink until ctx ends.
func (c *carrier) carry(ctx context.Context) {
	var w window
	var last time.Time // of the newest event seen
	var looked time.Time
	landed := make(chan outcome, flightsMost)
	flying := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	more := true
	for {
		now := c.o.Now()
		next := now.Add(lookEvery)
		if more = more || now.Sub(looked) >= lookEvery; more && w.room() > windowItems/2 {
			from := last.Add(-clockSkew)
			if now.Sub(looked) >= lookEvery {
				from, looked = time.Time{}, now
			}
			rows, err := c.read(ctx, from)
			switch {
			case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			case err != nil:
				c.log.Error("waiting events not read; it is tried again", "err", err)
				next = now.Add(storeWait)
			default:
				w.take(rows)
				more = len(rows) == windowItems
			}
			if n := len(w.items); n > 0 {
				last = w.items[n-1].pub.At
			}
		}
		for flying < c.flights && !c.over(now) {
			it, again := w.next(now)
			if it == nil {
				if !again.IsZero() && again.Before(next) {
					next = again
				}
				break
			}
			it.flying = true
			flying++
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
			for ; flying > 0; flying-- {
				<-landed
			}
			return
		case <-timer.C:
		case <-c.wake:
			more = true
		case o := <-landed:
			flying--
			if ctx.Err() == nil {
				c.land(ctx, &w, o)
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

// read returns what waits for the sink from a time on.
func (c *carrier) read(ctx context.Context, from time.Time) ([]*store.Outbox, error) {
	var rows []*store.Outbox
	err := c.o.Store.View(ctx, func(tx store.Tx) (err error) {
		rows, _, err = store.Effects.Scan(tx, "to", string(lift.ToSink(c.sink.Name))+"/", store.SinkFrom(c.sink.Name, from), windowItems)
		return err
	})
	return rows, err
}

// confirm forgets an event that the sink has. If the store fails it goes on
// trying: sending it again would be right, but is not needed.
func (c *carrier) confirm(ctx context.Context, it *item) error {
	for {
		err := c.o.Store.Update(ctx, func(tx store.Tx) error { return store.Effects.Delete(tx, string(it.id)) })
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
