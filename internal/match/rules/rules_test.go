package rules

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestValidationVectors runs the project's validation cases.
func TestValidationVectors(t *testing.T) {
	text, err := os.ReadFile("../testdata/vectors/D19-validation.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Cases []struct {
			Name, RuleSetBody string
			Valid             bool
			RuleSet           json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Cases) < 25 {
		t.Fatalf("only %d cases", len(doc.Cases))
	}
	for _, c := range doc.Cases {
		body := c.RuleSetBody
		if len(c.RuleSet) > 0 {
			body = string(c.RuleSet)
		}
		set, findings := Parse(body)
		if (set != nil) != c.Valid {
			t.Errorf("%s: valid %t, want %t\n%s", c.Name, set != nil, c.Valid, findings.Error())
		}
		if (findings.Errors() == 0) != c.Valid {
			t.Errorf("%s: %d errors", c.Name, findings.Errors())
		}
	}
}

// TestFindingsPointAtTheText checks that every finding has a place inside the
// text and says what to do.
func TestFindingsPointAtTheText(t *testing.T) {
	body := `{"ruleLanguageVersion":"1.0",
 "teams":[{"name":"a","minPlayer":1,"maxPlayers":2}],
 "rules":[{"name":"R","type":"distance","measurements":["avg(teams[b].players.attributes[x])"]}]}`
	set, findings := Parse(body)
	if set != nil {
		t.Fatal("an invalid rule set was accepted")
	}
	var got []string
	for _, f := range findings {
		if f.Line < 1 || f.Column < 1 || f.Fix == "" || f.What == "" {
			t.Errorf("incomplete finding %+v", f)
		}
		got = append(got, f.Path)
	}
	want := []string{"teams[0].minPlayers", "teams[0].minPlayer", "rules[0].referenceValue", "rules[0]", "rules[0].measurements[0]"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("paths %q, want %q", got, want)
	}
	if lines := strings.Count(findings.Error(), "\n") + 1; lines != len(findings) {
		t.Errorf("the message has %d lines for %d findings", lines, len(findings))
	}
}

func TestUnknownMembersCanBeAllowed(t *testing.T) {
	body := `{"ruleLanguageVersion":"1.0","colour":"red","teams":[{"name":"a","minPlayers":1,"maxPlayers":2}]}`
	if set, _ := Parse(body); set != nil {
		t.Error("an unknown member passed")
	}
	set, findings := Options{UnknownMembers: true}.Parse(body)
	if set == nil || len(findings) != 1 || !findings[0].Warning {
		t.Errorf("lenient parse: %v %v", set, findings)
	}
}

func TestLayOut(t *testing.T) {
	set, findings := Parse(`{"ruleLanguageVersion":"1.0","playerAttributes":[
		{"name":"skill","type":"number","default":10},{"name":"mode","type":"string"}],
		"teams":[{"name":"a","minPlayers":1,"maxPlayers":2}]}`)
	if set == nil {
		t.Fatal(findings.Error())
	}
	values, problems := set.LayOut(map[string]Value{"mode": S("ctf")})
	if len(problems) != 0 || values[0].N != 10 || values[1].S != "ctf" {
		t.Errorf("defaults: %v %v", values, problems)
	}
	_, problems = set.LayOut(map[string]Value{"skill": S("ten"), "elo": N(1)})
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{
		`attribute "elo" is not declared by the rule set`,
		`attribute "mode" (string) is missing and has no default`,
		`attribute "skill" is a string (S) but the rule set declares number (N)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if v := SL("a", "b", "a"); !slices.Equal(v.SL, []string{"a", "b"}) {
		t.Errorf("repeated strings stay: %v", v)
	}
}

func FuzzParse(f *testing.F) {
	vectors, _ := os.ReadFile("../testdata/vectors/D19-validation.json")
	var doc struct {
		Cases []struct{ RuleSet json.RawMessage }
	}
	if err := json.Unmarshal(vectors, &doc); err != nil {
		f.Fatal(err)
	}
	for _, c := range doc.Cases {
		f.Add(string(c.RuleSet))
	}
	f.Add(`{"a":1,"a":2} x`)
	f.Add(`{"ruleLanguageVersion":"1.0","teams":[{"name":"é","minPlayers":0,"maxPlayers":4e1}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		set, findings := Parse(body)
		if (set == nil) != (findings.Errors() > 0) {
			t.Fatalf("set %v with %d errors", set != nil, findings.Errors())
		}
		if set == nil {
			if findings.Error() == "" {
				t.Fatal("no message")
			}
			return
		}
		if !json.Valid([]byte(body)) {
			t.Fatalf("accepted text that is not JSON: %q", body)
		}
		// A valid set can judge an empty roster at every level.
		judge := NewJudge(set)
		for level := range set.Levels {
			judge.Holds(level, make(Roster, len(set.Teams)))
			judge.Verdicts(level, make(Roster, len(set.Teams)))
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"avg(teams[*].players.attributes[skill])", "count(team[a, b].players)", "max (flatten(teams[x].players[playerid]))",
		"set_intersection(flatten(teams[*].players.attributes[roles]))", "teams[a].players.playerId", "min(", "teams[]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseExpr(s)
		if (e == nil) == (err == nil) {
			t.Fatal("neither an expression nor an error")
		}
		if e == nil {
			return
		}
		again, err := parseExpr(e.String())
		if err != nil || again.String() != e.String() {
			t.Fatalf("%q does not read back", e)
		}
	})
}

func FuzzStatement(f *testing.F) {
	for _, s := range []string{"or(and(A, B), not(C))", "xor(a,b)", "not(", "and(A)", "A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		st, err := parseStatement(s)
		if (st == nil) == (err == nil) {
			t.Fatal("neither a statement nor an error")
		}
		if st == nil {
			return
		}
		again, err := parseStatement(st.String())
		if err != nil || again.String() != st.String() {
			t.Fatalf("%q does not read back", st)
		}
	})
}
