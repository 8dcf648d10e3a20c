package fleet

import (
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// MaxProcesses is how many server processes an instance runs at most, whatever
// its runtime configuration says (behaviour 2.5).
const MaxProcesses = 50

// LaunchState is what Launch weighs: the wanted processes of an instance, those
// that exist, and how the last launches went.
type LaunchState struct {
	Runtime lift.RuntimeConfiguration
	Running []lift.ServerProcess // the entry of every process that exists, until it has exited
	Pacing  Pacing
}

// LaunchPlan is what an instance needs next.
type LaunchPlan struct {
	Start  []lift.ServerProcess // the entries to start a process of, in order; one entry may come up several times
	LookAt time.Time            // ask again then; zero: when something happens
	Why    []string             // one sentence for everything that is not as configured
}

// Launch says which processes to start now (behaviour 2.5). Running processes
// are compared with the configuration entry by entry; entries are the same only
// if path, parameters and count match. A process is never ended because its
// entry shrank, changed or went away: it takes the place of a new one until it
// ends.
func Launch(now time.Time, s LaunchState) LaunchPlan {
	var p LaunchPlan
	running := make(map[lift.ServerProcess]int, len(s.Runtime.ServerProcesses))
	for _, e := range s.Running {
		running[e]++
	}
	total := min(s.Runtime.Total(), MaxProcesses)
	vacant := total - len(s.Running)
	next := s.Pacing.next()
	for _, e := range s.Runtime.ServerProcesses {
		missing := e.Count - running[e]
		running[e] = max(0, -missing) // the rest counts for an equal entry further down
		if missing <= 0 {
			continue
		}
		// An entry that waits leaves its vacancies to those after it.
		if exits, at := s.Pacing.blockedUntil(e); now.Before(at) {
			p.LookAt = sooner(p.LookAt, at)
			p.why("%d of %s: %d processes ended soon after their launch or could not be launched; the next launch waits %s",
				missing, e.LaunchPath, exits, at.Sub(now).Round(time.Millisecond))
			continue
		}
		for ; missing > 0 && vacant > 0 && !now.Before(next); missing-- {
			p.Start = append(p.Start, e)
			vacant--
			next = now.Add(s.Pacing.delay())
		}
		switch {
		case missing == 0:
		case vacant == 0:
			p.why("%d of %s: the instance runs %d processes, and its configuration asks for no more; they start as others end", missing, e.LaunchPath, total)
		case vacant < 0:
			p.why("%d of %s: the instance runs more processes than its configuration asks for; they start as others end", missing, e.LaunchPath)
		default:
			p.LookAt = sooner(p.LookAt, next)
			p.why("%d of %s: launches are %s apart", missing, e.LaunchPath, s.Pacing.delay())
		}
	}
	return p
}

func (p *LaunchPlan) why(format string, args ...any) {
	p.Why = append(p.Why, fmt.Sprintf(format, args...))
}
