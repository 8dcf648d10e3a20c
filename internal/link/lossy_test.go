package link

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run TestLossyNetwork with this seed only")
	seedsFlag = flag.Int("seeds", defaultSeeds, "how many seeds TestLossyNetwork runs")
)

// TestLossyNetwork runs both cores in one goroutine over a network that loses,
// delays and cuts, with a service that crashes between any two steps. The seed
// chooses sizes, and which faults are on at all. Whatever happens, every event
// is handled once and in order, every command handed out once and in order,
// every question answered once with the stored reply; and when the faults stop,
// everything settles.
func TestLossyNetwork(t *testing.T) {
	first, n := uint64(1), uint64(*seedsFlag)
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	var total counts
	for seed := first; seed < first+n; seed++ {
		w := newWorld(seed)
		if err := w.run(); err != nil {
			t.Fatalf("%v\nagain with: go test ./internal/link -run Lossy -seed %d", err, seed)
		}
		total.add(w.counts)
	}
	t.Logf("%d seeds: %+v", n, total)
	if n > 100 {
		// What never happened was not tested.
		for _, c := range strings.Fields(strings.Trim(fmt.Sprintf("%+v", total), "{}")) {
			if strings.HasSuffix(c, ":0") {
				t.Errorf("no seed had any %s", strings.TrimSuffix(c, ":0"))
			}
		}
	}
}

// counts tell what a run was made of.
type counts struct {
	Reported, Full, Replaced, Asked, Commanded, Connects, Cuts, Crashes, Failed, Silent, Behind, LateSends, LateBatches, Repeats int
}

func (c *counts) add(o counts) {
	c.Reported += o.Reported
	c.Full += o.Full
	c.Replaced += o.Replaced
	c.Asked += o.Asked
	c.Commanded += o.Commanded
	c.Connects += o.Connects
	c.Cuts += o.Cuts
	c.Crashes += o.Crashes
	c.Failed += o.Failed
	c.Silent += o.Silent
	c.Behind += o.Behind
	c.LateSends += o.LateSends
	c.LateBatches += o.LateBatches
	c.Repeats += o.Repeats
}

// world is an agent, a service, and everything on the wires between them.
type world struct {
	r     *rand.Rand
	seed  uint64
	now   time.Time
	agent *AgentEnd
	mem   *memory
	wires []*wire // connections as the service sees them; some are half open
	reg   *wire   // the one the hub sends to
	dial  *wire   // the one the agent holds

	reported  []told // in order
	answers   map[Ticket]lift.Reply
	committed []lift.Effect // in order
	unsent    []lift.Effect // committed, Send comes later
	took      []lift.EffectID
	remember  int

	counts counts
	err    error
}

// told is an event as it was reported.
type told struct {
	ticket Ticket
	event  lift.Event
}

// wire is one connection. What was sent into it arrives in order, or not.
type wire struct {
	up, down [][]byte
	end      *ServiceEnd
	snapshot *snapshot // Service.Resume has returned
	batch    *Batch    // Service.Handle is running
	ack      *Ack      // and has committed
}

type snapshot struct {
	last    uint64
	pending []lift.Effect
}

func newWorld(seed uint64) *world {
	w := &world{
		r:       rand.New(rand.NewPCG(seed, 7)),
		seed:    seed,
		now:     time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		agent:   NewAgentEnd("i-1"),
		mem:     newMemory(),
		answers: map[Ticket]lift.Reply{},
	}
	w.agent.events.maxEvents = 1 + w.r.IntN(60)
	w.agent.events.maxBytes = 200 + w.r.IntN(20_000)
	w.agent.events.frameEvents = 1 + w.r.IntN(12)
	w.agent.events.frameBytes = 1 + w.r.IntN(4000)
	w.remember = 2 + w.r.IntN(60)
	w.agent.commands.remember = w.remember
	return w
}

// run makes a few hundred random steps, then lets everything settle and looks
// at what came of it.
func (w *world) run() error {
	steps := []struct {
		weight int
		fault  bool
		do     func()
	}{
		{6, false, w.report},
		{3, false, w.command},
		{4, false, w.take},
		{4, false, w.connect},
		{8, false, w.agentSends},
		{8, false, w.agentReceives},
		{8, false, w.serviceReceives},
		{4, false, w.resumes},
		{6, false, w.takesBatch},
		{6, false, w.commits},
		{6, false, w.acknowledges},
		{8, false, w.serviceSends},
		{4, false, w.send},
		{2, false, func() { w.pass(time.Duration(w.r.Int64N(int64(time.Second)))) }},
		{1, true, func() { w.pass(time.Duration(w.r.Int64N(int64(9 * time.Second)))) }},
		{2, true, w.cut},
		{1, true, w.crash},
		{2, true, w.fails},
		{2, true, w.sendsLate},
		{1, true, w.drop},
	}
	weights := make([]int, len(steps))
	total := 0
	for i, s := range steps {
		switch {
		case !s.fault:
			weights[i] = s.weight * (1 + w.r.IntN(8))
		case w.r.IntN(2) == 0:
			weights[i] = s.weight * (1 + w.r.IntN(3))
		}
		total += weights[i]
	}
	for range 100 + w.r.IntN(600) {
		pick := w.r.IntN(total)
		for i := range steps {
			if pick -= weights[i]; pick < 0 {
				steps[i].do()
				break
			}
		}
		if w.err != nil {
			return w.err
		}
	}
	return w.settle()
}

// settle runs without faults until nothing moves any more.
func (w *world) settle() error {
	for range 20_000 {
		w.take()
		w.connect()
		w.agentSends()
		w.serviceReceives()
		w.resumes()
		w.takesBatch()
		w.commits()
		w.acknowledges()
		w.send()
		w.serviceSends()
		w.agentReceives()
		if w.err != nil {
			return w.err
		}
		if w.agent.Settled() && len(w.mem.outbox) == 0 && len(w.unsent) == 0 && w.quiet() {
			return w.verdict()
		}
		w.pass(100 * time.Millisecond)
	}
	return fmt.Errorf("nothing settles: handled %d, sent %d, acknowledged %d, commands left %d",
		w.mem.last, w.agent.events.last, w.agent.events.acked, len(w.mem.outbox))
}

// quiet reports whether nothing is under way on the agent's connection.
func (w *world) quiet() bool {
	d := w.dial
	return d != nil && len(d.up) == 0 && len(d.down) == 0 && d.batch == nil && len(d.end.collecting.Got) == 0 &&
		len(w.agent.commands.unconfirmed) == 0 && len(w.agent.events.sent) == 0
}

func (w *world) failf(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
	}
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) report() {
	n := len(w.reported)
	text := fmt.Sprintf("%d %s", n, strings.Repeat("x", w.r.IntN(200)))
	p := lift.ProcessID(fmt.Sprintf("p%d", w.r.IntN(3)))
	ev := lift.Event{At: w.now.Add(time.Duration(n))} // unlike any other
	switch w.r.IntN(8) {
	case 0, 1:
		ev.ProcessHealth = &lift.ProcessHealth{ProcessID: p, Healthy: w.r.IntN(2) == 0}
	case 2:
		ev.Notice = &lift.Notice{Code: lift.EventCode(p), Message: []string{text, "the same"}[w.r.IntN(2)]}
	case 3:
		ev.AcceptPlayer = &lift.AcceptPlayer{ProcessID: p, PlayerID: lift.PlayerSessionID(text)}
	case 4:
		ev.DescribePlayers = &lift.DescribePlayers{ProcessID: p, PlayerID: text}
	default:
		ev.ProcessExited = &lift.ProcessExited{ProcessID: p, Message: text}
	}
	ticket, err := w.agent.Report(ev)
	if errors.Is(err, ErrFull) {
		w.counts.Full++
		return
	}
	if err != nil {
		w.failf("report: %v", err)
	}
	w.reported = append(w.reported, told{ticket, ev})
	w.counts.Reported++
}

func (w *world) command() {
	ef := lift.Effect{ID: lift.EffectID(fmt.Sprintf("c%d", len(w.committed))), To: lift.ToAgent("i-1"),
		TerminateProcess: &lift.TerminateProcess{Reason: strings.Repeat("x", w.r.IntN(300))}}
	w.committed = append(w.committed, ef)
	w.mem.outbox = append(w.mem.outbox, ef)
	w.unsent = append(w.unsent, ef)
	w.counts.Commanded++
}

// send carries the oldest command that is committed and not sent to the hub.
func (w *world) send() {
	if len(w.unsent) == 0 {
		return
	}
	w.sendNow(w.unsent[0])
	w.unsent = w.unsent[1:]
}

// sendsLate sends a command once more, perhaps one that is long done with.
func (w *world) sendsLate() {
	if n := len(w.took); n > 0 {
		w.sendNow(w.committed[max(0, n-1-w.r.IntN(2*w.remember))])
		w.counts.LateSends++
	}
}

func (w *world) sendNow(ef lift.Effect) {
	if w.reg == nil || w.tooLate(ef.ID) {
		return
	}
	if err := w.reg.end.Send([]lift.Effect{ef}); errors.Is(err, ErrBehind) {
		w.counts.Behind++
		w.lose(w.reg)
	}
}

// tooLate reports whether a copy sent now may arrive after the agent has
// forgotten the command: when those still open are confirmed before that.
func (w *world) tooLate(id lift.EffectID) bool {
	in := &w.agent.commands
	_, known := in.known[id]
	switch {
	case !known:
		return slices.Contains(w.took, id) // forgotten, or the first copy
	case !w.reg.end.resumed:
		return true // what Resume reads goes before it, and may be much
	}
	at := slices.Index(in.confirmed, id)
	if at < 0 {
		at = len(in.confirmed)
	}
	open := len(w.committed) - len(w.took) + len(in.unconfirmed)
	return at < len(in.confirmed)+open-w.remember
}

func (w *world) take() {
	if ef, ok := w.agent.Command(); ok {
		w.took = append(w.took, ef.ID)
		w.agent.Took(ef.ID)
	}
}

func (w *world) connect() {
	if w.dial != nil {
		return
	}
	wi := &wire{end: NewServiceEnd(w.now, "i-1")}
	wi.end.windowEvents = 1 + w.r.IntN(30)
	wi.end.windowBytes = 100 + w.r.IntN(5000)
	wi.end.windowCommands = 1 + w.r.IntN(6)
	wi.end.queueCommands = 4 + w.r.IntN(20)
	wi.end.room = wi.end.queueCommands
	wi.end.batchEvents = 1 + w.r.IntN(10)
	wi.end.frameBytes = 1 + w.r.IntN(3000)
	w.agent.Open(w.now)
	w.dial, w.reg = wi, wi
	w.wires = append(w.wires, wi)
	w.counts.Connects++
}

// cut breaks the connection for the agent. What it sent may still arrive, or
// some of it; the service notices later.
func (w *world) cut() {
	if w.dial == nil {
		return
	}
	w.counts.Cuts++
	w.hangUp()
}

func (w *world) hangUp() {
	w.dial.up = w.dial.up[:w.r.IntN(len(w.dial.up)+1)]
	w.dial = nil
	w.agent.Close()
}

// drop lets the service lose one of its connections, half open or not.
func (w *world) drop() {
	if wi := w.any(func(*wire) bool { return true }); wi != nil {
		w.lose(wi)
	}
}

func (w *world) lose(wi *wire) {
	w.wires = slices.DeleteFunc(w.wires, func(o *wire) bool { return o == wi })
	if w.reg == wi {
		w.reg = nil
	}
	if w.dial == wi {
		wi.down = wi.down[:w.r.IntN(len(wi.down)+1)]
		for range wi.down {
			w.agentReceives()
		}
		w.hangUp()
	}
}

// crash ends the service. What is committed stays.
func (w *world) crash() {
	w.counts.Crashes++
	for len(w.wires) > 0 {
		w.lose(w.wires[0])
	}
	w.unsent = nil // the next server begins with the outbox
}

// any picks one of the service's connections.
func (w *world) any(which func(*wire) bool) *wire {
	var some []*wire
	for _, wi := range w.wires {
		if which(wi) {
			some = append(some, wi)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[w.r.IntN(len(some))]
}

func (w *world) agentSends() {
	data, _, err := w.agent.Next(w.now)
	switch {
	case errors.Is(err, ErrSilent):
		w.counts.Silent++
		w.hangUp()
	case err != nil:
		w.failf("agent: %v", err)
	case data != nil:
		w.counts.Repeats += strings.Count(string(data), `"seq":`)
		w.dial.up = append(w.dial.up, data)
		if w.agent.Welcomed() {
			w.checkWindow()
		}
	}
}

// checkWindow holds the agent to what the welcome allowed it.
func (w *world) checkWindow() {
	o, flying, bytes := &w.agent.events, 0, 0
	for _, e := range o.sent[:o.next] {
		if e.seq > o.acked {
			flying++
			bytes += len(e.body)
		}
	}
	if flying > w.dial.end.windowEvents || flying > 1 && bytes > w.dial.end.windowBytes || bytes != o.flight {
		w.failf("%d events of %d bytes (counted %d) are under way, the window is %d of %d",
			flying, bytes, o.flight, w.dial.end.windowEvents, w.dial.end.windowBytes)
	}
}

func (w *world) agentReceives() {
	if w.dial == nil || len(w.dial.down) == 0 {
		return
	}
	data := w.dial.down[0]
	w.dial.down = w.dial.down[1:]
	if err := w.agent.Receive(w.now, data); err != nil {
		w.failf("agent: %v: %s", err, data)
	}
	for _, r := range w.agent.Replies() {
		if _, ok := w.answers[r.Ticket]; ok {
			w.failf("a second answer to %d", r.Ticket)
		}
		w.answers[r.Ticket] = r.Reply
	}
}

func (w *world) serviceReceives() {
	wi := w.any(func(wi *wire) bool { return len(wi.up) > 0 })
	if wi == nil {
		return
	}
	data := wi.up[0]
	wi.up = wi.up[1:]
	if err := wi.end.Receive(w.now, data); err != nil {
		w.failf("service: %v: %s", err, data)
	}
}

func (w *world) serviceSends() {
	for _, wi := range slices.Clone(w.wires) {
		data, _, err := wi.end.Next(w.now)
		switch {
		case errors.Is(err, ErrSilent):
			w.counts.Silent++
			w.lose(wi)
		case err != nil:
			w.failf("service: %v", err)
		case data != nil:
			wi.down = append(wi.down, data)
		}
	}
}

// resumes is Service.Resume: the transaction reads, and some time later the
// connection hears of it.
func (w *world) resumes() {
	wi := w.any(func(wi *wire) bool { return wi.end.Greeted() })
	switch {
	case wi == nil:
	case wi.snapshot == nil:
		last, pending := w.mem.resume()
		wi.snapshot = &snapshot{last, pending}
	default:
		wi.end.Resume(wi.snapshot.last, wi.snapshot.pending)
	}
}

func (w *world) takesBatch() {
	wi := w.any(func(wi *wire) bool { return wi.batch == nil })
	if wi == nil {
		return
	}
	if b, ok := wi.end.Batch(); ok {
		wi.batch = &b
	}
}

func (w *world) commits() {
	wi := w.any(func(wi *wire) bool { return wi.batch != nil && wi.ack == nil })
	if wi == nil {
		return
	}
	if wi != w.dial {
		w.counts.LateBatches++
	}
	a, err := w.mem.handle(*wi.batch)
	if err != nil {
		w.failf("handle: %v", err)
	}
	if w.r.IntN(4) == 0 { // a service may repeat more than it is asked to
		for seq, r := range w.mem.given {
			if seq > wi.batch.Read {
				a.Replies = append(a.Replies, NumberedReply{seq, r})
			}
		}
		slices.SortStableFunc(a.Replies, func(x, y NumberedReply) int { return cmp.Compare(x.Seq, y.Seq) })
	}
	wi.ack = &a
}

func (w *world) acknowledges() {
	wi := w.any(func(wi *wire) bool { return wi.ack != nil })
	if wi == nil {
		return
	}
	unanswered, err := wi.end.Handled(*wi.ack)
	// Only the agent's own connection speaks for what it knows.
	if err != nil || len(unanswered) > 0 && wi == w.dial {
		w.failf("handled: no reply to %v, %v", unanswered, err)
	}
	wi.batch, wi.ack = nil, nil
}

// fails lets a batch in hand fail, before or after its commit.
func (w *world) fails() {
	if wi := w.any(func(wi *wire) bool { return wi.batch != nil }); wi != nil {
		w.counts.Failed++
		w.lose(wi)
	}
}

// verdict compares what was done with what was wanted.
func (w *world) verdict() error {
	seq := 0
	for i, e := range w.reported {
		if seq < len(w.mem.handled) && same(e.event, w.mem.handled[seq]) {
			seq++
			if !e.event.WantsReply() {
				continue
			}
			w.counts.Asked++
			if want, got := w.mem.given[uint64(seq)], w.answers[e.ticket]; got.Message == "" || got.Message != want.Message {
				w.failf("question %d got %q, stored is %q", seq, got.Message, want.Message)
			}
			continue
		}
		w.counts.Replaced++
		if !replacedLater(e.event, w.reported[i+1:]) {
			w.failf("event %d of %d was not handled, or out of order", i, len(w.reported))
		}
	}
	if seq != len(w.mem.handled) {
		w.failf("handled %d events, %d of them as reported", len(w.mem.handled), seq)
	}
	w.counts.Repeats -= len(w.mem.handled)
	var want []lift.EffectID
	for _, ef := range w.committed {
		want = append(want, ef.ID)
	}
	if !slices.Equal(w.took, want) {
		w.failf("commands taken %v\nwant %v", w.took, want)
	}
	if o := w.agent.events; o.count != 0 || o.bytes != 0 || o.flight != 0 || len(o.latest) != 0 {
		w.failf("the outbox is not empty: %d events, %d bytes, %d in flight, %d names", o.count, o.bytes, o.flight, len(o.latest))
	}
	if n := len(w.agent.commands.known); n > w.remember {
		w.failf("%d commands remembered, want at most %d", n, w.remember)
	}
	return w.err
}

// replacedLater reports whether an event may be missing since a later one took
// its place.
func replacedLater(e lift.Event, later []told) bool {
	return slices.ContainsFunc(later, func(l told) bool {
		switch {
		case e.ProcessHealth != nil:
			return l.event.ProcessHealth != nil && l.event.ProcessHealth.ProcessID == e.ProcessHealth.ProcessID
		case e.Notice != nil:
			return l.event.Notice != nil && l.event.Notice.Code == e.Notice.Code
		}
		return false
	})
}

func same(a, b lift.Event) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}
