package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func ask(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return "\n" + w.Body.String()
}

func TestWhatIsThereAndWhatHappened(t *testing.T) {
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	const f = lift.FleetID("fleet-1")
	session := lift.GameSessionARN("us-west-2", f, "s")
	err = db.Update(t.Context(), func(tx store.Tx) error {
		err := store.Fleets.Put(tx, &lift.Fleet{ID: f, Region: "us-west-2", Status: lift.FleetActive, Capacity: lift.Capacity{Desired: 3, Max: 5}, MetricGroups: []string{"duels"}})
		if err == nil { // another of the same group: 0 of 1 instance is idle
			err = store.Fleets.Put(tx, &lift.Fleet{ID: "fleet-2", Region: "us-west-2", Status: lift.FleetActive, MetricGroups: []string{"duels"}})
		}
		if err == nil {
			err = store.Instances.Put(tx, &lift.Instance{ID: "i-3", FleetID: "fleet-2", Status: lift.InstanceActive})
		}
		if err == nil {
			err = store.Sessions.Put(tx, &lift.GameSession{ID: lift.GameSessionARN("us-west-2", "fleet-2", "s"), FleetID: "fleet-2", InstanceID: "i-3", Status: lift.SessionActive})
		}
		for _, i := range []lift.InstanceID{"i-1", "i-2"} {
			if err == nil {
				err = store.Instances.Put(tx, &lift.Instance{ID: i, FleetID: f, Status: lift.InstanceActive})
			}
		}
		for id, p := range map[lift.ProcessID]lift.Process{
			"p1": {State: lift.ProcessHosting}, "p2": {State: lift.ProcessIdle}, "p3": {State: lift.ProcessIdle, Unhealthy: true}, "p4": {State: lift.ProcessActivating},
		} {
			p.ID, p.FleetID, p.InstanceID = id, f, "i-1"
			if err == nil {
				err = store.Processes.Put(tx, &p)
			}
		}
		if err == nil {
			err = store.Sessions.Put(tx, &lift.GameSession{ID: session, FleetID: f, InstanceID: "i-1", Status: lift.SessionActivating, PlacementID: "a", QueueRegion: "us-west-2"})
		}
		if err == nil {
			err = store.Players.Put(tx, &lift.PlayerSession{ID: "psess-1", GameSessionID: session, Status: lift.PlayerReserved})
		}
		if err == nil {
			err = store.Queues.Put(tx, &lift.Queue{Name: "q", Region: "us-west-2"})
		}
		for _, p := range []lift.Placement{{ID: "a", SessionID: session}, {ID: "b", Attempts: 1}} {
			p.Region, p.Queue, p.Status, p.StartedAt = "us-west-2", "q", lift.PlacementPending, now.Add(-4*time.Second)
			if err == nil {
				err = store.Placements.Put(tx, &p)
			}
		}
		if err == nil {
			err = store.Configurations.Put(tx, &lift.MatchmakingConfiguration{Name: "duel", Region: "us-west-2"})
		}
		if err == nil {
			err = store.Tickets.Put(tx, &lift.Ticket{ID: "t", Region: "us-west-2", Configuration: "duel", Status: lift.TicketSearching, StartedAt: now})
		}
		if err == nil {
			err = store.Effects.Put(tx, &store.Outbox{Effect: lift.Effect{ID: "e", To: lift.ToSink("backend"), Publish: &lift.Publish{At: now}}, SentAt: now.Add(-7 * time.Second)})
		}
		if err == nil {
			err = store.DeadLetters.Put(tx, &store.DeadLetter{ID: "d", Sink: "backend", FailedAt: now})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	at := now
	m := New(Options{Store: db, Now: func() time.Time { return at }})
	m.Request("GameLift", "CreateFleet", "", 3*time.Millisecond)
	m.Request("GameLift", "CreateFleet", "NotFoundException", 3*time.Millisecond)
	m.Request("", "", "UnknownOperationException", 0)
	m.Event("backend", "delivered")
	m.Count("PlacementsSucceeded", 2, "queue_name", "q", "us-west-2")
	m.Wait("TimeToMatch", 3*time.Second, "matchmaking_configuration_name", "duel", "us-west-2")
	m.Waits("TimeToFirstPass", []time.Duration{time.Second, 3 * time.Second}, "matchmaking_configuration_name", "duel", "us-west-2")
	m.Rule("RuleEvaluationsFailed", 7, "duel", "EvenSkill", "us-west-2")
	got := ask(t, m)
	for _, want := range []string{
		`chairlift_desired_instances{fleet_id="fleet-1",region="us-west-2"} 3`,
		`chairlift_max_instances{fleet_id="fleet-1",region="us-west-2"} 5`,
		`chairlift_active_instances{fleet_id="fleet-1",region="us-west-2"} 2`,
		`chairlift_idle_instances{fleet_id="fleet-1",region="us-west-2"} 1`,
		`chairlift_percent_idle_instances{fleet_id="fleet-1",region="us-west-2"} 50`,
		`chairlift_active_server_processes{fleet_id="fleet-1",region="us-west-2"} 3`,
		`chairlift_healthy_server_processes{fleet_id="fleet-1",region="us-west-2"} 2`,
		`chairlift_activating_game_sessions{fleet_id="fleet-1",region="us-west-2"} 1`,
		`chairlift_available_game_sessions{fleet_id="fleet-1",region="us-west-2"} 1`,
		`chairlift_percent_available_game_sessions{fleet_id="fleet-1",region="us-west-2"} 50`,
		`chairlift_current_player_sessions{fleet_id="fleet-1",region="us-west-2"} 1`,
		`chairlift_active_instances{metric_group="duels",region="us-west-2"} 3`,
		`chairlift_percent_idle_instances{metric_group="duels",region="us-west-2"} 33.333333333333336`,
		`chairlift_active_game_sessions{metric_group="duels",region="us-west-2"} 1`,
		`chairlift_current_player_sessions{metric_group="duels",region="us-west-2"} 1`,
		`chairlift_time_to_first_pass_seconds_count{matchmaking_configuration_name="duel",region="us-west-2"} 2`,
		`chairlift_rule_evaluations_failed_total{matchmaking_configuration_name="duel",rule_name="EvenSkill",region="us-west-2"} 7`,
		`chairlift_queue_depth{queue_name="q",region="us-west-2"} 2`,
		`chairlift_average_wait_time{queue_name="q",region="us-west-2"} 4`,
		`chairlift_current_tickets{matchmaking_configuration_name="duel",region="us-west-2"} 1`,
		`chairlift_outbox{to="sink"} 1`,
		`chairlift_outbox{to="agent"} 0`,
		`chairlift_outbox_oldest_seconds{to="sink",sink="backend"} 7`,
		`chairlift_dead_letters{sink="backend"} 1`,
		`chairlift_requests_total{service="GameLift",operation="CreateFleet",code="OK"} 1`,
		`chairlift_requests_total{service="GameLift",operation="CreateFleet",code="NotFoundException"} 1`,
		`chairlift_requests_total{service="unknown",operation="unknown",code="UnknownOperationException"} 1`,
		`chairlift_request_seconds_bucket{operation="CreateFleet",le="0.005"} 2`,
		`chairlift_event_attempts_total{sink="backend",result="delivered"} 1`,
		`chairlift_placements_succeeded_total{queue_name="q",region="us-west-2"} 2`,
		`chairlift_time_to_match_seconds_count{matchmaking_configuration_name="duel",region="us-west-2"} 1`,
		`# TYPE chairlift_queue_depth gauge`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}

	if err := db.Update(t.Context(), func(tx store.Tx) error { return store.DeadLetters.Delete(tx, "d") }); err != nil {
		t.Fatal(err)
	}
	const dead = `chairlift_dead_letters{sink="backend"}`
	if !strings.Contains(ask(t, m), dead) {
		t.Error("the store is read at every request")
	}
	at = at.Add(lookEvery)
	if strings.Contains(ask(t, m), dead) {
		t.Error("what is said of the store is old")
	}
}
