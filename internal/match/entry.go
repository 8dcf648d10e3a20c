package match

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// An entry is a ticket in the pool, laid out for searching.
type entry struct {
	id       TicketID
	start    int64  // Unix nanoseconds
	seq      uint64 // order of arrival in the pool
	size     int    // players
	level    int    // expansion level of the ticket's own age
	status   Status
	backfill bool
	queued   bool         // changed since it was last searched: new, or at a new level
	dead     int          // the pass in which it was found to fit no match
	settled  int          // the pass that found no match with whatever changed about it
	tried    int          // the pass in which it was last searched
	budget   int          // nodes of the next search, grows while undecided
	never    []string     // reasons why no match can ever hold it
	key      string       // of its bucket
	from     int          // first level at which something may have changed
	parties  []partyEntry // one, or one for each team of a backfill ticket
	counts   []ruleCount  // by rule, nil until something was evaluated
	proposal *proposal
	members  map[string]bool // of a backfill ticket: its players' ids
}

// clash reports whether a player is in e and in the backfill ticket b: one who
// left the match and is still listed there, and looks for another.
func (b *entry) clash(e *entry) bool {
	if b.members == nil {
		return false
	}
	for i := range e.parties {
		for k := range e.parties[i].party {
			if b.members[e.parties[i].party[k].ID] {
				return true
			}
		}
	}
	return false
}

type ruleCount struct{ passed, failed uint32 }

// A partyEntry is the part of a ticket that stands in one team.
type partyEntry struct {
	party   rules.Party
	team    int       // of a backfill ticket, else -1
	cols    []float64 // by plan column
	masks   []uint64  // by latency variant: acceptable locations
	seats   []uint64  // by unary variant: teams it may enter, for the first 64
	sets    [][]uint32
	players []uint32 // interned ids, sorted, where a rule looks at ids
}

// older is the order in which tickets get their turn: by start, then arrival.
func (e *entry) older(o *entry) bool {
	return e.start < o.start || e.start == o.start && e.seq < o.seq
}

// compareAge is older for slices.SortFunc.
func compareAge(a, b *entry) int {
	switch {
	case a == b:
		return 0
	case a.older(b):
		return -1
	}
	return 1
}

// newEntry lays a ticket out. The returned problems concern the request: wrong
// types and undeclared attributes.
func (p *Pool) newEntry(t Ticket) (*entry, []PlayerProblem) {
	e := &entry{id: t.ID, start: t.Start.UnixNano(), size: len(t.Players), backfill: t.Backfill, status: Queued, budget: p.config.Budget}
	if t.Backfill {
		e.members = make(map[string]bool, len(t.Players))
	}
	var problems []PlayerProblem
	players := make(rules.Party, len(t.Players))
	teams := make([]int, len(t.Players))
	for i, tp := range t.Players {
		values, bad := p.set.LayOut(tp.Attributes)
		for _, b := range bad {
			if b.Got == rules.Missing {
				e.never = append(e.never, "player "+tp.ID+": "+b.String())
				continue
			}
			if b.Want != rules.Missing || !p.config.Lenient {
				problems = append(problems, PlayerProblem{tp.ID, b})
			}
		}
		players[i] = rules.Player{ID: tp.ID, Attributes: values, Latency: p.latencies(tp.LatencyMS)}
		teams[i] = -1
		if t.Backfill {
			e.members[tp.ID] = true
			teams[i] = p.set.TeamIndex(tp.Team)
			if teams[i] < 0 {
				e.never = append(e.never, "player "+tp.ID+": the rule set has no team "+tp.Team)
			}
		}
		if len(tp.LatencyMS) == 0 && p.set.NeedsLatency() {
			e.never = append(e.never, "player "+tp.ID+" reports no latency, and the rule set has a latency rule")
		}
	}
	if len(problems) > 0 {
		return e, problems
	}
	// A backfill ticket becomes one party for each team (5, further decisions).
	for t := -1; t < len(p.set.Teams); t++ {
		var party rules.Party
		if !slices.ContainsFunc(teams, func(u int) bool { return u != teams[0] }) {
			if teams[0] == t {
				party = players
			}
		} else {
			for i := range players {
				if teams[i] == t {
					party = append(party, players[i])
				}
			}
		}
		if len(party) > 0 {
			e.parties = append(e.parties, p.layOut(party, t))
		}
	}
	if len(e.never) == 0 {
		p.checkNever(e)
	}
	return e, nil
}

// checkNever notes what keeps a ticket from ever matching, whoever else comes.
func (p *Pool) checkNever(e *entry) {
	largest, levels := 0, len(p.set.Levels)
	for k := range levels {
		for t := range p.set.Teams {
			largest = max(largest, p.set.Size(k, t).Max)
		}
	}
	if e.size > largest && !e.backfill {
		e.never = append(e.never, fmt.Sprintf("a party of %d players is larger than the largest team (%d)", e.size, largest))
	}
	if p.plan.latency {
		reached := false
		for v := range p.plan.maskCount {
			mask := ^uint64(0)
			for i := range e.parties {
				mask &= e.parties[i].masks[v]
			}
			reached = reached || mask != 0
		}
		if !reached {
			e.never = append(e.never, "no location is within the latency limits, not even with all expansions")
		}
	}
	if len(p.plan.seats) > 0 && !e.backfill {
		welcome := false
		for _, mask := range e.parties[0].seats {
			for t := range p.set.Teams {
				welcome = welcome || t >= 64 || mask>>uint(t)&1 != 0
			}
		}
		if !welcome {
			e.never = append(e.never, "no team may take it: every team has a rule that its attributes break")
		}
	}
	key, ok := p.partitionKey(e)
	if !ok {
		e.never = append(e.never, "its own players differ in an attribute that must be equal for the whole match")
	}
	e.key = key
}

// latencies sorts reported latencies by location, with one copy of each name.
func (p *Pool) latencies(ms map[string]int) []rules.Latency {
	if len(ms) == 0 {
		return nil
	}
	out := make([]rules.Latency, 0, len(ms))
	for location, v := range ms {
		out = append(out, rules.Latency{Location: p.location(location).name, MS: int32(min(v, math.MaxInt32))})
	}
	slices.SortFunc(out, func(a, b rules.Latency) int {
		switch {
		case a.Location < b.Location:
			return -1
		case a.Location > b.Location:
			return 1
		}
		return 0
	})
	return out
}

// A location known to the pool. Locations beyond the 64th share the last bit:
// searching there relies on the judge.
type location struct {
	name string
	bit  uint
}

func (p *Pool) location(name string) location {
	l, ok := p.locations[name]
	if !ok {
		l = location{name, uint(min(len(p.locations), 63))}
		p.locations[name] = l
		p.locationNames = append(p.locationNames, name)
	}
	return l
}

func (p *Pool) layOut(party rules.Party, team int) partyEntry {
	pt := partyEntry{party: party, team: team}
	pl := p.plan
	if len(pl.columns) > 0 {
		pt.cols = make([]float64, len(pl.columns))
	}
	for i, c := range pl.columns {
		if !c.text {
			pt.cols[i] = rules.Aggregate(c.agg, party, c.attribute)
			continue
		}
		low, high := math.Inf(1), math.Inf(-1)
		for k := range party {
			id := float64(p.words.take(party[k].Attributes[c.attribute].S))
			low, high = min(low, id), max(high, id)
		}
		pt.cols[i] = low
		if c.agg == rules.AggregateMax {
			pt.cols[i] = high
		}
	}
	if pl.latency {
		pt.masks = make([]uint64, pl.maskCount)
		for k := range pl.masks {
			if k == 0 || pl.masks[k] != pl.masks[k-1] {
				pt.masks[pl.masks[k]] = p.locationMask(party, k)
			}
		}
	}
	if len(pl.seats) > 0 {
		pt.seats = make([]uint64, pl.seatCount)
		for k := range pl.seatMasks {
			if k == 0 || pl.seatMasks[k] != pl.seatMasks[k-1] {
				pt.seats[pl.seatMasks[k]] = p.seatMask(&pt, k)
			}
		}
	}
	for _, c := range pl.setColumns {
		pt.sets = append(pt.sets, p.idSet(mergeLists(party, c)))
	}
	if pl.playerIDs {
		ids := make([]string, len(party))
		for i := range party {
			ids[i] = party[i].ID
		}
		pt.players = p.idSet(ids)
	}
	return pt
}

// idSet interns strings and sorts their numbers.
func (p *Pool) idSet(list []string) []uint32 {
	out := make([]uint32, len(list))
	for i, s := range list {
		out[i] = p.words.take(s)
	}
	slices.Sort(out)
	return out
}

// release gives interned strings back.
func (p *Pool) release(e *entry) {
	for i := range e.parties {
		pt := &e.parties[i]
		for _, c := range p.plan.columns {
			if c.text {
				for k := range pt.party {
					p.words.drop(pt.party[k].Attributes[c.attribute].S)
				}
			}
		}
		for _, c := range p.plan.setColumns {
			for _, s := range mergeLists(pt.party, c) {
				p.words.drop(s)
			}
		}
		if p.plan.playerIDs {
			for k := range pt.party {
				p.words.drop(pt.party[k].ID)
			}
		}
	}
}

// mergeLists is a party's collection (5).
func mergeLists(party rules.Party, c setColumn) []string {
	first := party[0].Attributes[c.attribute].SL
	if len(party) == 1 {
		return first
	}
	var out []string
	if c.merge == rules.AggregateIntersection {
		for _, s := range first {
			if !slices.ContainsFunc(party[1:], func(m rules.Player) bool { return !slices.Contains(m.Attributes[c.attribute].SL, s) }) {
				out = append(out, s)
			}
		}
		return out
	}
	for i := range party {
		for _, s := range party[i].Attributes[c.attribute].SL {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// holding counts the party's collections that hold a string.
func (pt *partyEntry) holding(l *listRule, s string) int {
	if l.merge != rules.AggregateNone {
		if slices.Contains(mergeLists(pt.party, setColumn{l.attr, l.merge}), s) {
			return 1
		}
		return 0
	}
	n := 0
	for i := range pt.party {
		if slices.Contains(pt.party[i].Attributes[l.attr].SL, s) {
			n++
		}
	}
	return n
}

// found counts the strings of the party's collection that occur in a list.
func (pt *partyEntry) found(l *listRule, list []string) int {
	n := 0
	for _, s := range mergeLists(pt.party, setColumn{l.attr, l.merge}) {
		if slices.Contains(list, s) {
			n++
		}
	}
	return n
}

// locationMask says which locations satisfy all latency limits of a level for
// the party.
func (p *Pool) locationMask(party rules.Party, level int) uint64 {
	var mask uint64
	for _, l := range party[0].Latency {
		ok := true
		for i := range p.set.Rules {
			r := &p.set.Rules[i]
			if r.Required && r.Type == rules.LatencyRule {
				ms, reported := rules.PartyLatency(r.Aggregation, party, l.Location)
				if !reported || ms > p.set.Levels[level].Limits[i].MaxLatency {
					ok = false
				}
			}
		}
		if ok {
			mask |= 1 << p.location(l.Location).bit
		}
	}
	return mask
}

// seatMask says which teams the party may enter at a level as far as rules
// about single players are concerned.
func (p *Pool) seatMask(pt *partyEntry, level int) uint64 {
	mask := ^uint64(0)
	for _, u := range p.plan.seats {
		l := &p.set.Levels[level].Limits[u.rule]
		ref := interval{low: l.Value.N, high: l.Value.N}
		if l.Value.Kind == rules.TextReference {
			ref.low = p.text(l.Value.S)
			ref.high = ref.low
		}
		r := &p.set.Rules[u.rule]
		low, high := pt.cols[u.column[0]], pt.cols[u.column[1]]
		eps := 0.0
		if len(pt.party) > 1 {
			eps = 4 * rules.Tolerance * max(math.Abs(low), math.Abs(high), math.Abs(ref.low))
		}
		if compareTri(r.Operation, interval{low: low, high: low}, ref, eps) != no && compareTri(r.Operation, interval{low: high, high: high}, ref, eps) != no {
			continue
		}
		for _, t := range u.teams {
			if t < 64 {
				mask &^= 1 << t
			}
		}
	}
	return mask
}

// text returns the number of a string, or one that no string has.
func (p *Pool) text(s string) float64 {
	if id, ok := p.words.ids[s]; ok {
		return float64(id)
	}
	return -1
}

// partitionKey returns what must be equal for all players of a match, and
// false if the ticket's own players differ.
func (p *Pool) partitionKey(e *entry) (string, bool) {
	var key []byte
	first := &e.parties[0].party[0]
	for _, a := range p.plan.partitions {
		for i := range e.parties {
			for k := range e.parties[i].party {
				if v := &e.parties[i].party[k].Attributes[a]; v.N != first.Attributes[a].N || v.S != first.Attributes[a].S {
					return "", false
				}
			}
		}
		v := &first.Attributes[a]
		key = binary.BigEndian.AppendUint64(key, math.Float64bits(v.N+0))
		key = binary.AppendUvarint(key, uint64(len(v.S)))
		key = append(key, v.S...)
	}
	return string(key), true
}
