package serversdk_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/sdk/sdktest"
	"github.com/chairlift-games/chairlift/serversdk"
)

const matchmaker = "arn:aws:gamelift:us-west-2:123456789012:matchmakingconfiguration/m"

const matchData = `{"matchId":"m-1","matchmakingConfigurationArn":"` + matchmaker + `",
	"teams":[{"name":"red","players":[{"playerId":"ann","attributes":{
		"mode":{"attributeType":"STRING","valueAttribute":"duel"},
		"skill":{"attributeType":"DOUBLE","valueAttribute":10.0},
		"maps":{"attributeType":"STRING_LIST","valueAttribute":["a","b"]},
		"likes":{"attributeType":"STRING_DOUBLE_MAP","valueAttribute":{"a":1.5}}}}]},
	{"name":"blue","players":[]}],"autoBackfillMode":null,"autoBackfillTicketId":null}`

// A match asks for players with what the matchmaker said of those it has, and
// takes that back.
func TestBackfill(t *testing.T) {
	host := sdktest.Start(t)
	s := initServer(t, params(host))
	started := make(chan serversdk.GameSession, 1)
	updated := make(chan serversdk.GameSessionUpdate, 1)
	if err := s.ProcessReady(t.Context(), serversdk.ProcessParameters{
		Port:                7777,
		OnStartGameSession:  func(g serversdk.GameSession) { started <- g },
		OnUpdateGameSession: func(u serversdk.GameSessionUpdate) { updated <- u },
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.StartMatchBackfill(t.Context(), serversdk.BackfillRequest{}); !errors.Is(err, serversdk.ErrNoGameSession) {
		t.Errorf("without a game session: %v", err)
	}
	host.Create(process, sdk.CreateGameSession{GameSessionID: session, MatchmakerData: matchData})
	g := <-started
	m, err := g.Match()
	if err != nil || m.MatchID != "m-1" || m.AutoBackfillMode != "" || len(m.Players) != 1 {
		t.Fatalf("match %+v, %v", m, err)
	}
	if err := s.ActivateGameSession(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, err := s.StartMatchBackfill(t.Context(), serversdk.BackfillRequest{})
	if err != nil || id != "ticket-1" {
		t.Fatalf("ticket %q, %v", id, err)
	}
	want := sdk.StartMatchBackfill{GameSessionARN: session, ConfigurationARN: matchmaker, Players: []sdk.Player{{
		PlayerID: "ann", Team: "red", Attributes: map[string]sdk.Attribute{
			"mode": {Type: "STRING", S: "duel"}, "skill": {Type: "DOUBLE", N: 10},
			"maps": {Type: "STRING_LIST", SL: []string{"a", "b"}}, "likes": {Type: "STRING_DOUBLE_MAP", SDM: map[string]float64{"a": 1.5}},
		},
	}}}
	heard := host.Heard()
	if d := cmp.Diff(want, heard[len(heard)-1].Request); d != "" {
		t.Errorf("the service heard something else:\n%s", d)
	}
	host.Door.Push(process, sdk.UpdateGameSession{GameSession: sdk.GameSession{GameSessionID: session, MatchmakerData: matchData}, UpdateReason: serversdk.MatchmakingDataUpdated, BackfillTicketID: id})
	if u := <-updated; u.UpdateReason != serversdk.MatchmakingDataUpdated || u.BackfillTicketID != id {
		t.Errorf("update %+v", u)
	}
	if err := s.StopMatchBackfill(t.Context(), id, ""); err != nil {
		t.Error(err)
	}
	heard = host.Heard()
	if d := cmp.Diff(sdk.StopMatchBackfill{GameSessionARN: session, ConfigurationARN: matchmaker, TicketID: id}, heard[len(heard)-1].Request); d != "" {
		t.Error(d)
	}
	var answer *serversdk.Error
	if err := s.StopMatchBackfill(t.Context(), "unknown", matchmaker); !errors.As(err, &answer) || answer.StatusCode != 404 {
		t.Errorf("stop of nothing: %v", err)
	}
	_, err = s.StartMatchBackfill(t.Context(), serversdk.BackfillRequest{Players: []serversdk.Player{{PlayerID: "ann", Attributes: map[string]any{"skill": struct{}{}}}}})
	if err == nil || !strings.Contains(err.Error(), "attribute skill of player ann") {
		t.Errorf("a strange attribute: %v", err)
	}
}

// Matchmaker data is text from outside.
func FuzzMatch(f *testing.F) {
	f.Add(matchData)
	f.Add("")
	f.Add(`{"teams":[{"players":[{"attributes":{"a":{"attributeType":"DOUBLE"}}}]}]}`)
	f.Fuzz(func(t *testing.T, data string) {
		m, err := serversdk.GameSession{MatchmakerData: data}.Match()
		for _, p := range m.Players {
			for name, v := range p.Attributes {
				switch v.(type) {
				case string, float64, []string, map[string]float64:
				default:
					t.Errorf("attribute %s is a %T (%v)", name, v, err)
				}
			}
		}
	})
}
