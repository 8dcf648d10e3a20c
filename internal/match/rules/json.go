package rules

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A node is one value of a JSON text together with the place it came from.
// encoding/json forgets places and takes the last of duplicate members, and
// both matter here: rule sets are written by people.
type node struct {
	kind    nodeKind
	offset  int
	text    string // of a string
	number  float64
	boolean bool
	items   []*node
	members []member // in the order written
}

type member struct {
	name   string
	offset int
	value  *node
}

type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	arrayNode
	objectNode
)

func (k nodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// member returns the value called name, or nil.
func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// maxJSONDepth bounds nesting, so that a hostile body cannot exhaust the stack.
const maxJSONDepth = 64

// syntaxError is a body that is no JSON text; offset is in bytes.
type syntaxError struct {
	offset    int
	what, fix string
}

func (e *syntaxError) Error() string { return e.what }

type jsonReader struct {
	src        string
	pos        int
	duplicates []duplicate
}

// A duplicate is a member whose name its object holds already.
type duplicate struct {
	member
	holder *node
}

// parseJSON reads exactly one JSON value. Duplicate members are returned
// beside it, so that the caller can report them with everything else.
func parseJSON(src string) (root *node, duplicates []duplicate, err error) {
	r := &jsonReader{src: src}
	defer func() {
		if e := recover(); e != nil {
			bad, ok := e.(*syntaxError)
			if !ok {
				panic(e)
			}
			root, err = nil, bad
		}
	}()
	if i := invalidUTF8(src); i >= 0 {
		r.fail(i, "the text is not valid UTF-8", "save the rule set as UTF-8")
	}
	r.space()
	root = r.value(0)
	r.space()
	if r.pos < len(r.src) {
		r.fail(r.pos, "text follows after the rule set's closing brace", "remove everything after the JSON value")
	}
	return root, r.duplicates, nil
}

func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func (r *jsonReader) fail(at int, what, fix string) {
	panic(&syntaxError{offset: at, what: what, fix: fix})
}

func (r *jsonReader) space() {
	for r.pos < len(r.src) {
		switch r.src[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		case '/':
			r.fail(r.pos, "comments are not allowed in a rule set", "remove the comment; a rule's description member can hold the remark")
		default:
			return
		}
	}
}

func (r *jsonReader) peek() byte {
	if r.pos < len(r.src) {
		return r.src[r.pos]
	}
	return 0
}

func (r *jsonReader) value(depth int) *node {
	if depth > maxJSONDepth {
		r.fail(r.pos, fmt.Sprintf("nested deeper than %d levels", maxJSONDepth), "a rule set needs fewer than ten")
	}
	switch c := r.peek(); {
	case r.pos >= len(r.src):
		r.fail(r.pos, "the text ends before the JSON value is complete", "close every brace, bracket and quote")
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"':
		at := r.pos
		return &node{kind: stringNode, offset: at, text: r.string()}
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	}
	for _, w := range []struct {
		word string
		node node
	}{{"true", node{kind: boolNode, boolean: true}}, {"false", node{kind: boolNode}}, {"null", node{kind: nullNode}}} {
		if strings.HasPrefix(r.src[r.pos:], w.word) {
			w.node.offset = r.pos
			r.pos += len(w.word)
			return &w.node
		}
	}
	r.fail(r.pos, fmt.Sprintf("unexpected %s where a value should start", quoteRuneAt(r.src, r.pos)), "a value is an object, array, string in double quotes, number, true, false or null")
	return nil
}

func quoteRuneAt(s string, at int) string {
	c, _ := utf8.DecodeRuneInString(s[at:])
	return strconv.QuoteRune(c)
}

func (r *jsonReader) object(depth int) *node {
	n := &node{kind: objectNode, offset: r.pos}
	r.pos++
	r.space()
	if r.peek() == '}' {
		r.pos++
		return n
	}
	for {
		r.space()
		at := r.pos
		if r.peek() != '"' {
			r.expected("a member name in double quotes")
		}
		name := r.string()
		r.space()
		if r.peek() != ':' {
			r.expected("a colon after the member name")
		}
		r.pos++
		r.space()
		m := member{name: name, offset: at, value: r.value(depth + 1)}
		if n.member(name) != nil {
			r.duplicates = append(r.duplicates, duplicate{m, n})
		} else {
			n.members = append(n.members, m)
		}
		r.space()
		switch r.peek() {
		case ',':
			r.pos++
		case '}':
			r.pos++
			return n
		default:
			r.expected("a comma or closing brace")
		}
	}
}

func (r *jsonReader) array(depth int) *node {
	n := &node{kind: arrayNode, offset: r.pos}
	r.pos++
	r.space()
	if r.peek() == ']' {
		r.pos++
		return n
	}
	for {
		r.space()
		n.items = append(n.items, r.value(depth+1))
		r.space()
		switch r.peek() {
		case ',':
			r.pos++
		case ']':
			r.pos++
			return n
		default:
			r.expected("a comma or closing bracket")
		}
	}
}

func (r *jsonReader) expected(what string) {
	if r.pos >= len(r.src) {
		r.fail(r.pos, "the text ends where "+what+" should stand", "close every brace, bracket and quote")
	}
	r.fail(r.pos, fmt.Sprintf("found %s where %s should stand", quoteRuneAt(r.src, r.pos), what), "check the punctuation just before this place")
}

func (r *jsonReader) number() *node {
	at := r.pos
	digits := func() bool {
		from := r.pos
		for r.peek() >= '0' && r.peek() <= '9' {
			r.pos++
		}
		return r.pos > from
	}
	if r.peek() == '-' {
		r.pos++
	}
	leadingZero := r.peek() == '0'
	from := r.pos
	ok := digits() && (!leadingZero || r.pos == from+1)
	if ok && r.peek() == '.' {
		r.pos++
		ok = digits()
	}
	if ok && (r.peek() == 'e' || r.peek() == 'E') {
		r.pos++
		if c := r.peek(); c == '+' || c == '-' {
			r.pos++
		}
		ok = digits()
	}
	f, err := strconv.ParseFloat(r.src[at:r.pos], 64)
	if !ok || err != nil {
		r.fail(at, fmt.Sprintf("%q is not a JSON number", r.src[at:r.pos]), "write it as 12, -3 or 4.5")
	}
	return &node{kind: numberNode, offset: at, number: f}
}

func (r *jsonReader) string() string {
	at := r.pos
	r.pos++
	from := r.pos
	for r.pos < len(r.src) && r.src[r.pos] != '"' && r.src[r.pos] != '\\' && r.src[r.pos] >= ' ' {
		r.pos++
	}
	if r.peek() == '"' {
		s := r.src[from:r.pos]
		r.pos++
		return s
	}
	var b strings.Builder
	b.WriteString(r.src[from:r.pos])
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; {
		case c == '"':
			r.pos++
			return b.String()
		case c == '\\':
			r.escape(&b)
		case c < ' ':
			r.fail(r.pos, "a control character inside a string", `write it as an escape such as \n`)
		default:
			b.WriteByte(c)
			r.pos++
		}
	}
	r.fail(at, "a string is never closed", "add the closing double quote")
	return ""
}

func (r *jsonReader) escape(b *strings.Builder) {
	at := r.pos
	r.pos++
	c := r.peek()
	r.pos++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 && c != 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		return
	}
	if c != 'u' {
		r.fail(at, "unknown escape in a string", `known are \" \\ \/ \b \f \n \r \t and \uXXXX`)
	}
	first := r.hex4(at)
	if utf16.IsSurrogate(first) {
		second := rune(utf8.RuneError)
		if strings.HasPrefix(r.src[r.pos:], `\u`) {
			r.pos += 2
			second = r.hex4(at)
		}
		if first = utf16.DecodeRune(first, second); first == utf8.RuneError {
			r.fail(at, "half a surrogate pair in a string", "write both halves, or the character itself")
		}
	}
	b.WriteRune(first)
}

func (r *jsonReader) hex4(at int) rune {
	if r.pos+4 > len(r.src) {
		r.fail(at, `\u needs four hexadecimal digits`, `write it as é`)
	}
	v, err := strconv.ParseUint(r.src[r.pos:r.pos+4], 16, 16)
	if err != nil {
		r.fail(at, `\u needs four hexadecimal digits`, `write it as é`)
	}
	r.pos += 4
	return rune(v)
}
