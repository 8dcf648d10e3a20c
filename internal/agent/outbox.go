package agent

import (
	"context"
	"sync"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Backlogs at which an agent stops to begin new things, and goes on.
const (
	congestedEvents = 4096
	relievedEvents  = 1024
)

// outbox hands reports to the link in order, so that the core never waits for a
// service that is away.
type outbox struct {
	link      Link
	congested func(bool)

	mu     sync.Mutex
	queue  []outgoing
	full   bool
	busy   bool          // one is being handed over
	change chan struct{} // closed and made anew whenever the above changes
}

// outgoing is a report, or a question if there is somebody to hear the answer.
type outgoing struct {
	event  lift.Event
	answer func(lift.Reply, error)
}

func newOutbox(l Link, congested func(bool)) *outbox {
	return &outbox{link: l, congested: congested, change: make(chan struct{})}
}

// add queues an event.
func (o *outbox) add(out outgoing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, out)
	o.changed()
}

func (o *outbox) changed() {
	close(o.change)
	o.change = make(chan struct{})
}

// next takes the first event, or returns what to wait for.
func (o *outbox) next() (out outgoing, ok bool, wait <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy = len(o.queue) > 0
	if !o.busy {
		o.changed()
		return out, false, o.change
	}
	out = o.queue[0]
	o.queue[0] = outgoing{}
	o.queue = o.queue[1:]
	return out, true, nil
}

// pressure says whether the backlog crossed one of its marks.
func (o *outbox) pressure() (full, crossed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.full
	o.full = len(o.queue) >= congestedEvents || was && len(o.queue) > relievedEvents
	return o.full, o.full != was
}

// run hands events over until ctx ends.
func (o *outbox) run(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	for ctx.Err() == nil {
		out, ok, wait := o.next()
		switch {
		case !ok:
			select {
			case <-ctx.Done():
			case <-wait:
			}
		case out.answer != nil:
			asking.Go(func() { out.answer(o.link.Ask(ctx, out.event)) })
		default:
			// Only ctx and an event too large end a report; the latter is a
			// mistake of ours that must not hold up the rest.
			_ = o.link.Report(ctx, out.event)
		}
		if full, crossed := o.pressure(); crossed {
			o.congested(full)
		}
	}
}

// drain waits until everything is handed over.
func (o *outbox) drain(ctx context.Context) error {
	for {
		o.mu.Lock()
		empty, wait := len(o.queue) == 0 && !o.busy, o.change
		o.mu.Unlock()
		if empty {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait:
		}
	}
}
