package clients

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDifferences(t *testing.T) {
	none := func(string) bool { return false }
	for _, test := range []struct {
		name string
		a, b any
		want string
	}{
		{"equal", map[string]any{"A": []any{1.0}}, map[string]any{"A": []any{1.0}}, ""},
		{"value", map[string]any{"A": []any{map[string]any{"B": "x"}}}, map[string]any{"A": []any{map[string]any{"B": "y"}}}, "A.0.B: x and y"},
		{"missing", map[string]any{"A": "x"}, map[string]any{}, "A: x and <nil>"},
		{"missing there", map[string]any{}, map[string]any{"A": "x"}, "A: <nil> and x"},
		{"zero is absent", map[string]any{"A": 0.0, "B": false}, map[string]any{"C": ""}, ""},
		{"length", map[string]any{"A": []any{1.0, 2.0}}, map[string]any{"A": []any{1.0}}, "A: [1 2] and [1]"},
		{"kind", map[string]any{"A": map[string]any{}}, map[string]any{"A": "x"}, "A: map[] and x"},
	} {
		if got := strings.Join(Differences(test.a, test.b, none, none), "; "); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	old := func(path string) bool { return path == "L.New" }
	a := map[string]any{"L": []any{map[string]any{"New": 1.0, "Old": 2.0}}}
	if d := Differences(a, map[string]any{"L": []any{map[string]any{"Old": 2.0}}}, none, old); d != nil {
		t.Errorf("a member newer than the client: %v", d)
	}
}

func TestNormalise(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC)
	in := map[string]any{"FleetId": "fleet-01234567-89ab-cdef-0123-456789abcdef", "CreationTime": "2026-01-02T03:04:05Z", "EndTime": 1767323045.7, "Port": 7777.0, "Gone": nil, "N": 2.0}
	got, err := Normalise(in, now, now.Add(time.Second))
	want := map[string]any{"FleetId": "fleet-<id>", "CreationTime": "<time>", "EndTime": "<time>", "Port": "<Port>", "N": 2.0}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	// Milliseconds read as seconds.
	if _, err := Normalise(map[string]any{"CreationTime": 1767323045700.0}, now, now.Add(time.Second)); err == nil {
		t.Error("a time far off is taken")
	}
}

func TestRecording(t *testing.T) {
	r := Recording{}
	r.Add("go of 2019", "ListFleets", map[string]any{"Limit": 1.0}, map[string]any{"FleetIds": []any{"x"}})
	r.Add("js", "ListFleets", map[string]any{"BuildId": "x"}, map[string]any{"FleetIds": nil, "NextToken": ""})
	r.Refuse("CreateFleet", "Tags.0.Key", "no Key")
	if r["CreateFleet"].Refused["Tags.Key"] != "no Key" {
		t.Errorf("%+v", r["CreateFleet"])
	}
	r.Refuse("CreateFleet", "ScriptId", "ScriptId: not of fleet-00000000-0000-0000-0000-000000000000")
	if len(r["ListFleets"].Out) != 1 || r["CreateFleet"].Refused["ScriptId"] != "ScriptId: not of fleet-…" {
		t.Errorf("%+v, %+v", r["ListFleets"], r["CreateFleet"])
	}
	back, err := ParseRecording(r.String())
	if err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%v, %v", back, err)
	}
}
