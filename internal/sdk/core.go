package sdk

import (
	"maps"
	"slices"
	"time"
)

// Limits of a core. They bound what one process can make us keep.
const (
	maxSocketsPerProcess = 4                // the oldest is dropped when a fifth opens
	maxQueuedPushes      = 100              // waiting or not confirmed, per process
	maxPushTries         = 3                // sockets a push is written to before it is given up
	maxCallsInProgress   = 256              // per process; more are answered 429
	maxAnswersKept       = 256              // per process, for repeated requests
	maxSessionsKept      = 2048             // player sessions inside those answers
	maxAdmissionsKept    = 16               // token pairs remembered per process
	maxEndedKept         = 10_000           // ended processes remembered by name
	answerLife           = 20 * time.Second // how long clients wait for an answer
	settleTime           = time.Second      // see process.hold
	endedSocketLife      = 30 * time.Second // from the end of a process to dropping its sockets
)

// SocketID names one connect attempt and the socket it becomes. The shell
// counts them up from 1.
type SocketID uint64

// Event is what the shell tells a core; the types below are all there are.
type Event interface{ event() }

type (
	// Knock: a client wants in. The core answers with Ask or Refuse.
	Knock struct {
		Socket SocketID
		Hello  Hello
	}
	// Admitted: what Games.Connect said to an Ask.
	Admitted struct {
		Socket  SocketID
		Refusal *Refusal // nil: let it in
	}
	// Opened: the socket is upgraded and can be written to.
	Opened struct{ Socket SocketID }
	// Closed: the socket, or the attempt to open it, is over. It may come at
	// any time after Knock.
	Closed struct{ Socket SocketID }
	// Received: a request, decoded by the codec of the socket's generation.
	Received struct {
		Socket    SocketID
		RequestID string
		Action    string
		Request   Request // nil if Err says why it could not be read
		Err       *Error
	}
	// Answered: what Games.Call said.
	Answered struct {
		Process Process
		Call    uint64
		Reply   Reply
		Err     *Error
	}
	// Pushed: the host wants the process told something.
	Pushed struct {
		Process Process
		Push    Push
	}
	// Confirmed: the client's socket has read everything it was sent up to this
	// number (OK), or has not said so in reasonable time (not OK).
	Confirmed struct {
		Socket SocketID
		Number uint64
		OK     bool
	}
	// Told: Games.Disconnected has returned.
	Told struct{ Process Process }
	// Forgotten: the process has ended and will never be back.
	Forgotten struct{ Process Process }
	// Tick: nothing happened, but Due has come.
	Tick struct{}
)

func (Knock) event()     {}
func (Admitted) event()  {}
func (Opened) event()    {}
func (Closed) event()    {}
func (Received) event()  {}
func (Answered) event()  {}
func (Pushed) event()    {}
func (Confirmed) event() {}
func (Told) event()      {}
func (Forgotten) event() {}
func (Tick) event()      {}

// Action is what a core wants done, in the order given; the types below are all
// there are.
type Action interface{ action() }

type (
	// Ask Games.Connect, then report Admitted.
	Ask struct {
		Socket SocketID
		Hello  Hello
	}
	// Admit: upgrade the socket, then report Opened.
	Admit struct{ Socket SocketID }
	// Refuse the connect with an HTTP status.
	Refuse struct {
		Socket  SocketID
		Refusal *Refusal
	}
	// Call Games.Call, then report Answered.
	Call struct {
		Process Process
		Call    uint64
		Request Request
	}
	// SendReply writes an answer to a socket. If it has a number, ask the
	// client's socket whether it was read (a ping does) and report Confirmed.
	SendReply struct {
		Socket    SocketID
		Number    uint64
		RequestID string
		Action    string
		Reply     Reply
		Err       *Error
	}
	// SendPush writes a push to a socket, to be confirmed likewise.
	SendPush struct {
		Socket SocketID
		Number uint64
		Push   Push
	}
	// Drop closes a socket, after what was sent to it, with a WebSocket code.
	Drop struct {
		Socket SocketID
		Code   int
		Reason string
	}
	// Lost: call Games.Disconnected, then report Told.
	Lost struct {
		Process Process
		At      time.Time
	}
	// Note says something a log may want.
	Note struct {
		Process Process
		Text    string
	}
)

func (Ask) action()       {}
func (Admit) action()     {}
func (Refuse) action()    {}
func (Call) action()      {}
func (SendReply) action() {}
func (SendPush) action()  {}
func (Drop) action()      {}
func (Lost) action()      {}
func (Note) action()      {}

// Core decides everything a door does. It is not safe for concurrent use.
type Core struct {
	processes    map[Process]*process
	sockets      map[SocketID]*socket
	ended        map[Process]bool
	endedInOrder []Process
	due          map[Process]time.Time
	numbers      uint64 // the last number given to a call or a push
	actions      []Action
}

// NewCore returns a core that knows nobody.
func NewCore() *Core {
	return &Core{
		processes: make(map[Process]*process),
		sockets:   make(map[SocketID]*socket),
		ended:     make(map[Process]bool),
		due:       make(map[Process]time.Time),
	}
}

// Step takes one event and returns what to do about it, in order.
func (c *Core) Step(now time.Time, ev Event) []Action {
	c.actions = nil
	switch ev := ev.(type) {
	case Knock:
		c.knock(ev)
	case Admitted:
		c.admitted(now, ev)
	case Opened:
		c.opened(now, ev)
	case Closed:
		c.closed(now, ev)
	case Received:
		c.received(now, ev)
	case Answered:
		c.answered(now, ev)
	case Pushed:
		c.pushed(now, ev)
	case Confirmed:
		c.confirmed(now, ev)
	case Told:
		c.told(now, ev)
	case Forgotten:
		c.forgotten(now, ev)
	case Tick:
		c.tick(now)
	}
	return c.actions
}

// Due says when the core wants a Tick; zero if never.
func (c *Core) Due() time.Time {
	var first time.Time
	for _, t := range c.due {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

// Connected tells whether a process has an open socket.
func (c *Core) Connected(p Process) bool {
	known := c.processes[p]
	return known != nil && len(known.open) > 0
}

func (c *Core) do(a Action) { c.actions = append(c.actions, a) }

func (c *Core) number() uint64 {
	c.numbers++
	return c.numbers
}

// at returns the process, new if it was not known.
func (c *Core) at(name Process) *process {
	p := c.processes[name]
	if p == nil {
		p = &process{name: name, calls: make(map[string]*call), answers: make(map[string]*answer)}
		c.processes[name] = p
	}
	return p
}

func (c *Core) tick(now time.Time) {
	for _, name := range slices.SortedFunc(maps.Keys(c.due), Process.compare) {
		if c.due[name].After(now) {
			continue
		}
		delete(c.due, name)
		p := c.processes[name]
		if p == nil {
			continue
		}
		if p.ended {
			c.dropEnded(now, p)
			continue
		}
		c.flush(now, p)
	}
}

func (c *Core) forgotten(now time.Time, ev Forgotten) {
	if !c.ended[ev.Process] {
		c.ended[ev.Process] = true
		c.endedInOrder = append(c.endedInOrder, ev.Process)
		if len(c.endedInOrder) > maxEndedKept {
			delete(c.ended, c.endedInOrder[0])
			c.endedInOrder = c.endedInOrder[1:]
		}
	}
	p := c.processes[ev.Process]
	if p == nil || p.ended {
		return
	}
	p.ended, p.endedAt = true, now
	p.queue, p.flying = nil, nil
	delete(c.due, p.name)
	c.dropEnded(now, p)
}

// dropEnded lets an ended process keep its sockets for a while, so that the
// answer to its ProcessEnding arrives and it can close them itself.
func (c *Core) dropEnded(now time.Time, p *process) {
	last := p.endedAt.Add(endedSocketLife)
	if now.Before(last) && len(p.open) > 0 {
		c.due[p.name] = last
		return
	}
	for _, s := range p.open {
		c.do(Drop{Socket: s.id, Code: closeNormal, Reason: "the process has ended"})
	}
	c.sweep(p)
}

// sweep forgets a process that there is nothing left to know about.
func (c *Core) sweep(p *process) {
	if len(p.open)+p.arriving > 0 || p.telling {
		return
	}
	if p.ended || !p.welcomed && !p.known {
		delete(c.processes, p.name)
		delete(c.due, p.name)
	}
}

// WebSocket close codes. Clients come back after 1011 and 1012; C++ and C# do
// not after 1000 and 1001 (server-sdk A.6).
const (
	closeNormal  = 1000
	closeRestart = 1012
)
