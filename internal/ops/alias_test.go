package ops

import (
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func TestAliases(t *testing.T) {
	s := newStage(t)
	a := must(s.DescribeAlias(s.ctx, &api.DescribeAliasInput{AliasId: s.alias}))(t).Alias
	if *a.Name != "a" || *a.RoutingStrategy.Type != "SIMPLE" || *a.RoutingStrategy.FleetId != s.fleet || a.RoutingStrategy.Message != nil ||
		*a.AliasArn != lift.AliasARN("us-west-2", lift.AliasID(s.alias)) || !a.LastUpdatedTime.Equal(a.CreationTime) {
		t.Errorf("got %+v", a)
	}
	r := must(s.ResolveAlias(s.ctx, &api.ResolveAliasInput{AliasId: *a.AliasArn}))(t)
	if *r.FleetId != s.fleet || *r.FleetArn != *s.arn(s.fleet) {
		t.Errorf("resolved to %s", *r.FleetId)
	}

	s.pass(time.Minute)
	a = must(s.UpdateAlias(s.ctx, &api.UpdateAliasInput{AliasId: s.alias, Name: new("b"), Description: new("d")}))(t).Alias
	if *a.Name != "b" || *a.Description != "d" || *a.RoutingStrategy.FleetId != s.fleet || !a.LastUpdatedTime.After(a.CreationTime) {
		t.Errorf("got %+v", a)
	}
	a = must(s.UpdateAlias(s.ctx, &api.UpdateAliasInput{AliasId: s.alias, RoutingStrategy: &api.RoutingStrategy{Type: new("TERMINAL"), Message: new("closed")}}))(t).Alias
	if *a.RoutingStrategy.Type != "TERMINAL" || a.RoutingStrategy.FleetId != nil || *a.RoutingStrategy.Message != "closed" || *a.Name != "b" {
		t.Errorf("got %+v", a)
	}
	// A fleet need not be ACTIVE, and ARNs are as good as ids.
	must(s.UpdateAlias(s.ctx, &api.UpdateAliasInput{AliasId: s.alias, RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: s.arn(s.newFleet)}}))(t)

	for name, q := range map[string]struct {
		in   api.ListAliasesInput
		want int
	}{
		"all":         {api.ListAliasesInput{}, 2},
		"by name":     {api.ListAliasesInput{Name: new("b")}, 1},
		"by old name": {api.ListAliasesInput{Name: new("a")}, 0},
		"by type":     {api.ListAliasesInput{RoutingStrategyType: new("TERMINAL")}, 1},
		"by both":     {api.ListAliasesInput{RoutingStrategyType: new("TERMINAL"), Name: new("b")}, 0},
	} {
		if got := must(s.ListAliases(s.ctx, &q.in))(t).Aliases; len(got) != q.want {
			t.Errorf("%s: %d aliases, want %d", name, len(got), q.want)
		}
	}
	must(s.DeleteAlias(s.ctx, &api.DeleteAliasInput{AliasId: s.alias}))(t)
	_, err := s.ResolveAlias(s.ctx, &api.ResolveAliasInput{AliasId: s.alias})
	refused(t, err, lift.NotFound)
}

// An alias to a fleet that is gone resolves, and fails when it is used.
func TestAliasToADeletedFleet(t *testing.T) {
	w := newWorld(t)
	fleet, inst := w.activeFleet()
	a := *must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "a", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &fleet}}))(t).Alias.AliasId
	must(w.DeleteFleet(w.ctx, &api.DeleteFleetInput{FleetId: fleet}))(t)
	w.turn()
	w.tell(inst, lift.Event{Stopped: &lift.Stopped{}})
	w.turn()
	if r := must(w.ResolveAlias(w.ctx, &api.ResolveAliasInput{AliasId: a}))(t); *r.FleetId != fleet {
		t.Errorf("resolved to %s", *r.FleetId)
	}
	_, err := w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{AliasId: &a, MaximumPlayerSessionCount: 1})
	refused(t, err, lift.NotFound, "UpdateAlias")
}
