package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
)

// RunDurable runs what only a store that outlives its process can do. Each
// call of database makes a new database; what it returns opens it, and opens
// it again after Close, perhaps for other kinds.
func RunDurable(t *testing.T, database func(t *testing.T) func(kinds []store.Kind) (store.Store, error)) {
	t.Run("Reopen", func(t *testing.T) { testReopen(t, database(t)) })
	t.Run("AddIndex", func(t *testing.T) { testAddIndex(t, database(t)) })
	t.Run("DropIndex", func(t *testing.T) { testDropIndex(t, database(t)) })
}

func reopen(t *testing.T, open func([]store.Kind) (store.Store, error), kinds []store.Kind, f func(s store.Store)) {
	t.Helper()
	s, err := open(kinds)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	f(s)
}

func testReopen(t *testing.T, open func([]store.Kind) (store.Store, error)) {
	rows := []store.Row{
		{ID: "a", Body: []byte("1"), Keys: map[string]string{"status": "A", "build": "b"}, Due: at(5)},
		{ID: "b", Body: []byte("2"), Due: at(6)},
		{ID: "c"},
	}
	reopen(t, open, kinds, func(s store.Store) {
		write(t, s, "fleet", rows...)
		write(t, s, "fleet", store.Row{ID: "gone"})
		update(t, s, func(tx store.Tx) { remove(t, tx, "fleet", "gone") })
		update(t, s, func(tx store.Tx) { claim(t, tx, "fleet", "w", at(5), at(9), 1) })
	})
	rows[0].Owner, rows[0].Until = "w", at(9)
	reopen(t, open, kinds, func(s store.Store) {
		both(t, s, func(t *testing.T, tx store.Tx) {
			if d := diff(rows, scan(t, tx, "fleet", "", "", store.Cursor{}, 9)); d != "" {
				t.Error(d)
			}
			wantIDs(t, "by index", scan(t, tx, "fleet", "build", "b", store.Cursor{}, 9), "a")
			if due, _, _ := tx.NextDue("fleet"); due != at(6) {
				t.Errorf("next due at %v", due)
			}
		})
		err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("fleet", store.Row{ID: "c"}) })
		if err == nil {
			t.Error("a row of before can be put without looking")
		}
		write(t, s, "fleet", store.Row{ID: "c", Body: []byte("changed")})
	})
	more := append([]store.Kind{{Name: "later", Indexes: []string{"x"}}}, kinds[0]) // and one is declared no more
	reopen(t, open, more, func(s store.Store) {
		write(t, s, "later", store.Row{ID: "l", Keys: map[string]string{"x": "y"}})
		both(t, s, func(t *testing.T, tx store.Tx) {
			wantIDs(t, "new kind", scan(t, tx, "later", "x", "y", store.Cursor{}, 9), "l")
			if r, _ := get(t, tx, "fleet", "c"); string(r.Body) != "changed" {
				t.Errorf("row is %q", r.Body)
			}
		})
	})
}

// person is a document whose keys can be computed.
type person struct{ Name, Town string }

func (p person) row(id string, indexes ...string) store.Row {
	body, _ := json.Marshal(p)
	r := store.Row{ID: id, Body: body, Keys: map[string]string{}}
	keys, _ := personKeys(body)
	for _, x := range indexes {
		r.Keys[x] = keys[x]
	}
	return r
}

func personKeys(body []byte) (map[string]string, error) {
	var p person
	err := json.Unmarshal(body, &p)
	return map[string]string{"name": p.Name, "town": p.Town, "never declared": "x"}, err
}

func testAddIndex(t *testing.T, open func([]store.Kind) (store.Store, error)) {
	const n = 1203 // more than one stretch, and not a round number
	before := []store.Kind{{Name: "person", Indexes: []string{"name"}}}
	reopen(t, open, before, func(s store.Store) {
		update(t, s, func(tx store.Tx) {
			for i := range n {
				p := person{Name: fmt.Sprintf("n%d", i%7), Town: fmt.Sprintf("t%d", i%5)}
				if i%5 == 4 {
					p.Town = ""
				}
				put(t, tx, "person", p.row(fmt.Sprintf("p%04d", i), "name"))
			}
		})
		update(t, s, func(tx store.Tx) {
			r, _ := get(t, tx, "person", "p0003")
			r.Due = at(1)
			put(t, tx, "person", r)
			claim(t, tx, "person", "w", at(1), at(9), 1)
		})
	})
	after := []store.Kind{{Name: "person", Indexes: []string{"town", "name"}}} // the order does not matter
	if _, err := open(after); err == nil || !strings.Contains(err.Error(), "person") || !strings.Contains(err.Error(), "town") {
		t.Fatalf("new index, and nothing to fill it with: %v", err)
	}
	after[0].Keys = func(body []byte) (map[string]string, error) { return nil, errFails }
	if _, err := open(after); err == nil || !strings.Contains(err.Error(), errFails.Error()) {
		t.Fatalf("keys cannot be computed: %v", err)
	}
	after[0].Keys = personKeys
	for range 2 {
		reopen(t, open, after, func(s store.Store) {
			both(t, s, func(t *testing.T, tx store.Tx) {
				for i, want := range []int{241, 241, 241, 240} {
					town := fmt.Sprintf("t%d", i)
					if got := len(scan(t, tx, "person", "town", town, store.Cursor{}, n)); got != want {
						t.Errorf("%d in %s, want %d", got, town, want)
					}
				}
				if got := len(scan(t, tx, "person", "town", "", store.Cursor{}, n)); got != 963 {
					t.Errorf("%d live in towns", got)
				}
				if got := len(scan(t, tx, "person", "name", "n3", store.Cursor{}, n)); got != 172 {
					t.Errorf("%d of the old name", got)
				}
				r, _ := get(t, tx, "person", "p0003")
				want := person{"n3", "t3"}.row("p0003", "name", "town")
				want.Due, want.Owner, want.Until = at(1), "w", at(9)
				if d := diff(want, r); d != "" {
					t.Errorf("a row:\n%s", d)
				}
			})
			write(t, s, "person", person{"n3", "t3"}.row("p0003", "name", "town")) // its version is known
			update(t, s, func(tx store.Tx) {
				r, _ := get(t, tx, "person", "p0003")
				r.Due = at(1)
				put(t, tx, "person", r)
				claim(t, tx, "person", "w", at(1), at(9), 1)
			})
		})
	}
}

// testDropIndex is a way back to an older program, and forth again: what the
// older one wrote must be found by the index it did not know.
func testDropIndex(t *testing.T, open func([]store.Kind) (store.Store, error)) {
	newer := []store.Kind{{Name: "person", Indexes: []string{"name", "town"}, Keys: personKeys}}
	older := []store.Kind{{Name: "person", Indexes: []string{"name"}, Keys: personKeys}}
	reopen(t, open, newer, func(s store.Store) {
		write(t, s, "person", person{"ann", "rome"}.row("a", "name", "town"), person{"bob", "rome"}.row("b", "name", "town"))
	})
	reopen(t, open, older, func(s store.Store) {
		view(t, s, func(tx store.Tx) {
			if r, _ := get(t, tx, "person", "b"); diff(map[string]string{"name": "bob"}, r.Keys) != "" {
				t.Errorf("keys are %v", r.Keys)
			}
		})
		write(t, s, "person", person{"ann", "oslo"}.row("a", "name"), person{"cem", "oslo"}.row("c", "name"))
	})
	reopen(t, open, newer, func(s store.Store) {
		both(t, s, func(t *testing.T, tx store.Tx) {
			wantIDs(t, "in rome", scan(t, tx, "person", "town", "rome", store.Cursor{}, 9), "b")
			wantIDs(t, "in oslo", scan(t, tx, "person", "town", "oslo", store.Cursor{}, 9), "a c")
		})
	})
}
