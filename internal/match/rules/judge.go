package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Judge decides whether a complete roster obeys the rule set. It is the
// plain reading of the specification, and the last word on every match. It
// holds scratch space: use one per goroutine.
type Judge struct {
	set     *Set
	roster  Roster
	level   int
	arena   []item
	memo    []int8 // verdict per rule: 0 unknown, 1 holds, -1 broken
	parties bool   // some party has more than one player
	counts  map[string]int

	verdict *Verdict // being filled, or nil when only the answer matters
}

// NewJudge returns a judge for set.
func NewJudge(set *Set) *Judge {
	return &Judge{set: set, memo: make([]int8, len(set.Rules)), counts: map[string]int{}}
}

// A Verdict is what a judge found for one rule, with the numbers behind it.
type Verdict struct {
	Rule     int
	Name     string
	Type     RuleType
	Required bool
	Holds    bool
	// Measured are the numbers that were compared: measurement values,
	// distances, counts or latencies, at most eight of them.
	Measured []float64
	// Why is a sentence with the numbers: "1500 is 300 from 1200, maxDistance is 100".
	Why string
}

// Broken says what Holds found wrong.
type Broken struct {
	Team int // a team outside its size limits, or -1
	Rule int // a required rule that does not hold, or -1
}

// Whole is the Broken of a roster that obeys everything.
var Whole = Broken{-1, -1}

func (j *Judge) sit(level int, roster Roster) {
	j.roster, j.level, j.verdict = roster, level, nil
	j.arena = j.arena[:0]
	clear(j.memo)
	j.parties = false
	for _, team := range roster {
		for _, p := range team {
			j.parties = j.parties || len(p) > 1
		}
	}
}

// Holds reports whether the roster is a valid match at a level: team sizes and
// every required rule (11.1). It says what it found broken first.
func (j *Judge) Holds(level int, roster Roster) (bool, Broken) {
	j.sit(level, roster)
	for t := range j.set.Teams {
		n, size := teamPlayers(roster, t), j.set.Size(level, t)
		if n < size.Min || n > size.Max {
			return false, Broken{t, -1}
		}
	}
	for i := range j.set.Rules {
		if j.set.Rules[i].Required && !j.rule(i) {
			return false, Broken{-1, i}
		}
	}
	if i := j.commonLocation(); i >= 0 {
		return false, Broken{-1, i}
	}
	return true, Whole
}

// RuleHolds judges a single rule, whatever the sizes of the teams.
func (j *Judge) RuleHolds(level int, roster Roster, rule int) bool {
	j.sit(level, roster)
	return j.rule(rule)
}

// Verdicts judges every rule that can be true or false, in their order, with
// the numbers behind each answer. Team sizes are the caller's to look at: the
// roster may be a part of a match.
func (j *Judge) Verdicts(level int, roster Roster) []Verdict {
	j.sit(level, roster)
	var out []Verdict
	for i := range j.set.Rules {
		r := &j.set.Rules[i]
		if r.Type.Sorts() {
			continue
		}
		v := Verdict{Rule: i, Name: r.Name, Type: r.Type, Required: r.Required}
		j.verdict = &v
		v.Holds = j.evaluate(i)
		j.verdict = nil
		j.memo[i] = truth(v.Holds)
		out = append(out, v)
	}
	if i := j.commonLocation(); i >= 0 {
		for k := range out {
			if out[k].Rule == i && out[k].Holds {
				out[k].Holds = false
				out[k].Why = "each latency rule accepts some location, but no location satisfies all of them"
			}
		}
	}
	return out
}

func teamPlayers(r Roster, team int) int {
	n := 0
	for _, p := range r[team] {
		n += len(p)
	}
	return n
}

func truth(b bool) int8 {
	if b {
		return 1
	}
	return -1
}

func (j *Judge) rule(i int) bool {
	if j.memo[i] == 0 {
		j.memo[i] = truth(j.evaluate(i))
	}
	return j.memo[i] > 0
}

func (j *Judge) evaluate(i int) bool {
	r, l := &j.set.Rules[i], &j.set.Levels[j.level].Limits[i]
	switch r.Type {
	case Comparison:
		return j.comparison(r, l)
	case Distance:
		return j.distance(r, l)
	case BatchDistance:
		return j.batchDistance(r, l)
	case Collection:
		return j.collection(r, l)
	case LatencyRule:
		return j.latency(r, l)
	case Compound:
		holds := j.statement(r.Statement)
		if j.verdict != nil {
			j.say("%s", j.spell(r.Statement))
		}
		return holds
	}
	return true // sort rules never reject
}

func (j *Judge) statement(s *Statement) bool {
	switch s.Op {
	case And:
		return !slices.ContainsFunc(s.Args, func(a *Statement) bool { return !j.statement(a) })
	case Or:
		return slices.ContainsFunc(s.Args, j.statement)
	case Xor:
		return j.statement(s.Args[0]) != j.statement(s.Args[1])
	case Not:
		return !j.statement(s.Args[0])
	}
	v := j.verdict
	j.verdict = nil
	holds := j.rule(s.Rule)
	j.verdict = v
	return holds
}

// spell writes a statement with the truth of every rule in it, and the numbers
// of those that fail.
func (j *Judge) spell(s *Statement) string {
	if s.Op == LogicRule {
		if j.statement(s) {
			return s.name + " holds"
		}
		outer, part := j.verdict, Verdict{}
		j.verdict = &part
		j.evaluate(s.Rule)
		j.verdict = outer
		if part.Why == "" || j.set.Rules[s.Rule].Type == Compound {
			return s.name + " fails"
		}
		return s.name + " fails: " + part.Why
	}
	var args []string
	for _, a := range s.Args {
		args = append(args, j.spell(a))
	}
	return logicNames[s.Op] + "(" + strings.Join(args, "; ") + ")"
}

// say sets the sentence of the verdict being filled. Callers check that there
// is one, since building arguments costs more than judging.
func (j *Judge) say(format string, args ...any) {
	j.verdict.Why = fmt.Sprintf(format, args...)
}

// why is say for sentences about numbers; it needs no check.
func (j *Judge) why(format string, args ...float64) {
	if j.verdict == nil {
		return
	}
	texts := make([]any, len(args))
	for i, a := range args {
		texts[i] = number(a)
	}
	j.say(format, texts...)
}

func (j *Judge) measured(f float64) {
	if j.verdict != nil && len(j.verdict.Measured) < 8 {
		j.verdict.Measured = append(j.verdict.Measured, f)
	}
}

// Tolerance is the relative error that comparisons of averages allow (3.3).
const Tolerance = 1e-9

// slack is how far a may miss b where averages are compared.
func slack(averages bool, a, b float64) float64 {
	if !averages {
		return 0
	}
	return Tolerance * max(math.Abs(a), math.Abs(b))
}

// compare applies a comparison to two numbers.
func compare(op Operation, a, b float64, averages bool) bool {
	eps := slack(averages, a, b)
	switch op {
	case Less:
		return a < b
	case LessEqual:
		return a <= b+eps
	case Equal:
		return math.Abs(a-b) <= eps
	case NotEqual:
		return !(math.Abs(a-b) <= eps)
	case Greater:
		return a > b
	case GreaterEqual:
		return a >= b-eps
	}
	return false
}

// averages reports whether a value comes out of a division: an averaging
// function, or the average over a party of several.
func (j *Judge) averages(r *Rule, e, ref *Expr) bool {
	return j.parties && r.Aggregation == AggregateAvg || e.has(Avg, Median, StdDev) || ref.has(Avg, Median, StdDev)
}

// comparison is 4.1.
func (j *Judge) comparison(r *Rule, l *Limits) bool {
	s := shape{carry: r.Aggregation}
	if l.Value.Kind == NoReference {
		s = shape{}
		if r.Written {
			s = shape{carry: r.Aggregation, once: true}
		}
		for _, e := range r.Measurements {
			if !j.allOrNone(r, e, j.eval(e, s)) {
				return false
			}
		}
		if j.verdict != nil {
			j.say("%s holds for all values", r.Operation)
		}
		return true
	}
	var ref item
	switch l.Value.Kind {
	case NumberReference:
		ref = item{kind: numberItem, num: l.Value.N}
	case TextReference:
		ref = item{kind: textItem, str: l.Value.S}
	default:
		ref = j.eval(l.Value.Expr, s)
	}
	if ref.kind == undefined {
		if j.verdict != nil {
			j.say("the reference %s is undefined, so the rule passes", l.Value.Expr)
		}
		return true
	}
	for _, e := range r.Measurements {
		averages := j.averages(r, e, l.Value.Expr)
		holds := j.eval(e, s).leaves(func(leaf item) bool {
			if leaf.kind == textItem {
				ok := (leaf.str == ref.str) == (r.Operation == Equal)
				if !ok {
					if j.verdict != nil {
						j.say("%q %s %q does not hold", leaf.str, r.Operation, ref.str)
					}
				}
				return ok
			}
			j.measured(leaf.num)
			ok := compare(r.Operation, leaf.num, ref.num, averages)
			if j.verdict != nil {
				word := map[bool]string{true: "holds", false: "does not hold"}[ok]
				j.say("%s %s %s %s", number(leaf.num), r.Operation, number(ref.num), word)
			}
			return ok
		})
		if !holds {
			return false
		}
	}
	return true
}

// allOrNone is a comparison without reference: = asks that all leaves are
// equal, != that they are pairwise different. A measurement grouped by team is
// checked group by group.
func (j *Judge) allOrNone(r *Rule, e *Expr, v item) bool {
	if e.Type.ByTeam && e.Type.Depth >= 2 {
		for _, group := range v.list {
			if !j.sameOrDifferent(r, e, group) {
				return false
			}
		}
		return true
	}
	return j.sameOrDifferent(r, e, v)
}

func (j *Judge) sameOrDifferent(r *Rule, e *Expr, v item) bool {
	averages := e.has(Avg, Median, StdDev) || r.Written && j.parties && r.Aggregation == AggregateAvg
	var seen []item
	return v.leaves(func(leaf item) bool {
		for _, other := range seen {
			same := leaf.str == other.str && compare(Equal, leaf.num, other.num, averages)
			if same != (r.Operation == Equal) {
				if j.verdict != nil {
					word := map[bool]string{true: "occurs twice, all must differ", false: "differs from " + other.String() + ", all must be equal"}[same]
					j.say("%s %s", leaf, word)
				}
				return false
			}
		}
		if r.Operation == NotEqual || len(seen) == 0 {
			seen = append(seen, leaf)
		}
		return true
	})
}

// distance is 4.2.
func (j *Judge) distance(r *Rule, l *Limits) bool {
	s := shape{carry: r.Aggregation}
	ref := item{kind: numberItem, num: l.Value.N}
	if l.Value.Kind == ExprReference {
		ref = j.eval(l.Value.Expr, s)
	}
	if ref.kind == undefined {
		if j.verdict != nil {
			j.say("the reference %s is undefined, so the rule passes", l.Value.Expr)
		}
		return true
	}
	for _, e := range r.Measurements {
		averages := j.averages(r, e, l.Value.Expr)
		holds := j.eval(e, s).leaves(func(leaf item) bool {
			d := math.Abs(leaf.num - ref.num)
			j.measured(d)
			eps := slack(averages, leaf.num, ref.num)
			switch {
			case d > l.MaxDistance+eps:
				j.why("%s is %s away from %s, maxDistance is %s", leaf.num, d, ref.num, l.MaxDistance)
				return false
			case d < l.MinDistance-eps:
				j.why("%s is only %s away from %s, minDistance is %s", leaf.num, d, ref.num, l.MinDistance)
				return false
			}
			j.why("%s is %s away from %s", leaf.num, d, ref.num)
			return true
		})
		if !holds {
			return false
		}
	}
	return true
}

// batchDistance is 4.3.
func (j *Judge) batchDistance(r *Rule, l *Limits) bool {
	if j.set.Attributes[r.Attribute].Kind == Text {
		first := true
		var want string
		for _, team := range j.roster {
			for _, p := range team {
				for i := range p {
					v := p[i].Attributes[r.Attribute].S
					if !first && v != want {
						if j.verdict != nil {
							j.say("%q and %q meet, all must be equal", want, v)
						}
						return false
					}
					want, first = v, false
				}
			}
		}
		if j.verdict != nil {
			j.say("all are %q", want)
		}
		return true
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, team := range j.roster {
		for _, p := range team {
			v := Aggregate(r.Aggregation, p, r.Attribute)
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		return true
	}
	j.measured(high - low)
	eps := slack(j.parties && r.Aggregation == AggregateAvg, low, high)
	if high-low > l.MaxDistance+eps {
		j.why("values reach from %s to %s, %s apart, maxDistance is %s", low, high, high-low, l.MaxDistance)
		return false
	}
	j.why("values reach from %s to %s", low, high)
	return true
}

// Aggregate reduces a party's numbers for one attribute to one value (5).
func Aggregate(a Aggregation, p Party, attribute int) float64 {
	v := p[0].Attributes[attribute].N
	if len(p) == 1 {
		return v
	}
	sum := v
	for _, m := range p[1:] {
		n := m.Attributes[attribute].N
		sum += n
		switch a {
		case AggregateMin:
			v = min(v, n)
		case AggregateMax:
			v = max(v, n)
		}
	}
	if a == AggregateAvg {
		return sum / float64(len(p))
	}
	return v
}
