package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/store"
)

// conn is one connection with its service end. It does what the shells of
// package link do. When the agent has lost it, what it carried before may
// still arrive and be handled, beside the connection that follows.
type conn struct {
	s     *server
	inst  *instance
	far   *link.ServiceEnd
	life  int
	dead  bool // for the service
	lost  bool // for the agent
	greet bool // Resume was asked for

	busy     bool      // a batch is being handled
	up, down time.Time // when the last frame each way arrives: frames keep their order
	pumpAt   time.Time
}

// drop ends the connection from the service's side.
func (c *conn) drop(why string) {
	w := c.s.w
	if c.dead {
		return
	}
	c.dead = true
	if c.s.conns[c.inst.id] == c {
		delete(c.s.conns, c.inst.id)
		c.s.past[c.inst.id] = c.far.Heard()
	}
	w.after(w.some(200*time.Millisecond), func() {
		if c.inst.conn == c {
			c.inst.cut(why, w.some(time.Second))
		}
	})
}

// arrives plans the arrival of a frame, after the one before it.
func (w *world) arrives(last *time.Time, do func()) {
	most := 60 * time.Millisecond
	if w.bad(w.plan.faults.slow, 20) {
		most = 8 * time.Second
	}
	*last = later(*last, w.now.Add(w.some(most)))
	w.at(*last, do)
}

// pump sends what the service's end has to say.
func (c *conn) pump() {
	w := c.s.w
	for !c.dead {
		frame, due, err := c.far.Next(w.now)
		if err != nil {
			c.drop(err.Error())
			return
		}
		if frame == nil {
			c.pumpAt = w.pumpLater(c.pumpAt, due, func() bool { return !c.dead }, c.pump)
			return
		}
		w.arrives(&c.down, func() {
			if !c.lost {
				c.inst.receive(frame)
			}
		})
	}
}

// pumpLater plans a pump when an end wants it, unless there is one by then.
func (w *world) pumpLater(planned, due time.Time, still func() bool, pump func()) time.Time {
	if due.IsZero() || planned.After(w.now) && !due.Before(planned) {
		return planned
	}
	w.at(due, func() {
		if still() {
			pump()
		}
	})
	return due
}

// receive takes a frame of the agent.
func (c *conn) receive(frame []byte) {
	if c.dead {
		return
	}
	if err := c.far.Receive(c.s.w.now, frame); err != nil {
		c.s.w.fail("the link of %s, at the service: %v", c.inst.id, err)
		return
	}
	c.work()
}

// work does the next step there is: to resume, or to handle a batch.
func (c *conn) work() {
	s, w := c.s, c.s.w
	if c.dead {
		return
	}
	if c.far.Greeted() && !c.greet {
		c.greet = true
		last, pending, err := s.engine.Resume(w.ctx, c.inst.id)
		if err != nil {
			c.refused(err)
			c.drop("resume: " + err.Error())
			return
		}
		s.soon(20*time.Millisecond, func() {
			if !c.dead {
				w.note("link "+short(c.inst.id), "resumes after event %d with %d commands", last, len(pending))
				c.far.Resume(last, pending)
				c.work()
			}
		})
		return
	}
	if !c.busy {
		if b, ok := c.far.Batch(); ok {
			c.busy = true
			// The transaction goes on when the connection ends meanwhile.
			s.soon(20*time.Millisecond, func() { c.handle(b) })
		}
	}
	c.pump()
}

// refused checks an error of the service: it fails as its store may, and sends
// agents away whose instance was given up.
func (c *conn) refused(err error) {
	row := c.s.w.facts.instances[c.inst.id]
	le, ok := errors.AsType[*lift.Error](err)
	if !ok || le.Kind != lift.NotFound || row != nil && row.Status != lift.InstanceTerminated {
		c.s.expected(err)
	}
}

func (c *conn) handle(b link.Batch) {
	s, w := c.s, c.s.w
	events := make([]engine.Numbered, len(b.Events))
	for i, n := range b.Events {
		events[i] = engine.Numbered{Seq: n.Seq, Event: n.Event}
		w.checkRepeat(c.inst, n)
	}
	last, replies, err := s.engine.Handle(w.ctx, c.inst.id, engine.Batch{Events: events, Got: b.Got, Read: b.Read})
	w.note("link "+short(c.inst.id), "%s: %d, %v", batch(b), last, err)
	if err != nil {
		c.refused(err)
		c.drop("handle: " + err.Error())
		return
	}
	w.checkReplies(c.inst, replies)
	ack := ackOf(last, replies)
	s.soon(10*time.Millisecond, func() {
		c.busy = false
		if c.dead {
			return
		}
		missing, err := c.far.Handled(ack)
		switch {
		case err != nil:
			w.fail("the link of %s: %v", c.inst.id, err)
		case len(missing) > 0 && !c.lost: // else it may have the reply from another server
			w.fail("%s asked, and the service has no reply to events %d", c.inst.id, missing)
		}
		c.work()
	})
}

func ackOf(last uint64, replies []store.NumberedReply) link.Ack {
	ack := link.Ack{UpTo: last}
	for _, r := range replies {
		ack.Replies = append(ack.Replies, link.NumberedReply{Seq: r.Event, Reply: r.Reply})
	}
	return ack
}

// connsInOrder lists them in an order that is the same every time.
func (s *server) connsInOrder() []*conn {
	var cs []*conn
	for _, i := range s.w.order {
		if c := s.conns[i.id]; c != nil {
			cs = append(cs, c)
		}
	}
	return cs
}

// The agent's side.

// dial tries to connect, until it stands or the agent ends.
func (i *instance) dial() {
	w := i.w
	if i.ended != "" || i.linkOver || i.conn != nil {
		return
	}
	s := i.reach()
	if s == nil {
		w.after(time.Second+w.some(time.Second), i.dial)
		return
	}
	if err := s.authenticate(i.id, i.token); err != nil {
		var le *lift.Error
		if errors.As(err, &le) {
			i.linkEnds(link.ErrGone)
			return
		}
		s.expected(err)
		w.after(time.Second+w.some(time.Second), i.dial)
		return
	}
	c := &conn{s: s, inst: i, far: link.NewServiceEnd(w.now, i.id), life: s.life, up: w.now, down: w.now}
	if old := s.conns[i.id]; old != nil {
		old.drop("a newer connection of the same agent")
	}
	s.conns[i.id] = c
	delete(s.past, i.id)
	i.conn = c
	w.note("link "+short(i.id), "is connected to %s", s.name)
	i.end.Open(w.now)
	c.pump()
	i.pump()
}

// reach returns a server that the agent can reach now, if there is one.
func (i *instance) reach() *server {
	w := i.w
	if w.now.Before(i.awayUntil) && !w.calm {
		return nil
	}
	return w.pickServer(func(s *server) bool { return s.up && (w.calm || !w.now.Before(i.shuns[s])) })
}

// partition keeps the agent from the service, or from the server it is
// connected to.
func (i *instance) partition(d time.Duration) {
	if c := i.conn; c != nil && len(i.w.servers) > 1 && i.w.chance(50) {
		i.shuns[c.s] = i.w.now.Add(d)
		i.cut("a partition from "+c.s.name, 0)
		return
	}
	i.cut("a partition", d)
}

// cut loses the connection at the agent; the next one is tried after pause.
// Of what is on its way to the service some may still arrive.
func (i *instance) cut(why string, pause time.Duration) {
	w := i.w
	i.awayUntil = later(i.awayUntil, w.now.Add(pause))
	c := i.conn
	if c == nil {
		return
	}
	w.tally.Cuts++
	w.note("link "+short(i.id), "is cut: %s", why)
	i.conn, c.lost = nil, true
	i.end.Close()
	if w.chance(50) {
		c.drop("the connection broke")
	}
	w.after(w.some(50*time.Millisecond)+min(pause, time.Second), i.dial)
}

// pump sends what the agent's end has to say.
func (i *instance) pump() {
	w, c := i.w, i.conn
	for c != nil && i.conn == c && i.ended == "" {
		frame, due, err := i.end.Next(w.now)
		if err != nil {
			i.cut(err.Error(), 0)
			return
		}
		if frame == nil {
			i.pumpAt = w.pumpLater(i.pumpAt, due, func() bool { return i.ended == "" }, i.pump)
			return
		}
		w.arrives(&c.up, func() { c.receive(slices.Clone(frame)) })
	}
}

// receive takes a frame of the service.
func (i *instance) receive(frame []byte) {
	w := i.w
	if i.ended != "" {
		return
	}
	if err := i.end.Receive(w.now, frame); err != nil {
		if i.conn != nil && (errors.Is(err, link.ErrOtherLife) || errors.Is(err, link.ErrForgotten)) {
			w.fail("the link of %s: %v", i.id, err)
		}
		w.fail("the link of %s, at the agent: %v", i.id, err)
		return
	}
	for _, r := range i.end.Replies() {
		call, ok := i.tickets[r.Ticket]
		if !ok {
			w.fail("a reply to %s that nobody waits for", i.id)
		}
		delete(i.tickets, r.Ticket)
		i.step(replied(call, r.Reply))
	}
	for i.ended == "" {
		eff, ok := i.end.Command()
		if !ok {
			break
		}
		i.end.Took(eff.ID)
		w.checkTaken(i, eff)
		i.step(commanded(eff))
	}
	i.pump()
}

// linkEnds tells the agent that there is no point any more.
func (i *instance) linkEnds(err error) {
	i.linkOver = true
	i.w.note("agent "+short(i.id), "the link ends: %v", err)
	i.step(interrupted("the service does not want this agent: " + err.Error()))
}

// batch spells a batch for the story.
func batch(b link.Batch) string {
	if len(b.Events) == 0 {
		return fmt.Sprintf("got %d", len(b.Got))
	}
	text := fmt.Sprintf("events %d to %d", b.Events[0].Seq, b.Events[len(b.Events)-1].Seq)
	for _, n := range b.Events {
		text += " " + kindOf(n.Event)
	}
	return text
}
