package match

import (
	"math"
	"slices"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// What a search asks before it goes deeper, and of a full match.

// roomy reports whether some placement of the first window around what is
// chosen holds enough players for the whole match.
func (s *search) roomy() bool {
	if len(s.spread) == 0 || s.missed == 0 {
		return true
	}
	width := s.plan.levels[s.level].widths[0]
	v := s.spread[0]
	eps := 4 * rules.Tolerance * max(math.Abs(v.low), math.Abs(v.high), width)
	values := s.c.values
	i, _ := slices.BinarySearch(values, v.high-width-eps)
	// The anchor is in no list, so its players are not counted there.
	want := int32(s.sizes.total - s.anchor.size)
	for ; i < len(values) && values[i] <= v.low; i++ {
		if s.c.room[i] >= want {
			return true
		}
	}
	// The anchor itself may be the lowest.
	if i < len(values) && s.c.room[i] >= want && values[i] <= v.low+width+eps {
		return true
	}
	s.failed[s.plan.windows[0].rule]++
	return false
}

// packable reports whether tickets of the sizes that are left can fill the
// open seats of every team exactly.
func (s *search) packable(from int) bool {
	left := s.c.all.bySize
	if from > 0 && from < len(s.c.before) {
		for i := range left {
			left[i] -= s.c.before[from].bySize[i]
		}
	}
	if int(left[0]) >= s.missed {
		return true
	}
	var open [40]int
	n := 0
	for _, k := range s.need {
		if k > 0 {
			open[n] = k
			n++
		}
	}
	slices.SortFunc(open[:n], func(a, b int) int { return b - a })
	steps := 2000
	return pack(open[:n], maxParty, &left, &steps)
}

// pack fills teams one after the other with tickets of at most size. When it
// runs out of steps it gives the benefit of the doubt.
func pack(open []int, size int, left *[maxParty]int32, steps *int) bool {
	for len(open) > 0 && open[0] == 0 {
		open, size = open[1:], maxParty
	}
	if len(open) == 0 {
		return true
	}
	if *steps--; *steps < 0 {
		return true
	}
	for k := min(size, open[0], maxParty); k >= 1; k-- {
		if left[k-1] <= 0 {
			continue
		}
		left[k-1]--
		open[0] -= k
		ok := pack(open, k, left, steps)
		open[0] += k
		left[k-1]++
		if ok {
			return true
		}
	}
	return false
}

// leaf asks the judge about a full match, at the search's level and at the
// level of its true age (11.4).
func (s *search) leaf() bool {
	if s.changed && s.fresh == 0 {
		return false
	}
	s.nodes -= 3
	if !s.judged(s.level) {
		return false
	}
	if k := s.trueLevel(); k != s.level {
		return s.judged(k)
	}
	return true
}

func (s *search) judged(level int) bool {
	ok, broken := s.judge.Holds(level, s.roster)
	for i := range s.plan.set.Rules {
		if !s.plan.set.Rules[i].Required {
			continue
		}
		if i == broken.Rule {
			s.failed[i]++
			break
		}
		if broken.Team < 0 {
			s.passed[i]++
		}
	}
	return ok
}

// trueLevel is the level of the tickets chosen: of the newest or oldest one.
func (s *search) trueLevel() int {
	k := s.tickets[0].level
	for _, e := range s.tickets[1:] {
		if s.oldest {
			k = max(k, e.level)
		} else {
			k = min(k, e.level)
		}
	}
	return k
}
