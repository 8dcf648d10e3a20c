package wire

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// jsonEncoder implements [api.Encoder] for JSON. The zero value is ready to use.
type jsonEncoder struct {
	buf     []byte
	comma   bool   // an item stands before the next one
	closers []byte // of the open objects and lists
}

func (e *jsonEncoder) sep() {
	if e.comma {
		e.buf = append(e.buf, ',')
	}
	e.comma = true
}

func (e *jsonEncoder) open(c, closer byte) {
	e.sep()
	e.buf = append(e.buf, c)
	e.closers = append(e.closers, closer)
	e.comma = false
}

func (e *jsonEncoder) Object()  { e.open('{', '}') }
func (e *jsonEncoder) List(int) { e.open('[', ']') }

func (e *jsonEncoder) End() {
	last := len(e.closers) - 1
	e.buf = append(e.buf, e.closers[last])
	e.closers = e.closers[:last]
	e.comma = true
}

func (e *jsonEncoder) Key(name string) {
	e.sep()
	e.buf = append(appendJSONString(e.buf, name), ':')
	e.comma = false
}

func (e *jsonEncoder) String(s string) {
	e.sep()
	e.buf = appendJSONString(e.buf, s)
}

func (e *jsonEncoder) Int(v int64) {
	e.sep()
	e.buf = strconv.AppendInt(e.buf, v, 10)
}

// Float writes a double so that it reads as one: 23.0, not 23.
func (e *jsonEncoder) Float(v float64) { e.float(v, 64) }

// Float32 writes the shortest text that reads as v: 23.4, whose double has more digits.
func (e *jsonEncoder) Float32(v float32) { e.float(float64(v), 32) }

func (e *jsonEncoder) float(v float64, bits int) {
	e.sep()
	switch {
	case math.IsNaN(v):
		e.buf = append(e.buf, `"NaN"`...)
	case math.IsInf(v, 1):
		e.buf = append(e.buf, `"Infinity"`...)
	case math.IsInf(v, -1):
		e.buf = append(e.buf, `"-Infinity"`...)
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		e.buf = strconv.AppendFloat(e.buf, v, 'f', 1, bits)
	default:
		e.buf = strconv.AppendFloat(e.buf, v, 'g', -1, bits)
	}
}

func (e *jsonEncoder) Bool(v bool) {
	e.sep()
	e.buf = strconv.AppendBool(e.buf, v)
}

// Time writes seconds since 1970 with milliseconds.
func (e *jsonEncoder) Time(t time.Time) {
	e.sep()
	ms := t.UnixMilli()
	if ms < 0 {
		e.buf = append(e.buf, '-')
		ms = -ms
	}
	e.buf = strconv.AppendInt(e.buf, ms/1000, 10)
	ms %= 1000
	e.buf = append(e.buf, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

func (e *jsonEncoder) Blob(b []byte) {
	e.sep()
	e.buf = append(e.buf, '"')
	e.buf = base64.StdEncoding.AppendEncode(e.buf, b)
	e.buf = append(e.buf, '"')
}

// appendJSONString quotes s. What is not UTF-8 becomes U+FFFD.
func appendJSONString(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		buf = append(buf, s[start:i]...)
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		default:
			if c < ' ' {
				buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				buf = append(buf, "\uFFFD"...)
			}
		}
		i++
		start = i
	}
	return append(append(buf, s[start:]...), '"')
}
