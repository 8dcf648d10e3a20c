package placement

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// place is a candidate with what puts it in order, or why it is out.
type place struct {
	Candidate
	skip  lift.Skip
	index int // of the destination
	delay delay
}

// location is where the candidate's fleet is.
func (p place) location() string {
	if p.Fleet == nil {
		return ""
	}
	return p.Fleet.Region
}

// out is 1 for a place that may not be used, else 0.
func (p place) out() int { return min(len(p.skip.Reason), 1) }

// rank looks at every candidate and puts those that may be used in the queue's
// order, behind those that may not (behaviour 8.5).
func rank(now time.Time, q lift.Queue, p lift.Placement, cs []Candidate) []place {
	most, _, limited := limit(now, q, p)
	players := playersOf(p)
	places := make([]place, len(cs))
	for i, c := range cs {
		pl := place{Candidate: c, index: i}
		pl.delay = delayOf(p, pl.location())
		reason, detail := "", ""
		switch {
		case c.Fleet == nil:
			reason, detail = NoFleet, c.Problem
		case c.Fleet.Status != lift.FleetActive:
			reason, detail = FleetNotActive, "it is "+string(c.Fleet.Status)
		case len(q.AllowedLocations) > 0 && !slices.Contains(q.AllowedLocations, pl.location()):
			reason, detail = NotAllowed, pl.location()
		case limited && pl.delay.players < players:
			reason, detail = TooFar, fmt.Sprintf("%d of %d players gave no latency to %s, and %d ms is the limit now", players-pl.delay.players, players, pl.location(), most)
		case limited && pl.delay.worst > float64(most):
			reason, detail = TooFar, fmt.Sprintf("%s is %g ms from a player, and %d ms is the limit now", pl.location(), pl.delay.worst, most)
		}
		if reason != "" {
			pl.skip = lift.Skip{Place: c.Destination, Reason: reason, Detail: detail}
		}
		places[i] = pl
	}
	keys := order(q, len(p.Latencies) > 0)
	slices.SortStableFunc(places, func(a, b place) int {
		if out := a.out() + b.out(); out > 0 {
			return b.out() - a.out()
		}
		for _, k := range keys {
			if d := compare(k, q, a, b); d != 0 {
				return d
			}
		}
		return cmp.Compare(a.index, b.index)
	})
	return places
}

// order is the list of keys that decide: the queue's, then what it leaves out.
func order(q lift.Queue, latencies bool) []lift.PriorityKey {
	usual := []lift.PriorityKey{lift.ByDestination, lift.ByLocation}
	if latencies {
		usual = []lift.PriorityKey{lift.ByLatency, lift.ByCost, lift.ByDestination, lift.ByLocation}
	}
	keys := slices.Clone(q.PriorityOrder)
	for _, k := range usual {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func compare(k lift.PriorityKey, q lift.Queue, a, b place) int {
	switch k {
	case lift.ByLatency:
		// A place that nobody gave a latency to comes last.
		if d := cmp.Compare(min(b.delay.players, 1), min(a.delay.players, 1)); d != 0 {
			return d
		}
		return cmp.Compare(a.delay.mean, b.delay.mean)
	case lift.ByCost:
		return 0 // no prices are known, so all are equal
	case lift.ByDestination:
		return cmp.Compare(a.index, b.index)
	case lift.ByLocation:
		return cmp.Or(
			cmp.Compare(position(q.LocationOrder, a.location()), position(q.LocationOrder, b.location())),
			cmp.Compare(a.location(), b.location()))
	}
	return 0
}

// position is the place of s in the list, behind its end if it is not there.
func position(list []string, s string) int {
	if i := slices.Index(list, s); i >= 0 {
		return i
	}
	return len(list)
}

// listed keeps the places that the placement lists, in its order.
func listed(p lift.Placement, places []place) []place {
	for i := range places {
		pl := &places[i]
		if pl.skip.Reason == "" && !slices.Contains(p.Locations, pl.location()) {
			pl.skip = lift.Skip{Place: pl.Destination, Reason: NotListed, Detail: pl.location()}
		}
	}
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Compare(position(p.Locations, a.location()), position(p.Locations, b.location()))
	})
	return places
}

// limit is the latency policy in force: the most milliseconds, and until when;
// zero is until the end. There is none without latencies, and none after the
// last policy (behaviour 8.4).
func limit(now time.Time, q lift.Queue, p lift.Placement) (ms int, until time.Time, ok bool) {
	if len(p.Latencies) == 0 {
		return 0, time.Time{}, false
	}
	until = p.StartedAt
	for _, policy := range q.LatencyPolicies {
		if policy.DurationSeconds == 0 {
			return policy.MaxMS, time.Time{}, true
		}
		if until = until.Add(time.Duration(policy.DurationSeconds) * time.Second); now.Before(until) {
			return policy.MaxMS, until, true
		}
	}
	return 0, time.Time{}, false
}

// delay is how far the players of a placement are from a location.
type delay struct {
	players     int // who gave a latency to it
	mean, worst float64
}

func delayOf(p lift.Placement, location string) delay {
	last := map[string]int{} // a later value of a player replaces an earlier one
	for i, l := range p.Latencies {
		if l.Region == location {
			last[l.PlayerID] = i
		}
	}
	var d delay
	for i, l := range p.Latencies {
		if at, ok := last[l.PlayerID]; ok && at == i {
			d.players++
			d.mean += l.MS
			d.worst = max(d.worst, l.MS)
		}
	}
	d.mean /= float64(max(d.players, 1))
	return d
}

// playersOf counts the players who gave latencies.
func playersOf(p lift.Placement) int {
	ids := map[string]bool{}
	for _, l := range p.Latencies {
		ids[l.PlayerID] = true
	}
	return len(ids)
}
