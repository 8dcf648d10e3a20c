package agent_test

import (
	"container/heap"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/session"
)

var seeds = flag.Uint64("seeds", 8, "how many worlds TestFaults plays")

// TestFaults runs the core of an agent over both cores of the link, against a
// service that keeps rows and decides with package session, in one goroutine
// and hours of its own time. Connections break, frames are late, commits are
// lost and repeated, game servers misbehave. Whatever happens, every event is
// handled once and in order, every command carried out once, every question
// answered, no game session hangs, and the end leaves nothing behind. A failure
// names its seed; -seeds 1000 tries more.
func TestFaults(t *testing.T) {
	var sessions, broken int
	for seed := range *seeds {
		w := newWorld(t, seed)
		w.play()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		if seed < 2 {
			again := newWorld(t, seed)
			again.play()
			if again.trace.Sum64() != w.trace.Sum64() {
				t.Fatalf("seed %d goes two ways", seed)
			}
		}
		sessions, broken = sessions+len(w.sessions), broken+w.broken
	}
	if sessions == 0 || broken == 0 {
		t.Errorf("%d game sessions and %d broken connections: nothing was tried", sessions, broken)
	}
	t.Logf("%d seeds, %d game sessions, %d broken connections", *seeds, sessions, broken)
}

// What happens in a world, on average.
const (
	faultyTime  = 40 * time.Minute // then nothing breaks any more
	settledTime = 20 * time.Minute // and after that the instance is drained
)

type world struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	queue timeline
	seq   int
	calm  bool
	trace interface {
		Write([]byte) (int, error)
		Sum64() uint64
	}

	// the instance
	core    *agent.Core
	servers map[lift.ProcessID]*server
	calls   map[agent.Call]func(agent.Action)
	call    agent.Call
	told    []lift.Event // by the core, in order
	taken   map[lift.EffectID]int
	left    bool
	full    int // how often every process was seen ready, after the last fault

	// the link
	end     *link.AgentEnd
	tickets map[link.Ticket]agent.Call
	far     *link.ServiceEnd // nil without a connection
	conn    int              // counts connections; frames of an old one are lost
	up      time.Time        // when the last frame to the service arrives
	down    time.Time
	broken  int

	// the service, as it is committed
	last      uint64
	handled   []lift.Event
	replies   map[uint64]lift.Reply
	outbox    []lift.Effect
	effects   int
	processes map[lift.ProcessID]lift.Process
	sessions  map[lift.GameSessionID]*lift.GameSession
	stopped   bool
}

// server is a game server with a character.
type server struct {
	id      lift.ProcessID
	kind    string
	gone    bool
	serving lift.GameSessionID
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), trace: fnv.New64a(),
		servers: make(map[lift.ProcessID]*server), calls: make(map[agent.Call]func(agent.Action)), taken: make(map[lift.EffectID]int),
		tickets: make(map[link.Ticket]agent.Call), replies: make(map[uint64]lift.Reply),
		processes: make(map[lift.ProcessID]lift.Process), sessions: make(map[lift.GameSessionID]*lift.GameSession),
	}
	var key [32]byte
	key[0] = byte(seed)
	w.core = agent.NewCore(agent.Options{Instance: "i-1", IDs: rand.NewChaCha8(key)})
	w.end = link.NewAgentEnd("i-1")
	return w
}

func (w *world) play() {
	begin := w.now
	fleet := lift.Fleet{ID: "fleet-1", InboundPorts: []lift.PortPermission{{FromPort: 1, ToPort: 60000}},
		Runtime: lift.RuntimeConfiguration{ServerProcesses: []lift.ServerProcess{{LaunchPath: "/local/game/a", Count: 1 + w.rng.IntN(4)}, {LaunchPath: "/local/game/b", Count: 1}}}}
	w.effect(lift.Effect{Configure: &lift.Configure{Fleet: fleet, InstanceID: "i-1"}})
	w.connect()
	w.every(3*time.Second, w.pump)
	w.every(10*time.Second, w.reserve)
	w.every(5*time.Second, func() {
		if w.calm && w.count(lift.ProcessIdle)+w.count(lift.ProcessHosting) == fleet.Runtime.Total() {
			w.full++
		}
	})
	w.breakNow()
	w.after(faultyTime, func() { w.calm = true })
	w.after(faultyTime+settledTime, func() {
		if live := w.live(); live > fleet.Runtime.Total() {
			w.t.Errorf("%d processes run, %d are configured", live, fleet.Runtime.Total())
		}
		if w.full == 0 {
			w.t.Errorf("%d processes are configured, and so many were never ready at a time after the last fault", fleet.Runtime.Total())
		}
		w.effect(lift.Effect{Drain: &lift.Drain{By: w.now.Add(5 * time.Minute), Reason: "the world ends"}})
	})
	w.wake()
	for w.queue.Len() > 0 && !w.t.Failed() && w.now.Sub(begin) < faultyTime+settledTime+10*time.Minute {
		e := heap.Pop(&w.queue).(entry)
		w.now = e.at
		e.do()
	}
	w.judge()
}

// judge asks whether all is well at the end.
func (w *world) judge() {
	if !w.left || !w.stopped {
		w.t.Errorf("the agent left: %t; the service knows: %t", w.left, w.stopped)
	}
	if n := w.live(); n > 0 {
		w.t.Errorf("%d processes are left behind", n)
	}
	told, handled := lasting(w.told), lasting(w.handled)
	for i := range max(len(told), len(handled)) {
		if i >= len(told) || i >= len(handled) || kindOf(told[i]) != kindOf(handled[i]) || !told[i].At.Equal(handled[i].At) {
			w.t.Errorf("the core told %d events and the service handled %d; they differ from number %d on", len(told), len(handled), i)
			break
		}
	}
	for id, n := range w.taken {
		if n != 1 {
			w.t.Errorf("command %s was carried out %d times", id, n)
		}
	}
	if len(w.outbox) > 0 || len(w.taken) != w.effects {
		w.t.Errorf("%d commands were taken and %d are left of %d", len(w.taken), len(w.outbox), w.effects)
	}
	if len(w.tickets) > 0 {
		w.t.Errorf("%d questions were never answered", len(w.tickets))
	}
	for id, s := range w.sessions {
		if s.Status.Live() {
			w.t.Errorf("game session %s is %s on a process that is %s", id, s.Status, w.processes[s.ProcessID].State)
		}
	}
}

// lasting leaves out the events that the link may drop for a later one.
func lasting(events []lift.Event) []lift.Event {
	return slices.DeleteFunc(slices.Clone(events), func(ev lift.Event) bool { return ev.ProcessHealth != nil || ev.Notice != nil })
}

func (w *world) live() (n int) {
	for _, s := range w.servers {
		if !s.gone {
			n++
		}
	}
	return n
}

func (w *world) count(state lift.ProcessState) (n int) {
	for _, p := range w.processes {
		if p.State == state {
			n++
		}
	}
	return n
}

// Time.

type entry struct {
	at  time.Time
	seq int
	do  func()
}

type timeline []entry

func (q timeline) Len() int { return len(q) }
func (q timeline) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q timeline) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *timeline) Push(x any)   { *q = append(*q, x.(entry)) }
func (q *timeline) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

func (w *world) at(t time.Time, do func()) {
	w.seq++
	heap.Push(&w.queue, entry{t, w.seq, do})
}

func (w *world) every(d time.Duration, do func()) {
	w.after(d, func() {
		do()
		w.every(d, do)
	})
}

func (w *world) some(most time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(most)))
}
func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// The instance.

// wake steps the core when it wants to be.
func (w *world) wake() {
	if due := w.core.Due(); !due.IsZero() && !w.left {
		at := w.now
		if due.After(at) {
			at = due
		}
		w.at(at, func() {
			if !w.core.Due().After(w.now) {
				w.step(agent.Tick{})
			}
		})
	}
}

func (w *world) step(ev agent.Event) {
	fmt.Fprintf(w.trace, "%d %T\n", w.now.UnixNano(), ev)
	for _, a := range w.core.Step(w.now, ev) {
		w.do(a)
	}
	w.pump()
	w.wake()
}

func (w *world) do(a agent.Action) {
	switch a := a.(type) {
	case agent.Report:
		w.told = append(w.told, a.Event)
		if _, err := w.end.Report(a.Event); err != nil {
			w.t.Errorf("report: %v", err)
		}
	case agent.Ask:
		w.told = append(w.told, a.Event)
		ticket, err := w.end.Report(a.Event)
		if err != nil {
			w.t.Errorf("ask: %v", err)
		}
		w.tickets[ticket] = a.Call
	case agent.Prepare:
		ev := agent.Prepared{Stage: a.Stage, Paths: []agent.PathCheck{{}}}
		if w.chance(50) {
			ev.Installer = "install.sh"
		}
		w.after(w.some(time.Second), func() { w.step(ev) })
	case agent.Abort:
	case agent.Launch:
		w.after(w.some(50*time.Millisecond), func() { w.launch(a.ProcessID) })
	case agent.Kill:
		w.after(w.some(20*time.Millisecond), func() { w.exit(w.servers[a.ProcessID], 137) })
	case agent.Admit:
		w.after(0, func() { w.answer(a.Call, a) })
	case agent.Answer:
		w.after(0, func() { w.answer(a.Call, a) })
	case agent.Push:
		w.after(w.some(10*time.Millisecond), func() { w.hear(w.servers[a.ProcessID], a.Push) })
	case agent.Forget:
	case agent.Leave:
		w.left = true
	}
}

func (w *world) answer(call agent.Call, a agent.Action) {
	if then := w.calls[call]; then != nil {
		delete(w.calls, call)
		then(a)
	}
}

// Game servers.

func (w *world) launch(id lift.ProcessID) {
	s := &server{id: id, kind: "good"}
	if !w.calm {
		s.kind = []string{"good", "good", "good", "good", "crash", "mute", "deaf", "ill", "rude", "stuck"}[w.rng.IntN(10)]
	}
	w.servers[id] = s
	w.step(agent.Launched{ProcessID: id, OSPID: len(w.servers)})
	switch s.kind {
	case "crash":
		w.after(w.some(time.Second), func() { w.exit(s, 1) })
	case "mute":
	default:
		w.after(w.some(time.Second), func() { w.knock(s) })
	}
}

func (w *world) exit(s *server, code int) {
	if s != nil && !s.gone {
		s.gone = true
		w.step(agent.Exited{ProcessID: s.id, ExitCode: code, Status: fmt.Sprint("exit code ", code)})
	}
}

func (w *world) knock(s *server) {
	if s.gone {
		return
	}
	w.call++
	w.calls[w.call] = func(a agent.Action) {
		if a.(agent.Admit).Refusal == nil {
			w.ask(s, sdk.ActivateServerProcess{Port: 7000 + len(w.servers)%1000}, func(a agent.Answer) { w.beat(s) })
		}
	}
	w.step(agent.Knocked{Call: w.call, ProcessID: s.id})
}

func (w *world) ask(s *server, r sdk.Request, then func(agent.Answer)) {
	if s.gone {
		return
	}
	w.call++
	w.calls[w.call] = func(a agent.Action) { then(a.(agent.Answer)) }
	w.step(agent.Asked{Call: w.call, ProcessID: s.id, Request: r})
}

func (w *world) beat(s *server) {
	ill := s.kind == "ill" && w.chance(70)
	w.ask(s, sdk.HeartbeatServerProcess{Healthy: !ill}, func(agent.Answer) {})
	if !s.gone {
		w.after(50*time.Second+w.some(20*time.Second), func() { w.beat(s) })
	}
}

func (w *world) finish(s *server) {
	switch {
	case s.kind == "deaf":
		return
	case s.kind == "rude" && w.chance(50):
		w.exit(s, 2)
		return
	}
	w.ask(s, sdk.TerminateServerProcess{}, func(agent.Answer) {
		if s.kind != "stuck" {
			w.after(w.some(time.Second), func() { w.exit(s, 0) })
		}
	})
}

func (w *world) hear(s *server, push sdk.Push) {
	if s == nil || s.gone {
		return
	}
	switch push := push.(type) {
	case sdk.TerminateProcess:
		w.after(w.some(time.Second), func() { w.finish(s) })
	case sdk.CreateGameSession:
		if s.serving != "" {
			w.t.Errorf("process %s was given %s and then %s", s.id, s.serving, push.GameSessionID)
		}
		s.serving = lift.GameSessionID(push.GameSessionID)
		if s.kind == "rude" && w.chance(30) {
			w.exit(s, 3)
			return
		}
		w.ask(s, sdk.ActivateGameSession{GameSessionID: push.GameSessionID}, func(agent.Answer) {
			w.after(w.some(3*time.Minute), func() { w.finish(s) })
		})
	}
}

// The link.

func (w *world) connect() {
	w.conn++
	w.far = link.NewServiceEnd(w.now, "i-1")
	w.end.Open(w.now)
	w.up, w.down = w.now, w.now
	w.pump()
}

// breakNow breaks the connection, now and again.
func (w *world) breakNow() {
	if w.calm {
		return
	}
	w.lose()
	w.after(w.some(2*time.Minute), w.breakNow)
}

func (w *world) lose() {
	if w.far == nil {
		return
	}
	w.broken++
	w.conn++
	w.far = nil
	w.end.Close()
	pause := w.some(500 * time.Millisecond)
	if w.chance(10) {
		pause = w.some(5 * time.Minute) // the service is away
	}
	w.after(pause, func() {
		if w.far == nil {
			w.connect()
		}
	})
}

// pump sends what both ends have to say. Frames of a connection keep their order.
func (w *world) pump() {
	if w.far == nil {
		return
	}
	conn := w.conn
	late := func(last *time.Time) time.Time {
		if at := w.now.Add(w.some(80 * time.Millisecond)); at.After(*last) {
			*last = at
		}
		return *last
	}
	for {
		frame, _, err := w.end.Next(w.now)
		if err != nil {
			w.lose()
			return
		}
		if frame == nil {
			break
		}
		w.at(late(&w.up), func() {
			if w.conn == conn {
				w.serve(frame)
			}
		})
	}
	for {
		frame, _, err := w.far.Next(w.now)
		if err != nil {
			w.lose()
			return
		}
		if frame == nil {
			break
		}
		w.at(late(&w.down), func() {
			if w.conn == conn {
				w.receive(frame)
			}
		})
	}
}

// receive is a frame at the agent.
func (w *world) receive(frame []byte) {
	if err := w.end.Receive(w.now, frame); err != nil {
		w.t.Errorf("the agent's end: %v", err)
		return
	}
	for _, r := range w.end.Replies() {
		call := w.tickets[r.Ticket]
		delete(w.tickets, r.Ticket)
		w.step(agent.Replied{Call: call, Reply: r.Reply})
	}
	for {
		ef, ok := w.end.Command()
		if !ok {
			break
		}
		w.end.Took(ef.ID)
		w.taken[ef.ID]++
		w.step(agent.Commanded{Effect: ef})
	}
	w.pump()
}

// serve is a frame at the service.
func (w *world) serve(frame []byte) {
	if err := w.far.Receive(w.now, frame); err != nil {
		w.t.Errorf("the service's end: %v", err)
		return
	}
	if w.far.Greeted() {
		w.far.Resume(w.last, slices.Clone(w.outbox))
	}
	for {
		b, ok := w.far.Batch()
		if !ok {
			break
		}
		if !w.calm && w.chance(3) {
			w.lose() // before the commit
			return
		}
		ack := w.handle(b)
		if !w.calm && w.chance(3) {
			w.lose() // after it, and nobody was told
			return
		}
		if _, err := w.far.Handled(ack); err != nil {
			w.t.Errorf("the service's end: %v", err)
			return
		}
	}
	w.pump()
}

// The service.

func (w *world) effect(ef lift.Effect) {
	w.effects++
	ef.ID, ef.To = lift.EffectID(fmt.Sprint("e", w.effects)), lift.ToAgent("i-1")
	w.outbox = append(w.outbox, ef)
	if w.far != nil {
		if err := w.far.Send([]lift.Effect{ef}); err != nil {
			w.lose()
			return
		}
		w.pump()
	}
}

// handle is one transaction.
func (w *world) handle(b link.Batch) link.Ack {
	for _, id := range b.Got {
		w.outbox = slices.DeleteFunc(w.outbox, func(ef lift.Effect) bool { return ef.ID == id })
	}
	var ack link.Ack
	for _, ev := range b.Events {
		if ev.Seq == w.last+1 {
			w.last++
			w.handled = append(w.handled, ev.Event)
			reply := w.apply(ev.Event)
			if ev.Event.WantsReply() {
				w.replies[ev.Seq] = reply
			}
		} else if ev.Seq > w.last {
			w.t.Errorf("event %d came after %d", ev.Seq, w.last)
		}
		if r, ok := w.replies[ev.Seq]; ok {
			ack.Replies = append(ack.Replies, link.NumberedReply{Seq: ev.Seq, Reply: r})
		}
	}
	for seq := range w.replies {
		if seq <= b.Read {
			delete(w.replies, seq)
		}
	}
	ack.UpTo = w.last
	return ack
}

// apply lets package session decide, and accepts only refusals that are known
// to happen.
func (w *world) apply(ev lift.Event) lift.Reply {
	id := ev.Process()
	switch {
	case ev.Stopped != nil:
		w.stopped = true
		return lift.Reply{}
	case ev.ProcessStarted != nil:
		w.processes[id] = session.Launched(w.now, lift.Instance{ID: "i-1"}, *ev.ProcessStarted)
		return lift.Reply{}
	case id == "":
		return lift.Reply{}
	}
	p, known := w.processes[id]
	if !known {
		w.t.Errorf("%s of a process the service was never told of", kindOf(ev))
		return lift.Reply{Status: 404}
	}
	st, err := session.Apply(w.now, session.State{Process: p, Session: w.sessions[p.SessionID]}, ev)
	if err != nil {
		// A session may have ended between question and answer, and a process
		// between its exit and a game session on its way to it.
		late := p.State == lift.ProcessTerminating || p.State == lift.ProcessGone
		if !late || ev.ProcessReady != nil || ev.ProcessConnected != nil {
			w.t.Errorf("%s of a process that is %s: %v", kindOf(ev), p.State, err)
		}
		return lift.Reply{Status: 409, Message: err.Error()}
	}
	w.processes[id] = st.Process
	if st.Session != nil {
		w.sessions[st.Session.ID] = st.Session
	}
	return lift.Reply{Status: 200}
}

// reserve gives idle processes game sessions, and has those end that take too
// long. ReadyAt is when the session was given.
func (w *world) reserve() {
	if w.now.Sub(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) > faultyTime+settledTime {
		return
	}
	var ids []lift.ProcessID
	for id := range w.processes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		p := w.processes[id]
		if p.State == lift.ProcessHosting && !p.ReadyAt.IsZero() && w.now.Sub(p.ReadyAt) > 5*time.Minute {
			p.ReadyAt = time.Time{}
			w.processes[id] = p
			w.effect(lift.Effect{TerminateProcess: &lift.TerminateProcess{ProcessID: id, Reason: "the game takes too long"}})
		}
		if p.State != lift.ProcessIdle || p.Unhealthy || !w.chance(20) {
			continue
		}
		s := lift.GameSession{ID: lift.GameSessionID(fmt.Sprint("s", len(w.sessions))), ProcessID: id, Status: lift.SessionActivating}
		p.State, p.SessionID, p.ReadyAt = lift.ProcessHosting, s.ID, w.now
		w.processes[id], w.sessions[s.ID] = p, &s
		w.effect(lift.Effect{StartSession: &lift.StartSession{Session: s}})
		if w.chance(5) {
			w.effect(lift.Effect{TerminateProcess: &lift.TerminateProcess{ProcessID: id, Reason: "somebody wanted it", Force: w.chance(50)}})
		}
	}
}

// kindOf names an event and its process, shortly.
func kindOf(ev lift.Event) string {
	for name, is := range map[string]bool{
		"Stage": ev.Stage != nil, "Failed": ev.Failed != nil, "Notice": ev.Notice != nil, "ProcessStarted": ev.ProcessStarted != nil,
		"ProcessConnected": ev.ProcessConnected != nil, "ProcessReady": ev.ProcessReady != nil, "ProcessHealth": ev.ProcessHealth != nil,
		"ProcessEnding": ev.ProcessEnding != nil, "ProcessExited": ev.ProcessExited != nil, "Stopped": ev.Stopped != nil, "ActivateSession": ev.ActivateSession != nil,
	} {
		if is {
			return name + " " + string(ev.Process())
		}
	}
	return "an event"
}
