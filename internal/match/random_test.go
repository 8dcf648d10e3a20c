package match

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// The tests in this file and brute_test.go compare the pool with an exhaustive
// search on many small random pools: random rule sets from the templates
// below, random tickets, parties, latencies, backfill and passing time.

// randomSet makes a valid rule set.
func randomSet(t *testing.T, r *rand.Rand) (*rules.Set, string) {
	for {
		body := randomBody(r)
		set, findings := rules.Parse(body)
		if set != nil {
			return set, body
		}
		if !strings.Contains(findings.Error(), "minCount") { // the only clash the templates allow
			t.Fatalf("the generator made an invalid rule set:\n%s\n%s", body, findings.Error())
		}
	}
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func randomBody(r *rand.Rand) string {
	type object = map[string]any
	set := object{
		"ruleLanguageVersion": "1.0",
		"playerAttributes": []object{
			{"name": "skill", "type": "number", "default": 3},
			{"name": "flag", "type": "number", "default": 0},
			{"name": "mode", "type": "string", "default": "a"},
			{"name": "tags", "type": "string_list", "default": []string{"x"}},
			{"name": "wants", "type": "string_list", "default": []string{"x", "y"}},
			{"name": "blocked", "type": "string_list", "default": []string{}},
		},
	}
	team := func(name string, quantity int) object {
		low := r.IntN(3)
		o := object{"name": name, "minPlayers": low, "maxPlayers": max(1, low+r.IntN(3))}
		if quantity > 1 {
			o["quantity"] = quantity
		}
		return o
	}
	var teams []object
	switch r.IntN(4) {
	case 0:
		teams = []object{team("red", 1)}
	case 1:
		teams = []object{team("red", 1), team("blue", 1)}
	case 2:
		teams = []object{team("red", 2+r.IntN(2))}
	case 3:
		teams = []object{team("red", 2), team("blue", 1)}
	}
	set["teams"] = teams
	names := []string{"red"}
	if q, _ := teams[0]["quantity"].(int); q > 1 && r.IntN(3) == 0 {
		names = []string{"red_1", "red_2"}
	}
	if len(teams) == 2 {
		names = append(names, "blue")
	}
	one := func() string { return pick(r, names...) }
	single := names[len(names)-1]
	if q, _ := teams[len(teams)-1]["quantity"].(int); q > 1 {
		single += "_1"
	}
	if len(names) > 1 && names[0] == "red_1" {
		single = names[0]
	}
	agg := func() string { return pick(r, "avg", "avg", "min", "max", "sum", "median", "stddev") }
	number := func(a string) string {
		return pick(r,
			fmt.Sprintf("%s(flatten(teams[*].players.attributes[%s]))", agg(), a),
			fmt.Sprintf("%s(%s(teams[*].players.attributes[%s]))", pick(r, "min", "max", "avg", "sum"), agg(), a),
			"max(count(teams[*].players))",
		)
	}
	lists := func(a string) string {
		return pick(r, "flatten(teams[*].players.attributes["+a+"])", "teams[*].players.attributes["+a+"]", "teams["+one()+"].players.attributes["+a+"]")
	}
	compare := func() string { return pick(r, "<", "<=", "=", "!=", ">", ">=") }
	party := func(o object, choices ...string) object {
		if r.IntN(3) == 0 {
			o["partyAggregation"] = pick(r, choices...)
		}
		return o
	}
	templates := []func() object{
		func() object {
			return party(object{"type": "batchDistance", "batchAttribute": "skill", "maxDistance": r.IntN(4)}, "avg", "min", "max")
		},
		func() object { return object{"type": "batchDistance", "batchAttribute": "mode"} },
		func() object {
			return party(object{"type": "comparison", "operation": pick(r, "=", "!="), "measurements": []string{pick(r,
				"flatten(teams[*].players.attributes[skill])", "teams[*].players.attributes[mode]", "flatten(teams[*].players.attributes[mode])",
				"avg(teams[*].players.attributes[skill])", "count(teams[*].players)", "teams[*].players.attributes[flag]", "set_intersection(teams[*].players.attributes[tags])")}}, "min", "avg", "max")
		},
		func() object {
			return party(object{"type": "comparison", "operation": compare(), "referenceValue": r.IntN(5), "measurements": []string{pick(r,
				number("skill"), "teams[*].players.attributes[skill]", "flatten(teams[*].players.attributes[flag])", agg()+"(teams[*].players.attributes[skill])", "count(teams[*].players)")}}, "min", "avg", "max")
		},
		func() object {
			return object{"type": "comparison", "operation": compare(), "referenceValue": number("skill"), "measurements": []string{number("skill"), number("flag")}}
		},
		func() object {
			return object{"type": "comparison", "operation": pick(r, "=", "!="), "referenceValue": "a", "measurements": []string{lists("mode")}}
		},
		func() object {
			return party(object{"type": "distance", "referenceValue": "min(flatten(teams[*].players.attributes[skill]))", "maxDistance": r.IntN(4), "measurements": []string{"max(flatten(teams[*].players.attributes[skill]))"}}, "min", "max", "avg")
		},
		func() object {
			o := object{"type": "distance", "referenceValue": number("skill"), "maxDistance": r.IntN(3), "measurements": []string{pick(r, number("skill"), agg()+"(teams[*].players.attributes[skill])", "flatten(teams[*].players.attributes[skill])")}}
			if r.IntN(3) == 0 {
				delete(o, "maxDistance")
				o["minDistance"] = 1 + r.IntN(2)
			}
			return o
		},
		func() object {
			return object{"type": "distance", "referenceValue": "count(teams[" + single + "].players)", "maxDistance": r.IntN(2), "measurements": []string{"count(teams[*].players)"}}
		},
		func() object {
			return party(object{"type": "collection", "operation": "intersection", "measurements": []string{lists("tags")}, pick(r, "minCount", "minCount", "maxCount"): r.IntN(3)}, "union", "intersection")
		},
		func() object {
			return party(object{"type": "collection", "operation": "contains", "referenceValue": pick(r, "x", "y"), "measurements": []string{lists("tags")}, pick(r, "minCount", "maxCount"): r.IntN(3)}, "union", "intersection")
		},
		func() object {
			return party(object{"type": "collection", "operation": "reference_intersection_count", "referenceValue": "set_intersection(flatten(teams[*].players.attributes[wants]))", "measurements": "flatten(teams[*].players.attributes[tags])", pick(r, "minCount", "minCount", "maxCount"): r.IntN(3)}, "union", "intersection")
		},
		func() object {
			return party(object{"type": "collection", "operation": "reference_intersection_count", "referenceValue": "flatten(teams[*].players[playerId])", "measurements": lists("blocked"), "maxCount": r.IntN(2)}, "union", "intersection")
		},
		func() object {
			return object{"type": "collection", "operation": "reference_intersection_count", "referenceValue": []string{"x", "z"}, "measurements": lists("tags"), pick(r, "minCount", "maxCount"): r.IntN(2)}
		},
		func() object {
			o := party(object{"type": "latency", "maxLatency": 40 + 30*r.IntN(3)}, "min", "max", "avg")
			if r.IntN(2) == 0 {
				o["maxDistance"], o["distanceReference"] = 20*r.IntN(3), pick(r, "min", "avg")
			}
			return o
		},
	}
	list := []object{}
	for i := range r.IntN(4) {
		o := templates[r.IntN(len(templates))]()
		o["name"] = fmt.Sprintf("R%d", i)
		list = append(list, o)
	}
	var members []string
	for _, o := range list {
		if o["type"] != "batchDistance" {
			members = append(members, o["name"].(string))
		}
	}
	if len(members) > 1 && r.IntN(2) == 0 {
		list = append(list, object{"name": "C", "type": "compound", "statement": pick(r,
			"or("+members[0]+", "+members[1]+")", "xor("+members[0]+", "+members[1]+")", "not("+members[0]+")", "and(not("+members[1]+"), "+members[0]+")")})
	}
	if r.IntN(3) == 0 {
		list = append(list, object{"name": "S", "type": pick(r, "distanceSort", "absoluteSort"), "sortAttribute": "skill", "sortDirection": pick(r, "ascending", "descending")})
	}
	set["rules"] = list
	algorithm := object{}
	if r.IntN(3) == 0 {
		algorithm["expansionAgeSelection"] = "oldest"
	}
	algorithm["backfillPriority"] = pick(r, "normal", "high", "low")
	set["algorithm"] = algorithm
	var expansions []object
	steps := func(values ...any) []object {
		var out []object
		wait := 0
		for _, v := range values {
			wait += 5 + 5*r.IntN(2)
			out = append(out, object{"waitTimeSeconds": wait, "value": v})
		}
		return out
	}
	for _, o := range list {
		if r.IntN(2) == 0 {
			continue
		}
		if _, ok := o["maxDistance"]; ok {
			expansions = append(expansions, object{"target": fmt.Sprintf("rules[%s].maxDistance", o["name"]), "steps": steps(r.IntN(6), r.IntN(9))})
		}
		if o["type"] == "latency" {
			expansions = append(expansions, object{"target": fmt.Sprintf("rules[%s].maxLatency", o["name"]), "steps": steps(100, 150)})
		}
		if _, ok := o["minCount"]; ok {
			expansions = append(expansions, object{"target": fmt.Sprintf("rules[%s].minCount", o["name"]), "steps": steps(0)})
		}
	}
	if low := teams[0]["minPlayers"].(int); low > 0 && r.IntN(2) == 0 {
		expansions = append(expansions, object{"target": "teams[red].minPlayers", "steps": steps(low - 1)})
	}
	if len(expansions) > 0 {
		set["expansions"] = expansions
	}
	text, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// randomTicket makes a ticket that fits the attributes of randomBody.
func randomTicket(r *rand.Rand, set *rules.Set, id string, start time.Time, backfill bool) Ticket {
	t := Ticket{ID: TicketID(id), Start: start, Backfill: backfill}
	for i := range pick(r, 1, 1, 1, 2, 2, 3) {
		p := Player{ID: fmt.Sprintf("%s%d", id, i), Attributes: map[string]rules.Value{}, LatencyMS: map[string]int{}}
		if r.IntN(6) > 0 {
			p.Attributes["skill"] = rules.N(float64(r.IntN(7)))
		}
		if r.IntN(2) == 0 {
			p.Attributes["flag"] = rules.N(float64(r.IntN(2)))
		}
		if r.IntN(3) == 0 {
			p.Attributes["mode"] = rules.S("b")
		}
		list := func() rules.Value {
			var out []string
			for _, s := range []string{"x", "y", "z"} {
				if r.IntN(2) == 0 {
					out = append(out, s)
				}
			}
			return rules.SL(out...)
		}
		if r.IntN(2) == 0 {
			p.Attributes["tags"] = list()
		}
		if r.IntN(2) == 0 {
			p.Attributes["wants"] = list()
		}
		if r.IntN(3) == 0 {
			p.Attributes["blocked"] = rules.SL(string(rune('a'+r.IntN(6))) + "0")
		}
		for _, l := range []string{"eu", "us", "ap"} {
			if r.IntN(3) > 0 {
				p.LatencyMS[l] = 20 + 10*r.IntN(12)
			}
		}
		if backfill {
			p.Team = set.Teams[r.IntN(len(set.Teams))].Name
		}
		t.Players = append(t.Players, p)
	}
	return t
}
