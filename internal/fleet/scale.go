package fleet

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Clocks of scaling policies (behaviour 2.17).
const (
	SampleEvery = time.Minute
	ruleRest    = 10 * time.Minute // a rule that fired fires no more for so long
	targetRest  = 15               // minutes below the target before a fleet shrinks
)

// Usage is what policies weigh: a fleet at one moment.
type Usage struct {
	Instances, Idle      int // ACTIVE ones; without a live game session
	Activating, Active   int // game sessions
	Available            int // idle, healthy processes on ACTIVE instances
	Activatable          int // of these, on instances below their limit of activations
	Unhealthy            int // ready processes that are not healthy
	Players, FreeSeats   int // slots of ACTIVE sessions, held and not
	QueueDepth           int // placements that would come here first
	LongestWait          time.Duration
	ProcessesPerInstance int // as configured
}

// Value is the metric's. There is none without instances, but for those about
// queues.
func (u Usage) Value(m lift.Metric) (v float64, ok bool) {
	switch m {
	case lift.QueueDepth:
		return float64(u.QueueDepth), true
	case lift.WaitTime:
		return u.LongestWait.Seconds(), true
	}
	if u.Instances == 0 {
		return 0, false
	}
	switch m {
	case lift.ActivatingGameSessions:
		return float64(u.Activating), true
	case lift.ActiveGameSessions:
		return float64(u.Active), true
	case lift.ActiveInstances:
		return float64(u.Instances), true
	case lift.AvailableGameSessions:
		return float64(u.Available), true
	case lift.ConcurrentActivatable:
		return float64(u.Activatable), true
	case lift.AvailablePlayerSessions:
		return float64(u.FreeSeats), true
	case lift.CurrentPlayerSessions:
		return float64(u.Players), true
	case lift.IdleInstances:
		return float64(u.Idle), true
	case lift.PercentIdleInstances:
		return 100 * float64(u.Idle) / float64(u.Instances), true
	case lift.PercentAvailableGameSessions:
		all := u.Active + u.Available + u.Unhealthy
		return 100 * float64(u.Available) / float64(all), all > 0
	}
	return 0, false
}

// Scale weighs the policies of an ACTIVE fleet, one after the other, and returns
// them with what they now remember, the capacity, and a sentence for each
// change of it.
func Scale(now time.Time, c lift.Capacity, policies []lift.ScalingPolicy, u Usage) ([]lift.ScalingPolicy, lift.Capacity, []string) {
	policies = slices.Clone(policies)
	var why []string
	for i := range policies {
		p := &policies[i]
		was, reason := c.Desired, ""
		if p.Target > 0 {
			c.Desired, reason = aim(p, c, u)
		} else {
			c.Desired, reason = apply(now, p, c, u)
		}
		if c.Desired != was {
			why = append(why, fmt.Sprintf("scaling policy %s changed the desired instances from %d to %d (minimum %d, maximum %d): %s", p.Name, was, c.Desired, c.Min, c.Max, reason))
		}
	}
	return policies, c, why
}

// apply lets a rule fire when its metric has breached the threshold for long
// enough. It goes on counting while it rests, so it may fire as soon as it may.
func apply(now time.Time, p *lift.ScalingPolicy, c lift.Capacity, u Usage) (desired int, why string) {
	v, ok := u.Value(p.Metric)
	if !ok || !breaches(v, p.Comparison, p.Threshold) {
		p.Breaches = 0
		return c.Desired, ""
	}
	p.Breaches++
	if p.Breaches < p.Periods || now.Before(p.FiredAt.Add(ruleRest)) {
		return c.Desired, ""
	}
	minutes := p.Breaches
	p.Breaches, p.FiredAt = 0, now
	return within(c, adjusted(c.Desired, *p)), fmt.Sprintf("%s is %g, which breaches its threshold of %g for %d minutes", p.Metric, v, p.Threshold, minutes)
}

// Outlook says in a sentence where a policy stands.
func Outlook(now time.Time, p lift.ScalingPolicy) string {
	if p.Target > 0 {
		s := fmt.Sprintf("scaling policy %s keeps %g%% of the game sessions available", p.Name, p.Target)
		if p.Breaches > 0 {
			s += fmt.Sprintf("; more are available for %d minutes, and after %d unused instances go", p.Breaches, targetRest)
		}
		return s
	}
	s := fmt.Sprintf("scaling policy %s watches %s, which breaches its threshold of %g for %d of %d minutes", p.Name, p.Metric, p.Threshold, p.Breaches, p.Periods)
	if rest := p.FiredAt.Add(ruleRest).Sub(now); rest > 0 {
		s += fmt.Sprintf("; it fired and rests for another %s", rest.Round(time.Second))
	}
	return s
}

func breaches(v float64, c lift.Comparison, threshold float64) bool {
	switch c {
	case lift.AtLeast:
		return v >= threshold
	case lift.Above:
		return v > threshold
	case lift.Below:
		return v < threshold
	case lift.AtMost:
		return v <= threshold
	}
	return false
}

// adjusted is what a rule makes of the desired number. A percentage is rounded
// away from zero, so that it is always one instance at least.
func adjusted(desired int, p lift.ScalingPolicy) int {
	switch p.Adjustment {
	case lift.ExactCapacity:
		return p.Amount
	case lift.ChangeInNumber:
		return desired + p.Amount
	}
	change := float64(max(desired, 1)) * float64(p.Amount) / 100
	return desired + int(math.Copysign(math.Ceil(math.Abs(change)), change))
}

// aim keeps the target: so many instances that the wanted share of their
// processes stays available. It grows at once; it shrinks after a while, and
// only by what is unused.
func aim(p *lift.ScalingPolicy, c lift.Capacity, u Usage) (desired int, why string) {
	used := u.Active + u.Activating
	slots := float64(used) / (1 - p.Target/100)
	want := within(c, int(math.Ceil(slots/float64(max(u.ProcessesPerInstance, 1))-1e-9)))
	why = fmt.Sprintf("%d game sessions with %g%% to spare need %d instances of %d processes", used, p.Target, want, u.ProcessesPerInstance)
	if want >= c.Desired {
		p.Breaches = 0
		return want, why
	}
	if p.Breaches++; p.Breaches < targetRest {
		return c.Desired, ""
	}
	if want = max(want, c.Desired-u.Idle); want < c.Desired {
		p.Breaches = 0
	}
	return want, why
}

func within(c lift.Capacity, n int) int { return min(max(n, c.Min), c.Max) }
