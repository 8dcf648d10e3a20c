package notify

import (
	"context"
	"errors"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Of several servers on one database one serves a sink: the holder of its lease.
// It holds the lease while it runs, and stops sending before another could take
// it. The next one reads from the store what was not confirmed: that may come
// twice, and still in order.

const (
	renewEvery = store.LeaseFor / 4
	// followEvery is how often at most a sink is looked at because of what other
	// servers commit.
	followEvery = 100 * time.Millisecond
)

// Lease is the name of the sink's.
func Lease(sink string) string { return "sink/" + sink }

// run serves the sink, among several servers whenever it is this one's turn.
func (c *carrier) run(ctx context.Context) {
	if c.shared == nil {
		c.carry(ctx)
		return
	}
	for ctx.Err() == nil {
		rest := storeWait
		switch l, held, err := c.hold(ctx); {
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return
		case err != nil:
			c.log.Error("whose turn it is to serve the sink cannot be read; it is tried again", "err", err)
		case held:
			c.log.Info("this server carries the events of the sink from now on")
			c.turn(ctx, l.Until)
			continue
		default:
			rest = min(l.Until.Sub(c.o.Now()), lookEvery) // its holder may let go
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
	c.letGo(ctx)
}

// turn carries events while the lease, which lasts until a time, is renewed.
func (c *carrier) turn(ctx context.Context, until time.Time) {
	held, end := context.WithCancel(ctx)
	defer end()
	lapse := time.AfterFunc(c.last(until), end)
	defer lapse.Stop()
	done := make(chan struct{})
	go func() { defer close(done); c.carry(held) }()
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	for held.Err() == nil {
		select {
		case <-held.Done():
		case <-renew.C:
			switch l, mine, err := c.hold(held); {
			case held.Err() != nil:
			case err != nil:
				c.log.Error("it is not certain that this server may go on serving the sink; it is tried again", "err", err)
			case mine:
				lapse.Reset(c.last(l.Until))
			default:
				end()
			}
		}
	}
	<-done
	if ctx.Err() == nil {
		c.log.Warn("another server may carry the events of the sink now")
	}
}

// last notes how long the lease lasts, and returns how long this server may go on
// sending. Another's clock may be ahead.
func (c *carrier) last(until time.Time) time.Duration {
	until = until.Add(-clockSkew)
	c.until.Store(until.UnixMicro())
	return until.Sub(c.o.Now())
}

// over reports whether the turn has ended, also where this machine slept and no
// timer could say so.
func (c *carrier) over(now time.Time) bool {
	until := c.until.Load()
	return until != 0 && now.UnixMicro() >= until
}

func (c *carrier) hold(ctx context.Context) (l store.Lease, held bool, err error) {
	err = c.o.Store.Update(ctx, func(tx store.Tx) (err error) {
		l, held, err = store.Hold(tx, Lease(c.sink.Name), c.o.Owner, c.o.Now().UTC())
		return err
	})
	return l, held, err
}

// letGo lets another server begin at once. If that fails it begins a little later.
func (c *carrier) letGo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
	defer cancel()
	_ = c.o.Store.Update(ctx, func(tx store.Tx) error {
		return store.LetGo(tx, Lease(c.sink.Name), c.o.Owner, c.o.Now().UTC())
	})
}

// follow wakes the sinks served here when other servers committed something,
// which may be an event.
func (n *Notifier) follow(ctx context.Context) {
	news := n.shared.Elsewhere(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-news:
			if !ok {
				return // the store is closed
			}
		}
		for sink := range n.carriers {
			n.Wake(sink)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(followEvery):
		}
	}
}
