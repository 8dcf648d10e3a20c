package ops

import (
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// The computes of a fleet are its instances.
func TestComputes(t *testing.T) {
	w := newWorld(t)
	fleet, inst := w.activeFleet()
	must(w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, DesiredInstances: new(4), MaxSize: new(4)}))(t)
	w.turn()
	name := string(inst)
	one := must(w.DescribeCompute(w.ctx, &api.DescribeComputeInput{FleetId: fleet, ComputeName: name}))(t).Compute
	if *one.ComputeName != name || *one.ComputeStatus != "ACTIVE" || *one.IpAddress != "10.0.0.7" || *one.ComputeArn != "arn:aws:gamelift:us-west-2::compute/"+name || *one.FleetId != fleet {
		t.Errorf("got %+v", one)
	}
	must(w.DescribeCompute(w.ctx, &api.DescribeComputeInput{FleetId: fleet, ComputeName: *one.ComputeArn}))(t)
	for status, want := range map[string]int{"": 4, "ACTIVE": 1, "IMPAIRED": 0} {
		in := &api.ListComputeInput{FleetId: fleet, Limit: new(1), Location: new("us-west-2")}
		if status != "" {
			in.ComputeStatus = &status
		}
		seen := map[string]bool{}
		for {
			out := must(w.ListCompute(w.ctx, in))(t)
			for _, c := range out.ComputeList {
				seen[*c.ComputeName] = true
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("%d computes that are %q, want %d", len(seen), status, want)
		}
	}
	other := w.newFleet()
	refusals(t, w, []refusal{
		{&api.DescribeComputeInput{FleetId: "fleet-none", ComputeName: name}, lift.NotFound, "fleet-none"},
		{&api.DescribeComputeInput{FleetId: fleet, ComputeName: "none"}, lift.NotFound, "none"},
		{&api.DescribeComputeInput{FleetId: other, ComputeName: name}, lift.NotFound, name},
		{&api.ListComputeInput{FleetId: "fleet-none"}, lift.InvalidRequest, "fleet-none"},
		{&api.ListComputeInput{FleetId: fleet, Location: new("eu-west-1")}, lift.InvalidRequest, "eu-west-1"},
		{&api.ListComputeInput{FleetId: fleet, ContainerGroupDefinitionName: new("c")}, lift.InvalidRequest, "container"},
		{&api.ListComputeInput{FleetId: fleet, NextToken: new("x")}, lift.InvalidRequest, "NextToken"},
		{&api.RegisterComputeInput{FleetId: "fleet-none", ComputeName: "c"}, lift.InvalidRequest, "fleet-none"},
		{&api.RegisterComputeInput{FleetId: fleet, ComputeName: "c"}, lift.InvalidRequest, "not built yet"},
		{&api.DeregisterComputeInput{FleetId: "fleet-none", ComputeName: "c"}, lift.NotFound, "fleet-none"},
		{&api.DeregisterComputeInput{FleetId: fleet, ComputeName: name}, lift.InvalidRequest, "UpdateFleetCapacity"},
		{&api.GetComputeAuthTokenInput{FleetId: fleet, ComputeName: "none"}, lift.NotFound, "none"},
		{&api.GetComputeAuthTokenInput{FleetId: fleet, ComputeName: name}, lift.InvalidRequest, "environment"},
	})
}

// What is not built says what to do instead.
func TestUnbuiltOperations(t *testing.T) {
	w := newWorld(t)
	for op, words := range map[string]string{
		"CreateContainerFleet": "CreateBuild", "ListContainerGroupDefinitions": "CreateBuild", "DescribeFleetDeployment": "CreateBuild",
		"GetPlayerConnectionDetails": "CreatePlayerSession",
	} {
		o := api.Find(op)
		_, err := o.Call(w.ctx, w, o.NewInput())
		if _, ok := err.(*api.UnsupportedError); !ok {
			t.Errorf("%s: %v", op, err)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, op+" is not supported") || !strings.Contains(got, words) {
			t.Errorf("%s says %q", op, got)
		}
	}
}
