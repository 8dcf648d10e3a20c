package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A target is what an expansion changes.
type target struct {
	rule        int   // or -1
	definitions []int // for teams
	property    string
}

// ruleProperties lists what expansions may change in each type of rule (6).
var ruleProperties = [...][]string{
	Comparison:    {"referenceValue"},
	Distance:      {"maxDistance", "minDistance", "referenceValue"},
	BatchDistance: {"maxDistance"},
	Collection:    {"minCount", "maxCount", "referenceValue"},
	LatencyRule:   {"maxLatency", "maxDistance"},
	Compound:      nil,
	AbsoluteSort:  nil,
	DistanceSort:  nil,
}

// a step of an expansion, read and checked.
type step struct {
	age    time.Duration
	target target
	value  *node
	limit  Limits // the changed member only, for rules
	size   int    // for teams
}

// expansions reads the expansions and builds Set.Levels from them.
func (r *reader) expansions(root *node) {
	var steps []step
	var seen []string
	for i, n := range r.list(root, "", "expansions", maxExpansions) {
		path := fmt.Sprintf("expansions[%d]", i)
		if !r.object(n, path, "target", "steps") {
			continue
		}
		text := r.text(n, path, "target", true)
		t, ok := target{}, false
		if text != "" {
			t, ok = r.target(n.member("target"), path+".target")
		}
		if ok {
			for _, key := range t.keys() {
				if slices.Contains(seen, key) {
					r.bad(n.member("target"), path+".target", fmt.Sprintf("%s is the target of two expansions", text), "put all steps into one expansion")
				}
				seen = append(seen, key)
			}
		}
		items := r.list(n, path, "steps", maxSteps)
		if v := n.member("steps"); v == nil || v.kind == arrayNode && len(v.items) == 0 {
			r.bad(n, path+".steps", "has no step", `add "steps": [{"waitTimeSeconds": 10, "value": …}]`)
		}
		last := 0
		for j, item := range items {
			p := fmt.Sprintf("%s.steps[%d]", path, j)
			if !r.object(item, p, "waitTimeSeconds", "value") {
				continue
			}
			if w := item.member("waitTimeSeconds"); w == nil {
				r.bad(item, p+".waitTimeSeconds", "is missing", "add the ticket's age in seconds")
			} else if wait, good := r.integer(w, p+".waitTimeSeconds", 1); good {
				if wait <= last {
					r.bad(w, p+".waitTimeSeconds", fmt.Sprintf("%d does not come after the step before it at %d s", wait, last), "waiting times count from the ticket's start and must grow from step to step")
				}
				last = wait
			}
			v := item.member("value")
			if v == nil {
				r.bad(item, p+".value", "is missing", "add the value in force from then on")
				continue
			}
			if ok {
				if s, good := r.stepValue(t, v, p+".value"); good {
					s.age = time.Duration(last) * time.Second
					steps = append(steps, s)
				}
			}
		}
	}
	r.buildLevels(steps, root)
}

func (t target) keys() []string {
	if t.rule >= 0 {
		return []string{fmt.Sprintf("rule %d %s", t.rule, t.property)}
	}
	var keys []string
	for _, d := range t.definitions {
		keys = append(keys, fmt.Sprintf("team %d %s", d, t.property))
	}
	return keys
}

// target parses rules[name].property or teams[a,b].property.
func (r *reader) target(v *node, path string) (target, bool) {
	const shape = "write rules[RuleName].maxDistance or teams[TeamName].minPlayers"
	text := strings.TrimSpace(v.text)
	open, shut := strings.IndexByte(text, '['), strings.LastIndex(text, "].")
	if open < 0 || shut < open {
		r.bad(v, path, fmt.Sprintf("%q is not a target", v.text), shape)
		return target{}, false
	}
	t := target{rule: -1, property: strings.TrimSpace(text[shut+2:])}
	name := strings.TrimSpace(text[open+1 : shut])
	switch text[:open] {
	case "rules":
		t.rule = r.set.rule(name)
		if t.rule < 0 {
			var known []string
			for _, rule := range r.set.Rules {
				known = append(known, rule.Name)
			}
			r.bad(v, path, fmt.Sprintf("rule %q is not defined", name), suggest(name, known))
			return t, false
		}
		return t, r.ruleTarget(t, v, path)
	case "teams", "team":
		for _, one := range strings.Split(name, ",") {
			one = strings.TrimSpace(one)
			d := slices.IndexFunc(r.set.Definitions, func(d Definition) bool { return d.Name == one })
			switch {
			case d < 0 && r.set.TeamIndex(one) >= 0:
				def := r.set.Definitions[r.set.Teams[r.set.TeamIndex(one)].Definition].Name
				r.bad(v, path, fmt.Sprintf("%q is one of several teams from one definition", one), fmt.Sprintf("expand all of them with teams[%s]", def))
				return t, false
			case d < 0:
				r.bad(v, path, fmt.Sprintf("team %q is not declared", one), suggest(one, r.set.teamNames()))
				return t, false
			case !slices.Contains(t.definitions, d):
				t.definitions = append(t.definitions, d)
			}
		}
		if t.property != "minPlayers" && t.property != "maxPlayers" {
			r.bad(v, path, fmt.Sprintf("a team has no property %q to expand", t.property), "use minPlayers or maxPlayers")
			return t, false
		}
		return t, true
	}
	r.bad(v, path, fmt.Sprintf("%q is not a target", v.text), shape)
	return t, false
}

func (r *reader) ruleTarget(t target, v *node, path string) bool {
	rule, raw := r.set.Rules[t.rule], r.raws[t.rule]
	known := ruleProperties[rule.Type]
	switch {
	case rule.Type == Compound:
		r.bad(v, path, fmt.Sprintf("rule %q is a compound rule, which cannot be expanded", rule.Name), "expand the rules it names")
	case !slices.Contains(known, t.property):
		fix := fmt.Sprintf("%s rules cannot be expanded", rule.Type)
		if len(known) > 0 {
			fix = oneOf(known)
		}
		r.bad(v, path, fmt.Sprintf("a %s rule has no property %q to expand", rule.Type, t.property), fix)
	case t.property == "referenceValue" && raw.node.member("referenceValue") == nil:
		r.bad(v, path, fmt.Sprintf("rule %q has no referenceValue", rule.Name), "add one to the rule, or expand another property")
	case rule.Type == LatencyRule && t.property == "maxDistance" && rule.Reference == AggregateNone:
		r.bad(v, path, fmt.Sprintf("rule %q has no distanceReference", rule.Name), `add "distanceReference": "min" or "avg" to the rule`)
	default:
		if r.set.Large && rule.Type == LatencyRule && t.property != "maxLatency" {
			r.bad(v, path, "cannot be used in a match of more than 40 players", "expand maxLatency")
			return false
		}
		return true
	}
	return false
}

// stepValue checks one value against what its target holds.
func (r *reader) stepValue(t target, v *node, path string) (step, bool) {
	s := step{target: t, value: v, limit: noLimits()}
	if t.rule < 0 {
		least := 0
		if t.property == "maxPlayers" {
			least = 1
		}
		size, ok := r.integer(v, path, least)
		if ok && size > LargeMatchSeats {
			r.bad(v, path, fmt.Sprintf("%d is above %d players", size, LargeMatchSeats), "lower it")
			ok = false
		}
		s.size = size
		return s, ok
	}
	rule := &r.set.Rules[t.rule]
	before := r.findings.Errors()
	switch t.property {
	case "maxDistance", "minDistance", "maxLatency":
		f, ok := r.number(v, path, rule.Type == BatchDistance)
		if ok && f < 0 {
			r.bad(v, path, "must not be negative", "distances and latencies are absolute")
		}
		*s.limit.number(t.property) = f
	case "minCount", "maxCount":
		c, _ := r.integer(v, path, 0)
		*s.limit.count(t.property) = c
	case "referenceValue":
		s.limit.Value = r.reference(v, path)
		switch rule.Type {
		case Comparison:
			r.comparisonReference(rule, s.limit.Value, v, path)
		case Distance:
			r.distanceReference(s.limit.Value, v, path)
		case Collection:
			r.collectionReference(rule, &s.limit.Value, v, path)
		}
	}
	return s, r.findings.Errors() == before
}

func (l *Limits) number(property string) *float64 {
	switch property {
	case "maxDistance":
		return &l.MaxDistance
	case "minDistance":
		return &l.MinDistance
	}
	return &l.MaxLatency
}

func (l *Limits) count(property string) *int {
	if property == "minCount" {
		return &l.MinCount
	}
	return &l.MaxCount
}

// buildLevels makes one level for each distinct waiting time and checks what
// only shows once the values of all expansions are put together.
func (r *reader) buildLevels(steps []step, root *node) {
	slices.SortStableFunc(steps, func(a, b step) int { return int((a.age - b.age) / time.Second) })
	for _, s := range steps {
		last := &r.set.Levels[len(r.set.Levels)-1]
		if s.age > last.Age {
			r.set.Levels = append(r.set.Levels, Level{Age: s.age, Sizes: slices.Clone(last.Sizes), Limits: slices.Clone(last.Limits)})
			last = &r.set.Levels[len(r.set.Levels)-1]
		}
		if tightens(s, last) {
			r.warn(s.value, "expansions", fmt.Sprintf("the step at %d s makes %s stricter than before", s.age/time.Second, s.target.name(r.set)), "expansions usually loosen; check the value")
		}
		s.apply(last)
	}
	if len(steps) == 0 || len(r.set.Definitions) == 0 {
		return
	}
	at := root.member("expansions")
	for k, level := range r.set.Levels[1:] {
		seconds := level.Age / time.Second
		for d, size := range level.Sizes {
			if before := r.set.Levels[k].Sizes[d]; size.Min > size.Max && before.Min <= before.Max {
				r.bad(at, "expansions", fmt.Sprintf("from %d s on team %q has minPlayers %d above maxPlayers %d", seconds, r.set.Definitions[d].Name, size.Min, size.Max), "keep minPlayers at or below maxPlayers at every age")
			}
		}
		for i, limit := range level.Limits {
			if before := r.set.Levels[k].Limits[i]; limit.MaxCount >= 0 && limit.MinCount > limit.MaxCount && (before.MaxCount < 0 || before.MinCount <= before.MaxCount) {
				r.bad(at, "expansions", fmt.Sprintf("from %d s on rule %q has minCount %d above maxCount %d", seconds, r.set.Rules[i].Name, limit.MinCount, limit.MaxCount), "no match could satisfy both")
			}
		}
		switch seats := r.set.Seats(k + 1); {
		case seats > LargeMatchSeats:
			r.bad(at, "expansions", fmt.Sprintf("from %d s on all teams together hold %d players, at most %d are allowed", seconds, seats, LargeMatchSeats), "lower the value")
		case seats > SmallMatchSeats && !r.set.Large:
			r.bad(at, "expansions", fmt.Sprintf("from %d s on the match grows to %d players; a match of at most %d cannot become a large one", seconds, seats, SmallMatchSeats), "lower the value, or start as a large match")
		}
	}
}

func (t target) name(s *Set) string {
	if t.rule >= 0 {
		return fmt.Sprintf("rules[%s].%s", s.Rules[t.rule].Name, t.property)
	}
	var names []string
	for _, d := range t.definitions {
		names = append(names, s.Definitions[d].Name)
	}
	return fmt.Sprintf("teams[%s].%s", strings.Join(names, ","), t.property)
}

func (s step) apply(l *Level) {
	for _, d := range s.target.definitions {
		if s.target.property == "minPlayers" {
			l.Sizes[d].Min = s.size
		} else {
			l.Sizes[d].Max = s.size
		}
	}
	if s.target.rule < 0 {
		return
	}
	into := &l.Limits[s.target.rule]
	switch p := s.target.property; p {
	case "referenceValue":
		into.Value = s.limit.Value
	case "minCount", "maxCount":
		*into.count(p) = *s.limit.count(p)
	default:
		*into.number(p) = *s.limit.number(p)
	}
}

// tightens reports whether a step asks for more than what is in force.
func tightens(s step, l *Level) bool {
	for _, d := range s.target.definitions {
		if s.target.property == "minPlayers" && s.size > l.Sizes[d].Min || s.target.property == "maxPlayers" && s.size < l.Sizes[d].Max {
			return true
		}
	}
	if s.target.rule < 0 {
		return false
	}
	now := l.Limits[s.target.rule]
	switch p := s.target.property; p {
	case "maxDistance", "maxLatency":
		old := *now.number(p)
		return math.IsNaN(old) || *s.limit.number(p) < old
	case "minDistance":
		return now.MinDistance < s.limit.MinDistance || math.IsNaN(now.MinDistance)
	case "minCount":
		return s.limit.MinCount > max(now.MinCount, 0)
	case "maxCount":
		return now.MaxCount < 0 || s.limit.MaxCount < now.MaxCount
	}
	return false
}

// warnings reports what is valid but probably not meant (9, number 13).
func (r *reader) warnings(root *node) {
	declared := root.member("playerAttributes")
	for i := range r.set.Attributes {
		if declared == nil || i >= len(declared.items) {
			break
		}
		n := declared.items[i]
		name := n.member("name")
		if name == nil {
			continue
		}
		if a := r.set.attribute(name.text); a >= 0 && !r.usedAttr[a] {
			r.warn(n, fmt.Sprintf("playerAttributes[%d]", i), fmt.Sprintf("attribute %q is used by no rule", name.text), "fine if only the game server wants it")
		}
	}
	for i, rule := range r.set.Rules {
		never := true
		for _, level := range r.set.Levels {
			never = never && neverFails(rule, level.Limits[i])
		}
		if never {
			r.warn(r.raws[i].node, r.raws[i].path, fmt.Sprintf("rule %q can never fail", rule.Name), "give it a limit or remove it")
		}
	}
}

func neverFails(rule Rule, l Limits) bool {
	switch rule.Type {
	case Collection:
		return l.MinCount <= 0 && l.MaxCount < 0
	case Distance:
		return math.IsNaN(l.MaxDistance) && l.MinDistance == 0
	}
	return false
}
