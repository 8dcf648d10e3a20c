package server

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Every line that docs/metrics.md names is there when the thing it tells of has
// happened.
func TestMetricsPage(t *testing.T) {
	s := open(t, Options{})
	const region = "us-west-2"
	err := s.engine.Update(t.Context(), func(tx *engine.Tx) error {
		if err := store.Fleets.Put(tx, &lift.Fleet{ID: "fleet-1", Region: region, Status: lift.FleetError}); err != nil {
			return err
		}
		if err := store.Queues.Put(tx, &lift.Queue{Name: "q", Region: region}); err != nil {
			return err
		}
		if err := store.RuleSets.Put(tx, &lift.RuleSet{Name: "r", Region: region, Body: `{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":2,"maxPlayers":2}],
			"playerAttributes":[{"name":"skill","type":"number","default":1}],"rules":[{"name":"near","type":"batchDistance","batchAttribute":"skill","maxDistance":5}]}`}); err != nil {
			return err
		}
		if err := store.Configurations.Put(tx, &lift.MatchmakingConfiguration{Name: "duel", Region: region, RuleSet: "r", Mode: lift.Standalone}); err != nil {
			return err
		}
		for _, id := range []string{"a", "b", "c"} {
			ticket := &lift.Ticket{ID: lift.TicketID(id), Region: region, Configuration: "duel", StartedAt: tx.Now, Deadline: tx.Now.Add(time.Hour), Players: []lift.TicketPlayer{{ID: id}}}
			if err := tx.AddTicket(ticket); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	get := func() string {
		a, err := http.Get(s.URL() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		b, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != 200 {
			t.Fatalf("%d %s %v", a.StatusCode, b, err)
		}
		return string(b)
	}
	deadline := time.Now().Add(15 * time.Second)
	for !strings.Contains(get(), "time_to_ticket_success_seconds_count") {
		if time.Now().After(deadline) {
			t.Fatal("two tickets were not matched")
		}
		time.Sleep(20 * time.Millisecond)
	}
	got := get()
	table, _, _ := strings.Cut(string(page), "## At night")
	// These need acceptance, a queue with fleets, sinks or calls.
	absent := regexp.MustCompile(`^(placement|matches_(accepted|rejected|placed)|match_acc|time_to_ticket_cancel|tickets_(failed|timed)|event_|request|outbox_old|dead_)`)
	checked := 0
	for _, row := range strings.Split(table, "\n") {
		if !strings.HasPrefix(row, "| `") {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(strings.SplitN(row, "|", 3)[1], -1) {
			if absent.MatchString(m[1]) {
				continue
			}
			checked++
			if !strings.Contains(got, "\nchairlift_"+m[1]) {
				t.Errorf("/metrics has no chairlift_%s", m[1])
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d lines of docs/metrics.md were looked for", checked)
	}
	if !strings.Contains(got, `chairlift_matches_created_total{matchmaking_configuration_name="duel",region="us-west-2"} 1`) {
		t.Error("the match is not counted once")
	}
	if !strings.Contains(got, `chairlift_time_to_first_pass_seconds_count{matchmaking_configuration_name="duel",region="us-west-2"} 3`) {
		t.Error("not each of the three tickets was seen by a first pass")
	}
	if !regexp.MustCompile(`chairlift_rule_evaluations_passed_total\{matchmaking_configuration_name="duel",rule_name="near",region="us-west-2"\} [1-9]`).MatchString(got) {
		t.Error("the rule was judged and is not counted")
	}
}
