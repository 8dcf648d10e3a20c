package sim

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plan is what the seed chooses before anything happens.
type plan struct {
	servers   int           // of the service, on one store
	busy      time.Duration // how long clients and faults go on
	clients   int
	fleets    int           // at most
	instances int           // of one fleet, at most
	processes int           // of one instance
	cap       int           // of sessions activating at once on one instance; 0: none
	patience  int           // seconds for a session to be activated
	pause     time.Duration // of a client between two requests
	seekers   int           // players who look for matches; 0: nobody does
	sink      bool          // somebody hears of events
	faults    faults
}

// faults says which there are at all. A world with few of them shows what a
// world with all hides.
type faults struct {
	cut        bool // connections break
	partition  bool // an agent cannot reach the service for minutes
	slow       bool // frames take seconds
	crash      bool // the service ends between two steps
	death      bool // an agent dies with its processes
	refuse     bool // the host does not start an instance
	hostLate   bool // the host takes its time
	prepare    bool // an instance cannot be prepared
	games      bool // game servers misbehave
	players    bool // players do not come, or come twice
	storeFails bool // a transaction is refused
	storeStops bool // a transaction fails at each of its steps
	storeAgain bool // a transaction runs twice, as after a conflict
	storeDoubt bool // a transaction is committed and reported as failed
	sleep      bool // the machine sleeps
	skew       bool // a server's clock is set

	// where there are several servers
	away   bool // one ends and does not come back, perhaps its machine neither
	split  bool // one cannot reach the store for minutes
	clocks bool // their clocks differ
	deaf   bool // they are not told what others commit
}

// anyFault reports whether the plan has a fault.
func (p *plan) anyFault() bool { return p.faults != faults{} }

// A setting is one choice of a plan, as people write it.
type setting struct {
	name string
	at   any // *bool, *int or *time.Duration
}

func (p *plan) settings() []setting {
	f := &p.faults
	return []setting{
		{"servers", &p.servers}, {"busy", &p.busy}, {"clients", &p.clients}, {"fleets", &p.fleets}, {"instances", &p.instances}, {"processes", &p.processes},
		{"cap", &p.cap}, {"patience", &p.patience}, {"pause", &p.pause}, {"seekers", &p.seekers}, {"sink", &p.sink},
		{"cut", &f.cut}, {"partition", &f.partition}, {"slow", &f.slow}, {"crash", &f.crash}, {"death", &f.death},
		{"refuse", &f.refuse}, {"hostLate", &f.hostLate}, {"prepare", &f.prepare}, {"games", &f.games}, {"players", &f.players},
		{"storeFails", &f.storeFails}, {"storeStops", &f.storeStops}, {"storeAgain", &f.storeAgain}, {"storeDoubt", &f.storeDoubt},
		{"sleep", &f.sleep}, {"skew", &f.skew}, {"away", &f.away}, {"split", &f.split}, {"clocks", &f.clocks}, {"deaf", &f.deaf},
	}
}

func (s setting) String() string {
	return s.name + "=" + fmt.Sprint(reflect.ValueOf(s.at).Elem())
}

// change sets what a list such as "cut=false,clients=1,busy=1m30s" names.
func (p *plan) change(list string) error {
	for one := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(one, "=")
		all := p.settings()
		i := slices.IndexFunc(all, func(s setting) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("a plan has no %q; there are %v", name, all)
		}
		var err error
		switch at := all[i].at.(type) {
		case *bool:
			*at, err = strconv.ParseBool(value)
		case *int:
			*at, err = strconv.Atoi(value)
		case *time.Duration:
			*at, err = time.ParseDuration(value)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", one, err)
		}
	}
	return nil
}

// choose makes most worlds small and short, because many of them find more than
// a few large ones in the same time, and some large, for what needs a crowd.
func choose(rng *rand.Rand) plan {
	size, busy := 2, 40+rng.IntN(85)
	if rng.IntN(14) == 0 {
		size, busy = 4, 180+rng.IntN(360)
	}
	p := plan{
		servers:   []int{1, 1, 1, 1, 1, 2, 2, 2, 3, 3}[rng.IntN(10)],
		busy:      time.Duration(busy) * time.Second,
		clients:   1 + rng.IntN(size),
		fleets:    1 + rng.IntN(min(size, 3)),
		instances: 1 + rng.IntN(min(size, 3)),
		processes: 1 + rng.IntN(size),
		cap:       rng.IntN(3),
		patience:  10 + rng.IntN(60),
		pause:     time.Duration(1+rng.IntN(8)) * time.Second,
	}
	if rng.IntN(3) > 0 {
		p.seekers, p.sink = 4+rng.IntN(3*size), rng.IntN(2) == 0
	}
	often := rng.IntN(100) // how likely each fault is in this world
	for _, s := range p.settings() {
		if on, ok := s.at.(*bool); ok && s.name != "sink" {
			*on = rng.IntN(100) < often
		}
	}
	return p
}

// String spells a plan as change reads it, with the faults that are on.
func (p plan) String() string {
	var on []string
	for _, s := range p.settings() {
		if text := s.String(); !strings.HasSuffix(text, "=false") {
			on = append(on, text)
		}
	}
	return strings.Join(on, ",")
}

// scheduleFaults starts those that come by themselves.
func (w *world) scheduleFaults() {
	f := w.plan.faults
	w.nowAndThen(f.cut, 90*time.Second, func() {
		if i := w.pick(); i != nil {
			i.cut("the connection breaks", w.some(time.Second))
		}
	})
	w.nowAndThen(f.partition, 4*time.Minute, func() {
		if i := w.pick(); i != nil {
			i.partition(w.some(5 * time.Minute))
		}
	})
	w.nowAndThen(f.crash, 3*time.Minute, func() {
		if s := w.anyServer(); s != nil {
			s.crash()
		}
	})
	w.nowAndThen(f.crash, 2*time.Minute, func() {
		if s := w.anyServer(); s != nil {
			s.store.crashAt = 1 + w.rng.IntN(3)
		}
	})
	w.nowAndThen(f.split && w.plan.servers > 1, 3*time.Minute, func() {
		if s := w.anyServer(); s != nil {
			d := w.some(5 * time.Minute)
			s.store.cutUntil = w.now.Add(d)
			w.note(s.name, "cannot reach the store for %s", d)
		}
	})
	w.nowAndThen(f.away && w.plan.servers > 1, 5*time.Minute, func() {
		if s := w.anyServer(); s != nil && s.mayLeave() {
			s.end()
			s.leave()
		}
	})
	w.nowAndThen(f.death, 4*time.Minute, func() {
		if i := w.pick(); i != nil {
			w.tally.Deaths++
			i.die("killed")
		}
	})
	w.nowAndThen(f.sleep, 6*time.Minute, func() {
		d := w.some(20 * time.Minute)
		w.tally.Sleeps++
		w.note("world", "everything sleeps for %s", d)
		w.now = w.now.Add(d).Truncate(time.Microsecond)
	})
	w.nowAndThen(f.skew, 4*time.Minute, func() {
		d := w.some(4*time.Minute) - time.Minute
		s := w.pickServer(func(*server) bool { return true })
		s.skew += d.Truncate(time.Microsecond)
		w.note(s.name, "its clock is set by %s", d)
	})
}

// nowAndThen does something at random until the faults stop, the more often
// the shorter the world: mean is that of one of seven minutes.
func (w *world) nowAndThen(on bool, mean time.Duration, do func()) {
	if !on {
		return
	}
	w.after(w.some(2*mean/420*(w.plan.busy/time.Second)), func() {
		if !w.calm {
			do()
			w.nowAndThen(on, mean, do)
		}
	})
}
