package matcher

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// sharedDB is a store in memory as several servers have it.
type sharedDB struct{ store.Store }

func (sharedDB) Shared() bool                              { return true }
func (sharedDB) Elsewhere(context.Context) <-chan struct{} { return nil }

// TestOneServerDrivesAPool: of two servers one matches; the other takes over
// when it falls silent, and what the first one believed then is worth nothing.
func TestOneServerDrivesAPool(t *testing.T) {
	db := newStore(t)
	defer db.Close()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var engines []*engine.Engine
	var drivers []*driver
	for _, name := range []string{"a", "b"} {
		e := engine.New(engine.Options{Store: sharedDB{db}, Sender: nobody{}, Owner: name, Now: func() time.Time { return now }})
		engines = append(engines, e)
		drivers = append(drivers, newDriver(e, slog.New(slog.DiscardHandler), "us-west-2/m"))
	}
	err := engines[0].Update(t.Context(), func(tx *engine.Tx) error {
		r := &lift.RuleSet{Name: "r", Region: "us-west-2", Body: `{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":2,"maxPlayers":2}]}`}
		if err := store.RuleSets.Put(tx, r); err != nil {
			return err
		}
		return store.Configurations.Put(tx, &lift.MatchmakingConfiguration{Name: "m", Region: "us-west-2", RuleSet: "r", Mode: lift.Standalone, RequestTimeoutSeconds: 600})
	})
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	arrive := func() {
		t.Helper()
		made++
		if err := submit(t.Context(), engines[made%2], "m", fmt.Sprint(made)); err != nil {
			t.Fatal(err)
		}
	}
	completed := func() (n int) {
		for _, tk := range tickets(t, engines[0], made) {
			if tk.Status == lift.TicketCompleted {
				n++
			}
		}
		return n
	}
	run := func(by int, want int) {
		t.Helper()
		if _, err := drivers[by].run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := completed(); got != want {
			t.Fatalf("%d tickets are matched, want %d", got, want)
		}
	}
	arrive()
	run(0, 0) // a has the lease and one ticket
	arrive()
	run(1, 0) // b may not
	run(0, 2)
	arrive()
	run(0, 2)
	now = now.Add(store.LeaseFor + time.Second)
	arrive()
	run(1, 4) // a is silent, so b matches what a had taken in
	if drivers[0].pool == nil {
		t.Fatal("a has no pool left to be wrong about")
	}
	arrive()
	run(0, 4) // a must not; and has forgotten its pool
	if drivers[0].pool != nil {
		t.Error("a keeps a pool that another server drives")
	}
	arrive()
	run(1, 6)
}
