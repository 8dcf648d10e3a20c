package matcher

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Whatever happens between two steps: a ticket that is stopped is in no match,
// and those that wait are matched with others.
func TestStopBetweenSteps(t *testing.T) {
	for after := range 8 {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			e := newEngine(t, "m", "n")
			m := New(e, slog.New(slog.DiscardHandler))
			step := func() bool {
				next, err := m.Step(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return !next.After(e.Now())
			}
			for _, id := range []string{"a", "b", "c"} {
				if err := submit(t.Context(), e, "m", id); err != nil {
					t.Fatal(err)
				}
			}
			for range after {
				step()
			}
			stopped := true
			err := e.Update(t.Context(), func(tx *engine.Tx) error {
				tk, err := store.Tickets.Find(tx, "us-west-2/a")
				if err != nil {
					return err
				}
				if stopped = tk.Status.Stoppable(); !stopped {
					return nil
				}
				return tx.StopTicket(tk, "", "")
			})
			if err != nil {
				t.Fatal(err)
			}
			for n := 0; step(); n++ {
				if n > 100 {
					t.Fatal("it never comes to rest")
				}
			}
			ts := tickets(t, e, 3)
			if stopped != (ts["a"].Status == lift.TicketCancelled) {
				t.Errorf("a is %s", ts["a"].Status)
			}
			if stopped && (ts["b"].Status != lift.TicketCompleted || ts["b"].Match != ts["c"].Match) {
				t.Errorf("b is %s in %q, c is %s in %q", ts["b"].Status, ts["b"].Match, ts["c"].Status, ts["c"].Match)
			}
		})
	}
}
