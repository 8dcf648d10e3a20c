package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/api"
)

// fill gives a structure random values, some members absent.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			ms := r.Int64N(4e12) - 1e12
			v.Set(reflect.ValueOf(time.UnixMilli(ms).UTC()))
			return
		}
		for i := range v.NumField() {
			f := v.Field(i)
			optional := f.Kind() == reflect.Pointer || f.Kind() == reflect.Slice || f.Kind() == reflect.Map || f.Type() == reflect.TypeFor[time.Time]()
			if optional && r.IntN(3) == 0 {
				continue
			}
			fill(r, f, depth+1)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), depth)
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(4) {
			e := reflect.New(v.Type().Elem()).Elem()
			fill(r, e, depth+1)
			v.SetMapIndex(reflect.ValueOf(text(r)), e)
		}
	case reflect.String:
		v.SetString(text(r))
	case reflect.Int:
		v.SetInt(int64(int32(r.Uint32())) >> r.IntN(32))
	case reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.Float64:
		v.SetFloat([]float64{0, 1, -23, 0.1, 1e-7, 1e20, math.MaxFloat64, r.NormFloat64()}[r.IntN(8)])
	case reflect.Float32:
		v.SetFloat([]float64{0, 1, -23, 23.4, 1e-7, 1e20, math.MaxFloat32, float64(float32(r.NormFloat64()))}[r.IntN(8)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	default:
		panic("no values for " + v.Type().String())
	}
}

func text(r *rand.Rand) string {
	alphabet := []rune("abcXYZ019 -_:/\"\\\n\t\x00\x1f\x7fé中\u2028\U0001F600")
	s := make([]rune, r.IntN(12))
	for i := range s {
		s[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(s)
}

// TestEveryShapeSurvives writes and reads every input and output in both codecs.
func TestEveryShapeSurvives(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		for i := range api.Operations {
			op := &api.Operations[i]
			for _, make := range []func() api.Shape{op.NewInput, op.NewOutput} {
				x := make()
				fill(r, reflect.ValueOf(x).Elem(), 0)
				for _, c := range []*codec{jsonCodec, cborCodec} {
					body := c.encode(nil, func(e api.Encoder) { api.Encode(e, x) })
					if err := wellFormed(c, body); err != nil {
						t.Fatalf("%s, seed %d: not well-formed %s: %v\n%s", op.Name, seed, c.contentType, err, body)
					}
					back := make()
					if err := c.decode(body, func(d api.Decoder) error { return api.Decode(d, back) }); err != nil {
						t.Fatalf("%s, seed %d: %v\n%s", op.Name, seed, err, body)
					}
					if d := cmp.Diff(x, back); d != "" {
						t.Fatalf("%s, seed %d, %s:\n%s\n%s", op.Name, seed, c.contentType, d, body)
					}
				}
			}
		}
	}
}

var strictCBOR, _ = cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, UTF8: cbor.UTF8RejectInvalid, MaxNestedLevels: 32}.DecMode()

// wellFormed asks somebody else's decoder.
func wellFormed(c *codec, body []byte) error {
	var v any
	if c == jsonCodec {
		return json.Unmarshal(body, &v)
	}
	return strictCBOR.Unmarshal(body, &v)
}

func TestJSONReads(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{`{"Limit":5.0}`, "Limit=5"},
		{`{"Limit":5e0}`, "Limit=5"},
		{" {\t\"Limit\" : 5\r\n} ", "Limit=5"},
		{`{"NextToken":"\u00e9\u4e2d\ud83d\ude00\n\/"}`, "NextToken=é中😀\n/"},
		{`{"NextToken":"\ud83dx"}`, "NextToken=\uFFFDx"},
		{`{"NextToken":"\ud83d\u0041"}`, "NextToken=\uFFFDA"},
		{`{"Next\u0054oken":"x"}`, "NextToken=x"},
		{`{"NextToken":null,"Limit":null}`, ""},
		{`{"nextToken":"x","Unknown":{"a":[1,2,{"b":null}],"c":true},"Limit":1}`, "Limit=1"},
		{`{}`, ""},
		{`{"Limit":5.5}`, "Limit: must be a whole number, got 5.5"},
		{`{"Limit":"5"}`, "Limit: must be a whole number, got a string"},
		{`{"Limit":3000000000}`, "Limit: must be a whole number of 32 bits, got 3000000000"},
		{`{"Limit":1e99}`, "Limit: must be a whole number, got 1e+99"},
		{`{"Limit":99999999999999999999}`, "Limit: must be a whole number of 64 bits, got 99999999999999999999"},
		{`{"NextToken":5}`, "NextToken: must be a string, got a number"},
		{`{"NextToken":true}`, "NextToken: must be a string, got a boolean"},
		{`{"NextToken":[]}`, "NextToken: must be a string, got a list"},
		{`{"NextToken":"a","NextToken":"b"}`, "NextToken: is given twice"},
		{`{"NextToken":null,"NextToken":"b"}`, "NextToken: is given twice"},
		{`[]`, "The request body must be an object, got a list"},
		{`null`, "The request body must be an object, got null"},
		{`{"Limit":05}`, "Limit: is not valid JSON at byte 10: a number that begins with 0"},
		{`{"Limit":5,}`, "The request body is not valid JSON at byte 11: a comma before '}'"},
		{`{"Limit":5 "x":1}`, "The request body is not valid JSON at byte 11: '\"' where a comma or '}' is expected"},
		{`{"Limit":5}x`, "The request body is not valid JSON at byte 11: 'x' after the end of the object"},
		{`{"Limit":nullx}`, "Limit: must be a whole number, got null"},
		{`{"NextToken":"a` + "\n" + `"}`, `NextToken: is not valid JSON at byte 15: control character '\n' in a string`},
		{`{"NextToken":"` + "\xff" + `"}`, "NextToken: is not valid JSON at byte 15: a string is not UTF-8"},
		{`{"NextToken":"a`, "NextToken: is not valid JSON at byte 15: the text ends inside a string"},
		{`{"Limit":`, "Limit: is not valid JSON at byte 9: the text ends early"},
		{`{"x":` + strings.Repeat("[", 1000), "x: is nested deeper than 64 levels"},
		{`{"x":` + strings.Repeat(`{"x":`, 1000), "x: is nested deeper than 64 levels"},
		{`{x:1}`, "The request body is not valid JSON at byte 1: a member without a name"},
		{`{"Limit" 1}`, "The request body is not valid JSON at byte 9: a name without a colon after it"},
	} {
		in := &api.ListAliasesInput{}
		got := ""
		err := jsonCodec.decode([]byte(test.body), func(d api.Decoder) error { return api.Decode(d, in) })
		switch {
		case err != nil:
			got = err.Error()
		case in.Limit != nil:
			got = fmt.Sprintf("Limit=%d", *in.Limit)
		case in.NextToken != nil:
			got = "NextToken=" + *in.NextToken
		}
		if got != test.want {
			t.Errorf("%.80s\n got %s\nwant %s", test.body, got, test.want)
		}
	}
}

func TestInputsTellThePath(t *testing.T) {
	for _, test := range []struct {
		in         api.Shape
		body, want string
	}{
		{&api.CreateFleetInput{}, `{}`, "Name: is required"},
		{&api.CreateFleetInput{}, `{"Name":null}`, "Name: is required"},
		{&api.CreateFleetInput{}, `{"Name":""}`, "Name: must have at least 1 character, has 0"},
		{&api.CreateFleetInput{}, `{"Name":"f","RuntimeConfiguration":{"ServerProcesses":[{"LaunchPath":"/local/game/x"}]}}`,
			"RuntimeConfiguration.ServerProcesses[0].ConcurrentExecutions: is required"},
		{&api.CreateFleetInput{}, `{"Name":"f","RuntimeConfiguration":{"ServerProcesses":[{"LaunchPath":"/local/game/x","ConcurrentExecutions":0}]}}`,
			"RuntimeConfiguration.ServerProcesses[0].ConcurrentExecutions: must be at least 1, got 0"},
		{&api.CreateFleetInput{}, `{"Name":"f","RuntimeConfiguration":{"ServerProcesses":[{},{"LaunchPath":7}]}}`,
			"RuntimeConfiguration.ServerProcesses[1].LaunchPath: must be a string, got a number"},
		{&api.CreateFleetInput{}, `{"Name":"f","EC2InboundPermissions":[null]}`, "EC2InboundPermissions[0]: must not be null"},
		{&api.StartMatchmakingInput{}, `{"ConfigurationName":"c","Players":[{"LatencyInMs":{"a":1,"b":2.5}}]}`,
			`Players[0].LatencyInMs["b"]: must be a whole number, got 2.5`},
		{&api.StartMatchmakingInput{}, `{"ConfigurationName":"c","Players":[{"LatencyInMs":{"a":1,"a":2}}]}`,
			`Players[0].LatencyInMs["a"]: is given twice`},
		{&api.CreatePlayerSessionsInput{}, `{"PlayerIds":["` + strings.Repeat("x", 1025) + `"]}`,
			"GameSessionId: is required; PlayerIds[0]: must have at most 1024 characters, has 1025"},
		{&api.CreateScriptInput{}, `{"ZipFile":"?"}`, "ZipFile: must be base64"},
		{&api.DescribeFleetEventsInput{}, `{"FleetId":"fleet-1","StartTime":"today"}`, "StartTime: must be a time as a number of seconds since 1970, got a string"},
		{&api.DescribeFleetEventsInput{}, `{"FleetId":"fleet-1","StartTime":1e300}`, "StartTime: must be a time as a number of seconds since 1970, in the years 1 to 9999"},
	} {
		err := jsonCodec.decodeInput([]byte(test.body), test.in)
		if err == nil || err.Error() != test.want {
			t.Errorf("%.80s\n got %v\nwant %s", test.body, err, test.want)
		}
	}
}

func TestTooManyElements(t *testing.T) {
	body := `{"Players":[` + strings.Repeat("{},", 60_000) + `{}]}`
	err := jsonCodec.decodeInput([]byte(body), &api.StartMatchmakingInput{})
	if err == nil || !strings.Contains(err.Error(), "more than 50000 list elements") {
		t.Error(err)
	}
}

// TestTimes: what clients send, whole or with milliseconds, comes back the same.
func TestTimes(t *testing.T) {
	for _, test := range []struct{ in, out string }{
		{"1567512000", "1567512000.000"},
		{"1567512000.123", "1567512000.123"},
		{"1.567512000123E9", "1567512000.123"},
		{"-1.5", "-1.500"},
		{"0", "0.000"},
	} {
		in := &api.DescribeFleetEventsInput{}
		if err := jsonCodec.decodeInput([]byte(`{"FleetId":"fleet-1","StartTime":`+test.in+`}`), in); err != nil {
			t.Fatal(err)
		}
		out := jsonCodec.encode(nil, func(e api.Encoder) { api.Encode(e, in) })
		if want := `{"FleetId":"fleet-1","StartTime":` + test.out + `}`; string(out) != want {
			t.Errorf("got %s, want %s", out, want)
		}
	}
}

func TestCBORReads(t *testing.T) {
	for _, test := range []struct {
		name, body, want string
	}{
		{"int", "\xa1\x65Limit\x05", "Limit=5"},
		{"wide int", "\xa1\x65Limit\x1b\x00\x00\x00\x00\x00\x00\x00\x05", "Limit=5"},
		{"half float", "\xa1\x65Limit\xf9\x45\x00", "Limit=5"},
		{"double", "\xa1\x65Limit\xfb\x40\x14\x00\x00\x00\x00\x00\x00", "Limit=5"},
		{"indefinite map and chunks", "\xbf\x69NextToken\x7f\x61a\x61b\xff\xff", "NextToken=ab"},
		{"null and undefined", "\xa2\x65Limit\xf6\x69NextToken\xf7", ""},
		{"unknown members", "\xa2\x61x\x82\x01\xa1\x61y\xc1\x01\x65Limit\x01", "Limit=1"},
		{"a tag is passed over", "\xa1\x65Limit\xd8\x2a\x05", "Limit=5"},
		{"text for a number", "\xa1\x65Limit\x615", "Limit: must be a whole number, got a string"},
		{"fraction", "\xa1\x65Limit\xf9\x3c\x01", "Limit: must be a whole number, got 1.0009765625"},
		{"twice", "\xa2\x65Limit\x05\x65Limit\x05", "Limit: is given twice"},
		{"bytes for text", "\xa1\x69NextToken\x41a", "NextToken: must be a string, got a byte string"},
		{"list", "\x80", "The request body must be a map, got a list"},
		{"key is no text", "\xa1\x01\x01", "The request body is not valid CBOR at byte 2: a map whose key is no string"},
		{"short", "\xa1\x69Next", "The request body is not valid CBOR: the data end early"},
		{"huge count", "\xbb\x7f\xff\xff\xff\xff\xff\xff\xff", "The request body is not valid CBOR: the data end early"},
		{"count that is negative as an int64", "\xbb\xff\xff\xff\xff\xff\xff\xff\xff\xff", "The request body is not valid CBOR: the data end early"},
		{"huge text", "\xa1\x69NextToken\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", "NextToken: is not valid CBOR: the data end early"},
		{"break", "\xa1\x65Limit\xff", "Limit: is not valid CBOR at byte 8: a break where a value is expected"},
		{"rest", "\xa0\x00", "The request body is not valid CBOR at byte 1: data after the end of the map"},
		{"reserved", "\xa1\x65Limit\x1c", "Limit: is not valid CBOR at byte 7: reserved head 0x1c"},
		{"a simple value written too long", "\xa1\x61x\xf8\x14", "x: is not valid CBOR at byte 3: simple value 20 in two bytes"},
		{"deep", "\xa1\x61x" + strings.Repeat("\x81", 1000), "x: is nested deeper than 64 levels"},
		{"tags without end", "\xa1\x65Limit" + strings.Repeat("\xc1", 100), "Limit: is not valid CBOR at byte 15: too many tags"},
		{"not UTF-8", "\xa1\x69NextToken\x61\xff", "NextToken: is not valid CBOR at byte 13: a string is not UTF-8"},
	} {
		in := &api.ListAliasesInput{}
		got := ""
		err := cborCodec.decode([]byte(test.body), func(d api.Decoder) error { return api.Decode(d, in) })
		switch {
		case err != nil:
			got = err.Error()
		case in.Limit != nil:
			got = fmt.Sprintf("Limit=%d", *in.Limit)
		case in.NextToken != nil:
			got = "NextToken=" + *in.NextToken
		}
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// TestHalf compares with the reference values of RFC 8949, appendix A.
func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x0000: 0, 0x3c00: 1, 0x3e00: 1.5, 0x7bff: 65504, 0x0001: 5.960464477539063e-8, 0x0400: 0.00006103515625,
		0xc400: -4, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := half(bits); got != want {
			t.Errorf("%#x is %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(half(0x7e00)) || !math.Signbit(half(0x8000)) {
		t.Error("NaN or -0")
	}
}

// A big map's head grows at its end.
func TestBigCBORMap(t *testing.T) {
	in := &api.Player{LatencyInMs: map[string]int{}}
	for i := range 300 {
		in.LatencyInMs[fmt.Sprint("region-", i)] = i
	}
	x := &api.StartMatchmakingInput{Players: []api.Player{*in, *in}}
	body := cborCodec.encode(nil, func(e api.Encoder) { api.Encode(e, x) })
	back := &api.StartMatchmakingInput{}
	if err := cborCodec.decode(body, func(d api.Decoder) error { return api.Decode(d, back) }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(x, back); d != "" {
		t.Error(d)
	}
}

// Whatever input of whatever operation: what is accepted is JSON, and survives
// being written.
func FuzzJSON(f *testing.F) {
	f.Add(uint8(6), []byte(`{"Name":"x","RuntimeConfiguration":{"ServerProcesses":[{"LaunchPath":"/local/game/\u00e9","ConcurrentExecutions":1.0}]},"Tags":[{"Key":"a","Value":""}]}`))
	f.Add(uint8(0), []byte(`{"a":[1,-0.5e+3,"\ud800\udc00",null,true,{}]}`))
	for i := range api.Operations {
		x := api.Operations[i].NewInput()
		fill(rand.New(rand.NewPCG(uint64(i), 2)), reflect.ValueOf(x).Elem(), 0)
		f.Add(uint8(i), jsonCodec.encode(nil, func(e api.Encoder) { api.Encode(e, x) }))
	}
	f.Fuzz(func(t *testing.T, op uint8, body []byte) {
		if accepted(t, jsonCodec, op, body) && !json.Valid(body) {
			t.Fatalf("accepted what is not JSON: %q", body)
		}
	})
}

func FuzzCBOR(f *testing.F) {
	f.Add(uint8(6), []byte("\xbf\x64Name\x7f\x61a\xff\xff"))
	for i := range api.Operations {
		x := api.Operations[i].NewInput()
		fill(rand.New(rand.NewPCG(uint64(i), 2)), reflect.ValueOf(x).Elem(), 0)
		f.Add(uint8(i), cborCodec.encode(nil, func(e api.Encoder) { api.Encode(e, x) }))
	}
	forms, err := cbor.DecOptions{MaxNestedLevels: 10 * maxDepth}.DecMode() // tags count there
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, op uint8, body []byte) {
		if accepted(t, cborCodec, op, body) {
			if err := forms.Wellformed(body); err != nil {
				t.Fatalf("accepted what is not CBOR: %v in %x", err, body)
			}
		}
	})
}

// accepted reads a body as the input of an operation, checks that what was read
// survives being written, and says whether anything was read.
func accepted(t *testing.T, c *codec, op uint8, body []byte) bool {
	o := &api.Operations[int(op)%len(api.Operations)]
	x := o.NewInput()
	if err := c.decode(body, func(d api.Decoder) error { return api.Decode(d, x) }); err != nil {
		return false
	}
	_ = api.Check(x) // may find something, and must come to an end
	written := c.encode(nil, func(e api.Encoder) { api.Encode(e, x) })
	back := o.NewInput()
	if err := c.decode(written, func(d api.Decoder) error { return api.Decode(d, back) }); err != nil {
		t.Fatalf("%v in %q", err, written)
	}
	if d := cmp.Diff(x, back, inMilliseconds); d != "" {
		t.Fatal(d)
	}
	return true
}

// inMilliseconds compares times as precisely as answers hold them.
var inMilliseconds = cmp.Comparer(func(a, b time.Time) bool { return a.UnixMilli() == b.UnixMilli() })
