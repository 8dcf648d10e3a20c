package match

import (
	"math"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A search looks for the best match around one anchor. It is the pool's
// scratch space: one per pool, used again and again.
type search struct {
	pool    *Pool
	plan    *plan
	judge   *rules.Judge
	width   int // number of columns
	parties bool
	oldest  bool // expansionAgeSelection is oldest
	free    bool // any ticket may be the oldest of the match

	anchor *entry
	level  int
	limits []rules.Limits
	base   []slot
	lists  []candidates // by location tried
	c      *candidates  // the list in use
	bit    int          // the location in use, or -1
	sizes  *shape

	budget    int // nodes at the start
	nodes     int // left to spend
	stamp     uint32
	hard      int // see hardSearch
	exhausted bool
	cut       bool // candidates were left out
	changed   bool // a match must hold a ticket that changed

	need    []int
	missed  int // players still missing
	chosen  []chosenParty
	tickets []*entry
	fresh   int
	stats   []stat
	low     []float64 // of candidates, by column
	high    []float64
	undo    []stat
	spread  []interval // by window
	ends    []interval // saved spreads
	pings   []interval // saved latency spreads
	ping    interval
	pingMax float64
	roster  rules.Roster
	state   []listState
	ids     []uint32

	passed, failed []uint32 // by rule, in this search
}

type chosenParty struct {
	party *partyEntry
	e     *entry
	team  int
}

func newSearch(p *Pool) *search {
	teams := len(p.set.Teams)
	return &search{
		pool: p, plan: p.plan, judge: rules.NewJudge(p.set), width: len(p.plan.columns),
		oldest: p.set.Algorithm.Oldest, hard: hardSearch,
		need: make([]int, teams), roster: make(rules.Roster, teams),
		stats: make([]stat, teams*len(p.plan.columns)), spread: make([]interval, len(p.plan.windows)),
		state: make([]listState, len(p.plan.lists)), lists: make([]candidates, 1),
		passed: make([]uint32, len(p.set.Rules)), failed: make([]uint32, len(p.set.Rules)),
	}
}

// hardSearch is after how many nodes a search takes the trouble to find out
// which candidates are alike.
const hardSearch = 300

// outcome of a search.
type outcome uint8

const (
	impossible outcome = iota // no match holds the anchor
	undecided                 // the budget ended first
	matched                   // roster and tickets hold a match
)

// find looks for the best match around e (11): level by level, bigger matches
// first, candidates in their order. from is the first level to try. free lets
// older tickets than e set the clock where the oldest one does.
func (s *search) find(e *entry, from int, free bool) outcome {
	s.anchor, s.free = e, free || e.backfill
	s.parties = s.pool.bigTickets > 0
	s.budget, s.nodes, s.exhausted, s.cut = e.budget, e.budget, false, false
	clear(s.passed)
	clear(s.failed)
	last := e.level
	if s.oldest {
		from = e.level
		if s.free {
			last = len(s.plan.levels) - 1
		}
	}
	for k := from; k <= last && !s.exhausted; k++ {
		if s.atLevel(k) {
			return matched
		}
		if s.exhausted {
			break
		}
	}
	if s.exhausted || s.cut {
		return undecided
	}
	return impossible
}

func (s *search) atLevel(k int) bool {
	s.level = k
	s.limits = s.plan.set.Levels[k].Limits
	known := s.plan.shapesOf(k, s.anchor.backfill)
	shapes := known.list
	if len(shapes) == 0 {
		s.cut = s.cut || !known.complete
		return false
	}
	limit := wholePool / 2
	if s.pool.waiting > wholePool {
		limit = max(nearLeast, nearPerSeat*shapes[0].total)
	}
	for ; ; limit *= 16 {
		cut := s.gather(limit)
		rest := 0
		if cut { // a look at a part may spend a part
			rest = s.nodes - s.nodes/4
			s.nodes -= rest
			s.budget -= rest
		}
		found := s.overBase(shapes, cut)
		s.budget += rest
		if found {
			s.nodes += rest
			return true
		}
		if !cut {
			s.cut = s.cut || !known.complete
			return false
		}
		s.nodes = max(s.nodes, 0) + rest
		s.exhausted = false
	}
}

// overBase searches the gathered candidates. When some were left out only a
// full match counts: a smaller one must wait until all were tried (11.3).
func (s *search) overBase(shapes []shape, cut bool) bool {
	players := s.anchor.size
	for _, sl := range s.base {
		players += sl.e.size
	}
	if players < shapes[len(shapes)-1].total {
		return false
	}
	bits := s.locations()
	for len(s.lists) < len(bits) {
		s.lists = append(s.lists, candidates{})
	}
	prepared := 0
	for i := 0; i < len(shapes); {
		end := i
		for end < len(shapes) && shapes[end].total == shapes[i].total {
			end++
		}
		total := shapes[i].total
		for n, bit := range bits {
			if players < total {
				break
			}
			if n >= prepared {
				s.list(&s.lists[n], bit)
				prepared = n + 1
			}
			s.c, s.bit = &s.lists[n], bit
			if int(s.c.all.players)+s.anchor.size < total || s.changed && !s.anchor.queued && s.c.all.fresh == 0 {
				continue
			}
			for k := i; k < end; k++ {
				if s.withShape(&shapes[k]) {
					return true
				}
				if s.exhausted {
					return false
				}
			}
		}
		if cut {
			return false
		}
		i = end
	}
	return false
}

// locations lists the locations to search in: those the anchor accepts,
// nearest first, or a single -1 when latency does not matter.
func (s *search) locations() []int {
	if !s.plan.latency {
		return []int{-1}
	}
	mask := ^uint64(0)
	for i := range s.anchor.parties {
		mask &= s.anchor.parties[i].masks[s.plan.masks[s.level]]
	}
	return s.pool.fastest(s.anchor, mask)
}

// withShape searches for a match of exactly these team sizes.
func (s *search) withShape(sh *shape) bool {
	s.reset(sh)
	a := s.anchor
	if a.backfill {
		if a.size >= sh.total {
			return false // a backfill ticket comes with at least one other (11.1)
		}
		for i := range a.parties {
			if s.need[a.parties[i].team] < len(a.parties[i].party) {
				return false
			}
			s.need[a.parties[i].team] -= len(a.parties[i].party)
		}
		copy(s.need, sh.sizes)
		ok := s.push(a, -1)
		found := ok && s.roomy() && s.place(0)
		if !found {
			s.pop(a)
		}
		return found
	}
	return s.try(a, 0)
}

func (s *search) reset(sh *shape) {
	s.sizes = sh
	copy(s.need, sh.sizes)
	s.missed = sh.total
	s.chosen, s.tickets, s.undo, s.ends, s.pings, s.ids = s.chosen[:0], s.tickets[:0], s.undo[:0], s.ends[:0], s.pings[:0], s.ids[:0]
	s.fresh = 0
	s.low, s.high = s.c.low, s.c.high
	for i := range s.stats {
		s.stats[i] = noStat
	}
	for i := range s.spread {
		s.spread[i] = interval{low: math.Inf(1), high: math.Inf(-1)}
	}
	s.ping = interval{low: math.Inf(1), high: math.Inf(-1)}
	s.pingMax = s.pingLimit()
	for t := range s.roster {
		s.roster[t] = s.roster[t][:0]
	}
	for i := range s.state {
		st, l := &s.state[i], &s.plan.lists[i]
		n := 1
		if l.by {
			n = len(l.teams)
		}
		st.saved = st.saved[:0]
		if len(st.common) != n {
			st.common, st.count = make([][]uint32, n), make([]int, n)
		}
		clear(st.common)
		clear(st.count)
	}
}

// pingLimit is how far latencies at the chosen location may lie apart: from
// the minimum at most maxDistance, around an average at most twice that.
func (s *search) pingLimit() float64 {
	limit := math.Inf(1)
	if s.bit < 0 || s.bit == 63 {
		return limit
	}
	for i := range s.plan.set.Rules {
		r := &s.plan.set.Rules[i]
		if r.Required && r.Type == rules.LatencyRule && !math.IsNaN(s.limits[i].MaxDistance) {
			d := s.limits[i].MaxDistance
			if r.Reference == rules.AggregateAvg {
				d *= 2
			}
			limit = min(limit, d)
		}
	}
	return limit
}

// place fills the rest of the match from candidate number from on.
func (s *search) place(from int) bool {
	if s.missed == 0 {
		return s.leaf()
	}
	if !s.packable(from) {
		return false
	}
	c := s.c
	if s.plan.alike && c.classes == 0 && s.budget-s.nodes > s.hard {
		c.classify()
	}
	s.stamp++
	stamp, depth := s.stamp, len(s.tickets)
	for j := from; ; j++ {
		e, ok := c.at(j)
		if !ok {
			return false
		}
		b := &c.before[j]
		if int(c.all.players-b.players) < s.missed || s.changed && s.fresh == 0 && c.all.fresh == b.fresh {
			return false
		}
		if c.seats != nil {
			for t, n := range s.need {
				if n > 0 && c.seats[t]-int(b.seats[t]) < n {
					return false
				}
			}
		}
		class := int(c.ordered[j].class)
		if s.outside(e) || class > 0 && s.mark(depth, class) == stamp {
			continue
		}
		if s.try(e, j+1) {
			return true
		}
		if s.exhausted {
			return false
		}
		if class > 0 {
			c.marks[depth][class] = stamp
		}
	}
}

// mark returns the stamp of the last place at this depth where a candidate of
// the class failed.
func (s *search) mark(depth, class int) uint32 {
	c := s.c
	for len(c.marks) <= depth {
		c.marks = append(c.marks, make([]uint32, c.classes+1))
	}
	return c.marks[depth][class]
}

// outside reports whether a candidate would stretch a window too far: cheaper
// to see here than to push and pop.
func (s *search) outside(e *entry) bool {
	for i, w := range s.plan.windows {
		v := e.parties[0].cols[w.column]
		low, high := min(s.spread[i].low, v), max(s.spread[i].high, v)
		if high-low > s.plan.levels[s.level].widths[i]+4*rules.Tolerance*max(math.Abs(low), math.Abs(high)) {
			s.failed[w.rule]++
			return true
		}
	}
	return false
}

// try puts a candidate into each team that has room, emptiest first, and goes
// on from candidate number next.
func (s *search) try(e *entry, next int) bool {
	seats := ^uint64(0)
	if len(s.plan.seats) > 0 {
		seats = e.parties[0].seats[s.plan.seatMasks[s.level]]
	}
	var tried uint64 // teams; a small match has at most 40 that can hold players
	for {
		team := -1
		for t, n := range s.need {
			if n >= e.size && tried>>uint(t)&1 == 0 && seats>>uint(t)&1 != 0 && (team < 0 || n > s.need[team]) {
				team = t
			}
		}
		if team < 0 {
			return false
		}
		tried |= 1 << uint(team)
		if s.nodes--; s.nodes < 0 {
			s.exhausted = true
			return false
		}
		if s.push(e, team) && s.roomy() && s.place(next) {
			return true
		}
		s.pop(e)
		if s.exhausted {
			return false
		}
		// Teams that are as good as this one need no second try.
		for t, n := range s.need {
			if n == s.need[team] && (s.plan.teamBlind || s.twins(t, team)) {
				tried |= 1 << uint(t)
			}
		}
	}
}

// twins reports whether two empty teams are interchangeable.
func (s *search) twins(t, u int) bool {
	set := s.plan.set
	return !s.plan.named && !s.anchor.backfill && set.Teams[t].Definition == set.Teams[u].Definition &&
		s.sizes.sizes[t] == s.sizes.sizes[u] && s.need[t] == s.sizes.sizes[t] && s.need[u] == s.sizes.sizes[u]
}

// push adds a ticket to the partial match and reports whether the match can
// still become valid. It is always followed by pop.
func (s *search) push(e *entry, team int) bool {
	ok := true
	s.tickets = append(s.tickets, e)
	if e.queued {
		s.fresh++
	}
	s.ends = append(s.ends, s.spread...)
	s.pings = append(s.pings, s.ping)
	for i := range e.parties {
		pt := &e.parties[i]
		t := team
		if t < 0 {
			t = pt.team
		}
		n := len(pt.party)
		s.need[t] -= n
		s.missed -= n
		s.chosen = append(s.chosen, chosenParty{pt, e, t})
		s.roster[t] = append(s.roster[t], pt.party)
		stats := s.stats[t*s.width : (t+1)*s.width]
		s.undo = append(s.undo, stats...)
		for c, v := range pt.cols {
			st := &stats[c]
			st.n += n
			st.sum += v * float64(n)
			st.low, st.high = min(st.low, v), max(st.high, v)
		}
		for w := range s.spread {
			v := pt.cols[s.plan.windows[w].column]
			s.spread[w].low, s.spread[w].high = min(s.spread[w].low, v), max(s.spread[w].high, v)
		}
		if s.pingMax < math.Inf(1) {
			if ms, reported := s.latencyOf(pt); reported {
				s.ping.low, s.ping.high = min(s.ping.low, ms), max(s.ping.high, ms)
			}
		}
	}
	for w, v := range s.spread {
		if v.high-v.low > s.plan.levels[s.level].widths[w]+4*rules.Tolerance*max(math.Abs(v.low), math.Abs(v.high)) {
			s.failed[s.plan.windows[w].rule]++
			ok = false
		}
	}
	if s.ping.high-s.ping.low > s.pingMax+1e-6 {
		ok = false
	}
	from := len(s.chosen) - len(e.parties)
	for i := range s.plan.lists {
		l := &s.plan.lists[i]
		for _, c := range s.chosen[from:] {
			if !l.push(s, &s.state[i], c.party, c.team) && ok {
				s.failed[l.rule]++
				ok = false
			}
		}
	}
	for i := range s.plan.distinct {
		d := &s.plan.distinct[i]
		for _, c := range s.chosen[from:] {
			if ok && !d.allows(s, c.party, c.team) {
				s.failed[d.rule]++
				ok = false
			}
		}
	}
	for i := range s.plan.bounds {
		if ok && s.plan.bounds[i].judge(s) == no {
			s.failed[s.plan.bounds[i].rule]++
			ok = false
		}
	}
	return ok
}

// latencyOf is a party's latency to the location in use, by the aggregation of
// the latency rule.
func (s *search) latencyOf(pt *partyEntry) (float64, bool) {
	for i := range s.plan.set.Rules {
		if r := &s.plan.set.Rules[i]; r.Required && r.Type == rules.LatencyRule && !math.IsNaN(s.limits[i].MaxDistance) {
			return rules.PartyLatency(r.Aggregation, pt.party, s.pool.locationNames[s.bit])
		}
	}
	return 0, false
}

func (s *search) pop(e *entry) {
	s.tickets = s.tickets[:len(s.tickets)-1]
	if e.queued {
		s.fresh--
	}
	for i := range s.plan.lists {
		for range e.parties {
			s.plan.lists[i].pop(&s.state[i])
		}
	}
	for range e.parties {
		c := s.chosen[len(s.chosen)-1]
		s.chosen = s.chosen[:len(s.chosen)-1]
		n := len(c.party.party)
		s.need[c.team] += n
		s.missed += n
		s.roster[c.team] = s.roster[c.team][:len(s.roster[c.team])-1]
		saved := s.undo[len(s.undo)-s.width:]
		copy(s.stats[c.team*s.width:], saved)
		s.undo = s.undo[:len(s.undo)-s.width]
	}
	saved := s.ends[len(s.ends)-len(s.spread):]
	copy(s.spread, saved)
	s.ends = s.ends[:len(s.ends)-len(s.spread)]
	s.ping = s.pings[len(s.pings)-1]
	s.pings = s.pings[:len(s.pings)-1]
}
