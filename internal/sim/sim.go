package sim

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

// Outcome is what became of a world.
type Outcome struct {
	Plan   string        // what the seed chose
	Hash   uint64        // of everything that happened, in order; the same in one process only
	Events int           // how many there were
	Lasted time.Duration // of the world's own time
	Tally  Tally
	Err    error // what went wrong first
}

// Tally counts what happened, so that a test can tell a busy world from an
// empty one.
type Tally struct {
	Commits, Sessions, Activated, Placed, Seated, Tickets, Matched, Hosted, Backfilled               int
	Cuts, Crashes, Deaths, Exits, Refusals, StoreFaults, Sleeps, Left, Leases, Weighed, Asked, Heard int
}

// Add sums up two tallies.
func (t *Tally) Add(o Tally) {
	for i, p := range t.fields() {
		*p += *o.fields()[i]
	}
}

func (t *Tally) fields() []*int {
	return []*int{
		&t.Commits, &t.Sessions, &t.Activated, &t.Placed, &t.Seated, &t.Tickets, &t.Matched, &t.Hosted, &t.Backfilled,
		&t.Cuts, &t.Crashes, &t.Deaths, &t.Exits, &t.Refusals, &t.StoreFaults, &t.Sleeps, &t.Left, &t.Leases, &t.Weighed, &t.Asked, &t.Heard,
	}
}

const (
	region  = "us-west-2"
	account = "123456789012"

	calmFor   = time.Minute      // after the faults, with clients
	restLimit = 45 * time.Minute // after the faults, for everything to come to rest
	restLook  = 10 * time.Second
	maxEvents = 1_000_000
)

// Options say where a world lives. The zero value is a store in memory and a
// story that nobody reads; the hash is the same whatever they say.
type Options struct {
	Trace io.Writer // takes the story
	// Open opens an empty store that knows store.Kinds, for so many servers: one
	// for each, perhaps the same.
	Open func(servers int) ([]store.Store, error)
	// Plan changes what the seed chose: "cut=false,clients=1". See Outcome.Plan
	// for what there is.
	Plan string
}

// Run lives through the world of a seed.
func Run(seed uint64, o Options) Outcome {
	w := newWorld(seed, choose, o)
	defer w.close()
	return w.outcome(w.live)
}

// outcome runs life and tells what became of the world. A panic is a failure
// like others.
func (w *world) outcome(life func()) Outcome {
	begin := w.now
	func() {
		defer func() {
			if p := recover(); p != nil {
				w.fail("panic: %v\n%s", p, debug.Stack())
			}
		}()
		life()
	}()
	return Outcome{
		Plan: w.plan.String(), Hash: w.hash.Sum64(), Events: w.events, Lasted: w.now.Sub(begin), Tally: w.tally, Err: w.err,
	}
}

var hashSeed = maphash.MakeSeed()

// world is everything there is.
type world struct {
	plan   plan
	dice   *rand.PCG
	rng    *rand.Rand // throws the dice
	now    time.Time
	queue  timeline
	seq    int
	calm   bool      // no more faults
	calmAt time.Time // since when
	quiet  bool      // and no more clients
	rest   bool      // and everything has settled

	staged bool // players and game servers do what a scenario says and nothing else

	hash   maphash.Hash
	line   []byte // of the story, to use again
	trace  io.Writer
	events int
	tally  Tally
	err    error

	ctx     context.Context // of a caller
	servers []*server
	order   []*instance     // of their start
	shapes  map[uint64]bool // of transactions that there were; see faultStore.run
	clients []*client
	facts   facts

	acting     *server // whose commit is looked at
	overtaking bool    // one acts in the middle of another's transaction
}

func newWorld(seed uint64, choose func(*rand.Rand) plan, o Options) *world {
	dice := rand.NewPCG(seed, 0x5eed)
	w := &world{
		dice: dice, rng: rand.New(dice), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		trace: o.Trace, facts: newFacts(), shapes: map[uint64]bool{},
		ctx: auth.WithCaller(context.Background(), auth.Caller{Account: account, Region: region, Principal: "arn:aws:iam::" + account + ":user/sim"}),
	}
	w.hash.SetSeed(hashSeed)
	w.plan = choose(w.rng)
	if o.Plan != "" {
		if err := w.plan.change(o.Plan); err != nil {
			w.fail("the plan: %v", err)
		}
	}
	if o.Open == nil {
		o.Open = inMemory
	}
	stores, err := o.Open(w.plan.servers)
	if err != nil {
		panic(fmt.Sprintf("sim: a store cannot be opened: %v", err)) // nothing to play with
	}
	w.newServers(stores)
	w.note("world", "%v", w.plan)
	return w
}

func inMemory(servers int) ([]store.Store, error) {
	db, err := memdb.New(store.Kinds()...)
	return slices.Repeat([]store.Store{db}, servers), err
}

func (w *world) close() {
	for _, s := range w.servers {
		s.store.Close()
	}
}

// live goes from event to event until everything has come to rest.
func (w *world) live() {
	w.begin()
	for i := range w.plan.clients {
		c := &client{w: w, name: fmt.Sprint("c", i)}
		w.clients = append(w.clients, c)
		w.after(w.some(2*time.Second), c.act)
	}
	w.scheduleFaults()
	w.after(w.plan.busy, func() {
		w.endFaults()
		w.after(calmFor, w.endClients)
	})
	w.goOn(func() bool { return w.rest })
}

// begin starts the service, with a build that fleets can run.
func (w *world) begin() {
	for _, s := range w.servers {
		s.start()
	}
	w.addBuild()
}

func (w *world) endFaults() {
	w.calm, w.calmAt = true, w.now
	w.note("world", "the faults stop")
	for _, s := range w.servers {
		s.revive()
	}
}

func (w *world) endClients() {
	w.quiet = true
	w.note("world", "the clients stop")
	w.look(w.now.Add(restLimit))
}

// goOn goes from event to event until it is enough.
func (w *world) goOn(enough func() bool) {
	for w.err == nil && !enough() {
		if len(w.queue) == 0 {
			w.fail("nothing happens any more, and the world is not at rest")
			return
		}
		e := w.queue.pop()
		if e.at.After(w.now) {
			w.now = e.at
		}
		if w.events++; w.events > maxEvents {
			w.fail("more than %d events", maxEvents)
			return
		}
		e.do()
		for _, s := range w.servers {
			s.after()
		}
	}
}

// look asks now and again whether everything has settled, until it must have.
func (w *world) look(until time.Time) {
	trouble := w.unsettled()
	switch {
	case trouble == "":
		w.rest = true
	case !w.now.Before(until):
		w.fail("%s after the faults stopped: %s", restLimit, trouble)
	default:
		w.after(restLook, func() { w.look(until) })
	}
}

// fail notes what went wrong, the first time.
func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("at %s, event %d: "+format, append([]any{w.now.Format("15:04:05.000000"), w.events}, args...)...)
		w.note("FAIL", "%v", w.err)
	}
}

// note adds a line to the story.
func (w *world) note(who, format string, args ...any) {
	at := w.lineBegins(who)
	w.line = fmt.Appendf(w.line, format, args...)
	w.lineEnds(who, at)
}

// noteCommit is note for what most lines are about, without what fmt costs.
func (w *world) noteCommit(kind, id string, body []byte) {
	at := w.lineBegins("commit")
	w.line = append(append(append(append(append(w.line, kind...), ' '), id...), ' '), body...)
	w.lineEnds("commit", at)
}

// lineBegins begins a line, and returns where its text is to stand.
func (w *world) lineBegins(who string) int {
	w.line = strconv.AppendInt(w.line[:0], w.now.UnixMicro(), 10)
	w.line = append(append(append(w.line, ' '), who...), ' ')
	return len(w.line)
}

// lineEnds ends a line that has its text from at on.
func (w *world) lineEnds(who string, at int) {
	w.hash.Write(w.line)
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%s %-22s %s\n", w.now.Format("15:04:05.000000"), who, w.line[at:])
	}
}

// Time.

type entry struct {
	at  time.Time
	seq int
	do  func()
}

// timeline is a heap of what is to happen, by time and then in the order it
// was planned.
type timeline []entry

// before reports whether entry i comes before entry j. container/heap would put
// every entry into an interface, which costs worlds a twentieth of their time.
func (q timeline) before(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].seq < q[j].seq
}

func (q *timeline) push(e entry) {
	h := append(*q, e)
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.before(i, up) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	*q = h
}

func (q *timeline) pop() entry {
	h := *q
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], entry{}
	h = h[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down+1 < last && h.before(down+1, down) {
			down++
		}
		if down >= last || !h.before(down, i) {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	*q = h
	return first
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

func (w *world) at(t time.Time, do func()) {
	w.seq++
	w.queue.push(entry{t, w.seq, do})
}

// some is a duration up to most, chance one time in a hundred so often, and
// both ask the seed.
func (w *world) some(most time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(most) + 1))
}
func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// bad is chance while there are faults.
func (w *world) bad(on bool, percent int) bool { return on && !w.calm && w.chance(percent) }
