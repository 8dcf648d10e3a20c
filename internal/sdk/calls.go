package sdk

import (
	"net/http"
	"slices"
	"time"
)

func (c *Core) received(now time.Time, ev Received) {
	s := c.sockets[ev.Socket]
	if s == nil || !s.open {
		return
	}
	p := s.p
	if ev.RequestID == "" {
		c.do(Note{Process: p.name, Text: "ignored a message without RequestId, action " + ev.Action})
		return
	}
	if !p.spoken {
		p.spoken, p.hold = true, time.Time{}
	}
	c.take(now, s, ev)
	c.flush(now, p)
}

// take answers one request or has it carried out.
func (c *Core) take(now time.Time, s *socket, ev Received) {
	p := s.p
	if before := p.calls[ev.RequestID]; before != nil {
		// The client waits on the socket it opened last, whichever of two is
		// read first.
		if s.id > before.socket {
			before.socket = s.id
		}
		return
	}
	if before := p.answers[ev.RequestID]; before != nil {
		before.socket, before.at = s.id, now
		c.send(before)
		return
	}
	reply := func(r Reply, err *Error) {
		c.do(SendReply{Socket: s.id, RequestID: ev.RequestID, Action: ev.Action, Reply: r, Err: err})
	}
	switch {
	case ev.Err != nil:
		reply(nil, ev.Err)
		return
	case p.ended:
		reply(nil, Errorf(http.StatusBadRequest, "the process has ended; %s is too late", ev.Action))
		return
	case len(p.calls) >= maxCallsInProgress:
		reply(nil, Errorf(http.StatusTooManyRequests, "%d requests of this process wait for an answer already; send fewer at a time", len(p.calls)))
		return
	}
	switch r := ev.Request.(type) {
	case GetComputeCertificate:
		reply(ComputeCertificate{}, nil)
		return
	case ActivateServerProcess:
		p.activating++
	case HeartbeatServerProcess:
		p.hold = time.Time{}
	case ActivateGameSession:
		// The session is known to the process: no need to tell it again.
		same := func(x *parcel) bool {
			create, ok := x.push.(CreateGameSession)
			return ok && create.GameSessionID == r.GameSessionID
		}
		p.flying = slices.DeleteFunc(p.flying, same)
		p.queue = slices.DeleteFunc(p.queue, same)
	}
	k := &call{number: c.number(), requestID: ev.RequestID, request: ev.Request, socket: s.id}
	p.calls[k.requestID] = k
	c.do(Call{Process: p.name, Call: k.number, Request: k.request})
}

func (c *Core) answered(now time.Time, ev Answered) {
	p := c.processes[ev.Process]
	if p == nil {
		return
	}
	var k *call
	for _, other := range p.calls {
		if other.number == ev.Call {
			k = other
		}
	}
	if k == nil {
		return
	}
	delete(p.calls, k.requestID)
	a := &answer{requestID: k.requestID, action: k.request.Action(), reply: ev.Reply, err: ev.Err, at: now, socket: k.socket}
	if c.sockets[a.socket] == nil {
		a.socket = 0
		if s := p.newest(); s != nil {
			a.socket = s.id
		}
	}
	c.keep(p, a)
	c.send(a)
	if _, ok := k.request.(ActivateServerProcess); ok {
		p.activating--
		if ev.Err == nil {
			p.hold = now.Add(settleTime)
		}
	}
	c.flush(now, p)
}

func (c *Core) send(a *answer) {
	a.number, a.confirmed = c.number(), false
	if a.socket != 0 {
		c.do(SendReply{Socket: a.socket, Number: a.number, RequestID: a.requestID, Action: a.action, Reply: a.reply, Err: a.err})
	}
}

// resend repeats on the newest socket the answers that a client may still wait
// for: those that went to a socket which is gone, or nowhere, and that nobody has
// confirmed. Most clients repeat no request after a reconnect, they only go on
// waiting; an answer they have already is ignored by all of them.
func (c *Core) resend(now time.Time, p *process) {
	s := p.newest()
	if s == nil {
		return
	}
	for _, a := range p.kept {
		if !a.confirmed && c.sockets[a.socket] == nil && now.Sub(a.at) <= answerLife {
			a.socket = s.id
			c.send(a)
		}
	}
}

// keep remembers an answer for when its request is heard again.
func (c *Core) keep(p *process, a *answer) {
	p.answers[a.requestID] = a
	p.kept = append(p.kept, a)
	p.weight += weigh(a)
	for len(p.kept) > maxAnswersKept || p.weight > maxSessionsKept && len(p.kept) > 1 {
		oldest := p.kept[0]
		delete(p.answers, oldest.requestID)
		p.weight -= weigh(oldest)
		p.kept = p.kept[1:]
	}
}

func weigh(a *answer) int {
	if list, ok := a.reply.(PlayerSessions); ok {
		return len(list.Sessions)
	}
	return 0
}
