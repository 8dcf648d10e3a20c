package cli

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// FuzzScenario plays whatever parses as a scenario: it may be refused, but
// never end the program, and no match may break the rule set.
func FuzzScenario(f *testing.F) {
	files, _ := filepath.Glob(vectors + "/D0*.json")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s scenario
		if json.Unmarshal([]byte(text), &s) != nil || len(s.Tickets) > 50 {
			return
		}
		tr, err := s.play(min(max(s.RunUntilSeconds, 0), 30), nil)
		if err != nil {
			return
		}
		if wrong := everyMatchValid(tr); wrong != "" {
			t.Error(wrong)
		}
		for i := range s.Expect {
			s.Expect[i].check(tr)
		}
		for id := range tr.tickets {
			_, _ = tr.pool.Explain(scenarioTime(tr.until), id)
		}
	})
}

// FuzzCrowd reads descriptions of attributes and draws from those that parse.
func FuzzCrowd(f *testing.F) {
	for _, s := range []string{"normal:1500,350", "uniform:0,100", "choice:ctf*3,duel", "some:ice,sand", "fixed:a=1+b=2", "default", "choice:", "some:*"} {
		f.Add(s, uint8(rules.Number))
		f.Add(s, uint8(rules.TextList))
	}
	f.Fuzz(func(t *testing.T, how string, kind uint8) {
		k := rules.Kind(kind%4 + 1)
		a, err := parseAttribute("x", k, how)
		if err != nil {
			return
		}
		r := rand.New(rand.NewPCG(1, 1))
		for range 5 {
			if v := a.make(r); v.Kind != k && v.Kind != rules.Missing {
				t.Fatalf("%q gives a %s for a %s", how, v.Kind, k)
			}
		}
	})
}
