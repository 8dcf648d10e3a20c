package search

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Filter says which game sessions are wanted. The zero Filter wants all.
type Filter struct {
	wants      func(*lift.GameSession) bool
	properties bool // it asks about game properties
}

// Matches reports whether s is wanted. Sessions with a property key that holds
// a period are left out of filters that ask about properties (behaviour 5).
func (f Filter) Matches(s *lift.GameSession) bool {
	if f.wants == nil {
		return true
	}
	if f.properties {
		for _, p := range s.Properties {
			if strings.Contains(p.Key, ".") {
				return false
			}
		}
	}
	return f.wants(s)
}

// ParseFilter reads a filter expression. An error is an *Error. It recurses as
// deep as parentheses and NOTs are nested, so callers bound the length.
func ParseFilter(expression string) (Filter, error) {
	p := &parser{scanner: scanner{rest: expression, at: 1}}
	if err := p.advance(); err != nil {
		return Filter{}, err
	}
	wants, err := p.or()
	if err != nil {
		return Filter{}, err
	}
	switch p.tok.kind {
	case endToken:
		return Filter{wants: wants, properties: p.properties}, nil
	case closeToken:
		return Filter{}, &Error{p.tok.at, "this ) closes nothing"}
	}
	return Filter{}, &Error{p.tok.at, "AND, OR or the end must follow, not " + p.tok.shown()}
}

// comparators say for which numbers they hold. Texts and truths know the first
// two only.
var comparators = map[string]func(a, b int64) bool{
	"=":  func(a, b int64) bool { return a == b },
	"<>": func(a, b int64) bool { return a != b },
	"<":  func(a, b int64) bool { return a < b },
	"<=": func(a, b int64) bool { return a <= b },
	">":  func(a, b int64) bool { return a > b },
	">=": func(a, b int64) bool { return a >= b },
}

// test is one condition, or several put together.
type test = func(*lift.GameSession) bool

// parser reads the grammar of behaviour 5, one method for each rule.
type parser struct {
	scanner
	tok        token // the one looked at
	properties bool
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) or() (test, error) {
	left, err := p.and()
	for err == nil && p.tok.is("OR") {
		var right test
		if err = p.advance(); err == nil {
			right, err = p.and()
		}
		a := left
		left = func(s *lift.GameSession) bool { return a(s) || right(s) }
	}
	return left, err
}

func (p *parser) and() (test, error) {
	left, err := p.not()
	for err == nil && p.tok.is("AND") {
		var right test
		if err = p.advance(); err == nil {
			right, err = p.not()
		}
		a := left
		left = func(s *lift.GameSession) bool { return a(s) && right(s) }
	}
	return left, err
}

func (p *parser) not() (test, error) {
	if !p.tok.is("NOT") {
		return p.primary()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	inner, err := p.not()
	return func(s *lift.GameSession) bool { return !inner(s) }, err
}

func (p *parser) primary() (test, error) {
	if p.tok.kind != openToken {
		return p.comparison()
	}
	opened := p.tok.at
	if err := p.advance(); err != nil {
		return nil, err
	}
	inner, err := p.or()
	switch {
	case err != nil:
		return nil, err
	case p.tok.kind == endToken:
		return nil, &Error{opened, "this ( is never closed"}
	case p.tok.kind != closeToken:
		return nil, &Error{p.tok.at, "AND, OR or ) must follow, not " + p.tok.shown()}
	}
	return inner, p.advance()
}

// comparison reads operand, comparator and value.
func (p *parser) comparison() (test, error) {
	name := p.tok
	if name.kind != wordToken || name.is("AND") || name.is("OR") {
		return nil, &Error{name.at, "a comparison such as maximumSessions > 5 must stand here, not " + name.shown()}
	}
	o, problem := operandNamed(name.text)
	if problem != "" {
		return nil, &Error{name.at, problem}
	}
	p.properties = p.properties || o.key != ""
	if err := p.advance(); err != nil {
		return nil, err
	}
	cmp := p.tok
	switch {
	case cmp.kind != sign:
		return nil, &Error{cmp.at, fmt.Sprintf("a comparator must follow %s, not %s", name.text, cmp.shown())}
	case o.kind != number && cmp.text != "=" && cmp.text != "<>":
		return nil, &Error{cmp.at, fmt.Sprintf("%s can be compared by = and <> only, not by %s", name.text, cmp.text)}
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	want, err := p.value(name.text, o.kind)
	if err != nil {
		return nil, err
	}
	return o.compare(name.text, cmp.text, want), p.advance()
}

// value reads a value of the operand's kind.
func (p *parser) value(operand string, k kind) (v value, err error) {
	t := p.tok
	mismatch := &Error{t.at, fmt.Sprintf("%s is compared with %s, not with %s", operand, k, t.shown())}
	switch {
	case k == text && t.kind == textToken:
		return value{text: t.text}, nil
	case k == number && t.kind == wordToken:
		v.number, err = strconv.ParseInt(t.text, 10, 64)
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return v, &Error{t.at, t.text + " is too large a number"}
		}
		if err != nil || strings.HasPrefix(t.text, "+") {
			return v, mismatch
		}
		return v, nil
	case k == truth && t.is("true"):
		return value{number: 1}, nil
	case k == truth && t.is("false"):
		return value{}, nil
	}
	return v, mismatch
}

// compare makes the test of a comparison. What is missing equals nothing
// (behaviour 5).
func (o operand) compare(name, comparator string, want value) test {
	switch {
	case name == "gameSessionId":
		same := sessionNamed(want.text)
		return func(s *lift.GameSession) bool { return same(s) == (comparator == "=") }
	case o.kind == text:
		return func(s *lift.GameSession) bool {
			v := o.of(s)
			return (!v.missing && v.text == want.text) == (comparator == "=")
		}
	}
	holds := comparators[comparator]
	return func(s *lift.GameSession) bool { return holds(o.of(s).number, want.number) }
}

// sessionNamed makes the test for one game session: by its ARN, which some
// write with an account in it (behaviour 0.2), or by the last part of it.
func sessionNamed(name string) test {
	if parts := strings.SplitN(name, ":", 6); len(parts) == 6 {
		parts[4] = ""
		id := lift.GameSessionID(strings.Join(parts, ":"))
		return func(s *lift.GameSession) bool { return s.ID == id }
	}
	return func(s *lift.GameSession) bool {
		return string(s.ID[strings.LastIndexByte(string(s.ID), '/')+1:]) == name
	}
}
