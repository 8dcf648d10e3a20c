package match

import (
	"math"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// tri is the truth of a rule for a match that is only partly known.
type tri int8

const (
	no    tri = -1 // false however the match goes on
	maybe tri = 0
	yes   tri = 1 // true however the match goes on
)

// A bound evaluates a rule on a partial match with intervals: what is chosen
// is known, what is missing lies between the lowest and highest candidate.
// Team sizes are exact, since the shape is chosen first.
type bound struct {
	rule  int
	kind  boundKind
	left  []measure
	right []measure // by level; a constant's value is read from the limits
	logic *rules.Statement
	parts map[int]*bound // rules named in logic
}

type boundKind uint8

const (
	boundNone boundKind = iota
	boundComparison
	boundEqual // comparison with = and no reference
	boundDistance
	boundCompound
)

// A measure is an expression in a form whose interval is cheap to compute.
type measure struct {
	kind      measureKind
	f, outer  rules.Func
	teams     []int
	low, high int // columns of the smallest and largest values
	mean      int // column of party averages, for sums
	sum       int // index of that column in plan.summed
	grouped   bool
	text      bool
	exact     bool // no arithmetic: nothing to round
}

type measureKind uint8

const (
	constant measureKind = iota
	leaves               // every player's value in the teams
	whole                // one function over the players of the teams together
	each                 // the function over each team
	nested               // outer over each
)

// bound compiles rule i, or returns one of kind boundNone.
func (p *plan) bound(i int) bound {
	r := &p.set.Rules[i]
	b := bound{rule: i}
	reference := p.set.Levels[0].Limits[i].Value.Kind != rules.NoReference
	agg := r.Aggregation
	once := false
	switch r.Type {
	case rules.Compound:
		b.kind, b.logic, b.parts = boundCompound, r.Statement, map[int]*bound{}
		r.Statement.Each(func(rule int) {
			part := p.bound(rule)
			b.parts[rule] = &part
		})
		return b
	case rules.Comparison:
		b.kind = boundComparison
		if !reference {
			if r.Operation != rules.Equal {
				return bound{rule: i}
			}
			b.kind = boundEqual
			once = r.Written
			if !r.Written {
				agg = rules.AggregateNone
			}
		}
	case rules.Distance:
		b.kind = boundDistance
	default:
		return bound{rule: i}
	}
	for _, e := range r.Measurements {
		m, ok := p.measure(e, agg, once)
		if !ok {
			return bound{rule: i}
		}
		b.left = append(b.left, m)
	}
	for k := range p.set.Levels {
		v := p.set.Levels[k].Limits[i].Value
		m := measure{kind: constant, exact: true}
		if v.Kind == rules.ExprReference {
			var ok bool
			if m, ok = p.measure(v.Expr, agg, once); !ok {
				return bound{rule: i}
			}
		}
		b.right = append(b.right, m)
	}
	return b
}

// known reports whether columns are all that the rule looks at.
func (b *bound) known() bool {
	for _, part := range b.parts {
		if !part.known() {
			return false
		}
	}
	return b.kind != boundNone
}

// eachMeasure calls f for every measure of the bound and its parts.
func (b *bound) eachMeasure(f func(*measure)) {
	for i := range b.left {
		f(&b.left[i])
	}
	for i := range b.right {
		f(&b.right[i])
	}
	if b.logic != nil {
		b.logic.Each(func(rule int) {
			if part := b.parts[rule]; part != nil {
				part.eachMeasure(f)
			}
		})
	}
}

// measure compiles an expression; agg is what players carry for their party.
func (p *plan) measure(e *rules.Expr, agg rules.Aggregation, once bool) (measure, bool) {
	switch {
	case e.Path != nil:
		return p.leafMeasure(e.Path, e.Path.Several, agg)
	case e.Func == rules.Flatten && e.Arg.Path != nil:
		return p.leafMeasure(e.Arg.Path, false, agg)
	case e.Func == rules.Flatten || e.Func == rules.SetIntersection:
		return measure{}, false
	}
	in := e.Arg
	var m measure
	switch {
	case in.Path != nil || in.Func == rules.Flatten && in.Arg.Path != nil:
		path := in.Path
		m.kind = each
		if path == nil {
			path, m.kind = in.Arg.Path, whole
		} else if !path.Several {
			m.kind = whole
		}
		if e.Func == rules.Count {
			if path.Member == rules.MemberTeam || path.Member == rules.MemberAttribute && p.set.Attributes[path.Attribute].Kind == rules.TextList || once {
				return m, false
			}
		} else {
			if once && e.Func != rules.Min && e.Func != rules.Max {
				return m, false
			}
			l, ok := p.leafMeasure(path, false, agg)
			if !ok {
				return m, false
			}
			m.low, m.high, m.mean = l.low, l.high, l.mean
		}
		m.f, m.teams = e.Func, path.Teams
		m.exact = e.Func == rules.Min || e.Func == rules.Max || e.Func == rules.Count
		return m, true
	default:
		m, ok := p.measure(in, agg, once)
		if !ok || m.kind != each || e.Func == rules.Median || e.Func == rules.StdDev || e.Func == rules.Count {
			return m, false
		}
		m.kind, m.outer = nested, e.Func
		m.exact = m.exact && (e.Func == rules.Min || e.Func == rules.Max)
		return m, true
	}
}

func (p *plan) leafMeasure(path *rules.Path, grouped bool, agg rules.Aggregation) (measure, bool) {
	if path.Member != rules.MemberAttribute {
		return measure{}, false
	}
	kind := p.set.Attributes[path.Attribute].Kind
	if kind != rules.Number && kind != rules.Text {
		return measure{}, false
	}
	m := measure{kind: leaves, teams: path.Teams, grouped: grouped, text: kind == rules.Text, exact: true}
	m.low, m.high = p.lowHigh(path.Attribute, agg)
	m.mean = m.low
	if m.low != m.high && kind == rules.Number {
		m.mean = p.column(path.Attribute, rules.AggregateAvg)
	}
	return m, true
}

// An interval holds the possible values of a measure; it is undefined when a
// function has nothing to work on.
type interval struct {
	low, high float64
	undefined bool
}

// stat is what is chosen so far in one team for one column.
type stat struct {
	n         int // players
	sum       float64
	low, high float64
}

var noStat = stat{low: math.Inf(1), high: math.Inf(-1)}

// over computes f over the players of teams.
func (s *search) over(f rules.Func, teams []int, m *measure) interval {
	known, missing := 0, 0
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, t := range teams {
		missing += s.need[t]
		known += s.sizes.sizes[t] - s.need[t]
		if f == rules.Count {
			continue
		}
		low = min(low, s.stats[t*s.width+m.low].low)
		high = max(high, s.stats[t*s.width+m.high].high)
		sum += s.stats[t*s.width+m.mean].sum
	}
	n := float64(known + missing)
	switch {
	case f == rules.Count:
		return interval{low: n, high: n}
	case known+missing == 0 && f == rules.Sum:
		return interval{}
	case known+missing == 0:
		return interval{undefined: true}
	}
	least, most := s.low[m.low], s.high[m.high]
	if missing == 0 {
		least, most = low, high
	} else if least > most {
		least, most = math.Inf(-1), math.Inf(1) // no candidate: another check ends this
	}
	switch f {
	case rules.Min:
		return interval{low: min(low, least), high: min(low, most)}
	case rules.Max:
		return interval{low: max(high, least), high: max(high, most)}
	case rules.Sum, rules.Avg:
		i := interval{low: sum, high: sum}
		if missing > 0 {
			// The smallest and largest values that so many players can add.
			sums := &s.c.sums[m.sum]
			if missing >= len(sums[0]) {
				return interval{low: math.Inf(-1), high: math.Inf(1)} // too few candidates: another check ends this
			}
			i.low += sums[0][missing]
			i.high += sums[1][missing]
		}
		if f == rules.Avg {
			i.low, i.high = i.low/n, i.high/n
		}
		return i
	case rules.Median:
		return interval{low: min(low, least), high: max(high, most)}
	}
	return interval{low: 0, high: math.Inf(1)} // stddev
}

// one computes a measure that is a single value.
func (s *search) one(m *measure) interval {
	if m.kind == whole {
		return s.over(m.f, m.teams, m)
	}
	out := interval{undefined: true}
	n := 0.0
	for i := range m.teams {
		v := s.over(m.f, m.teams[i:i+1], m)
		if v.undefined {
			continue
		}
		n++
		if out.undefined {
			out = v
			continue
		}
		switch m.outer {
		case rules.Min:
			out = interval{low: min(out.low, v.low), high: min(out.high, v.high)}
		case rules.Max:
			out = interval{low: max(out.low, v.low), high: max(out.high, v.high)}
		default:
			out = interval{low: out.low + v.low, high: out.high + v.high}
		}
	}
	if m.outer == rules.Avg && n > 0 {
		out.low, out.high = out.low/n, out.high/n
	}
	if m.outer == rules.Sum && out.undefined {
		return interval{}
	}
	return out
}

// span returns the values already chosen and those still possible of a list of
// leaves. known.undefined or open.undefined means there are none.
func (s *search) span(m *measure, teams []int) (known, open interval) {
	known, open = interval{undefined: true}, interval{undefined: true}
	for _, t := range teams {
		if st := &s.stats[t*s.width+m.low]; st.n > 0 {
			lo, hi := st.low, s.stats[t*s.width+m.high].high
			if known.undefined {
				known = interval{low: lo, high: hi}
			} else {
				known.low, known.high = min(known.low, lo), max(known.high, hi)
			}
		}
		if s.need[t] > 0 && s.low[m.low] <= s.high[m.high] {
			open = interval{low: s.low[m.low], high: s.high[m.high]}
		}
	}
	return known, open
}

// judge evaluates the bound on the search's partial match.
func (b *bound) judge(s *search) tri {
	switch b.kind {
	case boundNone:
		return maybe
	case boundCompound:
		return b.compound(s, b.logic)
	}
	r, l := &s.plan.set.Rules[b.rule], &s.limits[b.rule]
	ref := interval{}
	right := &b.right[s.level]
	switch {
	case b.kind == boundEqual:
		return b.equal(s, r)
	case right.kind == constant && l.Value.Kind == rules.TextReference:
		ref.low = s.pool.text(l.Value.S)
		ref.high = ref.low
	case right.kind == constant:
		ref = interval{low: l.Value.N, high: l.Value.N}
	case right.kind == leaves:
		return maybe
	default:
		if ref = s.one(right); ref.undefined {
			return maybe // whether it stays undefined depends on the shape; the judge knows
		}
	}
	out := yes
	for i := range b.left {
		m := &b.left[i]
		check := func(v interval) tri {
			if v.undefined {
				return yes
			}
			eps := s.slack(r, m, right, v, ref)
			if b.kind == boundDistance {
				return distanceTri(v, ref, l.MinDistance, l.MaxDistance, eps)
			}
			return compareTri(r.Operation, v, ref, eps)
		}
		switch m.kind {
		case leaves:
			known, open := s.span(m, m.teams)
			if !known.undefined {
				// Both ends must hold; what lies between holds with them, except
				// that two different ends leave "not equal" open.
				a, z := check(interval{low: known.low, high: known.low}), check(interval{low: known.high, high: known.high})
				if r.Operation == rules.NotEqual && b.kind == boundComparison && known.low != known.high && a != no && z != no {
					a = maybe
				}
				if b.kind == boundDistance && l.MinDistance > 0 && a == yes && z == yes {
					a = maybe
				}
				out = min(out, a, z)
			}
			out = min(out, check(open))
		case each:
			for k := range m.teams {
				out = min(out, check(s.over(m.f, m.teams[k:k+1], m)))
			}
		default:
			out = min(out, check(s.one(m)))
		}
		if out == no {
			return no
		}
	}
	return out
}

// slack is the error to allow: none where no arithmetic was done.
func (s *search) slack(r *rules.Rule, a, b *measure, v, w interval) float64 {
	if a.exact && b.exact && !(s.parties && r.Aggregation == rules.AggregateAvg) {
		return 0
	}
	return 4 * rules.Tolerance * max(math.Abs(v.low), math.Abs(v.high), math.Abs(w.low), math.Abs(w.high), 1e-300)
}

// equal is a comparison with = and no reference.
func (b *bound) equal(s *search, r *rules.Rule) tri {
	out := yes
	for i := range b.left {
		m := &b.left[i]
		if m.kind == leaves {
			groups := 1
			if m.grouped {
				groups = len(m.teams)
			}
			for g := range groups {
				teams := m.teams
				if m.grouped {
					teams = m.teams[g : g+1]
				}
				known, open := s.span(m, teams)
				switch {
				case !known.undefined && known.high-known.low > s.slack(r, m, m, known, known):
					return no
				case !open.undefined:
					out = maybe
				}
			}
			continue
		}
		if m.kind != each {
			continue // a single value equals itself
		}
		low, high := math.Inf(-1), math.Inf(1) // largest lower and smallest upper end
		for k := range m.teams {
			v := s.over(m.f, m.teams[k:k+1], m)
			if !v.undefined {
				low, high = max(low, v.low), min(high, v.high)
			}
		}
		if w := (interval{low: low, high: high}); low > high+s.slack(r, m, m, w, w) {
			return no
		}
		out = maybe
	}
	return out
}

func compareTri(op rules.Operation, v, ref interval, eps float64) tri {
	below := func(a, b interval, strict bool) tri { // a < b, or a <= b
		gap := a.low - b.high
		switch {
		case gap > eps || strict && gap >= 0 && eps == 0:
			return no
		case a.high < b.low-eps || !strict && a.high <= b.low-eps:
			return yes
		}
		return maybe
	}
	switch op {
	case rules.Less:
		return below(v, ref, true)
	case rules.LessEqual:
		return below(v, ref, false)
	case rules.Greater:
		return below(ref, v, true)
	case rules.GreaterEqual:
		return below(ref, v, false)
	}
	out := maybe
	switch {
	case v.low > ref.high+eps || v.high < ref.low-eps:
		out = no
	case eps == 0 && v.low == v.high && ref.low == ref.high && v.low == ref.low:
		out = yes
	}
	if op == rules.NotEqual {
		return -out
	}
	return out
}

func distanceTri(v, ref interval, least, most, eps float64) tri {
	near := max(0, v.low-ref.high, ref.low-v.high)
	far := max(v.high-ref.low, ref.high-v.low)
	switch {
	case near > most+eps || far < least-eps:
		return no
	case !(far > most-eps) && !(near < least+eps):
		return yes
	}
	return maybe
}

func (b *bound) compound(s *search, st *rules.Statement) tri {
	switch st.Op {
	case rules.And:
		out := yes
		for _, a := range st.Args {
			out = min(out, b.compound(s, a))
		}
		return out
	case rules.Or:
		out := no
		for _, a := range st.Args {
			out = max(out, b.compound(s, a))
		}
		return out
	case rules.Not:
		return -b.compound(s, st.Args[0])
	case rules.Xor:
		x, y := b.compound(s, st.Args[0]), b.compound(s, st.Args[1])
		switch {
		case x == maybe || y == maybe:
			return maybe
		case x != y:
			return yes
		}
		return no
	}
	return b.parts[st.Rule].judge(s)
}
