package notify

import (
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// item is an event that waits for a sink.
type item struct {
	id       lift.EffectID
	pub      *lift.Publish
	since    time.Time // when it was saved
	attempts int
	retryAt  time.Time // not before
	flying   bool      // an attempt is under way
}

// window is what a sink works on: the oldest of its events, in their order. It
// decides what may be sent next and has no clock of its own.
type window struct {
	items []*item
	known map[lift.EffectID]*item

	failures int // attempts in a row for which the sink was not there
	restTill time.Time
}

const (
	windowItems = 256
	flightsMost = 16
	firstWait   = time.Second
	longestWait = time.Minute
	// refusals is how often a sink may refuse an event before it is a dead
	// letter: what is refused four times within seven seconds will be the fifth
	// time.
	refusals = 4
)

// wait is the pause after the nth failure in a row.
func wait(n int) time.Duration {
	if n > 6 {
		return longestWait
	}
	return min(firstWait<<(n-1), longestWait)
}

// take adds events that the window does not hold. They come in order, and
// later than what it holds unless another server's clock is behind.
func (w *window) take(rows []*store.Outbox) {
	for _, o := range rows {
		if w.known[o.ID] != nil || o.Publish == nil {
			continue
		}
		it := &item{id: o.ID, pub: o.Publish, since: o.SentAt}
		if w.known == nil {
			w.known = map[lift.EffectID]*item{}
		}
		w.known[o.ID] = it
		at := len(w.items)
		for at > 0 && w.items[at-1].pub.At.After(it.pub.At) {
			at--
		}
		w.items = append(w.items, nil)
		copy(w.items[at+1:], w.items[at:])
		w.items[at] = it
	}
}

// room is how many events it can take in.
func (w *window) room() int { return windowItems - len(w.items) }

// next is the first event that may be sent at now: one before which no other
// about the same ticket or placement waits. If there is none it returns when
// to ask again, zero if only news can change anything.
func (w *window) next(now time.Time) (*item, time.Time) {
	var again time.Time
	sooner := func(t time.Time) {
		if again.IsZero() || t.Before(again) {
			again = t
		}
	}
	flying := 0
	for _, it := range w.items {
		if it.flying {
			flying++
		}
	}
	most := flightsMost
	if w.failures > 0 {
		most = 1 // it may be back: one event finds out
	}
	switch {
	case flying >= most || len(w.items) == 0:
		return nil, again
	case now.Before(w.restTill):
		return nil, w.restTill
	}
	blocked := map[string]bool{}
	for _, it := range w.items {
		held := it.flying || now.Before(it.retryAt)
		if !it.flying && held {
			sooner(it.retryAt)
		}
		for _, s := range it.pub.Subjects {
			held = held || blocked[s]
		}
		if !held {
			return it, time.Time{}
		}
		for _, s := range it.pub.Subjects {
			blocked[s] = true
		}
	}
	return nil, again
}

// outcome is how an attempt went.
type outcome struct {
	item    *item
	err     error
	refused bool // the sink is there and does not want this event
}

// landed notes an outcome. It reports whether the event is done, and whether it
// has to be given up.
func (w *window) landed(now time.Time, o outcome, giveUp time.Duration) (done, dead bool) {
	it := o.item
	it.flying = false
	it.attempts++
	if o.err == nil {
		w.failures, w.restTill = 0, time.Time{}
		return true, false
	}
	if o.refused {
		it.retryAt = now.Add(wait(it.attempts))
		w.failures, w.restTill = 0, time.Time{} // it is there
		return false, it.attempts >= refusals || now.Sub(it.since) >= giveUp
	}
	w.failures++
	w.restTill = now.Add(wait(w.failures))
	it.retryAt = now.Add(wait(it.attempts + 1)) // another event asks first, in case it is this one's fault
	return false, now.Sub(it.since) >= giveUp
}

// drop forgets an event that is no longer in the outbox.
func (w *window) drop(it *item) {
	delete(w.known, it.id)
	for i, other := range w.items {
		if other == it {
			w.items = append(w.items[:i], w.items[i+1:]...)
			return
		}
	}
}
