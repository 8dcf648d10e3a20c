package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/ops"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/wire"
)

type object = map[string]any

// TestBadInput sends every operation everything its model forbids, one thing at
// a time and in both protocols, to the real operations on an empty store: it is
// refused by an error that clients know and that names the member, never by an
// internal one, and nothing changes.
func TestBadInput(t *testing.T) {
	m := wholeModel(t)
	s := newService(t)
	before := s.dump()
	sent := 0
	for _, o := range m.ops {
		for _, bad := range m.badInputs(o.input()) {
			for _, protocol := range []string{"json", "cbor"} {
				sent++
				status, answer := s.send(o, protocol, bad.input)
				op := api.Find(o.name)
				switch {
				case status != http.StatusBadRequest || !op.Declares(answer.Type) && answer.Type != "SerializationException":
					t.Errorf("%s in %s, %s: answered %d %s %s", o.name, protocol, bad.what, status, answer.Type, answer.Message)
				case !strings.Contains(answer.Message, bad.path):
					t.Errorf("%s in %s, %s: the message does not name %s: %s", o.name, protocol, bad.what, bad.path, answer.Message)
				}
			}
		}
		for _, raw := range rawInputs(m.shapes[o.input()]) {
			sent++
			if status, answer := s.ask(o, "json", []byte(raw)); status != http.StatusBadRequest || answer.Type != "SerializationException" {
				t.Errorf("%s, %.60s: answered %d %s %s", o.name, raw, status, answer.Type, answer.Message)
			}
		}
	}
	for _, o := range m.ops {
		if o.name != "CreateFleet" && o.name != "CreateMatchmakingRuleSet" {
			continue
		}
		long := object{"Name": strings.Repeat("n", 9<<20)}
		for _, protocol := range []string{"json", "cbor"} {
			if status, answer := s.send(o, protocol, long); status != http.StatusBadRequest || !strings.HasPrefix(answer.Message, "Name: must have at most") && !strings.Contains(answer.Message, "; Name: must have at most") {
				t.Errorf("%s in %s, a long name: answered %d %s %.200s", o.name, protocol, status, answer.Type, answer.Message)
			}
			long := object{"Name": strings.Repeat("n", wire.MaxBodyBytes)}
			if status, _ := s.send(o, protocol, long); status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s in %s, a longer name: answered %d", o.name, protocol, status)
			}
		}
	}
	if sent < 5000 {
		t.Errorf("only %d bad inputs were sent", sent)
	}
	t.Logf("%d bad inputs", sent)
	if after := s.dump(); after != before {
		t.Errorf("a bad input changed what is stored:\n%s\nbefore\n%s", after, before)
	}
}

// A badInput is an input with one thing wrong.
type badInput struct {
	what, path string
	input      any
}

// badInputs returns every way in which the model lets an input be wrong.
func (m *model) badInputs(name string) []badInput {
	var all []badInput
	// walk looks at a value of shape s at path; put returns the whole input with
	// another value in its place.
	var walk func(s *shape, path string, depth int, put func(any) any)
	walk = func(s *shape, path string, depth int, put func(any) any) {
		add := func(what string, v any) { all = append(all, badInput{what + " at " + path, path, put(v)}) }
		if path != "" {
			for _, v := range m.wrong(s) {
				add(fmt.Sprintf("%.40v", v), v)
			}
			add("another type", m.otherType(s))
		}
		if depth == 0 {
			return
		}
		switch s.kind {
		case "struct":
			whole := m.sample(s, 4).(object)
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
				walk(m.shapes[f.shape], at, depth-1, func(v any) any {
					with := maps.Clone(whole)
					with[f.name] = v
					return put(with)
				})
			}
		case "list":
			walk(m.shapes[s.elem], path+"[0]", depth-1, func(v any) any {
				least, _ := strconv.Atoi(s.min)
				list := []any{v}
				for len(list) < least {
					list = append(list, m.sample(m.shapes[s.elem], 3))
				}
				return put(list)
			})
		case "map":
			walk(m.shapes[s.elem], path+`["k"]`, depth-1, func(v any) any { return put(object{"k": v}) })
		}
	}
	walk(m.shapes[name], "", 5, func(v any) any { return v })
	return all
}

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
		if hasMost && most < 100_000 {
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

// rawInputs are JSON texts that are no input at all.
func rawInputs(s *shape) []string {
	raw := []string{`[]`, `"x"`, `1`, `null`, `{`, `{"a":1}{}`, "\xff", `{"Zz":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`}
	if len(s.members) > 0 {
		name := s.members[0].name
		raw = append(raw, fmt.Sprintf(`{%q:null,%q:null}`, name, name))
	}
	return raw
}

// service is the real operations behind the real wire.
type service struct {
	*door
	db store.Store
}

func (s *service) Send([]lift.Effect) {}

func newService(t *testing.T) *service {
	t.Helper()
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	files, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	s := &service{door: newDoor(t), db: db}
	e := engine.New(engine.Options{Store: db, Sender: s, Now: s.clock, IDs: rand.NewChaCha8([32]byte{})})
	o, err := ops.New(t.Context(), ops.Options{Engine: e, Files: files, Credentials: auth.NewTemporary([]byte("m")), Keys: auth.NewKeyring(db, []byte("m"))})
	if err != nil {
		t.Fatal(err)
	}
	s.serve(o)
	return s
}

// dump writes down everything that is stored.
func (s *service) dump() string {
	s.t.Helper()
	var b strings.Builder
	err := s.db.View(s.t.Context(), func(tx store.Tx) error {
		for _, k := range store.Kinds() {
			rows, err := tx.Scan(k.Name, "", "", store.Cursor{}, 1000)
			if err != nil {
				return err
			}
			for _, r := range rows {
				fmt.Fprintf(&b, "%s %s %s\n", k.Name, r.ID, r.Body)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return b.String()
}

type answer struct {
	Type    string `json:"__type" cbor:"__type"`
	Message string `json:"message" cbor:"message"`
}

func (s *service) send(o *op, protocol string, input any) (int, answer) {
	s.t.Helper()
	return s.ask(o, protocol, marshal(s.t, protocol, input))
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
