package matcher

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A backfill that knows its location is matched by the latency to that one.
func TestTicketOf(t *testing.T) {
	players := []lift.TicketPlayer{
		{ID: "ann", Team: "red", LatencyMS: map[string]int{"a": 10, "b": 20}},
		{ID: "bob", Team: "red", LatencyMS: map[string]int{"b": 30}},
	}
	for _, c := range []struct {
		name     string
		backfill *lift.Backfill
		ann, bob map[string]int
		team     string
	}{
		{"a ticket", nil, players[0].LatencyMS, players[1].LatencyMS, ""},
		{"a backfill", &lift.Backfill{Location: "a"}, map[string]int{"a": 10}, nil, "red"},
		{"a backfill somewhere", &lift.Backfill{}, players[0].LatencyMS, players[1].LatencyMS, "red"},
	} {
		got := ticketOf(&lift.Ticket{ID: "t", Players: players, Backfill: c.backfill})
		a, b := got.Players[0], got.Players[1]
		if !maps.Equal(a.LatencyMS, c.ann) || !maps.Equal(b.LatencyMS, c.bob) || a.Team != c.team || got.Backfill != (c.backfill != nil) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// What game servers parse (flexmatch 15): teams in the order of the rule set,
// attributes that it declares, with their defaults, and numbers with a point.
func TestMatchmakerData(t *testing.T) {
	set, findings := rules.Parse(`{"ruleLanguageVersion":"1.0","playerAttributes":[
		{"name":"skill","type":"number","default":10},{"name":"role","type":"string"},
		{"name":"maps","type":"string_list"},{"name":"weapons","type":"string_number_map"}],
		"teams":[{"name":"red","minPlayers":1,"maxPlayers":2},{"name":"blue","minPlayers":1,"maxPlayers":2}]}`)
	if set == nil {
		t.Fatal(findings)
	}
	c := &lift.MatchmakingConfiguration{Name: "m", Region: "us-west-2", Account: "123456789012"}
	ts := []*lift.Ticket{
		{ID: "t1", Players: []lift.TicketPlayer{{ID: "ann", Attributes: map[string]lift.Attribute{
			"skill": {N: new(12.5)}, "role": {S: new("medic")}, "maps": {SL: []string{"lake", "moon"}},
			"weapons": {SDM: map[string]float64{"axe": 3, "bow": 0.25}}, "unknown": {S: new("left out")},
		}}}},
		{ID: "t2", Players: []lift.TicketPlayer{{ID: "bob"}, {ID: "cem", Attributes: map[string]lift.Attribute{"skill": {N: new(7.0)}, "maps": {SL: []string{}}}}}},
	}
	f := match.Match{
		Tickets: []match.TicketID{"t1", "t2"}, Evaluations: make([][]match.RuleCount, 2),
		Seats: []match.Seat{{Ticket: "t2", PlayerID: "bob", Team: "red"}, {Ticket: "t1", PlayerID: "ann", Team: "blue"}, {Ticket: "t2", PlayerID: "cem", Team: "blue"}},
	}
	const want = `{"matchId":"one","matchmakingConfigurationArn":"arn:aws:gamelift:us-west-2:123456789012:matchmakingconfiguration/m","teams":[` +
		`{"name":"red","players":[{"playerId":"bob","attributes":{"skill":{"attributeType":"DOUBLE","valueAttribute":10.0}}}]},` +
		`{"name":"blue","players":[` +
		`{"playerId":"ann","attributes":{"maps":{"attributeType":"STRING_LIST","valueAttribute":["lake","moon"]},"role":{"attributeType":"STRING","valueAttribute":"medic"},"skill":{"attributeType":"DOUBLE","valueAttribute":12.5},"weapons":{"attributeType":"STRING_DOUBLE_MAP","valueAttribute":{"axe":3.0,"bow":0.25}}}},` +
		`{"playerId":"cem","attributes":{"maps":{"attributeType":"STRING_LIST","valueAttribute":[]},"skill":{"attributeType":"DOUBLE","valueAttribute":7.0}}}` +
		`]}],"autoBackfillMode":null,"autoBackfillTicketId":null}`
	if got := matchOf(c, set, f, ts, "one").Data; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Numbers of matchmaker data have a decimal point or an exponent, and stay the
// numbers they are.
func FuzzDouble(f *testing.F) {
	for _, n := range []float64{0, 1, -3, 0.5, 1e21, 1e-9, 123456789} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n float64) {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return // no JSON number
		}
		b, err := json.Marshal(double(n))
		if err != nil {
			t.Fatal(err)
		}
		var back float64
		if err := json.Unmarshal(b, &back); err != nil || back != n || !strings.ContainsAny(string(b), ".e") {
			t.Errorf("%v became %s (%v)", n, b, err)
		}
	})
}
