package engine

import (
	"context"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// refreshEvery is how often the store is asked what is due, to learn of rows
// that another server wrote.
const refreshEvery = 5 * time.Second

// never is later than anything that is due.
var never = time.Unix(1<<40, 0)

// dueTimes knows of each kind no later than when its next row is due: every
// row passes it on its way into the store. So a turn asks the store only about
// kinds that have something to do.
type dueTimes struct {
	mu        sync.Mutex
	next      map[string]time.Time // by kind; absent is never
	refreshed time.Time
	turn      time.Time // when the next turn comes anyway
}

// lower notes that a row of the kind is due at t, and reports whether that is
// before the next turn.
func (d *dueTimes) lower(kind string, t time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next == nil {
		d.next = map[string]time.Time{}
	}
	if at, ok := d.next[kind]; !ok || t.Before(at) {
		d.next[kind] = t
	}
	return t.Before(d.turn)
}

// take returns when the kind is due next and forgets it, so that what comes in
// while the store is asked is not lost.
func (d *dueTimes) take(kind string) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.next[kind]
	if !ok {
		return never
	}
	delete(d.next, kind)
	return at
}

// forget has the store asked about every kind at the next turn.
func (d *dueTimes) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refreshed = time.Time{}
}

// stale reports whether it is time to ask the store, and takes it for asked.
func (d *dueTimes) stale(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.refreshed) < refreshEvery {
		return false
	}
	d.refreshed = now
	return true
}

// planned notes when the next turn comes.
func (d *dueTimes) planned(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn = t
}

// earliest is when anything is due, and at the latest at t.
func (d *dueTimes) earliest(t time.Time) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, at := range d.next {
		if at.Before(t) {
			t = at
		}
	}
	return t
}

// refresh asks the store about every kind on the agenda, if it is time.
func (e *Engine) refresh(ctx context.Context, now time.Time) error {
	if !e.due.stale(now) {
		return nil
	}
	return e.View(ctx, func(tx store.Tx) error {
		for _, d := range agenda {
			at, ok, err := tx.NextDue(d.kind)
			if err != nil {
				return err
			}
			if ok {
				e.due.lower(d.kind, at)
			}
		}
		return nil
	})
}

// settle decides the due rows of one kind, batch by batch, until none is left.
func (e *Engine) settle(ctx context.Context, d due) error {
	if d.hosted && e.shared != nil && e.opts.Host == "" {
		e.due.take(d.kind)
		return nil
	}
	for {
		at := e.due.take(d.kind)
		if at.After(e.Now()) {
			if at.Before(never) {
				e.due.lower(d.kind, at)
			}
			return nil
		}
		next := never
		err := e.Update(ctx, func(tx *Tx) error {
			if d.lease != "" {
				if l, held, err := tx.Hold(d.lease); err != nil || !held {
					next = l.Until // when it may be ours
					return err
				}
			}
			if err := d.handle(tx, turnBatch); err != nil {
				return err
			}
			at, ok, err := tx.NextDue(d.kind)
			if next = never; ok {
				next = at
			}
			return err
		})
		if err != nil {
			e.due.lower(d.kind, at)
			return err
		}
		if next.Before(never) {
			e.due.lower(d.kind, next)
		}
	}
}
