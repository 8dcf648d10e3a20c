package notify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// Attempt is one attempt to bring an event to its sink, for those who own the
// time: first Send, then Land.
type Attempt struct {
	desk    *desk
	item    *item
	refused bool
	err     error
}

var errTurnOver = errors.New("it is another server's turn")

// Step is Run for those who own the time: it does what is to be done now, and
// returns the attempts to make and when there is more to do unless Wake is called
// before. What Run's goroutines do at the same time happens in some order here. A
// Notifier either runs or is stepped.
func (n *Notifier) Step(ctx context.Context) (attempts []*Attempt, next time.Time, err error) {
	now := n.o.Now()
	next = now.Add(lookEvery)
	for _, name := range slices.Sorted(maps.Keys(n.carriers)) {
		as, again, e := n.carriers[name].step(ctx, now)
		attempts, err = append(attempts, as...), errors.Join(err, e)
		if again.Before(next) {
			next = again
		}
	}
	return attempts, next, err
}

func (c *carrier) step(ctx context.Context, now time.Time) (attempts []*Attempt, next time.Time, err error) {
	if c.desk != nil && c.over(now) {
		c.desk, c.holdAt = nil, now
	}
	if c.shared == nil && c.desk == nil {
		c.desk = &desk{carrier: c, more: true}
	}
	if c.holdAt.Sub(now) > lookEvery {
		c.holdAt = now // the clock was set back
	}
	if c.shared != nil && !now.Before(c.holdAt) {
		l, held, err := c.hold(ctx)
		switch {
		case err != nil: // this turn goes on until it is over
			c.holdAt = now.Add(storeWait)
			return nil, c.holdAt, err
		case !held:
			c.desk, c.holdAt = nil, now.Add(min(l.Until.Sub(now), lookEvery))
		default:
			if c.last(l.Until); c.desk == nil {
				c.desk = &desk{carrier: c, more: true}
			}
			c.holdAt = now.Add(renewEvery)
		}
	}
	next = now.Add(lookEvery)
	if c.shared != nil {
		next = c.holdAt
	}
	if c.desk == nil {
		return nil, next, nil
	}
	select {
	case <-c.wake:
		c.desk.more = true
	default:
	}
	if err := c.desk.look(ctx, now); err != nil {
		return nil, now.Add(storeWait), err
	}
	for {
		it, again := c.desk.launch(now)
		if it == nil {
			if !again.IsZero() && again.Before(next) {
				next = again
			}
			return attempts, next, nil
		}
		attempts = append(attempts, &Attempt{desk: c.desk, item: it})
	}
}

// Send talks to the sink, unless this server's turn has ended meanwhile.
func (a *Attempt) Send(ctx context.Context) {
	c := a.desk.carrier
	if c.desk != a.desk || c.over(c.o.Now()) {
		a.err = errTurnOver
		return
	}
	a.refused, a.err = c.to.deliver(ctx, a.item.pub)
}

// Land forgets the event if the sink has it, or notes that it has not. If that
// fails it is to be called again. Then there may be more for Step to do.
func (a *Attempt) Land(ctx context.Context) error {
	c := a.desk.carrier
	if c.desk != a.desk {
		return nil // whose turn it is sends it again
	}
	if a.err == nil {
		if err := c.confirmOnce(ctx, a.item); err != nil {
			return err
		}
	}
	a.desk.flying--
	c.land(ctx, &a.desk.w, outcome{a.item, a.err, a.refused})
	return nil
}
