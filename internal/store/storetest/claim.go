package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

func testClaim(t *testing.T, open Open) {
	s := start(t, open)
	write(t, s, "fleet",
		store.Row{ID: "never"},
		store.Row{ID: "c", Due: at(1), Keys: map[string]string{"status": "x"}},
		store.Row{ID: "b", Due: at(2)}, store.Row{ID: "a", Due: at(2)},
		store.Row{ID: "now", Due: at(10)},
		store.Row{ID: "later", Due: at(10).Add(time.Microsecond)},
	)
	steps := []struct {
		name       string
		now, until int
		limit      int
		want       string
	}{
		{"two of those due", 10, 20, 2, "c a"},
		{"the next ones, not those claimed", 10, 30, 9, "b now"},
		{"nothing is left", 10, 30, 9, ""},
		{"what became due meanwhile", 19, 30, 9, "later"},
		{"claims end at their instant", 20, 40, 9, "a c"},
		{"and again", 30, 60, 1, "b"},
		{"", 30, 60, 9, "later now"},
	}
	for _, step := range steps {
		// What is rolled back leaves no claim.
		err := s.Update(t.Context(), func(tx store.Tx) error {
			wantIDs(t, step.name+", taken back", claim(t, tx, "fleet", "w", at(step.now), at(step.until), step.limit), step.want)
			return errFails
		})
		if !errors.Is(err, errFails) {
			t.Fatal(err)
		}
		update(t, s, func(tx store.Tx) {
			rows := claim(t, tx, "fleet", "w", at(step.now), at(step.until), step.limit)
			wantIDs(t, step.name, rows, step.want)
			for _, r := range rows {
				if r.Owner != "w" || r.Until != at(step.until) {
					t.Errorf("%s: %q is held by %q until %v", step.name, r.ID, r.Owner, r.Until)
				}
				if own, _ := get(t, tx, "fleet", r.ID); diff(r, own) != "" {
					t.Errorf("%s: own read:\n%s", step.name, diff(r, own))
				}
			}
		})
	}
	both(t, s, func(t *testing.T, tx store.Tx) {
		want := store.Row{ID: "c", Due: at(1), Keys: map[string]string{"status": "x"}, Owner: "w", Until: at(40)}
		if got, _ := get(t, tx, "fleet", "c"); diff(want, got) != "" {
			t.Errorf("claimed row:\n%s", diff(want, got))
		}
	})

	t.Run("put clears the claim", func(t *testing.T) {
		update(t, s, func(tx store.Tx) {
			r, _ := get(t, tx, "fleet", "c")
			put(t, tx, "fleet", r)
			r, _ = get(t, tx, "fleet", "c")
			if r.Owner != "" || !r.Until.IsZero() {
				t.Errorf("held by %q until %v", r.Owner, r.Until)
			}
			wantIDs(t, "claimable at once", claim(t, tx, "fleet", "w", at(30), at(40), 9), "c")
			put(t, tx, "fleet", store.Row{ID: "c"})
			wantIDs(t, "not due any more", claim(t, tx, "fleet", "w", at(90), at(91), 9), "a b later now")
		})
		both(t, s, func(t *testing.T, tx store.Tx) {
			if r, _ := get(t, tx, "fleet", "c"); r.Owner != "" {
				t.Errorf("held by %q", r.Owner)
			}
		})
	})
}

func testNextDue(t *testing.T, open Open) {
	s := start(t, open)
	want := func(what string, want time.Time) {
		t.Helper()
		both(t, s, func(t *testing.T, tx store.Tx) {
			got, ok, err := tx.NextDue("fleet")
			if err != nil || ok == want.IsZero() || got != want {
				t.Errorf("%s: NextDue is %v, %v, %v; want %v", what, got, ok, err, want)
			}
		})
	}
	want("empty", time.Time{})
	write(t, s, "fleet", store.Row{ID: "never"})
	want("nothing due", time.Time{})
	write(t, s, "fleet", store.Row{ID: "a", Due: at(7)}, store.Row{ID: "b", Due: at(5)})
	want("the earliest", at(5))
	update(t, s, func(tx store.Tx) { claim(t, tx, "fleet", "w", at(5), at(6), 9) })
	want("the end of a claim", at(6))
	update(t, s, func(tx store.Tx) { claim(t, tx, "fleet", "w", at(6), at(60), 9) })
	want("the other one", at(7))
	update(t, s, func(tx store.Tx) { claim(t, tx, "fleet", "w", at(7), at(50), 9) })
	want("all are claimed", at(50))
	write(t, s, "fleet", store.Row{ID: "b", Due: at(3)})
	want("one was put again", at(3))
	update(t, s, func(tx store.Tx) {
		remove(t, tx, "fleet", "b")
		got, ok, err := tx.NextDue("fleet")
		if err != nil || !ok || got != at(50) {
			t.Errorf("after own delete: %v, %v, %v", got, ok, err)
		}
	})
	want("one was deleted", at(50))
}
