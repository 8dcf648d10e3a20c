package ops

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func ruleIn(fleet, name string, edit ...func(*api.PutScalingPolicyInput)) *api.PutScalingPolicyInput {
	in := &api.PutScalingPolicyInput{
		FleetId: fleet, Name: name, MetricName: "ActiveGameSessions", ComparisonOperator: new("GreaterThanOrEqualToThreshold"), Threshold: new(1.0),
		EvaluationPeriods: new(2), ScalingAdjustmentType: new("ChangeInCapacity"), ScalingAdjustment: new(1),
	}
	for _, e := range edit {
		e(in)
	}
	return in
}

func targetIn(fleet, name string, target float64) *api.PutScalingPolicyInput {
	return &api.PutScalingPolicyInput{
		FleetId: fleet, Name: name, MetricName: "PercentAvailableGameSessions", PolicyType: new("TargetBased"),
		TargetConfiguration: &api.TargetConfiguration{TargetValue: target},
	}
}

func (w *world) desired(fleet string) int {
	w.t.Helper()
	return *must(w.DescribeFleetCapacity(w.ctx, &api.DescribeFleetCapacityInput{FleetIds: []string{fleet}}))(w.t).FleetCapacity[0].InstanceCounts.DESIRED
}

// every lets minutes pass, and what is due happen in each.
func (w *world) minutes(n int) {
	w.t.Helper()
	for range n {
		w.pass(time.Minute)
	}
}

// A rule fires after its periods, rests while stopped, and the fleet follows.
func TestScalingPolicyActs(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet()
	why := func() string {
		return strings.Join(must(w.ExplainFleet(w.ctx, &api.ExplainFleetInput{FleetId: fleet}))(t).Reasons, "\n")
	}
	must(w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, MaxSize: new(5)}))(t)
	w.activate(*must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1}))(t).GameSession.GameSessionId)
	must(w.PutScalingPolicy(w.ctx, ruleIn(fleet, "grow")))(t)
	w.minutes(1)
	if n := w.desired(fleet); n != 1 {
		t.Errorf("after one minute %d instances are desired", n)
	}
	if s := why(); !strings.Contains(s, "grow watches ActiveGameSessions, which breaches its threshold of 1 for 1 of 2 minutes") {
		t.Errorf("why says\n%s", s)
	}
	w.minutes(1)
	if n := w.desired(fleet); n != 2 {
		t.Fatalf("after two minutes %d instances are desired", n)
	}
	if n := len(must(w.DescribeInstances(w.ctx, &api.DescribeInstancesInput{FleetId: fleet}))(t).Instances); n != 2 {
		t.Errorf("there are %d instances", n)
	}
	evs := must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: fleet}))(t).Events
	last := evs[len(evs)-1]
	if *last.EventCode != "FLEET_SCALING_EVENT" || *last.Message != "scaling policy grow changed the desired instances from 1 to 2 (minimum 0, maximum 5): ActiveGameSessions is 1, which breaches its threshold of 1 for 2 minutes" {
		t.Errorf("the last event is %s %q", *last.EventCode, *last.Message)
	}

	if s := why(); !strings.Contains(s, "0 of 2 minutes; it fired and rests for another 10m0s") {
		t.Errorf("why says\n%s", s)
	}

	in := &api.StopFleetActionsInput{FleetId: fleet, Actions: []string{"AUTO_SCALING"}, Location: new("us-west-2")}
	must(w.StopFleetActions(w.ctx, in))(t)
	before := w.rows()
	must(w.StopFleetActions(w.ctx, in))(t) // twice is nothing
	if fmt.Sprint(before) != fmt.Sprint(w.rows()) {
		t.Error("a second stop changed something")
	}
	if a := must(w.DescribeFleetAttributes(w.ctx, &api.DescribeFleetAttributesInput{FleetIds: []string{fleet}}))(t).FleetAttributes[0]; fmt.Sprint(a.StoppedActions) != "[AUTO_SCALING]" {
		t.Errorf("stopped: %v", a.StoppedActions)
	}
	if a := must(w.DescribeFleetLocationAttributes(w.ctx, &api.DescribeFleetLocationAttributesInput{FleetId: fleet}))(t).LocationAttributes[0]; fmt.Sprint(a.StoppedActions) != "[AUTO_SCALING]" {
		t.Errorf("stopped: %v", a.StoppedActions)
	}
	if s := why(); !strings.Contains(s, "StopFleetActions stopped them") {
		t.Errorf("why says\n%s", s)
	}
	must(w.PutScalingPolicy(w.ctx, ruleIn(fleet, "second", func(in *api.PutScalingPolicyInput) { in.EvaluationPeriods = new(1) })))(t)
	w.minutes(20)
	if n := w.desired(fleet); n != 2 {
		t.Errorf("while stopped the policies changed the desired instances to %d", n)
	}
	must(w.StartFleetActions(w.ctx, &api.StartFleetActionsInput{FleetId: fleet, Actions: []string{"AUTO_SCALING"}}))(t)
	w.minutes(1)
	if n := w.desired(fleet); n != 3 {
		t.Errorf("a minute after the start %d instances are desired", n)
	}
	w.minutes(1)
	if n := w.desired(fleet); n != 4 {
		t.Errorf("two minutes after the start %d instances are desired", n)
	}
}

// A target keeps game sessions available and is served by the processes that
// are configured.
func TestTargetPolicyActs(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(4) })
	must(w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, MaxSize: new(5)}))(t)
	must(w.PutScalingPolicy(w.ctx, targetIn(fleet, "t", 50)))(t)
	for range 3 {
		must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1}))(t)
	}
	w.minutes(1)
	if n := w.desired(fleet); n != 2 {
		t.Errorf("three of four processes are used and half shall be available: %d instances are desired", n)
	}
}

// Placements that wait and would come to the fleet first are its queue.
func TestQueueDepthPolicyActs(t *testing.T) {
	w := newWorld(t)
	first, _ := w.activeFleet()
	second, _ := w.activeFleet()
	for _, f := range []string{first, second} {
		must(w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: f, DesiredInstances: new(0), MaxSize: new(5)}))(t)
		must(w.PutScalingPolicy(w.ctx, ruleIn(f, "depth", func(in *api.PutScalingPolicyInput) {
			in.MetricName, in.EvaluationPeriods, in.ScalingAdjustmentType, in.ScalingAdjustment, in.Threshold = "QueueDepth", new(1), new("ExactCapacity"), new(3), new(2.0)
		})))(t)
	}
	w.turn() // the instances drain
	alias := must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "a", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &first}}))(t).Alias
	must(w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{Name: "q", Destinations: []api.GameSessionQueueDestination{
		{DestinationArn: alias.AliasArn}, {DestinationArn: opt(lift.FleetARN("us-west-2", lift.FleetID(second)))},
	}}))(t)
	for i := range 2 {
		must(w.StartGameSessionPlacement(w.ctx, &api.StartGameSessionPlacementInput{PlacementId: fmt.Sprint("p", i), GameSessionQueueName: "q", MaximumPlayerSessionCount: 1}))(t)
	}
	w.turn()
	w.minutes(1)
	if a, b := w.desired(first), w.desired(second); a != 3 || b != 0 {
		t.Errorf("%d and %d instances are desired, want 3 and 0", a, b)
	}
}

func TestScalingPolicies(t *testing.T) {
	w := newWorld(t)
	fleet, inst := w.activeFleet()
	for i := range 4 {
		must(w.PutScalingPolicy(w.ctx, ruleIn(fleet, fmt.Sprint("r", i))))(t)
	}
	must(w.PutScalingPolicy(w.ctx, targetIn(fleet, "t", 12.5)))(t)
	must(w.PutScalingPolicy(w.ctx, targetIn(fleet, "t", 15)))(t) // the one target may be replaced
	must(w.DeleteScalingPolicy(w.ctx, &api.DeleteScalingPolicyInput{FleetId: fleet, Name: "r1"}))(t)
	must(w.PutScalingPolicy(w.ctx, ruleIn(fleet, "r0", func(in *api.PutScalingPolicyInput) { in.Threshold = new(7.0) })))(t)

	var seen string
	in := &api.DescribeScalingPoliciesInput{FleetId: fleet, Limit: new(1), StatusFilter: new("ACTIVE")}
	for {
		out := must(w.DescribeScalingPolicies(w.ctx, in))(t)
		for _, p := range out.ScalingPolicies {
			seen += *p.Name + " "
			switch {
			case *p.Name == "t" && (*p.PolicyType != "TargetBased" || p.TargetConfiguration.TargetValue != 15 || p.Threshold != nil):
				t.Errorf("got %+v", p)
			case *p.Name == "r0" && (*p.PolicyType != "RuleBased" || *p.Threshold != 7 || *p.Status != "ACTIVE" || *p.ScalingAdjustment != 1):
				t.Errorf("got %+v", p)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
		if seen == "r0 " { // between two pages one goes and one comes
			must(w.DeleteScalingPolicy(w.ctx, &api.DeleteScalingPolicyInput{FleetId: fleet, Name: "r0"}))(t)
			must(w.PutScalingPolicy(w.ctx, ruleIn(fleet, "r9")))(t)
		}
	}
	if seen != "r0 r2 r3 t r9 " {
		t.Errorf("seen %s", seen)
	}
	if n := len(must(w.DescribeScalingPolicies(w.ctx, &api.DescribeScalingPoliciesInput{FleetId: fleet, StatusFilter: new("DELETED")}))(t).ScalingPolicies); n != 0 {
		t.Errorf("%d deleted policies", n)
	}

	// The policies go with their fleet.
	must(w.DeleteFleet(w.ctx, &api.DeleteFleetInput{FleetId: fleet}))(t)
	w.turn()
	w.tell(inst, lift.Event{Stopped: &lift.Stopped{}})
	w.turn()
	w.pass(2 * time.Hour)
	if _, stays := w.rows()["scaling "+fleet]; stays {
		t.Error("the policies of a fleet that is forgotten stay")
	}
}

func TestScalingRefusals(t *testing.T) {
	s := newStage(t)
	must(s.PutScalingPolicy(s.ctx, targetIn(s.fleet, "t", 10)))(t)
	actions := []string{"AUTO_SCALING"}
	with := func(edit func(*api.PutScalingPolicyInput)) *api.PutScalingPolicyInput {
		return ruleIn(s.fleet, "r", edit)
	}
	refusals(t, s.world, []refusal{
		{ruleIn("fleet-none", "r"), lift.NotFound, "fleet-none"},
		{ruleIn(s.broken, "r"), lift.InvalidRequest, "ERROR"},
		{ruleIn(s.leaving, "r"), lift.InvalidRequest, "DELETING"},
		{with(func(in *api.PutScalingPolicyInput) { in.Threshold = nil }), lift.InvalidRequest, "Threshold is required"},
		{with(func(in *api.PutScalingPolicyInput) { in.ComparisonOperator = nil }), lift.InvalidRequest, "ComparisonOperator is required"},
		{with(func(in *api.PutScalingPolicyInput) { in.EvaluationPeriods = nil }), lift.InvalidRequest, "EvaluationPeriods is required"},
		{with(func(in *api.PutScalingPolicyInput) { in.ScalingAdjustmentType = nil }), lift.InvalidRequest, "ScalingAdjustmentType is required"},
		{with(func(in *api.PutScalingPolicyInput) { in.ScalingAdjustment = nil }), lift.InvalidRequest, "ScalingAdjustment is required"},
		{with(func(in *api.PutScalingPolicyInput) { in.TargetConfiguration = &api.TargetConfiguration{TargetValue: 5} }), lift.InvalidRequest, "TargetBased"},
		{with(func(in *api.PutScalingPolicyInput) { in.PolicyType = new("TargetBased") }), lift.InvalidRequest, "belongs to rule based"},
		{&api.PutScalingPolicyInput{FleetId: s.fleet, Name: "t", MetricName: "PercentAvailableGameSessions", PolicyType: new("TargetBased")}, lift.InvalidRequest, "TargetConfiguration is required"},
		{&api.PutScalingPolicyInput{FleetId: s.fleet, Name: "t", MetricName: "IdleInstances", PolicyType: new("TargetBased"), TargetConfiguration: &api.TargetConfiguration{TargetValue: 5}}, lift.InvalidRequest, "not IdleInstances"},
		{targetIn(s.fleet, "t", 0), lift.InvalidRequest, "1 to 99"},
		{targetIn(s.fleet, "t", 99.5), lift.InvalidRequest, "1 to 99"},
		{targetIn(s.fleet, "t", math.NaN()), lift.InvalidRequest, "1 to 99"},
		{targetIn(s.fleet, "other", 10), lift.InvalidRequest, "policy t already"},
		{&api.DeleteScalingPolicyInput{FleetId: s.fleet, Name: "none"}, lift.NotFound, "none"},
		{&api.DeleteScalingPolicyInput{FleetId: "fleet-none", Name: "t"}, lift.NotFound, "fleet-none"},
		{&api.DescribeScalingPoliciesInput{FleetId: "fleet-none"}, lift.NotFound, "fleet-none"},
		{&api.DescribeScalingPoliciesInput{FleetId: s.fleet, NextToken: new("x")}, lift.InvalidRequest, "NextToken"},
		{&api.DescribeScalingPoliciesInput{FleetId: s.fleet, Location: new("eu-west-1")}, lift.NotFound, "eu-west-1"},
		{&api.StopFleetActionsInput{FleetId: "fleet-none", Actions: actions}, lift.NotFound, "fleet-none"},
		{&api.StopFleetActionsInput{FleetId: s.leaving, Actions: actions}, lift.InvalidRequest, "deleted"},
		{&api.StopFleetActionsInput{FleetId: s.fleet, Actions: actions, Location: new("eu-west-1")}, lift.NotFound, "eu-west-1"},
		{&api.StartFleetActionsInput{FleetId: "fleet-none", Actions: actions}, lift.NotFound, "fleet-none"},
	})
}
