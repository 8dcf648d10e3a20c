package scenario

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	steps, err := Parse(`
# people read this
fleet = CreateFleet {"Name": "a {brace}",
  "Tags": []}
  is FleetAttributes.Status NEW and more
  count LocationStates 1
ListFleets {"BuildId": "${fleet.FleetAttributes.BuildId}", "Root": "${machine.root}"}
  until FleetIds.0 ${fleet.FleetAttributes.FleetId}
  since 2022-12
  pages FleetIds
  fault 500
  loose A.B
  sorted C
  has D.0.E
CreateScript {}
  refuses A.B
DeleteFleet {}
  fails NotFoundException
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Line: 3, Name: "fleet", Op: "CreateFleet", In: map[string]any{"Name": "a {brace}", "Tags": []any{}},
			Is: []Want{{"FleetAttributes.Status", "NEW and more"}, {"LocationStates.#", "1"}}},
		{Line: 7, Op: "ListFleets", In: map[string]any{"BuildId": "${fleet.FleetAttributes.BuildId}", "Root": "${machine.root}"}, Since: "2022-12", Pages: "FleetIds", Fault: "500",
			Until: []Want{{"FleetIds.0", "${fleet.FleetAttributes.FleetId}"}}, Is: []Want{{"D.0.E", something}}, Loose: []string{"A.B"}, Sorted: []string{"C"}},
		{Line: 15, Op: "CreateScript", In: map[string]any{}, Fails: "InvalidRequestException", Refuse: []string{"A.B"}},
		{Line: 17, Op: "DeleteFleet", In: map[string]any{}, Fails: "NotFoundException"},
	}
	if !reflect.DeepEqual(steps, want) {
		t.Errorf("got  %+v\nwant %+v", steps, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"  is A b":                       "line 1: an expectation without a step",
		"ListFleets":                     "has no input",
		"List Fleets {}":                 "is not the name of an operation",
		"\nListFleets {\n":               "line 2: the input does not end",
		"ListFleets {} x":                "stands after the input",
		"ListFleets {}\n\n  hopes A":     `line 3: "hopes" is not known`,
		"ListFleets {}\n  is A":          "is wants a path and a value",
		"ListFleets {}\n  fails":         "fails says nothing",
		"ListFleets {}\n  fault 404":     `the fault "404" is not known`,
		`L {"A": "${b.C}"}`:              `no step before is called "b"`,
		`b = L {"A": "${b.C}"}`:          `no step before is called "b"`,
		"b = L {}\nL {\"A\": \"${c.D}\"": "line 2: the input does not end",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	s := Step{In: map[string]any{"A": map[string]any{"B": 1.0}}, Refuse: []string{"A.B"}}
	if err := s.Refused("B is not built yet"); err != nil {
		t.Error(err)
	}
	if s.Refused("it is not built yet") == nil {
		t.Error("a message that names nothing will do")
	}
	s.In = map[string]any{}
	if s.Refused("B is not built yet") == nil {
		t.Error("a member that is not given is refused")
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("../clients/testdata/journey.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("a = B {\"c\": [\"${a.d}\"]}\n  is x y\n")
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := Parse(text)
		if err != nil {
			return
		}
		for _, s := range steps {
			if s.Op == "" || s.Line < 1 || s.Line > strings.Count(text, "\n")+1 {
				t.Errorf("%+v", s)
			}
			_, _ = Fill(s.In, map[string]any{})
		}
	})
}

func TestUnmet(t *testing.T) {
	out := map[string]any{"A": map[string]any{"B": "x", "C": ""}, "L": []any{1.0}}
	for path, want := range map[string]string{"A.B": "", "L.0": "", "A.C": "A.C holds nothing", "A.D": "A.D holds nothing", "L.1": "L.1 holds nothing"} {
		if got := Unmet([]Want{{path, something}}, out); got != want {
			t.Errorf("has %s: %q, want %q", path, got, want)
		}
	}
	if got := Unmet([]Want{{"A.B", "x"}, {"L.#", "2"}}, out); got != "L.# is 1, not 2" {
		t.Error(got)
	}
}

func TestFill(t *testing.T) {
	answers := map[string]any{"a": map[string]any{"List": []any{map[string]any{"Id": "x", "N": 5.0, "Data": `{"match": "m"}`}}}}
	out, err := Fill(map[string]any{"In": []any{"${a.List.0.Id}-${a.List.0.N}", 7.0, "${a.List.0.Data.match}"}}, answers)
	if err != nil || !reflect.DeepEqual(out, map[string]any{"In": []any{"x-5", 7.0, "m"}}) {
		t.Errorf("%v, %v", out, err)
	}
	for _, bad := range []string{"${a.List.1.Id}", "${b}", "${a.List.Id}", "${a.List.-1}", "${a.List.0.Id.x}", "${"} {
		if _, err := Fill(map[string]any{"In": bad}, answers); err == nil {
			t.Errorf("%s leads somewhere", bad)
		}
	}
	if n, _ := At(answers, "a.None.#"); n != 0 {
		t.Errorf("an absent list has %v elements", n)
	}
}
