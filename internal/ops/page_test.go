package ops

import (
	"fmt"
	"slices"
	"testing"
	"testing/quick"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Every item that is there all the time is listed once, whatever comes and goes
// between two pages.
func TestPagesSurviveChanges(t *testing.T) {
	w := newWorld(t)
	fleet := w.newFleet()
	make1 := func(name string) string {
		w.pass(time.Millisecond)
		return *must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: name, RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &fleet}}))(t).Alias.AliasId
	}
	var stay, go1 []string
	for i := range 20 {
		stay = append(stay, make1("stay"))
		go1 = append(go1, make1(fmt.Sprint("go", i)))
	}
	var seen []string
	var token *string
	for n := 0; ; n++ {
		out := must(w.ListAliases(w.ctx, &api.ListAliasesInput{Limit: new(3), NextToken: token}))(t)
		for _, a := range out.Aliases {
			seen = append(seen, *a.AliasId)
		}
		if token = out.NextToken; token == nil {
			break
		}
		if len(out.Aliases) != 3 {
			t.Errorf("a page of %d", len(out.Aliases))
		}
		// The last one seen goes, which is where the next page begins; others
		// come in front and behind.
		last := *out.Aliases[2].AliasId
		if slices.Contains(go1, last) {
			must(w.DeleteAlias(w.ctx, &api.DeleteAliasInput{AliasId: last}))(t)
		}
		if n < 5 {
			make1("new")
		}
	}
	for _, id := range stay {
		if n := count(seen, id); n != 1 {
			t.Errorf("%s was listed %d times", id, n)
		}
	}
	if slices.Sort(seen); len(slices.Compact(seen)) != len(seen) {
		t.Error("something was listed twice")
	}
}

func count(in []string, s string) (n int) {
	for _, x := range in {
		if x == s {
			n++
		}
	}
	return n
}

// A token serves the request it was made for and no other.
func TestTokensAreBound(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(3) })
	simple := &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &fleet}
	for range 3 {
		must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "a", RoutingStrategy: simple}))(t)
		must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t)
		must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1}))(t)
	}
	token := must(w.ListAliases(w.ctx, &api.ListAliasesInput{Limit: new(1), Name: new("a")}))(t).NextToken
	if token == nil || len(*token) > 1024 {
		t.Fatalf("token %v", token)
	}
	if out := must(w.ListAliases(w.ctx, &api.ListAliasesInput{Limit: new(2), Name: new("a"), NextToken: token}))(t); len(out.Aliases) != 2 || out.NextToken != nil {
		t.Errorf("the rest: %d aliases, next %v", len(out.Aliases), out.NextToken)
	}
	flipped := []byte(*token)
	flipped[0] ^= 'A' ^ 'B' // another letter or digit, or none that a token has
	bad := []string{"x", "", *token + "A", (*token)[:len(*token)-1], string(flipped)}
	for _, b := range bad {
		_, err := w.ListAliases(w.ctx, &api.ListAliasesInput{Name: new("a"), NextToken: &b})
		refused(t, err, lift.InvalidRequest, "NextToken")
	}
	_, err := w.ListAliases(w.ctx, &api.ListAliasesInput{NextToken: token})
	refused(t, err, lift.InvalidRequest, "NextToken")
	_, err = w.ListAliases(w.ctx, &api.ListAliasesInput{Name: new("b"), NextToken: token})
	refused(t, err, lift.InvalidRequest, "NextToken")
	_, err = w.ListAliases(w.in("eu-west-1"), &api.ListAliasesInput{Name: new("a"), NextToken: token})
	refused(t, err, lift.InvalidRequest, "NextToken")
	_, err = w.ListBuilds(w.ctx, &api.ListBuildsInput{NextToken: token})
	refused(t, err, lift.InvalidRequest, "NextToken")

	token = must(w.DescribeGameSessions(w.ctx, &api.DescribeGameSessionsInput{FleetId: &fleet, Limit: new(1)}))(t).NextToken
	_, err = w.DescribeGameSessions(w.ctx, &api.DescribeGameSessionsInput{FleetId: &fleet, StatusFilter: new("ACTIVATING"), NextToken: token})
	refused(t, err, lift.InvalidRequest, "NextToken")
	_, err = w.DescribeGameSessionDetails(w.ctx, &api.DescribeGameSessionDetailsInput{FleetId: &fleet, NextToken: token})
	refused(t, err, lift.InvalidRequest, "NextToken")

	// A token outlives the service: another start reads the same secret.
	token = must(w.ListBuilds(w.ctx, &api.ListBuildsInput{Limit: new(1)}))(t).NextToken
	next, err := New(w.ctx, w.Service.o)
	if err != nil {
		t.Fatal(err)
	}
	must(next.ListBuilds(w.ctx, &api.ListBuildsInput{NextToken: token}))(t)
}

// Every list pages to its end, with each item once.
func TestEveryListPages(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(5) })
	var session string
	for i := range 5 {
		session = *must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 10}))(t).GameSession.GameSessionId
		must(w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{Name: fmt.Sprint("q", i)}))(t)
		w.activate(session)
		w.newFleet()
		must(w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: fmt.Sprint("r", i), RuleSetBody: pairsRules}))(t)
		must(w.CreateMatchmakingConfiguration(w.ctx, standaloneIn(fmt.Sprint("m", i), "r0")))(t)
	}
	must(w.CreateMatchmakingConfiguration(w.ctx, standaloneIn("other", "r1")))(t)
	for i := range 5 {
		must(w.CreatePlayerSession(w.ctx, &api.CreatePlayerSessionInput{GameSessionId: session, PlayerId: fmt.Sprint("p", i)}))(t)
		must(w.CreatePlayerSession(w.ctx, &api.CreatePlayerSessionInput{GameSessionId: session, PlayerId: "same"}))(t)
	}
	two := new(2)
	for name, list := range map[string]func(token *string) (int, *string, error){
		"ListFleets": func(k *string) (int, *string, error) {
			o, err := w.ListFleets(w.ctx, &api.ListFleetsInput{Limit: two, NextToken: k})
			return len(o.FleetIds), o.NextToken, err
		},
		"ListBuilds": func(k *string) (int, *string, error) {
			o, err := w.ListBuilds(w.ctx, &api.ListBuildsInput{Limit: two, NextToken: k, Status: new("READY")})
			return len(o.Builds), o.NextToken, err
		},
		"DescribeFleetAttributes": func(k *string) (int, *string, error) {
			o, err := w.DescribeFleetAttributes(w.ctx, &api.DescribeFleetAttributesInput{Limit: two, NextToken: k})
			return len(o.FleetAttributes), o.NextToken, err
		},
		"DescribeFleetCapacity": func(k *string) (int, *string, error) {
			o, err := w.DescribeFleetCapacity(w.ctx, &api.DescribeFleetCapacityInput{Limit: two, NextToken: k})
			return len(o.FleetCapacity), o.NextToken, err
		},
		"DescribeFleetUtilization": func(k *string) (int, *string, error) {
			o, err := w.DescribeFleetUtilization(w.ctx, &api.DescribeFleetUtilizationInput{Limit: two, NextToken: k})
			return len(o.FleetUtilization), o.NextToken, err
		},
		"DescribeGameSessionQueues": func(k *string) (int, *string, error) {
			o, err := w.DescribeGameSessionQueues(w.ctx, &api.DescribeGameSessionQueuesInput{Limit: two, NextToken: k})
			return len(o.GameSessionQueues) + 1, o.NextToken, err // 5, the others are 6
		},
		"DescribeMatchmakingRuleSets": func(k *string) (int, *string, error) {
			o, err := w.DescribeMatchmakingRuleSets(w.ctx, &api.DescribeMatchmakingRuleSetsInput{Limit: two, NextToken: k})
			return len(o.RuleSets), o.NextToken, err
		},
		"DescribeMatchmakingConfigurations": func(k *string) (int, *string, error) {
			o, err := w.DescribeMatchmakingConfigurations(w.ctx, &api.DescribeMatchmakingConfigurationsInput{Limit: two, NextToken: k})
			return len(o.Configurations), o.NextToken, err
		},
		"DescribeMatchmakingConfigurations of a rule set": func(k *string) (int, *string, error) {
			o, err := w.DescribeMatchmakingConfigurations(w.ctx, &api.DescribeMatchmakingConfigurationsInput{Limit: two, NextToken: k, RuleSetName: new("r0")})
			return len(o.Configurations), o.NextToken, err
		},
		"DescribeFleetEvents": func(k *string) (int, *string, error) {
			o, err := w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: fleet, Limit: two, NextToken: k})
			return len(o.Events), o.NextToken, err
		},
		"DescribeGameSessions": func(k *string) (int, *string, error) {
			o, err := w.DescribeGameSessions(w.ctx, &api.DescribeGameSessionsInput{FleetId: &fleet, StatusFilter: new("ACTIVE"), Limit: two, NextToken: k})
			return len(o.GameSessions), o.NextToken, err
		},
		"DescribePlayerSessions of a session": func(k *string) (int, *string, error) {
			o, err := w.DescribePlayerSessions(w.ctx, &api.DescribePlayerSessionsInput{GameSessionId: &session, PlayerSessionStatusFilter: new("RESERVED"), Limit: two, NextToken: k})
			return len(o.PlayerSessions), o.NextToken, err
		},
		"DescribePlayerSessions of a player": func(k *string) (int, *string, error) {
			o, err := w.DescribePlayerSessions(w.ctx, &api.DescribePlayerSessionsInput{PlayerId: new("same"), Limit: two, NextToken: k})
			return len(o.PlayerSessions), o.NextToken, err
		},
	} {
		want := map[string]int{
			"DescribeMatchmakingRuleSets": 5, "DescribeMatchmakingConfigurations of a rule set": 5,
			"DescribeGameSessionQueues": 8, "DescribeFleetEvents": 7, "DescribeGameSessions": 5,
			"DescribePlayerSessions of a session": 10, "DescribePlayerSessions of a player": 5,
		}[name]
		if want == 0 {
			want = 6
		}
		total := 0
		var token *string
		for pages := 0; ; pages++ {
			n, next, err := list(token)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			total += n
			if token = next; token == nil {
				break
			}
			if pages > 10 {
				t.Fatalf("%s never ends", name)
			}
		}
		if total != want {
			t.Errorf("%s listed %d, want %d", name, total, want)
		}
	}
}

// Whatever a place holds, its token opens to it again, and only in its scope.
func TestTokenRoundTrip(t *testing.T) {
	p, other := page{seal: []byte("k"), scope: "a"}, page{seal: []byte("k"), scope: "b"}
	if err := quick.Check(func(value, id string) bool {
		token := p.token(store.Cursor{Value: value, ID: id})
		place, ok := p.open(*token)
		_, elsewhere := other.open(*token)
		return ok && place == value+"\x00"+id && !elsewhere
	}, nil); err != nil {
		t.Error(err)
	}
}

// No text a caller sends as a token opens, or upsets anything.
func FuzzToken(f *testing.F) {
	p := page{seal: []byte("k"), scope: "a"}
	f.Add("")
	f.Add("AAAA")
	f.Add(*page{seal: []byte("other"), scope: "a"}.token(store.Cursor{Value: "v", ID: "i"}))
	f.Fuzz(func(t *testing.T, token string) {
		if place, ok := p.open(token); ok {
			t.Errorf("%q opened to %q", token, place)
		}
		openPlaces(token)
	})
}
