package rules

import (
	"math"
	"slices"
	"strings"
)

// An item is a value of an expression: a leaf, or a list of items.
type item struct {
	kind itemKind
	num  float64
	str  string
	list []item
}

type itemKind uint8

const (
	undefined itemKind = iota
	numberItem
	textItem
	playerItem
	listItem
)

func (v item) String() string {
	switch v.kind {
	case numberItem:
		return number(v.num)
	case textItem:
		return `"` + v.str + `"`
	case listItem:
		var parts []string
		for _, e := range v.list {
			parts = append(parts, e.String())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "undefined"
}

// leaves calls f for every defined leaf until f returns false.
func (v item) leaves(f func(item) bool) bool {
	switch v.kind {
	case undefined:
		return true
	case listItem:
		for _, e := range v.list {
			if !e.leaves(f) {
				return false
			}
		}
		return true
	}
	return f(v)
}

// shape says how parties enter an expression (5).
type shape struct {
	carry Aggregation // numbers: every player carries the party's aggregate
	once  bool        // numbers: one value per party instead of one per player
	merge Aggregation // string lists: one merged list per party
}

// block takes n items from the judge's scratch space.
func (j *Judge) block(n int) []item {
	if len(j.arena)+n > cap(j.arena) {
		j.arena = make([]item, 0, max(2*cap(j.arena), n, 64))
	}
	from := len(j.arena)
	j.arena = j.arena[:from+n]
	return j.arena[from : from+n : from+n]
}

// eval computes an expression over the roster.
func (j *Judge) eval(e *Expr, s shape) item {
	if e.Path != nil {
		return j.path(e.Path, s)
	}
	return j.apply(e, j.eval(e.Arg, s), e.at)
}

func (j *Judge) path(p *Path, s shape) item {
	if !p.Several {
		return j.team(p, s, p.Teams[0])
	}
	out := j.block(len(p.Teams))
	for i, t := range p.Teams {
		out[i] = j.team(p, s, t)
	}
	return item{kind: listItem, list: out}
}

func (j *Judge) team(p *Path, s shape, team int) item {
	if p.Member == MemberTeam {
		return item{kind: playerItem}
	}
	kind := Missing
	if p.Member == MemberAttribute {
		kind = j.set.Attributes[p.Attribute].Kind
	}
	perParty := kind == Number && s.once || kind == TextList && s.merge != AggregateNone
	n := len(j.roster[team])
	if !perParty {
		n = teamPlayers(j.roster, team)
	}
	out := j.block(n)
	i := 0
	for _, party := range j.roster[team] {
		if perParty {
			if kind == Number {
				out[i] = item{kind: numberItem, num: Aggregate(s.carry, party, p.Attribute)}
			} else {
				out[i] = j.mergeLists(s.merge, party, p.Attribute)
			}
			i++
			continue
		}
		for k := range party {
			out[i] = j.member(&party[k], party, p, s)
			i++
		}
	}
	return item{kind: listItem, list: out}
}

func (j *Judge) member(m *Player, party Party, p *Path, s shape) item {
	switch p.Member {
	case MemberPlayers:
		return item{kind: playerItem}
	case MemberPlayerID:
		return item{kind: textItem, str: m.ID}
	}
	switch v := &m.Attributes[p.Attribute]; v.Kind {
	case Number:
		if s.carry != AggregateNone && len(party) > 1 {
			return item{kind: numberItem, num: Aggregate(s.carry, party, p.Attribute)}
		}
		return item{kind: numberItem, num: v.N}
	case Text:
		return item{kind: textItem, str: v.S}
	case TextList:
		return j.texts(v.SL)
	}
	return item{}
}

func (j *Judge) texts(list []string) item {
	out := j.block(len(list))
	for i, s := range list {
		out[i] = item{kind: textItem, str: s}
	}
	return item{kind: listItem, list: out}
}

// mergeLists is the union or intersection of a party's lists.
func (j *Judge) mergeLists(a Aggregation, party Party, attribute int) item {
	if len(party) == 1 {
		return j.texts(party[0].Attributes[attribute].SL)
	}
	var merged []string
	if a == AggregateUnion {
		for i := range party {
			for _, s := range party[i].Attributes[attribute].SL {
				if !slices.Contains(merged, s) {
					merged = append(merged, s)
				}
			}
		}
		return j.texts(merged)
	}
	for _, s := range party[0].Attributes[attribute].SL {
		if !slices.ContainsFunc(party[1:], func(m Player) bool { return !slices.Contains(m.Attributes[attribute].SL, s) }) {
			merged = append(merged, s)
		}
	}
	return j.texts(merged)
}

// apply runs the function of e on v, depth lists further down.
func (j *Judge) apply(e *Expr, v item, depth int) item {
	if v.kind == undefined {
		return v
	}
	if depth > 0 {
		out := j.block(len(v.list))[:0]
		for _, sub := range v.list {
			if got := j.apply(e, sub, depth-1); got.kind != undefined {
				out = append(out, got)
			}
		}
		return item{kind: listItem, list: out}
	}
	switch e.Func {
	case Flatten:
		n := 0
		for _, sub := range v.list {
			n += len(sub.list)
		}
		out := j.block(n)[:0]
		for _, sub := range v.list {
			out = append(out, sub.list...)
		}
		return item{kind: listItem, list: out}
	case SetIntersection:
		return intersect(v.list)
	case Count:
		return item{kind: numberItem, num: float64(len(v.list))}
	}
	if len(v.list) == 0 && e.Func != Sum {
		return item{}
	}
	return item{kind: numberItem, num: aggregate(e.Func, v.list)}
}

// aggregate reduces numbers; the list is empty only for sum.
func aggregate(f Func, list []item) float64 {
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, v := range list {
		low, high, sum = min(low, v.num), max(high, v.num), sum+v.num
	}
	n := float64(len(list))
	switch f {
	case Min:
		return low
	case Max:
		return high
	case Avg:
		return sum / n
	case Median:
		sorted := make([]float64, len(list))
		for i, v := range list {
			sorted[i] = v.num
		}
		slices.Sort(sorted)
		half := len(sorted) / 2
		if len(sorted)%2 == 1 {
			return sorted[half]
		}
		return sorted[half-1]/2 + sorted[half]/2
	case StdDev:
		mean, squares := sum/n, 0.0
		for _, v := range list {
			squares += (v.num - mean) * (v.num - mean)
		}
		return math.Sqrt(squares / n)
	}
	return sum
}

// intersect is the strings found in every list; over no list at all it is
// undefined (3.3).
func intersect(lists []item) item {
	if len(lists) == 0 {
		return item{}
	}
	out := []item{}
	for i, s := range lists[0].list {
		if slices.ContainsFunc(lists[0].list[:i], func(t item) bool { return t.str == s.str }) {
			continue
		}
		everywhere := true
		for _, l := range lists[1:] {
			if !slices.ContainsFunc(l.list, func(t item) bool { return t.str == s.str }) {
				everywhere = false
				break
			}
		}
		if everywhere {
			out = append(out, s)
		}
	}
	return item{kind: listItem, list: out}
}
