package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A value of the model is written down apart from the generated types: structures
// and maps are objects, lists []any, whole numbers int64, float64 holds doubles and
// floats, blobs are []byte. A member whose value is nil is sent as null.

// A taste says which of the values within the bounds to take.
type taste int

const (
	bare  taste = iota // nothing optional
	least              // everything, as small and empty as the bounds allow
	most               // everything, at the upper bounds where those are near
	mixed              // anything
)

// random returns a value of the shape within its bounds.
func (m *model) random(r *rand.Rand, s *shape, t taste) any {
	lo, hasLo := bound(s.min)
	hi, hasHi := bound(s.max)
	switch s.kind {
	case "struct":
		v := object{}
		for _, f := range s.members {
			absent := t == bare || t == mixed && r.IntN(4) == 0
			switch {
			case f.required || !absent:
				v[f.name] = m.random(r, m.shapes[f.shape], t)
			case t == mixed && r.IntN(2) == 0:
				v[f.name] = nil
			}
		}
		return v
	case "list":
		v := make([]any, count(r, t, lo, hi, hasHi))
		for i := range v {
			v[i] = m.random(r, m.shapes[s.elem], t)
		}
		return v
	case "map":
		v := object{}
		for range count(r, t, lo, hi, hasHi) {
			v[m.random(r, m.shapes[s.key], t).(string)] = m.random(r, m.shapes[s.elem], t)
		}
		return v
	case "enum":
		return s.values[r.IntN(len(s.values))]
	case "int", "long":
		if !hasLo {
			lo = math.MinInt32
		}
		if !hasHi {
			hi = math.MaxInt32
		}
		if s.kind == "long" && t == mixed && r.IntN(2) == 0 && !hasHi {
			return r.Int64() // beyond what a double holds
		}
		switch t {
		case least, bare:
			return int64(max(lo, min(0, hi)))
		case most:
			return int64(hi)
		}
		return int64(lo) + r.Int64N(int64(hi)-int64(lo)+1)
	case "double", "float":
		some := []float64{0, 1, -23, 0.1, 23.4, 1e-7, 1e20, r.NormFloat64(), lo, hi, math.MaxFloat64, -math.SmallestNonzeroFloat64}
		if s.kind == "float" {
			some = []float64{0, 1, -23, 1e20, math.MaxFloat32, 23.4, 0.1}
		}
		for {
			v := some[r.IntN(len(some))]
			if t == least || t == bare {
				v = 0
			}
			if v = max(v, lo); (hasLo || v != lo) && (!hasHi || v <= hi) {
				if s.kind == "float" {
					v = float64(float32(v))
				}
				return v
			}
			t = mixed
		}
	case "bool":
		return t != least && r.IntN(2) == 0
	case "time":
		if t == least {
			return time.Unix(0, 0).UTC()
		}
		return time.UnixMilli(r.Int64N(300e12) - 60e12).UTC() // the years 70 to 9575
	case "blob":
		v := make([]byte, count(r, t, lo, hi, hasHi))
		for i := range v {
			v[i] = byte(r.Uint32())
		}
		return v
	}
	return m.text(r, s, t)
}

// count returns how many items there are to be.
func count(r *rand.Rand, t taste, lo, hi float64, hasHi bool) int {
	n := int(lo)
	const near = 10
	switch {
	case t == most && hasHi && hi <= near:
		n = int(hi)
	case t == most || t == mixed:
		n += r.IntN(4)
	}
	if hasHi {
		n = min(n, int(hi))
	}
	return n
}

// text returns a string within the bounds that the pattern matches.
func (m *model) text(r *rand.Rand, s *shape, t taste) string {
	lo, _ := bound(s.min)
	hi, hasHi := bound(s.max)
	n := int(lo)
	if t == most || t == mixed {
		n += r.IntN(12)
		if hasHi && (t == most || r.IntN(8) == 0) && hi <= 256 {
			n = int(hi)
		}
	}
	if hasHi {
		n = min(n, int(hi))
	}
	if s.pattern == "" {
		v := make([]rune, n)
		for i := range v {
			v[i] = letters[r.IntN(len(letters))]
		}
		return string(v)
	}
	tree, whole := expression(s.pattern)
	for try := range 2000 {
		var b strings.Builder
		// The lengths of repetitions are guesses; what is too long becomes shorter.
		match(&b, r, tree, max(1, n>>(try/400)))
		v := []rune(b.String())
		if len(v) > n && n > 0 && whole.MatchString(string(v[:n])) {
			v = v[:n]
		}
		if len(v) >= int(lo) && (!hasHi || len(v) <= int(hi)) && whole.MatchString(string(v)) {
			return string(v)
		}
	}
	panic(fmt.Sprintf("%s: found no text of %d characters that matches %s", s.name, n, s.pattern))
}

// expression parses a pattern of the model once.
func expression(pattern string) (*syntax.Regexp, *regexp.Regexp) {
	type both struct {
		tree  *syntax.Regexp
		whole *regexp.Regexp
	}
	if known, ok := expressions.Load(pattern); ok {
		return known.(both).tree, known.(both).whole
	}
	src, err := strconv.Unquote(goPattern(pattern))
	if err != nil {
		panic(err)
	}
	tree, err := syntax.Parse(src, syntax.Perl|syntax.DotNL)
	if err != nil {
		panic(err)
	}
	whole := regexp.MustCompile(`\A(?s:` + src + `)\z`)
	expressions.Store(pattern, both{tree, whole})
	return tree, whole
}

var expressions sync.Map

// letters are some that encoders must take care of.
var letters = []rune("abcXYZ019 -_:/\"\\\n\t\r\x00\x1f\x7f<&é中\u2028\uFFFD\U0001F600")

// match writes a text that the expression matches, repeating things about n times.
func match(b *strings.Builder, r *rand.Rand, e *syntax.Regexp, n int) {
	repeat := func(least, most int) {
		if most < 0 {
			most = least + n
		}
		for range least + r.IntN(most-least+1) {
			match(b, r, e.Sub[0], n)
		}
	}
	switch e.Op {
	case syntax.OpLiteral:
		b.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		for {
			i := 2 * r.IntN(len(e.Rune)/2)
			c := e.Rune[i] + rune(r.IntN(int(e.Rune[i+1]-e.Rune[i])+1))
			if c < 0xD800 || c > 0xDFFF {
				b.WriteRune(c)
				return
			}
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune(letters[r.IntN(len(letters))])
	case syntax.OpConcat:
		for _, sub := range e.Sub {
			match(b, r, sub, n)
		}
	case syntax.OpAlternate:
		match(b, r, e.Sub[r.IntN(len(e.Sub))], n)
	case syntax.OpCapture:
		match(b, r, e.Sub[0], n)
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(e.Min, e.Max)
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine:
	default:
		panic("no texts for " + e.String())
	}
}

// plain returns the value that a generated type holds.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		return plain(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return t
		}
		o := object{}
		for i := range v.NumField() {
			f := v.Field(i)
			switch f.Kind() {
			case reflect.Pointer, reflect.Slice, reflect.Map:
				if f.IsNil() {
					continue
				}
			case reflect.Struct:
				if f.IsZero() { // a time
					continue
				}
			}
			o[v.Type().Field(i).Name] = plain(f)
		}
		return o
	case reflect.Slice:
		if b, ok := v.Interface().([]byte); ok {
			return b
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	case reflect.Map:
		o := object{}
		for k, e := range v.Seq2() {
			o[k.String()] = plain(e)
		}
		return o
	case reflect.Int, reflect.Int64:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	return v.Interface()
}

// fill makes a generated type hold the value.
func fill(into reflect.Value, v any) {
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		fill(into.Elem(), v)
	case reflect.Struct:
		if t, ok := v.(time.Time); ok {
			into.Set(reflect.ValueOf(t))
			return
		}
		for name, v := range v.(object) {
			if v != nil {
				fill(into.FieldByName(name), v)
			}
		}
	case reflect.Slice:
		if b, ok := v.([]byte); ok {
			into.SetBytes(b)
			return
		}
		list := v.([]any)
		into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
		for i, e := range list {
			fill(into.Index(i), e)
		}
	case reflect.Map:
		into.Set(reflect.MakeMap(into.Type()))
		for k, v := range v.(object) {
			e := reflect.New(into.Type().Elem()).Elem()
			fill(e, v)
			into.SetMapIndex(reflect.ValueOf(k), e)
		}
	default:
		into.Set(reflect.ValueOf(v).Convert(into.Type()))
	}
}

// withoutNulls returns the value as a reader should understand it.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case object:
		o := object{}
		for name, v := range v {
			if v != nil {
				o[name] = withoutNulls(v)
			}
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = withoutNulls(v[i])
		}
		return list
	}
	return v
}
