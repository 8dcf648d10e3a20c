package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind tells the tokens of an expression apart.
type tokenKind int

const (
	endToken   tokenKind = iota
	wordToken            // a keyword, an operand, a number, true or false
	textToken            // a quoted text, without its quotes and escapes
	sign                 // a comparator
	openToken            // (
	closeToken           // )
)

// token is one word or sign of an expression.
type token struct {
	kind tokenKind
	text string
	at   int // its first character, counted from 1
}

// is reports whether the token is this keyword, in any case.
func (t token) is(keyword string) bool {
	return t.kind == wordToken && strings.EqualFold(t.text, keyword)
}

// shown is how messages call the token.
func (t token) shown() string {
	switch t.kind {
	case endToken:
		return "the end"
	case textToken:
		return "the text '" + t.text + "'"
	}
	return t.text
}

// scanner cuts an expression into tokens.
type scanner struct {
	rest string
	at   int // the character that rest begins with, counted from 1
}

// skip goes on by n bytes.
func (s *scanner) skip(n int) {
	s.at += utf8.RuneCountInString(s.rest[:n])
	s.rest = s.rest[n:]
}

func (s *scanner) next() (token, error) {
	s.skip(len(s.rest) - len(strings.TrimLeftFunc(s.rest, unicode.IsSpace)))
	t := token{at: s.at}
	if s.rest == "" {
		return t, nil
	}
	n := 1
	switch c := s.rest[0]; c {
	case '(':
		t.kind = openToken
	case ')':
		t.kind = closeToken
	case '\'', '"':
		return s.quoted(c)
	case '=', '<', '>', '!':
		if t.kind, n = sign, len(s.rest)-len(strings.TrimLeft(s.rest, "=<>!")); comparators[s.rest[:n]] == nil {
			return t, &Error{t.at, "there is no comparator " + s.rest[:n] + "; there are = <> < <= > >="}
		}
	default:
		t.kind, n = wordToken, wordLength(s.rest)
	}
	t.text = s.rest[:n]
	s.skip(n)
	return t, nil
}

// wordLength is the length in bytes of the word that s begins with. It ends
// before spaces, parentheses, quotes and comparators; != is seen as one, so
// that it is refused and not taken for the end of a property key.
func wordLength(s string) int {
	for i, c := range s {
		if strings.ContainsRune("()'\"=<>", c) || unicode.IsSpace(c) || strings.HasPrefix(s[i:], "!=") {
			return max(i, 1)
		}
	}
	return len(s)
}

// quoted reads a text up to the quote it began with. A backslash takes the
// meaning from a quote or a backslash.
func (s *scanner) quoted(quote byte) (token, error) {
	t := token{kind: textToken, at: s.at}
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case quote:
			t.text = b.String()
			s.skip(i + 1)
			return t, nil
		case '\\':
			if i++; i == len(s.rest) || !strings.ContainsRune(`'"\`, rune(s.rest[i])) {
				s.skip(i - 1)
				return t, &Error{s.at, `a backslash stands before a quote or another backslash; write \\ for one`}
			}
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return t, &Error{t.at, "the text that begins here has no closing quote"}
}
