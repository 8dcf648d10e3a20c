package ops

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

func TestCreateFleet(t *testing.T) {
	w := newWorld(t)
	build := w.linuxBuild()
	out := must(w.CreateFleet(w.ctx, &api.CreateFleetInput{
		Name: "arena", Description: new("d"), BuildId: &build, EC2InstanceType: new("c5.large"), FleetType: new("SPOT"),
		ServerLaunchPath: new("/local/game/old"), ServerLaunchParameters: new("-x"), RuntimeConfiguration: launching(2),
		NewGameSessionProtectionPolicy: new("FullProtection"), MetricGroups: []string{"g"}, LogPaths: []string{"/local/game/logs"},
		ResourceCreationLimitPolicy: &api.ResourceCreationLimitPolicy{NewGameSessionsPerCreator: new(3), PolicyPeriodInMinutes: new(15)},
		InstanceRoleArn:             new("arn:aws:iam::123456789012:role/r"),
		EC2InboundPermissions:       []api.IpPermission{{FromPort: 7000, ToPort: 7010, IpRange: "0.0.0.0/0", Protocol: "UDP"}, {FromPort: 7000, ToPort: 7010, IpRange: "0.0.0.0/0", Protocol: "UDP"}},
		Locations:                   []api.LocationConfiguration{{Location: "us-west-2"}}, ComputeType: new("EC2"),
	}))(t)
	f := out.FleetAttributes
	if *f.Status != "NEW" || *f.BuildId != build || *f.OperatingSystem != "AMAZON_LINUX_2023" || *f.FleetType != "SPOT" || *f.InstanceType != "c5.large" ||
		*f.NewGameSessionProtectionPolicy != "FullProtection" || *f.ResourceCreationLimitPolicy.PolicyPeriodInMinutes != 15 || f.MetricGroups[0] != "g" ||
		*f.ServerLaunchPath != "/local/game/old" || *f.ServerLaunchParameters != "-x" || f.LogPaths[0] != "/local/game/logs" || *f.CertificateConfiguration != (api.CertificateConfiguration{CertificateType: "DISABLED"}) ||
		*f.PlayerGatewayMode != "DISABLED" || *f.ComputeType != "EC2" || !f.CreationTime.Equal(w.now) || !f.TerminationTime.IsZero() {
		t.Errorf("got %+v", f)
	}
	if len(out.LocationStates) != 1 || *out.LocationStates[0].Location != "us-west-2" || *out.LocationStates[0].Status != "NEW" {
		t.Errorf("locations %+v", out.LocationStates)
	}
	id := *f.FleetId
	// Both given: the runtime configuration wins.
	r := must(w.DescribeRuntimeConfiguration(w.ctx, &api.DescribeRuntimeConfigurationInput{FleetId: id}))(t).RuntimeConfiguration
	if len(r.ServerProcesses) != 1 || r.ServerProcesses[0].LaunchPath != "/local/game/server" || r.MaxConcurrentGameSessionActivations != nil {
		t.Errorf("runtime %+v", r)
	}
	if ps := must(w.DescribeFleetPortSettings(w.ctx, &api.DescribeFleetPortSettingsInput{FleetId: id}))(t).InboundPermissions; len(ps) != 1 {
		t.Errorf("ports %+v", ps)
	}
	c := must(w.DescribeFleetCapacity(w.ctx, &api.DescribeFleetCapacityInput{FleetIds: []string{id}}))(t).FleetCapacity[0].InstanceCounts
	if got := countsOf(c); got != "1 of 0..1; 0 pending 0 active 0 idle 0 terminating" {
		t.Errorf("capacity %s", got)
	}
	w.turn()
	c = must(w.DescribeFleetCapacity(w.ctx, &api.DescribeFleetCapacityInput{FleetIds: []string{id}}))(t).FleetCapacity[0].InstanceCounts
	if got := countsOf(c); got != "1 of 0..1; 1 pending 0 active 0 idle 0 terminating" {
		t.Errorf("after a turn: capacity %s", got)
	}
}

func countsOf(c *api.EC2InstanceCounts) string {
	return fmt.Sprintf("%d of %d..%d; %d pending %d active %d idle %d terminating", *c.DESIRED, *c.MINIMUM, *c.MAXIMUM, *c.PENDING, *c.ACTIVE, *c.IDLE, *c.TERMINATING)
}

// What clients of the older API send is a fleet of one process.
func TestLegacyLaunchPath(t *testing.T) {
	w := newWorld(t)
	out := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t) // Windows, as no system is named
	w.upload(out.StorageLocation, archiveOf(t))
	f := must(w.CreateFleet(w.ctx, &api.CreateFleetInput{
		Name: "f", BuildId: out.Build.BuildId, EC2InstanceType: new("c4.large"), ServerLaunchPath: new(`c:\Game\bin/server.exe`), ServerLaunchParameters: new("-p 1"),
	}))(t).FleetAttributes
	r := must(w.DescribeRuntimeConfiguration(w.ctx, &api.DescribeRuntimeConfigurationInput{FleetId: *f.FleetId}))(t).RuntimeConfiguration
	if len(r.ServerProcesses) != 1 || r.ServerProcesses[0].LaunchPath != `c:\Game\bin/server.exe` || *r.ServerProcesses[0].Parameters != "-p 1" || r.ServerProcesses[0].ConcurrentExecutions != 1 {
		t.Errorf("runtime %+v", r)
	}
	for _, path := range []string{`C:\game`, `C:\game\`, `C:\game\..\x.exe`, `C:\games\x.exe`, `/local/game/x`} {
		_, err := w.CreateFleet(w.ctx, &api.CreateFleetInput{Name: "f", BuildId: out.Build.BuildId, EC2InstanceType: new("c4.large"), ServerLaunchPath: &path})
		refused(t, err, lift.InvalidRequest, `C:\game\`, "AMAZON_LINUX_2023")
	}
}

func TestFleetsByID(t *testing.T) {
	s := newStage(t)
	ids := []string{s.newFleet, "fleet-none", *s.arn(s.fleet)}
	out := must(s.DescribeFleetAttributes(s.ctx, &api.DescribeFleetAttributesInput{FleetIds: ids, Limit: new(1), NextToken: new("ignored")}))(t)
	if len(out.FleetAttributes) != 2 || *out.FleetAttributes[0].FleetId != s.newFleet || *out.FleetAttributes[1].FleetId != s.fleet || out.NextToken != nil {
		t.Errorf("got %d fleets", len(out.FleetAttributes))
	}
	build := *out.FleetAttributes[1].BuildId
	if got := must(s.ListFleets(s.ctx, &api.ListFleetsInput{BuildId: &build}))(t).FleetIds; len(got) != 1 || got[0] != s.fleet {
		t.Errorf("fleets of the build: %q", got)
	}
	if got := must(s.ListFleets(s.ctx, &api.ListFleetsInput{ScriptId: new("script-1")}))(t).FleetIds; len(got) != 0 {
		t.Errorf("fleets of a script: %q", got)
	}
}

func TestCapacity(t *testing.T) {
	w := newWorld(t)
	fleet, first := w.activeFleet()
	w.pass(time.Second)
	w.take()
	out := must(w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, DesiredInstances: new(2), MinSize: new(1), MaxSize: new(3)}))(t)
	if *out.FleetId != fleet || *out.FleetArn != lift.FleetARN("us-west-2", lift.FleetID(fleet)) {
		t.Errorf("got %+v", out)
	}
	w.turn()
	second := w.startInstance()
	must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1}))(t)
	counts := func() string {
		return countsOf(must(w.DescribeFleetCapacity(w.ctx, &api.DescribeFleetCapacityInput{FleetIds: []string{fleet}}))(t).FleetCapacity[0].InstanceCounts)
	}
	if got := counts(); got != "2 of 1..3; 0 pending 2 active 1 idle 0 terminating" {
		t.Errorf("capacity %s", got)
	}
	// The idle instance goes first.
	must(w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, DesiredInstances: new(1)}))(t)
	w.turn()
	if got := counts(); got != "1 of 1..3; 0 pending 1 active 0 idle 1 terminating" {
		t.Errorf("capacity %s", got)
	}
	is := must(w.DescribeInstances(w.ctx, &api.DescribeInstancesInput{FleetId: fleet}))(t).Instances
	if len(is) != 2 || *is[0].InstanceId != string(first) || *is[0].Status != "ACTIVE" || *is[1].Status != "TERMINATING" || *is[0].IpAddress != "10.0.0.7" ||
		*is[0].Type != "c5.large" || *is[0].OperatingSystem != "AMAZON_LINUX_2023" || *is[0].Location != "us-west-2" || is[0].CreationTime.IsZero() {
		t.Errorf("instances %+v", is)
	}
	one := must(w.DescribeInstances(w.ctx, &api.DescribeInstancesInput{FleetId: fleet, InstanceId: opt(second)}))(t).Instances
	if len(one) != 1 || *one[0].InstanceId != string(second) {
		t.Errorf("instance %+v", one)
	}
	// A call that changes nothing leaves no event.
	must(w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: fleet}))(t)
	n := 0
	for _, ev := range must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: fleet}))(t).Events {
		if *ev.EventCode == "FLEET_SCALING_EVENT" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d scaling events, want 2", n)
	}
}

func TestUpdateFleet(t *testing.T) {
	w := newWorld(t)
	id, inst := w.activeFleet()
	w.take()
	must(w.UpdateFleetAttributes(w.ctx, &api.UpdateFleetAttributesInput{
		FleetId: id, Name: new("renamed"), Description: new("d"), NewGameSessionProtectionPolicy: new("FullProtection"), MetricGroups: []string{"m"},
		ResourceCreationLimitPolicy: &api.ResourceCreationLimitPolicy{NewGameSessionsPerCreator: new(1), PolicyPeriodInMinutes: new(1)},
	}))(t)
	must(w.UpdateFleetAttributes(w.ctx, &api.UpdateFleetAttributesInput{FleetId: id}))(t)
	f := must(w.DescribeFleetAttributes(w.ctx, &api.DescribeFleetAttributesInput{FleetIds: []string{id}}))(t).FleetAttributes[0]
	if *f.Name != "renamed" || *f.Description != "d" || *f.NewGameSessionProtectionPolicy != "FullProtection" || f.MetricGroups[0] != "m" || *f.ResourceCreationLimitPolicy.NewGameSessionsPerCreator != 1 {
		t.Errorf("got %+v", f)
	}
	evs := must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: id}))(t).Events
	if ev := evs[len(evs)-1]; *ev.EventCode != "FLEET_NEW_GAME_SESSION_PROTECTION_POLICY_UPDATED" || *ev.Message != "protection of new game sessions was NoProtection, is FullProtection" {
		t.Errorf("last event: %s %s", *ev.EventCode, *ev.Message)
	}

	r := launching(3)
	r.GameSessionActivationTimeoutSeconds = new(5)
	out := must(w.UpdateRuntimeConfiguration(w.ctx, &api.UpdateRuntimeConfigurationInput{FleetId: id, RuntimeConfiguration: r}))(t).RuntimeConfiguration
	if out.ServerProcesses[0].ConcurrentExecutions != 3 || *out.GameSessionActivationTimeoutSeconds != 5 {
		t.Errorf("got %+v", out)
	}
	sent := w.take()
	if len(sent) != 1 || sent[0].To != lift.ToAgent(inst) || sent[0].Reconfigure == nil || sent[0].Reconfigure.Runtime.Total() != 3 {
		t.Errorf("sent %+v", sent)
	}

	udp := api.IpPermission{FromPort: 7000, ToPort: 7000, IpRange: "10.0.0.0/8", Protocol: "UDP"}
	tcp := udp
	tcp.Protocol = "TCP"
	must(w.UpdateFleetPortSettings(w.ctx, &api.UpdateFleetPortSettingsInput{FleetId: id, InboundPermissionAuthorizations: []api.IpPermission{udp, tcp, udp}}))(t)
	if sent := w.take(); len(sent) != 1 || sent[0].To != lift.ToAgent(inst) || sent[0].Reconfigure == nil || sent[0].Reconfigure.Revision != 2 || sent[0].Reconfigure.Runtime.Total() != 3 || len(sent[0].Reconfigure.InboundPorts) != 2 {
		t.Errorf("sent %+v", sent)
	}
	must(w.UpdateFleetPortSettings(w.ctx, &api.UpdateFleetPortSettingsInput{FleetId: id, InboundPermissionRevocations: []api.IpPermission{udp}}))(t)
	w.take()
	must(w.UpdateFleetPortSettings(w.ctx, &api.UpdateFleetPortSettingsInput{FleetId: id, InboundPermissionAuthorizations: []api.IpPermission{tcp}}))(t)
	if sent := w.take(); len(sent) > 0 {
		t.Errorf("nothing changed, and sent %+v", sent)
	}
	if ps := must(w.DescribeFleetPortSettings(w.ctx, &api.DescribeFleetPortSettingsInput{FleetId: id, Location: new("us-west-2")}))(t).InboundPermissions; len(ps) != 1 || ps[0] != tcp {
		t.Errorf("ports %+v", ps)
	}
}

func TestFleetEvents(t *testing.T) {
	w := newWorld(t)
	w.Service.o.LogURL = func(c auth.Caller, log string) string { return "https://logs/" + c.Region + "/" + log }
	id, inst := w.activeFleet()
	w.pass(time.Minute)
	from := w.now
	for range 2 {
		w.tell(inst, lift.Event{Notice: &lift.Notice{Code: lift.ProcessCrashed, Message: "boom", Log: "p1"}})
	}
	w.pass(time.Minute)
	w.tell(inst, lift.Event{Notice: &lift.Notice{Code: lift.ProcessCrashed, Message: "boom", Log: "p1"}})

	evs := must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: id, StartTime: from}))(t).Events
	if len(evs) != 2 || *evs[0].Count != 2 || *evs[1].Count != 1 || *evs[0].ResourceId != id {
		t.Fatalf("got %+v", evs)
	}
	if url := *evs[0].PreSignedLogUrl; url != "https://logs/us-west-2/"+string(inst)+"/p1" {
		t.Errorf("log at %s", url)
	}
	// Both ends are included.
	evs = must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: id, StartTime: evs[0].EventTime, EndTime: evs[0].EventTime}))(t).Events
	if len(evs) != 1 {
		t.Errorf("got %+v", evs)
	}
	if evs = must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: id, EndTime: from.Add(-time.Second)}))(t).Events; len(evs) != 7 {
		t.Errorf("%d events of the creation", len(evs))
	}

	// The events of a fleet that is gone stay for an hour, and its ports are
	// none.
	must(w.DeleteFleet(w.ctx, &api.DeleteFleetInput{FleetId: id}))(t)
	w.turn()
	w.tell(inst, lift.Event{Stopped: &lift.Stopped{}})
	w.pass(59 * time.Minute)
	evs = must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: id}))(t).Events
	if last := *evs[len(evs)-1].EventCode; last != "FLEET_DELETED" {
		t.Errorf("last event: %s", last)
	}
	if ps := must(w.DescribeFleetPortSettings(w.ctx, &api.DescribeFleetPortSettingsInput{FleetId: id}))(t); len(ps.InboundPermissions) != 0 {
		t.Errorf("ports %+v", ps)
	}
	_, err := w.UpdateFleetAttributes(w.ctx, &api.UpdateFleetAttributesInput{FleetId: id})
	refused(t, err, lift.NotFound)
	if got := *must(w.ExplainFleet(w.ctx, &api.ExplainFleetInput{FleetId: id}))(t).Status; got != "TERMINATED" {
		t.Errorf("the fleet is %s", got)
	}
	w.pass(2 * time.Hour)
	_, err = w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: id})
	refused(t, err, lift.NotFound)
}

// A deleted fleet takes all its game sessions with it, also very many.
func TestDeletedFleetForgetsSessions(t *testing.T) {
	w := newWorld(t)
	id, inst := w.activeFleet()
	if err := w.engine.Update(w.ctx, func(tx *engine.Tx) error {
		for n := range 250 {
			gs := &lift.GameSession{ID: lift.GameSessionARN("us-west-2", lift.FleetID(id), fmt.Sprint(n)), FleetID: lift.FleetID(id), Region: "us-west-2", Status: lift.SessionTerminated, KeepUntil: tx.Now.Add(time.Hour)}
			p := &lift.PlayerSession{ID: lift.PlayerSessionID(fmt.Sprint("psess-", n)), PlayerID: "ann", GameSessionID: gs.ID, Region: "us-west-2", Status: lift.PlayerCompleted, KeepUntil: tx.Now.Add(time.Hour)}
			if err := errors.Join(store.Sessions.Put(tx, gs), store.Players.Put(tx, p)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	must(w.DeleteFleet(w.ctx, &api.DeleteFleetInput{FleetId: id}))(t)
	w.turn()
	w.tell(inst, lift.Event{Stopped: &lift.Stopped{}})
	for range 5 {
		w.pass(time.Second)
	}
	if ps := must(w.DescribePlayerSessions(w.ctx, &api.DescribePlayerSessionsInput{PlayerId: new("ann")}))(t).PlayerSessions; len(ps) != 0 {
		t.Errorf("%d player sessions are left", len(ps))
	}
	if err := w.engine.View(w.ctx, func(tx store.Tx) error {
		ss, err := store.Sessions.All(tx, "fleet", id+"/")
		if len(ss) != 0 {
			t.Errorf("%d game sessions are left", len(ss))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
