package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// A document is a rule set by its members, each as JSON.
type document map[string]string

// valid uses every part of the language, so that a case has to say only what
// is wrong.
var valid = document{
	"ruleLanguageVersion": `"1.0"`,
	"playerAttributes":    `[{"name": "skill", "type": "number"}, {"name": "mode", "type": "string"}, {"name": "tags", "type": "string_list"}, {"name": "likes", "type": "string_number_map"}]`,
	"teams":               `[{"name": "red", "minPlayers": 1, "maxPlayers": 5}, {"name": "trio", "minPlayers": 1, "maxPlayers": 3, "quantity": 2}]`,
	"rules": `[{"name": "Near", "type": "distance", "measurements": ["avg(teams[red].players.attributes[skill])"], "referenceValue": 5, "maxDistance": 5},
		{"name": "Band", "type": "batchDistance", "batchAttribute": "skill", "maxDistance": 5},
		{"name": "Order", "type": "absoluteSort", "sortDirection": "ascending", "sortAttribute": "skill"},
		{"name": "Ping", "type": "latency", "maxLatency": 100},
		{"name": "Either", "type": "compound", "statement": "or(Near, Ping)"}]`,
	"expansions": `[{"target": "rules[Near].maxDistance", "steps": [{"waitTimeSeconds": 5, "value": 10}]}]`,
	"algorithm":  `{"strategy": "exhaustiveSearch"}`,
}

func (d document) String() string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(d)) {
		members = append(members, fmt.Sprintf("%q: %s", name, d[name]))
	}
	return "{" + strings.Join(members, ",\n") + "}"
}

// with returns the document with other members; an empty one is left out.
func (d document) with(change document) document {
	d = maps.Clone(d)
	maps.Copy(d, change)
	maps.DeleteFunc(d, func(_, v string) bool { return v == "" })
	return d
}

func attributes(list string) document { return document{"playerAttributes": list} }
func teams(list string) document {
	return document{"teams": list, "rules": "", "expansions": ""}
}
func algorithm(object string) document { return document{"algorithm": object} }

// rule is a rule set with one more rule.
func rule(members string) document {
	return document{"rules": strings.TrimSuffix(valid["rules"], "]") + `, {"name": "It", ` + members + "}]"}
}

func expansion(target, steps string) document {
	return document{"expansions": fmt.Sprintf(`[{"target": %q, "steps": %s}]`, target, steps)}
}

// large is a match of 60 players with one rule, of which nothing is wrong.
func large(change document) document {
	d := document{
		"teams":      `[{"name": "red", "minPlayers": 20, "maxPlayers": 30, "quantity": 2}]`,
		"rules":      `[{"name": "Ping", "type": "latency", "maxLatency": 100}]`,
		"expansions": "",
		"algorithm":  `{"strategy": "balanced", "balancedAttribute": "skill"}`,
	}
	maps.Copy(d, change)
	return d
}

const (
	skills  = `"measurements": ["teams[red].players.attributes[skill]"]`
	modes   = `"measurements": ["teams[red].players.attributes[mode]"]`
	tags    = `"measurements": ["teams[red].players.attributes[tags]"]`
	lists   = `"referenceValue": ["a"]`
	oneStep = `[{"waitTimeSeconds": 5, "value": 10}]`
)

// TestRejected goes through what makes a rule set invalid, clause by clause of
// flexmatch 9. Each case breaks one thing and names the one place where that
// has to be found.
func TestRejected(t *testing.T) {
	if set, findings := Parse(valid.String()); set == nil || len(findings) > 3 {
		t.Fatalf("what all cases start from is not valid:\n%s", findings.Error())
	}
	if set, findings := Parse(valid.with(large(nil)).String()); set == nil {
		t.Fatalf("the large match is not valid:\n%s", findings.Error())
	}
	for clause, cases := range rejected {
		for _, c := range cases {
			body := valid.with(c.change).String()
			if c.body != nil {
				body = *c.body
			}
			set, findings := Parse(body)
			var at []string
			for _, f := range findings {
				if f.Warning {
					continue
				}
				if !slices.Contains(at, f.Path) {
					at = append(at, f.Path)
				}
				if f.What == "" || f.Fix == "" {
					t.Errorf("clause %d: %s at %q says %q, and to do %q", clause, c.what, f.Path, f.What, f.Fix)
				}
			}
			if set != nil || !slices.Equal(at, []string{c.at}) {
				t.Errorf("clause %d: %s: found at %q, expected %q\n%s", clause, c.what, at, c.at, findings.Error())
			}
		}
	}
}

type rejection struct {
	what   string
	at     string
	change document
	body   *string // in place of a change, where the text is no document
}

func text(s string) *string { return &s }

var rejected = map[int][]rejection{
	1: {
		{what: "nothing", body: text("")},
		{what: "null", body: text("null")},
		{what: "an array", body: text("[]")},
		{what: "a string", body: text(`"{}"`)},
		{what: "an object that does not end", body: text(`{"ruleLanguageVersion": "1.0"`)},
		{what: "a line comment", body: text("{// no\n" + valid.String()[1:])},
		{what: "a comment in the middle", body: text("{/* no */" + valid.String()[1:])},
		{what: "a comma too many", body: text(strings.TrimSuffix(valid.String(), "}") + ",}")},
		{what: "text that follows", body: text(valid.String() + " {}")},
		{what: "a body that is too long", body: text(valid.String() + strings.Repeat(" ", 65536-len(valid.String())))},
		{what: "an unknown member", at: "rule", change: document{"rule": `[]`}},
	},
	2: {
		{what: "no version", at: "ruleLanguageVersion", change: document{"ruleLanguageVersion": ""}},
		{what: "a number", at: "ruleLanguageVersion", change: document{"ruleLanguageVersion": "1.0"}},
		{what: "another version", at: "ruleLanguageVersion", change: document{"ruleLanguageVersion": `"1.1"`}},
	},
	3: {
		{what: "no teams", at: "teams", change: teams("")},
		{what: "an empty list", at: "teams", change: teams("[]")},
		{what: "an object", at: "teams", change: teams("{}")},
		{what: "a team that is no object", at: "teams[0]", change: teams(`["red"]`)},
		{what: "a team without a name", at: "teams[0]", change: teams(`[{"minPlayers": 1, "maxPlayers": 5}]`)},
		{what: "an empty name", at: "teams[0].name", change: teams(`[{"name": "", "minPlayers": 1, "maxPlayers": 5}]`)},
		{what: "a team without minPlayers", at: "teams[0].minPlayers", change: teams(`[{"name": "red", "maxPlayers": 5}]`)},
		{what: "a team without maxPlayers", at: "teams[0].maxPlayers", change: teams(`[{"name": "red", "minPlayers": 5}]`)},
		{what: "a name twice", at: "teams[1].name", change: teams(`[{"name": "red", "minPlayers": 1, "maxPlayers": 5}, {"name": "red", "minPlayers": 1, "maxPlayers": 5}]`)},
		{what: "a name twice after numbering", at: "teams[1].name", change: teams(`[{"name": "red_1", "minPlayers": 1, "maxPlayers": 5}, {"name": "red", "minPlayers": 1, "maxPlayers": 5, "quantity": 2}]`)},
		{what: "minPlayers above maxPlayers", at: "teams[0].minPlayers", change: teams(`[{"name": "red", "minPlayers": 6, "maxPlayers": 5}]`)},
		{what: "a team of nobody", at: "teams[0].maxPlayers", change: teams(`[{"name": "red", "minPlayers": 0, "maxPlayers": 0}]`)},
		{what: "fewer than nobody", at: "teams[0].minPlayers", change: teams(`[{"name": "red", "minPlayers": -1, "maxPlayers": 5}]`)},
		{what: "no team of a kind", at: "teams[0].quantity", change: teams(`[{"name": "red", "minPlayers": 1, "maxPlayers": 5, "quantity": 0}]`)},
		{what: "half a player", at: "teams[0].minPlayers", change: teams(`[{"name": "red", "minPlayers": 1.5, "maxPlayers": 5}]`)},
		{what: "half a player at most", at: "teams[0].maxPlayers", change: teams(`[{"name": "red", "minPlayers": 1, "maxPlayers": 5.5}]`)},
		{what: "half a team", at: "teams[0].quantity", change: teams(`[{"name": "red", "minPlayers": 1, "maxPlayers": 5, "quantity": 1.5}]`)},
		{what: "a quoted number", at: "teams[0].maxPlayers", change: teams(`[{"name": "red", "minPlayers": 1, "maxPlayers": "5"}]`)},
	},
	4: {
		{what: "an attribute without a name", at: "playerAttributes[4]", change: attributes(more(`{"type": "number"}`))},
		{what: "an attribute without a type", at: "playerAttributes[4]", change: attributes(more(`{"name": "rank"}`))},
		{what: "an unknown type", at: "playerAttributes[4].type", change: attributes(more(`{"name": "rank", "type": "integer"}`))},
		{what: "an attribute twice", at: "playerAttributes[4].name", change: attributes(more(`{"name": "skill", "type": "number"}`))},
		{what: "a string for a number", at: "playerAttributes[4].default", change: attributes(more(`{"name": "rank", "type": "number", "default": "10"}`))},
		{what: "a number for a string", at: "playerAttributes[4].default", change: attributes(more(`{"name": "rank", "type": "string", "default": 10}`))},
		{what: "a string for a list", at: "playerAttributes[4].default", change: attributes(more(`{"name": "rank", "type": "string_list", "default": "a"}`))},
		{what: "numbers in a list", at: "playerAttributes[4].default", change: attributes(more(`{"name": "rank", "type": "string_list", "default": [1]}`))},
		{what: "strings in a map", at: "playerAttributes[4].default", change: attributes(more(`{"name": "rank", "type": "string_number_map", "default": {"a": "b"}}`))},
		{what: "a list for a map", at: "playerAttributes[4].default", change: attributes(more(`{"name": "rank", "type": "string_number_map", "default": ["a"]}`))},
	},
	5: {
		{what: "a rule without a name", at: "rules[0]", change: document{"rules": `[{"type": "latency", "maxLatency": 100}]`, "expansions": ""}},
		{what: "a rule without a type", at: "rules[5]", change: rule(`"maxLatency": 100`)},
		{what: "a name twice", at: "rules[1].name", change: document{"rules": `[{"name": "A", "type": "latency", "maxLatency": 100}, {"name": "A", "type": "latency", "maxLatency": 200}]`, "expansions": ""}},
		{what: "an unknown type", at: "rules[5].type", change: rule(`"type": "sort"`)},

		{what: "comparison without measurements", at: "rules[5].measurements", change: rule(`"type": "comparison", "operation": "=", "referenceValue": 1`)},
		{what: "comparison of nothing", at: "rules[5].measurements", change: rule(`"type": "comparison", "operation": "=", "measurements": []`)},
		{what: "comparison without operation", at: "rules[5]", change: rule(`"type": "comparison", "referenceValue": 1, ` + skills)},
		{what: "distance without measurements", at: "rules[5].measurements", change: rule(`"type": "distance", "referenceValue": 1, "maxDistance": 1`)},
		{what: "distance without a reference", at: "rules[5].referenceValue", change: rule(`"type": "distance", "maxDistance": 1, ` + skills)},
		{what: "distance without a limit", at: "rules[5]", change: rule(`"type": "distance", "referenceValue": 1, ` + skills)},
		{what: "batchDistance without attribute", at: "rules[5].batchAttribute", change: rule(`"type": "batchDistance", "maxDistance": 1`)},
		{what: "batchDistance of numbers without a limit", at: "rules[5].maxDistance", change: rule(`"type": "batchDistance", "batchAttribute": "skill"`)},
		{what: "collection without measurements", at: "rules[5].measurements", change: rule(`"type": "collection", "operation": "intersection"`)},
		{what: "collection without operation", at: "rules[5]", change: rule(`"type": "collection", ` + tags)},
		{what: "contains without a reference", at: "rules[5].referenceValue", change: rule(`"type": "collection", "operation": "contains", ` + tags)},
		{what: "reference_intersection_count without a reference", at: "rules[5].referenceValue", change: rule(`"type": "collection", "operation": "reference_intersection_count", ` + tags)},
		{what: "latency without a limit", at: "rules[5]", change: rule(`"type": "latency"`)},
		{what: "latency without what it is distant from", at: "rules[5].distanceReference", change: rule(`"type": "latency", "maxDistance": 10`)},
		{what: "compound without a statement", at: "rules[5]", change: rule(`"type": "compound"`)},
		{what: "absoluteSort without direction", at: "rules[5]", change: rule(`"type": "absoluteSort", "sortAttribute": "skill"`)},
		{what: "absoluteSort without attribute", at: "rules[5].sortAttribute", change: rule(`"type": "absoluteSort", "sortDirection": "ascending"`)},
		{what: "distanceSort without direction", at: "rules[5]", change: rule(`"type": "distanceSort", "sortAttribute": "skill"`)},
		{what: "distanceSort without attribute", at: "rules[5].sortAttribute", change: rule(`"type": "distanceSort", "sortDirection": "ascending"`)},
		{what: "a sort by a map without its key", at: "rules[5].mapKey", change: rule(`"type": "distanceSort", "sortDirection": "ascending", "sortAttribute": "likes"`)},

		{what: "comparison with maxDistance", at: "rules[5].maxDistance", change: rule(`"type": "comparison", "operation": "=", "maxDistance": 1, ` + skills)},
		{what: "distance with operation", at: "rules[5].operation", change: rule(`"type": "distance", "referenceValue": 1, "maxDistance": 1, "operation": "=", ` + skills)},
		{what: "batchDistance with measurements", at: "rules[5].measurements", change: rule(`"type": "batchDistance", "batchAttribute": "skill", "maxDistance": 1, ` + skills)},
		{what: "collection with maxLatency", at: "rules[5].maxLatency", change: rule(`"type": "collection", "operation": "intersection", "maxLatency": 1, ` + tags)},
		{what: "intersection with a reference", at: "rules[5].referenceValue", change: rule(`"type": "collection", "operation": "intersection", ` + lists + ", " + tags)},
		{what: "latency with a reference", at: "rules[5].referenceValue", change: rule(`"type": "latency", "maxLatency": 1, "referenceValue": 1`)},
		{what: "compound with maxCount", at: "rules[5].maxCount", change: rule(`"type": "compound", "statement": "not(Near)", "maxCount": 1`)},
		{what: "absoluteSort with batchAttribute", at: "rules[5].batchAttribute", change: rule(`"type": "absoluteSort", "sortDirection": "ascending", "sortAttribute": "skill", "batchAttribute": "skill"`)},
		{what: "distanceSort with statement", at: "rules[5].statement", change: rule(`"type": "distanceSort", "sortDirection": "ascending", "sortAttribute": "skill", "statement": "not(Near)"`)},
		{what: "a map's key for a number", at: "rules[5].mapKey", change: rule(`"type": "distanceSort", "sortDirection": "ascending", "sortAttribute": "skill", "mapKey": "minValue"`)},
	},
	6: {
		{what: "an unknown comparison", at: "rules[5].operation", change: rule(`"type": "comparison", "operation": "==", ` + skills)},
		{what: "a collection's operation for a comparison", at: "rules[5].operation", change: rule(`"type": "comparison", "operation": "contains", "referenceValue": "a", ` + modes)},
		{what: "an unknown operation of collections", at: "rules[5].operation", change: rule(`"type": "collection", "operation": "union", ` + tags)},
		{what: "a comparison for collections", at: "rules[5].operation", change: rule(`"type": "collection", "operation": "=", ` + tags)},
		{what: "an unknown sort direction", at: "rules[5].sortDirection", change: rule(`"type": "absoluteSort", "sortDirection": "up", "sortAttribute": "skill"`)},
		{what: "an unknown map key", at: "rules[5].mapKey", change: rule(`"type": "absoluteSort", "sortDirection": "ascending", "sortAttribute": "likes", "mapKey": "avgValue"`)},
		{what: "an unknown aggregation", at: "rules[5].partyAggregation", change: rule(`"type": "comparison", "operation": "=", "partyAggregation": "sum", ` + skills)},
		{what: "an aggregation of lists for numbers", at: "rules[5].partyAggregation", change: rule(`"type": "distance", "referenceValue": 1, "maxDistance": 1, "partyAggregation": "union", ` + skills)},
		{what: "an aggregation of numbers for lists", at: "rules[5].partyAggregation", change: rule(`"type": "collection", "operation": "intersection", "partyAggregation": "avg", ` + tags)},
		{what: "an unknown aggregation of latencies", at: "rules[5].partyAggregation", change: rule(`"type": "latency", "maxLatency": 1, "partyAggregation": "median"`)},
		{what: "an unknown aggregation of batches", at: "rules[5].partyAggregation", change: rule(`"type": "batchDistance", "batchAttribute": "skill", "maxDistance": 1, "partyAggregation": "union"`)},
		{what: "an unknown aggregation of a sort", at: "rules[5].partyAggregation", change: rule(`"type": "absoluteSort", "sortDirection": "ascending", "sortAttribute": "skill", "partyAggregation": "union"`)},
		{what: "an unknown reference of a distance of latencies", at: "rules[5].distanceReference", change: rule(`"type": "latency", "maxDistance": 1, "distanceReference": "max"`)},
	},
	7: {
		{what: "a parenthesis that stays open", at: "rules[5].measurements[0]", change: measured("comparison", "avg(teams[red].players.attributes[skill]")},
		{what: "an unknown function", at: "rules[5].measurements[0]", change: measured("comparison", "mean(teams[red].players.attributes[skill])")},
		{what: "no expression", at: "rules[5].measurements[0]", change: measured("comparison", "skill")},
		{what: "an empty one", at: "rules[5].measurements[0]", change: measured("comparison", "")},
		{what: "no string", at: "rules[5].measurements[0]", change: rule(`"type": "comparison", "operation": "=", "measurements": [1]`)},
		{what: "an unknown member of a team", at: "rules[5].measurements[0]", change: measured("comparison", "teams[red].size")},
		{what: "an unknown team", at: "rules[5].measurements[0]", change: measured("comparison", "teams[blue].players.attributes[skill]")},
		{what: "an instance that is not there", at: "rules[5].measurements[0]", change: measured("comparison", "teams[trio_3].players.attributes[skill]")},
		{what: "an undeclared attribute", at: "rules[5].measurements[0]", change: measured("comparison", "teams[red].players.attributes[rank]")},
		{what: "avg over strings", at: "rules[5].measurements[0]", change: measured("comparison", "avg(teams[red].players.attributes[mode])")},
		{what: "avg of an avg", at: "rules[5].measurements[0]", change: measured("comparison", "avg(avg(teams[red].players.attributes[skill]))")},
		{what: "count of a count", at: "rules[5].measurements[0]", change: measured("comparison", "count(count(teams[red].players))")},
		{what: "set_intersection over numbers", at: "rules[5].measurements[0]", change: measured("collection", "set_intersection(teams[*].players.attributes[skill])")},
		{what: "set_intersection of one list", at: "rules[5].measurements[0]", change: measured("collection", "set_intersection(teams[red].players.attributes[mode])")},
		{what: "flatten of a flat list", at: "rules[5].measurements[0]", change: measured("comparison", "flatten(teams[red].players.attributes[skill])")},
		{what: "a map in a measurement", at: "rules[5].measurements[0]", change: measured("comparison", "teams[red].players.attributes[likes]")},
		{what: "a comparison of players", at: "rules[5].measurements[0]", change: measured("comparison", "teams[red].players")},
		{what: "a distance of strings", at: "rules[5].measurements[0]", change: rule(`"type": "distance", "referenceValue": 1, "maxDistance": 1, ` + modes)},
		{what: "a collection of numbers", at: "rules[5].measurements[0]", change: rule(`"type": "collection", "operation": "intersection", ` + skills)},
		{what: "a distance from an undeclared attribute", at: "rules[5].referenceValue", change: rule(`"type": "distance", "referenceValue": "avg(teams[red].players.attributes[rank])", "maxDistance": 1, ` + skills)},
		{what: "a distance from a list", at: "rules[5].referenceValue", change: rule(`"type": "distance", "referenceValue": "teams[red].players.attributes[skill]", "maxDistance": 1, ` + skills)},
		{what: "a distance from a word", at: "rules[5].referenceValue", change: rule(`"type": "distance", "referenceValue": "expert", "maxDistance": 1, ` + skills)},
		{what: "a distance below 0", at: "rules[5].maxDistance", change: rule(`"type": "distance", "referenceValue": 1, "maxDistance": -1, ` + skills)},
		{what: "a batchDistance of lists", at: "rules[5].batchAttribute", change: rule(`"type": "batchDistance", "batchAttribute": "tags", "maxDistance": 1`)},
		{what: "a batchDistance of an undeclared attribute", at: "rules[5].batchAttribute", change: rule(`"type": "batchDistance", "batchAttribute": "rank", "maxDistance": 1`)},
		{what: "a sort by strings", at: "rules[5].sortAttribute", change: rule(`"type": "absoluteSort", "sortDirection": "ascending", "sortAttribute": "mode"`)},
		{what: "a sort by an undeclared attribute", at: "rules[5].sortAttribute", change: rule(`"type": "absoluteSort", "sortDirection": "ascending", "sortAttribute": "rank"`)},
		{what: "contains of a list", at: "rules[5].referenceValue", change: rule(`"type": "collection", "operation": "contains", ` + lists + ", " + tags)},
		{what: "a number among strings", at: "rules[5].referenceValue", change: rule(`"type": "collection", "operation": "reference_intersection_count", "referenceValue": 1, ` + tags)},
		{what: "minCount above maxCount", at: "rules[5].minCount", change: rule(`"type": "collection", "operation": "intersection", "minCount": 2, "maxCount": 1, ` + tags)},
		{what: "a latency of nothing", at: "rules[5].maxLatency", change: rule(`"type": "latency", "maxLatency": 0`)},
	},
	8: {
		{what: "< without a reference", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": "<", ` + skills)},
		{what: "<= without a reference", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": "<=", ` + skills)},
		{what: "> without a reference", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": ">", ` + skills)},
		{what: ">= without a reference", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": ">=", ` + skills)},
		{what: "numbers and a word", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": "=", "referenceValue": "expert", ` + skills)},
		{what: "words and a number", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": "=", "referenceValue": 1, ` + modes)},
		{what: "an order of words", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": "<", "referenceValue": "m", ` + modes)},
		{what: "a list", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": "=", ` + lists + ", " + modes)},
		{what: "an expression that gives a list", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": "=", "referenceValue": "teams[red].players.attributes[skill]", ` + skills)},
		{what: "an object", at: "rules[5].referenceValue", change: rule(`"type": "comparison", "operation": "=", "referenceValue": {}, ` + skills)},
	},
	9: {
		{what: "a statement that does not parse", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "or(Near"`)},
		{what: "only a name", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "Near"`)},
		{what: "an unknown operation", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "nand(Near, Ping)"`)},
		{what: "text behind it", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "not(Near) Ping"`)},
		{what: "not of two", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "not(Near, Ping)"`)},
		{what: "not of none", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "not()"`)},
		{what: "and of one", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "and(Near)"`)},
		{what: "or of one", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "or(Near)"`)},
		{what: "xor of one", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "xor(Near)"`)},
		{what: "xor of three", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "xor(Near, Ping, Either)"`)},
		{what: "an undefined rule", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "not(Far)"`)},
		{what: "itself", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "not(It)"`)},
		{what: "a later rule", at: "rules[0].statement", change: document{"rules": `[{"name": "A", "type": "compound", "statement": "not(B)"}, {"name": "B", "type": "latency", "maxLatency": 100}]`, "expansions": ""}},
		{what: "a batchDistance rule", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "or(Near, Band)"`)},
		{what: "a sort rule", at: "rules[5].statement", change: rule(`"type": "compound", "statement": "or(Near, Order)"`)},
		{what: "a large match", at: "rules[1].type", change: large(document{"rules": `[{"name": "Ping", "type": "latency", "maxLatency": 100}, {"name": "Not", "type": "compound", "statement": "not(Ping)"}]`})},
	},
	10: {
		{what: "a target that does not parse", at: "expansions[0].target", change: expansion("rules.Near.maxDistance", oneStep)},
		{what: "no property", at: "expansions[0].target", change: expansion("rules[Near]", oneStep)},
		{what: "an empty target", at: "expansions[0].target", change: expansion("", oneStep)},
		{what: "no target", at: "expansions[0]", change: document{"expansions": `[{"steps": ` + oneStep + `}]`}},
		{what: "an unknown kind of target", at: "expansions[0].target", change: expansion("players[Near].maxDistance", oneStep)},
		{what: "an unknown rule", at: "expansions[0].target", change: expansion("rules[Far].maxDistance", oneStep)},
		{what: "an unknown team", at: "expansions[0].target", change: expansion("teams[blue].minPlayers", oneStep)},
		{what: "one of several teams", at: "expansions[0].target", change: expansion("teams[trio_1].minPlayers", oneStep)},
		{what: "an unknown property of a rule", at: "expansions[0].target", change: expansion("rules[Near].maxCount", oneStep)},
		{what: "a property that is no value", at: "expansions[0].target", change: expansion("rules[Near].measurements", oneStep)},
		{what: "an unknown property of a team", at: "expansions[0].target", change: expansion("teams[red].quantity", oneStep)},
		{what: "a compound rule", at: "expansions[0].target", change: expansion("rules[Either].statement", oneStep)},
		{what: "a sort rule", at: "expansions[0].target", change: expansion("rules[Order].sortDirection", oneStep)},
		{what: "a reference that the rule has not", at: "expansions[0].target", change: rule(`"type": "comparison", "operation": "=", ` + skills).with(expansion("rules[It].referenceValue", oneStep))},
		{what: "empty steps", at: "expansions[0].steps", change: expansion("rules[Near].maxDistance", "[]")},
		{what: "no steps", at: "expansions[0].steps", change: document{"expansions": `[{"target": "rules[Near].maxDistance"}]`}},
		{what: "the same time twice", at: "expansions[0].steps[1].waitTimeSeconds", change: expansion("rules[Near].maxDistance", `[{"waitTimeSeconds": 5, "value": 10}, {"waitTimeSeconds": 5, "value": 20}]`)},
		{what: "an earlier time", at: "expansions[0].steps[1].waitTimeSeconds", change: expansion("rules[Near].maxDistance", `[{"waitTimeSeconds": 5, "value": 10}, {"waitTimeSeconds": 4, "value": 20}]`)},
		{what: "no waiting", at: "expansions[0].steps[0].waitTimeSeconds", change: expansion("rules[Near].maxDistance", `[{"waitTimeSeconds": 0, "value": 10}]`)},
		{what: "half a second", at: "expansions[0].steps[0].waitTimeSeconds", change: expansion("rules[Near].maxDistance", `[{"waitTimeSeconds": 0.5, "value": 10}]`)},
		{what: "a quoted time", at: "expansions[0].steps[0].waitTimeSeconds", change: expansion("rules[Near].maxDistance", `[{"waitTimeSeconds": "5", "value": 10}]`)},
		{what: "no time", at: "expansions[0].steps[0].waitTimeSeconds", change: expansion("rules[Near].maxDistance", `[{"value": 10}]`)},
		{what: "no value", at: "expansions[0].steps[0].value", change: expansion("rules[Near].maxDistance", `[{"waitTimeSeconds": 5}]`)},
		{what: "a string for a distance", at: "expansions[0].steps[0].value", change: expansion("rules[Near].maxDistance", `[{"waitTimeSeconds": 5, "value": "ten"}]`)},
		{what: "a string for a latency", at: "expansions[0].steps[0].value", change: expansion("rules[Ping].maxLatency", `[{"waitTimeSeconds": 5, "value": "10"}]`)},
		{what: "a list for a reference", at: "expansions[0].steps[0].value", change: expansion("rules[Near].referenceValue", `[{"waitTimeSeconds": 5, "value": ["a"]}]`)},
		{what: "half a player", at: "expansions[0].steps[0].value", change: expansion("teams[red].minPlayers", `[{"waitTimeSeconds": 5, "value": 0.5}]`)},
		{what: "a distance below 0", at: "expansions[0].steps[0].value", change: expansion("rules[Near].maxDistance", `[{"waitTimeSeconds": 5, "value": -1}]`)},
		{what: "minPlayers above maxPlayers", at: "expansions", change: expansion("teams[red].minPlayers", `[{"waitTimeSeconds": 5, "value": 6}]`)},
		{what: "a match that becomes large", at: "expansions", change: expansion("teams[red].maxPlayers", `[{"waitTimeSeconds": 5, "value": 40}]`)},
		{what: "a match of too many", at: "expansions", change: large(document{"expansions": `[{"target": "teams[red].maxPlayers", "steps": [{"waitTimeSeconds": 5, "value": 101}]}]`})},
		{what: "two expansions of one thing", at: "expansions[1].target", change: document{"expansions": `[{"target": "rules[Near].maxDistance", "steps": ` + oneStep + `}, {"target": "rules[Near].maxDistance", "steps": ` + oneStep + `}]`}},
	},
	11: {
		{what: "an unknown strategy", at: "algorithm.strategy", change: algorithm(`{"strategy": "greedy"}`)},
		{what: "an unknown preference", at: "algorithm.batchingPreference", change: algorithm(`{"batchingPreference": "newest"}`)},
		{what: "an unknown age", at: "algorithm.expansionAgeSelection", change: algorithm(`{"expansionAgeSelection": "average"}`)},
		{what: "an unknown priority", at: "algorithm.backfillPriority", change: algorithm(`{"backfillPriority": "urgent"}`)},
		{what: "no object", at: "algorithm", change: algorithm(`"balanced"`)},
		{what: "an unknown member", at: "algorithm.batchPreference", change: algorithm(`{"batchPreference": "random"}`)},
		{what: "sorted by nothing", at: "algorithm.sortByAttributes", change: algorithm(`{"batchingPreference": "sorted"}`)},
		{what: "sorted by no attribute", at: "algorithm.sortByAttributes", change: algorithm(`{"batchingPreference": "sorted", "sortByAttributes": []}`)},
		{what: "sorted by an undeclared attribute", at: "algorithm.sortByAttributes[0]", change: algorithm(`{"batchingPreference": "sorted", "sortByAttributes": ["rank"]}`)},
		{what: "balanced on nothing", at: "algorithm.balancedAttribute", change: algorithm(`{"strategy": "balanced"}`)},
		{what: "balanced on an undeclared attribute", at: "algorithm.balancedAttribute", change: algorithm(`{"strategy": "balanced", "balancedAttribute": "rank"}`)},
		{what: "balanced on strings", at: "algorithm.balancedAttribute", change: algorithm(`{"strategy": "balanced", "balancedAttribute": "mode"}`)},
		{what: "sorted and balanced", at: "algorithm.batchingPreference", change: algorithm(`{"strategy": "balanced", "balancedAttribute": "skill", "batchingPreference": "sorted", "sortByAttributes": ["skill"]}`)},
		{what: "random and balanced", at: "algorithm.batchingPreference", change: algorithm(`{"strategy": "balanced", "balancedAttribute": "skill", "batchingPreference": "random"}`)},
		{what: "largestPopulation and exhaustive", at: "algorithm.batchingPreference", change: algorithm(`{"strategy": "exhaustiveSearch", "batchingPreference": "largestPopulation"}`)},
		{what: "fastestRegion and exhaustive", at: "algorithm.batchingPreference", change: algorithm(`{"batchingPreference": "fastestRegion"}`)},
	},
	12: {
		{what: "a large match without an algorithm", at: "algorithm.strategy", change: large(algorithm(""))},
		{what: "a large match searched exhaustively", at: "algorithm.strategy", change: large(algorithm(`{"strategy": "exhaustiveSearch"}`))},
		{what: "comparison", at: "rules[0].type", change: large(document{"rules": `[{"name": "A", "type": "comparison", "operation": "=", ` + skills + "}]"})},
		{what: "distance", at: "rules[0].type", change: large(document{"rules": `[{"name": "A", "type": "distance", "referenceValue": 1, "maxDistance": 1, ` + skills + "}]"})},
		{what: "collection", at: "rules[0].type", change: large(document{"rules": `[{"name": "A", "type": "collection", "operation": "intersection", ` + tags + "}]"})},
		{what: "absoluteSort", at: "rules[0].type", change: large(document{"rules": `[{"name": "A", "type": "absoluteSort", "sortDirection": "ascending", "sortAttribute": "skill"}]`})},
		{what: "distanceSort", at: "rules[0].type", change: large(document{"rules": `[{"name": "A", "type": "distanceSort", "sortDirection": "ascending", "sortAttribute": "skill"}]`})},
		{what: "a distance of latencies", at: "rules[0].maxDistance", change: large(document{"rules": `[{"name": "A", "type": "latency", "maxLatency": 100, "maxDistance": 10}]`})},
		{what: "more than 200 players", at: "teams", change: large(document{"teams": `[{"name": "red", "minPlayers": 20, "maxPlayers": 67, "quantity": 3}]`})},
	},
}

// more is the list of attributes with one more.
func more(attribute string) string {
	return strings.TrimSuffix(valid["playerAttributes"], "]") + ", " + attribute + "]"
}

// measured is a rule of a measurement that is wrong.
func measured(kind, expression string) document {
	operation := map[string]string{"comparison": "=", "collection": "intersection"}[kind]
	return rule(fmt.Sprintf(`"type": %q, "operation": %q, "measurements": [%q]`, kind, operation, expression))
}
