package rules

import (
	"math"
	"slices"
)

// mergesCollections says how parties count in a collection rule (5): merged
// into one collection when partyAggregation is written, or by default for the
// operations that compare lists; contains looks at every player's own list.
func mergesCollections(r *Rule) Aggregation {
	if r.Written || r.Operation != Contains {
		return r.Aggregation
	}
	return AggregateNone
}

// collection is 4.4.
func (j *Judge) collection(r *Rule, l *Limits) bool {
	s := shape{merge: mergesCollections(r)}
	reference := l.Value.List
	if l.Value.Kind == ExprReference {
		v := j.eval(l.Value.Expr, s)
		if v.kind == undefined {
			if j.verdict != nil {
				j.say("the reference %s is undefined, so the rule passes", l.Value.Expr)
			}
			return true
		}
		reference = make([]string, len(v.list))
		for i, leaf := range v.list {
			reference[i] = leaf.str
		}
	}
	var wanted map[string]bool
	if len(reference) > 8 {
		wanted = make(map[string]bool, len(reference))
		for _, s := range reference {
			wanted[s] = true
		}
	}
	for _, e := range r.Measurements {
		v := j.eval(e, s)
		if v.kind == undefined {
			continue
		}
		groups := []item{v}
		switch {
		case e.Type.Depth == 1: // one flat list is one collection
			groups = []item{{kind: listItem, list: []item{v}}}
		case e.Type.Depth == 3: // not flattened: team by team
			groups = v.list
		}
		for _, group := range groups {
			if !j.collections(r, l, group.list, reference, wanted) {
				return false
			}
		}
	}
	return true
}

func (j *Judge) collections(r *Rule, l *Limits, all []item, reference []string, wanted map[string]bool) bool {
	switch r.Operation {
	case Intersection:
		common := intersect(all)
		if common.kind == undefined {
			return true
		}
		if !j.countWithin(l, len(common.list)) {
			if j.verdict != nil {
				j.say("strings common to all %d collections: %d, %s", len(all), len(common.list), l.counts())
			}
			return false
		}
		if j.verdict != nil {
			j.say("strings common to all %d collections: %d", len(all), len(common.list))
		}
		return true
	case Contains:
		n := 0
		for _, c := range all {
			if slices.ContainsFunc(c.list, func(s item) bool { return s.str == l.Value.S }) {
				n++
			}
		}
		if !j.countWithin(l, n) {
			if j.verdict != nil {
				j.say("collections that hold %q: %d of %d, %s", l.Value.S, n, len(all), l.counts())
			}
			return false
		}
		if j.verdict != nil {
			j.say("collections that hold %q: %d of %d", l.Value.S, n, len(all))
		}
		return true
	}
	for _, c := range all {
		n := 0
		for i, s := range c.list {
			in := wanted[s.str]
			if wanted == nil {
				in = slices.Contains(reference, s.str)
			}
			if in && !slices.ContainsFunc(c.list[:i], func(t item) bool { return t.str == s.str }) {
				n++
			}
		}
		if !j.countWithin(l, n) {
			if j.verdict != nil {
				j.say("strings of %s found in the reference of %d: %d, %s", c, len(reference), n, l.counts())
			}
			return false
		}
		if j.verdict != nil {
			j.say("strings of the last collection found in the reference of %d: %d", len(reference), n)
		}
	}
	return true
}

func (j *Judge) countWithin(l *Limits, n int) bool {
	j.measured(float64(n))
	return (l.MinCount < 0 || n >= l.MinCount) && (l.MaxCount < 0 || n <= l.MaxCount)
}

func (l *Limits) counts() string {
	switch {
	case l.MinCount < 0:
		return "maxCount is " + number(float64(l.MaxCount))
	case l.MaxCount < 0:
		return "minCount is " + number(float64(l.MinCount))
	}
	return "minCount is " + number(float64(l.MinCount)) + " and maxCount " + number(float64(l.MaxCount))
}

// latency is 4.5: the rule holds if one location counts.
func (j *Judge) latency(r *Rule, l *Limits) bool {
	any := false
	best, worst, where := math.Inf(1), math.Inf(1), ""
	holds := j.eachLocation(func(location string) bool {
		any = true
		ok, high := j.locationCounts(r, l, location)
		if high < worst {
			worst, where = high, location
		}
		if ok {
			best = high
			if j.verdict != nil {
				j.say("%s serves everybody within %s ms", location, number(high))
			}
		}
		return ok
	})
	switch {
	case holds:
		j.measured(best)
	case !any:
		j.why("no location is reported by every player")
	default:
		j.measured(worst)
		if j.verdict != nil {
			j.say("the best common location %s has %s ms, %s", where, number(worst), l.latencies())
		}
	}
	return holds
}

func (l *Limits) latencies() string {
	switch {
	case math.IsNaN(l.MaxDistance):
		return "maxLatency is " + number(l.MaxLatency)
	case math.IsNaN(l.MaxLatency):
		return "maxDistance is " + number(l.MaxDistance)
	}
	return "maxLatency is " + number(l.MaxLatency) + " and maxDistance " + number(l.MaxDistance)
}

// eachLocation calls f for the locations that every player reports, in the
// order of the first player's list, until f returns true.
func (j *Judge) eachLocation(f func(location string) bool) bool {
	first := j.firstPlayer()
	if first == nil {
		return true // nobody is in the match, nobody is too far away
	}
	for _, l := range first.Latency {
		if j.reported(l.Location) && f(l.Location) {
			return true
		}
	}
	return false
}

func (j *Judge) firstPlayer() *Player {
	for _, team := range j.roster {
		if len(team) > 0 {
			return &team[0][0]
		}
	}
	return nil
}

func (j *Judge) reported(location string) bool {
	for _, team := range j.roster {
		for _, p := range team {
			for i := range p {
				if _, ok := p[i].To(location); !ok {
					return false
				}
			}
		}
	}
	return true
}

// PartyLatency aggregates a party's latency to a location that all of its
// players report.
func PartyLatency(a Aggregation, p Party, location string) (float64, bool) {
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for i := range p {
		ms, ok := p[i].To(location)
		if !ok {
			return 0, false
		}
		v := float64(ms)
		low, high, sum = min(low, v), max(high, v), sum+v
	}
	switch a {
	case AggregateMin:
		return low, true
	case AggregateMax:
		return high, true
	}
	return sum / float64(len(p)), true
}

// locationCounts judges one location that everybody reports, and returns the
// highest party latency there.
func (j *Judge) locationCounts(r *Rule, l *Limits, location string) (bool, float64) {
	low, high, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0.0
	for _, team := range j.roster {
		for _, p := range team {
			v, _ := PartyLatency(r.Aggregation, p, location)
			low, high, sum, n = min(low, v), max(high, v), sum+v, n+1
		}
	}
	if high > l.MaxLatency { // false for an absent limit, which is NaN
		return false, high
	}
	reference := low
	if r.Reference == AggregateAvg {
		reference = sum / n
	}
	far := max(high-reference, reference-low)
	return !(far > l.MaxDistance+slack(true, high, reference)), high
}

// commonLocation checks that one location satisfies all required latency
// rules together (4.5). It returns the last of them if none does, else -1.
func (j *Judge) commonLocation() int {
	n, last := 0, -1
	for i := range j.set.Rules {
		if j.set.Rules[i].Required && j.set.Rules[i].Type == LatencyRule {
			n, last = n+1, i
		}
	}
	if n < 2 {
		return -1
	}
	found := j.eachLocation(func(location string) bool {
		for i := range j.set.Rules {
			if r := &j.set.Rules[i]; r.Required && r.Type == LatencyRule {
				if ok, _ := j.locationCounts(r, &j.set.Levels[j.level].Limits[i], location); !ok {
					return false
				}
			}
		}
		return true
	})
	if found {
		return -1
	}
	return last
}
