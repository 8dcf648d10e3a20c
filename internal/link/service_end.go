package link

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// ServiceEnd is the service's end of one connection. It is a core: its owner
// tells it what happened and asks it what to send, and carries its batches to
// the Service. It is not safe for concurrent use.
//
//	err := end.Receive(now, frame)       // a frame arrived
//	end.Greeted()                        // once true, call Service.Resume, then end.Resume
//	batch, ok := end.Batch()             // call Service.Handle, then end.Handled
//	frame, due, err := end.Next(now)     // send it; again until nil, then at due or after news
type ServiceEnd struct {
	instance lift.InstanceID
	pulse    pulse

	greeted  bool // hello has arrived
	resumed  bool // Resume was called
	welcomed bool // welcome is sent
	version  int

	received uint64 // number of the last event received here
	handled  uint64 // number of the last event known to be handled

	collecting Batch // has arrived, is not handled
	inHand     Batch // is being handled
	busy       bool

	ack      ackFrame               // to be sent
	queue    []lift.Effect          // commands to be sent
	room     int                    // how many more Send may queue
	underWay map[lift.EffectID]bool // true: sent and not acknowledged; false: in queue
	sent     int                    // how many of underWay are true

	// Limits, fields so that tests reach them.
	windowEvents, windowBytes, windowCommands, queueCommands, batchEvents, frameBytes int
}

// NewServiceEnd begins a connection of that agent.
func NewServiceEnd(now time.Time, id lift.InstanceID) *ServiceEnd {
	return &ServiceEnd{
		instance: id,
		room:     queueCommands,
		pulse:    pulse{said: now, heard: now},
		underWay: map[lift.EffectID]bool{},

		windowEvents: windowEvents, windowBytes: windowBytes, windowCommands: windowCommands,
		queueCommands: queueCommands, batchEvents: batchEvents, frameBytes: frameBytes,
	}
}

// Receive takes a frame from the agent. After an error the connection is to
// be dropped.
func (e *ServiceEnd) Receive(now time.Time, data []byte) error {
	f, err := decode(data)
	if err != nil {
		return err
	}
	e.pulse.heard = now
	if f.Hello != nil {
		if err := e.greet(f.Hello); err != nil {
			return err
		}
	}
	if len(f.Events) == 0 && len(f.Got) == 0 {
		return nil
	}
	if !e.welcomed {
		return protocol("an event before the welcome")
	}
	// Repeats are beyond the window, but no more than it holds.
	if len(e.collecting.Events)+len(f.Events) > 2*e.windowEvents+frameEvents {
		return protocol("more than %d events without an acknowledgement", 2*e.windowEvents+frameEvents)
	}
	for _, ev := range f.Events {
		if ev.Seq <= e.received || ev.Seq > max(e.received, e.handled)+1 {
			return protocol("event %d after %d", ev.Seq, e.received)
		}
		e.received = ev.Seq
	}
	if len(e.collecting.Got)+len(f.Got) > 2*queueCommands {
		return protocol("more than %d commands acknowledged at once", 2*queueCommands)
	}
	for _, id := range f.Got {
		if e.underWay[id] {
			e.sent--
		}
		delete(e.underWay, id)
	}
	// What an earlier connection carried need not be sent on this one.
	e.queue = slices.DeleteFunc(e.queue, func(ef lift.Effect) bool {
		_, ok := e.underWay[ef.ID]
		return !ok
	})
	e.collecting.Events = append(e.collecting.Events, f.Events...)
	e.collecting.Got = append(e.collecting.Got, f.Got...)
	e.collecting.Read = max(e.collecting.Read, f.Read)
	return nil
}

func (e *ServiceEnd) greet(h *hello) error {
	oldest := h.Oldest
	if oldest == 0 {
		oldest = h.Version
	}
	switch {
	case e.greeted:
		return protocol("a second hello")
	case h.Instance != e.instance:
		return protocol("a hello of %s from %s", h.Instance, e.instance)
	case h.Version < oldestVersion || oldest > version:
		return fmt.Errorf("%w: the agent speaks %d to %d, this service %d to %d", ErrVersion, oldest, h.Version, oldestVersion, version)
	}
	e.greeted, e.version = true, min(h.Version, version)
	return nil
}

// Greeted reports whether the agent said hello and waits for the welcome.
func (e *ServiceEnd) Greeted() bool { return e.greeted && !e.resumed }

// Resume tells what Service.Resume returned.
func (e *ServiceEnd) Resume(lastEvent uint64, pending []lift.Effect) {
	e.resumed = true
	e.handled = lastEvent
	later := e.queue
	e.queue, e.underWay = nil, map[lift.EffectID]bool{}
	e.push(pending)
	e.push(later)
}

// Heard returns when the last frame arrived.
func (e *ServiceEnd) Heard() time.Time { return e.pulse.heard }

// Send queues commands. ErrBehind says that the agent does not keep up and
// the connection is to be dropped; the next one resumes with all of them.
func (e *ServiceEnd) Send(effects []lift.Effect) error {
	e.room -= len(effects)
	if e.room < 0 && len(e.queue) > 0 {
		return ErrBehind
	}
	e.push(effects)
	return nil
}

func (e *ServiceEnd) push(effects []lift.Effect) {
	for _, ef := range effects {
		if _, ok := e.underWay[ef.ID]; !ok {
			e.underWay[ef.ID] = false
			e.queue = append(e.queue, ef)
		}
	}
}

// Batch returns what is to be handled next; false while nothing has arrived
// or the last one is not Handled. What arrives meanwhile is collected.
func (e *ServiceEnd) Batch() (Batch, bool) {
	if e.busy || len(e.collecting.Events) == 0 && len(e.collecting.Got) == 0 {
		return Batch{}, false
	}
	n := min(len(e.collecting.Events), e.batchEvents)
	e.inHand = Batch{Events: e.collecting.Events[:n:n], Got: e.collecting.Got, Read: e.collecting.Read}
	e.collecting = Batch{Events: e.collecting.Events[n:], Read: e.collecting.Read}
	e.busy = true
	return e.inHand, true
}

// Handled tells what Service.Handle returned for the batch in hand. It returns
// the numbers of events that wanted a reply and got none: they are answered
// with an internal error, so that nobody waits in vain.
func (e *ServiceEnd) Handled(a Ack) (unanswered []uint64, err error) {
	if !e.busy {
		return nil, protocol("no batch in hand")
	}
	if n := len(e.inHand.Events); n > 0 && a.UpTo < e.inHand.Events[n-1].Seq {
		return nil, fmt.Errorf("link: the service handled events up to %d of a batch up to %d", a.UpTo, e.inHand.Events[n-1].Seq)
	}
	answered := make(map[uint64]bool, len(a.Replies))
	for _, r := range a.Replies {
		answered[r.Seq] = true
	}
	for i := range e.inHand.Events {
		ev := &e.inHand.Events[i]
		if (ev.Ask || ev.Event.WantsReply()) && !answered[ev.Seq] && ev.Seq > e.inHand.Read {
			unanswered = append(unanswered, ev.Seq)
			a.Replies = append(a.Replies, NumberedReply{ev.Seq, lift.Reply{
				Status:  http.StatusInternalServerError,
				Message: "The service kept no answer to this request. Ask again.",
			}})
		}
	}
	e.handled = max(e.handled, a.UpTo)
	e.ack.UpTo = max(e.ack.UpTo, a.UpTo)
	e.ack.Replies = append(e.ack.Replies, a.Replies...)
	e.ack.Got = append(e.ack.Got, e.inHand.Got...)
	e.inHand, e.busy = Batch{}, false
	return unanswered, nil
}

// Next returns the next frame to send, or nil and when to ask again if there
// is no news before. ErrSilent says that the connection is to be dropped.
func (e *ServiceEnd) Next(now time.Time) (frame []byte, due time.Time, err error) {
	if e.pulse.silent(now) {
		return nil, time.Time{}, ErrSilent
	}
	var c composer
	if e.resumed && !e.welcomed {
		e.welcomed = true
		c.value("welcome", welcome{Version: e.version, LastEvent: e.handled, WindowEvents: e.windowEvents, WindowBytes: e.windowBytes})
	}
	if e.welcomed {
		e.composeAck(&c)
		e.composeCommands(&c)
	}
	return e.pulse.next(now, &c)
}

// composeAck writes as many replies as a frame holds, and after the last the
// number that closes their events.
func (e *ServiceEnd) composeAck(c *composer) {
	if e.ack.UpTo == 0 && len(e.ack.Got) == 0 { // replies are to events, so upTo is among them
		return
	}
	c.member("ack")
	c.buf = append(c.buf, '{')
	n := 0
	for n < len(e.ack.Replies) && (n == 0 || len(c.buf) < e.frameBytes) {
		c.item("replies", n)
		c.encode(e.ack.Replies[n])
		n++
	}
	c.endList(n)
	if e.ack.Replies = e.ack.Replies[n:]; len(e.ack.Replies) == 0 {
		if e.ack.UpTo > 0 {
			c.value("upTo", e.ack.UpTo)
		}
		if len(e.ack.Got) > 0 {
			c.value("got", e.ack.Got)
		}
		e.ack = ackFrame{}
	}
	c.buf = append(c.buf, '}')
}

// composeCommands writes as many commands as the window and the size of a
// frame allow.
func (e *ServiceEnd) composeCommands(c *composer) {
	n := 0
	for n < len(e.queue) && e.sent < e.windowCommands && len(c.buf) < e.frameBytes {
		c.item("commands", n)
		c.encode(e.queue[n])
		e.underWay[e.queue[n].ID] = true
		e.sent++
		n++
	}
	c.endList(n)
	if e.queue = e.queue[n:]; len(e.queue) == 0 {
		e.queue, e.room = nil, e.queueCommands
	}
}
