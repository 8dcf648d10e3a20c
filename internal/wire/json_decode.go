package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep a value may nest. The API's own shapes need six levels;
// the rest is for members we do not know and skip.
const maxDepth = 64

// jsonDecoder implements [api.Decoder] for JSON. It holds the whole body, copies
// what it returns, and accepts exactly RFC 8259 with two additions real clients
// need: 5.0 and 5e0 are whole numbers, and a lone surrogate becomes U+FFFD.
type jsonDecoder struct {
	data  []byte
	pos   int
	first bool // an object or list has just begun: no comma before the next item
	depth int  // of nested objects and lists
}

func (d *jsonDecoder) syntax(format string, args ...any) error {
	return fmt.Errorf("is not valid JSON at byte %d: %s", d.pos, fmt.Sprintf(format, args...))
}

// peek returns the next byte that is not white space, or 0 at the end.
func (d *jsonDecoder) peek() byte {
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// done reports what follows the value, which must be nothing.
func (d *jsonDecoder) done() error {
	if c := d.peek(); c != 0 || d.pos < len(d.data) {
		return d.syntax("%q after the end of the object", c)
	}
	return nil
}

// wrong describes the next value, which is not the wanted one.
func (d *jsonDecoder) wrong(wanted string) error {
	got := ""
	switch c := d.peek(); {
	case c == '"':
		got = "a string"
	case c == '{':
		got = "an object"
	case c == '[':
		got = "a list"
	case c == 't' || c == 'f':
		got = "a boolean"
	case c == 'n':
		got = "null"
	case c == '-' || '0' <= c && c <= '9':
		got = "a number"
	case d.pos >= len(d.data):
		return d.syntax("the text ends early")
	default:
		return d.syntax("unexpected %q", c)
	}
	return fmt.Errorf("must be %s, got %s", wanted, got)
}

// literal takes word if it is next.
func (d *jsonDecoder) literal(word string) bool {
	d.peek()
	if !bytes.HasPrefix(d.data[d.pos:], []byte(word)) {
		return false
	}
	end := d.pos + len(word)
	if end < len(d.data) {
		if c := d.data[end]; 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' {
			return false
		}
	}
	d.pos = end
	return true
}

func (d *jsonDecoder) Null() bool { return d.literal("null") }

func (d *jsonDecoder) Bool() (bool, error) {
	if d.literal("true") {
		return true, nil
	}
	if d.literal("false") {
		return false, nil
	}
	return false, d.wrong("true or false")
}

func (d *jsonDecoder) String() (string, error) {
	if d.peek() != '"' {
		return "", d.wrong("a string")
	}
	s, err := d.text()
	return string(s), err
}

// text takes the string that is next. Without escapes the result is a piece of
// the data.
func (d *jsonDecoder) text() ([]byte, error) {
	d.pos++ // the quote
	start := d.pos
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == '"':
			s := d.data[start:d.pos]
			if !utf8.Valid(s) {
				return nil, d.syntax("a string is not UTF-8")
			}
			d.pos++
			return s, nil
		case c == '\\':
			return d.escaped(append([]byte{}, d.data[start:d.pos]...))
		case c < ' ':
			return nil, d.syntax("control character %q in a string", c)
		}
		d.pos++
	}
	return nil, d.syntax("the text ends inside a string")
}

// escaped goes on with a string at its first backslash.
func (d *jsonDecoder) escaped(s []byte) ([]byte, error) {
	for d.pos < len(d.data) {
		c := d.data[d.pos]
		d.pos++
		switch {
		case c == '"':
			if !utf8.Valid(s) {
				return nil, d.syntax("a string is not UTF-8")
			}
			return s, nil
		case c < ' ':
			return nil, d.syntax("control character %q in a string", c)
		case c != '\\':
			s = append(s, c)
			continue
		case d.pos == len(d.data):
			return nil, d.syntax("the text ends inside a string")
		}
		c = d.data[d.pos]
		d.pos++
		switch c {
		case '"', '\\', '/':
			s = append(s, c)
		case 'b':
			s = append(s, '\b')
		case 'f':
			s = append(s, '\f')
		case 'n':
			s = append(s, '\n')
		case 'r':
			s = append(s, '\r')
		case 't':
			s = append(s, '\t')
		case 'u':
			r, ok := d.hex4()
			if !ok {
				return nil, d.syntax("\\u without four hexadecimal digits")
			}
			if utf16.IsSurrogate(r) {
				before := d.pos
				low := rune(-1)
				if bytes.HasPrefix(d.data[d.pos:], []byte(`\u`)) {
					d.pos += 2
					low, _ = d.hex4()
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					d.pos = before // the second escape, if any, stands for itself
				}
			}
			s = utf8.AppendRune(s, r)
		default:
			return nil, d.syntax("unknown escape \\%c", c)
		}
	}
	return nil, d.syntax("the text ends inside a string")
}

func (d *jsonDecoder) hex4() (rune, bool) {
	if len(d.data)-d.pos < 4 {
		return -1, false
	}
	var r rune
	for _, c := range d.data[d.pos : d.pos+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1, false
		}
		r = r<<4 | rune(c)
	}
	d.pos += 4
	return r, true
}

// number takes the number that is next and says whether it is digits only.
func (d *jsonDecoder) number(wanted string) (text []byte, whole bool, err error) {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		return nil, false, d.wrong(wanted)
	}
	start := d.pos
	digits := func() bool {
		from := d.pos
		for d.pos < len(d.data) && '0' <= d.data[d.pos] && d.data[d.pos] <= '9' {
			d.pos++
		}
		return d.pos > from
	}
	at := func(set string) bool {
		if d.pos < len(d.data) && bytes.IndexByte([]byte(set), d.data[d.pos]) >= 0 {
			d.pos++
			return true
		}
		return false
	}
	at("-")
	if !at("0") && !digits() {
		return nil, false, d.syntax("a number without digits")
	}
	whole = true
	if at(".") {
		whole = false
		if !digits() {
			return nil, false, d.syntax("a number without digits after its point")
		}
	}
	if at("eE") {
		whole = false
		at("+-")
		if !digits() {
			return nil, false, d.syntax("a number without digits in its exponent")
		}
	}
	if d.pos < len(d.data) && '0' <= d.data[d.pos] && d.data[d.pos] <= '9' {
		return nil, false, d.syntax("a number that begins with 0")
	}
	return d.data[start:d.pos], whole, nil
}

func (d *jsonDecoder) Int() (int64, error) {
	text, whole, err := d.number("a whole number")
	if err != nil {
		return 0, err
	}
	if whole {
		v, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("must be a whole number of 64 bits, got %.40s", text)
		}
		return v, nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, fmt.Errorf("must be a whole number, got %.40s", text)
	}
	return wholeNumber(f)
}

// wholeNumber accepts what a client made of a whole number by way of a double.
func wholeNumber(f float64) (int64, error) {
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, fmt.Errorf("must be a whole number, got %v", f)
	}
	return int64(f), nil
}

func (d *jsonDecoder) Float() (float64, error) {
	text, _, err := d.number("a number")
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, fmt.Errorf("must be a number a double can hold, got %.40s", text)
	}
	return f, nil
}

func (d *jsonDecoder) Time() (time.Time, error) {
	text, _, err := d.number("a time as a number of seconds since 1970")
	if err != nil {
		return time.Time{}, err
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return time.Time{}, errTime
	}
	return epoch(f)
}

var errTime = errors.New("must be a time as a number of seconds since 1970, in the years 1 to 9999")

// epoch makes a time of seconds since 1970, exact to the microsecond, and to the
// millisecond more than 272 years away: a double holds no more there.
func epoch(seconds float64) (time.Time, error) {
	const first, last = -62135596800, 253402300799
	if !(seconds >= first && seconds <= last) { // refuses NaN too
		return time.Time{}, errTime
	}
	grain := 1e6 // parts of a second
	if math.Abs(seconds) >= 1<<33 {
		grain = 1e3
	}
	whole := math.Floor(seconds)
	parts := math.Round((seconds - whole) * grain)
	return time.Unix(int64(whole), int64(parts)*int64(1e9/grain)).UTC(), nil
}

func (d *jsonDecoder) Blob() ([]byte, error) {
	if d.peek() != '"' {
		return nil, d.wrong("a string of base64")
	}
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	blob := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(blob, text)
	if err != nil {
		return nil, errors.New("must be base64")
	}
	return blob[:n], nil
}

func (d *jsonDecoder) begin(c byte, wanted string) error {
	if d.peek() != c {
		return d.wrong(wanted)
	}
	if d.depth++; d.depth > maxDepth {
		return fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	d.pos++
	d.first = true
	return nil
}

// another says whether one more item follows before the closing bracket.
func (d *jsonDecoder) another(closing byte) (bool, error) {
	c := d.peek()
	if c == closing {
		d.pos++
		d.depth--
		d.first = false
		return false, nil
	}
	if !d.first {
		if c != ',' {
			if d.pos >= len(d.data) {
				return false, d.syntax("the text ends early")
			}
			return false, d.syntax("%q where a comma or %q is expected", c, closing)
		}
		d.pos++
		if d.peek() == closing {
			return false, d.syntax("a comma before %q", closing)
		}
	}
	d.first = false
	return true, nil
}

func (d *jsonDecoder) Object() error { return d.begin('{', "an object") }
func (d *jsonDecoder) List() error   { return d.begin('[', "a list") }

func (d *jsonDecoder) More() (bool, error) { return d.another(']') }

func (d *jsonDecoder) Key() ([]byte, bool, error) {
	more, err := d.another('}')
	if !more || err != nil {
		return nil, false, err
	}
	if d.peek() != '"' {
		return nil, false, d.syntax("a member without a name")
	}
	name, err := d.text()
	if err != nil {
		return nil, false, err
	}
	if d.peek() != ':' {
		return nil, false, d.syntax("a name without a colon after it")
	}
	d.pos++
	return name, true, nil
}

func (d *jsonDecoder) Skip() error {
	var err error
	switch c := d.peek(); c {
	case '{':
		if err = d.Object(); err != nil {
			return err
		}
		for {
			_, more, err := d.Key()
			if err != nil || !more {
				return err
			}
			if err := d.Skip(); err != nil {
				return err
			}
		}
	case '[':
		if err = d.List(); err != nil {
			return err
		}
		for {
			more, err := d.More()
			if err != nil || !more {
				return err
			}
			if err := d.Skip(); err != nil {
				return err
			}
		}
	case '"':
		_, err = d.text()
	case 't', 'f':
		_, err = d.Bool()
	case 'n':
		if !d.Null() {
			err = d.syntax("unexpected %q", c)
		}
	default:
		_, _, err = d.number("a value")
	}
	return err
}
