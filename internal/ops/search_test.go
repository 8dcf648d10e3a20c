package ops

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// withSessions makes n ACTIVE game sessions named a, b, c, … and one that is
// still ACTIVATING.
func (w *world) withSessions(n int) (fleet string) {
	fleet, _ = w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(n + 1) })
	for i := range n + 1 {
		w.pass(time.Second)
		gs := must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{
			FleetId: &fleet, MaximumPlayerSessionCount: 10 + i%3, Name: new(string(rune('a' + i))),
			GameProperties: []api.GameProperty{{Key: "n", Value: fmt.Sprint(i)}},
		}))(w.t).GameSession
		if i < n {
			w.activate(*gs.GameSessionId)
		}
	}
	return fleet
}

func names(gs []api.GameSession) string {
	var b strings.Builder
	for _, g := range gs {
		b.WriteString(*g.Name)
	}
	return b.String()
}

func TestSearchGameSessions(t *testing.T) {
	w := newWorld(t)
	fleet := w.withSessions(6)
	alias := *must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "x", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &fleet}}))(t).Alias.AliasId
	for _, c := range []struct {
		filter, sort, want string
	}{
		{"", "", "abcdef"},
		{"", "gameSessionName DESC", "fedcba"},
		{"maximumSessions > 10", "maximumSessions DESC", "cfbe"},
		{"gameSessionProperties.n = '3' OR gameSessionName = 'a'", "", "ad"},
		{"playerSessionCount > 0", "", ""},
	} {
		in := &api.SearchGameSessionsInput{AliasId: &alias, Location: new("us-west-2")}
		if c.filter != "" {
			in.FilterExpression = &c.filter
		}
		if c.sort != "" {
			in.SortExpression = &c.sort
		}
		out := must(w.SearchGameSessions(w.ctx, in))(t)
		if got := names(out.GameSessions); got != c.want || out.NextToken != nil || out.GameSessions == nil {
			t.Errorf("%q sorted by %q found %q, want %q; next %v", c.filter, c.sort, got, c.want, out.NextToken)
		}
	}
}

// No page has more than 20, whatever is asked for.
func TestSearchPageSize(t *testing.T) {
	w := newWorld(t)
	fleet := w.withSessions(23)
	for _, limit := range []*int{nil, new(1000)} {
		out := must(w.SearchGameSessions(w.ctx, &api.SearchGameSessionsInput{FleetId: &fleet, Limit: limit}))(t)
		if len(out.GameSessions) != 20 || out.NextToken == nil || len(*out.NextToken) > 1024 {
			t.Fatalf("%d sessions, next %v", len(out.GameSessions), out.NextToken)
		}
		out = must(w.SearchGameSessions(w.ctx, &api.SearchGameSessionsInput{FleetId: &fleet, Limit: limit, NextToken: out.NextToken}))(t)
		if names(out.GameSessions) != "uvw" || out.NextToken != nil {
			t.Errorf("the rest is %q, next %v", names(out.GameSessions), out.NextToken)
		}
	}
}

// Pages go on after the last session even if that has changed its place or has
// ended; who stays where it was is found once.
func TestSearchPagesSurviveChanges(t *testing.T) {
	w := newWorld(t)
	fleet := w.withSessions(9)
	var seen string
	var token *string
	for {
		in := &api.SearchGameSessionsInput{FleetId: &fleet, Limit: new(2), SortExpression: new("gameSessionName DESC"), NextToken: token}
		out := must(w.SearchGameSessions(w.ctx, in))(t)
		seen += names(out.GameSessions)
		if token = out.NextToken; token == nil {
			break
		}
		last := out.GameSessions[len(out.GameSessions)-1]
		if len(seen)%4 == 0 {
			must(w.UpdateGameSession(w.ctx, &api.UpdateGameSessionInput{GameSessionId: *last.GameSessionId, Name: new("z\x00z")}))(t)
		} else {
			must(w.TerminateGameSession(w.ctx, &api.TerminateGameSessionInput{GameSessionId: *last.GameSessionId, TerminationMode: "FORCE_TERMINATE"}))(t)
		}
	}
	if seen != "ihgfedcba" {
		t.Errorf("seen %q", seen)
	}
}

// The longest names and ids fit in a token, and any text does.
func TestSearchTokensFit(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(4) })
	for i := range 4 {
		gs := must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{
			FleetId: &fleet, MaximumPlayerSessionCount: 1, Name: new("\x00" + strings.Repeat("ü", 1022) + fmt.Sprint(i)), IdempotencyToken: new(fmt.Sprint(strings.Repeat("t", 47), i)),
		}))(t).GameSession
		w.activate(*gs.GameSessionId)
	}
	seen := map[string]bool{}
	in := &api.SearchGameSessionsInput{FleetId: &fleet, Limit: new(1), SortExpression: new("gameSessionName ASC")}
	for range 4 {
		out := must(w.SearchGameSessions(w.ctx, in))(t)
		seen[*out.GameSessions[0].Name] = true
		if in.NextToken = out.NextToken; in.NextToken != nil && len(*in.NextToken) > 1024 {
			t.Errorf("a token of %d characters", len(*in.NextToken))
		}
	}
	if len(seen) != 4 || in.NextToken != nil {
		t.Errorf("seen %d", len(seen))
	}
}

func TestSearchRefusals(t *testing.T) {
	w := newWorld(t)
	fleet := w.withSessions(2)
	alias := *must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "x", RoutingStrategy: &api.RoutingStrategy{Type: new("TERMINAL"), Message: new("gone fishing")}}))(t).Alias.AliasId
	token := must(w.SearchGameSessions(w.ctx, &api.SearchGameSessionsInput{FleetId: &fleet, Limit: new(1)}))(t).NextToken
	op := api.Find("SearchGameSessions")
	for _, c := range []struct {
		in    api.SearchGameSessionsInput
		kind  lift.Kind
		words string
	}{
		{api.SearchGameSessionsInput{}, lift.InvalidRequest, "exactly one"},
		{api.SearchGameSessionsInput{FleetId: &fleet, AliasId: &alias}, lift.InvalidRequest, "exactly one"},
		{api.SearchGameSessionsInput{AliasId: &alias}, lift.TerminalRoutingStrategy, "gone fishing"},
		{api.SearchGameSessionsInput{FleetId: new("fleet-none")}, lift.NotFound, "fleet-none"},
		{api.SearchGameSessionsInput{FleetId: &fleet, Location: new("eu-west-1")}, lift.NotFound, "eu-west-1"},
		{api.SearchGameSessionsInput{FleetId: &fleet, FilterExpression: new("maximumSessions >")}, lift.InvalidRequest, "FilterExpression, at character 18"},
		{api.SearchGameSessionsInput{FleetId: &fleet, SortExpression: new("maximumSessions")}, lift.InvalidRequest, "SortExpression, at character 16"},
		{api.SearchGameSessionsInput{FleetId: &fleet, Limit: new(0)}, lift.InvalidRequest, "Limit"},
		{api.SearchGameSessionsInput{FleetId: &fleet, NextToken: token, SortExpression: new("maximumSessions ASC")}, lift.InvalidRequest, "NextToken"},
		{api.SearchGameSessionsInput{FleetId: &fleet, NextToken: token, FilterExpression: new("maximumSessions > 1")}, lift.InvalidRequest, "NextToken"},
	} {
		_, err := w.SearchGameSessions(w.ctx, &c.in)
		refused(t, err, c.kind, c.words)
		if !op.Declares(string(c.kind) + "Exception") {
			t.Errorf("SearchGameSessions does not declare %s", c.kind)
		}
	}
	var empty api.Shape = &api.SearchGameSessionsInput{FleetId: &fleet, FilterExpression: new("")}
	if api.Check(empty) == nil {
		t.Error("an empty filter passes the checks of fields")
	}
}

// BenchmarkSearchGameSessions searches 2,000 ACTIVE sessions of one fleet.
func BenchmarkSearchGameSessions(b *testing.B) {
	w := newWorld(b)
	fleet := w.newFleet()
	err := w.engine.Update(w.ctx, func(tx *engine.Tx) error {
		for i := range 2000 {
			gs := &lift.GameSession{
				ID: lift.GameSessionARN("us-west-2", lift.FleetID(fleet), fmt.Sprint("s", i)), FleetID: lift.FleetID(fleet), Region: "us-west-2",
				Name: fmt.Sprint("session ", i), Status: lift.SessionActive, MaxPlayers: 10, PlayerCount: i % 11, CreatedAt: tx.Now,
				Properties: []lift.Property{{Key: "map", Value: []string{"river", "cave", "alps"}[i%3]}}, Data: strings.Repeat("d", 200),
			}
			if err := store.Sessions.Put(tx, gs); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	in := &api.SearchGameSessionsInput{
		FleetId:          &fleet,
		FilterExpression: new("hasAvailablePlayerSessions = true AND gameSessionProperties.map = 'river'"),
		SortExpression:   new("playerSessionCount DESC"),
	}
	for b.Loop() {
		out, err := w.SearchGameSessions(w.ctx, in)
		if err != nil || len(out.GameSessions) != 20 || !slices.IsSortedFunc(out.GameSessions, func(x, y api.GameSession) int { return *y.CurrentPlayerSessionCount - *x.CurrentPlayerSessionCount }) {
			b.Fatal(out, err)
		}
	}
}
