package match

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// Large matches, of more than 40 players, have their own method (8): everybody
// with a common location forms a population, sorted by the balanced attribute;
// the tickets most similar to the anchor fill the teams in a fixed order, and
// swaps between teams bring their averages together.

// passLarge forms large matches: backfill tickets first, then anchors oldest
// first.
func (p *Pool) passLarge(now time.Time, changed []*entry, u *Update) {
	l := &largeSearch{pool: p, set: p.set, judge: p.search.judge, populations: map[populationKey]*population{}}
	anchors := p.ordered(slices.Concat(p.backfills, p.everyoneElse()))
	// A pass that was cut short goes on where it ended.
	if i := slices.IndexFunc(anchors, func(e *entry) bool { return e.seq == p.resume }); i > 0 {
		anchors = slices.Concat(anchors[i:], anchors[:i])
	}
	p.resume = 0
	for _, e := range anchors {
		if e.status != Searching {
			continue
		}
		if l.fills >= maxFills {
			p.resume = e.seq
			p.changed = changed
			return
		}
		e.tried = p.passes
		p.stats.Searches++
		if level, bit, ok := l.find(e); ok {
			location := ""
			if bit >= 0 && bit < 63 {
				location = p.locationNames[bit]
			}
			p.propose(now, l.tickets, l.chosen, level, location, u)
			clear(l.populations)
			l.fills = 0
		}
	}
	for _, e := range changed {
		e.queued = false
	}
}

// maxFills bounds how many fills may fail in a row in one pass, each some tens
// of microseconds.
const maxFills = 1000

func (p *Pool) everyoneElse() []*entry {
	return slices.DeleteFunc(p.everyone(), func(e *entry) bool { return e.backfill })
}

type largeSearch struct {
	pool        *Pool
	set         *rules.Set
	judge       *rules.Judge
	populations map[populationKey]*population
	fills       int // since the last match
	tickets     []*entry
	chosen      []chosenParty
}

// A population is the tickets that one location serves, by balanced attribute.
type population struct {
	entries []*entry
	players int
}

type populationKey struct {
	bucket string
	level  int
	bit    int // location, or -1
	rank   int // the location is among each ticket's rank fastest; 0: any
}

func (l *largeSearch) population(k populationKey) *population {
	if pop := l.populations[k]; pop != nil {
		return pop
	}
	pop := &population{}
	if b := l.pool.buckets[k.bucket]; b != nil {
		for _, chunk := range b.tickets.chunks {
			for _, sl := range chunk {
				if l.belongs(sl.e, k) {
					pop.entries = append(pop.entries, sl.e)
					pop.players += sl.e.size
				}
			}
		}
	}
	slices.SortFunc(pop.entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(l.value(a), l.value(b)), compareAge(a, b))
	})
	l.populations[k] = pop
	return pop
}

func (l *largeSearch) belongs(e *entry, k populationKey) bool {
	if l.set.Algorithm.Oldest && e.level > k.level || !l.set.Algorithm.Oldest && e.level < k.level {
		return false
	}
	if k.bit < 0 {
		return true
	}
	mask := e.parties[0].masks[l.pool.plan.masks[k.level]]
	if mask>>uint(k.bit)&1 == 0 {
		return false
	}
	if k.rank == 0 {
		return true
	}
	for i, bit := range l.pool.fastest(e, mask) {
		if bit == k.bit {
			return i < k.rank
		}
	}
	return false
}

// fastest lists the acceptable locations of a ticket, lowest latency first.
func (p *Pool) fastest(e *entry, mask uint64) []int {
	type place struct {
		bit int
		ms  float64
	}
	var places []place
	party := e.parties[0].party
	for _, l := range party[0].Latency {
		bit := int(p.locations[l.Location].bit)
		if mask>>uint(bit)&1 == 0 {
			continue
		}
		mask &^= 1 << uint(bit)
		ms, _ := rules.PartyLatency(rules.AggregateAvg, party, l.Location)
		places = append(places, place{bit, ms})
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.ms, b.ms) })
	bits := make([]int, len(places))
	for i, pl := range places {
		bits[i] = pl.bit
	}
	return bits
}

// value is a ticket's average of the balanced attribute.
func (l *largeSearch) value(e *entry) float64 {
	return rules.Aggregate(rules.AggregateAvg, e.parties[0].party, l.set.Algorithm.BalancedBy)
}

// find looks for a match around e. On success tickets and chosen hold it.
func (l *largeSearch) find(e *entry) (level, bit int, ok bool) {
	from, to := 0, e.level
	if l.set.Algorithm.Oldest {
		from, to = e.level, e.level
		if e.backfill {
			to = len(l.set.Levels) - 1
		}
	}
	for k := from; k <= to; k++ {
		least, most := l.size(k)
		for _, c := range l.choices(e, k) {
			pop := l.population(c)
			if pop.players+e.size < least || !l.fill(e, pop, k, most) {
				continue
			}
			return l.trueLevel(), c.bit, true
		}
	}
	return 0, 0, false
}

func (l *largeSearch) size(level int) (least, most int) {
	for t := range l.set.Teams {
		size := l.set.Size(level, t)
		least, most = least+size.Min, most+size.Max
	}
	return least, most - l.pool.config.AdditionalPlayers
}

// choices lists the populations to try, best first: by size for
// largestPopulation; for fastestRegion the anchor's fastest location with the
// tickets that also have it as their fastest, then those that have it second,
// and so on.
func (l *largeSearch) choices(e *entry, level int) []populationKey {
	if !l.pool.plan.latency {
		return []populationKey{{e.key, level, -1, 0}}
	}
	mask := ^uint64(0)
	for i := range e.parties {
		mask &= e.parties[i].masks[l.pool.plan.masks[level]]
	}
	bits := l.pool.fastest(e, mask)
	var keys []populationKey
	if l.set.Algorithm.Batching == rules.FastestRegion {
		_, most := l.size(level)
		var small []populationKey
		for _, bit := range bits {
			for rank := 1; rank <= len(bits)+1; rank++ {
				k := populationKey{e.key, level, bit, rank}
				if rank > len(bits) {
					k.rank = 0
				}
				if l.population(k).players+e.size >= most {
					keys = append(keys, k)
					break
				}
				small = append(small, k)
			}
		}
		return append(keys, small...)
	}
	for _, bit := range bits {
		keys = append(keys, populationKey{e.key, level, bit, 0})
	}
	slices.SortStableFunc(keys, func(a, b populationKey) int { return l.population(b).players - l.population(a).players })
	return keys
}

// fill picks the tickets most similar to the anchor, assigns them to teams,
// balances and asks the judge.
func (l *largeSearch) fill(anchor *entry, pop *population, level, most int) bool {
	l.fills++
	low, high, ok := l.windowAround(anchor, pop, level)
	if !ok {
		return false
	}
	f := newFill(l.set, level, most)
	if anchor.backfill {
		for i := range anchor.parties {
			f.put(anchor, &anchor.parties[i], anchor.parties[i].team)
		}
	}
	walk := l.similar(anchor, pop, low, high)
	var picked []*entry
	players := anchor.size
	if !anchor.backfill {
		picked = append(picked, anchor)
	}
	for players < most {
		e := walk.next()
		if e == nil {
			break
		}
		if players+e.size <= most {
			picked = append(picked, e)
			players += e.size
		}
	}
	// Bigger parties are harder to place and go first; among equals the order
	// of the balanced attribute spreads strong and weak over the teams.
	slices.SortStableFunc(picked, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(l.value(b), l.value(a)))
	})
	for _, e := range picked {
		f.place(e)
	}
	// Gaps that no picked party fits go to the next nearest tickets that do.
	for f.left > 0 {
		e := walk.next()
		if e == nil {
			break
		}
		f.place(e)
	}
	if !anchor.backfill && !slices.Contains(f.tickets, anchor) || anchor.backfill && len(f.tickets) < 2 {
		return false
	}
	if !f.complete() {
		return false
	}
	l.balance(f)
	l.tickets, l.chosen = f.tickets, f.chosen
	roster := f.roster()
	if holds, _ := l.judge.Holds(level, roster); !holds {
		return false
	}
	if k := l.trueLevel(); k != level {
		holds, _ := l.judge.Holds(k, roster)
		return holds
	}
	return true
}

func (l *largeSearch) trueLevel() int {
	k := l.tickets[0].level
	for _, e := range l.tickets[1:] {
		if l.set.Algorithm.Oldest {
			k = max(k, e.level)
		} else {
			k = min(k, e.level)
		}
	}
	return k
}

// windowAround finds, for a numeric batchDistance rule, the range of values
// around the anchor's that holds most players.
func (l *largeSearch) windowAround(anchor *entry, pop *population, level int) (low, high float64, ok bool) {
	low, high = math.Inf(-1), math.Inf(1)
	if len(l.pool.plan.windows) == 0 {
		return low, high, true
	}
	w := l.pool.plan.windows[0]
	width := l.pool.plan.levels[level].widths[0]
	own := anchor.parties[0].cols[w.column]
	least, most := own, own
	for i := range anchor.parties {
		least, most = min(least, anchor.parties[i].cols[w.column]), max(most, anchor.parties[i].cols[w.column])
	}
	if most-least > width {
		return 0, 0, false
	}
	type point struct {
		v float64
		n int
	}
	var near []point
	for _, e := range pop.entries {
		if v := e.parties[0].cols[w.column]; e != anchor && e.status == Searching && v >= most-width && v <= least+width {
			near = append(near, point{v, e.size})
		}
	}
	near = append(near, point{least, anchor.size})
	slices.SortFunc(near, func(a, b point) int { return cmp.Compare(a.v, b.v) })
	best, players, end := -1, 0, 0
	for _, p := range near {
		for end < len(near) && near[end].v <= p.v+width {
			players += near[end].n
			end++
		}
		if p.v <= least && p.v+width >= most && players > best {
			best, low = players, p.v
		}
		players -= p.n
	}
	return low, low + width, best >= 0
}

// A similarity walks a population outwards from a value, nearest first.
type similarity struct {
	l         *largeSearch
	anchor    *entry
	pop       *population
	own       float64
	up, down  int
	low, high float64 // of the batchDistance window
}

func (l *largeSearch) similar(anchor *entry, pop *population, low, high float64) *similarity {
	own := l.value(anchor)
	up, _ := slices.BinarySearchFunc(pop.entries, own, func(e *entry, v float64) int { return cmp.Compare(l.value(e), v) })
	return &similarity{l, anchor, pop, own, up, up - 1, low, high}
}

// next returns the next ticket that may join, or nil.
func (w *similarity) next() *entry {
	windows := w.l.pool.plan.windows
	for w.down >= 0 || w.up < len(w.pop.entries) {
		var e *entry
		if w.up >= len(w.pop.entries) || w.down >= 0 && w.own-w.l.value(w.pop.entries[w.down]) < w.l.value(w.pop.entries[w.up])-w.own {
			e = w.pop.entries[w.down]
			w.down--
		} else {
			e = w.pop.entries[w.up]
			w.up++
		}
		if e == w.anchor || e.status != Searching || w.anchor.clash(e) {
			continue
		}
		if len(windows) > 0 {
			if v := e.parties[0].cols[windows[0].column]; v < w.low || v > w.high {
				continue
			}
		}
		return e
	}
	return nil
}

// A teamFill assigns tickets to teams in the documented order: among teams
// below their minimum the one with most open slots, then the one with most
// open slots; ties go to the team that waited longest.
type teamFill struct {
	set     *rules.Set
	sizes   []rules.Size
	count   []int
	turn    []int // when a team was last filled
	clock   int
	left    int // seats of the match
	tickets []*entry
	chosen  []chosenParty
	fixed   int // chosen[:fixed] stand where they are
}

func newFill(set *rules.Set, level, most int) *teamFill {
	f := &teamFill{set: set, left: most, count: make([]int, len(set.Teams)), turn: make([]int, len(set.Teams))}
	for t := range set.Teams {
		f.sizes = append(f.sizes, set.Size(level, t))
	}
	return f
}

// put places a party that stands in a team already.
func (f *teamFill) put(e *entry, pt *partyEntry, team int) {
	if len(f.tickets) == 0 || f.tickets[len(f.tickets)-1] != e {
		f.tickets = append(f.tickets, e)
	}
	f.chosen = append(f.chosen, chosenParty{pt, e, team})
	f.count[team] += len(pt.party)
	f.left -= len(pt.party)
	f.fixed = len(f.chosen)
}

// place gives a ticket a team; a ticket that fits nowhere is left out.
func (f *teamFill) place(e *entry) {
	best := -1
	for t := range f.sizes {
		if f.sizes[t].Max-f.count[t] >= e.size && e.size <= f.left && (best < 0 || f.before(t, best)) {
			best = t
		}
	}
	if best < 0 {
		return
	}
	f.clock++
	f.turn[best] = f.clock
	f.count[best] += e.size
	f.left -= e.size
	f.tickets = append(f.tickets, e)
	f.chosen = append(f.chosen, chosenParty{&e.parties[0], e, best})
}

func (f *teamFill) before(t, u int) bool {
	needy := func(t int) bool { return f.count[t] < f.sizes[t].Min }
	open := func(t int) int { return f.sizes[t].Max - f.count[t] }
	switch {
	case needy(t) != needy(u):
		return needy(t)
	case open(t) != open(u):
		return open(t) > open(u)
	}
	return f.turn[t] < f.turn[u]
}

// complete reports whether every team has its minimum.
func (f *teamFill) complete() bool {
	for t, n := range f.count {
		if n < f.sizes[t].Min {
			return false
		}
	}
	return true
}

func (f *teamFill) roster() rules.Roster {
	r := make(rules.Roster, len(f.sizes))
	for _, c := range f.chosen {
		r[c.team] = append(r[c.team], c.party.party)
	}
	return r
}

// balanceRounds bounds the swaps; each takes less than a tenth of a millisecond.
const balanceRounds = 40

// balance swaps tickets of equal size between teams as long as that brings the
// teams' averages closer together.
func (l *largeSearch) balance(f *teamFill) {
	n := len(f.count)
	sum := make([]float64, n)
	total, players := 0.0, 0
	values := make([]float64, len(f.chosen))
	for i, c := range f.chosen {
		values[i] = rules.Aggregate(rules.AggregateAvg, c.party.party, l.set.Algorithm.BalancedBy)
		v := values[i] * float64(len(c.party.party))
		sum[c.team] += v
		total += v
		players += len(c.party.party)
	}
	mean := total / float64(players)
	off := func(t int, d float64) float64 {
		x := (sum[t]+d)/float64(f.count[t]) - mean
		return x * x
	}
	for range balanceRounds {
		best, a, b := -1e-9, -1, -1
		for i := f.fixed; i < len(f.chosen); i++ {
			for j := i + 1; j < len(f.chosen); j++ {
				x, y := &f.chosen[i], &f.chosen[j]
				if x.team == y.team || len(x.party.party) != len(y.party.party) {
					continue
				}
				d := (values[j] - values[i]) * float64(len(x.party.party))
				gain := off(x.team, d) + off(y.team, -d) - off(x.team, 0) - off(y.team, 0)
				if gain < best {
					best, a, b = gain, i, j
				}
			}
		}
		if a < 0 {
			return
		}
		d := (values[b] - values[a]) * float64(len(f.chosen[a].party.party))
		sum[f.chosen[a].team] += d
		sum[f.chosen[b].team] -= d
		f.chosen[a].team, f.chosen[b].team = f.chosen[b].team, f.chosen[a].team
	}
}
