package match

import (
	"fmt"
	"math"
	"slices"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A plan is a rule set compiled for searching. Every part of it only narrows
// the search; the judge decides.
type plan struct {
	set        *rules.Set
	additional int // seats kept free
	columns    []column
	partitions []int    // attributes that must be equal for all players of a match
	windows    []window // numbers that must lie close together; the first one orders the pool
	latency    bool     // some required rule has a latency limit
	masks      []int    // by level: which of an entry's location masks is in force
	maskCount  int
	seats      []unary // what a rule asks of every player of some team
	seatMasks  []int   // by level, as masks
	seatCount  int
	bounds     []bound
	summed     []int // columns that bounds add up
	lists      []listRule
	setColumns []setColumn
	playerIDs  bool // some rule looks at player ids
	distinct   []distinctRule
	sorts      []sortKey
	levels     []levelPlan
	shapes     map[string]*shapeList // by what they depend on
	teamBlind  bool                  // no required rule tells teams apart
	alike      bool                  // tickets with equal columns are interchangeable for every rule
	named      bool                  // some rule names one of several teams from one definition
}

// levelPlan is what a plan needs to know about one level.
type levelPlan struct {
	shapes  *shapeList // see shapesFor
	ordered *shapeList // with every order of teams from one definition, for backfill tickets
	widths  []float64  // of the windows
	largest int        // team
	most    int        // players of a match
}

// A column is one number per party: an attribute reduced by an aggregation.
// String attributes have columns of interned numbers, to compare for equality.
type column struct {
	attribute int
	agg       rules.Aggregation
	text      bool
}

// A window asks that the party values of a column lie within a width, over the
// whole match.
type window struct {
	column int
	rule   int
}

// A unary rule compares every player of some teams with a constant.
type unary struct {
	rule   int
	teams  []int
	column [2]int // the party's lowest and highest value
}

func compile(set *rules.Set, additional int) *plan {
	p := &plan{set: set, additional: additional, teamBlind: true, alike: true, shapes: map[string]*shapeList{}}
	for i := range set.Rules {
		r := &set.Rules[i]
		if r.Type.Sorts() {
			p.sorts = append(p.sorts, sortKey{rule: i, attribute: r.Attribute, distance: r.Type == rules.DistanceSort, descending: r.Descending, mapKey: r.MapKey, agg: r.Aggregation})
		}
		if !r.Required {
			continue
		}
		p.compileRule(i, r)
	}
	if set.Algorithm.Batching == rules.SortedBatches && !set.Algorithm.Balanced {
		for _, a := range set.Algorithm.SortBy {
			p.sorts = append(p.sorts, sortKey{rule: -1, attribute: a, distance: true, agg: rules.AggregateAvg})
		}
	}
	for i := range set.Rules {
		eachPath(set, i, func(path *rules.Path) {
			for _, t := range path.Teams {
				same := 0
				for _, u := range path.Teams {
					if set.Teams[t].Definition == set.Teams[u].Definition {
						same++
					}
				}
				if same != set.Definitions[set.Teams[t].Definition].Quantity {
					p.named = true
				}
			}
		})
	}
	p.compileLevels()
	p.alike = p.alike && len(p.lists) == 0 && len(p.distinct) == 0
	for i := range p.bounds {
		p.bounds[i].eachMeasure(func(m *measure) {
			if m.f == rules.Sum || m.f == rules.Avg {
				m.sum = p.summedColumn(m.mean)
			}
		})
	}
	return p
}

func (p *plan) summedColumn(column int) int {
	i := slices.Index(p.summed, column)
	if i < 0 {
		i = len(p.summed)
		p.summed = append(p.summed, column)
	}
	return i
}

// eachPath calls f for the path of every expression of rule i, at any level.
func eachPath(set *rules.Set, i int, f func(*rules.Path)) {
	visit := func(e *rules.Expr) {
		for e.Arg != nil {
			e = e.Arg
		}
		f(e.Path)
	}
	for _, e := range set.Rules[i].Measurements {
		visit(e)
	}
	for k := range set.Levels {
		if e := set.Levels[k].Limits[i].Value.Expr; e != nil {
			visit(e)
		}
	}
}

// column returns the number of the column, adding it if it is new.
func (p *plan) column(attribute int, agg rules.Aggregation) int {
	c := column{attribute, agg, p.set.Attributes[attribute].Kind == rules.Text}
	if i := slices.Index(p.columns, c); i >= 0 {
		return i
	}
	p.columns = append(p.columns, c)
	return len(p.columns) - 1
}

func (p *plan) compileRule(i int, r *rules.Rule) {
	switch r.Type {
	case rules.BatchDistance:
		if p.set.Attributes[r.Attribute].Kind == rules.Text {
			p.partition(r.Attribute)
		} else {
			p.windows = append(p.windows, window{p.column(r.Attribute, r.Aggregation), i})
		}
	case rules.LatencyRule:
		p.latency = true
		for k := range p.set.Levels {
			p.alike = p.alike && math.IsNaN(p.set.Levels[k].Limits[i].MaxDistance)
		}
	case rules.Collection:
		p.alike = false
		if !p.compileList(i, r) {
			p.teamBlind = false
		}
	case rules.Comparison:
		if attribute, ok := p.equalForAll(r, i); ok {
			p.partition(attribute)
			return
		}
		if p.compileDistinct(i, r) {
			return
		}
		p.compileBound(i, r)
	case rules.Distance:
		if column, ok := p.spreadOfAll(r, i); ok {
			p.windows = append(p.windows, window{column, i})
			for k := range p.set.Levels {
				if !(p.set.Levels[k].Limits[i].MinDistance <= 0) && !math.IsNaN(p.set.Levels[k].Limits[i].MinDistance) {
					p.compileBound(i, r)
					break
				}
			}
			return
		}
		p.compileBound(i, r)
	case rules.Compound:
		p.compileBound(i, r)
	}
}

// compileBound makes a rule prune where that is possible, and notes whether it
// tells teams apart.
func (p *plan) compileBound(i int, r *rules.Rule) {
	sizes := true
	for k := range p.set.Levels {
		sizes = sizes && sizesOnly(p.set, k, i)
	}
	if sizes {
		return // the shapes settle it
	}
	p.teamBlind = p.teamBlind && p.blind(i)
	b := p.bound(i)
	if b.kind != boundNone {
		p.bounds = append(p.bounds, b)
	}
	p.alike = p.alike && b.known()
	if u, ok := p.unary(i, r); ok {
		p.seats = append(p.seats, u)
	}
}

// blind reports whether a rule says the same however players are spread over
// the teams.
func (p *plan) blind(i int) bool {
	r := &p.set.Rules[i]
	if r.Type == rules.Compound {
		all := true
		r.Statement.Each(func(rule int) { all = all && p.blind(rule) })
		return all
	}
	if r.Type == rules.LatencyRule {
		return true
	}
	for k := range p.set.Levels {
		if e := p.set.Levels[k].Limits[i].Value.Expr; e != nil && !overAll(e) {
			return false
		}
	}
	return !slices.ContainsFunc(r.Measurements, func(e *rules.Expr) bool { return !overAll(e) })
}

// overAll reports whether an expression flattens all teams before anything
// else, or lists the values of all of them one by one.
func overAll(e *rules.Expr) bool {
	for ; e.Arg != nil; e = e.Arg {
		if e.Func == rules.Flatten && e.Arg.Path != nil {
			return e.Arg.Path.All
		}
	}
	return false
}

// flatPath returns the path of flatten(path over all teams).
func flatPath(e *rules.Expr) *rules.Path {
	if e.Func == rules.Flatten && e.Arg.Path != nil && e.Arg.Path.All {
		return e.Arg.Path
	}
	return nil
}

// partition adds an attribute that splits the pool.
func (p *plan) partition(attribute int) {
	if !slices.Contains(p.partitions, attribute) {
		p.partitions = append(p.partitions, attribute)
	}
}

// equalForAll recognises "= without reference over all players of the match".
func (p *plan) equalForAll(r *rules.Rule, i int) (attribute int, ok bool) {
	if r.Operation != rules.Equal || r.Written || len(r.Measurements) != 1 || p.set.Levels[0].Limits[i].Value.Kind != rules.NoReference {
		return 0, false
	}
	path := flatPath(r.Measurements[0])
	if path == nil || path.Member != rules.MemberAttribute || p.set.Attributes[path.Attribute].Kind == rules.TextList {
		return 0, false
	}
	return path.Attribute, true
}

// spreadOfAll recognises "largest minus smallest value of the match".
func (p *plan) spreadOfAll(r *rules.Rule, i int) (col int, ok bool) {
	if len(r.Measurements) != 1 {
		return 0, false
	}
	a := r.Measurements[0]
	for k := range p.set.Levels {
		l := &p.set.Levels[k].Limits[i]
		if l.Value.Kind != rules.ExprReference || math.IsNaN(l.MaxDistance) {
			return 0, false
		}
		b := l.Value.Expr
		if !(a.Func == rules.Max && b.Func == rules.Min || a.Func == rules.Min && b.Func == rules.Max) {
			return 0, false
		}
		pa, pb := flatPath(a.Arg), flatPath(b.Arg)
		if pa == nil || pb == nil || pa.Attribute != pb.Attribute {
			return 0, false
		}
	}
	return p.column(flatPath(a.Arg).Attribute, r.Aggregation), true
}

// unary recognises a comparison of players' values with a constant at every
// level. Such a rule says which teams a party may enter at all.
func (p *plan) unary(i int, r *rules.Rule) (unary, bool) {
	if r.Type != rules.Comparison || len(r.Measurements) != 1 {
		return unary{}, false
	}
	e := r.Measurements[0]
	if e.Func == rules.Flatten {
		e = e.Arg
	}
	if e.Path == nil || e.Path.Member != rules.MemberAttribute || p.set.Attributes[e.Path.Attribute].Kind == rules.TextList {
		return unary{}, false
	}
	for k := range p.set.Levels {
		if v := p.set.Levels[k].Limits[i].Value.Kind; v != rules.NumberReference && v != rules.TextReference {
			return unary{}, false
		}
	}
	low, high := p.lowHigh(e.Path.Attribute, r.Aggregation)
	return unary{rule: i, teams: e.Path.Teams, column: [2]int{low, high}}, true
}

// lowHigh returns the columns of a party's lowest and highest value as a rule
// sees its players: one aggregate, or each string on its own.
func (p *plan) lowHigh(attribute int, agg rules.Aggregation) (low, high int) {
	if p.set.Attributes[attribute].Kind == rules.Text || agg == rules.AggregateNone {
		return p.column(attribute, rules.AggregateMin), p.column(attribute, rules.AggregateMax)
	}
	c := p.column(attribute, agg)
	return c, c
}

// shapesFor returns the shapes to try around an anchor. The players of a
// backfill ticket stand in certain teams already, which are then no longer
// interchangeable. Shapes are enumerated when first needed, once for all levels
// that agree about sizes.
func (p *plan) shapesFor(level int, backfill bool) []shape {
	return p.shapesOf(level, backfill).list
}

// shapeList is shapes and whether they are all there are.
type shapeList struct {
	list     []shape
	complete bool
}

func (p *plan) shapesOf(level int, backfill bool) *shapeList {
	named := p.named || backfill
	lp := &p.levels[level]
	into := &lp.shapes
	if named && !p.named {
		into = &lp.ordered
	}
	if *into != nil {
		return *into
	}
	l := &p.set.Levels[level]
	key := fmt.Appendf(nil, "%t %v", named, l.Sizes)
	for i := range p.set.Rules {
		if p.set.Rules[i].Type == rules.Compound || sizesOnly(p.set, level, i) {
			key = fmt.Appendf(key, " %d %v", i, l.Limits[i])
		}
	}
	if known := p.shapes[string(key)]; known != nil {
		*into = known
		return known
	}
	made := &shapeList{}
	made.list, made.complete = shapesAt(p.set, level, p.additional, named)
	*into, p.shapes[string(key)] = made, made
	return made
}

func (p *plan) compileLevels() {
	for k := range p.set.Levels {
		l := &p.set.Levels[k]
		lp := levelPlan{}
		for _, w := range p.windows {
			d := l.Limits[w.rule].MaxDistance
			lp.widths = append(lp.widths, d)
		}
		for t := range p.set.Teams {
			lp.largest = max(lp.largest, p.set.Size(k, t).Max)
			lp.most += p.set.Size(k, t).Max
		}
		p.levels = append(p.levels, lp)
		p.masks = append(p.masks, p.variant(k, p.masks, &p.maskCount, func(i int) bool {
			return p.set.Rules[i].Required && p.set.Rules[i].Type == rules.LatencyRule
		}))
		p.seatMasks = append(p.seatMasks, p.variant(k, p.seatMasks, &p.seatCount, func(i int) bool {
			return slices.ContainsFunc(p.seats, func(u unary) bool { return u.rule == i })
		}))
	}
}

// variant numbers the distinct values that some rules take from level to
// level, so that an entry keeps one mask for each and not one for each level.
func (p *plan) variant(k int, before []int, count *int, concerns func(int) bool) int {
	if k > 0 {
		same := true
		for i := range p.set.Rules {
			if concerns(i) {
				a, b := p.set.Levels[k-1].Limits[i], p.set.Levels[k].Limits[i]
				same = same && (a.MaxLatency == b.MaxLatency || math.IsNaN(a.MaxLatency) && math.IsNaN(b.MaxLatency)) && a.Value.N == b.Value.N && a.Value.S == b.Value.S && a.Value.Kind == b.Value.Kind
			}
		}
		if same {
			return before[k-1]
		}
	}
	*count++
	return *count - 1
}
