package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of a rule set (1, 2).
const (
	MaxBodyChars    = 65535
	SmallMatchSeats = 40
	LargeMatchSeats = 200
	maxTeams        = 200
	maxRules        = 200
	maxExpansions   = 200
	maxSteps        = 100
)

// Options relax the parser.
type Options struct {
	// UnknownMembers turns members the language does not know from errors
	// into warnings (2).
	UnknownMembers bool
}

// Parse reads a rule set. The set is nil if any finding is an error; all
// findings of a text that is JSON are reported at once.
func Parse(body string) (*Set, Findings) { return Options{}.Parse(body) }

// Parse is [Parse] with options.
func (o Options) Parse(body string) (*Set, Findings) {
	r := &reader{body: body, options: o, set: &Set{}}
	if n := utf8.RuneCountInString(body); n > MaxBodyChars {
		r.report(0, "", false, fmt.Sprintf("the text has %d characters, %d are allowed", n, MaxBodyChars), "shorten descriptions or split the rule set")
		return nil, r.findings
	}
	root, duplicates, err := parseJSON(body)
	if err != nil {
		bad := err.(*syntaxError)
		r.report(bad.offset, "", false, "not a JSON text: "+bad.what, bad.fix)
		return nil, r.findings
	}
	for _, d := range duplicates {
		r.report(d.offset, pathTo(root, d.holder, "")+"."+d.name, false, "is given twice", "keep one of them")
	}
	r.ruleSet(root)
	slices.SortStableFunc(r.findings, func(a, b Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if r.findings.Errors() > 0 {
		return nil, r.findings
	}
	return r.set, r.findings
}

// pathTo finds the path of a value in the tree, or "".
func pathTo(n, wanted *node, path string) string {
	if n == wanted {
		return path
	}
	for i, item := range n.items {
		if p := pathTo(item, wanted, fmt.Sprintf("%s[%d]", path, i)); p != "" {
			return p
		}
	}
	for _, m := range n.members {
		if p := pathTo(m.value, wanted, path+"."+m.name); p != "" {
			return p
		}
	}
	return ""
}

// reader walks the JSON tree and fills the set. It goes on after an error, so
// that one run reports everything.
type reader struct {
	body     string
	options  Options
	set      *Set
	findings Findings
	raws     []rawRule
	usedAttr []bool
}

func (r *reader) report(offset int, path string, warning bool, what, fix string) {
	line, column := place(r.body, offset)
	r.findings = append(r.findings, Finding{Path: strings.TrimPrefix(path, "."), Line: line, Column: column, What: what, Fix: fix, Warning: warning})
}

func (r *reader) bad(n *node, path, what, fix string) { r.report(n.offset, path, false, what, fix) }

func (r *reader) warn(n *node, path, what, fix string) { r.report(n.offset, path, true, what, fix) }

// object checks that n is an object with no other members than known.
func (r *reader) object(n *node, path string, known ...string) bool {
	if n.kind != objectNode {
		r.bad(n, path, "must be an object, not "+n.kind.String(), "write it in braces")
		return false
	}
	for _, m := range n.members {
		if !slices.Contains(known, m.name) {
			fix := "remove it"
			if guess := nearest(m.name, known); guess != "" {
				fix = fmt.Sprintf("did you mean %q?", guess)
			}
			r.report(m.offset, path+"."+m.name, r.options.UnknownMembers, "unknown member", fix)
		}
	}
	return true
}

// list returns the elements of an optional array member.
func (r *reader) list(n *node, path, name string, limit int) []*node {
	v := n.member(name)
	if v == nil {
		return nil
	}
	path += "." + name
	if v.kind != arrayNode {
		r.bad(v, path, "must be an array, not "+v.kind.String(), "write it in brackets")
		return nil
	}
	if len(v.items) > limit {
		r.bad(v, path, fmt.Sprintf("has %d elements, %d are allowed", len(v.items), limit), "split the rule set")
		return nil
	}
	return v.items
}

// text returns a string member; missing or of another type is reported.
func (r *reader) text(n *node, path, name string, required bool) string {
	v := n.member(name)
	if v == nil {
		if required {
			r.bad(n, path, fmt.Sprintf("member %q is missing", name), "add it")
		}
		return ""
	}
	if v.kind != stringNode {
		r.bad(v, path+"."+name, "must be a string, not "+v.kind.String(), "write it in double quotes")
		return ""
	}
	if required && v.text == "" {
		r.bad(v, path+"."+name, "must not be empty", "fill it in")
	}
	return v.text
}

// choice returns the index of a string member in names, or -1 if it is
// missing or unknown (which is reported).
func (r *reader) choice(n *node, path, name string, required bool, names []string) int {
	v := n.member(name)
	s := r.text(n, path, name, required)
	if v == nil || v.kind != stringNode || s == "" && required {
		return -1
	}
	i := slices.Index(names, s)
	if i < 0 || s == "" {
		fix := oneOf(names)
		if guess := nearest(s, names); guess != "" {
			fix = fmt.Sprintf("did you mean %q? Otherwise %s", guess, fix)
		}
		r.bad(v, path+"."+name, fmt.Sprintf("unknown value %q", s), fix)
		return -1
	}
	return i
}

// integer returns a whole number of at least least.
func (r *reader) integer(v *node, path string, least int) (int, bool) {
	switch {
	case v.kind != numberNode:
		r.bad(v, path, "must be a number, not "+v.kind.String(), "write it without quotes")
	case v.number != math.Trunc(v.number) || math.Abs(v.number) > 1e9:
		r.bad(v, path, number(v.number)+" is not a whole number", "round it")
	case int(v.number) < least:
		r.bad(v, path, fmt.Sprintf("must be at least %d", least), "raise it")
	default:
		return int(v.number), true
	}
	return 0, false
}

// number returns a number, which may be quoted where the language says so.
func (r *reader) number(v *node, path string, quoted bool) (float64, bool) {
	if v.kind == numberNode {
		return v.number, true
	}
	if v.kind == stringNode && quoted {
		if f, err := strconv.ParseFloat(strings.TrimSpace(v.text), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f, true
		}
	}
	r.bad(v, path, "must be a number, not "+v.kind.String(), "write it without quotes")
	return 0, false
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', 10, 64) }

func (r *reader) ruleSet(root *node) {
	if !r.object(root, "", "name", "ruleLanguageVersion", "playerAttributes", "algorithm", "teams", "rules", "expansions") {
		return
	}
	r.set.Name = r.text(root, "", "name", false)
	if v := root.member("ruleLanguageVersion"); v == nil {
		r.bad(root, "ruleLanguageVersion", "is missing", `add "ruleLanguageVersion": "1.0"`)
	} else if v.kind != stringNode || v.text != "1.0" {
		r.bad(v, "ruleLanguageVersion", `must be the string "1.0"`, `write "ruleLanguageVersion": "1.0"`)
	}
	r.attributes(root)
	r.teams(root)
	r.algorithm(root)
	r.rules(root)
	r.expansions(root)
	r.large(root)
	r.warnings(root)
}

func (r *reader) attributes(root *node) {
	for i, n := range r.list(root, "", "playerAttributes", 1000) {
		path := fmt.Sprintf("playerAttributes[%d]", i)
		if !r.object(n, path, "name", "type", "default") {
			continue
		}
		a := Attribute{Name: r.text(n, path, "name", true)}
		if a.Name != "" && r.set.attribute(a.Name) >= 0 {
			r.bad(n, path+".name", fmt.Sprintf("attribute %q is declared twice", a.Name), "rename or remove one")
		}
		if strings.ContainsAny(a.Name, "],") {
			r.bad(n, path+".name", "must not contain ] or a comma", "rename it")
		}
		kind := r.choice(n, path, "type", true, kindNames[1:])
		a.Kind = Kind(kind + 1)
		if d := n.member("default"); d != nil && kind >= 0 {
			a.Default = r.defaultValue(d, path+".default", a.Kind)
		}
		if a.Name != "" {
			if kind < 0 {
				a.Kind = Number // go on; the set is refused anyway
			}
			r.set.Attributes = append(r.set.Attributes, a)
			r.usedAttr = append(r.usedAttr, false)
		}
	}
}

func (r *reader) defaultValue(d *node, path string, kind Kind) Value {
	switch {
	case kind == Number && d.kind == numberNode:
		return N(d.number)
	case kind == Text && d.kind == stringNode:
		return S(d.text)
	case kind == TextList && d.kind == arrayNode:
		if list, ok := stringsOf(d); ok {
			return SL(list...)
		}
	case kind == NumberMap && d.kind == objectNode:
		m := map[string]float64{}
		for _, e := range d.members {
			if e.value.kind == numberNode {
				m[e.name] = e.value.number
			}
		}
		if len(m) == len(d.members) {
			return SDM(m)
		}
	}
	example := [...]string{"", "10", `"text"`, `["a", "b"]`, `{"a": 1}`}[kind]
	r.bad(d, path, fmt.Sprintf("does not fit the attribute's type %s", kind), "write it like "+example)
	return Value{}
}

func stringsOf(n *node) ([]string, bool) {
	list := []string{}
	for _, i := range n.items {
		if i.kind != stringNode {
			return nil, false
		}
		list = append(list, i.text)
	}
	return list, n.kind == arrayNode
}

func (r *reader) teams(root *node) {
	items := r.list(root, "", "teams", maxTeams)
	if root.member("teams") == nil {
		r.bad(root, "teams", "is missing", `add at least one team: "teams": [{"name": "red", "minPlayers": 1, "maxPlayers": 5}]`)
	} else if v := root.member("teams"); v.kind == arrayNode && len(v.items) == 0 {
		r.bad(v, "teams", "is empty", "add at least one team")
	}
	level := Level{}
	for i, n := range items {
		path := fmt.Sprintf("teams[%d]", i)
		if !r.object(n, path, "name", "minPlayers", "maxPlayers", "quantity") {
			continue
		}
		d := Definition{Name: r.text(n, path, "name", true), Quantity: 1}
		if strings.ContainsAny(d.Name, "],*") {
			r.bad(n, path+".name", "must not contain ], * or a comma, since expressions name teams", "rename it")
		}
		size := Size{}
		for _, part := range []struct {
			name  string
			least int
			into  *int
		}{{"minPlayers", 0, &size.Min}, {"maxPlayers", 1, &size.Max}, {"quantity", 1, &d.Quantity}} {
			v := n.member(part.name)
			switch {
			case v != nil:
				if got, ok := r.integer(v, path+"."+part.name, part.least); ok {
					*part.into = got
				}
			case part.name != "quantity":
				r.bad(n, path+"."+part.name, "is missing", "add it")
			}
		}
		if size.Max > 0 && size.Min > size.Max {
			r.bad(n, path+".minPlayers", fmt.Sprintf("%d is above maxPlayers %d", size.Min, size.Max), "lower it or raise maxPlayers")
		}
		size.Max = min(max(size.Max, 1), 10*LargeMatchSeats)
		if d.Quantity > maxTeams || len(r.set.Teams)+d.Quantity > maxTeams {
			r.bad(n, path, fmt.Sprintf("the rule set has more than %d teams", maxTeams), "lower quantity")
			d.Quantity = 1
		}
		r.set.Definitions = append(r.set.Definitions, d)
		level.Sizes = append(level.Sizes, size)
		for k := 1; k <= d.Quantity; k++ {
			name := d.Name
			if d.Quantity > 1 {
				name += "_" + strconv.Itoa(k)
			}
			if d.Name != "" && r.set.TeamIndex(name) >= 0 {
				r.bad(n, path+".name", fmt.Sprintf("team %q is declared twice", name), "rename one of them")
				break
			}
			r.set.Teams = append(r.set.Teams, Team{name, len(r.set.Definitions) - 1})
		}
	}
	r.set.Levels = []Level{level}
	if seats := r.set.Seats(0); seats > LargeMatchSeats {
		r.bad(root.member("teams"), "teams", fmt.Sprintf("all teams together hold %d players, at most %d are allowed", seats, LargeMatchSeats), "lower maxPlayers or quantity")
	} else {
		r.set.Large = seats > SmallMatchSeats
	}
}

func (r *reader) algorithm(root *node) {
	a := &r.set.Algorithm
	a.BalancedBy = -1
	n := root.member("algorithm")
	if n == nil || !r.object(n, "algorithm", "strategy", "batchingPreference", "sortByAttributes", "balancedAttribute", "expansionAgeSelection", "backfillPriority") {
		return
	}
	a.Balanced = r.choice(n, "algorithm", "strategy", false, []string{"exhaustiveSearch", "balanced"}) == 1
	batching := r.choice(n, "algorithm", "batchingPreference", false, batchingNames)
	a.Batching = Batching(max(batching, 0))
	if a.Balanced && batching < 0 {
		a.Batching = LargestPopulation
	}
	if region := a.Batching >= LargestPopulation; batching >= 0 && region != a.Balanced {
		v := n.member("batchingPreference")
		if a.Balanced {
			r.bad(v, "algorithm.batchingPreference", fmt.Sprintf("%q does not go with the balanced strategy", v.text), "use largestPopulation or fastestRegion")
		} else {
			r.bad(v, "algorithm.batchingPreference", fmt.Sprintf("%q needs the balanced strategy", v.text), `use random or sorted, or set "strategy": "balanced"`)
		}
	}
	for i, item := range r.list(n, "algorithm", "sortByAttributes", 100) {
		a.SortBy = append(a.SortBy, r.attributeNamed(item, fmt.Sprintf("algorithm.sortByAttributes[%d]", i)))
	}
	if a.Batching == SortedBatches && len(a.SortBy) == 0 && !a.Balanced {
		r.bad(n, "algorithm.sortByAttributes", "is needed by batchingPreference sorted", "list the attributes to sort by")
	}
	if v := n.member("balancedAttribute"); v != nil {
		a.BalancedBy = r.attributeNamed(v, "algorithm.balancedAttribute")
		if a.BalancedBy >= 0 && r.set.Attributes[a.BalancedBy].Kind != Number {
			r.bad(v, "algorithm.balancedAttribute", fmt.Sprintf("attribute %q is a %s", v.text, r.set.Attributes[a.BalancedBy].Kind), "teams are balanced on an attribute of type number")
		}
	} else if a.Balanced {
		r.bad(n, "algorithm.balancedAttribute", "is needed by the balanced strategy", "name an attribute of type number")
	}
	a.Oldest = r.choice(n, "algorithm", "expansionAgeSelection", false, []string{"newest", "oldest"}) == 1
	a.BackfillPriority = Priority(max(r.choice(n, "algorithm", "backfillPriority", false, priorityNames), 0))
	if v := n.member("backfillPriority"); v != nil && a.Balanced {
		r.warn(v, "algorithm.backfillPriority", "has an effect only with the exhaustiveSearch strategy", "remove it")
	}
}

func (r *reader) attributeNamed(n *node, path string) int {
	if n.kind != stringNode {
		r.bad(n, path, "must be the name of an attribute, not "+n.kind.String(), "write it in double quotes")
		return -1
	}
	i := r.set.attribute(n.text)
	if i < 0 {
		r.bad(n, path, fmt.Sprintf("attribute %q is not declared", n.text), suggest(n.text, r.set.attributeNames()))
		return -1
	}
	r.usedAttr[i] = true
	return i
}
