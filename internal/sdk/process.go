package sdk

import (
	"net/http"
	"slices"
	"time"
)

// process is what a core keeps of one process, across its sockets.
type process struct {
	name     Process
	open     []*socket // in the order they opened; the last is the newest
	arriving int       // sockets that knocked and have neither opened nor closed
	welcomed bool      // Games let it in and was not told since that it is gone
	known    bool      // Games let it in once, or pushed something to it
	telling  bool      // Games.Disconnected is in progress
	waiting  []*socket // knocks that wait for that to return
	admitted []admission

	queue  []*parcel // pushes to send, in order
	flying []*parcel // pushes sent and not confirmed, in order

	// Pushes wait while an activation is unanswered, and until hold. The Go SDK
	// drops a CreateGameSession that arrives before its own ProcessReady call
	// has seen the answer, and any push that arrives before InitSDK returned.
	// The first heartbeat, or the first request of all, proves that it has; a
	// client that sends none is given settleTime.
	hold       time.Time
	activating int
	spoken     bool

	calls   map[string]*call   // by RequestID
	answers map[string]*answer // by RequestID
	kept    []*answer          // the same, oldest first
	weight  int                // player sessions inside them

	ended   bool
	endedAt time.Time
}

type socket struct {
	id    SocketID
	hello Hello
	p     *process
	open  bool
}

type admission struct{ token, idempotencyToken string }

type parcel struct {
	push    Push
	number  uint64
	socket  SocketID
	tries   int
	overdue bool // no confirmation in reasonable time
}

type call struct {
	number    uint64
	requestID string
	request   Request
	socket    SocketID // where the request was heard last
}

type answer struct {
	requestID string
	action    string
	reply     Reply
	err       *Error
	at        time.Time
	number    uint64   // of the frame that carried it last
	socket    SocketID // where it was sent; 0 if nowhere yet
	confirmed bool     // the client's socket has read it
}

func (p *process) newest() *socket {
	if len(p.open) == 0 {
		return nil
	}
	return p.open[len(p.open)-1]
}

// knock comes before everything else of a socket.
func (c *Core) knock(ev Knock) {
	if c.ended[ev.Hello.Process] {
		c.do(Refuse{Socket: ev.Socket, Refusal: refuse(http.StatusForbidden,
			"process "+ev.Hello.Process.ID+" has ended; every run of a game server needs a pID of its own")})
		return
	}
	p := c.at(ev.Hello.Process)
	s := &socket{id: ev.Socket, hello: ev.Hello, p: p}
	c.sockets[s.id] = s
	p.arriving++
	if p.telling {
		p.waiting = append(p.waiting, s)
		return
	}
	c.ask(s)
}

func (c *Core) ask(s *socket) {
	s.hello.Again = slices.Contains(s.p.admitted, admission{s.hello.Token, s.hello.IdempotencyToken})
	c.do(Ask{Socket: s.id, Hello: s.hello})
}

func (c *Core) admitted(now time.Time, ev Admitted) {
	s := c.sockets[ev.Socket]
	if s == nil {
		return // it closed meanwhile
	}
	if s.p.ended && ev.Refusal == nil {
		ev.Refusal = refuse(http.StatusForbidden, "process "+s.p.name.ID+" has ended")
	}
	if ev.Refusal != nil {
		c.do(Refuse{Socket: s.id, Refusal: ev.Refusal})
		c.arrivalOver(now, s)
		return
	}
	pair := admission{s.hello.Token, s.hello.IdempotencyToken}
	if !slices.Contains(s.p.admitted, pair) {
		s.p.admitted = append(s.p.admitted, pair)
		if len(s.p.admitted) > maxAdmissionsKept {
			s.p.admitted = s.p.admitted[1:]
		}
	}
	s.p.welcomed, s.p.known = true, true
	c.do(Admit{Socket: s.id})
}

func (c *Core) opened(now time.Time, ev Opened) {
	s := c.sockets[ev.Socket]
	if s == nil || s.open {
		return
	}
	p := s.p
	s.open = true
	p.arriving--
	p.open = append(p.open, s)
	if !p.spoken && p.hold.IsZero() {
		p.hold = now.Add(settleTime)
	}
	for _, old := range p.open[:max(0, len(p.open)-maxSocketsPerProcess)] {
		c.do(Drop{Socket: old.id, Code: closeRestart, Reason: "the process has newer sockets"})
	}
	c.resend(now, p)
	c.requeue(p, func(x *parcel) bool { return x.overdue })
	c.flush(now, p)
}

func (c *Core) closed(now time.Time, ev Closed) {
	s := c.sockets[ev.Socket]
	if s == nil {
		return
	}
	p := s.p
	if !s.open {
		c.arrivalOver(now, s)
		return
	}
	delete(c.sockets, s.id)
	p.open = slices.DeleteFunc(p.open, func(o *socket) bool { return o == s })
	c.resend(now, p)
	c.requeue(p, func(x *parcel) bool { return x.socket == s.id })
	c.flush(now, p)
	c.leave(now, p)
}

// arrivalOver ends a socket that never opened.
func (c *Core) arrivalOver(now time.Time, s *socket) {
	delete(c.sockets, s.id)
	s.p.arriving--
	s.p.waiting = slices.DeleteFunc(s.p.waiting, func(o *socket) bool { return o == s })
	c.leave(now, s.p)
}

// leave tells Games that a process has no socket left, if that is so. A socket
// on its way in counts, so that Games never hears of an end after the new start.
func (c *Core) leave(now time.Time, p *process) {
	if len(p.open)+p.arriving == 0 && p.welcomed && !p.telling && !p.ended {
		p.welcomed = false
		p.telling = true
		c.do(Lost{Process: p.name, At: now})
	}
	c.sweep(p)
}

func (c *Core) told(now time.Time, ev Told) {
	p := c.processes[ev.Process]
	if p == nil {
		return
	}
	p.telling = false
	waiting := p.waiting
	p.waiting = nil
	for _, s := range waiting {
		c.ask(s)
	}
	c.sweep(p)
}

func (c *Core) pushed(now time.Time, ev Pushed) {
	if c.ended[ev.Process] {
		return
	}
	p := c.at(ev.Process)
	p.known = true
	if _, refresh := ev.Push.(RefreshConnection); refresh {
		// Only the newest address and token are worth going to.
		p.queue = slices.DeleteFunc(p.queue, func(x *parcel) bool { return x.push.push() == ev.Push.push() })
	}
	if len(p.queue)+len(p.flying) >= maxQueuedPushes {
		c.do(Note{Process: p.name, Text: "too many pushes wait for the process; dropped " + ev.Push.push()})
		return
	}
	p.queue = append(p.queue, &parcel{push: ev.Push})
	c.flush(now, p)
}

// flush sends what waits to the newest socket, if nothing holds it back.
func (c *Core) flush(now time.Time, p *process) {
	delete(c.due, p.name)
	s := p.newest()
	if s == nil || len(p.queue) == 0 || p.activating > 0 {
		return
	}
	if now.Before(p.hold) {
		c.due[p.name] = p.hold
		return
	}
	for _, x := range p.queue {
		x.number, x.socket, x.overdue = c.number(), s.id, false
		x.tries++
		p.flying = append(p.flying, x)
		c.do(SendPush{Socket: s.id, Number: x.number, Push: x.push})
	}
	p.queue = nil
}

// requeue takes back the pushes in flight that lost says may not have arrived.
// They go ahead of those that wait, in their old order. A process may so hear
// one twice, but only if its socket broke between reading and confirming.
func (c *Core) requeue(p *process, lost func(*parcel) bool) {
	var again []*parcel
	p.flying = slices.DeleteFunc(p.flying, func(x *parcel) bool {
		if !lost(x) {
			return false
		}
		_, refresh := x.push.(RefreshConnection)
		switch {
		case refresh: // the client followed it, or reconnects anyhow
		case x.tries < maxPushTries:
			again = append(again, x)
		default:
			c.do(Note{Process: p.name, Text: "gave up a push that no socket confirmed: " + x.push.push()})
		}
		return true
	})
	p.queue = append(again, p.queue...)
}

func (c *Core) confirmed(now time.Time, ev Confirmed) {
	s := c.sockets[ev.Socket]
	if s == nil {
		return // its pushes are requeued already
	}
	p := s.p
	meant := func(x *parcel) bool { return x.socket == s.id && x.number <= ev.Number }
	if ev.OK {
		for _, a := range p.kept {
			a.confirmed = a.confirmed || a.socket == s.id && a.number <= ev.Number
		}
		p.flying = slices.DeleteFunc(p.flying, meant)
		return
	}
	for _, x := range p.flying {
		x.overdue = x.overdue || meant(x)
	}
	if p.newest() != s {
		c.requeue(p, meant)
		c.flush(now, p)
	}
}
