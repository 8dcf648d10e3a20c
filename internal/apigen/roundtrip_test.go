package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/api"
)

// TestEveryShapeSurvives sends values of every operation's input and output, any
// that the model's bounds allow, through the real wire in both protocols. Other
// people's encoders write the requests and read the answers, and what they say
// and what our types hold must be the same: nothing lost, nothing more, an absent
// member absent and an empty one empty.
func TestEveryShapeSurvives(t *testing.T) {
	m := wholeModel(t)
	const seeds = 16
	echo := &echo{}
	door := newDoor(t)
	door.serve(api.Client{Invoker: echo})
	sent := 0
	for _, o := range m.ops {
		for seed := range uint64(seeds) {
			r := rand.New(rand.NewPCG(seed, 7))
			how := min(taste(seed), mixed)
			in := m.random(r, m.shapes[o.input()], how)
			echo.out = m.random(r, m.shapes[o.output()], how).(object)
			for _, protocol := range []string{"json", "cbor"} {
				sent++
				echo.in = nil
				body := marshal(t, protocol, in)
				status, answer := door.post(o, protocol, body)
				at := fmt.Sprintf("%s in %s, seed %d", o.name, protocol, seed)
				if status != http.StatusOK {
					t.Errorf("%s: answered %d %s\nto %.400q", at, status, answer, body)
					continue
				}
				if d := cmp.Diff(withoutNulls(in), plain(reflect.ValueOf(echo.in))); d != "" {
					t.Errorf("%s: sent -, arrived +\n%s", at, d)
				}
				if o.void && protocol == "json" {
					if len(answer) > 0 {
						t.Errorf("%s: has no output, and answered %q", at, answer)
					}
					continue
				}
				if d := cmp.Diff(withoutNulls(echo.out), m.unmarshal(t, protocol, m.shapes[o.output()], answer)); d != "" {
					t.Errorf("%s: answered -, arrived +\n%s", at, d)
				}
			}
		}
	}
	t.Logf("%d calls", sent)
}

// echo takes any input and answers the output it was given.
type echo struct {
	in  api.Shape
	out object
}

func (e *echo) Invoke(_ context.Context, _ *api.Operation, in, out api.Shape) error {
	e.in = in
	fill(reflect.ValueOf(out).Elem(), e.out)
	return nil
}

func wholeModel(t testing.TB) *model {
	t.Helper()
	var texts [][]byte
	for _, name := range []string{"gamelift", "chairlift"} {
		text, err := models.ReadFile("model/" + name + ".model")
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	m, err := parse(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// marshal writes a value as clients do.
func marshal(t testing.TB, protocol string, v any) []byte {
	t.Helper()
	write := json.Marshal
	if protocol == "cbor" {
		write = cbor.Marshal
	}
	body, err := write(wireForm(protocol, v))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// wireForm turns times into what the protocol has for them.
func wireForm(protocol string, v any) any {
	switch v := v.(type) {
	case time.Time:
		seconds := float64(v.UnixMilli()) / 1000
		if protocol == "cbor" {
			return cbor.Tag{Number: 1, Content: seconds}
		}
		return json.Number(strconv.FormatFloat(seconds, 'f', 3, 64))
	case object:
		o := object{}
		for name, v := range v {
			o[name] = wireForm(protocol, v)
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = wireForm(protocol, v[i])
		}
		return list
	}
	return v
}

var strictCBOR = func() cbor.DecMode {
	m, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, UTF8: cbor.UTF8RejectInvalid, DefaultMapType: reflect.TypeFor[object]()}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// unmarshal reads an answer as a value of the shape.
func (m *model) unmarshal(t testing.TB, protocol string, s *shape, body []byte) any {
	t.Helper()
	var v any
	var err error
	if protocol == "cbor" {
		err = strictCBOR.Unmarshal(body, &v)
	} else {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		err = d.Decode(&v)
	}
	if err == nil {
		v, err = m.typed(s, v)
	}
	if err != nil {
		t.Fatalf("%s: %v in %q", s.name, err, body)
	}
	return v
}

// typed gives what a decoder read the types that the shape has.
func (m *model) typed(s *shape, v any) (any, error) {
	wrong := func() error { return fmt.Errorf("%s, a %s, came as %T %.40v", s.name, s.kind, v, v) }
	switch s.kind {
	case "struct", "map":
		o, ok := v.(object)
		if !ok {
			return nil, wrong()
		}
		elem := map[string]string{}
		for _, f := range s.members {
			elem[f.name] = f.shape
		}
		for name, v := range o {
			e := s.elem
			if s.kind == "struct" {
				if e = elem[name]; e == "" {
					return nil, fmt.Errorf("%s has no member %s", s.name, name)
				}
			}
			var err error
			if o[name], err = m.typed(m.shapes[e], v); err != nil {
				return nil, err
			}
		}
		return o, nil
	case "list":
		list, ok := v.([]any)
		if !ok {
			return nil, wrong()
		}
		for i := range list {
			var err error
			if list[i], err = m.typed(m.shapes[s.elem], list[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case "int", "long":
		switch v := v.(type) {
		case json.Number:
			return v.Int64()
		case uint64:
			return int64(v), nil
		case int64:
			return v, nil
		}
	case "double", "float":
		switch v := v.(type) {
		case json.Number:
			f, err := v.Float64()
			if s.kind == "float" {
				f = float64(float32(f))
			}
			return f, err
		case float64:
			return v, nil
		}
	case "time":
		switch v := v.(type) {
		case json.Number:
			f, err := v.Float64()
			return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), err
		case time.Time:
			return v.Round(time.Millisecond).UTC(), nil
		}
	case "blob":
		switch v := v.(type) {
		case string:
			return base64.StdEncoding.DecodeString(v)
		case []byte:
			return v, nil
		}
	case "bool":
		if _, ok := v.(bool); ok {
			return v, nil
		}
	default:
		if _, ok := v.(string); ok {
			return v, nil
		}
	}
	return nil, wrong()
}
