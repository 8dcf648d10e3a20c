package ops

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// teamRules is two teams of one or two.
const teamRules = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number","default":5}],
	"teams":[{"name":"red","minPlayers":1,"maxPlayers":2},{"name":"blue","minPlayers":1,"maxPlayers":2}]}`

// newArena is a court with matchmakers whose matches have four seats: "four"
// by hand, "auto" with automatic backfill, "polite" which asks.
func newArena(t *testing.T) *court {
	c := newCourt(t)
	must(c.CreateMatchmakingRuleSet(c.ctx, &api.CreateMatchmakingRuleSetInput{Name: "teams", RuleSetBody: teamRules}))(t)
	in := &api.CreateMatchmakingConfigurationInput{
		Name: "four", RuleSetName: "teams", RequestTimeoutSeconds: 60,
		GameSessionQueueArns: []string{lift.QueueARN("us-west-2", "123456789012", "q")},
	}
	must(c.CreateMatchmakingConfiguration(c.ctx, in))(t)
	in.Name, in.BackfillMode = "auto", new("AUTOMATIC")
	must(c.CreateMatchmakingConfiguration(c.ctx, in))(t)
	in.Name, in.BackfillMode, in.AcceptanceRequired, in.AcceptanceTimeoutSeconds = "polite", nil, true, new(10)
	must(c.CreateMatchmakingConfiguration(c.ctx, in))(t)
	must(c.CreateMatchmakingConfiguration(c.ctx, standaloneIn("free", "teams")))(t)
	return c
}

// play makes a match of the tickets a and b and brings it to its game session.
func (c *court) play(configuration string) (session string) {
	c.t.Helper()
	c.start(configuration, "a", 1)
	c.start(configuration, "b", 2)
	c.match()
	if configuration == "polite" {
		c.answer("a", "ACCEPT")
		c.answer("b", "ACCEPT")
	}
	c.turn()
	session = c.sessions()[0]
	c.activate(session)
	c.expect("a COMPLETED", "b COMPLETED")
	c.take()
	return session
}

// fill asks for players for the match of a and b.
func (c *court) fill(configuration, ticket, session string) (*api.StartMatchBackfillOutput, error) {
	in := &api.StartMatchBackfillInput{TicketId: &ticket, ConfigurationName: configuration, Players: []api.Player{
		{PlayerId: new("p-a"), Team: new("red"), PlayerAttributes: map[string]api.AttributeValue{"skill": {N: new(1.0)}}},
		{PlayerId: new("p-b"), Team: new("blue")},
	}}
	if session != "" {
		in.GameSessionArn = &session
	}
	return c.StartMatchBackfill(c.ctx, in)
}

// updates lists what game servers were told since the last call: the reason and
// the ticket of each, and the session as told last.
func (c *court) updates() (told []string, last lift.GameSession) {
	for _, eff := range c.take() {
		if u := eff.UpdateSession; u != nil {
			told = append(told, u.Reason+" "+u.Ticket)
			last = u.Session
		}
	}
	return told, last
}

func (c *court) told(want ...string) lift.GameSession {
	c.t.Helper()
	got, last := c.updates()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		c.t.Errorf("the game server was told %q, want %q", got, want)
	}
	return last
}

// roster reads matchmaker data: "red: p-a p-c, blue: p-b", and the automatic
// backfill ticket.
func roster(t *testing.T, data string) (teams, auto string) {
	t.Helper()
	var d struct {
		Teams []struct {
			Name    string
			Players []struct{ PlayerID string }
		}
		AutoBackfillMode, AutoBackfillTicketID *string
	}
	if err := json.Unmarshal([]byte(data), &d); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, team := range d.Teams {
		line := team.Name + ":"
		for _, p := range team.Players {
			line += " " + p.PlayerID
		}
		parts = append(parts, line)
	}
	return strings.Join(parts, ", "), or(d.AutoBackfillMode, "") + or(d.AutoBackfillTicketID, "")
}

// A backfill ticket brings new players into the session that runs, beside those
// who play; the game server learns the new teams.
func TestBackfill(t *testing.T) {
	c := newArena(t)
	session := c.play("four")
	out := must(c.fill("four", "more", session))(t).MatchmakingTicket
	if *out.Status != "QUEUED" || *out.Players[0].Team != "red" || *out.TicketId != "more" {
		t.Errorf("got %+v", out)
	}
	c.match()
	c.expect("more SEARCHING") // alone it is no match
	slots := map[string]string{}
	for _, id := range []string{"a", "b"} {
		placed := c.ticket(id).GameSessionConnectionInfo.MatchedPlayerSessions
		slots["p-"+id] = *placed[0].PlayerSessionId
	}
	host := c.hostOf(session)
	c.tell(host.InstanceID, lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: host.ID, SessionID: lift.GameSessionID(session), PlayerID: lift.PlayerSessionID(slots["p-b"])}})
	c.tell(host.InstanceID, lift.Event{RemovePlayer: &lift.RemovePlayer{ProcessID: host.ID, SessionID: lift.GameSessionID(session), PlayerID: lift.PlayerSessionID(slots["p-b"])}})
	c.start("four", "c", 3)
	c.match()
	c.expect("more COMPLETED", "c COMPLETED")
	gs := c.told("MATCHMAKING_DATA_UPDATED more")
	if teams, auto := roster(t, gs.MatchmakerData); teams != "red: p-a p-c, blue: p-b" && teams != "red: p-a, blue: p-b p-c" || auto != "" {
		t.Errorf("the server was told of %s, automatic ticket %q", teams, auto)
	}
	shown := must(c.DescribeGameSessions(c.ctx, &api.DescribeGameSessionsInput{GameSessionId: &session}))(t).GameSessions[0]
	if *shown.CurrentPlayerSessionCount != 2 || *shown.MatchmakerData != gs.MatchmakerData {
		t.Errorf("session %+v", shown)
	}
	tk := c.ticket("c")
	info := tk.GameSessionConnectionInfo
	if *info.GameSessionArn != session || len(info.MatchedPlayerSessions) != 1 || *info.MatchedPlayerSessions[0].PlayerId != "p-c" || *info.Port == 0 {
		t.Errorf("connection info %+v", info)
	}
	ps := must(c.DescribePlayerSessions(c.ctx, &api.DescribePlayerSessionsInput{PlayerSessionId: info.MatchedPlayerSessions[0].PlayerSessionId}))(t).PlayerSessions
	if len(ps) != 1 || *ps[0].Status != "RESERVED" || *ps[0].GameSessionId != session {
		t.Errorf("player session %+v", ps)
	}
	// The backfill ticket lists the slots of its own players, but for b, who left.
	info = c.ticket("more").GameSessionConnectionInfo
	if *info.GameSessionArn != session || *info.PlayerGatewayStatus != "DISABLED" || len(info.MatchedPlayerSessions) != 1 ||
		*info.MatchedPlayerSessions[0].PlayerId != "p-a" || *info.MatchedPlayerSessions[0].PlayerSessionId != slots["p-a"] {
		t.Errorf("connection info of the backfill ticket %+v", info)
	}
	if len(c.sessions()) != 1 {
		t.Error("another session was made")
	}
}

// Each story begins with a backfill ticket that searches and ends it in another
// way; the server is told how.
func TestBackfillEnds(t *testing.T) {
	for name, story := range map[string]func(t *testing.T, c *court, session string){
		"in time": func(t *testing.T, c *court, _ string) {
			c.pass(time.Minute)
			c.expect("more TIMED_OUT TimedOut")
			c.told("BACKFILL_TIMED_OUT more")
		},
		"by request": func(t *testing.T, c *court, session string) {
			must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "more"}))(t)
			c.expect("more CANCELLED Cancelled")
			c.told("BACKFILL_CANCELLED more")
			must(c.fill("four", "again", session))(t)
		},
		"replaced": func(t *testing.T, c *court, session string) {
			must(c.fill("four", "newer", session))(t)
			c.expect("more CANCELLED Cancelled", "newer QUEUED")
			c.told("BACKFILL_CANCELLED more")
			c.start("four", "c", 1)
			c.match()
			c.expect("newer COMPLETED", "c COMPLETED")
		},
		"with its session": func(t *testing.T, c *court, session string) {
			host := c.hostOf(session)
			c.tell(host.InstanceID, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: host.ID}})
			c.expect("more CANCELLED Cancelled")
			if why := *c.ticket("more").StatusMessage; why != "The game session has ended." {
				t.Error(why)
			}
			c.told() // nobody is there
			c.start("four", "c", 1)
			c.match()
			c.expect("c SEARCHING")
		},
		"with its session's order to end": func(t *testing.T, c *court, session string) {
			must(c.TerminateGameSession(c.ctx, &api.TerminateGameSessionInput{GameSessionId: session, TerminationMode: "TRIGGER_ON_PROCESS_TERMINATE"}))(t)
			c.expect("more CANCELLED Cancelled")
		},
		"as a player leaves for another match": func(t *testing.T, c *court, _ string) {
			must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: new("elsewhere"), ConfigurationName: "alone", Players: []api.Player{{PlayerId: new("p-b")}}}))(t)
			c.expect("more CANCELLED PlayerRequeued", "elsewhere QUEUED")
			c.told("BACKFILL_CANCELLED more")
		},
		"for lack of room": func(t *testing.T, c *court, session string) {
			must(c.CreatePlayerSessions(c.ctx, &api.CreatePlayerSessionsInput{GameSessionId: session, PlayerIds: []string{"x", "y"}}))(t)
			c.start("four", "c", 1)
			c.match()
			c.expect("more FAILED PlacementFailed", "c SEARCHING PlacementFailed")
			c.told("BACKFILL_FAILED more")
			c.start("four", "d", 1)
			c.match()
			c.expect("c PLACING", "d PLACING")
		},
		"at a closed door": func(t *testing.T, c *court, session string) {
			must(c.UpdateGameSession(c.ctx, &api.UpdateGameSessionInput{GameSessionId: session, PlayerSessionCreationPolicy: new("DENY_ALL")}))(t)
			c.expect("more SEARCHING") // it may open again
			c.start("four", "c", 1)
			c.match()
			c.expect("more FAILED PlacementFailed", "c SEARCHING PlacementFailed")
			_, err := c.fill("four", "closed", session)
			refused(t, err, lift.InvalidRequest, "GameSessionArn", "DENY_ALL", "UpdateGameSession")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newArena(t)
			session := c.play("four")
			must(c.fill("four", "more", session))(t)
			c.match()
			c.expect("more SEARCHING")
			c.sinks = []string{"bus"} // somebody hears of it
			story(t, c, session)
		})
	}
}

// Only the new players of a backfill are asked; whatever they answer, its
// ticket goes on.
func TestBackfillAsksNewPlayersOnly(t *testing.T) {
	c := newArena(t)
	session := c.play("polite")
	must(c.fill("polite", "more", session))(t)
	c.start("polite", "c", 1)
	c.match()
	c.expect("more REQUIRES_ACCEPTANCE", "c REQUIRES_ACCEPTANCE")
	_, err := c.AcceptMatch(c.ctx, &api.AcceptMatchInput{TicketId: "more", PlayerIds: []string{"p-a"}, AcceptanceType: "REJECT"})
	refused(t, err, lift.InvalidRequest, "only the new players")
	c.answer("c", "REJECT")
	c.expect("more SEARCHING AcceptanceFailed", "c CANCELLED AcceptanceFailed")
	if team := *c.ticket("more").Players[0].Team; team != "red" {
		t.Errorf("a player of the match is in team %q now", team)
	}
	c.start("polite", "d", 1)
	c.match()
	c.expect("more REQUIRES_ACCEPTANCE", "d REQUIRES_ACCEPTANCE")
	must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "d"}))(t)
	c.expect("more SEARCHING AcceptanceFailed")
	c.start("polite", "e", 1)
	c.match()
	c.answer("e", "ACCEPT")
	c.expect("more COMPLETED", "e COMPLETED")
	c.told("MATCHMAKING_DATA_UPDATED more")
}

// A STANDALONE matchmaker knows no sessions: the tickets are done with teams.
func TestStandaloneBackfill(t *testing.T) {
	c := newArena(t)
	must(c.fill("free", "more", ""))(t)
	c.start("free", "c", 1)
	c.match()
	c.expect("more COMPLETED", "c COMPLETED")
	if tk := c.ticket("c"); tk.Players[0].Team == nil || tk.GameSessionConnectionInfo != nil {
		t.Errorf("got %+v", tk)
	}
	made := must(c.StartMatchBackfill(c.ctx, &api.StartMatchBackfillInput{
		ConfigurationName: "free", GameSessionArn: new("my-own"), Players: []api.Player{{PlayerId: new("x"), Team: new("red")}},
	}))(t).MatchmakingTicket
	if *made.TicketId == "" {
		t.Error("no ticket id was made")
	}
	must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: *made.TicketId}))(t)
	c.expect(*made.TicketId + " CANCELLED Cancelled")
	c.told()
}

// With BackfillMode AUTOMATIC a session asks for players by itself until it is
// full, and tells its server under which ticket.
func TestAutomaticBackfill(t *testing.T) {
	c := newArena(t)
	c.start("auto", "a", 1)
	c.start("auto", "b", 2)
	c.match()
	c.turn()
	session := c.sessions()[0]
	var begun string
	for _, eff := range c.take() {
		if eff.StartSession != nil {
			_, begun = roster(t, eff.StartSession.Session.MatchmakerData)
		}
	}
	first := strings.TrimPrefix(begun, "AUTOMATIC")
	if first == begun || first == "" {
		t.Fatalf("the server began with automatic ticket %q", begun)
	}
	if ts := must(c.DescribeMatchmaking(c.ctx, &api.DescribeMatchmakingInput{TicketIds: []string{first}}))(t).TicketList; len(ts) != 0 {
		t.Error("the session is not ACTIVE yet and wants players")
	}
	c.activate(session)
	c.match()
	c.expect("a COMPLETED", "b COMPLETED", first+" SEARCHING")
	if got := c.ticket(first); len(got.Players) != 2 || got.Players[0].Team == nil || *got.Players[0].PlayerAttributes["skill"].N == 0 {
		t.Errorf("automatic ticket %+v", got)
	}

	// One that times out is followed by another.
	c.pass(time.Minute)
	c.expect(first + " TIMED_OUT TimedOut")
	_, auto := roster(t, c.told("BACKFILL_TIMED_OUT "+first).MatchmakerData)
	second := strings.TrimPrefix(auto, "AUTOMATIC")
	c.match()
	c.expect(second + " SEARCHING")

	// A player who looks for another match ends the ticket and is not sent back
	// by the next.
	must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: new("b2"), ConfigurationName: "auto", Players: []api.Player{{PlayerId: new("p-b")}}}))(t)
	c.expect(second + " CANCELLED PlayerRequeued")
	_, auto = roster(t, c.told("BACKFILL_CANCELLED "+second).MatchmakerData)
	third := strings.TrimPrefix(auto, "AUTOMATIC")
	c.match()
	c.expect("b2 SEARCHING", third+" SEARCHING")
	must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: new("b3"), ConfigurationName: "auto", Players: []api.Player{{PlayerId: new("p-b")}}}))(t)
	c.expect("b2 CANCELLED PlayerRequeued", third+" SEARCHING")
	must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "b3"}))(t)

	// Success is followed by another, until nothing is open.
	c.start("auto", "c", 3)
	c.match()
	c.expect("c COMPLETED", third+" COMPLETED")
	teams, auto := roster(t, c.told("MATCHMAKING_DATA_UPDATED "+third).MatchmakerData)
	fourth := strings.TrimPrefix(auto, "AUTOMATIC")
	if fourth == "" || !strings.Contains(teams, "p-b") || !strings.Contains(teams, "p-c") {
		t.Errorf("teams %s, next ticket %q", teams, fourth)
	}
	c.start("auto", "d", 4)
	c.match()
	c.expect("d COMPLETED", fourth+" COMPLETED")
	if teams, auto = roster(t, c.told("MATCHMAKING_DATA_UPDATED "+fourth).MatchmakerData); auto != "AUTOMATIC" {
		t.Errorf("the full session of %s waits for players: %s", teams, auto)
	}
}

// Players who leave together end the automatic ticket once, and what follows it
// takes none of them back.
func TestAutomaticBackfillLeftByTwo(t *testing.T) {
	c := newArena(t)
	session := c.play("auto")
	gs := must(c.DescribeGameSessions(c.ctx, &api.DescribeGameSessionsInput{GameSessionId: &session}))(t).GameSessions[0]
	_, auto := roster(t, *gs.MatchmakerData)
	first := strings.TrimPrefix(auto, "AUTOMATIC")
	c.expect(first + " QUEUED")
	must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{
		TicketId: new("both"), ConfigurationName: "free", Players: []api.Player{{PlayerId: new("p-a")}, {PlayerId: new("p-b")}},
	}))(t)
	_, auto = roster(t, c.told("BACKFILL_CANCELLED "+first).MatchmakerData)
	c.expect(first+" CANCELLED PlayerRequeued", strings.TrimPrefix(auto, "AUTOMATIC")+" QUEUED", "both QUEUED")
}

// Automatic backfill ends for good when somebody says so, or shuts the door.
func TestAutomaticBackfillEnds(t *testing.T) {
	for name, end := range map[string]func(c *court, session, ticket string){
		"stopped": func(c *court, _, ticket string) {
			must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: ticket}))(c.t)
			c.told("BACKFILL_CANCELLED " + ticket)
		},
		"door shut": func(c *court, session, ticket string) {
			host := c.hostOf(session)
			c.tell(host.InstanceID, lift.Event{PlayerPolicy: &lift.SetPlayerPolicy{ProcessID: host.ID, SessionID: lift.GameSessionID(session), Policy: lift.DenyAll}})
			c.told("BACKFILL_CANCELLED " + ticket)
		},
		"over": func(c *court, session, _ string) {
			host := c.hostOf(session)
			c.tell(host.InstanceID, lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: host.ID}})
			c.told()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newArena(t)
			session := c.play("auto")
			gs := must(c.DescribeGameSessions(c.ctx, &api.DescribeGameSessionsInput{GameSessionId: &session}))(t).GameSessions[0]
			_, auto := roster(t, *gs.MatchmakerData)
			ticket := strings.TrimPrefix(auto, "AUTOMATIC")
			c.expect(ticket + " QUEUED")
			end(c, session, ticket)
			c.expect(ticket + " CANCELLED Cancelled")
			c.start("auto", "c", 1)
			c.match()
			c.expect("c SEARCHING")
			c.pass(time.Minute)
			c.told()
		})
	}
}

// Nor does a session ask for players who would find no room, as others took it,
// nor by a matchmaker that is gone.
func TestAutomaticBackfillInVain(t *testing.T) {
	for name, then := range map[string]func(c *court, session string){
		"full": func(c *court, session string) {
			must(c.CreatePlayerSessions(c.ctx, &api.CreatePlayerSessionsInput{GameSessionId: session, PlayerIds: []string{"x", "y"}}))(c.t)
			host := c.hostOf(session)
			for _, p := range must(c.DescribePlayerSessions(c.ctx, &api.DescribePlayerSessionsInput{GameSessionId: &session}))(c.t).PlayerSessions {
				c.tell(host.InstanceID, lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: host.ID, SessionID: lift.GameSessionID(session), PlayerID: lift.PlayerSessionID(*p.PlayerSessionId)}})
			}
		},
		"no matchmaker": func(c *court, _ string) { c.loseMatchmaker("auto") },
	} {
		t.Run(name, func(t *testing.T) {
			c := newArena(t)
			session := c.play("auto")
			_, auto := roster(t, *c.session(session).MatchmakerData)
			first := strings.TrimPrefix(auto, "AUTOMATIC")
			then(c, session)
			c.pass(time.Minute)
			c.expect(first + " TIMED_OUT TimedOut")
			if _, auto := roster(t, c.told("BACKFILL_TIMED_OUT "+first).MatchmakerData); auto != "AUTOMATIC" {
				t.Errorf("the server waits for players: %s", auto)
			}
			c.pass(time.Minute)
			c.told()
		})
	}
}

// loseMatchmaker deletes a configuration that tickets use. Nobody may; but of
// two servers one can start a ticket as the other deletes its configuration.
func (c *court) loseMatchmaker(name string) {
	c.t.Helper()
	if err := c.engine.Update(c.ctx, func(tx *engine.Tx) error { return store.Configurations.Delete(tx, "us-west-2/"+name) }); err != nil {
		c.t.Fatal(err)
	}
}

// Matches whose configuration is gone come to an end that their tickets tell.
func TestMatchesWithoutMatchmaker(t *testing.T) {
	c := newArena(t)
	c.start("auto", "a", 1)
	c.start("auto", "b", 1)
	c.match()
	c.turn()
	session := c.sessions()[0]
	c.start("polite", "c", 1)
	c.start("polite", "d", 1)
	c.match()
	c.loseMatchmaker("auto")
	c.loseMatchmaker("polite")
	c.activate(session)
	c.answer("c", "ACCEPT")
	c.answer("d", "ACCEPT")
	c.expect("a COMPLETED", "b COMPLETED", "c FAILED PlacementFailed", "d FAILED PlacementFailed")
	if _, auto := roster(t, *c.session(session).MatchmakerData); auto != "AUTOMATIC" {
		t.Errorf("the session waits for players: %s", auto)
	}
}

func TestBackfillRefusals(t *testing.T) {
	c := newArena(t)
	session := c.play("four")
	byHand := *must(c.CreateGameSession(c.ctx, &api.CreateGameSessionInput{FleetId: &c.fleet, MaximumPlayerSessionCount: 4}))(t).GameSession.GameSessionId
	c.activate(byHand)
	in := func(edit func(*api.StartMatchBackfillInput)) *api.StartMatchBackfillInput {
		in := &api.StartMatchBackfillInput{ConfigurationName: "four", GameSessionArn: &session, Players: []api.Player{{PlayerId: new("p-a"), Team: new("red")}}}
		edit(in)
		return in
	}
	op := api.Find("StartMatchBackfill")
	for name, r := range map[string]struct {
		in    *api.StartMatchBackfillInput
		kind  lift.Kind
		words []string
	}{
		"no such configuration": {in(func(in *api.StartMatchBackfillInput) { in.ConfigurationName = "none" }), lift.NotFound, []string{"none"}},
		"no session":            {in(func(in *api.StartMatchBackfillInput) { in.GameSessionArn = nil }), lift.InvalidRequest, []string{"GameSessionArn", "WITH_QUEUE"}},
		"unknown session":       {in(func(in *api.StartMatchBackfillInput) { in.GameSessionArn = new(session + "0") }), lift.NotFound, []string{"GameSessionArn"}},
		"a session by hand":     {in(func(in *api.StartMatchBackfillInput) { in.GameSessionArn = &byHand }), lift.InvalidRequest, []string{"GameSessionArn", "not made by matchmaking"}},
		"no players":            {in(func(in *api.StartMatchBackfillInput) { in.Players = nil }), lift.InvalidRequest, []string{"1 to 199"}},
		"200 players":           {in(func(in *api.StartMatchBackfillInput) { in.Players = make([]api.Player, 200) }), lift.InvalidRequest, []string{"got 200"}},
		"no team":               {in(func(in *api.StartMatchBackfillInput) { in.Players[0].Team = nil }), lift.InvalidRequest, []string{"Players[0].Team is required"}},
		"unknown team":          {in(func(in *api.StartMatchBackfillInput) { in.Players[0].Team = new("green") }), lift.InvalidRequest, []string{"Players[0].Team", "green", "red, blue"}},
		"overfull team": {in(func(in *api.StartMatchBackfillInput) {
			for i := range 2 {
				in.Players = append(in.Players, api.Player{PlayerId: new(fmt.Sprint(i)), Team: new("red")})
			}
		}), lift.InvalidRequest, []string{"Players[2].Team", "at most 2"}},
		"known ticket": {in(func(in *api.StartMatchBackfillInput) { in.TicketId = new("a") }), lift.InvalidRequest, []string{"TicketId", "a already"}},
		"undeclared": {in(func(in *api.StartMatchBackfillInput) {
			in.Players[0].PlayerAttributes = map[string]api.AttributeValue{"x": {N: new(1.0)}}
		}), lift.InvalidRequest, []string{"Players[0].PlayerAttributes", "x"}},
		"wrong type": {in(func(in *api.StartMatchBackfillInput) {
			in.Players[0].PlayerAttributes = map[string]api.AttributeValue{"skill": {S: new("high")}}
		}), lift.InvalidRequest, []string{"Players[0].PlayerAttributes", "skill"}},
		"nobody":             {in(func(in *api.StartMatchBackfillInput) { in.Players[0].PlayerId = nil }), lift.InvalidRequest, []string{"Players[0].PlayerId"}},
		"a player twice":     {in(func(in *api.StartMatchBackfillInput) { in.Players = append(in.Players, in.Players[0]) }), lift.InvalidRequest, []string{"Players[1].PlayerId"}},
		"latency of nothing": {in(func(in *api.StartMatchBackfillInput) { in.Players[0].LatencyInMs = map[string]int{"us-west-2": 0} }), lift.InvalidRequest, []string{`Players[0].LatencyInMs["us-west-2"]`}},
	} {
		_, err := c.StartMatchBackfill(c.ctx, r.in)
		t.Run(name, func(t *testing.T) { refused(t, err, r.kind, r.words...) })
		if !op.Declares(string(r.kind) + "Exception") {
			t.Errorf("StartMatchBackfill does not declare %sException", r.kind)
		}
	}
	_, err := c.StartMatchBackfill(c.in("eu-west-1"), in(func(*api.StartMatchBackfillInput) {}))
	refused(t, err, lift.NotFound, "eu-west-1")
	host := c.hostOf(session)
	c.tell(host.InstanceID, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: host.ID}})
	_, err = c.fill("four", "late", session)
	refused(t, err, lift.InvalidRequest, "GameSessionArn", "TERMINATED")
	c.told()
}

// A game server asks for players itself, through its agent, for its own session
// only.
func TestGameServersAskForBackfill(t *testing.T) {
	c := newArena(t)
	session := c.play("four")
	host := c.hostOf(session)
	arn := "arn:aws:gamelift:us-west-2:123456789012:matchmakingconfiguration/four"
	players := []lift.TicketPlayer{
		{ID: "p-a", Team: "red", Attributes: map[string]lift.Attribute{"skill": {N: new(1.0)}}},
		{ID: "p-b", Team: "blue"},
	}
	start := func(edit func(*lift.StartBackfill)) lift.Reply {
		ev := lift.StartBackfill{ProcessID: host.ID, SessionID: lift.GameSessionID(session), Configuration: arn, Players: players}
		edit(&ev)
		return c.tell(host.InstanceID, lift.Event{StartBackfill: &ev})
	}
	stop := func(edit func(*lift.StopBackfill)) lift.Reply {
		ev := lift.StopBackfill{ProcessID: host.ID, SessionID: lift.GameSessionID(session), Configuration: arn}
		edit(&ev)
		return c.tell(host.InstanceID, lift.Event{StopBackfill: &ev})
	}
	free := "arn:aws:gamelift:us-west-2:123456789012:matchmakingconfiguration/free"
	_, stranger := c.activeFleet()
	idle := lift.ProcessID(fmt.Sprintf("proc-%s-p1", stranger))
	c.start("four", "x", 1)
	c.start("four", "y", 2)
	c.match()
	c.turn()
	for _, other := range c.sessions() {
		if other != session {
			c.activate(other)
			must(c.StartMatchBackfill(c.ctx, &api.StartMatchBackfillInput{TicketId: new("theirs"), ConfigurationName: "four", GameSessionArn: &other, Players: []api.Player{{PlayerId: new("p-x"), Team: new("red")}}}))(t)
		}
	}
	for name, r := range map[string]struct {
		got    lift.Reply
		status int
		words  string
	}{
		"another instance":       {c.tell(stranger, lift.Event{StartBackfill: &lift.StartBackfill{ProcessID: host.ID, SessionID: lift.GameSessionID(session), Configuration: arn, Players: players}}), 403, "another instance"},
		"no session at all":      {c.tell(stranger, lift.Event{StartBackfill: &lift.StartBackfill{ProcessID: idle, SessionID: lift.GameSessionID(session), Configuration: arn, Players: players}}), 404, "does not host"},
		"another matchmaker":     {stop(func(ev *lift.StopBackfill) { ev.TicketID, ev.Configuration = "theirs", free }), 404, "no backfill ticket theirs"},
		"another session's":      {stop(func(ev *lift.StopBackfill) { ev.TicketID = "theirs" }), 403, "another game session"},
		"another account":        {start(func(ev *lift.StartBackfill) { ev.Configuration = strings.Replace(arn, "123456789012", "1", 1) }), 404, "no matchmaking configuration"},
		"another session":        {start(func(ev *lift.StartBackfill) { ev.SessionID += "0" }), 404, "does not host"},
		"no ARN":                 {start(func(ev *lift.StartBackfill) { ev.Configuration = "four" }), 400, "MatchmakingConfigurationArn"},
		"no such matchmaker":     {start(func(ev *lift.StartBackfill) { ev.Configuration += "0" }), 404, "four0"},
		"no players":             {start(func(ev *lift.StartBackfill) { ev.Players = nil }), 400, "1 to 199"},
		"an unknown team":        {start(func(ev *lift.StartBackfill) { ev.Players = []lift.TicketPlayer{{ID: "x", Team: "green"}} }), 400, "Players[0].Team"},
		"stop of nothing":        {stop(func(ev *lift.StopBackfill) { ev.TicketID = "none" }), 404, "none"},
		"stop of players' own":   {stop(func(ev *lift.StopBackfill) { ev.TicketID = "a" }), 404, "no backfill ticket a"},
		"stop without a session": {stop(func(ev *lift.StopBackfill) { ev.SessionID = "" }), 404, "does not host"},
	} {
		if r.got.Status != r.status || !strings.Contains(r.got.Message, r.words) {
			t.Errorf("%s: got %+v", name, r.got)
		}
	}
	must(c.fill("free", "own", ""))(t) // of a matchmaker that knows no game sessions
	if r := stop(func(ev *lift.StopBackfill) { ev.TicketID, ev.Configuration = "own", free }); r.Status != 200 {
		t.Errorf("stop: %+v", r)
	}
	c.expect("own CANCELLED Cancelled", "theirs QUEUED")
	must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "theirs"}))(t)
	c.take()
	r := start(func(*lift.StartBackfill) {})
	if r.Status != 200 || r.TicketID == "" {
		t.Fatalf("got %+v", r)
	}
	if r := stop(func(ev *lift.StopBackfill) { ev.TicketID = r.TicketID }); r.Status != 200 {
		t.Errorf("stop: %+v", r)
	}
	c.expect(string(r.TicketID) + " CANCELLED Cancelled")
	if r := stop(func(ev *lift.StopBackfill) { ev.TicketID = r.TicketID }); r.Status != 400 || !strings.Contains(r.Message, "CANCELLED") {
		t.Errorf("stop again: %+v", r)
	}
	c.take()
	if r := start(func(ev *lift.StartBackfill) { ev.TicketID = "more" }); r.Status != 200 || r.TicketID != "more" {
		t.Errorf("got %+v", r)
	}
	c.start("four", "c", 1)
	c.match()
	c.expect("c COMPLETED", "more COMPLETED")
	c.told("MATCHMAKING_DATA_UPDATED more")
}

// An empty list is a value, and stays one in the store.
func TestEmptyLists(t *testing.T) {
	c := newCourt(t)
	for _, id := range []string{"a", "b"} {
		must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: &id, ConfigurationName: "alone", Players: []api.Player{
			{PlayerId: new("p-" + id), PlayerAttributes: map[string]api.AttributeValue{"maps": {SL: []string{}}}},
		}}))(t)
	}
	c.match()
	c.expect("a COMPLETED", "b COMPLETED")
	if maps := c.ticket("a").Players[0].PlayerAttributes["maps"].SL; maps == nil {
		t.Error("the list is gone")
	}
}
