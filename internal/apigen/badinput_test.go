package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/wire"
)

type object = map[string]any

// TestBadInput sends every operation everything its model forbids, one thing at
// a time and in both protocols, about things that exist: it is refused by an
// error that clients know and that names the member, never by an internal one,
// and nothing changes. But for that one thing each request would be carried out,
// which TestFilledService proves.
func TestBadInput(t *testing.T) {
	m := wholeModel(t)
	s := newService(t, m)
	s.fill()
	inputs, _ := s.requests()
	before := s.rows()
	sent := 0
	for _, o := range m.ops {
		good := inputs[o.name]
		if good == nil { // not built, and refused whatever it says
			good = m.sample(m.shapes[o.input()], 4).(object)
		}
		for _, bad := range m.badInputs(o.input(), good) {
			for _, protocol := range []string{"json", "cbor"} {
				body, ok := bad.body(t, protocol)
				if !ok {
					continue
				}
				sent++
				status, answer := s.ask(o, protocol, body)
				op := api.Find(o.name)
				switch {
				case status != http.StatusBadRequest || !op.Declares(answer.Type) && answer.Type != "SerializationException":
					t.Errorf("%s in %s, %s: answered %d %s %s", o.name, protocol, bad.what, status, answer.Type, answer.Message)
				case !strings.Contains(answer.Message, bad.path):
					t.Errorf("%s in %s, %s: the message does not name %s: %s", o.name, protocol, bad.what, bad.path, answer.Message)
				}
			}
		}
		for protocol, bodies := range noInputs(t, m.shapes[o.input()]) {
			for _, body := range bodies {
				sent++
				if status, answer := s.ask(o, protocol, []byte(body)); status != http.StatusBadRequest || answer.Type != "SerializationException" {
					t.Errorf("%s, %.60q: answered %d %s %s", o.name, body, status, answer.Type, answer.Message)
				}
			}
		}
		if o.name == "UpdateFleetAttributes" {
			for _, protocol := range []string{"json", "cbor"} {
				long := maps.Clone(good)
				long["Name"] = strings.Repeat("n", 9<<20)
				if status, answer := s.ask(o, protocol, marshal(t, protocol, long)); status != http.StatusBadRequest || !strings.HasPrefix(answer.Message, "Name: must have at most") {
					t.Errorf("%s in %s, a long name: answered %d %s %.200s", o.name, protocol, status, answer.Type, answer.Message)
				}
				long["Name"] = strings.Repeat("n", wire.MaxBodyBytes)
				if status, _ := s.ask(o, protocol, marshal(t, protocol, long)); status != http.StatusRequestEntityTooLarge {
					t.Errorf("%s in %s, a longer name: answered %d", o.name, protocol, status)
				}
			}
		}
		if after := s.rows(); !maps.Equal(before, after) {
			t.Errorf("%s: a bad input changed what is stored:\n%s", o.name, cmp.Diff(before, after))
			before = after
		}
	}
	if sent < 15_000 {
		t.Errorf("only %d bad inputs were sent", sent)
	}
	t.Logf("%d bad inputs", sent)
}

// A badInput is an input with one thing wrong.
type badInput struct {
	what, path string
	input      any
}

// A raw value is written as it stands. One that is empty cannot be said in its
// protocol.
type raw struct{ json, cbor string }

// body writes the input down, if the protocol can hold it.
func (b *badInput) body(t *testing.T, protocol string) ([]byte, bool) {
	t.Helper()
	const mark = "~raw~"
	var found *raw
	input := b.input
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case raw:
			found = &v
			return mark
		case object:
			o := object{}
			for name, v := range v {
				o[name] = walk(v)
			}
			return o
		case []any:
			list := make([]any, len(v))
			for i := range v {
				list[i] = walk(v[i])
			}
			return list
		}
		return v
	}
	body := marshal(t, protocol, walk(input))
	if found == nil {
		return body, true
	}
	if protocol == "cbor" {
		return bytes.Replace(body, []byte("\x65"+mark), []byte(found.cbor), 1), found.cbor != ""
	}
	return bytes.Replace(body, []byte(`"`+mark+`"`), []byte(found.json), 1), found.json != ""
}

// badInputs returns every way in which the model lets an input be wrong, each a
// change of a good one.
func (m *model) badInputs(name string, good any) []badInput {
	var all []badInput
	// walk looks at a value of shape s at path; put returns the whole input with
	// another value in its place. The value is nil where the good input has none.
	var walk func(s *shape, v any, path string, depth int, put func(any) any)
	walk = func(s *shape, v any, path string, depth int, put func(any) any) {
		if v == nil {
			v = m.sample(s, 4)
		}
		if path != "" {
			add := func(what string, v any) { all = append(all, badInput{what + " at " + path, path, put(v)}) }
			for _, v := range m.wrong(s) {
				add(fmt.Sprintf("%.40v", v), v)
			}
			for _, v := range unreadable(s.kind) {
				add(fmt.Sprintf("%.40q", v), v)
			}
			add("another type", m.otherType(s))
		}
		if depth == 0 {
			return
		}
		switch s.kind {
		case "struct":
			whole := v.(object)
			for _, f := range s.members {
				at := f.name
				if path != "" {
					at = path + "." + f.name
				}
				if f.required {
					without := maps.Clone(whole)
					delete(without, f.name)
					all = append(all, badInput{"no " + at, at, put(without)})
					without = maps.Clone(without)
					without[f.name] = nil
					all = append(all, badInput{"null at " + at, at, put(without)})
				}
				walk(m.shapes[f.shape], whole[f.name], at, depth-1, func(v any) any {
					with := maps.Clone(whole)
					with[f.name] = v
					return put(with)
				})
			}
		case "list":
			list, _ := v.([]any)
			var first any
			if len(list) > 0 {
				first = list[0]
			}
			with := func(v any) any {
				least, _ := strconv.Atoi(s.min)
				with := []any{v}
				for len(with) < max(least, len(list)) {
					if len(with) < len(list) {
						with = append(with, list[len(with)])
					} else {
						with = append(with, m.sample(m.shapes[s.elem], 3))
					}
				}
				return put(with)
			}
			all = append(all, badInput{"null at " + path + "[0]", path + "[0]", with(nil)})
			walk(m.shapes[s.elem], first, path+"[0]", depth-1, with)
		case "map":
			entries, _ := v.(object)
			with := func(key string, v any) any {
				with := maps.Clone(entries)
				if with == nil {
					with = object{}
				}
				with[key] = v
				return put(with)
			}
			for _, key := range m.wrong(m.shapes[s.key]) {
				all = append(all, badInput{fmt.Sprintf("key %.40q at %s", key, path), path, with(key.(string), m.sample(m.shapes[s.elem], 3))})
			}
			walk(m.shapes[s.elem], nil, path+`["k"]`, depth-1, func(v any) any { return with("k", v) })
		}
	}
	walk(m.shapes[name], good, "", 5, func(v any) any { return v })
	return all
}

// unreadable returns what no reader can take for a value of the kind, however
// it is bound.
func unreadable(kind string) []any {
	const (
		nan       = "\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00"
		infinity  = "\xf9\x7c\x00"
		tooLarge  = "\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c" // 1e300
		uint64max = "\x1b\xff\xff\xff\xff\xff\xff\xff\xff"
		bignum    = "\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00"
	)
	switch kind {
	case "struct":
		return []any{raw{`{"a"}`, "\xa1\x01\x01"}, raw{`{,}`, "\xa1\x61a\x1c"}, raw{deep(1000, "{\"a\":"), "\xa1\x61a" + deep(1000, "\x81")}}
	case "map":
		return []any{raw{`{"k":1,"k":1}`, "\xa2\x61k\x01\x61k\x01"}, raw{`{1:1}`, "\xa1\x01\x01"}, raw{`{"k":1,}`, "\xbf\x61k\xff"}, raw{`{null:1}`, "\xa1\xf6\x01"}, raw{`{"\xff":1}`, "\xa1\x61\xff\x01"}}
	case "list":
		return []any{raw{`[1`, "\x9f"}, raw{`[1,]`, "\x9b\xff\xff\xff\xff\xff\xff\xff\xff"}, raw{`["a" "b"]`, "\x9a\x7f\xff\xff\xff"}, raw{deep(1000, "["), deep(1000, "\x81")}}
	case "string", "enum":
		return []any{raw{"\"\xff\"", "\x61\xff"}, raw{"\"a\nb\"", "\x7f\x41a\xff"}, raw{`"\x"`, "\x7f\x61a"}, raw{`"\ud8"`, "\x7b\xff\xff\xff\xff\xff\xff\xff\xff"}, raw{`5`, "\x41a"}, raw{`true`, "\xf4"}}
	case "int", "long":
		all := []any{raw{`1.5`, "\xf9\x3e\x00"}, raw{`NaN`, nan}, raw{`1e400`, infinity}, raw{`1e300`, tooLarge}, raw{`18446744073709551615`, uint64max}, raw{`-99999999999999999999`, bignum}, raw{`01`, "\x1c"}, raw{`"1"`, "\x611"}}
		if kind == "int" {
			all = append(all, raw{`2147483648`, "\x1a\x80\x00\x00\x00"}, raw{`-2147483649`, "\x3a\x80\x00\x00\x00"})
		}
		return all
	case "double", "float":
		all := []any{raw{`NaN`, nan}, raw{`"NaN"`, infinity}, raw{`1e400`, "\xfb\xff\xf0\x00\x00\x00\x00\x00\x00"}, raw{`-`, bignum}, raw{`.5`, "\x611"}}
		if kind == "float" {
			all = append(all, raw{`1e300`, tooLarge})
		}
		return all
	case "bool":
		return []any{raw{`1`, "\x01"}, raw{`"true"`, "\x64true"}, raw{`True`, "\xf8\x20"}}
	case "time":
		return []any{raw{`1e15`, "\xc1\xfb\x43\x0c\x6b\xf5\x26\x34\x00\x00"}, raw{`-1e15`, "\xc1" + infinity}, raw{`"2026-05-01T12:00:00Z"`, "\xc0\x742026-05-01T12:00:00Z"}, raw{`1e999`, "\xc1" + nan}, raw{`253402300800`, "\xc1\x1b\x00\x00\x00\x3a\xff\xf4\x41\x80"}, raw{``, "\xc2\x01"}}
	case "blob":
		return []any{raw{`"!"`, "\x61a"}, raw{`"YQ"`, "\x5f\xf6\xff"}, raw{`7`, "\x5f\x61a\xff"}}
	}
	return nil
}

func deep(levels int, opening string) string { return strings.Repeat(opening, levels) }

// wrong returns values of the shape's own type that its bounds forbid.
func (m *model) wrong(s *shape) (out []any) {
	least, hasLeast := bound(s.min)
	most, hasMost := bound(s.max)
	switch s.kind {
	case "enum":
		return []any{"NO-SUCH-VALUE", ""}
	case "string":
		if hasLeast && least > 0 {
			out = append(out, strings.Repeat("a", int(least)-1))
		}
		if hasMost && most < 10_000 {
			out = append(out, strings.Repeat("a", int(most)+1))
		}
		if s.pattern != "" {
			re, err := regexp.Compile("^(?:" + s.pattern + ")$")
			for _, v := range []string{"\u0001", " ", "é?*", "§§§§§§§§§§§§§§§§§§§§"} {
				n := float64(len([]rune(v)))
				if err == nil && !re.MatchString(v) && !regexp.MustCompile(s.pattern).MatchString(v) && n >= least && (!hasMost || n <= most) {
					out = append(out, v)
				}
			}
		}
	case "int", "long", "double":
		if hasLeast {
			out = append(out, number(s, least-1))
		}
		if hasMost {
			out = append(out, number(s, most+1))
		}
	case "list":
		fill := func(n int) []any {
			list := make([]any, n)
			for i := range list {
				list[i] = m.sample(m.shapes[s.elem], 3)
			}
			return list
		}
		if hasLeast && least > 0 {
			out = append(out, fill(int(least)-1))
		}
		if hasMost {
			out = append(out, fill(int(most)+1))
		}
	}
	return out
}

func bound(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

func number(s *shape, n float64) any {
	if s.kind == "double" {
		return n
	}
	return int64(n)
}

// otherType is a value that no reader can take for one of the shape.
func (m *model) otherType(s *shape) any {
	switch s.kind {
	case "struct", "map":
		return []any{1}
	case "list", "string", "enum", "blob":
		return object{"k": 1}
	}
	return "text"
}

// sample is a value of the shape with its required members, as good as can be
// told without solving patterns.
func (m *model) sample(s *shape, depth int) any {
	least, _ := bound(s.min)
	switch s.kind {
	case "struct":
		v := object{}
		for _, f := range s.members {
			if f.required && depth > 0 {
				v[f.name] = m.sample(m.shapes[f.shape], depth-1)
			}
		}
		return v
	case "list":
		v := []any{}
		for range max(int(least), 1) {
			v = append(v, m.sample(m.shapes[s.elem], depth-1))
		}
		return v
	case "map":
		return object{}
	case "enum":
		return s.values[0]
	case "int", "long", "double":
		return number(s, max(least, 1))
	case "bool":
		return true
	case "time":
		return float64(1567512000)
	case "blob":
		return []byte{}
	}
	return strings.Repeat("a", max(int(least), 1))
}

// noInputs are bodies in both protocols that are no input at all.
func noInputs(t *testing.T, s *shape) map[string][]string {
	json := []string{`[]`, `"x"`, `1`, `null`, `{`, `{"a":1}{}`, "\xff", `{"Zz":` + deep(10_000, "[")}
	cbor := []string{"\x80", "\x61x", "\x01", "\xf6", "\xa1", "\xa0\xa0", "\xff", "\xa1\x62Zz" + deep(10_000, "\x81"), "\xa1\x62Zz" + deep(10_000, "\x9f"), "\xa1\x62Zz" + deep(10_000, "\xc1")}
	if len(s.members) > 0 {
		name := s.members[0].name
		json = append(json, fmt.Sprintf(`{%q:null,%q:null}`, name, name))
		key := string(marshal(t, "cbor", name))
		cbor = append(cbor, "\xa2"+key+"\xf6"+key+"\xf6")
	}
	return map[string][]string{"json": json, "cbor": cbor}
}

type answer struct {
	Type    string `json:"__type" cbor:"__type"`
	Message string `json:"message" cbor:"message"`
}

// ask sends a body and reads the error that should come back.
func (s *service) ask(o *op, protocol string, body []byte) (int, answer) {
	s.t.Helper()
	status, text := s.post(o, protocol, body)
	unmarshal := json.Unmarshal
	if protocol == "cbor" {
		unmarshal = cbor.Unmarshal
	}
	var a answer
	if len(text) > 0 {
		if err := unmarshal(text, &a); err != nil {
			s.t.Fatalf("%s: the answer %.80q: %v", o.name, text, err)
		}
	}
	return status, a
}
