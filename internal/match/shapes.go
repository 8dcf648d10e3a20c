package match

import (
	"cmp"
	"slices"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A shape is the number of players in every team of a match. Rules about team
// sizes alone are settled by choosing the shape before the players: an
// equal-size rule simply leaves only even shapes.
type shape struct {
	sizes []int // by team
	total int
}

// The bounds of shape enumeration. Rule sets with more shapes than maxShapes
// (many differently named teams of open size) are searched over the most even
// ones; a ticket unmatched there counts as undecided, not as impossible.
const (
	maxShapes         = 4096
	maxShapesPerTotal = 64
	maxShapeSteps     = 20_000 // sizes tried, per enumeration
)

// shapesAt lists the admissible shapes of a level, biggest first, even ones
// before uneven ones, and whether that is all of them. Teams from one
// definition are interchangeable here unless a rule names one of them, so of
// shapes that differ only in their order one is listed.
func shapesAt(set *rules.Set, level, additional int, named bool) (shapes []shape, complete bool) {
	g := shapeMaker{set: set, level: level, named: named, sizes: make([]int, len(set.Teams)), judge: rules.NewJudge(set)}
	least, most := 0, 0
	for t := range set.Teams {
		size := set.Size(level, t)
		least, most = least+size.Min, most+size.Max
	}
	most -= additional
	for i := range set.Rules {
		if set.Rules[i].Required && sizesOnly(set, level, i) {
			g.rules = append(g.rules, i)
		}
	}
	complete = true
	g.limit, g.steps = maxShapes, maxShapeSteps
	g.low, g.high = max(least, 1), most
	if !g.fill(0, 0) {
		// Too many: take the most even ones of every total.
		complete = false
		g.found = nil
		for total := most; total >= max(least, 1); total-- {
			g.low, g.high, g.limit = total, total, len(g.found)+maxShapesPerTotal
			g.steps = maxShapeSteps / most
			g.fill(0, 0)
		}
	}
	slices.SortStableFunc(g.found, func(a, b shape) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.unevenness(set, level), b.unevenness(set, level)))
	})
	return g.found, complete
}

// sizesOnly reports whether a rule depends on nothing but team sizes.
func sizesOnly(set *rules.Set, level, i int) bool {
	r := &set.Rules[i]
	switch r.Type {
	case rules.Comparison, rules.Distance:
		if v := set.Levels[level].Limits[i].Value; v.Kind == rules.ExprReference && !v.Expr.OnlyCounts() {
			return false
		}
		for _, e := range r.Measurements {
			if !e.OnlyCounts() {
				return false
			}
		}
		return true
	case rules.Compound:
		only := true
		r.Statement.Each(func(rule int) { only = only && sizesOnly(set, level, rule) })
		return only
	}
	return false
}

// unevenness is how far team fill levels lie apart, in thousandths.
func (s shape) unevenness(set *rules.Set, level int) int {
	low, high := 1000, 0
	for t, n := range s.sizes {
		share := n * 1000 / set.Size(level, t).Max
		low, high = min(low, share), max(high, share)
	}
	return high - low
}

type shapeMaker struct {
	set       *rules.Set
	level     int
	named     bool
	rules     []int
	judge     *rules.Judge
	sizes     []int
	low, high int // of the total
	limit     int // of found
	steps     int // left before giving up
	found     []shape
	dummies   []rules.Player
}

// fill chooses the sizes of team t and all after it. It returns false when the
// limit cut it short.
func (g *shapeMaker) fill(t, total int) bool {
	if g.steps--; g.steps < 0 {
		return false
	}
	if t == len(g.sizes) {
		if total >= g.low && total <= g.high && g.admissible() {
			if len(g.found) >= g.limit {
				return false
			}
			g.found = append(g.found, shape{slices.Clone(g.sizes), total})
		}
		return true
	}
	restLow, restHigh := 0, 0
	for u := t + 1; u < len(g.sizes); u++ {
		size := g.set.Size(g.level, u)
		restLow, restHigh = restLow+size.Min, restHigh+size.Max
	}
	size := g.set.Size(g.level, t)
	most := min(size.Max, g.high-total-restLow)
	if !g.named && t > 0 && g.set.Teams[t].Definition == g.set.Teams[t-1].Definition {
		most = min(most, g.sizes[t-1])
	}
	least := max(size.Min, g.low-total-restHigh)
	if g.low == g.high && most > least {
		return g.fillEven(t, total, least, most)
	}
	for n := most; n >= least; n-- {
		g.sizes[t] = n
		if !g.fill(t+1, total+n) {
			return false
		}
	}
	return true
}

// fillEven tries the sizes nearest to an even fill first.
func (g *shapeMaker) fillEven(t, total, least, most int) bool {
	seats := 0
	for u := t; u < len(g.sizes); u++ {
		seats += g.set.Size(g.level, u).Max
	}
	even := min(max((g.high-total)*g.set.Size(g.level, t).Max/max(seats, 1), least), most)
	for step := 0; step <= most-least; step++ {
		tries := []int{even + step, even - step}
		if step == 0 {
			tries = tries[:1]
		}
		for _, n := range tries {
			if n < least || n > most {
				continue
			}
			g.sizes[t] = n
			if !g.fill(t+1, total+n) {
				return false
			}
		}
	}
	return true
}

// admissible asks the judge about the rules on team sizes, with players who
// have nothing but themselves.
func (g *shapeMaker) admissible() bool {
	if len(g.rules) == 0 {
		return true
	}
	roster := make(rules.Roster, len(g.sizes))
	for t, n := range g.sizes {
		for len(g.dummies) < n {
			g.dummies = append(g.dummies, rules.Player{})
		}
		for i := range n {
			roster[t] = append(roster[t], rules.Party(g.dummies[i:i+1]))
		}
	}
	for _, i := range g.rules {
		if !g.judge.RuleHolds(g.level, roster, i) {
			return false
		}
	}
	return true
}
