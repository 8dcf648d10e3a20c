package notify

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

var t0 = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func row(n int, subjects ...string) *store.Outbox {
	return &store.Outbox{
		Effect: lift.Effect{ID: lift.EffectID(fmt.Sprint(n)), Publish: &lift.Publish{Subjects: subjects, At: t0.Add(time.Duration(n) * time.Microsecond)}},
		SentAt: t0,
	}
}

// Whatever fails, events about one subject land in order, nothing is sent twice
// at once, and in the end everything landed or was given up.
func TestWindowKeepsTheOrderOfEverySubject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		n := rapid.IntRange(1, 40).Draw(t, "events")
		var rows []*store.Outbox
		for i := range n {
			subjects := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 3, rapid.ID).Draw(t, "subjects")
			rows = append(rows, row(i, subjects...))
		}
		w.take(rows)
		w.take(rows) // again changes nothing
		if len(w.items) != n {
			t.Fatalf("%d items of %d", len(w.items), n)
		}
		now := t0
		last := map[string]time.Time{} // of the last event that was done with
		var flying []*item
		for range 100_000 {
			it, again := w.next(now)
			if it != nil {
				for _, s := range it.pub.Subjects {
					if it.pub.At.Before(last[s]) || slices.ContainsFunc(flying, func(f *item) bool { return slices.Contains(f.pub.Subjects, s) }) {
						t.Fatalf("event %s is sent out of its order", it.id)
					}
				}
				it.flying = true
				flying = append(flying, it)
				if len(flying) > flightsMost || w.failures > 0 && len(flying) > flightsMost {
					t.Fatalf("%d at once", len(flying))
				}
				if rapid.Bool().Draw(t, "another") {
					continue
				}
			}
			if len(flying) == 0 {
				if len(w.items) == 0 {
					return
				}
				if !again.After(now) {
					t.Fatalf("nothing to do for %d events until %s", len(w.items), again)
				}
				now = again
				continue
			}
			i := rapid.IntRange(0, len(flying)-1).Draw(t, "lands")
			o := outcome{item: flying[i]}
			flying = slices.Delete(flying, i, i+1)
			if how := rapid.IntRange(0, 3).Draw(t, "how"); how > 1 {
				o.err, o.refused = errors.New("no"), how == 2
			}
			if done, dead := w.landed(now, o, time.Minute); done || dead {
				for _, s := range o.item.pub.Subjects {
					last[s] = o.item.pub.At
				}
				w.drop(o.item)
			}
		}
		t.Fatalf("%d events are left", len(w.items))
	})
}

// A sink that does not answer is asked by one event at a time, with growing
// pauses, and each time by another one, in case it is the event's fault.
func TestWindowRestsWhileASinkIsGone(t *testing.T) {
	var w window
	for i := range 5 {
		w.take([]*store.Outbox{row(i, fmt.Sprint("s", i))})
	}
	now := t0
	var asked []string
	var pauses []time.Duration
	for range 4 {
		it, _ := w.next(now)
		if it == nil {
			t.Fatalf("nothing to ask with after %q", asked)
		}
		asked = append(asked, string(it.id))
		it.flying = true
		if len(asked) > 1 {
			if other, _ := w.next(now); other != nil {
				t.Errorf("two ask at once: %s and %s", it.id, other.id)
			}
		}
		w.landed(now, outcome{item: it, err: errors.New("gone")}, time.Hour)
		none, again := w.next(now)
		if none != nil {
			t.Fatalf("%s asks at once after a failure", none.id)
		}
		pauses = append(pauses, again.Sub(now))
		now = again
	}
	if fmt.Sprint(pauses) != "[1s 2s 4s 8s]" || slices.Equal(asked, []string{"0", "0", "0", "0"}) {
		t.Errorf("asked %q with pauses %s", asked, pauses)
	}
	if wait(1000) != longestWait {
		t.Errorf("pauses grow to %s", wait(1000))
	}
}

// An event that the sink refuses holds up its own subject only.
func TestWindowPassesByWhatIsRefused(t *testing.T) {
	var w window
	w.take([]*store.Outbox{row(1, "a"), row(2, "a"), row(3, "b")})
	it, _ := w.next(t0)
	w.landed(t0, outcome{item: it, err: errors.New("no"), refused: true}, time.Hour)
	if next, _ := w.next(t0); next == nil || next.id != "3" {
		t.Errorf("next is %+v", next)
	}
	for n := 2; n <= refusals; n++ {
		if _, dead := w.landed(t0, outcome{item: it, err: errors.New("no"), refused: true}, time.Hour); dead != (n == refusals) {
			t.Errorf("after %d refusals dead is %v", n, dead)
		}
	}
}
