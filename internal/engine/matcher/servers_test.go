package matcher

import (
	"context"
	"fmt"
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

// two are two servers on one store, and what each has of the pool of m. Its
// matches are pairs.
type two struct {
	t       *testing.T
	now     time.Time
	engines []*engine.Engine
	drivers []*driver
}

func newTwo(t *testing.T) *two {
	db := newStore(t)
	w := &two{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for _, name := range []string{"a", "b"} {
		e := engine.New(engine.Options{Store: sharedDB{db}, Sender: nobody{}, Owner: name, Now: func() time.Time { return w.now }})
		w.engines = append(w.engines, e)
		w.drivers = append(w.drivers, newDriver(e, quiet, "us-west-2/m"))
	}
	putMatchmakers(t, w.engines[0], "m", "n")
	return w
}

// arrive brings a ticket of one player.
func (w *two) arrive(configuration, id, player string) {
	w.t.Helper()
	change(w.t, w.engines[0], func(tx *engine.Tx) error {
		return tx.AddTicket(&lift.Ticket{
			ID: lift.TicketID(id), Region: "us-west-2", Configuration: configuration, StartedAt: tx.Now, Deadline: tx.Now.Add(time.Minute),
			Players: []lift.TicketPlayer{{ID: player}},
		})
	})
}

// run lets a server match, and returns when it comes again.
func (w *two) run(by int) time.Duration {
	w.t.Helper()
	next, err := w.drivers[by].run(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return next.Sub(w.now)
}

// Of two servers one matches; the other takes over when it falls silent, and what
// the first one believed then is worth nothing.
func TestOneServerDrivesAPool(t *testing.T) {
	w := newTwo(t)
	made := 0
	arrive := func() {
		t.Helper()
		made++
		w.arrive("m", fmt.Sprint(made), fmt.Sprint("p", made))
	}
	run := func(by int, want int) {
		t.Helper()
		w.run(by)
		got := 0
		for _, tk := range tickets(t, w.engines[0], made) {
			if tk.Status == lift.TicketCompleted {
				got++
			}
		}
		if got != want {
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
	w.now = w.now.Add(store.LeaseFor + time.Second)
	arrive()
	run(1, 4) // a is silent, so b matches what a had taken in
	if w.drivers[0].pool == nil {
		t.Fatal("a has no pool left to be wrong about")
	}
	arrive()
	run(0, 4) // a must not; and has forgotten its pool
	if w.drivers[0].pool != nil {
		t.Error("a keeps a pool that another server drives")
	}
	arrive()
	run(1, 6)
	arrive()
	run(1, 6)
	w.now = w.now.Add(store.LeaseFor)
	arrive()
	run(0, 8) // and a makes its pool anew when it is its turn again
}

// A server asks for the lease again when it ends, and every few seconds: the
// owner's clock may have told it to last far too long.
func TestWhenToAskForTheLease(t *testing.T) {
	for _, c := range []struct{ ahead, later, want time.Duration }{
		{0, store.LeaseFor - 2*time.Second, 2 * time.Second},
		{0, time.Second, sweepEvery},
		{time.Hour, time.Second, sweepEvery},
	} {
		w := newTwo(t)
		w.now = w.now.Add(c.ahead)
		w.run(0)
		w.now = w.now.Add(c.later - c.ahead)
		if got := w.run(1); got != c.want {
			t.Errorf("%s after an owner %s ahead, the other asks again in %s, want %s", c.later, c.ahead, got, c.want)
		}
	}
}

// A server that slept in the midst of its work, and has the lease again because
// the other one fell silent, does not offer what it found before: other players
// may have the tickets' names now.
func TestAServerThatSlept(t *testing.T) {
	for name, meanwhile := range map[string]func(w *two){
		"nothing":   func(*two) {},
		"forgotten": func(*two) {},
		"asked again": func(w *two) {
			w.takeIn(1, "m", "1", "cem")
			w.takeIn(1, "m", "2", "dot")
		},
		"of another matchmaker": func(w *two) {
			w.drivers[1] = newDriver(w.engines[1], quiet, "us-west-2/n")
			w.takeIn(1, "n", "1", "cem")
			w.takeIn(1, "n", "2", "dot")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwo(t)
			w.arrive("m", "1", "ann")
			w.arrive("m", "2", "bob")
			for w.drivers[0].stage != offer {
				if _, _, err := w.drivers[0].step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if name != "nothing" {
				w.now = w.now.Add(48 * time.Hour)
				change(t, w.engines[1], func(tx *engine.Tx) error {
					for _, id := range []string{"1", "2"} {
						tk, err := store.Tickets.Find(tx, "us-west-2/"+id)
						if err != nil {
							return err
						}
						if err := tx.StopTicket(tk, "", ""); err != nil {
							return err
						}
						if err := store.Tickets.Delete(tx, "us-west-2/"+id); err != nil {
							return err
						}
					}
					return nil
				})
			}
			meanwhile(w)
			w.now = w.now.Add(store.LeaseFor)
			w.run(0)
			w.drivers[1].drop()
			w.run(1)
			err := w.engines[0].View(t.Context(), func(tx store.Tx) error {
				ts, err := store.Tickets.All(tx, "", "")
				for _, tk := range ts {
					if tk.Status != lift.TicketCompleted || tk.Players[0].Team == "" || tk.Match != ts[0].Match {
						t.Errorf("ticket %s of %s is %s, its player is %+v", tk.ID, tk.Configuration, tk.Status, tk.Players[0])
					}
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// takeIn has a ticket arrive and a server take it in, and nothing more.
func (w *two) takeIn(by int, configuration, id, player string) {
	w.t.Helper()
	w.arrive(configuration, id, player)
	w.drivers[by].drop()
	if _, _, err := w.drivers[by].step(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// Nobody makes the lease of a matchmaker anew that was deleted with it, and the
// next matchmaker of this name has an epoch of its own.
func TestTheLeaseGoesWithItsMatchmaker(t *testing.T) {
	w := newTwo(t)
	w.run(0)
	before := w.drivers[0].made.epoch
	change(t, w.engines[1], func(tx *engine.Tx) error {
		if err := store.Leases.Delete(tx, store.MatchLease("us-west-2/m")); err != nil {
			return err
		}
		return deleteMatchmaker(tx)
	})
	for by := range 2 {
		w.run(by)
	}
	if err := w.engines[0].View(t.Context(), func(tx store.Tx) error {
		l, ok, err := store.Leases.Get(tx, store.MatchLease("us-west-2/m"))
		if ok {
			t.Errorf("there is a lease %+v", l)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	w.now = w.now.Add(time.Microsecond)
	change(t, w.engines[1], func(tx *engine.Tx) error {
		return store.Configurations.Put(tx, &lift.MatchmakingConfiguration{Name: "m", Region: "us-west-2", RuleSet: "r", Mode: lift.Standalone})
	})
	if w.run(0); w.drivers[0].made.epoch <= before {
		t.Errorf("epoch %d comes after %d", w.drivers[0].made.epoch, before)
	}
}
