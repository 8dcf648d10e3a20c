package rules

import (
	"fmt"
	"slices"
)

// rawRule keeps what later checks of a rule point at.
type rawRule struct {
	node *node
	path string
}

// ruleMembers lists what a rule of each type may have, beside name,
// description and type.
var ruleMembers = [...][]string{
	Comparison:    {"measurements", "operation", "referenceValue", "partyAggregation"},
	Distance:      {"measurements", "referenceValue", "maxDistance", "minDistance", "partyAggregation"},
	BatchDistance: {"batchAttribute", "maxDistance", "partyAggregation"},
	Collection:    {"measurements", "operation", "referenceValue", "minCount", "maxCount", "partyAggregation"},
	LatencyRule:   {"maxLatency", "maxDistance", "distanceReference", "partyAggregation"},
	Compound:      {"statement"},
	AbsoluteSort:  {"sortDirection", "sortAttribute", "mapKey", "partyAggregation"},
	DistanceSort:  {"sortDirection", "sortAttribute", "mapKey", "partyAggregation"},
}

func (r *reader) rules(root *node) {
	for i, n := range r.list(root, "", "rules", maxRules) {
		path := fmt.Sprintf("rules[%d]", i)
		if n.kind != objectNode {
			r.object(n, path)
			continue
		}
		rule := Rule{Name: r.text(n, path, "name", true), Required: true, Attribute: -1}
		if rule.Name != "" && r.set.rule(rule.Name) >= 0 {
			r.bad(n.member("name"), path+".name", fmt.Sprintf("rule %q is defined twice", rule.Name), "rename one of them")
		}
		limits := noLimits()
		if t := r.choice(n, path, "type", true, ruleTypeNames); t >= 0 {
			rule.Type = RuleType(t)
			r.object(n, path, append([]string{"name", "description", "type"}, ruleMembers[t]...)...)
			r.rule(&rule, &limits, n, path)
		}
		rule.Required = !rule.Type.Sorts()
		r.set.Rules = append(r.set.Rules, rule)
		r.set.Levels[0].Limits = append(r.set.Levels[0].Limits, limits)
		r.raws = append(r.raws, rawRule{n, path})
	}
	for i := range r.set.Rules {
		if s := r.set.Rules[i].Statement; s != nil {
			s.Each(func(rule int) {
				if rule >= 0 {
					r.set.Rules[rule].Required = false
				}
			})
		}
	}
}

func (r *reader) rule(rule *Rule, limits *Limits, n *node, path string) {
	switch rule.Type {
	case Comparison:
		r.comparison(rule, limits, n, path)
	case Distance:
		r.distance(rule, limits, n, path)
	case BatchDistance:
		r.batchDistance(rule, limits, n, path)
	case Collection:
		r.collection(rule, limits, n, path)
	case LatencyRule:
		r.latency(rule, limits, n, path)
	case Compound:
		r.compound(rule, n, path)
	case AbsoluteSort, DistanceSort:
		r.sort(rule, n, path)
	}
}

// measurements reads an array of expressions or a bare string (4).
func (r *reader) measurements(n *node, path string) []*Expr {
	v := n.member("measurements")
	path += ".measurements"
	if v == nil {
		r.bad(n, path, "is missing", `add it: "measurements": ["avg(teams[red].players.attributes[skill])"]`)
		return nil
	}
	items := []*node{v}
	if v.kind == arrayNode {
		items = v.items
		if len(items) == 0 {
			r.bad(v, path, "is empty", "add an expression")
		}
	}
	var out []*Expr
	for i, item := range items {
		p := path
		if v.kind == arrayNode {
			p = fmt.Sprintf("%s[%d]", path, i)
		}
		if item.kind != stringNode {
			r.bad(item, p, "must be an expression in a string, not "+item.kind.String(), expressionExample)
			continue
		}
		if e := r.expression(item, p); e != nil {
			out = append(out, e)
		}
	}
	return out
}

// expression parses and resolves; it reports and returns nil on error.
func (r *reader) expression(n *node, path string) *Expr {
	e, err := parseExpr(n.text)
	if err == nil {
		err = e.resolve(r.set)
	}
	if err != nil {
		r.bad(n, path, err.what, err.fix)
		return nil
	}
	e.uses(func(p *Path) {
		if p.Member == MemberAttribute {
			r.usedAttr[p.Attribute] = true
		}
	})
	return e
}

// reference reads a referenceValue: a string that is a complete expression is
// one, every other string is a literal (3.4).
func (r *reader) reference(v *node, path string) Reference {
	switch v.kind {
	case numberNode:
		return Reference{Kind: NumberReference, N: v.number}
	case stringNode:
		if _, err := parseExpr(v.text); err == nil {
			if e := r.expression(v, path); e != nil {
				return Reference{Kind: ExprReference, Expr: e}
			}
			return Reference{}
		}
		return Reference{Kind: TextReference, S: v.text}
	case arrayNode:
		if list, ok := stringsOf(v); ok {
			return Reference{Kind: ListReference, List: list}
		}
	}
	r.bad(v, path, "must be a number, a string or a list of strings", "write a literal or an expression")
	return Reference{}
}

func (r *reader) aggregation(rule *Rule, n *node, path string, normal Aggregation, allowed ...Aggregation) {
	rule.Aggregation = normal
	if n.member("partyAggregation") == nil {
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = a.String()
	}
	if i := r.choice(n, path, "partyAggregation", false, names); i >= 0 {
		rule.Aggregation, rule.Written = allowed[i], true
	}
}

func (r *reader) numberAggregation(rule *Rule, n *node, path string) {
	r.aggregation(rule, n, path, AggregateAvg, AggregateMin, AggregateMax, AggregateAvg)
}

func (r *reader) comparison(rule *Rule, limits *Limits, n *node, path string) {
	rule.Measurements = r.measurements(n, path)
	rule.Operation = Operation(r.choice(n, path, "operation", true, operationNames[1:GreaterEqual+1]) + 1)
	r.numberAggregation(rule, n, path)
	for i, e := range rule.Measurements {
		if e.Type.Base != BaseNumber && e.Type.Base != BaseText {
			r.measurementType(n, path, i, e, "a comparison needs numbers or strings")
		}
	}
	if v := n.member("referenceValue"); v != nil {
		limits.Value = r.reference(v, path+".referenceValue")
		r.comparisonReference(rule, limits.Value, v, path+".referenceValue")
	} else if rule.Operation != OpNone && rule.Operation != Equal && rule.Operation != NotEqual {
		r.bad(n, path+".referenceValue", fmt.Sprintf("is missing, and %s needs something to compare with", rule.Operation), "add a referenceValue, or use = (all equal) or != (all different)")
	}
}

func (r *reader) measurementType(n *node, path string, i int, e *Expr, needs string) {
	v := n.member("measurements")
	path += ".measurements"
	if v.kind == arrayNode && i < len(v.items) {
		path, v = fmt.Sprintf("%s[%d]", path, i), v.items[i]
	}
	r.bad(v, path, fmt.Sprintf("%s but %s is a %s", needs, e, e.Type), "check the path, or aggregate or flatten it")
}

// comparisonReference checks that a reference is one value of the
// measurements' kind (4.1).
func (r *reader) comparisonReference(rule *Rule, ref Reference, v *node, path string) {
	base := BaseNumber
	switch ref.Kind {
	case NoReference:
		return // reported already
	case ListReference:
		r.bad(v, path, "is a list, but a comparison needs a single value", "write one number, string or aggregate expression")
		return
	case TextReference:
		base = BaseText
	case ExprReference:
		if ref.Expr.Type.Depth > 0 {
			r.bad(v, path, fmt.Sprintf("%s is a %s, but the reference must be a single value", ref.Expr, ref.Expr.Type), "aggregate it, for example with avg(…)")
			return
		}
		base = ref.Expr.Type.Base
	}
	for _, e := range rule.Measurements {
		if (e.Type.Base == BaseNumber || e.Type.Base == BaseText) && e.Type.Base != base {
			r.bad(v, path, fmt.Sprintf("compares %s with %s: %s measures %s", e.Type.Base, base, e, e.Type.Base), "compare values of one kind")
			return
		}
	}
	if base == BaseText && rule.Operation != Equal && rule.Operation != NotEqual && rule.Operation != OpNone {
		r.bad(v, path, fmt.Sprintf("strings cannot be compared with %s", rule.Operation), "use = or !=")
	}
}

func (r *reader) distance(rule *Rule, limits *Limits, n *node, path string) {
	rule.Measurements = r.measurements(n, path)
	r.numberAggregation(rule, n, path)
	for i, e := range rule.Measurements {
		if e.Type.Base != BaseNumber {
			r.measurementType(n, path, i, e, "a distance rule needs numbers")
		}
	}
	if v := n.member("referenceValue"); v == nil {
		r.bad(n, path+".referenceValue", "is missing", "add the number or expression to measure the distance from")
	} else {
		limits.Value = r.reference(v, path+".referenceValue")
		r.distanceReference(limits.Value, v, path+".referenceValue")
	}
	r.distances(limits, n, path)
	if n.member("maxDistance") == nil && n.member("minDistance") == nil {
		r.bad(n, path, "has neither maxDistance nor minDistance", "add at least one of them")
	}
}

func (r *reader) distanceReference(ref Reference, v *node, path string) {
	switch {
	case ref.Kind == TextReference || ref.Kind == ListReference:
		r.bad(v, path, "must be a number or an expression that gives one", expressionExample)
	case ref.Kind == ExprReference && (ref.Expr.Type.Base != BaseNumber || ref.Expr.Type.Depth > 0):
		r.bad(v, path, fmt.Sprintf("%s is a %s, but the reference must be a single number", ref.Expr, ref.Expr.Type), "aggregate it, for example with avg(…)")
	}
}

func (r *reader) distances(limits *Limits, n *node, path string) {
	for _, name := range []string{"maxDistance", "minDistance"} {
		if v := n.member(name); v != nil {
			if f, ok := r.number(v, path+"."+name, false); ok {
				if f < 0 {
					r.bad(v, path+"."+name, "must not be negative", "distances are absolute")
				}
				*limits.number(name) = f
			}
		}
	}
}

func (r *reader) batchDistance(rule *Rule, limits *Limits, n *node, path string) {
	if v := n.member("batchAttribute"); v == nil {
		r.bad(n, path+".batchAttribute", "is missing", "name the attribute whose values must be near each other")
	} else {
		rule.Attribute = r.attributeNamed(v, path+".batchAttribute")
	}
	r.numberAggregation(rule, n, path)
	if v := n.member("maxDistance"); v != nil {
		if f, ok := r.number(v, path+".maxDistance", true); ok {
			if f < 0 {
				r.bad(v, path+".maxDistance", "must not be negative", "distances are absolute")
			}
			limits.MaxDistance = f
		}
	}
	if rule.Attribute < 0 {
		return
	}
	switch a := r.set.Attributes[rule.Attribute]; a.Kind {
	case Number:
		if n.member("maxDistance") == nil {
			r.bad(n, path+".maxDistance", fmt.Sprintf("is missing; attribute %q is a number", a.Name), "add how far values may lie apart")
		}
	case Text:
		if v := n.member("maxDistance"); v != nil {
			r.warn(v, path+".maxDistance", fmt.Sprintf("is not used: attribute %q is a string and must be equal for all", a.Name), "remove it")
		}
	default:
		r.bad(n.member("batchAttribute"), path+".batchAttribute", fmt.Sprintf("attribute %q is a %s", a.Name, a.Kind), "use an attribute of type number or string")
	}
}

func (r *reader) collection(rule *Rule, limits *Limits, n *node, path string) {
	rule.Measurements = r.measurements(n, path)
	op := r.choice(n, path, "operation", true, operationNames[Intersection:])
	if op >= 0 {
		rule.Operation = Intersection + Operation(op)
	}
	r.aggregation(rule, n, path, AggregateUnion, AggregateUnion, AggregateIntersection)
	for i, e := range rule.Measurements {
		if e.Type.Base != BaseText || e.Type.Depth == 0 {
			r.measurementType(n, path, i, e, "a collection rule needs lists of strings")
		}
	}
	for _, name := range []string{"minCount", "maxCount"} {
		if v := n.member(name); v != nil {
			if c, ok := r.integer(v, path+"."+name, 0); ok {
				*limits.count(name) = c
			}
		}
	}
	if limits.MinCount < 0 && limits.MaxCount < 0 {
		limits.MinCount = 1 // 4.4
	}
	if limits.MaxCount >= 0 && limits.MinCount > limits.MaxCount {
		r.bad(n.member("minCount"), path+".minCount", fmt.Sprintf("%d is above maxCount %d", limits.MinCount, limits.MaxCount), "no match could satisfy both")
	}
	v := n.member("referenceValue")
	switch {
	case v == nil && op > 0:
		r.bad(n, path+".referenceValue", fmt.Sprintf("is missing, and %s needs it", rule.Operation), "add the string or list to look for")
	case v != nil && op == 0:
		r.bad(v, path+".referenceValue", "is not used by operation intersection", "remove it, or use reference_intersection_count")
	case v != nil && op > 0:
		limits.Value = r.reference(v, path+".referenceValue")
		r.collectionReference(rule, &limits.Value, v, path+".referenceValue")
	}
}

// collectionReference checks the reference of a collection rule (4.4). A
// single string for reference_intersection_count is a list of one.
func (r *reader) collectionReference(rule *Rule, ref *Reference, v *node, path string) {
	switch {
	case ref.Kind == NoReference:
	case rule.Operation == Contains:
		if ref.Kind != TextReference {
			r.bad(v, path, "must be one string", "contains counts the collections that hold it")
		}
	case ref.Kind == NumberReference:
		r.bad(v, path, "must be a string, a list of strings or an expression that gives one", "write strings in double quotes")
	case ref.Kind == TextReference:
		*ref = Reference{Kind: ListReference, List: []string{ref.S}}
	case ref.Kind == ExprReference && (ref.Expr.Type.Base != BaseText || ref.Expr.Type.Depth != 1):
		r.bad(v, path, fmt.Sprintf("%s is a %s, but the reference must be one list of strings", ref.Expr, ref.Expr.Type), "use flatten(…) or set_intersection(…)")
	}
}

func (r *reader) latency(rule *Rule, limits *Limits, n *node, path string) {
	r.aggregation(rule, n, path, AggregateAvg, AggregateAvg, AggregateMin, AggregateMax)
	for _, name := range []string{"maxLatency", "maxDistance"} {
		if v := n.member(name); v != nil {
			if f, ok := r.number(v, path+"."+name, false); ok {
				if f < 0 || f == 0 && name == "maxLatency" {
					r.bad(v, path+"."+name, "must be positive", "write milliseconds")
				}
				*limits.number(name) = f
			}
		}
	}
	if n.member("maxLatency") == nil && n.member("maxDistance") == nil {
		r.bad(n, path, "has neither maxLatency nor maxDistance", "add at least one, in milliseconds")
	}
	switch i := r.choice(n, path, "distanceReference", false, []string{"min", "avg"}); {
	case i == 0:
		rule.Reference = AggregateMin
	case i == 1:
		rule.Reference = AggregateAvg
	case n.member("distanceReference") == nil && n.member("maxDistance") != nil && !r.set.Large:
		r.bad(n, path+".distanceReference", "is missing, and maxDistance needs it", `add "distanceReference": "min" or "avg"`)
	}
	if v := n.member("distanceReference"); v != nil && n.member("maxDistance") == nil {
		r.warn(v, path+".distanceReference", "is not used without maxDistance", "remove it or add maxDistance")
	}
}

func (r *reader) compound(rule *Rule, n *node, path string) {
	text := r.text(n, path, "statement", true)
	v := n.member("statement")
	path += ".statement"
	if text == "" {
		return
	}
	s, err := parseStatement(text)
	if err != nil {
		r.bad(v, path, err.what, err.fix)
		return
	}
	rule.Statement = s
	r.bindStatement(s, v, path)
}

// bindStatement resolves rule names against the rules read so far: later
// rules cannot be named (4.6).
func (r *reader) bindStatement(s *Statement, v *node, path string) {
	for _, a := range s.Args {
		r.bindStatement(a, v, path)
	}
	if s.Op != LogicRule {
		return
	}
	s.Rule = r.set.rule(s.name)
	if s.Rule < 0 {
		var known []string
		for _, rule := range r.set.Rules {
			known = append(known, rule.Name)
		}
		r.bad(v, path, fmt.Sprintf("rule %q is not defined before this rule", s.name), "define it earlier in rules; "+suggest(s.name, known))
		return
	}
	switch t := r.set.Rules[s.Rule].Type; {
	case t == BatchDistance:
		r.bad(v, path, fmt.Sprintf("rule %q is a batchDistance rule, which cannot stand in a statement", s.name), "use a distance or comparison rule")
	case t.Sorts():
		r.bad(v, path, fmt.Sprintf("rule %q only sorts and is never true or false", s.name), "remove it from the statement")
	}
}

func (r *reader) sort(rule *Rule, n *node, path string) {
	rule.Descending = r.choice(n, path, "sortDirection", true, []string{"ascending", "descending"}) == 1
	r.numberAggregation(rule, n, path)
	if v := n.member("sortAttribute"); v == nil {
		r.bad(n, path+".sortAttribute", "is missing", "name the attribute to sort by")
	} else {
		rule.Attribute = r.attributeNamed(v, path+".sortAttribute")
	}
	key := r.choice(n, path, "mapKey", false, []string{"minValue", "maxValue"})
	rule.MapKey = MapKey(key + 1)
	if rule.Attribute < 0 {
		return
	}
	switch a := r.set.Attributes[rule.Attribute]; {
	case a.Kind == NumberMap && n.member("mapKey") == nil:
		r.bad(n, path+".mapKey", fmt.Sprintf("is missing; attribute %q is a map", a.Name), "use minValue or maxValue")
	case a.Kind == Number && n.member("mapKey") != nil:
		r.bad(n.member("mapKey"), path+".mapKey", fmt.Sprintf("is only for maps; attribute %q is a number", a.Name), "remove it")
	case a.Kind != Number && a.Kind != NumberMap:
		r.bad(n.member("sortAttribute"), path+".sortAttribute", fmt.Sprintf("attribute %q is a %s", a.Name, a.Kind), "sort by an attribute of type number or string_number_map")
	}
}

// large checks what only concerns matches of more than 40 players (8).
func (r *reader) large(root *node) {
	if !r.set.Large {
		return
	}
	a := r.set.Algorithm
	at := root
	if v := root.member("algorithm"); v != nil {
		at = v
	}
	if !a.Balanced {
		r.bad(at, "algorithm.strategy", "a match of more than 40 players needs the balanced strategy", `set "strategy": "balanced" and a balancedAttribute`)
	}
	for i, rule := range r.set.Rules {
		raw := r.raws[i]
		switch rule.Type {
		case BatchDistance:
		case LatencyRule:
			for _, m := range raw.node.members {
				if slices.Contains([]string{"maxDistance", "distanceReference"}, m.name) {
					r.bad(m.value, raw.path+"."+m.name, "cannot be used in a match of more than 40 players", "use maxLatency")
				}
			}
		default:
			r.bad(raw.node, raw.path+".type", fmt.Sprintf("%s rules cannot be used in a match of more than 40 players", rule.Type), "use latency with maxLatency, or batchDistance")
		}
	}
}
