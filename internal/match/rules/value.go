package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is the type of a player attribute.
type Kind uint8

// The attribute types; their wire members are N, S, SL and SDM.
const (
	Missing Kind = iota
	Number
	Text
	TextList
	NumberMap
)

var kindNames = [...]string{"missing", "number", "string", "string_list", "string_number_map"}

func (k Kind) String() string { return kindNames[k] }

// Wire is the member of the API's AttributeValue that carries this kind.
func (k Kind) Wire() string { return [...]string{"", "N", "S", "SL", "SDM"}[k] }

// A Value is what a player has for one attribute. The zero Value is missing.
type Value struct {
	Kind Kind
	N    float64
	S    string
	SL   []string
	SDM  []Entry // sorted by key
}

// An Entry is one pair of a string-to-number map.
type Entry struct {
	Key string
	N   float64
}

// N, S, SL and SDM make values; they are named as on the wire.
func N(n float64) Value { return Value{Kind: Number, N: n} }

// S makes a string value.
func S(s string) Value { return Value{Kind: Text, S: s} }

// SL makes a list of strings; repeated strings after the first are dropped (1).
func SL(list ...string) Value {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return Value{Kind: TextList, SL: out}
}

// SDM makes a string-to-number map.
func SDM(m map[string]float64) Value {
	v := Value{Kind: NumberMap, SDM: make([]Entry, 0, len(m))}
	for k, n := range m {
		v.SDM = append(v.SDM, Entry{k, n})
	}
	slices.SortFunc(v.SDM, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return v
}

// Key returns the number under key in a string-to-number map.
func (v Value) Key(key string) (float64, bool) {
	i, ok := slices.BinarySearchFunc(v.SDM, key, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
	if !ok {
		return 0, false
	}
	return v.SDM[i].N, true
}

func (v Value) String() string {
	switch v.Kind {
	case Number:
		return number(v.N)
	case Text:
		return fmt.Sprintf("%q", v.S)
	case TextList:
		return "[" + strings.Join(v.SL, ", ") + "]"
	case NumberMap:
		var parts []string
		for _, e := range v.SDM {
			parts = append(parts, e.Key+": "+number(e.N))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "missing"
}

// A Player is one player as a judge sees them.
type Player struct {
	ID         string
	Attributes []Value   // one for each declared attribute, in their order
	Latency    []Latency // sorted by location
}

// Latency is a reported round trip to one location.
type Latency struct {
	Location string
	MS       int32
}

// To returns the player's latency to a location in milliseconds.
func (p *Player) To(location string) (ms int32, ok bool) {
	for i := range p.Latency {
		if p.Latency[i].Location == location {
			return p.Latency[i].MS, true
		}
	}
	return 0, false
}

// A Party is the players of one ticket who stand in one team. A ticket is one
// party, except a backfill ticket whose players fill several teams: it is a
// party in each.
type Party []Player

// A Roster is a complete candidate match: for every team of the rule set, in
// the order of Set.Teams, the parties in it.
type Roster [][]Party

// Players counts the players of all teams.
func (r Roster) Players() int {
	n := 0
	for _, team := range r {
		for _, p := range team {
			n += len(p)
		}
	}
	return n
}

// An AttributeProblem says why a player's attribute is not usable.
type AttributeProblem struct {
	Attribute string
	Got       Kind // Missing when the player has none
	Want      Kind // Missing when the rule set does not declare the attribute
}

func (p AttributeProblem) String() string {
	switch {
	case p.Want == Missing:
		return fmt.Sprintf("attribute %q is not declared by the rule set", p.Attribute)
	case p.Got == Missing:
		return fmt.Sprintf("attribute %q (%s) is missing and has no default", p.Attribute, p.Want)
	}
	return fmt.Sprintf("attribute %q is a %s (%s) but the rule set declares %s (%s)", p.Attribute, p.Got, p.Got.Wire(), p.Want, p.Want.Wire())
}

// LayOut lays a player's attributes out in the order the rule set declares
// them and fills in defaults (2.1). Problems are sorted by attribute name; a
// missing one means the player can never be matched, the others that the
// request was wrong.
func (s *Set) LayOut(given map[string]Value) ([]Value, []AttributeProblem) {
	out := make([]Value, len(s.Attributes))
	var problems []AttributeProblem
	used := 0
	for i, a := range s.Attributes {
		v, ok := given[a.Name]
		switch {
		case ok && v.Kind == a.Kind:
			out[i] = v
		case ok:
			problems = append(problems, AttributeProblem{a.Name, v.Kind, a.Kind})
		case a.Default.Kind != Missing:
			out[i] = a.Default
		default:
			problems = append(problems, AttributeProblem{a.Name, Missing, a.Kind})
		}
		if ok {
			used++
		}
	}
	if used < len(given) {
		for name, v := range given {
			if s.attribute(name) < 0 {
				problems = append(problems, AttributeProblem{name, v.Kind, Missing})
			}
		}
	}
	slices.SortFunc(problems, func(a, b AttributeProblem) int { return strings.Compare(a.Attribute, b.Attribute) })
	return out, problems
}
