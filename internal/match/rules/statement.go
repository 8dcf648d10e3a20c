package rules

import (
	"fmt"
	"slices"
	"strings"
)

// A Statement is the logic of a compound rule (4.6): an operator with
// arguments, or the name of a rule.
type Statement struct {
	Op   Logic
	Args []*Statement
	Rule int // index into Set.Rules, for LogicRule

	name string
}

// Logic is the operator of a statement.
type Logic uint8

// The operators.
const (
	LogicRule Logic = iota
	And
	Or
	Xor
	Not
)

var logicNames = []string{"", "and", "or", "xor", "not"}

// String writes the statement with rule names.
func (s *Statement) String() string {
	if s.Op == LogicRule {
		return s.name
	}
	var args []string
	for _, a := range s.Args {
		args = append(args, a.String())
	}
	return logicNames[s.Op] + "(" + strings.Join(args, ", ") + ")"
}

// Each calls f for every rule named in the statement.
func (s *Statement) Each(f func(rule int)) {
	if s.Op == LogicRule {
		f(s.Rule)
	}
	for _, a := range s.Args {
		a.Each(f)
	}
}

type statementReader struct {
	src   string
	pos   int
	depth int
}

// parseStatement reads a complete statement, rule names unresolved.
func parseStatement(src string) (*Statement, *exprError) {
	r := &statementReader{src: src}
	s, err := r.argument()
	if err != nil {
		return nil, err
	}
	r.space()
	if r.pos < len(src) {
		return nil, &exprError{fmt.Sprintf("%q follows after a complete statement", src[r.pos:]), "check the parentheses"}
	}
	if s.Op == LogicRule {
		return nil, &exprError{fmt.Sprintf("%q is a rule name, not a statement", s.name), "wrap it, for example in and(…, …) or not(…)"}
	}
	return s, nil
}

func (r *statementReader) space() {
	for r.pos < len(r.src) && strings.IndexByte(" \t\r\n", r.src[r.pos]) >= 0 {
		r.pos++
	}
}

const statementExample = "a statement looks like or(and(A, B), not(C))"

func (r *statementReader) argument() (*Statement, *exprError) {
	if r.depth++; r.depth > 32 {
		return nil, &exprError{"nested deeper than 32 levels", statementExample}
	}
	defer func() { r.depth-- }()
	r.space()
	from := r.pos
	for r.pos < len(r.src) && strings.IndexByte("(), \t\r\n", r.src[r.pos]) < 0 {
		r.pos++
	}
	word := r.src[from:r.pos]
	if word == "" {
		return nil, &exprError{"an operator or rule name is missing", statementExample}
	}
	r.space()
	if r.pos >= len(r.src) || r.src[r.pos] != '(' {
		return &Statement{name: word}, nil
	}
	op := slices.Index(logicNames[1:], word) + 1
	if op == 0 {
		return nil, &exprError{fmt.Sprintf("unknown operator %q", word), oneOf(logicNames[1:])}
	}
	r.pos++
	s := &Statement{Op: Logic(op)}
	for {
		arg, err := r.argument()
		if err != nil {
			return nil, err
		}
		s.Args = append(s.Args, arg)
		r.space()
		if r.pos >= len(r.src) {
			return nil, &exprError{fmt.Sprintf("the parenthesis of %s( is not closed", word), "add the missing )"}
		}
		c := r.src[r.pos]
		r.pos++
		if c == ')' {
			break
		}
		if c != ',' {
			return nil, &exprError{fmt.Sprintf("found %q where a comma or ) should stand", c), statementExample}
		}
	}
	switch n := len(s.Args); {
	case s.Op == Not && n != 1:
		return nil, &exprError{fmt.Sprintf("not takes one argument, not %d", n), statementExample}
	case s.Op == Xor && n != 2:
		return nil, &exprError{fmt.Sprintf("xor takes two arguments, not %d", n), statementExample}
	case s.Op != Not && n < 2:
		return nil, &exprError{fmt.Sprintf("%s takes at least two arguments", word), statementExample}
	}
	return s, nil
}
