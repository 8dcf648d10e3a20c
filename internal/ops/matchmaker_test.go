package ops

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

const (
	pairsRules = `{"ruleLanguageVersion":"1.0","teams":[{"name":"red","minPlayers":1,"maxPlayers":2},{"name":"blue","minPlayers":1,"maxPlayers":2}]}`
	soloRules  = `{"ruleLanguageVersion":"1.0","teams":[{"name":"all","minPlayers":1,"maxPlayers":2}]}`
	// brokenRules has three mistakes.
	brokenRules = `{"ruleLanguageVersion":"2.0","teams":[{"name":"red","minPlayers":3,"maxPlayers":2}],
		"rules":[{"name":"near","type":"distance","measurements":["avg(teams[green].players.attributes[skill])"],"referenceValue":1,"maxDistance":2}]}`
)

func (s *stage) matchmakerIn() *api.CreateMatchmakingConfigurationInput {
	return &api.CreateMatchmakingConfigurationInput{
		Name: s.matchmaker, RuleSetName: s.ruleSet, RequestTimeoutSeconds: 60,
		GameSessionQueueArns: []string{lift.QueueARN("us-west-2", "123456789012", s.queue)},
	}
}

func standaloneIn(name, ruleSet string) *api.CreateMatchmakingConfigurationInput {
	return &api.CreateMatchmakingConfigurationInput{Name: name, RuleSetName: ruleSet, RequestTimeoutSeconds: 60, FlexMatchMode: new("STANDALONE")}
}

// One answer tells everything that is wrong with a rule set, each finding with
// its path, and creation checks what validation checks.
func TestRuleSetsAreValidated(t *testing.T) {
	w := newWorld(t)
	if out := must(w.ValidateMatchmakingRuleSet(w.ctx, &api.ValidateMatchmakingRuleSetInput{RuleSetBody: pairsRules}))(t); !*out.Valid {
		t.Error("a valid rule set is not Valid")
	}
	_, err := w.ValidateMatchmakingRuleSet(w.ctx, &api.ValidateMatchmakingRuleSetInput{RuleSetBody: brokenRules})
	refused(t, err, lift.InvalidRequest, "ruleLanguageVersion: ", "teams[0]", "rules[0].measurements[0]: ", "green")
	_, again := w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: "r", RuleSetBody: brokenRules})
	if err == nil || again == nil || err.Error() != again.Error() {
		t.Errorf("validation says %v, creation %v", err, again)
	}
	if out := must(w.DescribeMatchmakingRuleSets(w.ctx, &api.DescribeMatchmakingRuleSetsInput{}))(t); len(out.RuleSets) != 0 {
		t.Errorf("refused, and still there: %+v", out.RuleSets)
	}
}

// What was made is what is described, under its name and its ARN.
func TestRuleSetLife(t *testing.T) {
	w := newWorld(t)
	made := must(w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: "pairs.1", RuleSetBody: pairsRules}))(t).RuleSet
	want := api.MatchmakingRuleSet{
		RuleSetName: new("pairs.1"), RuleSetArn: new("arn:aws:gamelift:us-west-2:123456789012:matchmakingruleset/pairs.1"),
		RuleSetBody: pairsRules, CreationTime: w.now,
	}
	if d := cmp.Diff(&want, made); d != "" {
		t.Error(d)
	}
	for _, in := range []*api.DescribeMatchmakingRuleSetsInput{{}, {Names: []string{"pairs.1"}}, {Names: []string{*want.RuleSetArn}}} {
		if d := cmp.Diff([]api.MatchmakingRuleSet{want}, must(w.DescribeMatchmakingRuleSets(w.ctx, in))(t).RuleSets); d != "" {
			t.Errorf("%+v: %s", in, d)
		}
	}
	// The same name elsewhere is another rule set.
	must(w.CreateMatchmakingRuleSet(w.in("eu-west-1"), &api.CreateMatchmakingRuleSetInput{Name: "pairs.1", RuleSetBody: soloRules}))(t)
	must(w.DeleteMatchmakingRuleSet(w.ctx, &api.DeleteMatchmakingRuleSetInput{Name: *want.RuleSetArn}))(t)
	_, err := w.DescribeMatchmakingRuleSets(w.ctx, &api.DescribeMatchmakingRuleSetsInput{Names: []string{"pairs.1"}})
	refused(t, err, lift.NotFound, "pairs.1")
	must(w.DescribeMatchmakingRuleSets(w.in("eu-west-1"), &api.DescribeMatchmakingRuleSetsInput{Names: []string{"pairs.1"}}))(t)
}

// A configuration keeps what it was given; an update changes the members it
// names and no others.
func TestConfigurationLife(t *testing.T) {
	w := newWorld(t)
	for _, q := range []string{"q", "far"} {
		must(w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{Name: q}))(t)
		must(w.CreateGameSessionQueue(w.in("eu-west-1"), &api.CreateGameSessionQueueInput{Name: q}))(t)
	}
	for name, body := range map[string]string{"pairs": pairsRules, "solo": soloRules} {
		must(w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: name, RuleSetBody: body}))(t)
	}
	arn := func(typ, name string) *string {
		return new("arn:aws:gamelift:us-west-2:123456789012:" + typ + "/" + name)
	}
	queues := []string{*arn("gamesessionqueue", "q"), lift.QueueARN("eu-west-1", "123456789012", "far")}
	in := &api.CreateMatchmakingConfigurationInput{
		Name: "duel", Description: new("two by two"), GameSessionQueueArns: queues, RequestTimeoutSeconds: 120,
		AcceptanceRequired: true, AcceptanceTimeoutSeconds: new(30), RuleSetName: *arn("matchmakingruleset", "pairs"),
		NotificationTarget: new("arn:aws:sns:us-west-2:123456789012:topic"), AdditionalPlayerCount: new(2), CustomEventData: new("x"),
		GameProperties: []api.GameProperty{{Key: "k", Value: "v"}}, GameSessionData: new("data"),
	}
	want := &api.MatchmakingConfiguration{
		Name: new("duel"), ConfigurationArn: arn("matchmakingconfiguration", "duel"), Description: in.Description, GameSessionQueueArns: queues,
		RequestTimeoutSeconds: new(120), AcceptanceRequired: new(true), AcceptanceTimeoutSeconds: new(30),
		RuleSetName: new("pairs"), RuleSetArn: arn("matchmakingruleset", "pairs"), NotificationTarget: in.NotificationTarget,
		AdditionalPlayerCount: new(2), CustomEventData: new("x"), CreationTime: w.now, GameProperties: in.GameProperties,
		GameSessionData: new("data"), BackfillMode: new("MANUAL"), FlexMatchMode: new("WITH_QUEUE"),
	}
	check := func(got *api.MatchmakingConfiguration) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		out := must(w.DescribeMatchmakingConfigurations(w.ctx, &api.DescribeMatchmakingConfigurationsInput{Names: []string{"none", *want.ConfigurationArn}}))(t)
		if d := cmp.Diff([]api.MatchmakingConfiguration{*want}, out.Configurations); d != "" {
			t.Error(d)
		}
	}
	update := func(in api.UpdateMatchmakingConfigurationInput) *api.MatchmakingConfiguration {
		t.Helper()
		in.Name = "duel"
		return must(w.UpdateMatchmakingConfiguration(w.ctx, &in))(t).Configuration
	}
	check(must(w.CreateMatchmakingConfiguration(w.ctx, in))(t).Configuration)
	w.pass(time.Hour)
	check(update(api.UpdateMatchmakingConfigurationInput{}))

	// A smaller rule set must leave room for a match too.
	_, err := w.UpdateMatchmakingConfiguration(w.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "duel", RuleSetName: new("solo")})
	refused(t, err, lift.InvalidRequest, "2 of the 2 seats")
	_, err = w.DeleteMatchmakingRuleSet(w.ctx, &api.DeleteMatchmakingRuleSetInput{Name: "pairs"})
	refused(t, err, lift.InvalidRequest, "duel", "pairs")
	want.RuleSetName, want.RuleSetArn, want.AdditionalPlayerCount = new("solo"), arn("matchmakingruleset", "solo"), new(1)
	check(update(api.UpdateMatchmakingConfigurationInput{RuleSetName: new("solo"), AdditionalPlayerCount: new(1)}))
	must(w.DeleteMatchmakingRuleSet(w.ctx, &api.DeleteMatchmakingRuleSetInput{Name: "pairs"}))(t)

	// Queues that went since do not stand in the way of other changes.
	must(w.DeleteGameSessionQueue(w.ctx, &api.DeleteGameSessionQueueInput{Name: "q"}))(t)
	want.Description, want.GameProperties = new("one by one"), []api.GameProperty{}
	check(update(api.UpdateMatchmakingConfigurationInput{Description: new("one by one"), GameProperties: []api.GameProperty{}}))

	// STANDALONE lets go of what only WITH_QUEUE has, and the way back asks for it.
	want.FlexMatchMode, want.GameSessionQueueArns = new("STANDALONE"), nil
	want.AdditionalPlayerCount, want.GameProperties = nil, nil
	check(update(api.UpdateMatchmakingConfigurationInput{FlexMatchMode: new("STANDALONE")}))
	_, err = w.UpdateMatchmakingConfiguration(w.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "duel", FlexMatchMode: new("WITH_QUEUE")})
	refused(t, err, lift.InvalidRequest, "must name a queue")

	must(w.DeleteMatchmakingConfiguration(w.ctx, &api.DeleteMatchmakingConfigurationInput{Name: "duel"}))(t)
	if out := must(w.DescribeMatchmakingConfigurations(w.ctx, &api.DescribeMatchmakingConfigurationsInput{}))(t); len(out.Configurations) != 0 {
		t.Errorf("deleted, and still there: %+v", out.Configurations)
	}
	must(w.DeleteMatchmakingRuleSet(w.ctx, &api.DeleteMatchmakingRuleSetInput{Name: "solo"}))(t)
}

// Rule sets and configurations come at most ten to a page, and names may be
// narrowed to those that use a rule set.
func TestMatchmakingPages(t *testing.T) {
	w := newWorld(t)
	for i := range 12 {
		must(w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: fmt.Sprint("r", i), RuleSetBody: pairsRules}))(t)
		must(w.CreateMatchmakingConfiguration(w.ctx, standaloneIn(fmt.Sprint("m", i), fmt.Sprint("r", i))))(t)
	}
	if out := must(w.DescribeMatchmakingRuleSets(w.ctx, &api.DescribeMatchmakingRuleSetsInput{}))(t); len(out.RuleSets) != 10 || out.NextToken == nil {
		t.Errorf("a page of %d rule sets, next %v", len(out.RuleSets), out.NextToken)
	}
	out := must(w.DescribeMatchmakingConfigurations(w.ctx, &api.DescribeMatchmakingConfigurationsInput{Limit: new(100)}))(t)
	if len(out.Configurations) != 10 || out.NextToken == nil {
		t.Errorf("a page of %d configurations, next %v", len(out.Configurations), out.NextToken)
	}
	_, err := w.DescribeMatchmakingConfigurations(w.ctx, &api.DescribeMatchmakingConfigurationsInput{RuleSetName: new("r1"), NextToken: out.NextToken})
	refused(t, err, lift.InvalidRequest, "NextToken")

	// r1 is the beginning of r10 and r11, and another name.
	var names []string
	for _, in := range []*api.DescribeMatchmakingConfigurationsInput{{RuleSetName: new("r1")}, {RuleSetName: new("r1"), Names: []string{"m10", "m1"}}, {RuleSetName: new("none")}} {
		for _, m := range must(w.DescribeMatchmakingConfigurations(w.ctx, in))(t).Configurations {
			names = append(names, *m.Name)
		}
		names = append(names, "|")
	}
	if got := strings.Join(names, " "); got != "m1 | m1 | |" {
		t.Errorf("got %s", got)
	}
}

// The hosted profile counts matchmakers.
func TestMatchmakerLimit(t *testing.T) {
	few := Standard
	few.Matchmakers = 1
	w := newWorld(t, few)
	must(w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: "r", RuleSetBody: pairsRules}))(t)
	must(w.CreateMatchmakingConfiguration(w.ctx, standaloneIn("m", "r")))(t)
	_, err := w.CreateMatchmakingConfiguration(w.ctx, standaloneIn("n", "r"))
	refused(t, err, lift.LimitExceeded, "matchmaking configuration", "limit is 1")
}
