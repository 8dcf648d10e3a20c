package fleet

import (
	"maps"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Pace is how fast an instance starts its processes: First apart at the
// beginning and after every failure, Step less after every process that became
// ready, never below Least (behaviour 2.5 rule 5).
type Pace struct{ First, Step, Least time.Duration }

// The two paces there are.
var (
	StandardPace = Pace{First: 3 * time.Second, Step: time.Second, Least: time.Second}
	// LocalPace is for machines people sit at (design section 9).
	LocalPace = Pace{First: 100 * time.Millisecond, Least: 100 * time.Millisecond}
)

// Crash loops (behaviour 2.6): after fastExits exits of an entry's processes,
// each within FastExit of its launch, the next launch of that entry waits
// firstBackoff, then twice as long each time up to lastBackoff. Fast exits
// further apart than forgiven start a new count.
const (
	FastExit     = time.Minute
	fastExits    = 5
	firstBackoff = 3 * time.Second
	lastBackoff  = time.Minute
	forgiven     = 10 * time.Minute
)

// Pacing remembers how the launches of an instance went. It is a value: each
// method returns what it becomes.
type Pacing struct {
	pace    Pace
	last    time.Time // the last launch
	eased   time.Duration
	streaks map[lift.ServerProcess]streak
}

// streak counts the fast exits of an entry.
type streak struct {
	exits int
	last  time.Time
}

// NewPacing returns the pacing of an instance that launched nothing yet.
func NewPacing(p Pace) Pacing { return Pacing{pace: p} }

func (p Pacing) delay() time.Duration { return max(p.pace.First-p.eased, p.pace.Least, 0) }

// next is when the next launch may be; long ago if there was none yet.
func (p Pacing) next() time.Time { return p.last.Add(p.delay()) }

// Launched notes a launch.
func (p Pacing) Launched(now time.Time) Pacing {
	p.last = now
	return p
}

// Healthy notes that a process of e became ready for the first time.
func (p Pacing) Healthy() Pacing {
	p.eased = min(p.eased+p.pace.Step, p.pace.First)
	return p
}

// Served notes that a process of e hosts a game session: the entry works, its
// fast exits are forgotten.
func (p Pacing) Served(e lift.ServerProcess) Pacing {
	return p.set(e, streak{})
}

// Failed notes that a process of e, launched at started, is gone without having
// been of use, or could not be launched at all.
func (p Pacing) Failed(now, started time.Time, e lift.ServerProcess) Pacing {
	p.eased = 0
	s := p.streaks[e]
	if now.Sub(started) >= FastExit || now.Sub(s.last) >= forgiven {
		s.exits = 0
	}
	if now.Sub(started) < FastExit {
		s.exits++
	}
	s.last = now
	return p.set(e, s)
}

// Hopeless notes that e could not be launched for a reason that seldom goes
// away, such as a path that leads nowhere: it waits at once, not after five tries.
func (p Pacing) Hopeless(now time.Time, e lift.ServerProcess) Pacing {
	p.eased = 0
	s := p.streaks[e]
	return p.set(e, streak{exits: max(s.exits+1, fastExits), last: now})
}

// blockedUntil returns how often e ended fast, and when its next process may start.
func (p Pacing) blockedUntil(e lift.ServerProcess) (exits int, at time.Time) {
	s := p.streaks[e]
	if s.exits < fastExits {
		return s.exits, time.Time{}
	}
	wait := firstBackoff << min(s.exits-fastExits, 5)
	return s.exits, s.last.Add(min(wait, lastBackoff))
}

func (p Pacing) set(e lift.ServerProcess, s streak) Pacing {
	next := maps.Clone(p.streaks)
	if next == nil {
		next = make(map[lift.ServerProcess]streak)
	}
	next[e] = s
	p.streaks = next
	return p
}
