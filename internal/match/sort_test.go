package match

import (
	"fmt"
	"testing"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// TestSortRules puts an anchor and four candidates into a pool for matches of
// three and looks whom the sort rules prefer (4.7, 7).
func TestSortRules(t *testing.T) {
	const attributes = `"playerAttributes":[{"name":"xp","type":"number","default":50},{"name":"map","type":"string","default":"ice"},{"name":"likes","type":"string_number_map","default":{"ice":100}}]`
	type candidate struct {
		xp    float64
		place string
		likes map[string]float64
	}
	for _, c := range []struct {
		name, algorithm, sorts string
		anchor                 candidate
		others                 [4]candidate
		want                   string
	}{
		{name: "nothing said: the oldest", anchor: candidate{xp: 50}, others: [4]candidate{{xp: 99}, {xp: 1}, {xp: 50}, {xp: 51}}, want: "[anchor t0 t1]"},
		{name: "nearest", sorts: `{"name":"S","type":"distanceSort","sortDirection":"ascending","sortAttribute":"xp"}`,
			anchor: candidate{xp: 50}, others: [4]candidate{{xp: 99}, {xp: 1}, {xp: 48}, {xp: 53}}, want: "[anchor t2 t3]"},
		{name: "farthest", sorts: `{"name":"S","type":"distanceSort","sortDirection":"descending","sortAttribute":"xp"}`,
			anchor: candidate{xp: 50}, others: [4]candidate{{xp: 53}, {xp: 99}, {xp: 48}, {xp: 1}}, want: "[anchor t1 t3]"},
		{name: "strongest", sorts: `{"name":"S","type":"absoluteSort","sortDirection":"descending","sortAttribute":"xp"}`,
			anchor: candidate{xp: 50}, others: [4]candidate{{xp: 53}, {xp: 9}, {xp: 98}, {xp: 1}}, want: "[anchor t0 t2]"},
		{name: "the anchor's favourite map, those without it last", sorts: `{"name":"S","type":"absoluteSort","sortDirection":"descending","sortAttribute":"likes","mapKey":"maxValue"}`,
			anchor: candidate{likes: map[string]float64{"sand": 70, "ice": 20}},
			others: [4]candidate{{likes: map[string]float64{"ice": 99}}, {likes: map[string]float64{"sand": 10}}, {likes: map[string]float64{"sand": 5}}, {likes: map[string]float64{"sand": 60}}}, want: "[anchor t1 t3]"},
		{name: "its least liked map", sorts: `{"name":"S","type":"absoluteSort","sortDirection":"ascending","sortAttribute":"likes","mapKey":"minValue"}`,
			anchor: candidate{likes: map[string]float64{"sand": 70, "ice": 20}},
			others: [4]candidate{{likes: map[string]float64{"ice": 99}}, {likes: map[string]float64{"ice": 10}}, {likes: map[string]float64{"sand": 5}}, {likes: map[string]float64{"ice": 60}}}, want: "[anchor t1 t3]"},
		{name: "the second rule breaks ties", sorts: `{"name":"S","type":"absoluteSort","sortDirection":"descending","sortAttribute":"xp"},{"name":"T","type":"absoluteSort","sortDirection":"ascending","sortAttribute":"likes","mapKey":"maxValue"}`,
			anchor: candidate{xp: 1, likes: map[string]float64{"ice": 1}},
			others: [4]candidate{{xp: 7, likes: map[string]float64{"ice": 9}}, {xp: 7, likes: map[string]float64{"ice": 8}}, {xp: 7, likes: map[string]float64{"ice": 7}}, {xp: 1, likes: map[string]float64{"ice": 1}}}, want: "[anchor t1 t2]"},
		{name: "sorted batching: same map, then nearest", algorithm: `"algorithm":{"batchingPreference":"sorted","sortByAttributes":["map","xp"]},`,
			anchor: candidate{xp: 50, place: "sand"}, others: [4]candidate{{xp: 50, place: "ice"}, {xp: 90, place: "sand"}, {xp: 55, place: "sand"}, {xp: 45, place: "ice"}}, want: "[anchor t1 t2]"},
	} {
		set := mustParse(t, `{"ruleLanguageVersion":"1.0",`+c.algorithm+attributes+`,"teams":[{"name":"squad","minPlayers":3,"maxPlayers":3}],"rules":[`+c.sorts+`]}`)
		p := NewPool(Config{Rules: set, Standalone: true})
		add := func(id string, second int, k candidate) {
			ticket := solo(id, second)
			ticket.Players[0].Attributes = map[string]rules.Value{"xp": rules.N(k.xp)}
			if k.place != "" {
				ticket.Players[0].Attributes["map"] = rules.S(k.place)
			}
			if k.likes != nil {
				ticket.Players[0].Attributes["likes"] = rules.SDM(k.likes)
			}
			if _, err := p.Add(at(9), ticket); err != nil {
				t.Fatal(err)
			}
		}
		add("anchor", 0, c.anchor)
		for i, k := range c.others {
			add(fmt.Sprint("t", i), 1+i, k)
		}
		u := p.Pass(at(9))
		if len(u.Matches) != 1 || fmt.Sprint(u.Matches[0].Tickets) != c.want {
			t.Errorf("%s: %+v, want %s", c.name, u.Matches, c.want)
		}
	}
}
