package ops

import (
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

const ours = "123456789012" // the account of the tests' caller

func (w *world) peerings(fleet *string) []api.VpcPeeringConnection {
	w.t.Helper()
	return must(w.DescribeVpcPeeringConnections(w.ctx, &api.DescribeVpcPeeringConnectionsInput{FleetId: fleet}))(w.t).VpcPeeringConnections
}

func (w *world) lastEvent(fleet string) string {
	w.t.Helper()
	evs := must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: fleet}))(w.t).Events
	return *evs[len(evs)-1].EventCode
}

func TestPeering(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet()
	connect := &api.CreateVpcPeeringConnectionInput{FleetId: fleet, PeerVpcAwsAccountId: ours, PeerVpcId: "vpc-1"}

	// Nobody allowed it: it fails, and says what to do.
	must(w.CreateVpcPeeringConnection(w.ctx, connect))(t)
	if p := w.peerings(nil)[0]; *p.Status.Code != "initiating-request" || !strings.HasPrefix(*p.VpcPeeringConnectionId, "pcx-") {
		t.Errorf("got %+v", p)
	}
	w.turn()
	p := w.peerings(&fleet)[0]
	if *p.Status.Code != "failed" || !strings.Contains(*p.Status.Message, "CreateVpcPeeringAuthorization") || w.lastEvent(fleet) != "FLEET_VPC_PEERING_FAILED" {
		t.Errorf("got %s %s", *p.Status.Code, *p.Status.Message)
	}
	must(w.DeleteVpcPeeringConnection(w.ctx, &api.DeleteVpcPeeringConnectionInput{FleetId: fleet, VpcPeeringConnectionId: *p.VpcPeeringConnectionId}))(t)

	allow := &api.CreateVpcPeeringAuthorizationInput{GameLiftAwsAccountId: ours, PeerVpcId: "vpc-1"}
	a := must(w.CreateVpcPeeringAuthorization(w.ctx, allow))(t).VpcPeeringAuthorization
	if !a.ExpirationTime.Equal(w.now.Add(24*time.Hour)) || *a.PeerVpcAwsAccountId != ours || *a.GameLiftAwsAccountId != ours || *a.PeerVpcId != "vpc-1" {
		t.Errorf("got %+v", a)
	}
	w.pass(time.Hour)
	must(w.CreateVpcPeeringAuthorization(w.ctx, allow))(t) // renewed
	if as := must(w.DescribeVpcPeeringAuthorizations(w.ctx, nil))(t).VpcPeeringAuthorizations; len(as) != 1 || !as[0].CreationTime.Equal(w.now) {
		t.Errorf("authorizations: %+v", as)
	}
	must(w.CreateVpcPeeringConnection(w.ctx, connect))(t)
	w.turn()
	if p = w.peerings(&fleet)[0]; *p.Status.Code != "active" || w.lastEvent(fleet) != "FLEET_VPC_PEERING_SUCCEEDED" {
		t.Errorf("got %s %s", *p.Status.Code, *p.Status.Message)
	}
	remove := &api.DeleteVpcPeeringConnectionInput{FleetId: fleet, VpcPeeringConnectionId: *p.VpcPeeringConnectionId}
	other := w.newFleet()
	refusals(t, w, []refusal{
		{connect, lift.InvalidRequest, "already"},
		{&api.CreateVpcPeeringConnectionInput{FleetId: "fleet-none", PeerVpcAwsAccountId: ours, PeerVpcId: "vpc-1"}, lift.NotFound, "fleet-none"},
		{&api.DescribeVpcPeeringConnectionsInput{FleetId: new("fleet-none")}, lift.NotFound, "fleet-none"},
		{&api.DeleteVpcPeeringConnectionInput{FleetId: fleet, VpcPeeringConnectionId: "pcx-none"}, lift.NotFound, "pcx-none"},
		{&api.DeleteVpcPeeringConnectionInput{FleetId: other, VpcPeeringConnectionId: *p.VpcPeeringConnectionId}, lift.NotFound, "pcx-"},
		{&api.DeleteVpcPeeringAuthorizationInput{GameLiftAwsAccountId: ours, PeerVpcId: "vpc-2"}, lift.NotFound, "vpc-2"},
	})

	// After a day it needs to be allowed anew to end it, or its fleet.
	w.pass(24 * time.Hour)
	if as := must(w.DescribeVpcPeeringAuthorizations(w.ctx, nil))(t).VpcPeeringAuthorizations; len(as) != 0 {
		t.Errorf("an authorization is older than a day: %+v", as)
	}
	refusals(t, w, []refusal{
		{remove, lift.InvalidRequest, "CreateVpcPeeringAuthorization"},
		{&api.DeleteFleetInput{FleetId: fleet}, lift.InvalidRequest, "CreateVpcPeeringAuthorization"},
		{&api.DeleteVpcPeeringAuthorizationInput{GameLiftAwsAccountId: ours, PeerVpcId: "vpc-1"}, lift.NotFound, "vpc-1"},
	})
	must(w.CreateVpcPeeringAuthorization(w.ctx, allow))(t)
	must(w.DeleteVpcPeeringConnection(w.ctx, remove))(t)
	if w.lastEvent(fleet) != "FLEET_VPC_PEERING_DELETED" || len(w.peerings(nil)) != 0 {
		t.Error("the connection stays")
	}
	must(w.DeleteVpcPeeringAuthorization(w.ctx, &api.DeleteVpcPeeringAuthorizationInput{GameLiftAwsAccountId: ours, PeerVpcId: "vpc-1"}))(t)
	must(w.DeleteFleet(w.ctx, &api.DeleteFleetInput{FleetId: fleet}))(t)
}

// A fleet created with a connection fails with it, and it with the fleet
// (behaviour 2.3).
func TestPeeringWithFleet(t *testing.T) {
	w := newWorld(t)
	peered := func(in *api.CreateFleetInput) { in.PeerVpcId, in.PeerVpcAwsAccountId = new("vpc-1"), new(ours) }
	check := func(fleet, code, status string) {
		t.Helper()
		if p := w.peerings(&fleet)[0]; *p.Status.Code != code || w.fleetStatus(fleet) != status {
			t.Errorf("the connection is %s (%s), the fleet %s", *p.Status.Code, *p.Status.Message, w.fleetStatus(fleet))
		}
	}
	refused := w.newFleet(peered)
	w.turn()
	check(refused, "failed", "ERROR")
	if last := w.lastEvent(refused); last != "FLEET_STATE_ERROR" {
		t.Errorf("the last event is %s", last)
	}
	must(w.CreateVpcPeeringAuthorization(w.ctx, &api.CreateVpcPeeringAuthorizationInput{GameLiftAwsAccountId: ours, PeerVpcId: "vpc-1"}))(t)
	fails := w.newFleet(peered)
	w.take()
	w.turn()
	check(fails, "active", "NEW")
	var agent lift.InstanceID
	for _, eff := range w.take() {
		if eff.StartInstance != nil {
			agent = eff.StartInstance.InstanceID
		}
	}
	w.tell(agent, lift.Event{Failed: &lift.InstanceFailed{Code: lift.FleetLaunchPathNotFound, Message: "/local/game/server is not there"}})
	check(fails, "failed", "ERROR")
	late := w.newFleet(peered)
	w.turn()
	check(late, "active", "NEW")
	w.pass(time.Hour) // and nothing became ready
	w.turn()
	check(late, "failed", "ERROR")
}

func TestInstanceLimitsAndAccess(t *testing.T) {
	s := newStage(t)
	limits := func(typ *string) []api.EC2InstanceLimit {
		return must(s.DescribeEC2InstanceLimits(s.ctx, &api.DescribeEC2InstanceLimitsInput{EC2InstanceType: typ, Location: new("us-west-2")}))(t).EC2InstanceLimits
	}
	one := limits(new("c5.large"))
	if len(one) != 1 || *one[0].CurrentInstances == 0 || *one[0].InstanceLimit != noLimit || *one[0].EC2InstanceType != "c5.large" {
		t.Errorf("got %+v", one)
	}
	if all := limits(nil); len(all) < 200 || *all[0].EC2InstanceType == *all[1].EC2InstanceType {
		t.Errorf("%d types", len(all))
	}
	if api.Check(&api.DescribeEC2InstanceLimitsInput{EC2InstanceType: new("c0.huge")}) == nil {
		t.Error("an unknown type passes the checks of fields")
	}
	few := newWorld(t, Hosted)
	if l := must(few.DescribeEC2InstanceLimits(few.ctx, &api.DescribeEC2InstanceLimitsInput{EC2InstanceType: new("c5.large")}))(t).EC2InstanceLimits[0]; *l.InstanceLimit != 20 || *l.CurrentInstances != 0 {
		t.Errorf("got %+v", l)
	}
	inst := *must(s.DescribeInstances(s.ctx, &api.DescribeInstancesInput{FleetId: s.fleet}))(t).Instances[0].InstanceId
	refusals(t, s.world, []refusal{
		{&api.DescribeEC2InstanceLimitsInput{Location: new("eu-west-1")}, lift.InvalidRequest, "eu-west-1"},
		{&api.GetInstanceAccessInput{FleetId: "fleet-none", InstanceId: inst}, lift.NotFound, "fleet-none"},
		{&api.GetInstanceAccessInput{FleetId: s.fleet, InstanceId: "i-0"}, lift.NotFound, "i-0"},
		{&api.GetInstanceAccessInput{FleetId: s.capped, InstanceId: inst}, lift.NotFound, inst},
		{&api.GetInstanceAccessInput{FleetId: s.fleet, InstanceId: inst}, lift.InvalidRequest, "chairlift logs " + inst},
		{&api.GetComputeAccessInput{FleetId: s.fleet, ComputeName: inst}, lift.InvalidRequest, "not built yet"},
	})
}
