package ops

import (
	"slices"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// A build becomes a fleet, a process hosts a game, a player plays, everything
// ends.
func TestStory(t *testing.T) {
	w := newWorld(t)
	id, inst := w.activeFleet()
	if got := w.fleetStatus(id); got != "ACTIVE" {
		t.Fatalf("fleet is %s", got)
	}

	events := must(w.DescribeFleetEvents(w.ctx, &api.DescribeFleetEventsInput{FleetId: id}))(t).Events
	var codes []string
	for _, ev := range events {
		codes = append(codes, *ev.EventCode)
	}
	want := []string{
		"FLEET_CREATED", "FLEET_STATE_DOWNLOADING", "FLEET_CREATION_EXTRACTING_BUILD", "FLEET_STATE_VALIDATING",
		"FLEET_STATE_BUILDING", "FLEET_STATE_ACTIVATING", "FLEET_STATE_ACTIVE",
	}
	if !slices.Equal(codes, want) {
		t.Errorf("events %q, want %q", codes, want)
	}

	gs := must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &id, MaximumPlayerSessionCount: 2, Name: new("duel")}))(t).GameSession
	if *gs.Status != "ACTIVATING" || *gs.IpAddress != "10.0.0.7" || *gs.Port != 7001 || *gs.CurrentPlayerSessionCount != 0 || *gs.PlayerSessionCreationPolicy != "ACCEPT_ALL" {
		t.Errorf("new session: %s %s:%d", *gs.Status, *gs.IpAddress, *gs.Port)
	}
	if starts := w.take(); len(starts) != 1 || starts[0].StartSession == nil {
		t.Errorf("effects: %+v", starts)
	}
	_, err := w.CreatePlayerSession(w.ctx, &api.CreatePlayerSessionInput{GameSessionId: *gs.GameSessionId, PlayerId: "ann"})
	refused(t, err, lift.InvalidGameSessionStatus, "ACTIVATING")
	w.activate(*gs.GameSessionId)

	ps := must(w.CreatePlayerSession(w.ctx, &api.CreatePlayerSessionInput{GameSessionId: *gs.GameSessionId, PlayerId: "ann", PlayerData: new("blue")}))(t).PlayerSession
	host := w.hostOf(*gs.GameSessionId)
	if r := w.tell(inst, lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: host.ID, SessionID: lift.GameSessionID(*gs.GameSessionId), PlayerID: lift.PlayerSessionID(*ps.PlayerSessionId)}}); r.Status != 200 {
		t.Fatalf("accept: %+v", r)
	}
	u := must(w.DescribeFleetUtilization(w.ctx, &api.DescribeFleetUtilizationInput{FleetIds: []string{id}}))(t).FleetUtilization[0]
	if *u.ActiveServerProcessCount != 2 || *u.ActiveGameSessionCount != 1 || *u.CurrentPlayerSessionCount != 1 || *u.MaximumPlayerSessionCount != 2 {
		t.Errorf("utilization: %d processes, %d sessions, %d of %d players", *u.ActiveServerProcessCount, *u.ActiveGameSessionCount, *u.CurrentPlayerSessionCount, *u.MaximumPlayerSessionCount)
	}

	w.tell(inst, lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: host.ID}}, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: host.ID}})
	found := must(w.DescribeGameSessions(w.ctx, &api.DescribeGameSessionsInput{GameSessionId: gs.GameSessionId}))(t).GameSessions
	if *found[0].Status != "TERMINATED" || found[0].TerminationTime.IsZero() || *found[0].CurrentPlayerSessionCount != 0 {
		t.Errorf("session after the exit: %s", *found[0].Status)
	}
	players := must(w.DescribePlayerSessions(w.ctx, &api.DescribePlayerSessionsInput{PlayerId: new("ann")}))(t).PlayerSessions
	if len(players) != 1 || *players[0].Status != "COMPLETED" || *players[0].PlayerData != "blue" {
		t.Errorf("players: %+v", players)
	}

	must(w.DeleteFleet(w.ctx, &api.DeleteFleetInput{FleetId: id}))(t)
	w.turn()
	if got := w.fleetStatus(id); got != "DELETING" {
		t.Errorf("fleet is %s", got)
	}
	w.tell(inst, lift.Event{Stopped: &lift.Stopped{Reason: "drained"}})
	w.turn()
	if got := w.fleetStatus(id); got != "gone" {
		t.Errorf("fleet is %s", got)
	}
	w.pass(time.Second)
	_, err = w.DescribeGameSessions(w.ctx, &api.DescribeGameSessionsInput{GameSessionId: gs.GameSessionId})
	refused(t, err, lift.NotFound)
}
