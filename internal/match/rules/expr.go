package rules

import (
	"fmt"
	"slices"
	"strings"
)

// An Expr is a property expression (3): a path into the teams of a match, or
// a function applied to another expression.
type Expr struct {
	Func Func  // FuncNone for a path
	Arg  *Expr // of a function
	Path *Path
	Type Type
	text string
	at   int // depth of the sub-lists the function works on, 0 for the operand itself
}

// String is the expression as it was written.
func (e *Expr) String() string { return e.text }

// Func is a function of the language.
type Func uint8

// The functions (3.2).
const (
	FuncNone Func = iota
	Min
	Max
	Avg
	Median
	Sum
	Count
	StdDev
	Flatten
	SetIntersection
)

var funcNames = []string{"", "min", "max", "avg", "median", "sum", "count", "stddev", "flatten", "set_intersection"}

func (f Func) String() string { return funcNames[f] }

// A Path selects teams and what to look at in them.
type Path struct {
	Teams     []int // indexes into Set.Teams, ascending
	Several   bool  // the teams form a list, even a list of one
	All       bool  // every team of the rule set is selected
	Member    Member
	Attribute int // index into Set.Attributes, for MemberAttribute

	selectors []string // as written, before the teams are known
	attribute string
}

// Member is what a path looks at in a team.
type Member uint8

// The members of a team.
const (
	MemberTeam Member = iota
	MemberPlayers
	MemberPlayerID
	MemberAttribute
)

// Base is what an expression's leaves are.
type Base uint8

// The leaves.
const (
	BaseTeam Base = iota
	BasePlayer
	BaseNumber
	BaseText
	BaseMap
)

func (b Base) String() string {
	return [...]string{"teams", "players", "numbers", "strings", "string-to-number maps"}[b]
}

// A Type is the static type of an expression: leaves nested in Depth lists.
type Type struct {
	Base   Base
	Depth  int
	ByTeam bool // the outermost list has one element for each selected team
}

func (t Type) String() string {
	switch t.Depth {
	case 0:
		return "single " + strings.TrimSuffix(t.Base.String(), "s")
	case 1:
		return "list of " + t.Base.String()
	}
	return "list of " + strings.Repeat("lists of ", t.Depth-1) + t.Base.String()
}

// exprError is a text that is no expression, or one that means nothing.
type exprError struct{ what, fix string }

func (e *exprError) Error() string { return e.what }

type exprReader struct {
	src   string
	pos   int
	depth int
}

// parseExpr reads a complete property expression (3.1), names unresolved.
func parseExpr(src string) (*Expr, *exprError) {
	r := &exprReader{src: src}
	r.space()
	e, err := r.expr()
	if err != nil {
		return nil, err
	}
	r.space()
	if r.pos < len(src) {
		return nil, &exprError{fmt.Sprintf("%q follows after a complete expression", src[r.pos:]), "remove it, or check the parentheses"}
	}
	return e, nil
}

func (r *exprReader) space() {
	for r.pos < len(r.src) && (r.src[r.pos] == ' ' || r.src[r.pos] == '\t') {
		r.pos++
	}
}

func (r *exprReader) take(c byte) bool {
	if r.pos < len(r.src) && r.src[r.pos] == c {
		r.pos++
		return true
	}
	return false
}

const expressionExample = `an expression looks like avg(teams[red].players.attributes[skill])`

func (r *exprReader) expr() (*Expr, *exprError) {
	if r.depth++; r.depth > 32 {
		return nil, &exprError{"functions are nested deeper than 32 levels", expressionExample}
	}
	defer func() { r.depth-- }()
	from := r.pos
	for r.pos < len(r.src) && (r.src[r.pos] == '_' || r.src[r.pos] >= 'a' && r.src[r.pos] <= 'z' || r.src[r.pos] >= 'A' && r.src[r.pos] <= 'Z') {
		r.pos++
	}
	word := r.src[from:r.pos]
	if word == "teams" || word == "team" {
		p, err := r.path(word)
		if err != nil {
			return nil, err
		}
		return &Expr{Path: p, text: r.src[from:r.pos]}, nil
	}
	r.space()
	fn := slices.Index(funcNames[1:], word) + 1
	switch {
	case !r.take('('):
		return nil, &exprError{fmt.Sprintf("%q is not a property expression", r.src), expressionExample}
	case fn == 0:
		return nil, &exprError{fmt.Sprintf("unknown function %q", word), oneOf(funcNames[1:])}
	}
	r.space()
	arg, err := r.expr()
	if err != nil {
		return nil, err
	}
	r.space()
	if !r.take(')') {
		return nil, &exprError{fmt.Sprintf("the parenthesis of %s( is not closed", word), "add the missing )"}
	}
	return &Expr{Func: Func(fn), Arg: arg, text: r.src[from:r.pos]}, nil
}

// bracketed reads [ … ] and returns what is inside, trimmed.
func (r *exprReader) bracketed() (string, bool) {
	if !r.take('[') {
		return "", false
	}
	end := strings.IndexByte(r.src[r.pos:], ']')
	if end < 0 {
		return "", false
	}
	inside := strings.Trim(r.src[r.pos:r.pos+end], " \t")
	r.pos += end + 1
	return inside, inside != ""
}

func (r *exprReader) path(word string) (*Path, *exprError) {
	inside, ok := r.bracketed()
	if !ok {
		return nil, &exprError{word + " needs a team name, a list of names or * in brackets", "write teams[*] or teams[red]"}
	}
	p := &Path{}
	for _, name := range strings.Split(inside, ",") {
		p.selectors = append(p.selectors, strings.Trim(name, " \t"))
	}
	if !strings.HasPrefix(r.src[r.pos:], ".") {
		return p, nil
	}
	const known = "a path goes on with .players, .players[playerId] or .players.attributes[name]"
	if !strings.HasPrefix(r.src[r.pos:], ".players") {
		return nil, &exprError{fmt.Sprintf("unknown member %q of a team", r.src[r.pos:]), known}
	}
	r.pos += len(".players")
	p.Member = MemberPlayers
	switch rest := r.src[r.pos:]; {
	case strings.HasPrefix(rest, "["):
		if id, _ := r.bracketed(); id != "playerId" && id != "playerid" {
			return nil, &exprError{fmt.Sprintf("unknown member %q of players", rest), known}
		}
		p.Member = MemberPlayerID
	case strings.HasPrefix(rest, ".playerId"):
		r.pos += len(".playerId")
		p.Member = MemberPlayerID
	case strings.HasPrefix(rest, ".attributes"):
		r.pos += len(".attributes")
		name, ok := r.bracketed()
		if !ok {
			return nil, &exprError{"attributes needs a name in brackets", "write .players.attributes[skill]"}
		}
		p.Member, p.attribute = MemberAttribute, name
	case strings.HasPrefix(rest, "."):
		return nil, &exprError{fmt.Sprintf("unknown member %q of players", rest), known}
	}
	return p, nil
}

// resolve binds team and attribute names to the set and works out the type.
func (e *Expr) resolve(s *Set) *exprError {
	if e.Path != nil {
		return e.resolvePath(s)
	}
	if err := e.Arg.resolve(s); err != nil {
		return err
	}
	return e.resolveFunc()
}

func (e *Expr) resolvePath(s *Set) *exprError {
	p := e.Path
	picked := make([]bool, len(s.Teams))
	for _, name := range p.selectors {
		found := false
		switch {
		case name == "*":
			p.Several, found = true, true
			for i := range picked {
				picked[i] = true
			}
		default:
			for i, t := range s.Teams {
				d := s.Definitions[t.Definition]
				if t.Name == name || d.Name == name {
					picked[i], found = true, true
					p.Several = p.Several || t.Name != name
				}
			}
		}
		if !found {
			return &exprError{fmt.Sprintf("team %q is not declared", name), suggest(name, s.teamNames())}
		}
	}
	p.Several = p.Several || len(p.selectors) > 1
	for i, yes := range picked {
		if yes {
			p.Teams = append(p.Teams, i)
		}
	}
	p.All = len(p.Teams) == len(s.Teams)
	depth := 0
	if p.Several {
		depth = 1
	}
	e.Type = Type{BaseTeam, depth, p.Several}
	switch p.Member {
	case MemberPlayers:
		e.Type = Type{BasePlayer, depth + 1, p.Several}
	case MemberPlayerID:
		e.Type = Type{BaseText, depth + 1, p.Several}
	case MemberAttribute:
		p.Attribute = s.attribute(p.attribute)
		if p.Attribute < 0 {
			return &exprError{fmt.Sprintf("attribute %q is not declared", p.attribute), suggest(p.attribute, s.attributeNames())}
		}
		switch s.Attributes[p.Attribute].Kind {
		case Number:
			e.Type = Type{BaseNumber, depth + 1, p.Several}
		case Text:
			e.Type = Type{BaseText, depth + 1, p.Several}
		case TextList:
			e.Type = Type{BaseText, depth + 2, p.Several}
		case NumberMap:
			return &exprError{fmt.Sprintf("attribute %q is a string_number_map, which only sort rules can use", p.attribute), "use it in an absoluteSort or distanceSort rule, or declare another attribute"}
		}
	}
	return nil
}

func suggest(name string, known []string) string {
	if n := nearest(name, known); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if len(known) == 0 {
		return "the rule set declares none"
	}
	if len(known) > 8 {
		known = known[:8]
	}
	return "declared are " + strings.Join(known, ", ")
}

// resolveFunc checks the operand and decides at which depth the function
// works (3.2): aggregates and set_intersection go down to the innermost
// fitting lists, flatten acts on the outermost, and count on players of each
// team, except that it counts what flatten put together.
func (e *Expr) resolveFunc() *exprError {
	t := e.Arg.Type
	wrong := func(takes string) *exprError {
		return &exprError{fmt.Sprintf("%s takes %s but %s is a %s", e.Func, takes, e.Arg, t), "check the path and its nesting"}
	}
	switch e.Func {
	case Min, Max, Avg, Median, Sum, StdDev:
		if t.Base != BaseNumber || t.Depth == 0 {
			return wrong("a list of numbers")
		}
		e.at = t.Depth - 1
	case Count:
		if t.Depth == 0 {
			return wrong("a list")
		}
		e.at = t.Depth - 1
		if e.Arg.Func == Flatten || e.Arg.Path != nil && !e.Arg.Path.Several {
			e.at = 0
		}
		t.Base = BaseNumber
		t.Depth = e.at + 1
	case Flatten:
		if t.Depth < 2 {
			return wrong("a list of lists")
		}
		t.ByTeam = false
		t.Depth--
		e.Type = t
		return nil
	case SetIntersection:
		if t.Base != BaseText || t.Depth < 2 {
			return wrong("a list of string lists")
		}
		e.at = t.Depth - 2
	}
	t.Depth--
	e.Type = Type{t.Base, t.Depth, t.ByTeam && e.at > 0}
	return nil
}

// uses calls f for every path of the expression.
func (e *Expr) uses(f func(*Path)) {
	for e.Arg != nil {
		e = e.Arg
	}
	f(e.Path)
}

// has reports whether one of fns occurs in the expression.
func (e *Expr) has(fns ...Func) bool {
	for ; e != nil; e = e.Arg {
		if slices.Contains(fns, e.Func) {
			return true
		}
	}
	return false
}

// OnlyCounts reports whether the expression depends on team sizes alone.
func (e *Expr) OnlyCounts() bool {
	for ; e.Arg != nil; e = e.Arg {
		if e.Func == Count {
			return e.Arg.countsPlayers()
		}
	}
	return false
}

func (e *Expr) countsPlayers() bool {
	for e.Arg != nil {
		if e.Func != Flatten {
			return false
		}
		e = e.Arg
	}
	return e.Path.Member == MemberPlayers || e.Path.Member == MemberPlayerID || e.Path.Member == MemberTeam
}
