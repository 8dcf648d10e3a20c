package match

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A sortKey orders candidates around the anchor: a sort rule (4.7), or an
// attribute of sorted batching (7).
type sortKey struct {
	rule       int // or -1
	attribute  int
	distance   bool
	descending bool
	mapKey     rules.MapKey
	agg        rules.Aggregation
}

// How many candidates are looked at first, to each side of the anchor in a
// sorted index, and twice that in age order. Pools of up to wholePool tickets
// are never cut (11.6); in bigger ones a full match is usually found among the
// nearest few for each seat, and the rest is looked at only if it is not.
const (
	wholePool   = 2000
	nearPerSeat = 4
	nearLeast   = 16
)

// candidates are the tickets that may join an anchor at one level and
// location, in order of preference. The order is produced on demand: most
// searches look at the first few only.
type candidates struct {
	heap    []candidate
	ordered []candidate
	before  []tally // of ordered[:i], one longer than ordered
	all     tally
	keys    []float64 // sort keys, nkeys for each candidate
	nkeys   int
	low     []float64 // by column, over all candidates
	high    []float64
	sums    [][2][]float64 // by column that is summed: the smallest and largest sums of n players
	seats   []int          // by team: players that may enter it; nil without seat rules
	variant int            // of the seat masks

	classes int        // known, 0 until classify
	marks   [][]uint32 // by depth of the search and class, see search.place

	// For the first window, in order of its value:
	values []float64
	room   []int32 // players within the window's width from values[i] on
}

type candidate struct {
	e     *entry
	key   int32 // index of the first sort key
	class int32 // candidates of one class are interchangeable; from 1
}

// A tally counts candidates.
type tally struct {
	players int32
	fresh   int32
	bySize  [maxParty]int32 // tickets of size i+1
	seats   []int32
}

// maxParty is the most players of an ordinary ticket (1).
const maxParty = 10

// gather collects the tickets that may stand in one match with the anchor at
// the search's level, as far as the indexes know. It reports whether it
// stopped at limit.
func (s *search) gather(limit int) (cut bool) {
	s.base = s.base[:0]
	a := s.anchor
	b := s.pool.buckets[a.key]
	if b == nil {
		return false
	}
	if len(s.plan.windows) == 0 {
		var c cursor
		for {
			sl, ok := b.tickets.next(&c)
			if !ok {
				return false
			}
			if s.admits(sl.e) {
				if len(s.base) >= 2*limit {
					return true
				}
				s.base = append(s.base, sl)
			}
		}
	}
	col := s.plan.windows[0].column
	low, high := math.Inf(1), math.Inf(-1)
	for i := range a.parties {
		low, high = min(low, a.parties[i].cols[col]), max(high, a.parties[i].cols[col])
	}
	width := s.plan.levels[s.level].widths[0]
	eps := 4 * rules.Tolerance * max(math.Abs(low), math.Abs(high), width)
	least, most := numberKey(high-width-eps), numberKey(low+width+eps)
	middle := b.tickets.seek(numberKey(low))
	up, down := middle, middle
	for n := 0; ; {
		sl, ok := b.tickets.prev(&down)
		if !ok || sl.key < least {
			break
		}
		if s.admits(sl.e) {
			if n++; n > limit {
				cut = true
				break
			}
			s.base = append(s.base, sl)
		}
	}
	slices.Reverse(s.base)
	for n := 0; ; {
		sl, ok := b.tickets.next(&up)
		if !ok || sl.key > most {
			return cut
		}
		if s.admits(sl.e) {
			if n++; n > limit {
				return true
			}
			s.base = append(s.base, sl)
		}
	}
}

// admits is the part of the choice that looks at one candidate alone.
func (s *search) admits(e *entry) bool {
	if e == s.anchor || e.dead == s.pool.passes && !s.anchor.backfill || e.size > s.plan.levels[s.level].largest || s.anchor.clash(e) {
		return false
	}
	if s.oldest {
		return e.level <= s.level && (s.free || !e.older(s.anchor))
	}
	return e.level >= s.level
}

// list prepares the candidates of one location (or of all, for bit -1) from
// what gather collected.
func (s *search) list(c *candidates, bit int) {
	pl := s.plan
	c.heap, c.ordered, c.before, c.keys = c.heap[:0], c.ordered[:0], c.before[:0], c.keys[:0]
	c.values, c.room = c.values[:0], c.room[:0]
	c.all = tally{}
	c.classes = 0
	c.nkeys = len(pl.sorts)
	c.low, c.high = grow(c.low, len(pl.columns)), grow(c.high, len(pl.columns))
	for i := range c.low {
		c.low[i], c.high[i] = math.Inf(1), math.Inf(-1)
	}
	for len(c.sums) < len(pl.summed) {
		c.sums = append(c.sums, [2][]float64{})
	}
	c.seats = nil
	if len(pl.seats) > 0 {
		c.seats = make([]int, len(pl.set.Teams))
		c.variant = pl.seatMasks[s.level]
	}
	mask := 0
	if pl.latency {
		mask = pl.masks[s.level]
	}
	windowed := len(pl.windows) > 0
	bounded := len(pl.bounds) > 0
	for _, sl := range s.base {
		e := sl.e
		pt := &e.parties[0]
		if bit >= 0 && pt.masks[mask]>>uint(bit)&1 == 0 {
			continue
		}
		cd := candidate{e: e, key: int32(len(c.keys))}
		if c.nkeys > 0 {
			c.keys = s.sortKeys(c.keys, e)
		}
		c.heap = append(c.heap, cd)
		c.all.players += int32(e.size)
		c.all.bySize[e.size-1]++
		if e.queued {
			c.all.fresh++
		}
		for i := 0; bounded && i < len(pt.cols); i++ {
			v := pt.cols[i]
			c.low[i], c.high[i] = min(c.low[i], v), max(c.high[i], v)
		}
		if c.seats != nil {
			seats := pt.seats[c.variant]
			for t := range c.seats {
				if t >= 64 || seats>>uint(t)&1 != 0 {
					c.seats[t] += e.size
				}
			}
		}
		if windowed {
			c.values = append(c.values, keyNumber(sl.key))
		}
	}
	if c.seats != nil && c.nkeys == 0 {
		c.scarceFirst()
	}
	for i, column := range pl.summed {
		c.measureSums(i, column, pl.levels[s.level].most)
	}
	if windowed {
		c.measureRoom(pl.levels[s.level].widths[0])
	}
	for i := len(c.heap)/2 - 1; i >= 0; i-- {
		c.down(i)
	}
	c.before = append(c.before, tally{})
	if c.seats != nil {
		c.before[0].seats = make([]int32, len(c.seats))
	}
}

func grow(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	return s[:n]
}

// classify numbers the candidates so that equal ones have the same class: where
// one fails, all of its class do. Seat masks follow from the columns. It costs something and is left until a search
// turns out to be hard.
func (c *candidates) classify() {
	ids := map[string]int32{}
	var key []byte
	number := func(list []candidate) {
		for i := range list {
			e := list[i].e
			pt := &e.parties[0]
			key = append(key[:0], byte(e.size), byte(e.level))
			if e.queued {
				key[0] |= 0x80
			}
			for _, v := range pt.cols {
				key = binary.BigEndian.AppendUint64(key, math.Float64bits(v))
			}
			id, ok := ids[string(key)]
			if !ok {
				id = int32(len(ids) + 1)
				ids[string(key)] = id
			}
			list[i].class = id
		}
	}
	number(c.ordered)
	number(c.heap)
	c.classes = len(ids)
	c.marks = c.marks[:0]
}

// scarceFirst orders candidates by how many others could take their place: the
// few who may enter a certain team are tried before the many who may not. Among
// equals older tickets stay first.
func (c *candidates) scarceFirst() {
	c.nkeys = 1
	for i := range c.heap {
		most := 0
		seats := c.heap[i].e.parties[0].seats[c.variant]
		for t, n := range c.seats {
			if t >= 64 || seats>>uint(t)&1 != 0 {
				most = max(most, n)
			}
		}
		c.heap[i].key = int32(len(c.keys))
		c.keys = append(c.keys, float64(most))
	}
}

// measureSums finds the smallest and largest sums that up to most players can
// have in a column.
func (c *candidates) measureSums(i, column, most int) {
	for side, sign := range []float64{1, -1} {
		sums := append(c.sums[i][side][:0], 0)
		// The smallest values, one for each player, kept sorted.
		var least [rules.SmallMatchSeats]float64
		n := 0
		for _, cd := range c.heap {
			v := sign * cd.e.parties[0].cols[column]
			for range cd.e.size {
				k := n
				if n == most {
					if v >= least[n-1] {
						break
					}
					k--
				} else {
					n++
				}
				for ; k > 0 && least[k-1] > v; k-- {
					least[k] = least[k-1]
				}
				least[k] = v
			}
		}
		for k := range n {
			sums = append(sums, sums[k]+sign*least[k])
		}
		c.sums[i][side] = sums
	}
}

// measureRoom counts, for every candidate in value order, the players between
// its value and a window's width above.
func (c *candidates) measureRoom(width float64) {
	n := len(c.values)
	c.room = slices.Grow(c.room, n)[:n]
	players, end := int32(0), 0
	for i, v := range c.values {
		limit := v + width + 4*rules.Tolerance*max(math.Abs(v), width)
		for end < n && c.values[end] <= limit {
			players += int32(c.heap[end].e.size)
			end++
		}
		c.room[i] = players
		players -= int32(c.heap[i].e.size)
	}
}

// at returns the i-th candidate in order of preference.
func (c *candidates) at(i int) (*entry, bool) {
	for len(c.ordered) <= i {
		if len(c.heap) == 0 {
			return nil, false
		}
		top := c.heap[0]
		last := len(c.heap) - 1
		c.heap[0] = c.heap[last]
		c.heap = c.heap[:last]
		c.down(0)
		t := c.before[len(c.ordered)]
		t.players += int32(top.e.size)
		t.bySize[top.e.size-1]++
		if top.e.queued {
			t.fresh++
		}
		if c.seats != nil {
			t.seats = slices.Clone(t.seats)
			seats := top.e.parties[0].seats[c.variant]
			for k := range t.seats {
				if k >= 64 || seats>>uint(k)&1 != 0 {
					t.seats[k] += int32(top.e.size)
				}
			}
		}
		c.ordered = append(c.ordered, top)
		c.before = append(c.before, t)
	}
	return c.ordered[i].e, true
}

func (c *candidates) down(i int) {
	h := c.heap
	for {
		k := 2*i + 1
		if k >= len(h) {
			return
		}
		if k+1 < len(h) && c.preferred(h[k+1], h[k]) {
			k++
		}
		if !c.preferred(h[k], h[i]) {
			return
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
}

// preferred orders candidates: sort keys first, older tickets first (11.6).
func (c *candidates) preferred(a, b candidate) bool {
	for i := range int32(c.nkeys) {
		if x, y := c.keys[a.key+i], c.keys[b.key+i]; x != y {
			return x < y
		}
	}
	return a.e.older(b.e)
}

// sortKeys appends a candidate's keys, smaller is better.
func (s *search) sortKeys(keys []float64, e *entry) []float64 {
	for i := range s.plan.sorts {
		k := &s.plan.sorts[i]
		v, ok := s.sortValue(k, e)
		if !ok {
			keys = append(keys, math.Inf(1)) // without the key: last (4.7)
			continue
		}
		if k.distance {
			own, _ := s.sortValue(k, s.anchor)
			v = math.Abs(v - own)
		}
		if k.descending {
			v = -v
		}
		keys = append(keys, v)
	}
	return keys
}

func (s *search) sortValue(k *sortKey, e *entry) (float64, bool) {
	party := e.parties[0].party
	switch s.plan.set.Attributes[k.attribute].Kind {
	case rules.Number:
		return rules.Aggregate(k.agg, party, k.attribute), true
	case rules.Text:
		// Sorted batching by a string: equal strings are near.
		if party[0].Attributes[k.attribute].S == s.anchor.parties[0].party[0].Attributes[k.attribute].S {
			return 0, true
		}
		if e == s.anchor {
			return 0, true
		}
		return 1, true
	case rules.TextList:
		return float64(len(party[0].Attributes[k.attribute].SL)), true
	}
	key, ok := extremeKey(s.anchor.parties[0].party, k.attribute, k.mapKey)
	if !ok {
		return 0, false
	}
	low, high, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0.0
	for i := range party {
		if v, ok := party[i].Attributes[k.attribute].Key(key); ok {
			low, high, sum, n = min(low, v), max(high, v), sum+v, n+1
		}
	}
	switch {
	case n == 0:
		return 0, false
	case k.agg == rules.AggregateMin:
		return low, true
	case k.agg == rules.AggregateMax:
		return high, true
	}
	return sum / n, true
}

// extremeKey is the key with the smallest or largest value in the anchor's
// map; of a party, in the first player's map that has one.
func extremeKey(party rules.Party, attribute int, which rules.MapKey) (string, bool) {
	for i := range party {
		entries := party[i].Attributes[attribute].SDM
		if len(entries) == 0 {
			continue
		}
		best := entries[0]
		for _, e := range entries[1:] {
			if which == rules.MinValue && e.N < best.N || which == rules.MaxValue && e.N > best.N {
				best = e
			}
		}
		return best.Key, true
	}
	return "", false
}
