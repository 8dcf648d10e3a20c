package matcher

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// gate is a store that does something before each transaction, and refuses the
// transaction if that fails.
type gate struct {
	store.Store
	before func() error
}

func (g *gate) View(ctx context.Context, f func(store.Tx) error) error {
	if err := g.before(); err != nil {
		return err
	}
	return g.Store.View(ctx, f)
}

func (g *gate) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := g.before(); err != nil {
		return err
	}
	return g.Store.Update(ctx, f)
}

// at does something before the nth transaction, counted from 0, and reports
// whether there was one.
func (g *gate) at(n int, do func() error) (done func() bool) {
	g.before = func() error {
		n--
		if n != -1 {
			return nil
		}
		return do()
	}
	return func() bool { return n < 0 }
}

// gated returns two engines on one store: the first passes the gate, the second
// does not. Their matchmaker m makes pairs of players with a skill, n of any.
func gated(t *testing.T) (*gate, *engine.Engine, *engine.Engine) {
	db := fastStore(t)
	g := &gate{db, func() error { return nil }}
	e, free := newEngineOn(t, g, "m", "n"), engine.New(engine.Options{Store: db, Sender: nobody{}})
	putRules(t, free, bySkill)
	return g, e, free
}

// Whatever happens between two transactions: a ticket that is stopped is in no
// match and never changes again, not even if it would have failed; and those that
// wait are matched with others.
func TestStopBetweenTransactions(t *testing.T) {
	for name, skill := range map[string]lift.Attribute{"fits": {N: new(1.0)}, "does not": {S: new("high")}} {
		for after, more := 0, true; more; after++ {
			t.Run(fmt.Sprint(name, after), func(t *testing.T) {
				g, e, free := gated(t)
				change(t, e, func(tx *engine.Tx) error {
					for id, skill := range map[string]lift.Attribute{"a": skill, "b": {N: new(2.0)}, "c": {N: new(3.0)}} {
						if err := tx.AddTicket(withSkill(id, skill, tx.Now)); err != nil {
							return err
						}
					}
					return nil
				})
				for _, id := range []string{"d", "e"} {
					if err := submit(t.Context(), e, "n", id); err != nil {
						t.Fatal(err)
					}
				}
				stopped := false
				done := g.at(after, func() error {
					return free.Update(t.Context(), func(tx *engine.Tx) error {
						tk, err := store.Tickets.Find(tx, "us-west-2/a")
						if err != nil {
							return err
						}
						if stopped = tk.Status.Stoppable(); !stopped {
							return nil
						}
						return tx.StopTicket(tk, "", "")
					})
				})
				m := New(e, quiet)
				for n := 0; ; n++ {
					next, err := m.Step(t.Context())
					switch {
					case err != nil:
						t.Fatal(err)
					case n > 100:
						t.Fatal("it never comes to rest")
					}
					if next.After(e.Now()) {
						break
					}
				}
				ts := tickets(t, free, 5)
				if stopped != (ts["a"].Status == lift.TicketCancelled) {
					t.Errorf("a is %s", ts["a"].Status)
				}
				pairs := []string{"d", "e"}
				if stopped || skill.S != nil {
					pairs = append(pairs, "b", "c")
				}
				for i := 0; i < len(pairs); i += 2 {
					x, y := ts[lift.TicketID(pairs[i])], ts[lift.TicketID(pairs[i+1])]
					if x.Status != lift.TicketCompleted || x.Match != y.Match {
						t.Errorf("%s is %s in %q, %s is %s in %q", x.ID, x.Status, x.Match, y.ID, y.Status, y.Match)
					}
				}
				more = done()
			})
		}
	}
}

var errOut = errors.New("the store is out of order")

// A transaction that the store refuses stops the driver, which says so, comes
// again soon and then does everything.
func TestEveryRefusedTransactionIsNoticed(t *testing.T) {
	for n, more := 0, true; more; n++ {
		g, e, free := gated(t)
		change(t, e, func(tx *engine.Tx) error {
			for id, skill := range map[string]lift.Attribute{"a": {S: new("does not fit")}, "b": {N: new(2.0)}, "c": {N: new(3.0)}} {
				if err := tx.AddTicket(withSkill(id, skill, tx.Now)); err != nil {
					return err
				}
			}
			return nil
		})
		done := g.at(n, func() error { return errOut })
		d := newDriver(e, quiet, "us-west-2/m")
		before := e.Now()
		next, err := d.run(t.Context())
		more = done()
		if more != errors.Is(err, errOut) || more && next.After(before.Add(sweepEvery/2)) {
			t.Errorf("transaction %d: %v, and it comes again after %s", n, err, next.Sub(before))
		}
		g.before = func() error { return nil }
		if _, err := d.run(t.Context()); err != nil {
			t.Errorf("transaction %d: after that %v", n, err)
		}
		for id, want := range map[lift.TicketID]lift.TicketStatus{"a": lift.TicketFailed, "b": lift.TicketCompleted, "c": lift.TicketCompleted} {
			if got := tickets(t, free, 3)[id].Status; got != want {
				t.Errorf("transaction %d: ticket %s is %s, want %s", n, id, got, want)
			}
		}
	}
}

// So does one refused where several matchmakers have tickets: none is passed over
// in silence.
func TestRoundRefused(t *testing.T) {
	for n, more := 0, true; more; n++ {
		g, e, _ := gated(t)
		for _, matchmaker := range []string{"m", "n"} {
			if err := submit(t.Context(), e, matchmaker, "of-"+matchmaker); err != nil {
				t.Fatal(err)
			}
		}
		done := g.at(n, func() error { return errOut })
		err := New(e, quiet).Round(t.Context())
		if more = done(); more != errors.Is(err, errOut) {
			t.Errorf("transaction %d: %v", n, err)
		}
	}
}

// A matcher that starts finds what waits, although nothing wakes it.
func TestStepFindsWhatWaits(t *testing.T) {
	db := fastStore(t)
	before := newEngineOn(t, db, "m")
	for _, id := range []string{"a", "b"} {
		if err := submit(t.Context(), before, "m", id); err != nil {
			t.Fatal(err)
		}
	}
	e := engine.New(engine.Options{Store: db, Sender: nobody{}})
	m := New(e, quiet)
	for next := (time.Time{}); !next.After(e.Now()); {
		var err error
		if next, err = m.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for id, tk := range tickets(t, e, 2) {
		if tk.Status != lift.TicketCompleted {
			t.Errorf("ticket %s is %s", id, tk.Status)
		}
	}
}
