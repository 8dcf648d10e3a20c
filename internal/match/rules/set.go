package rules

import (
	"math"
	"slices"
	"time"
)

// A Set is a parsed and valid rule set. It is never changed.
type Set struct {
	Name        string // descriptive only
	Attributes  []Attribute
	Definitions []Definition
	Teams       []Team // one for each team of a match
	Rules       []Rule
	Algorithm   Algorithm
	Levels      []Level // by ascending age; the first has age 0
	Large       bool    // more than 40 seats: the large-match method applies (8)
}

// An Attribute is a declared player attribute (2.1).
type Attribute struct {
	Name    string
	Kind    Kind
	Default Value // Missing when there is none
}

// A Definition is one element of the rule set's teams (2.2). Its sizes depend
// on the expansion level and stand in Level.Sizes.
type Definition struct {
	Name     string
	Quantity int // teams made from it, at least 1
}

// A Team is one team of a match.
type Team struct {
	Name       string
	Definition int
}

// Size is how many players a team has: Min ≤ n ≤ Max.
type Size struct{ Min, Max int }

// RuleType is the type of a rule (4).
type RuleType uint8

// The rule types.
const (
	Comparison RuleType = iota
	Distance
	BatchDistance
	Collection
	LatencyRule
	Compound
	AbsoluteSort
	DistanceSort
)

var ruleTypeNames = []string{"comparison", "distance", "batchDistance", "collection", "latency", "compound", "absoluteSort", "distanceSort"}

func (t RuleType) String() string { return ruleTypeNames[t] }

// Sorts reports whether rules of the type only order candidates.
func (t RuleType) Sorts() bool { return t == AbsoluteSort || t == DistanceSort }

// Aggregation reduces the players of a party to one value (5).
type Aggregation uint8

// The aggregations; the last two merge collections.
const (
	AggregateNone Aggregation = iota
	AggregateAvg
	AggregateMin
	AggregateMax
	AggregateUnion
	AggregateIntersection
)

var aggregationNames = []string{"", "avg", "min", "max", "union", "intersection"}

func (a Aggregation) String() string { return aggregationNames[a] }

// Operation is the operation of a comparison or collection rule.
type Operation uint8

// The operations of comparison rules (4.1) and collection rules (4.4).
const (
	OpNone Operation = iota
	Less
	LessEqual
	Equal
	NotEqual
	Greater
	GreaterEqual
	Intersection
	Contains
	ReferenceIntersectionCount
)

var operationNames = []string{"", "<", "<=", "=", "!=", ">", ">=", "intersection", "contains", "reference_intersection_count"}

func (o Operation) String() string { return operationNames[o] }

// A Rule is one rule. Which members mean something depends on Type; the
// limits, which expansions may change, stand in Level.Limits.
type Rule struct {
	Name         string
	Type         RuleType
	Required     bool // must hold for every match: no sort rule, named in no compound statement
	Measurements []*Expr
	Operation    Operation
	Aggregation  Aggregation // as written, or the type's default
	Written      bool        // partyAggregation was written explicitly
	Attribute    int         // batchAttribute or sortAttribute, else -1
	Reference    Aggregation // distanceReference of a latency rule: AggregateMin or AggregateAvg
	Statement    *Statement  // of a compound rule
	Descending   bool        // of a sort rule
	MapKey       MapKey      // of a sort rule over a map
}

// MapKey says which key of the anchor's map a sort rule looks at (4.7).
type MapKey uint8

// The map keys.
const (
	NoMapKey MapKey = iota
	MinValue
	MaxValue
)

// Limits are the values of a rule that an expansion can change. An absent
// number is NaN, an absent count -1.
type Limits struct {
	MaxDistance, MinDistance float64
	MaxLatency               float64 // milliseconds
	MinCount, MaxCount       int
	Value                    Reference
}

// A Reference is a referenceValue: absent, a literal, or an expression.
type Reference struct {
	Kind ReferenceKind
	N    float64
	S    string
	List []string
	Expr *Expr
}

// ReferenceKind says which member of a Reference counts.
type ReferenceKind uint8

// The kinds of reference.
const (
	NoReference ReferenceKind = iota
	NumberReference
	TextReference
	ListReference
	ExprReference
)

func noLimits() Limits {
	nan := math.NaN()
	return Limits{MaxDistance: nan, MinDistance: nan, MaxLatency: nan, MinCount: -1, MaxCount: -1}
}

// A Level is what is in force from one expansion age to the next (6).
type Level struct {
	Age    time.Duration
	Sizes  []Size // by definition
	Limits []Limits
}

// Algorithm is the algorithm block with defaults filled in (7).
type Algorithm struct {
	Balanced         bool // strategy
	Batching         Batching
	SortBy           []int // attributes, first is the primary key
	BalancedBy       int   // attribute, -1 if none
	Oldest           bool  // expansionAgeSelection
	BackfillPriority Priority
}

// Batching is the batchingPreference.
type Batching uint8

// The batching preferences.
const (
	RandomBatches Batching = iota
	SortedBatches
	LargestPopulation
	FastestRegion
)

var batchingNames = []string{"random", "sorted", "largestPopulation", "fastestRegion"}

// Priority is the backfillPriority.
type Priority uint8

// The backfill priorities.
const (
	NormalPriority Priority = iota
	HighPriority
	LowPriority
)

var priorityNames = []string{"normal", "high", "low"}

// LevelAt returns the index of the level in force at an age.
func (s *Set) LevelAt(age time.Duration) int {
	k := 0
	for k+1 < len(s.Levels) && s.Levels[k+1].Age <= age {
		k++
	}
	return k
}

// Seats is the largest number of players in a match at a level.
func (s *Set) Seats(level int) int {
	n := 0
	for i, d := range s.Definitions {
		n += d.Quantity * s.Levels[level].Sizes[i].Max
	}
	return n
}

// Size returns the limits of one team at a level.
func (s *Set) Size(level, team int) Size {
	return s.Levels[level].Sizes[s.Teams[team].Definition]
}

// TeamIndex returns the index of the team called name, or -1.
func (s *Set) TeamIndex(name string) int {
	return slices.IndexFunc(s.Teams, func(t Team) bool { return t.Name == name })
}

func (s *Set) attribute(name string) int {
	return slices.IndexFunc(s.Attributes, func(a Attribute) bool { return a.Name == name })
}

func (s *Set) rule(name string) int {
	return slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Name == name })
}

func (s *Set) attributeNames() []string {
	var names []string
	for _, a := range s.Attributes {
		names = append(names, a.Name)
	}
	return names
}

func (s *Set) teamNames() []string {
	var names []string
	for _, d := range s.Definitions {
		names = append(names, d.Name)
	}
	return names
}

// NeedsLatency reports whether some rule looks at latency, which makes a
// player without latency data unmatchable (4.5).
func (s *Set) NeedsLatency() bool {
	return slices.ContainsFunc(s.Rules, func(r Rule) bool { return r.Type == LatencyRule && r.Required })
}
