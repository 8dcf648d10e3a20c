package sdk

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// TestAnyOrder plays a process that calls, is pushed to, and loses its sockets
// at any moment, and a network that delays what it does not lose. At the end
// every request was carried out once and answered, every push was heard, at
// most three times and rarely more than once, or given up after three sockets
// broke under it, and Games heard of connects and losses in turn.
func TestAnyOrder(t *testing.T) {
	seeds := uint64(300)
	if os.Getenv("CHAIRLIFT_TEST_ALL") != "" {
		seeds = 3000
	}
	var pushes, twice, givenUp int
	for seed := range seeds {
		w := newWorld(seed)
		if problem := w.run(); problem != "" {
			t.Fatalf("seed %d: %s", seed, problem)
		}
		pushes, twice, givenUp = pushes+w.sent, twice+len(w.heard)-w.distinct(), givenUp+w.givenUp
	}
	t.Logf("%d pushes: %d heard again, %d given up", pushes, twice, givenUp)
}

type world struct {
	rnd  *rand.Rand
	core *Core
	now  time.Time

	asks     []Ask
	calls    []Call
	told     []Process
	sockets  map[SocketID]*line
	last     SocketID
	games    string // what Games heard last: "connect" or "lost"
	disorder string

	called   map[string]int  // RequestId to how often it was carried out
	waiting  map[string]bool // requests the client waits for
	requests int
	sent     int   // pushes
	heard    []int // the pushes the client heard
	givenUp  int
	breaks   int // how often sockets break, in percent of the events
}

// line is one socket: what the door wrote and the client has not read yet.
type line struct {
	open, admitted bool
	frames         []Action
	read           uint64 // the highest number read
	asked          uint64 // what Confirmed has been told
}

func newWorld(seed uint64) *world {
	return &world{
		rnd: rand.New(rand.NewPCG(seed, 1)), core: NewCore(), now: time.Unix(1_800_000_000, 0),
		sockets: make(map[SocketID]*line), called: make(map[string]int), waiting: make(map[string]bool),
		games: "lost", breaks: int(seed % 8),
	}
}

var simulated = Process{Fleet: "f", Compute: "c", ID: "A"}

func (w *world) run() string {
	for range 300 {
		w.now = w.now.Add(time.Duration(w.rnd.IntN(50)) * time.Millisecond)
		w.event(w.rnd.IntN(100))
	}
	// Now nothing breaks any more, and everything must settle.
	if len(w.open()) == 0 {
		w.connect()
	}
	for range 1000 {
		w.now = w.now.Add(5 * time.Millisecond)
		w.settle()
	}
	return w.verdict()
}

func (w *world) step(ev Event) {
	for _, a := range w.core.Step(w.now, ev) {
		switch a := a.(type) {
		case Ask:
			if w.games == "lost" && len(w.told) > 0 {
				w.disorder = "asked about a connect while Disconnected was in progress"
			}
			w.asks = append(w.asks, a)
		case Admit:
			w.sockets[a.Socket].admitted = true
		case Refuse, Drop:
			w.disorder = fmt.Sprintf("unexpected %T", a)
		case Call:
			w.calls = append(w.calls, a)
			accept := a.Request.(AcceptPlayerSession)
			w.called[accept.PlayerSessionID]++
		case SendReply:
			w.write(a.Socket, a)
		case SendPush:
			w.write(a.Socket, a)
		case Note:
			w.givenUp++
		case Lost:
			if w.games == "lost" {
				w.disorder = "lost twice"
			}
			w.games = "lost"
			w.told = append(w.told, a.Process)
		}
	}
}

func (w *world) write(id SocketID, a Action) {
	if s := w.sockets[id]; s != nil {
		s.frames = append(s.frames, a)
		return
	}
	w.disorder = "wrote to a socket that is gone"
}

func (w *world) open() (ids []SocketID) {
	for id, s := range w.sockets {
		if s.open {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (w *world) event(dice int) {
	open := w.open()
	switch {
	case dice < 8 && len(w.sockets) < 3:
		w.connect()
	case dice < 8+w.breaks && len(open) > 0: // a socket breaks, with what is in it
		id := open[w.rnd.IntN(len(open))]
		delete(w.sockets, id)
		w.step(Closed{id})
	case dice < 40 && len(open) > 0:
		w.requests++
		w.request(fmt.Sprintf("r%d", w.requests), open)
	case dice < 45 && len(open) > 0 && len(w.waiting) > 0: // an impatient client
		ids := make([]string, 0, len(w.waiting))
		for id := range w.waiting {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		w.request(ids[w.rnd.IntN(len(ids))], open)
	case dice < 50:
		w.sent++
		w.step(Pushed{simulated, TerminateProcess{TerminationTime: time.UnixMilli(int64(w.sent))}})
	default:
		w.settle()
	}
}

func (w *world) connect() {
	w.last++
	w.sockets[w.last] = &line{}
	w.step(Knock{w.last, Hello{Process: simulated, Token: "t", IdempotencyToken: fmt.Sprint(w.rnd.IntN(3))}})
}

func (w *world) request(id string, open []SocketID) {
	w.waiting[id] = true
	w.step(Received{Socket: open[len(open)-1], RequestID: id, Action: "AcceptPlayerSession", Request: AcceptPlayerSession{PlayerSessionID: id}})
}

// settle lets one thing of each kind go on.
func (w *world) settle() {
	if len(w.told) > 0 {
		p := w.told[0]
		w.told = w.told[1:]
		w.step(Told{p})
	}
	if len(w.asks) > 0 {
		a := w.asks[0]
		w.asks = w.asks[1:]
		w.games = "connect"
		w.step(Admitted{Socket: a.Socket})
	}
	for _, id := range w.ids() {
		s := w.sockets[id]
		if s.admitted && !s.open {
			s.open = true
			w.step(Opened{id})
		}
		if len(s.frames) > 0 {
			for range 1 + w.rnd.IntN(len(s.frames)) {
				w.read(s)
			}
		} else if s.open && s.asked < s.read {
			s.asked = s.read
			w.step(Confirmed{Socket: id, Number: s.read, OK: true})
		}
	}
	if len(w.calls) > 0 {
		i := w.rnd.IntN(len(w.calls))
		a := w.calls[i]
		w.calls = slices.Delete(w.calls, i, i+1)
		w.step(Answered{Process: a.Process, Call: a.Call})
	}
	if due := w.core.Due(); !due.IsZero() && !due.After(w.now) {
		w.step(Tick{})
	}
}

func (w *world) ids() (ids []SocketID) {
	for id := range w.sockets {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (w *world) read(s *line) {
	a := s.frames[0]
	s.frames = s.frames[1:]
	switch a := a.(type) {
	case SendReply:
		delete(w.waiting, a.RequestID)
		s.read = max(s.read, a.Number)
	case SendPush:
		w.heard = append(w.heard, int(a.Push.(TerminateProcess).TerminationTime.UnixMilli()))
		s.read = max(s.read, a.Number)
	}
}

func (w *world) verdict() string {
	if w.disorder != "" {
		return w.disorder
	}
	for id, n := range w.called {
		if n != 1 {
			return fmt.Sprintf("%s was carried out %d times", id, n)
		}
	}
	if len(w.called) != w.requests {
		return fmt.Sprintf("%d of %d requests were carried out", len(w.called), w.requests)
	}
	if len(w.waiting) != 0 {
		return fmt.Sprintf("never answered: %v", w.waiting)
	}
	for n, times := range w.hearings() {
		if times > maxPushTries {
			return fmt.Sprintf("push %d was heard %d times", n, times)
		}
	}
	if w.distinct()+w.givenUp < w.sent {
		return fmt.Sprintf("%d of %d pushes were heard, %d given up", w.distinct(), w.sent, w.givenUp)
	}
	return ""
}

func (w *world) hearings() map[int]int {
	times := make(map[int]int)
	for _, n := range w.heard {
		times[n]++
	}
	return times
}

func (w *world) distinct() int { return len(w.hearings()) }
