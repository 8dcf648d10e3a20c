package ops

import (
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func (w *world) placement(id string) *api.GameSessionPlacement {
	w.t.Helper()
	return must(w.DescribeGameSessionPlacement(w.ctx, &api.DescribeGameSessionPlacementInput{PlacementId: id}))(w.t).GameSessionPlacement
}

func (w *world) newQueue(name string, fleets ...string) {
	w.t.Helper()
	in := &api.CreateGameSessionQueueInput{Name: name}
	for _, f := range fleets {
		in.Destinations = append(in.Destinations, api.GameSessionQueueDestination{DestinationArn: opt(lift.FleetARN("us-west-2", lift.FleetID(f)))})
	}
	must(w.CreateGameSessionQueue(w.ctx, in))(w.t)
}

// From the wish to the session with its players.
func TestPlacementStory(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet()
	w.newQueue("q", fleet)
	in := &api.StartGameSessionPlacementInput{
		PlacementId: "p-1", GameSessionQueueName: "q", MaximumPlayerSessionCount: 2, GameSessionName: new("duel"), GameSessionData: new("{}"),
		DesiredPlayerSessions: []api.DesiredPlayerSession{{PlayerId: new("ann"), PlayerData: new("red")}, {PlayerId: new("bob")}},
		PlayerLatencies:       []api.PlayerLatency{{PlayerId: new("ann"), RegionIdentifier: new("us-west-2"), LatencyInMilliseconds: new(float32(20.5))}},
		GameProperties:        []api.GameProperty{{Key: "map", Value: "dust"}},
	}
	p := must(w.StartGameSessionPlacement(w.ctx, in))(t).GameSessionPlacement
	if *p.Status != "PENDING" || p.GameSessionArn != nil || *p.GameSessionName != "duel" || *p.MaximumPlayerSessionCount != 2 || !p.StartTime.Equal(w.now) || !p.EndTime.IsZero() ||
		*p.GameSessionQueueName != "q" || *p.PlayerLatencies[0].LatencyInMilliseconds != 20.5 || p.GameProperties[0].Value != "dust" || *p.GameSessionData != "{}" {
		t.Errorf("got %+v", p)
	}
	// The same request again is the same placement, whatever it is at.
	again := *in
	again.GameSessionQueueName = lift.QueueARN("us-west-2", "123456789012", "q")
	must(w.StartGameSessionPlacement(w.ctx, &again))(t)
	w.turn()
	if p = w.placement("p-1"); *p.Status != "PENDING" || p.GameSessionArn != nil {
		t.Errorf("while the session is activated: %s %v", *p.Status, p.GameSessionArn)
	}
	_, err := w.StopGameSessionPlacement(w.ctx, &api.StopGameSessionPlacementInput{PlacementId: "p-1"})
	refused(t, err, lift.InvalidRequest, "being activated")
	why := must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: "p-1"}))(t)
	says(t, why.Reasons, "waits for its server to call ActivateGameSession")
	w.activate(*why.GameSessionId)

	p = must(w.StartGameSessionPlacement(w.ctx, in))(t).GameSessionPlacement
	if *p.Status != "FULFILLED" || *p.GameSessionArn != *why.GameSessionId || *p.GameSessionId != *p.GameSessionArn || *p.GameSessionRegion != "us-west-2" ||
		*p.IpAddress != "10.0.0.7" || *p.Port == 0 || len(p.PlacedPlayerSessions) != 2 || *p.PlacedPlayerSessions[0].PlayerId != "ann" || p.EndTime.IsZero() {
		t.Errorf("got %+v", p)
	}
	ps := must(w.DescribePlayerSessions(w.ctx, &api.DescribePlayerSessionsInput{PlayerSessionId: p.PlacedPlayerSessions[0].PlayerSessionId}))(t).PlayerSessions
	if *ps[0].PlayerData != "red" || *ps[0].Status != "RESERVED" {
		t.Errorf("player %+v", ps[0])
	}
	says(t, must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: "p-1"}))(t).Reasons, "was ready after")
	says(t, must(w.ExplainSession(w.ctx, &api.ExplainSessionInput{GameSessionId: *p.GameSessionArn}))(t).Reasons, "2 of 2 player slots", "full", "placement p-1 of queue q")
}

// A placement that finds no place says why, and its id is free again once it
// was stopped or timed out.
func TestPlacementThatWaits(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(1) })
	w.newQueue("q", w.newFleet(), fleet)
	must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1}))(t)
	in := &api.StartGameSessionPlacementInput{PlacementId: "p", GameSessionQueueName: "q", MaximumPlayerSessionCount: 1}
	must(w.StartGameSessionPlacement(w.ctx, in))(t)
	says(t, must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: "p"}))(t).Reasons, "first attempt")
	w.turn()
	why := must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: "p"}))(t)
	says(t, why.Reasons, "attempt 1 found no place", "times out in 10m0s", "1 × fleet is not ACTIVE", "1 × no idle process")
	says(t, why.Next, "chairlift why fleet fleet-", "UpdateFleetCapacity")
	if len(why.Skipped) != 2 || *why.Attempts != 1 {
		t.Errorf("%d attempts skipped %+v", *why.Attempts, why.Skipped)
	}

	p := must(w.StopGameSessionPlacement(w.ctx, &api.StopGameSessionPlacementInput{PlacementId: "p"}))(t).GameSessionPlacement
	if *p.Status != "CANCELLED" || !p.EndTime.Equal(w.now) {
		t.Errorf("stopped: %s", *p.Status)
	}
	in.GameSessionName = new("another request")
	if p = must(w.StartGameSessionPlacement(w.ctx, in))(t).GameSessionPlacement; *p.Status != "PENDING" {
		t.Errorf("after CANCELLED the id gives a placement that is %s", *p.Status)
	}
	w.pass(600 * time.Second)
	if p = w.placement("p"); *p.Status != "TIMED_OUT" {
		t.Errorf("after the queue's timeout: %s", *p.Status)
	}
	says(t, must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: "p"}))(t).Reasons, "TIMED_OUT")
	must(w.StartGameSessionPlacement(w.ctx, in))(t)

	// A queue that is deleted fails what waits in it, and the id stays taken.
	w.turn()
	must(w.DeleteGameSessionQueue(w.ctx, &api.DeleteGameSessionQueueInput{Name: "q"}))(t)
	if p = w.placement("p"); *p.Status != "FAILED" {
		t.Errorf("after the queue's end: %s", *p.Status)
	}
	_, err := w.StartGameSessionPlacement(w.ctx, in)
	refused(t, err, lift.NotFound, "queue q")
	w.newQueue("q", fleet)
	if p = must(w.StartGameSessionPlacement(w.ctx, in))(t).GameSessionPlacement; *p.Status != "FAILED" {
		t.Errorf("the same request after FAILED: %s", *p.Status)
	}
}

// A deleted queue fails many placements, and those not tried yet at their
// first attempt.
func TestDeleteBusyQueue(t *testing.T) {
	w := newWorld(t)
	w.newQueue("q", w.newFleet())
	w.newQueue("q2", w.newFleet())
	start := func(queue, id string) {
		must(w.StartGameSessionPlacement(w.ctx, &api.StartGameSessionPlacementInput{PlacementId: id, GameSessionQueueName: queue, MaximumPlayerSessionCount: 1}))(t)
	}
	for i := range 250 {
		start("q", "p-"+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	start("q2", "other")
	w.turn()
	start("q", "late")
	must(w.DeleteGameSessionQueue(w.ctx, &api.DeleteGameSessionQueueInput{Name: "q"}))(t)
	w.turn()
	for id, want := range map[string]string{"p-aa": "FAILED", "p-zi": "FAILED", "p-pj": "FAILED", "late": "FAILED", "other": "PENDING"} {
		if got := *w.placement(id).Status; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

func TestQueues(t *testing.T) {
	s := newStage(t)
	alias := opt(lift.AliasARN("us-west-2", lift.AliasID(s.alias)))
	q := must(s.CreateGameSessionQueue(s.ctx, &api.CreateGameSessionQueueInput{
		Name: "full", TimeoutInSeconds: new(60), CustomEventData: new("data"), NotificationTarget: new("arn:aws:sns:us-west-2:1:t"),
		Destinations: []api.GameSessionQueueDestination{{DestinationArn: alias}, {DestinationArn: s.arn(s.fleet)}},
		PlayerLatencyPolicies: []api.PlayerLatencyPolicy{
			{MaximumIndividualPlayerLatencyMilliseconds: new(200)},
			{MaximumIndividualPlayerLatencyMilliseconds: new(50), PolicyDurationSeconds: new(30)},
		},
		Tags: []api.Tag{{Key: "a", Value: "b"}},
	}))(t).GameSessionQueue
	if *q.TimeoutInSeconds != 60 || *q.GameSessionQueueArn != "arn:aws:gamelift:us-west-2:123456789012:gamesessionqueue/full" || len(q.Destinations) != 2 ||
		*q.Destinations[0].DestinationArn != *alias || *q.PlayerLatencyPolicies[0].MaximumIndividualPlayerLatencyMilliseconds != 50 || *q.CustomEventData != "data" || *q.NotificationTarget == "" {
		t.Errorf("got %+v", q)
	}
	// Lists are replaced, other members stay.
	q = must(s.UpdateGameSessionQueue(s.ctx, &api.UpdateGameSessionQueueInput{Name: "full", Destinations: []api.GameSessionQueueDestination{{DestinationArn: s.arn(s.fleet)}}, PlayerLatencyPolicies: []api.PlayerLatencyPolicy{}}))(t).GameSessionQueue
	if len(q.Destinations) != 1 || len(q.PlayerLatencyPolicies) != 0 || *q.TimeoutInSeconds != 60 || *q.CustomEventData != "data" {
		t.Errorf("got %+v", q)
	}
	if q = must(s.UpdateGameSessionQueue(s.ctx, &api.UpdateGameSessionQueueInput{Name: "full", TimeoutInSeconds: new(61)}))(t).GameSessionQueue; len(q.Destinations) != 1 {
		t.Errorf("got %+v", q)
	}
	all := must(s.DescribeGameSessionQueues(s.ctx, &api.DescribeGameSessionQueuesInput{}))(t).GameSessionQueues
	some := must(s.DescribeGameSessionQueues(s.ctx, &api.DescribeGameSessionQueuesInput{Names: []string{"full", "none", *q.GameSessionQueueArn}}))(t).GameSessionQueues
	if len(all) != 2 || *all[0].TimeoutInSeconds != 61 || *all[1].TimeoutInSeconds != 600 || len(some) != 2 {
		t.Errorf("%d queues, %d of those named", len(all), len(some))
	}
}

// A placement goes through an alias, and on to the next destination when the
// alias has become terminal.
func TestPlacementByAlias(t *testing.T) {
	w := newWorld(t)
	first, _ := w.activeFleet()
	second, _ := w.activeFleet()
	a := must(w.CreateAlias(w.ctx, &api.CreateAliasInput{Name: "a", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &first}}))(t).Alias
	must(w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{Name: "q", Destinations: []api.GameSessionQueueDestination{
		{DestinationArn: a.AliasArn}, {DestinationArn: opt(lift.FleetARN("us-west-2", lift.FleetID(second)))},
	}}))(t)
	placed := func(id string) string {
		must(w.StartGameSessionPlacement(w.ctx, &api.StartGameSessionPlacementInput{PlacementId: id, GameSessionQueueName: "q", MaximumPlayerSessionCount: 1}))(t)
		w.turn()
		gs := *must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: id}))(t).GameSessionId
		return *w.session(gs).FleetId
	}
	if got := placed("one"); got != first {
		t.Errorf("placed on %s, want %s", got, first)
	}
	must(w.UpdateAlias(w.ctx, &api.UpdateAliasInput{AliasId: *a.AliasId, RoutingStrategy: &api.RoutingStrategy{Type: new("TERMINAL"), Message: new("closed")}}))(t)
	if got := placed("two"); got != second {
		t.Errorf("placed on %s, want %s", got, second)
	}
}

// abroad is an ACTIVE fleet in another region.
func (w *world) abroad(region string) string {
	w.t.Helper()
	here := w.ctx
	defer func() { w.ctx = here }()
	w.ctx = w.in(region)
	id, _ := w.activeFleet()
	return id
}

// A game session is named after its placement, and after the attempt if it is
// not the first.
func TestPlacedSessionName(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration.GameSessionActivationTimeoutSeconds = new(5) })
	w.newQueue("q", fleet)
	must(w.StartGameSessionPlacement(w.ctx, &api.StartGameSessionPlacementInput{PlacementId: "p", GameSessionQueueName: "q", MaximumPlayerSessionCount: 1}))(t)
	name := func() string {
		return or(must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: "p"}))(t).GameSessionId, "")
	}
	w.turn()
	if got, want := name(), string(lift.GameSessionARN("us-west-2", lift.FleetID(fleet), "p")); got != want {
		t.Fatalf("the session is %s, want %s", got, want)
	}
	w.pass(5 * time.Second) // it is not activated
	w.turn()
	second := string(lift.GameSessionARN("us-west-2", lift.FleetID(fleet), "p-2"))
	if got := name(); got != second {
		t.Fatalf("the next session is %s, want %s", got, second)
	}
	w.activate(second)
	if p := w.placement("p"); *p.Status != "FULFILLED" || *p.GameSessionArn != second {
		t.Errorf("%s with %s", *p.Status, *p.GameSessionArn)
	}
}

// A queue reaches fleets in other regions, and players go where they are near.
func TestPlacementAcrossRegions(t *testing.T) {
	w := newWorld(t)
	west, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(1) })
	east := w.abroad("eu-central-1")
	q := must(w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{Name: "q", Destinations: []api.GameSessionQueueDestination{
		{DestinationArn: opt(lift.FleetARN("us-west-2", lift.FleetID(west)))}, {DestinationArn: opt(lift.FleetARN("eu-central-1", lift.FleetID(east)))},
	}, PlayerLatencyPolicies: []api.PlayerLatencyPolicy{{MaximumIndividualPlayerLatencyMilliseconds: new(60), PolicyDurationSeconds: new(20)}},
		PriorityConfiguration: &api.PriorityConfiguration{PriorityOrder: []string{"LATENCY", "LOCATION"}, LocationOrder: []string{"eu-central-1"}},
		FilterConfiguration:   &api.FilterConfiguration{AllowedLocations: []string{"us-west-2", "eu-central-1"}},
	}))(t).GameSessionQueue
	if q.PriorityConfiguration.PriorityOrder[1] != "LOCATION" || q.PriorityConfiguration.LocationOrder[0] != "eu-central-1" || len(q.FilterConfiguration.AllowedLocations) != 2 {
		t.Errorf("got %+v", q)
	}
	start := func(id string, toWest, toEast float32) {
		must(w.StartGameSessionPlacement(w.ctx, &api.StartGameSessionPlacementInput{
			PlacementId: id, GameSessionQueueName: "q", MaximumPlayerSessionCount: 1, DesiredPlayerSessions: []api.DesiredPlayerSession{{PlayerId: &id}},
			PlayerLatencies: []api.PlayerLatency{
				{PlayerId: &id, RegionIdentifier: new("us-west-2"), LatencyInMilliseconds: &toWest},
				{PlayerId: &id, RegionIdentifier: new("eu-central-1"), LatencyInMilliseconds: &toEast},
			},
		}))(t)
		w.turn()
	}
	session := func(id string) string {
		return or(must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: id}))(t).GameSessionId, "")
	}
	start("anna", 150, 15)
	gs := session("anna")
	w.activate(gs)
	p := w.placement("anna")
	if *p.Status != "FULFILLED" || *p.GameSessionRegion != "eu-central-1" || lift.ARNRegion(gs) != "eu-central-1" {
		t.Errorf("anna is placed in %s: %s", *p.GameSessionRegion, *p.Status)
	}
	away := w.in("eu-central-1")
	if got := must(w.DescribeGameSessions(away, &api.DescribeGameSessionsInput{GameSessionId: &gs}))(t).GameSessions; *got[0].Location != "eu-central-1" {
		t.Errorf("the session is at %s", *got[0].Location)
	}
	says(t, must(w.ExplainSession(away, &api.ExplainSessionInput{GameSessionId: gs}))(t).Reasons, "placement anna of queue q")

	// The only place near enough is taken: bob waits until the limit is gone.
	start("near", 10, 200)
	start("bob", 10, 200)
	why := must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: "bob"}))(t)
	says(t, why.Reasons, "1 × location is too far for a player", "1 × no idle process")
	says(t, why.Next, "higher limit")
	w.pass(20 * time.Second)
	if gs := session("bob"); lift.ARNRegion(gs) != "eu-central-1" {
		t.Errorf("bob's session: %q", gs)
	}
	// A process that becomes free abroad wakes who waits here.
	start("carl", 150, 15)
	if gs := session("carl"); gs != "" {
		t.Fatalf("there was a place left: %s", gs)
	}
	w.startProcess(w.hostOf(gs).InstanceID, "fresh", 7100)
	w.turn()
	if session("carl") == "" {
		t.Error("nobody woke carl")
	}
}

// A placement with an order of its own.
func TestPlacementWithItsOwnOrder(t *testing.T) {
	w := newWorld(t)
	west, _ := w.activeFleet()
	east := w.abroad("eu-central-1")
	must(w.CreateGameSessionQueue(w.ctx, &api.CreateGameSessionQueueInput{Name: "q", Destinations: []api.GameSessionQueueDestination{
		{DestinationArn: opt(lift.FleetARN("us-west-2", lift.FleetID(west)))}, {DestinationArn: opt(lift.FleetARN("eu-central-1", lift.FleetID(east)))},
	}, PriorityConfiguration: &api.PriorityConfiguration{PriorityOrder: []string{"LOCATION"}, LocationOrder: []string{"us-west-2"}}}))(t)
	for _, c := range []struct {
		id, location string
		fallback     *string
		want         string
	}{{"one", "eu-central-1", nil, "eu-central-1"}, {"two", "mars", nil, "us-west-2"}, {"three", "mars", new("NONE"), ""}} {
		p := must(w.StartGameSessionPlacement(w.ctx, &api.StartGameSessionPlacementInput{
			PlacementId: c.id, GameSessionQueueName: "q", MaximumPlayerSessionCount: 1,
			PriorityConfigurationOverride: &api.PriorityConfigurationOverride{LocationOrder: []string{c.location}, PlacementFallbackStrategy: c.fallback},
		}))(t).GameSessionPlacement
		if o := p.PriorityConfigurationOverride; o.LocationOrder[0] != c.location || *o.PlacementFallbackStrategy != or(c.fallback, fallbackToQueue) {
			t.Errorf("got %+v", o)
		}
		w.turn()
		why := must(w.ExplainPlacement(w.ctx, &api.ExplainPlacementInput{PlacementId: c.id}))(t)
		if lift.ARNRegion(or(why.GameSessionId, "")) != c.want {
			t.Errorf("%s: placed at %s, want %q", c.id, or(why.GameSessionId, "nowhere"), c.want)
		}
		if c.want == "" {
			says(t, why.Reasons, "2 × location is not among those the placement lists")
		}
	}
}
