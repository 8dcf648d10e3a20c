package ops

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine/matcher"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// skillRules is a duel of players within 10 points of each other.
const skillRules = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number","default":5},{"name":"maps","type":"string_list","default":["a"]}],
	"teams":[{"name":"red","minPlayers":1,"maxPlayers":1},{"name":"blue","minPlayers":1,"maxPlayers":1}],
	"rules":[{"name":"near","type":"batchDistance","batchAttribute":"skill","maxDistance":10}]}`

// court is a world with a queue over a fleet and matchmakers that use them.
type court struct {
	*world
	fleet string
}

func newCourt(t *testing.T) *court {
	w := newWorld(t)
	c := &court{world: w}
	c.fleet, _ = w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(4) })
	must(w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{
		Name: "q", TimeoutInSeconds: new(20), Destinations: []api.GameSessionQueueDestination{{DestinationArn: opt(lift.FleetARN("us-west-2", lift.FleetID(c.fleet)))}},
	}))(t)
	must(w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: "skill", RuleSetBody: skillRules}))(t)
	in := &api.CreateMatchmakingConfigurationInput{
		Name: "queue", RuleSetName: "skill", RequestTimeoutSeconds: 60, GameSessionData: new("data"), GameProperties: []api.GameProperty{{Key: "k", Value: "v"}},
		GameSessionQueueArns: []string{lift.QueueARN("us-west-2", "123456789012", "q")},
	}
	must(w.CreateMatchmakingConfiguration(w.ctx, in))(t)
	in.Name, in.AcceptanceRequired, in.AcceptanceTimeoutSeconds = "asks", true, new(10)
	must(w.CreateMatchmakingConfiguration(w.ctx, in))(t)
	must(w.CreateMatchmakingConfiguration(w.ctx, standaloneIn("alone", "skill")))(t)
	return c
}

// start asks for a match of one player, who is called as the ticket is.
func (c *court) start(configuration, id string, skill float64) {
	c.t.Helper()
	out := must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{
		TicketId: &id, ConfigurationName: configuration,
		Players: []api.Player{{PlayerId: new("p-" + id), PlayerAttributes: map[string]api.AttributeValue{"skill": {N: &skill}}, LatencyInMs: map[string]int{"us-west-2": 20}}},
	}))(c.t).MatchmakingTicket
	if *out.Status != "QUEUED" || !out.StartTime.Equal(c.now) {
		c.t.Errorf("a new ticket: %+v", out)
	}
}

// match drives every pool once, made anew as after a restart.
func (c *court) match() {
	c.t.Helper()
	if err := matcher.New(c.engine, slog.New(slog.DiscardHandler)).Round(c.ctx); err != nil {
		c.t.Fatal(err)
	}
}

func (c *court) ticket(id string) api.MatchmakingTicket {
	c.t.Helper()
	ts := must(c.DescribeMatchmaking(c.ctx, &api.DescribeMatchmakingInput{TicketIds: []string{id}}))(c.t).TicketList
	if len(ts) != 1 {
		c.t.Fatalf("ticket %s: %d found", id, len(ts))
	}
	return ts[0]
}

// expect checks tickets written as "a COMPLETED", with a reason behind it if
// there is one.
func (c *court) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		id, status, _ := strings.Cut(w, " ")
		t := c.ticket(id)
		got := *t.Status
		if t.StatusReason != nil {
			got += " " + *t.StatusReason
		}
		if got != status {
			c.t.Errorf("ticket %s is %s, want %s", id, got, status)
		}
	}
}

func (c *court) answer(id, how string) {
	c.t.Helper()
	must(c.AcceptMatch(c.ctx, &api.AcceptMatchInput{TicketId: id, PlayerIds: []string{"p-" + id}, AcceptanceType: how}))(c.t)
}

// sessions lists the game sessions of the fleet.
func (c *court) sessions() (ids []string) {
	c.t.Helper()
	for _, s := range must(c.DescribeGameSessions(c.ctx, &api.DescribeGameSessionsInput{FleetId: &c.fleet}))(c.t).GameSessions {
		ids = append(ids, *s.GameSessionId)
	}
	return ids
}

// A match of a WITH_QUEUE matchmaker becomes a game session in which its
// players have slots, and each ticket says where its own players play.
func TestMatchmakingToAGameSession(t *testing.T) {
	c := newCourt(t)
	c.start("queue", "a", 1)
	c.match()
	c.expect("a SEARCHING")
	c.start("queue", "far", 50)
	c.pass(time.Second)
	c.start("arn:aws:gamelift:us-west-2:123456789012:matchmakingconfiguration/queue", "b", 9)
	c.match()
	c.expect("a PLACING", "b PLACING", "far SEARCHING")
	c.match()
	c.turn()
	ids := c.sessions()
	if len(ids) != 1 {
		t.Fatalf("%d game sessions", len(ids))
	}
	c.expect("a PLACING", "b PLACING")
	if c.ticket("a").GameSessionConnectionInfo != nil {
		t.Error("a ticket says where to play before there is anything to play")
	}
	_, err := c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "a"})
	refused(t, err, lift.InvalidRequest, "Matchmaking ticket is in PLACING status and cannot be canceled.")
	c.activate(ids[0])
	c.expect("a COMPLETED", "b COMPLETED", "far SEARCHING")

	players := must(c.DescribePlayerSessions(c.ctx, &api.DescribePlayerSessionsInput{GameSessionId: &ids[0]}))(t).PlayerSessions
	if len(players) != 2 {
		t.Fatalf("%d players", len(players))
	}
	teams := ""
	for _, id := range []string{"a", "b"} {
		tk := c.ticket(id)
		info := tk.GameSessionConnectionInfo
		i := slices.IndexFunc(players, func(p api.PlayerSession) bool { return *p.PlayerId == "p-"+id })
		want := &api.GameSessionConnectionInfo{
			GameSessionArn: &ids[0], IpAddress: new("10.0.0.7"), DnsName: info.DnsName, Port: players[i].Port,
			MatchedPlayerSessions: []api.MatchedPlayerSession{{PlayerId: new("p-" + id), PlayerSessionId: players[i].PlayerSessionId}},
			PlayerGatewayStatus:   new("DISABLED"),
		}
		if d := cmp.Diff(want, info); d != "" {
			t.Error(d)
		}
		teams += *tk.Players[0].Team + " "
		if tk.EndTime.IsZero() || *tk.ConfigurationArn != "arn:aws:gamelift:us-west-2:123456789012:matchmakingconfiguration/queue" {
			t.Errorf("got %+v", tk)
		}
	}
	for metric, want := range map[string]int{"Placement": 1, "PlacementsSucceeded": 1, "MatchesPlaced": 1, "MatchesCreated": 1, "TimeToFirstPass": 3, "TicketsStarted": 3} {
		if got := c.counted[metric+" us-west-2"]; got != want {
			t.Errorf("%s is counted %d times, want %d", metric, got, want)
		}
	}
	if teams != "red blue " && teams != "blue red " {
		t.Errorf("teams %s", teams)
	}
	gs := must(c.DescribeGameSessions(c.ctx, &api.DescribeGameSessionsInput{GameSessionId: &ids[0]}))(t).GameSessions[0]
	if *gs.GameSessionData != "data" || len(gs.GameProperties) != 1 || *gs.MaximumPlayerSessionCount != 2 {
		t.Errorf("game session %+v", gs)
	}
	var data struct {
		MatchID string
		Arn     string `json:"matchmakingConfigurationArn"`
		Teams   []struct {
			Name    string
			Players []struct {
				PlayerID   string
				Attributes map[string]struct {
					AttributeType  string
					ValueAttribute any
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(*gs.MatchmakerData), &data); err != nil {
		t.Fatal(err)
	}
	attributes := fmt.Sprint(data.Teams[0].Players[0].Attributes["skill"].AttributeType, data.Teams[0].Players[0].Attributes["maps"].ValueAttribute)
	if len(data.Teams) != 2 || data.Teams[0].Name != "red" || attributes != "DOUBLE[a]" || data.MatchID == "" || data.Arn == "" ||
		!strings.Contains(*gs.MatchmakerData, `"valueAttribute":9.0`) || !strings.Contains(*gs.MatchmakerData, `"autoBackfillTicketId":null`) {
		t.Errorf("matchmaker data %s", *gs.MatchmakerData)
	}
	for _, eff := range c.take() {
		if eff.StartSession != nil && eff.StartSession.Session.MatchmakerData != *gs.MatchmakerData {
			t.Errorf("the game server got %q", eff.StartSession.Session.MatchmakerData)
		}
	}
}

// STANDALONE tickets are done when they are matched, with teams and no session.
func TestStandalone(t *testing.T) {
	c := newCourt(t)
	c.start("alone", "a", 1)
	c.start("alone", "b", 2)
	c.match()
	c.expect("a COMPLETED", "b COMPLETED")
	if tk := c.ticket("a"); tk.Players[0].Team == nil || tk.GameSessionConnectionInfo != nil {
		t.Errorf("got %+v", tk)
	}
	// Nor is anything left of a match that its players accepted.
	must(c.UpdateMatchmakingConfiguration(c.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "alone", AcceptanceRequired: new(true), AcceptanceTimeoutSeconds: new(10)}))(t)
	c.start("alone", "c", 1)
	c.start("alone", "d", 2)
	c.match()
	c.answer("c", "ACCEPT")
	c.answer("d", "ACCEPT")
	c.expect("c COMPLETED", "d COMPLETED")
	for row := range c.rows() {
		if strings.HasPrefix(row, "match ") {
			t.Errorf("%s is left", row)
		}
	}
	if ids := c.sessions(); len(ids) != 0 {
		t.Errorf("%d game sessions", len(ids))
	}
}

// Each story proposes a match of a and b and ends it in another way.
func TestAcceptance(t *testing.T) {
	for name, story := range map[string]func(*testing.T, *court){
		"all accept": func(t *testing.T, c *court) {
			c.answer("a", "ACCEPT")
			c.expect("a REQUIRES_ACCEPTANCE", "b REQUIRES_ACCEPTANCE")
			c.answer("a", "ACCEPT") // again is no more
			c.expect("a REQUIRES_ACCEPTANCE", "b REQUIRES_ACCEPTANCE")
			c.answer("b", "ACCEPT")
			c.expect("a PLACING", "b PLACING")
			c.pass(15 * time.Second) // the time to answer means nothing any more
			c.expect("a PLACING", "b PLACING")
			c.activate(c.sessions()[0])
			c.expect("a COMPLETED", "b COMPLETED")
		},
		"a party accepts one by one": func(t *testing.T, c *court) {
			for _, id := range []string{"a", "b"} {
				must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: id}))(t)
			}
			must(c.CreateMatchmakingRuleSet(c.ctx, &api.CreateMatchmakingRuleSetInput{Name: "three", RuleSetBody: strings.Replace(pairsRules, `"minPlayers":1`, `"minPlayers":2`, 1)}))(t)
			must(c.UpdateMatchmakingConfiguration(c.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "asks", RuleSetName: new("three")}))(t)
			must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: new("two"), ConfigurationName: "asks", Players: []api.Player{{PlayerId: new("p-1")}, {PlayerId: new("p-2")}}}))(t)
			must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: new("one"), ConfigurationName: "asks", Players: []api.Player{{PlayerId: new("p-one")}}}))(t)
			c.match()
			c.answer("one", "ACCEPT")
			for _, p := range []string{"p-1", "p-2"} {
				c.expect("two REQUIRES_ACCEPTANCE", "one REQUIRES_ACCEPTANCE")
				must(c.AcceptMatch(c.ctx, &api.AcceptMatchInput{TicketId: "two", PlayerIds: []string{p}, AcceptanceType: "ACCEPT"}))(t)
			}
			c.expect("two PLACING", "one PLACING")
		},
		"one rejects": func(t *testing.T, c *court) {
			c.answer("a", "ACCEPT")
			c.answer("b", "REJECT")
			c.expect("a SEARCHING AcceptanceFailed", "b CANCELLED AcceptanceFailed")
			c.start("asks", "d", 1)
			c.match()
			c.expect("a REQUIRES_ACCEPTANCE", "d REQUIRES_ACCEPTANCE")
		},
		"one is silent": func(t *testing.T, c *court) {
			c.answer("a", "ACCEPT")
			c.pass(9999 * time.Millisecond)
			c.expect("a REQUIRES_ACCEPTANCE", "b REQUIRES_ACCEPTANCE")
			c.pass(time.Millisecond)
			c.expect("a SEARCHING AcceptanceFailed", "b CANCELLED AcceptanceFailed")
			if tk := c.ticket("a"); tk.Players[0].Team != nil {
				t.Errorf("a still has team %s", *tk.Players[0].Team)
			}
			c.pass(50 * time.Second) // counted from its start
			c.expect("a TIMED_OUT TimedOut")
		},
		"one stops": func(t *testing.T, c *court) {
			must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "b"}))(t)
			c.expect("a SEARCHING AcceptanceFailed", "b CANCELLED Cancelled")
			c.pass(time.Minute)
			c.expect("a TIMED_OUT TimedOut")
		},
		"a stranger answers": func(t *testing.T, c *court) {
			_, err := c.AcceptMatch(c.ctx, &api.AcceptMatchInput{TicketId: "a", PlayerIds: []string{"p-b"}, AcceptanceType: "REJECT"})
			refused(t, err, lift.InvalidRequest, "p-b", "does not belong")
			c.expect("a REQUIRES_ACCEPTANCE", "b REQUIRES_ACCEPTANCE")
			why := strings.Join(must(c.ExplainTicket(c.ctx, &api.ExplainTicketInput{TicketId: "a"}))(t).Reasons, "\n")
			if !strings.Contains(why, "p-b of ticket b has not answered") {
				t.Error(why)
			}
		},
		"the player asks again": func(t *testing.T, c *court) {
			must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: new("new"), ConfigurationName: "alone", Players: []api.Player{{PlayerId: new("p-b")}}}))(t)
			c.expect("a SEARCHING AcceptanceFailed", "b CANCELLED PlayerRequeued", "new QUEUED")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			c.start("asks", "a", 1)
			c.start("asks", "b", 1)
			c.match()
			c.expect("a REQUIRES_ACCEPTANCE", "b REQUIRES_ACCEPTANCE")
			story(t, c)
		})
	}
}

// A ticket waits as long as its configuration said when it was made, is told
// why, and is forgotten a day after its end.
func TestTicketsTimeOut(t *testing.T) {
	c := newCourt(t)
	c.start("queue", "a", 1)
	c.start("queue", "b", 90)
	c.match()
	out := must(c.ExplainTicket(c.ctx, &api.ExplainTicketInput{TicketId: "a"}))(t)
	if why := strings.Join(out.Reasons, "\n"); !strings.Contains(why, "near") || !strings.Contains(why, "1m0s") {
		t.Errorf("why: %s", why)
	}
	_, err := c.DeleteMatchmakingConfiguration(c.ctx, &api.DeleteMatchmakingConfigurationInput{Name: "queue"})
	refused(t, err, lift.InvalidRequest, "ticket a is SEARCHING")
	c.pass(time.Minute - time.Millisecond)
	c.expect("a SEARCHING")
	c.pass(time.Millisecond)
	c.expect("a TIMED_OUT TimedOut", "b TIMED_OUT TimedOut")
	c.start("queue", "c", 1)
	c.match() // the dead are not matched
	c.expect("c SEARCHING", "a TIMED_OUT TimedOut")
	must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "c"}))(t)
	must(c.DeleteMatchmakingConfiguration(c.ctx, &api.DeleteMatchmakingConfigurationInput{Name: "queue"}))(t)
	c.pass(24*time.Hour - time.Second)
	c.ticket("a")
	c.pass(time.Second)
	if ts := must(c.DescribeMatchmaking(c.ctx, &api.DescribeMatchmakingInput{TicketIds: []string{"a"}}))(t).TicketList; len(ts) != 0 {
		t.Errorf("still remembered: %+v", ts)
	}
	c.start("alone", "a", 1) // its id is free again
}

// Tickets whose time is over are not matched any more, also before anybody has
// ended them.
func TestTooLateForAMatch(t *testing.T) {
	c := newCourt(t)
	c.start("alone", "a", 1)
	c.match()
	c.now = c.now.Add(time.Minute - time.Second)
	c.start("alone", "b", 1)
	c.now = c.now.Add(time.Second)
	c.match()
	c.expect("a SEARCHING", "b SEARCHING")
	c.turn()
	c.expect("a TIMED_OUT TimedOut", "b SEARCHING")
}

// A rule set that another of its name replaced is asked no more.
func TestRuleSetMadeAnew(t *testing.T) {
	c := newCourt(t)
	c.start("alone", "a", 1)
	must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "a"}))(t)
	for _, name := range []string{"queue", "asks", "alone"} {
		must(c.DeleteMatchmakingConfiguration(c.ctx, &api.DeleteMatchmakingConfigurationInput{Name: name}))(t)
	}
	must(c.DeleteMatchmakingRuleSet(c.ctx, &api.DeleteMatchmakingRuleSetInput{Name: "skill"}))(t)
	must(c.CreateMatchmakingRuleSet(c.ctx, &api.CreateMatchmakingRuleSetInput{Name: "skill", RuleSetBody: pairsRules}))(t)
	must(c.CreateMatchmakingConfiguration(c.ctx, standaloneIn("alone", "skill")))(t)
	_, err := c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{ConfigurationName: "alone", Players: []api.Player{
		{PlayerId: new("p"), PlayerAttributes: map[string]api.AttributeValue{"skill": {N: new(1.0)}}},
	}})
	refused(t, err, lift.InvalidRequest, "skill")
}

// Attributes of every type are kept, a list without its repetitions, and rules
// see them.
func TestAttributes(t *testing.T) {
	c := newCourt(t)
	must(c.CreateMatchmakingRuleSet(c.ctx, &api.CreateMatchmakingRuleSetInput{Name: "typed", RuleSetBody: `{"ruleLanguageVersion":"1.0","playerAttributes":[
		{"name":"mode","type":"string"},{"name":"skill","type":"number"},{"name":"maps","type":"string_list"},{"name":"roles","type":"string_number_map"}],
		"teams":[{"name":"all","minPlayers":2,"maxPlayers":2}],
		"rules":[{"name":"mode","type":"comparison","operation":"=","measurements":["flatten(teams[*].players.attributes[mode])"]}]}`}))(t)
	must(c.UpdateMatchmakingConfiguration(c.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "alone", RuleSetName: new("typed")}))(t)
	start := func(id, mode string) {
		must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: &id, ConfigurationName: "alone", Players: []api.Player{{PlayerId: &id, PlayerAttributes: map[string]api.AttributeValue{
			"mode": {S: &mode}, "skill": {N: new(1.0)}, "maps": {SL: []string{"x", "y", "x", "x", "z", "y"}}, "roles": {SDM: map[string]float64{"healer": 2}},
		}}}}))(t)
	}
	start("a", "race")
	start("b", "duel")
	c.match()
	c.expect("a SEARCHING", "b SEARCHING")
	start("c", "race")
	c.match()
	c.expect("a COMPLETED", "b SEARCHING", "c COMPLETED")
	want := map[string]api.AttributeValue{
		"mode": {S: new("race")}, "skill": {N: new(1.0)}, "maps": {SL: []string{"x", "y", "z"}}, "roles": {SDM: map[string]float64{"healer": 2}},
	}
	if d := cmp.Diff(want, c.ticket("a").Players[0].PlayerAttributes); d != "" {
		t.Error(d)
	}
}

// A match that finds no place sends its tickets back; one that never can ends
// them.
func TestPlacementsThatFail(t *testing.T) {
	c := newCourt(t)
	c.start("queue", "a", 1)
	c.start("queue", "b", 1)
	c.match()
	c.turn()
	session := c.sessions()[0]
	c.pass(20 * time.Second) // nobody activates the session
	c.expect("a SEARCHING PlacementTimedOut", "b SEARCHING PlacementTimedOut")
	if status := *c.session(session).Status; status != "TERMINATED" {
		t.Errorf("the session that they do not wait for is %s", status)
	}
	c.match()
	c.expect("a PLACING", "b PLACING")
	c.pass(0)
	c.pass(20 * time.Second)
	c.match()
	c.expect("a PLACING", "b PLACING")
	must(c.DeleteGameSessionQueue(c.ctx, &api.DeleteGameSessionQueueInput{Name: "q"}))(t)
	c.turn()
	c.expect("a FAILED PlacementFailed", "b FAILED PlacementFailed")
	c.start("queue", "a2", 1)
	c.start("queue", "b2", 1)
	c.match()
	c.expect("a2 FAILED PlacementFailed", "b2 FAILED PlacementFailed")
}

// A player is in one live ticket, and a match that is being placed keeps its.
func TestPlayersAskAgain(t *testing.T) {
	c := newCourt(t)
	again := func(id, player string) error {
		_, err := c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: &id, ConfigurationName: "alone", Players: []api.Player{{PlayerId: &player}}})
		return err
	}
	c.start("queue", "a", 1)
	if err := again("a2", "p-a"); err != nil {
		t.Fatal(err)
	}
	c.expect("a CANCELLED PlayerRequeued", "a2 QUEUED")
	c.start("queue", "b", 1)
	c.start("queue", "c", 1)
	c.match()
	refused(t, again("b2", "p-b"), lift.InvalidRequest, "ticket b", "being placed")
	refused(t, again("b", "p-x"), lift.InvalidRequest, "PLACING")
	c.turn()
	c.activate(c.sessions()[0])
	if err := again("b2", "p-b"); err != nil {
		t.Error(err)
	}
	// The same player elsewhere is another.
	must(c.CreateMatchmakingRuleSet(c.in("eu-west-1"), &api.CreateMatchmakingRuleSetInput{Name: "skill", RuleSetBody: skillRules}))(t)
	must(c.CreateMatchmakingConfiguration(c.in("eu-west-1"), standaloneIn("alone", "skill")))(t)
	must(c.StartMatchmaking(c.in("eu-west-1"), &api.StartMatchmakingInput{TicketId: new("b2"), ConfigurationName: "alone", Players: []api.Player{{PlayerId: new("p-b")}}}))(t)
	c.expect("b2 QUEUED")
}

// Tickets go by the rule set that their configuration has now.
func TestRuleSetChangesUnderTickets(t *testing.T) {
	c := newCourt(t)
	c.start("alone", "a", 1)
	c.start("alone", "b", 90)
	c.match()
	c.expect("a SEARCHING", "b SEARCHING")
	must(c.CreateMatchmakingRuleSet(c.ctx, &api.CreateMatchmakingRuleSetInput{Name: "any", RuleSetBody: strings.Replace(skillRules, `"maxDistance":10`, `"maxDistance":100`, 1)}))(t)
	must(c.UpdateMatchmakingConfiguration(c.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "alone", RuleSetName: new("any")}))(t)
	c.match()
	c.expect("a COMPLETED", "b COMPLETED")
	c.start("alone", "c", 1)
	must(c.CreateMatchmakingRuleSet(c.ctx, &api.CreateMatchmakingRuleSetInput{Name: "text", RuleSetBody: textRules}))(t)
	must(c.UpdateMatchmakingConfiguration(c.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "alone", RuleSetName: new("text")}))(t)
	c.match()
	c.expect("c FAILED InvalidAttributes")
}

// A ticket without an attribute that rules want, and that has no default, or with
// a party that no team can hold is taken as on the real service, and is told that
// it waits in vain; others are matched past it.
func TestTicketsThatCannotMatch(t *testing.T) {
	c := newCourt(t)
	must(c.CreateMatchmakingRuleSet(c.ctx, &api.CreateMatchmakingRuleSetInput{Name: "strict", RuleSetBody: strings.Replace(skillRules, `"type":"number","default":5`, `"type":"number"`, 1)}))(t)
	must(c.UpdateMatchmakingConfiguration(c.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "alone", RuleSetName: new("strict")}))(t)
	skilled := map[string]api.AttributeValue{"skill": {N: new(1.0)}}
	for id, players := range map[string][]api.Player{
		"unskilled": {{PlayerId: new("x")}},
		"pair":      {{PlayerId: new("y"), PlayerAttributes: skilled}, {PlayerId: new("z"), PlayerAttributes: skilled}},
	} {
		must(c.StartMatchmaking(c.ctx, &api.StartMatchmakingInput{TicketId: &id, ConfigurationName: "alone", Players: players}))(t)
	}
	c.start("alone", "a", 1)
	c.start("alone", "b", 1)
	c.match()
	c.expect("unskilled SEARCHING", "pair SEARCHING", "a COMPLETED", "b COMPLETED")
	for id, words := range map[string]string{"unskilled": `attribute "skill" (number) is missing`, "pair": "larger than the largest team"} {
		out := must(c.ExplainTicket(c.ctx, &api.ExplainTicketInput{TicketId: id}))(t)
		if why := strings.Join(out.Reasons, "\n"); !strings.Contains(why, words) {
			t.Errorf("ticket %s: %s", id, why)
		}
	}
}

// Answers that come too late, twice, against each other or from strangers are
// refused or change nothing, and the pool goes on.
func TestAnswersThatMakeNoSense(t *testing.T) {
	c := newCourt(t)
	answer := func(id, player, how string) error {
		_, err := c.AcceptMatch(c.ctx, &api.AcceptMatchInput{TicketId: id, PlayerIds: []string{player}, AcceptanceType: how})
		return err
	}
	c.start("asks", "a", 1)
	c.start("asks", "b", 1)
	refused(t, answer("a", "p-a", "ACCEPT"), lift.InvalidRequest, "QUEUED") // early
	c.match()
	refused(t, answer("a", "p-b", "ACCEPT"), lift.InvalidRequest, "p-b", "does not belong")
	refused(t, answer("a", "nobody", "REJECT"), lift.InvalidRequest, "nobody")
	refused(t, answer("none", "p-a", "REJECT"), lift.NotFound, "none")
	_, err := c.AcceptMatch(c.ctx, &api.AcceptMatchInput{TicketId: "a", PlayerIds: []string{"p-a", "p-b"}, AcceptanceType: "REJECT"})
	refused(t, err, lift.InvalidRequest, "p-b") // and p-a has not rejected either
	c.expect("a REQUIRES_ACCEPTANCE", "b REQUIRES_ACCEPTANCE")
	for range 2 {
		if err := answer("a", "p-a", "ACCEPT"); err != nil {
			t.Error(err)
		}
	}
	if err := answer("a", "p-a", "REJECT"); err != nil { // a change of mind
		t.Error(err)
	}
	c.expect("a CANCELLED AcceptanceFailed", "b CANCELLED AcceptanceFailed")
	refused(t, answer("a", "p-a", "ACCEPT"), lift.InvalidRequest, "CANCELLED") // late
	c.start("asks", "c", 1)
	c.start("asks", "d", 1)
	c.match()
	c.answer("c", "ACCEPT")
	c.answer("d", "ACCEPT")
	refused(t, answer("d", "p-d", "REJECT"), lift.InvalidRequest, "PLACING")
	c.expect("c PLACING", "d PLACING")
}

func TestTicketRefusals(t *testing.T) {
	c := newCourt(t)
	c.start("queue", "known", 1)
	player := func(edit func(*api.Player)) []api.Player {
		p := api.Player{PlayerId: new("p")}
		edit(&p)
		return []api.Player{p}
	}
	attribute := func(name string, v api.AttributeValue) []api.Player {
		return player(func(p *api.Player) { p.PlayerAttributes = map[string]api.AttributeValue{name: v} })
	}
	many, entries := map[string]api.AttributeValue{}, map[string]float64{}
	var eleven []api.Player
	for i := range 11 {
		entries[fmt.Sprint(i)] = 1
		many[fmt.Sprint("a", i)] = api.AttributeValue{N: new(1.0)}
		eleven = append(eleven, api.Player{PlayerId: new(fmt.Sprint("p", i))})
	}
	start := func(ps []api.Player) *api.StartMatchmakingInput {
		return &api.StartMatchmakingInput{ConfigurationName: "queue", Players: ps}
	}
	for i, r := range []struct {
		in    api.Shape
		kind  lift.Kind
		words string
	}{
		{&api.StartMatchmakingInput{ConfigurationName: "none", Players: eleven[:1]}, lift.NotFound, "none"},
		{&api.StartMatchmakingInput{ConfigurationName: "queue", Players: eleven[:1], TicketId: new("known")}, lift.InvalidRequest, "known already"},
		{&api.StartMatchmakingInput{ConfigurationName: "queue", Players: eleven[:1], TicketId: new("")}, lift.InvalidRequest, "TicketId"},
		{start(nil), lift.InvalidRequest, "1 to 10"},
		{start(eleven), lift.InvalidRequest, "got 11"},
		{start(player(func(p *api.Player) { p.PlayerId = nil })), lift.InvalidRequest, "Players[0].PlayerId"},
		{start(append(eleven[:1:1], eleven[0])), lift.InvalidRequest, "Players[1].PlayerId: player p0 is named twice"},
		{start(player(func(p *api.Player) { p.Team = new("red") })), lift.InvalidRequest, "Players[0].Team"},
		{start(player(func(p *api.Player) { p.PlayerAttributes = many })), lift.InvalidRequest, "11 attributes"},
		{start(attribute("skill", api.AttributeValue{})), lift.InvalidRequest, `PlayerAttributes["skill"]: give exactly one`},
		{start(attribute("skill", api.AttributeValue{N: new(1.0), S: new("x")})), lift.InvalidRequest, "exactly one"},
		{start(attribute("skill", api.AttributeValue{S: new("x")})), lift.InvalidRequest, "skill"},
		{start(attribute("other", api.AttributeValue{S: new("x")})), lift.InvalidRequest, "other"},
		{start(attribute("maps", api.AttributeValue{S: new(strings.Repeat("x", 101))})), lift.InvalidRequest, "100 characters"},
		{start(player(func(p *api.Player) { p.LatencyInMs = map[string]int{"us-west-2": 0} })), lift.InvalidRequest, `Players[0].LatencyInMs["us-west-2"]`},
		{start(player(func(p *api.Player) { p.LatencyInMs = map[string]int{"us-west-2": -5} })), lift.InvalidRequest, "-5"},
		{start(player(func(p *api.Player) { p.PlayerId = new(strings.Repeat("x", 1025)) })), lift.InvalidRequest, "Players[0].PlayerId"},
		{start(attribute("maps", api.AttributeValue{SL: []string{""}})), lift.InvalidRequest, "1 to 100 characters"},
		{start(attribute("maps", api.AttributeValue{SL: make([]string, 101)})), lift.InvalidRequest, "101 strings"},
		{start(attribute("maps", api.AttributeValue{SDM: entries})), lift.InvalidRequest, "11 entries"},
		{start(attribute("maps", api.AttributeValue{SDM: map[string]float64{"": 1}})), lift.InvalidRequest, "keys of SDM"},
		{start(player(func(p *api.Player) { p.LatencyInMs = map[string]int{"": 5} })), lift.InvalidRequest, "name of a location"},
		{&api.DescribeMatchmakingInput{TicketIds: make([]string, 11)}, lift.InvalidRequest, "1 to 10"},
		{&api.StopMatchmakingInput{TicketId: "none"}, lift.NotFound, "none"},
		{&api.AcceptMatchInput{TicketId: "none", PlayerIds: []string{"p"}, AcceptanceType: "ACCEPT"}, lift.NotFound, "none"},
		{&api.AcceptMatchInput{TicketId: "known", PlayerIds: []string{"p-known"}, AcceptanceType: "ACCEPT"}, lift.InvalidRequest, "QUEUED"},
		{&api.AcceptMatchInput{TicketId: "known", AcceptanceType: "ACCEPT"}, lift.InvalidRequest, "PlayerIds"},
		{&api.ExplainTicketInput{TicketId: "none"}, lift.NotFound, "none"},
	} {
		name := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", r.in), "*api."), "Input")
		op := api.Find(name)
		_, err := op.Call(c.ctx, c, r.in)
		t.Run(fmt.Sprintf("%d %s", i, name), func(t *testing.T) { refused(t, err, r.kind, r.words) })
		if !op.Declares(string(r.kind) + "Exception") {
			t.Errorf("%s does not declare %sException", name, r.kind)
		}
	}
	_, err := c.StopMatchmaking(c.in("eu-west-1"), &api.StopMatchmakingInput{TicketId: "known"})
	refused(t, err, lift.NotFound, "eu-west-1")
	// Nothing of that harmed the pool.
	c.start("queue", "other", 1)
	c.match()
	c.expect("known PLACING", "other PLACING")
	c.start("queue", "known2", 1)
	must(c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "known2"}))(t)
	_, err = c.StopMatchmaking(c.ctx, &api.StopMatchmakingInput{TicketId: "known2"})
	refused(t, err, lift.InvalidRequest, "Matchmaking ticket is in CANCELLED status and cannot be canceled.")
}
