package ops

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// stage is a world with one of everything, for requests that fail.
type stage struct {
	*world
	build, fresh, failed    string // READY, INITIALIZED, FAILED
	fleet, newFleet, broken string // ACTIVE, NEW, ERROR
	leaving                 string // DELETING
	capped                  string // ACTIVE, one session per creator in 10 minutes, one process
	alias, terminal         string
	session, activating     string // ACTIVE with one slot, ACTIVATING
	ended                   string // TERMINATED
	queue, placement        string // placement is FULFILLED
	ruleSet, matchmaker     string // two teams of 1 to 2; WITH_QUEUE
}

func newStage(t *testing.T, rules ...Rules) *stage {
	t.Helper()
	w := newWorld(t, rules...)
	s := &stage{world: w}
	s.build = w.linuxBuild()
	s.fresh = *must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t).Build.BuildId
	bad := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t)
	w.upload(bad.StorageLocation, []byte("no zip"))
	s.failed = *bad.Build.BuildId

	s.broken, _ = w.activeFleet()
	s.edit(s.broken, func(f *lift.Fleet) { f.Status, f.Reason = lift.FleetError, "it broke" })
	s.leaving, _ = w.activeFleet()
	s.edit(s.leaving, func(f *lift.Fleet) { f.Status = lift.FleetDeleting })
	s.capped, _ = w.activeFleet(func(in *api.CreateFleetInput) {
		in.RuntimeConfiguration = launching(1)
		in.ResourceCreationLimitPolicy = &api.ResourceCreationLimitPolicy{NewGameSessionsPerCreator: new(1), PolicyPeriodInMinutes: new(10)}
	})
	s.fleet, _ = w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(5) })
	s.newFleet = w.newFleet()

	s.alias = *must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "a", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &s.fleet}}))(t).Alias.AliasId
	s.terminal = *must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "t", RoutingStrategy: &api.RoutingStrategy{Type: new("TERMINAL"), Message: new("get the new version")}}))(t).Alias.AliasId

	open := func() string {
		return *must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &s.fleet, MaximumPlayerSessionCount: 1}))(t).GameSession.GameSessionId
	}
	s.session, s.activating, s.ended = open(), open(), open()
	w.activate(s.session)
	w.tell(w.hostOf(s.ended).InstanceID, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: w.hostOf(s.ended).ID}})

	s.queue = "q"
	must(w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{Name: s.queue, Destinations: []api.GameSessionQueueDestination{{DestinationArn: s.arn(s.fleet)}}}))(t)
	s.ruleSet, s.matchmaker = "pairs", "duel"
	must(w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: s.ruleSet, RuleSetBody: pairsRules}))(t)
	must(w.CreateMatchmakingConfiguration(w.ctx, s.matchmakerIn()))(t)
	s.placement = "done"
	must(w.StartGameSessionPlacement(w.ctx, &api.StartGameSessionPlacementInput{PlacementId: s.placement, GameSessionQueueName: s.queue, MaximumPlayerSessionCount: 2}))(t)
	w.turn()
	w.activate(*must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: s.placement}))(t).GameSessionId)
	return s
}

func (s *stage) arn(fleet string) *string {
	return opt(lift.FleetARN("us-west-2", lift.FleetID(fleet)))
}

// Every way to fail answers with the error that the behaviour spec names, which
// its operation declares, and with words that help.
func TestRefusals(t *testing.T) {
	s := newStage(t)
	const (
		noFleet = "fleet-00000000-0000-0000-0000-000000000000"
		noBuild = "build-00000000-0000-0000-0000-000000000000"
		noAlias = "alias-00000000-0000-0000-0000-000000000000"
	)
	fleetIn := func(edit func(*api.CreateFleetInput)) *api.CreateFleetInput {
		in := &api.CreateFleetInput{Name: "f", BuildId: &s.build, EC2InstanceType: new("c5.large"), RuntimeConfiguration: launching(1)}
		edit(in)
		return in
	}
	sessionIn := func(edit func(*api.CreateGameSessionInput)) *api.CreateGameSessionInput {
		in := &api.CreateGameSessionInput{FleetId: &s.fleet, MaximumPlayerSessionCount: 2}
		edit(in)
		return in
	}
	queueIn := func(edit func(*api.CreateGameSessionQueueInput)) *api.CreateGameSessionQueueInput {
		in := &api.CreateGameSessionQueueInput{Name: "other"}
		edit(in)
		return in
	}
	placeIn := func(edit func(*api.StartGameSessionPlacementInput)) *api.StartGameSessionPlacementInput {
		in := &api.StartGameSessionPlacementInput{PlacementId: "new", GameSessionQueueName: s.queue, MaximumPlayerSessionCount: 2}
		edit(in)
		return in
	}
	matchIn := func(edit func(*api.CreateMatchmakingConfigurationInput)) *api.CreateMatchmakingConfigurationInput {
		in := s.matchmakerIn()
		in.Name = "other"
		edit(in)
		return in
	}
	tags := []api.Tag{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}}
	many := make([]string, 26)
	for i := range many {
		many[i] = noFleet
	}

	refusals(t, s.world, []refusal{
		// builds
		{&api.CreateBuildInput{Tags: tags}, lift.TaggingFailed, "twice"},
		{&api.RequestUploadCredentialsInput{BuildId: s.build}, lift.InvalidRequest, "READY"},
		{&api.RequestUploadCredentialsInput{BuildId: noBuild}, lift.NotFound, noBuild},
		{&api.DescribeBuildInput{BuildId: noBuild}, lift.NotFound, "region us-west-2"},
		{&api.UpdateBuildInput{BuildId: noBuild}, lift.NotFound, noBuild},
		{&api.DeleteBuildInput{BuildId: noBuild}, lift.NotFound, noBuild},

		// CreateFleet, in the order of behaviour 2.2
		{fleetIn(func(in *api.CreateFleetInput) { in.ComputeType = new("ANYWHERE") }), lift.InvalidRequest, "ANYWHERE is not built yet"},
		{fleetIn(func(in *api.CreateFleetInput) { in.EC2InstanceType = nil }), lift.InvalidRequest, "EC2InstanceType"},
		{fleetIn(func(in *api.CreateFleetInput) { in.BuildId = nil }), lift.InvalidRequest, "exactly one"},
		{fleetIn(func(in *api.CreateFleetInput) { in.ScriptId = new("script-1") }), lift.InvalidRequest, "exactly one"},
		{fleetIn(func(in *api.CreateFleetInput) { in.BuildId, in.ScriptId = nil, new("script-1") }), lift.InvalidRequest, "not built yet"},
		{fleetIn(func(in *api.CreateFleetInput) { in.PeerVpcId = new("vpc-1") }), lift.InvalidRequest, "go together"},
		{fleetIn(func(in *api.CreateFleetInput) { in.InstanceRoleCredentialsProvider = new("SHARED_CREDENTIAL_FILE") }), lift.InvalidRequest, "InstanceRoleCredentialsProvider"},
		{fleetIn(func(in *api.CreateFleetInput) {
			in.CertificateConfiguration = &api.CertificateConfiguration{CertificateType: "GENERATED"}
		}), lift.InvalidRequest, "not built yet"},
		{fleetIn(func(in *api.CreateFleetInput) { in.Locations = []api.LocationConfiguration{{Location: "eu-west-1"}} }), lift.InvalidRequest, "eu-west-1"},
		{fleetIn(func(in *api.CreateFleetInput) { in.Tags = tags }), lift.TaggingFailed, "twice"},
		{fleetIn(func(in *api.CreateFleetInput) { in.BuildId = new(noBuild) }), lift.NotFound, noBuild},
		{fleetIn(func(in *api.CreateFleetInput) { in.BuildId = &s.fresh }), lift.InvalidRequest, "upload them to"},
		{fleetIn(func(in *api.CreateFleetInput) { in.BuildId = &s.failed }), lift.InvalidRequest, "FAILED: "},
		{fleetIn(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = nil }), lift.InvalidRequest, "ServerProcesses is required"},
		{fleetIn(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(51) }), lift.InvalidRequest, "add up to 51"},
		{fleetIn(func(in *api.CreateFleetInput) { in.RuntimeConfiguration.ServerProcesses[0].LaunchPath = "/bin/sh" }), lift.InvalidRequest, "/local/game/"},
		{fleetIn(func(in *api.CreateFleetInput) {
			in.RuntimeConfiguration.ServerProcesses[0].LaunchPath = "/local/game/../../bin/sh"
		}), lift.InvalidRequest, "/local/game/"},
		{fleetIn(func(in *api.CreateFleetInput) {
			in.RuntimeConfiguration, in.ServerLaunchPath = nil, new(`C:\game\x.exe`)
		}), lift.InvalidRequest, "/local/game/"},
		{fleetIn(func(in *api.CreateFleetInput) {
			in.EC2InboundPermissions = []api.IpPermission{{FromPort: 9, ToPort: 8, IpRange: "0.0.0.0/0", Protocol: "UDP"}}
		}), lift.InvalidRequest, "9 to 8"},
		{fleetIn(func(in *api.CreateFleetInput) {
			in.EC2InboundPermissions = []api.IpPermission{{FromPort: 8, ToPort: 8, IpRange: "everybody", Protocol: "UDP"}}
		}), lift.InvalidRequest, "everybody"},

		// fleets
		{&api.DescribeFleetAttributesInput{FleetIds: many}, lift.InvalidRequest, "25"},
		{&api.DescribeFleetCapacityInput{NextToken: new("x")}, lift.InvalidRequest, "NextToken"},
		{&api.DescribeFleetEventsInput{FleetId: noFleet}, lift.NotFound, noFleet},
		{&api.DescribeInstancesInput{FleetId: noFleet}, lift.NotFound, noFleet},
		{&api.DescribeInstancesInput{FleetId: s.fleet, InstanceId: new("i-1")}, lift.NotFound, "i-1"},
		{&api.DescribeInstancesInput{FleetId: s.fleet, Location: new("eu-west-1")}, lift.NotFound, "eu-west-1"},
		{&api.DescribeRuntimeConfigurationInput{FleetId: noFleet}, lift.NotFound, noFleet},
		{&api.DescribeFleetPortSettingsInput{FleetId: noFleet}, lift.NotFound, noFleet},
		{&api.ListFleetsInput{BuildId: &s.build, ScriptId: new("script-1")}, lift.InvalidRequest, "not both"},
		{&api.UpdateFleetAttributesInput{FleetId: noFleet}, lift.NotFound, noFleet},
		{&api.UpdateFleetAttributesInput{FleetId: s.leaving}, lift.InvalidFleetStatus, "deleted"},
		{&api.UpdateFleetAttributesInput{FleetId: s.fleet, AnywhereConfiguration: &api.AnywhereConfiguration{Cost: "1"}}, lift.InvalidRequest, "ANYWHERE"},
		{&api.UpdateFleetPortSettingsInput{FleetId: s.leaving}, lift.InvalidFleetStatus, "deleted"},
		{&api.UpdateFleetPortSettingsInput{FleetId: s.fleet, InboundPermissionRevocations: []api.IpPermission{{FromPort: 1, ToPort: 1, IpRange: "0.0.0.0/0", Protocol: "UDP"}}}, lift.InvalidRequest, "revoke"},
		{&api.UpdateFleetPortSettingsInput{FleetId: s.fleet, InboundPermissionAuthorizations: ports51()}, lift.LimitExceeded, "51"},
		{&api.UpdateRuntimeConfigurationInput{FleetId: s.leaving, RuntimeConfiguration: launching(1)}, lift.InvalidFleetStatus, "deleted"},
		{&api.UpdateRuntimeConfigurationInput{FleetId: s.fleet, RuntimeConfiguration: launching(51)}, lift.LimitExceeded, "51"},
		{&api.UpdateRuntimeConfigurationInput{FleetId: s.fleet, RuntimeConfiguration: &api.RuntimeConfiguration{}}, lift.InvalidRequest, "ServerProcesses"},
		{&api.UpdateRuntimeConfigurationInput{FleetId: noFleet, RuntimeConfiguration: launching(1)}, lift.NotFound, noFleet},
		{&api.DeleteFleetInput{FleetId: noFleet}, lift.NotFound, noFleet},
		{&api.DeleteFleetInput{FleetId: s.newFleet}, lift.InvalidFleetStatus, "NEW"},
		{&api.DeleteFleetInput{FleetId: s.leaving}, lift.InvalidFleetStatus, "DELETING"},

		// capacity, behaviour 2.15 and 2.21
		{&api.UpdateFleetCapacityInput{FleetId: noFleet}, lift.NotFound, noFleet},
		{&api.UpdateFleetCapacityInput{FleetId: s.newFleet, DesiredInstances: new(1)}, lift.InvalidFleetStatus, "NEW"},
		{&api.UpdateFleetCapacityInput{FleetId: s.broken, DesiredInstances: new(1)}, lift.InvalidFleetStatus, "ERROR"},
		{&api.UpdateFleetCapacityInput{FleetId: s.leaving, DesiredInstances: new(1)}, lift.InvalidFleetStatus, "DELETING"},
		{&api.UpdateFleetCapacityInput{FleetId: s.fleet, DesiredInstances: new(2)}, lift.InvalidRequest, "MaxSize"},
		{&api.UpdateFleetCapacityInput{FleetId: s.fleet, MaxSize: new(0)}, lift.InvalidRequest, "desired capacity of 1"},
		{&api.UpdateFleetCapacityInput{FleetId: s.fleet, MinSize: new(2), MaxSize: new(3)}, lift.InvalidRequest, "desired capacity of 1"},
		{&api.UpdateFleetCapacityInput{FleetId: s.fleet, MinSize: new(3), MaxSize: new(2), DesiredInstances: new(2)}, lift.InvalidRequest, "above"},
		{&api.UpdateFleetCapacityInput{FleetId: s.fleet, MinSize: new(-1)}, lift.InvalidRequest, "negative"},
		{&api.UpdateFleetCapacityInput{FleetId: s.fleet, Location: new("eu-west-1")}, lift.NotFound, "eu-west-1"},
		{&api.UpdateFleetCapacityInput{FleetId: s.fleet, ManagedCapacityConfiguration: &api.ManagedCapacityConfiguration{ZeroCapacityStrategy: new("SCALE_TO_AND_FROM_ZERO")}}, lift.InvalidRequest, "not built yet"},
		{&api.UpdateFleetCapacityInput{FleetId: s.fleet, ManagedCapacityConfiguration: &api.ManagedCapacityConfiguration{ScaleInAfterInactivityMinutes: new(30)}}, lift.InvalidRequest, "ScaleInAfterInactivityMinutes"},

		// aliases
		{&api.CreateAliasInput{Name: "x", RoutingStrategy: &api.RoutingStrategy{}}, lift.InvalidRequest, "SIMPLE or TERMINAL"},
		{&api.CreateAliasInput{Name: "x", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE")}}, lift.InvalidRequest, "FleetId"},
		{&api.CreateAliasInput{Name: "x", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: new(noFleet)}}, lift.InvalidRequest, noFleet},
		{&api.CreateAliasInput{Name: "x", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &s.fleet, Message: new("m")}}, lift.InvalidRequest, "no Message"},
		{&api.CreateAliasInput{Name: "x", RoutingStrategy: &api.RoutingStrategy{Type: new("TERMINAL")}}, lift.InvalidRequest, "Message"},
		{&api.UpdateAliasInput{AliasId: s.alias, RoutingStrategy: &api.RoutingStrategy{Type: new("TERMINAL"), FleetId: &s.fleet, Message: new("m")}}, lift.InvalidRequest, "no FleetId"},
		{&api.UpdateAliasInput{AliasId: noAlias}, lift.NotFound, noAlias},
		{&api.DescribeAliasInput{AliasId: noAlias}, lift.NotFound, noAlias},
		{&api.DeleteAliasInput{AliasId: noAlias}, lift.NotFound, noAlias},
		{&api.ResolveAliasInput{AliasId: noAlias}, lift.NotFound, noAlias},
		{&api.ResolveAliasInput{AliasId: s.terminal}, lift.TerminalRoutingStrategy, "get the new version"},

		// CreateGameSession: each row breaks one rule of behaviour 3.2 and all that come after it
		{sessionIn(func(in *api.CreateGameSessionInput) {
			in.IdempotencyToken, in.GameSessionId, in.FleetId = new("a"), new("b"), nil
		}), lift.InvalidRequest, "differ"},
		{sessionIn(func(in *api.CreateGameSessionInput) { in.AliasId = new(noAlias) }), lift.InvalidRequest, "exactly one"},
		{sessionIn(func(in *api.CreateGameSessionInput) { in.FleetId = nil }), lift.InvalidRequest, "exactly one"},
		{sessionIn(func(in *api.CreateGameSessionInput) {
			in.FleetId, in.AliasId, in.MaximumPlayerSessionCount = nil, new(noAlias), 999
		}), lift.NotFound, noAlias},
		{sessionIn(func(in *api.CreateGameSessionInput) {
			in.FleetId, in.AliasId, in.MaximumPlayerSessionCount = nil, &s.terminal, 999
		}), lift.TerminalRoutingStrategy, "get the new version"},
		{sessionIn(func(in *api.CreateGameSessionInput) {
			in.FleetId, in.Location, in.MaximumPlayerSessionCount = new(noFleet), new("mars"), 999
		}), lift.NotFound, noFleet},
		{sessionIn(func(in *api.CreateGameSessionInput) {
			in.FleetId, in.Location, in.MaximumPlayerSessionCount = &s.newFleet, new("mars"), 999
		}), lift.InvalidFleetStatus, "NEW"},
		{sessionIn(func(in *api.CreateGameSessionInput) { in.FleetId = &s.broken }), lift.InvalidFleetStatus, "ERROR"},
		{sessionIn(func(in *api.CreateGameSessionInput) { in.FleetId = &s.leaving }), lift.InvalidFleetStatus, "DELETING"},
		{sessionIn(func(in *api.CreateGameSessionInput) { in.Location, in.MaximumPlayerSessionCount = new("mars"), 999 }), lift.NotFound, "mars"},
		{sessionIn(func(in *api.CreateGameSessionInput) { in.FleetId, in.MaximumPlayerSessionCount = &s.capped, 201 }), lift.InvalidRequest, "200"},
		{sessionIn(func(in *api.CreateGameSessionInput) { in.FleetId = &s.capped }), lift.InvalidRequest, "CreatorId is required"},

		// sessions
		{&api.DescribeGameSessionsInput{}, lift.InvalidRequest, "exactly one"},
		{&api.DescribeGameSessionsInput{FleetId: &s.fleet, AliasId: &s.alias}, lift.InvalidRequest, "exactly one"},
		{&api.DescribeGameSessionsInput{FleetId: &s.fleet, StatusFilter: new("ERROR")}, lift.InvalidRequest, "StatusFilter"},
		{&api.DescribeGameSessionsInput{FleetId: new(noFleet)}, lift.NotFound, noFleet},
		{&api.DescribeGameSessionsInput{AliasId: &s.terminal}, lift.TerminalRoutingStrategy, "get the new version"},
		{&api.DescribeGameSessionsInput{GameSessionId: new("arn:aws:gamelift:us-west-2::gamesession/x/y")}, lift.NotFound, "x/y"},
		{&api.DescribeGameSessionDetailsInput{GameSessionId: new("nothing")}, lift.NotFound, "nothing"},
		{&api.UpdateGameSessionInput{GameSessionId: s.ended}, lift.InvalidGameSessionStatus, "TERMINATED"},
		{&api.UpdateGameSessionInput{GameSessionId: s.session, MaximumPlayerSessionCount: new(201)}, lift.InvalidRequest, "200"},
		{&api.UpdateGameSessionInput{GameSessionId: s.session, GameProperties: properties17()}, lift.InvalidRequest, "17"},
		{&api.UpdateGameSessionInput{GameSessionId: "nothing"}, lift.NotFound, "nothing"},
		{&api.TerminateGameSessionInput{GameSessionId: "nothing", TerminationMode: "FORCE_TERMINATE"}, lift.NotFound, "nothing"},

		// players
		{&api.CreatePlayerSessionInput{GameSessionId: "nothing", PlayerId: "p"}, lift.NotFound, "nothing"},
		{&api.CreatePlayerSessionInput{GameSessionId: s.activating, PlayerId: "p"}, lift.InvalidGameSessionStatus, "ACTIVATING"},
		{&api.CreatePlayerSessionInput{GameSessionId: s.ended, PlayerId: "p"}, lift.InvalidGameSessionStatus, "TERMINATED"},
		{&api.CreatePlayerSessionsInput{GameSessionId: s.session, PlayerIds: []string{"p", "p"}}, lift.InvalidRequest, "twice"},
		{&api.CreatePlayerSessionsInput{GameSessionId: s.session, PlayerIds: []string{"p", "q"}}, lift.GameSessionFull, "1 of 1"},
		{&api.DescribePlayerSessionsInput{}, lift.InvalidRequest, "exactly one"},
		{&api.DescribePlayerSessionsInput{PlayerId: new("p"), GameSessionId: &s.session}, lift.InvalidRequest, "exactly one"},
		{&api.DescribePlayerSessionsInput{PlayerId: new("p"), PlayerSessionStatusFilter: new("GONE")}, lift.InvalidRequest, "PlayerSessionStatusFilter"},
		{&api.DescribePlayerSessionsInput{PlayerSessionId: new("psess-1")}, lift.NotFound, "psess-1"},
		{&api.DescribePlayerSessionsInput{GameSessionId: new("nothing")}, lift.NotFound, "nothing"},

		// queues
		{queueIn(func(in *api.CreateGameSessionQueueInput) { in.Name = s.queue }), lift.InvalidRequest, "already"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) { in.TimeoutInSeconds = new(601) }), lift.InvalidRequest, "10 to 600"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) { in.TimeoutInSeconds = new(9) }), lift.InvalidRequest, "10 to 600"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) { in.Tags = tags }), lift.TaggingFailed, "twice"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) {
			in.Destinations = []api.GameSessionQueueDestination{{}}
		}), lift.InvalidRequest, "Destinations[0]"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) {
			in.Destinations = []api.GameSessionQueueDestination{{DestinationArn: s.arn(s.fleet)}, {DestinationArn: &s.fleet}}
		}), lift.InvalidRequest, "Destinations[1]"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) {
			in.Destinations = []api.GameSessionQueueDestination{{DestinationArn: s.arn(noFleet)}}
		}), lift.NotFound, noFleet},
		{queueIn(func(in *api.CreateGameSessionQueueInput) {
			in.PlayerLatencyPolicies = []api.PlayerLatencyPolicy{{PolicyDurationSeconds: new(5)}}
		}), lift.InvalidRequest, "MaximumIndividual"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) {
			in.PlayerLatencyPolicies = []api.PlayerLatencyPolicy{{MaximumIndividualPlayerLatencyMilliseconds: new(200)}, {MaximumIndividualPlayerLatencyMilliseconds: new(100)}}
		}), lift.InvalidRequest, "100 ms"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) {
			in.PriorityConfiguration = &api.PriorityConfiguration{PriorityOrder: []string{"COST", "COST"}}
		}), lift.InvalidRequest, "COST twice"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) {
			in.PriorityConfiguration = &api.PriorityConfiguration{LocationOrder: []string{"a", "a"}}
		}), lift.InvalidRequest, "a twice"},
		{queueIn(func(in *api.CreateGameSessionQueueInput) {
			in.PriorityConfiguration = &api.PriorityConfiguration{PriorityOrder: []string{"LOCATION"}}
		}), lift.InvalidRequest, "LocationOrder is required"},
		{&api.UpdateGameSessionQueueInput{Name: "none"}, lift.NotFound, "none"},
		{&api.DeleteGameSessionQueueInput{Name: "none"}, lift.NotFound, "none"},

		// placements
		{placeIn(func(in *api.StartGameSessionPlacementInput) { in.GameSessionQueueName = "none" }), lift.NotFound, "none"},
		{placeIn(func(in *api.StartGameSessionPlacementInput) { in.MaximumPlayerSessionCount = 201 }), lift.InvalidRequest, "200"},
		{placeIn(func(in *api.StartGameSessionPlacementInput) {
			in.DesiredPlayerSessions = []api.DesiredPlayerSession{{PlayerId: new("a")}, {PlayerId: new("b")}, {PlayerId: new("c")}}
		}), lift.InvalidRequest, "3 slots"},
		{placeIn(func(in *api.StartGameSessionPlacementInput) {
			in.DesiredPlayerSessions = []api.DesiredPlayerSession{{}}
		}), lift.InvalidRequest, "PlayerId"},
		{placeIn(func(in *api.StartGameSessionPlacementInput) {
			in.PlayerLatencies = []api.PlayerLatency{{PlayerId: new("a")}}
		}), lift.InvalidRequest, "PlayerLatencies[0]"},
		{placeIn(func(in *api.StartGameSessionPlacementInput) {
			in.PlacementId = s.placement
			in.GameSessionName = new("x")
		}), lift.InvalidRequest, "FULFILLED"},
		{placeIn(func(in *api.StartGameSessionPlacementInput) {
			in.PriorityConfigurationOverride = &api.PriorityConfigurationOverride{LocationOrder: []string{"us-west-2"}}
		}), lift.InvalidRequest, "LOCATION first"},
		{placeIn(func(in *api.StartGameSessionPlacementInput) {
			in.PriorityConfigurationOverride = &api.PriorityConfigurationOverride{LocationOrder: []string{"us-west-2"}}
			in.PlayerLatencies = []api.PlayerLatency{{PlayerId: new("a"), RegionIdentifier: new("b"), LatencyInMilliseconds: new(float32(1))}}
		}), lift.InvalidRequest, "exclude each other"},
		{&api.DescribeGameSessionPlacementInput{PlacementId: "none"}, lift.NotFound, "none"},
		{&api.StopGameSessionPlacementInput{PlacementId: "none"}, lift.NotFound, "none"},
		{&api.StopGameSessionPlacementInput{PlacementId: s.placement}, lift.InvalidRequest, "FULFILLED"},

		// matchmaking
		{&api.ValidateMatchmakingRuleSetInput{RuleSetBody: "{}"}, lift.InvalidRequest, "ruleLanguageVersion"},
		{&api.CreateMatchmakingRuleSetInput{Name: "other", RuleSetBody: brokenRules}, lift.InvalidRequest, "for 3 reasons"},
		{&api.CreateMatchmakingRuleSetInput{RuleSetBody: pairsRules}, lift.InvalidRequest, "Name"},
		{&api.CreateMatchmakingRuleSetInput{Name: s.ruleSet, RuleSetBody: pairsRules}, lift.InvalidRequest, "already"},
		{&api.CreateMatchmakingRuleSetInput{Name: "other", RuleSetBody: pairsRules, Tags: tags}, lift.TaggingFailed, "twice"},
		{&api.DeleteMatchmakingRuleSetInput{Name: "none"}, lift.NotFound, "none"},
		{&api.DeleteMatchmakingRuleSetInput{Name: s.ruleSet}, lift.InvalidRequest, s.matchmaker},
		{&api.DescribeMatchmakingRuleSetsInput{Names: []string{s.ruleSet, "none"}}, lift.NotFound, "none"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.Name = s.matchmaker }), lift.InvalidRequest, "already"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.Name = "" }), lift.InvalidRequest, "Name"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.Tags = tags }), lift.TaggingFailed, "twice"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.RuleSetName = "none" }), lift.NotFound, "none"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.GameSessionQueueArns = nil }), lift.InvalidRequest, "must name a queue"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.GameSessionQueueArns = []string{s.queue} }), lift.InvalidRequest, "GameSessionQueueArns[0]: must be the ARN"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) {
			in.GameSessionQueueArns = append(in.GameSessionQueueArns, lift.QueueARN("us-west-2", "123456789012", "none"))
		}), lift.NotFound, "GameSessionQueueArns[1]"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) {
			in.GameSessionQueueArns = []string{lift.QueueARN("eu-west-1", "123456789012", s.queue)}
		}), lift.NotFound, "region eu-west-1"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.FlexMatchMode = new("STANDALONE") }), lift.InvalidRequest, "must be left out"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) {
			in.FlexMatchMode, in.GameSessionQueueArns, in.BackfillMode = new("STANDALONE"), nil, new("AUTOMATIC")
		}), lift.InvalidRequest, "must be MANUAL"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.AcceptanceRequired = true }), lift.InvalidRequest, "AcceptanceTimeoutSeconds is required"},
		{matchIn(func(in *api.CreateMatchmakingConfigurationInput) { in.AdditionalPlayerCount = new(3) }), lift.InvalidRequest, "3 of the 4 seats"},
		{&api.UpdateMatchmakingConfigurationInput{Name: "none"}, lift.NotFound, "none"},
		{&api.UpdateMatchmakingConfigurationInput{Name: s.matchmaker, GameSessionQueueArns: []string{}}, lift.InvalidRequest, "must name a queue"},
		{&api.UpdateMatchmakingConfigurationInput{Name: s.matchmaker, RuleSetName: new("none")}, lift.NotFound, "none"},
		{&api.DeleteMatchmakingConfigurationInput{Name: "none"}, lift.NotFound, "none"},

		// our own
		{&api.ExplainFleetInput{FleetId: noFleet}, lift.NotFound, noFleet},
		{&api.ExplainProcessInput{ProcessId: "none"}, lift.NotFound, "none"},
		{&api.ExplainPlacementInput{PlacementId: "none"}, lift.NotFound, "none"},
		{&api.ExplainSessionInput{GameSessionId: "none"}, lift.NotFound, "none"},
		{&api.ReadLogsInput{ResourceId: s.fleet}, lift.InvalidRequest, "no logs"},
	})
}

// refusal is a request with the error that answers it.
type refusal struct {
	in    api.Shape
	kind  lift.Kind
	words string
}

// refusals sends each request, which must be answered with its error, declared
// by the operation, and change nothing.
func refusals(t *testing.T, w *world, cases []refusal) {
	t.Helper()
	before := w.rows()
	for i, c := range cases {
		name := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", c.in), "*api."), "Input")
		t.Run(fmt.Sprintf("%d %s", i, name), func(t *testing.T) {
			op := api.Find(name)
			_, err := op.Call(w.ctx, w, c.in)
			refused(t, err, c.kind, c.words)
			if !op.Declares(string(c.kind) + "Exception") {
				t.Errorf("%s does not declare %sException", name, c.kind)
			}
			if d := cmp.Diff(before, w.rows()); d != "" {
				t.Errorf("something changed:\n%s", d)
			}
		})
	}
}

func ports51() []api.IpPermission {
	ps := make([]api.IpPermission, 51)
	for i := range ps {
		ps[i] = api.IpPermission{FromPort: 2000 + i, ToPort: 2000 + i, IpRange: "10.0.0.0/8", Protocol: "TCP"}
	}
	return ps
}

func properties17() []api.GameProperty {
	ps := make([]api.GameProperty, 17)
	for i := range ps {
		ps[i] = api.GameProperty{Key: fmt.Sprint("k", i), Value: "v"}
	}
	return ps
}

// What belongs to one region is not found from another, by id or ARN.
func TestRegionsAreApart(t *testing.T) {
	s := newStage(t)
	away := s.in("eu-central-1")
	for _, in := range []api.Shape{
		&api.DescribeBuildInput{BuildId: s.build},
		&api.DescribeAliasInput{AliasId: s.alias},
		&api.DescribeFleetEventsInput{FleetId: s.fleet},
		&api.DescribeFleetEventsInput{FleetId: *s.arn(s.fleet)},
		&api.CreateGameSessionInput{FleetId: &s.fleet, MaximumPlayerSessionCount: 1},
		&api.DescribeGameSessionsInput{GameSessionId: &s.session},
		&api.CreatePlayerSessionInput{GameSessionId: s.session, PlayerId: "p"},
		&api.DescribePlayerSessionsInput{GameSessionId: &s.session},
		&api.StartGameSessionPlacementInput{PlacementId: "p", GameSessionQueueName: s.queue, MaximumPlayerSessionCount: 1},
		&api.StartGameSessionPlacementInput{PlacementId: "p", GameSessionQueueName: lift.QueueARN("us-west-2", "123456789012", s.queue), MaximumPlayerSessionCount: 1},
		&api.DescribeGameSessionPlacementInput{PlacementId: s.placement},
		&api.DescribeMatchmakingRuleSetsInput{Names: []string{s.ruleSet}},
		&api.UpdateMatchmakingConfigurationInput{Name: s.matchmaker},
		&api.UpdateMatchmakingConfigurationInput{Name: "arn:aws:gamelift:us-west-2:123456789012:matchmakingconfiguration/" + s.matchmaker},
		&api.ExplainFleetInput{FleetId: s.fleet},
		&api.ExplainSessionInput{GameSessionId: s.session},
	} {
		op := api.Find(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", in), "*api."), "Input"))
		_, err := op.Call(away, s, in)
		if !isKind(err, lift.NotFound) {
			t.Errorf("%s: got %v, want NotFound", op.Name, err)
		}
	}
	if ids := must(s.ListFleets(away, &api.ListFleetsInput{}))(t).FleetIds; len(ids) != 0 {
		t.Errorf("ListFleets of another region: %q", ids)
	}
	// A queue of the same name is another queue.
	must(s.CreateGameSessionQueue(away, &api.CreateGameSessionQueueInput{Name: s.queue}))(t)
}

// Ids and ARNs name the same things.
func TestARNs(t *testing.T) {
	s := newStage(t)
	acc := "123456789012"
	for _, in := range []api.Shape{
		&api.DescribeBuildInput{BuildId: lift.BuildARN("us-west-2", acc, lift.BuildID(s.build))},
		&api.DescribeAliasInput{AliasId: lift.AliasARN("us-west-2", lift.AliasID(s.alias))},
		&api.DescribeFleetEventsInput{FleetId: *s.arn(s.fleet)},
		&api.DescribeFleetEventsInput{FleetId: strings.Replace(*s.arn(s.fleet), "::", ":"+acc+":", 1)},
		&api.CreateGameSessionInput{FleetId: s.arn(s.fleet), MaximumPlayerSessionCount: 1},
		&api.DescribeGameSessionsInput{GameSessionId: new(strings.Replace(s.session, "::", ":"+acc+":", 1))},
		&api.UpdateGameSessionQueueInput{Name: lift.QueueARN("us-west-2", acc, s.queue)},
		&api.DescribeMatchmakingRuleSetsInput{Names: []string{"arn:aws:gamelift:us-west-2:" + acc + ":matchmakingruleset/" + s.ruleSet}},
		&api.UpdateMatchmakingConfigurationInput{Name: "arn:aws:gamelift:us-west-2:" + acc + ":matchmakingconfiguration/" + s.matchmaker},
	} {
		op := api.Find(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", in), "*api."), "Input"))
		if _, err := op.Call(s.ctx, s, in); err != nil {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
}

// The eras differ where the behaviour spec says so.
func TestProfiles(t *testing.T) {
	for _, name := range []string{"", "standard", "hosted", "2019"} {
		if _, err := RulesOf(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := RulesOf("strict"); err == nil {
		t.Error("there is a profile strict")
	}

	s := newStage(t, Rules2019)
	_, err := s.DeleteFleet(s.ctx, &api.DeleteFleetInput{FleetId: s.fleet})
	refused(t, err, lift.InvalidFleetStatus, "UpdateFleetCapacity")
	must(s.UpdateFleetCapacity(s.ctx, &api.UpdateFleetCapacityInput{FleetId: s.fleet, DesiredInstances: new(0)}))(t)
	_, err = s.DeleteFleet(s.ctx, &api.DeleteFleetInput{FleetId: s.fleet})
	refused(t, err, lift.InvalidFleetStatus, "1 active")
	s.turn() // the instance begins to drain
	must(s.DeleteFleet(s.ctx, &api.DeleteFleetInput{FleetId: s.fleet}))(t)
	must(s.CreateGameSessionQueue(s.ctx, &api.CreateGameSessionQueueInput{Name: "long", TimeoutInSeconds: new(86400)}))(t)
	_, err = s.CreateGameSessionQueue(s.ctx, &api.CreateGameSessionQueueInput{Name: "x", Destinations: []api.GameSessionQueueDestination{{DestinationArn: s.arn("fleet-1")}}})
	refused(t, err, lift.InvalidRequest, "fleet-1")

	few := Standard
	few.Builds, few.Fleets, few.Aliases, few.Instances, few.Destinations = 1, 1, 1, 2, 1
	w := newWorld(t, few)
	fleet, _ := w.activeFleet()
	simple := &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &fleet}
	must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "a", RoutingStrategy: simple}))(t)
	_, err = w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "a", RoutingStrategy: simple})
	refused(t, err, lift.LimitExceeded, "alias", "limit is 1")
	build := must(w.ListBuilds(w.ctx, &api.ListBuildsInput{}))(t).Builds[0].BuildId
	_, err = w.CreateFleet(w.ctx, &api.CreateFleetInput{Name: "f", BuildId: build, EC2InstanceType: new("c5.large"), RuntimeConfiguration: launching(1)})
	refused(t, err, lift.LimitExceeded, "fleet", "limit is 1")
	_, err = w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, DesiredInstances: new(3), MaxSize: new(3)})
	refused(t, err, lift.LimitExceeded, "2 instances")
	arn := opt(lift.FleetARN("us-west-2", lift.FleetID(fleet)))
	_, err = w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{Name: "q", Destinations: []api.GameSessionQueueDestination{{DestinationArn: arn}, {DestinationArn: arn}}})
	refused(t, err, lift.LimitExceeded, "1 destination")
}

// A caller without region or account gets the service's.
func TestDefaultsOfCallers(t *testing.T) {
	w := newWorld(t)
	b := must(w.CreateBuild(context.Background(), &api.CreateBuildInput{}))(t).Build
	if want := "arn:aws:gamelift:us-west-2:000000000000:build/" + *b.BuildId; *b.BuildArn != want {
		t.Errorf("got %s, want %s", *b.BuildArn, want)
	}
	if *b.OperatingSystem != "WINDOWS_2012" || *b.ServerSdkVersion != "4.0.2" || *b.Status != "INITIALIZED" || *b.SizeOnDisk != 0 || !b.CreationTime.Equal(w.now) {
		t.Errorf("got %+v", b)
	}
}
