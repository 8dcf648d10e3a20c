// Package placement decides where a game session goes, and says why every
// other place was passed over (behaviour 3.3 and 8).
//
// It is pure: the engine hands it candidates as values and saves what it
// answers.
//
//	choice, skips := placement.Choose(now, q, p, candidates)
//	if choice == nil { // skips tells the waiting user why
package placement

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Slot is an idle, healthy process as a candidate for a session.
type Slot struct {
	Process lift.Process
	// Status and Activating are its instance's; Cap is the fleet's limit of
	// sessions in ACTIVATING on one instance, 0 for none.
	Status     lift.InstanceStatus
	Activating int
	Cap        int
}

// Candidate is a destination of a queue, resolved.
type Candidate struct {
	Destination string // as the queue names it
	Fleet       *lift.Fleet
	Problem     string // why it leads to no fleet, if it does not
	Slots       []Slot // in order of preference
}

// Choice is the process that gets the session.
type Choice struct {
	Destination string
	Fleet       *lift.Fleet
	Process     lift.Process
}

// The reasons for passing over a place. They are few and fixed so that they
// can be counted and searched for.
const (
	NoFleet         = "leads to no fleet"
	FleetNotActive  = "fleet is not ACTIVE"
	NoIdleProcess   = "no idle process"
	InstanceDrains  = "instance is not ACTIVE"
	ActivationLimit = "instance is at its limit of activating game sessions"
	FailedBefore    = "process failed this placement before"
	NotAllowed      = "location is not among those the queue allows"
	NotListed       = "location is not among those the placement lists"
	TooFar          = "location is too far for a player"
)

// Choose picks the first destination in the queue's order that has a process
// for p now. It also returns every place it passed over with the reason.
// A placement with an order of its own is given one pass by it, then by the
// queue's, unless it wants no other.
func Choose(now time.Time, q lift.Queue, p lift.Placement, cs []Candidate) (*Choice, []lift.Skip) {
	if len(p.Locations) == 0 {
		return pass(p, rank(now, q, p, cs))
	}
	var skips []lift.Skip
	if p.Attempts == 0 || p.OnlyThose {
		choice, passed := pass(p, listed(p, rank(now, q, p, cs)))
		if choice != nil || p.OnlyThose {
			return choice, passed
		}
		skips = passed
	}
	p.Locations = nil
	choice, passed := pass(p, rank(now, q, p, cs))
	if choice != nil {
		return choice, append(skips, passed...)
	}
	return nil, passed
}

// First is the fleet that p would go to if every place had a process, nil if it
// may go nowhere now.
func First(now time.Time, q lift.Queue, p lift.Placement, cs []Candidate) *lift.Fleet {
	places := rank(now, q, p, cs)
	if p.OnlyThose {
		places = listed(p, places)
	}
	for _, c := range places {
		if c.skip.Reason == "" {
			return c.Fleet
		}
	}
	return nil
}

// pass walks through the places in order.
func pass(p lift.Placement, places []place) (*Choice, []lift.Skip) {
	var skips []lift.Skip
	for _, c := range places {
		if c.skip.Reason != "" {
			skips = append(skips, c.skip)
			continue
		}
		slot, passed := Pick(c.Slots, p.Avoid)
		if slot != nil {
			return &Choice{Destination: c.Destination, Fleet: c.Fleet, Process: slot.Process}, append(skips, passed...)
		}
		skips = append(skips, passed...)
		if len(c.Slots) == 0 {
			skips = append(skips, lift.Skip{Place: c.Destination, Reason: NoIdleProcess})
		}
	}
	return nil, skips
}

// Pick returns the first slot that can take a session. Slots come oldest
// instance first, which fills instances one after the other and leaves the
// newest free to be stopped; behaviour 3.3 packs by fullness for the same end,
// which would need a counter written at every session.
func Pick(slots []Slot, avoid []lift.ProcessID) (*Slot, []lift.Skip) {
	var skips []lift.Skip
	for i := range slots {
		s := &slots[i]
		switch {
		case s.Status != lift.InstanceActive:
			skips = append(skips, lift.Skip{Place: string(s.Process.ID), Reason: InstanceDrains, Detail: fmt.Sprintf("instance %s is %s", s.Process.InstanceID, s.Status)})
		case s.Cap > 0 && s.Activating >= s.Cap:
			skips = append(skips, lift.Skip{Place: string(s.Process.ID), Reason: ActivationLimit, Detail: fmt.Sprintf("instance %s has %d of %d", s.Process.InstanceID, s.Activating, s.Cap)})
		case contains(avoid, s.Process.ID):
			skips = append(skips, lift.Skip{Place: string(s.Process.ID), Reason: FailedBefore})
		default:
			return s, skips
		}
	}
	return nil, skips
}

func contains(ids []lift.ProcessID, id lift.ProcessID) bool {
	for _, x := range ids {
		if x == id {
			return true
		}
	}
	return false
}

// Census counts the live processes of a fleet by what keeps them from taking a
// session, for the message of a refused request:
//
//	3 hosting a game session, 1 starting, 1 unhealthy
func Census(ps []*lift.Process) string {
	counts := map[string]int{}
	for _, p := range ps {
		counts[occupation(p)]++
	}
	if len(counts) == 0 {
		return "no server process is running"
	}
	words := make([]string, 0, len(counts))
	for what, n := range counts {
		words = append(words, fmt.Sprintf("%d %s", n, what))
	}
	sort.Strings(words)
	return strings.Join(words, ", ")
}

func occupation(p *lift.Process) string {
	switch {
	case p.State == lift.ProcessHosting:
		return "hosting a game session"
	case p.State == lift.ProcessUsed:
		return "done with a game session and not ready again"
	case p.State == lift.ProcessTerminating:
		return "ending"
	case p.State == lift.ProcessInitializing || p.State == lift.ProcessActivating:
		return "starting"
	case p.Unhealthy:
		return "unhealthy"
	}
	return "idle but not eligible"
}
