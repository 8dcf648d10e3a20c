package ops

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func groupIn(name string) *api.CreateGameServerGroupInput {
	return &api.CreateGameServerGroupInput{
		GameServerGroupName: name, RoleArn: "arn:aws:iam::123456789012:role/r", MinSize: 0, MaxSize: 2,
		LaunchTemplate:      &api.LaunchTemplateSpecification{LaunchTemplateName: new("t")},
		InstanceDefinitions: []api.InstanceDefinition{{InstanceType: "c5.large"}, {InstanceType: "m5.large"}},
	}
}

func (w *world) newGroup(name string) {
	w.t.Helper()
	must(w.CreateGameServerGroup(w.ctx, groupIn(name)))(w.t)
}

func (w *world) register(group string, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.pass(time.Second)
		must(w.RegisterGameServer(w.ctx, &api.RegisterGameServerInput{
			GameServerGroupName: group, GameServerId: id, InstanceId: "i-0000000000000000" + id[len(id)-1:], ConnectionInfo: new("10.0.0.1:7777"),
		}))(w.t)
	}
}

func (w *world) claim(group string, id *string) (string, error) {
	out, err := w.ClaimGameServer(w.ctx, &api.ClaimGameServerInput{GameServerGroupName: group, GameServerId: id})
	if err != nil {
		return "", err
	}
	return *out.GameServer.GameServerId, nil
}

func TestGameServers(t *testing.T) {
	w := newWorld(t)
	w.newGroup("g")
	w.register("g", "one", "two")
	describe := func(id string) *api.GameServer {
		return must(w.DescribeGameServer(w.ctx, &api.DescribeGameServerInput{GameServerGroupName: "g", GameServerId: id}))(t).GameServer
	}
	if gs := describe("one"); *gs.UtilizationStatus != "AVAILABLE" || gs.ClaimStatus != nil || *gs.ConnectionInfo != "10.0.0.1:7777" || !strings.HasSuffix(*gs.GameServerGroupArn, ":gameservergroup/g") {
		t.Errorf("got %+v", gs)
	}
	// The oldest goes first; then the other; then there is none.
	first := must(w.ClaimGameServer(w.ctx, &api.ClaimGameServerInput{GameServerGroupName: "g", GameServerData: new("match 1")}))(t).GameServer
	if *first.GameServerId != "one" || *first.ClaimStatus != "CLAIMED" || *first.UtilizationStatus != "AVAILABLE" || *first.GameServerData != "match 1" || !first.LastClaimTime.Equal(w.now) {
		t.Errorf("claimed %+v", first)
	}
	if id, err := w.claim("g", new("two")); id != "two" || err != nil {
		t.Errorf("claimed %s, %v", id, err)
	}
	_, err := w.claim("g", nil)
	refused(t, err, lift.OutOfCapacity, "g")
	_, err = w.claim("g", new("two"))
	refused(t, err, lift.Conflict, "claimed")

	// One says in time that it is in use; the claim of the other is over after
	// a minute.
	must(w.UpdateGameServer(w.ctx, &api.UpdateGameServerInput{GameServerGroupName: "g", GameServerId: "one", UtilizationStatus: new("UTILIZED")}))(t)
	if gs := describe("one"); *gs.UtilizationStatus != "UTILIZED" || gs.ClaimStatus != nil {
		t.Errorf("got %+v", gs)
	}
	w.pass(time.Minute - time.Second)
	if *describe("two").ClaimStatus != "CLAIMED" {
		t.Error("the claim is over too soon")
	}
	w.pass(time.Second)
	if describe("two").ClaimStatus != nil {
		t.Error("the claim holds for more than a minute")
	}
	if id, err := w.claim("g", nil); id != "two" || err != nil {
		t.Errorf("claimed %s, %v", id, err)
	}
	w.register("g", "six")
	refusals(t, w, []refusal{
		{&api.ClaimGameServerInput{GameServerGroupName: "g", GameServerId: new("one")}, lift.Conflict, "UTILIZED"},
		{&api.ClaimGameServerInput{GameServerGroupName: "g", GameServerId: new("none")}, lift.NotFound, "none"},
		{&api.ClaimGameServerInput{GameServerGroupName: "none"}, lift.NotFound, "none"},
		{&api.ClaimGameServerInput{GameServerGroupName: "g", GameServerId: new("six"), FilterOption: &api.ClaimFilterOption{InstanceStatuses: []string{"DRAINING"}}}, lift.Conflict, "FilterOption"},
		{&api.ClaimGameServerInput{GameServerGroupName: "g", FilterOption: &api.ClaimFilterOption{InstanceStatuses: []string{"DRAINING"}}}, lift.OutOfCapacity, "register another"},
		{&api.UpdateGameServerInput{GameServerGroupName: "g", GameServerId: "one", UtilizationStatus: new("AVAILABLE"), GameServerData: new("x"), HealthCheck: new("HEALTHY")}, lift.InvalidRequest, "never AVAILABLE"},
		{&api.UpdateGameServerInput{GameServerGroupName: "g", GameServerId: "none"}, lift.NotFound, "none"},
		{&api.RegisterGameServerInput{GameServerGroupName: "none", GameServerId: "new", InstanceId: "i-1"}, lift.InvalidRequest, "none"},
		{&api.RegisterGameServerInput{GameServerGroupName: "g", GameServerId: "one", InstanceId: "i-1"}, lift.Conflict, "one"},
		{&api.DeregisterGameServerInput{GameServerGroupName: "g", GameServerId: "none"}, lift.NotFound, "none"},
		{&api.DescribeGameServerInput{GameServerGroupName: "other", GameServerId: "one"}, lift.NotFound, "other"},
		{&api.DescribeGameServerInstancesInput{GameServerGroupName: "none"}, lift.NotFound, "none"},
		{&api.DescribeGameServerInstancesInput{GameServerGroupName: "g", NextToken: new("x")}, lift.InvalidRequest, "NextToken"},
		{&api.ListGameServersInput{GameServerGroupName: "none"}, lift.InvalidRequest, "none"},
		{&api.ListGameServersInput{GameServerGroupName: "g", NextToken: new("x")}, lift.InvalidRequest, "NextToken"},
	})
	must(w.DeregisterGameServer(w.ctx, &api.DeregisterGameServerInput{GameServerGroupName: "g", GameServerId: "one"}))(t)
	w.register("g", "one") // the id is free again
	w.newGroup("h")
	_, err = w.RegisterGameServer(w.ctx, &api.RegisterGameServerInput{GameServerGroupName: "h", GameServerId: "one", InstanceId: "i-1"})
	refused(t, err, lift.Conflict, "one") // unique over all groups
}

// Who is silent for three minutes is forgotten, but the service's own absence
// is no silence.
func TestSilentGameServers(t *testing.T) {
	w := newWorld(t)
	w.newGroup("g")
	w.register("g", "one", "two")
	known := func() string {
		var ids []string
		for _, gs := range must(w.ListGameServers(w.ctx, &api.ListGameServersInput{GameServerGroupName: "g"}))(t).GameServers {
			ids = append(ids, *gs.GameServerId)
		}
		return strings.Join(ids, " ")
	}
	steps := func(d time.Duration) {
		for ; d > 0; d -= 20 * time.Second {
			w.pass(20 * time.Second)
		}
	}
	w.pass(time.Hour) // a gap of the service
	steps(2 * time.Minute)
	must(w.UpdateGameServer(w.ctx, &api.UpdateGameServerInput{GameServerGroupName: "g", GameServerId: "two", HealthCheck: new("HEALTHY")}))(t)
	steps(40 * time.Second)
	if got := known(); got != "one two" {
		t.Errorf("after 160 s of silence: %s", got)
	}
	steps(20 * time.Second)
	if got := known(); got != "two" {
		t.Errorf("after 180 s of silence: %s", got)
	}
	steps(2 * time.Minute)
	if got := known(); got != "" {
		t.Errorf("at the end: %s", got)
	}
}

func TestGameServerPages(t *testing.T) {
	w := newWorld(t)
	w.newGroup("g")
	w.newGroup("other")
	w.register("other", "other1")
	for i := range 7 {
		w.register("g", fmt.Sprint("gs", i))
	}
	w.register("g", "again3") // a second one on the instance of gs3
	for order, want := range map[string]string{
		"ASCENDING":  "gs0 gs1 gs2 gs3 gs4 gs5 gs6 again3",
		"DESCENDING": "again3 gs6 gs5 gs4 gs3 gs2 gs1 gs0",
	} {
		for limit := 1; limit <= 9; limit++ {
			in := &api.ListGameServersInput{GameServerGroupName: "g", SortOrder: &order, Limit: &limit}
			var got []string
			for {
				out := must(w.ListGameServers(w.ctx, in))(t)
				for _, gs := range out.GameServers {
					got = append(got, *gs.GameServerId)
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s by %d: %q", order, limit, got)
			}
		}
	}
	for limit := 1; limit <= 8; limit++ {
		in := &api.DescribeGameServerInstancesInput{GameServerGroupName: "g", Limit: &limit}
		var got string
		for {
			out := must(w.DescribeGameServerInstances(w.ctx, in))(t)
			for _, i := range out.GameServerInstances {
				got += (*i.InstanceId)[18:]
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if got != "0123456" {
			t.Errorf("instances by %d: %s", limit, got)
		}
	}
	only := must(w.DescribeGameServerInstances(w.ctx, &api.DescribeGameServerInstancesInput{GameServerGroupName: "g", InstanceIds: []string{"i-00000000000000003", "i-00000000000000009"}}))(t).GameServerInstances
	if len(only) != 1 || *only[0].InstanceStatus != "ACTIVE" {
		t.Errorf("got %+v", only)
	}
	var groups []string
	in := &api.ListGameServerGroupsInput{Limit: new(1)}
	for {
		out := must(w.ListGameServerGroups(w.ctx, in))(t)
		for _, g := range out.GameServerGroups {
			groups = append(groups, *g.GameServerGroupName)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if fmt.Sprint(groups) != "[g other]" {
		t.Errorf("groups %v", groups)
	}
}

func TestGameServerGroups(t *testing.T) {
	w := newWorld(t)
	in := groupIn("g")
	in.Tags = []api.Tag{{Key: "a", Value: "b"}}
	g := must(w.CreateGameServerGroup(w.ctx, in))(t).GameServerGroup
	if *g.Status != "ACTIVE" || *g.BalancingStrategy != "SPOT_PREFERRED" || len(g.InstanceDefinitions) != 2 || !strings.Contains(*g.StatusReason, "RegisterGameServer") {
		t.Errorf("got %+v", g)
	}
	if tags := must(w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceARN: *g.GameServerGroupArn}))(t).Tags; len(tags) != 1 {
		t.Errorf("tags %v", tags)
	}
	name := *g.GameServerGroupArn
	g = must(w.UpdateGameServerGroup(w.ctx, &api.UpdateGameServerGroupInput{GameServerGroupName: name, BalancingStrategy: new("SPOT_ONLY")}))(t).GameServerGroup
	if *g.BalancingStrategy != "SPOT_ONLY" || *g.RoleArn != in.RoleArn || len(g.InstanceDefinitions) != 2 {
		t.Errorf("got %+v", g)
	}
	actions := []string{"REPLACE_INSTANCE_TYPES"}
	if g = must(w.SuspendGameServerGroup(w.ctx, &api.SuspendGameServerGroupInput{GameServerGroupName: name, SuspendActions: actions}))(t).GameServerGroup; fmt.Sprint(g.SuspendedActions) != fmt.Sprint(actions) {
		t.Errorf("suspended %v", g.SuspendedActions)
	}
	if g = must(w.ResumeGameServerGroup(w.ctx, &api.ResumeGameServerGroupInput{GameServerGroupName: name, ResumeActions: actions}))(t).GameServerGroup; g.SuspendedActions != nil {
		t.Errorf("suspended %v", g.SuspendedActions)
	}
	group := func(name string, edit func(*api.CreateGameServerGroupInput)) *api.CreateGameServerGroupInput {
		in := groupIn(name)
		edit(in)
		return in
	}
	refusals(t, w, []refusal{
		{groupIn("g"), lift.Conflict, "g already"},
		{group("h", func(in *api.CreateGameServerGroupInput) { in.MinSize = 3 }), lift.InvalidRequest, "MaxSize 2"},
		{group("h", func(in *api.CreateGameServerGroupInput) { in.LaunchTemplate = &api.LaunchTemplateSpecification{} }), lift.InvalidRequest, "exactly one"},
		{group("h", func(in *api.CreateGameServerGroupInput) {
			in.AutoScalingPolicy = &api.GameServerGroupAutoScalingPolicy{TargetTrackingConfiguration: &api.TargetTrackingConfiguration{TargetValue: 101}}
		}), lift.InvalidRequest, "TargetValue"},
		{group("h", func(in *api.CreateGameServerGroupInput) {
			in.VpcSubnets = []string{"subnet-0123456789", "subnet-0123456789"}
		}), lift.InvalidRequest, "VpcSubnets"},
		{group("h", func(in *api.CreateGameServerGroupInput) { in.InstanceDefinitions[1].InstanceType = "c5.large" }), lift.InvalidRequest, "twice"},
		{group("h", func(in *api.CreateGameServerGroupInput) { in.InstanceDefinitions[1].WeightedCapacity = new("2") }), lift.InvalidRequest, "or none"},
		{group("h", func(in *api.CreateGameServerGroupInput) { in.Tags = []api.Tag{{Key: "aws:x"}} }), lift.InvalidRequest, "reserved"},
		{&api.UpdateGameServerGroupInput{GameServerGroupName: "none"}, lift.NotFound, "none"},
		{&api.DescribeGameServerGroupInput{GameServerGroupName: "none"}, lift.NotFound, "none"},
		{&api.SuspendGameServerGroupInput{GameServerGroupName: "none", SuspendActions: actions}, lift.NotFound, "none"},
		{&api.ResumeGameServerGroupInput{GameServerGroupName: "none", ResumeActions: actions}, lift.NotFound, "none"},
		{&api.DeleteGameServerGroupInput{GameServerGroupName: "none"}, lift.NotFound, "none"},
		{&api.ListGameServerGroupsInput{NextToken: new("x")}, lift.InvalidRequest, "NextToken"},
	})
}

// A group goes when none of its servers is in use, or by force; its servers go
// with it.
func TestDeletedGroups(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"safe", "forced"} {
		w.newGroup(name)
		for i := range 3 {
			w.register(name, fmt.Sprint(name, i))
		}
		must(w.UpdateGameServer(w.ctx, &api.UpdateGameServerInput{GameServerGroupName: name, GameServerId: name + "1", UtilizationStatus: new("UTILIZED")}))(t)
	}
	left := func() (n int) {
		for id := range w.rows() {
			if strings.HasPrefix(id, "gameserver") {
				n++
			}
		}
		return n
	}
	g := must(w.DeleteGameServerGroup(w.ctx, &api.DeleteGameServerGroupInput{GameServerGroupName: "forced", DeleteOption: new("FORCE_DELETE")}))(t).GameServerGroup
	if *g.Status != "DELETING" {
		t.Errorf("the forced group is %s", *g.Status)
	}
	must(w.DeleteGameServerGroup(w.ctx, &api.DeleteGameServerGroupInput{GameServerGroupName: "safe"}))(t)
	w.turn()
	if n := left(); n != 4 {
		t.Errorf("%d rows are left, want the safe group with three servers", n)
	}
	refusals(t, w, []refusal{
		{&api.DeleteGameServerGroupInput{GameServerGroupName: "safe"}, lift.InvalidRequest, "already"},
		{&api.RegisterGameServerInput{GameServerGroupName: "safe", GameServerId: "late", InstanceId: "i-1"}, lift.InvalidRequest, "DELETE_SCHEDULED"},
		{&api.UpdateGameServerGroupInput{GameServerGroupName: "safe"}, lift.InvalidRequest, "DELETE_SCHEDULED"},
	})
	must(w.DeregisterGameServer(w.ctx, &api.DeregisterGameServerInput{GameServerGroupName: "safe", GameServerId: "safe1"}))(t)
	w.pass(time.Minute)
	if n := left(); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
