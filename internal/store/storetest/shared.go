package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// OpenShared returns n stores of one empty database. The suite closes them.
type OpenShared func(t *testing.T, kinds []store.Kind, n int) []store.Shared

// RunShared runs what matters where several servers write to one database.
func RunShared(t *testing.T, open OpenShared) {
	const servers = 3
	t.Run("Limits", func(t *testing.T) {
		testLimits(t, func(t *testing.T, kinds []store.Kind) store.Store {
			return &spread{Store: nil, all: open(t, kinds, servers)}
		})
	})
	t.Run("Claims", func(t *testing.T) { testSharedClaims(t, open(t, kinds, servers)) })
	t.Run("Stale", func(t *testing.T) { testStale(t, open(t, kinds, 2)) })
	t.Run("Alone", func(t *testing.T) { testAlone(t, open(t, kinds, 2)) })
	t.Run("Elsewhere", func(t *testing.T) { testElsewhere(t, open(t, kinds, 2)) })
}

// A spread gives each call to another one of several stores of one database.
type spread struct {
	store.Store // none: what is not below is not to be called
	all         []store.Shared
	n           atomic.Int64
}

func (s *spread) next() store.Store { return s.all[int(s.n.Add(1))%len(s.all)] }

func (s *spread) View(ctx context.Context, f func(store.Tx) error) error {
	return s.next().View(ctx, f)
}

func (s *spread) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.next().Update(ctx, f)
}

// settle has each server of a spread look what the others did. Without it the
// first run of a closure may see what is old, and only the last one counts.
func settle(t *testing.T, s store.Store) {
	if sp, ok := s.(*spread); ok {
		for _, one := range sp.all {
			update(t, one, func(store.Tx) {})
		}
	}
}

func (s *spread) Close() error { return closeAll(s.all) }

func closeAll(all []store.Shared) (err error) {
	for _, s := range all {
		err = errors.Join(err, s.Close())
	}
	return err
}

// testSharedClaims lets all servers at once work off what is due, and looks
// that each row was worked off by one of them, once.
func testSharedClaims(t *testing.T, all []store.Shared) {
	defer closeAll(all)
	const rows = 300
	update(t, all[0], func(tx store.Tx) {
		for i := range rows {
			put(t, tx, "fleet", store.Row{ID: fmt.Sprintf("f%03d", i), Due: at(i % 7)})
		}
	})
	var done [rows]atomic.Int32
	var batches atomic.Int32
	concurrently(len(all), func(server int) {
		for {
			var claimed []store.Row
			err := all[server].Update(t.Context(), func(tx store.Tx) (err error) {
				claimed, err = tx.Claim("fleet", fmt.Sprint("server ", server), at(10), at(99), 10)
				return err
			})
			if err != nil {
				t.Error(err)
				return
			}
			if len(claimed) == 0 {
				return
			}
			batches.Add(1)
			err = all[server].Update(t.Context(), func(tx store.Tx) error {
				for _, r := range claimed {
					if err := tx.Delete("fleet", r.ID); err != nil {
						return err
					}
					if err := tx.Put("note", store.Row{ID: r.ID, Body: []byte(fmt.Sprint(server))}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range claimed {
				var n int
				fmt.Sscanf(r.ID, "f%d", &n)
				done[n].Add(1)
			}
		}
	})
	for i := range done {
		if n := done[i].Load(); n != 1 {
			t.Errorf("row %d was worked off %d times", i, n)
		}
	}
	for _, s := range all {
		view(t, s, func(tx store.Tx) {
			if left, notes := scan(t, tx, "fleet", "", "", store.Cursor{}, 999), scan(t, tx, "note", "", "", store.Cursor{}, 999); len(left) > 0 || len(notes) != rows {
				t.Errorf("%d rows are left and %d done", len(left), len(notes))
			}
		})
	}
}

// testStale writes behind the back of a server that has read a row: what it
// remembers is not what it decides on.
func testStale(t *testing.T, all []store.Shared) {
	defer closeAll(all)
	a, b := all[0], all[1]
	write(t, a, "fleet", row("x", "1"))
	for i := range 5 {
		var read string // by the run that counts
		update(t, b, func(tx store.Tx) {
			r, _ := get(t, tx, "fleet", "x")
			read = string(r.Body)
			put(t, tx, "fleet", row("x", fmt.Sprint(2*i+2)))
		})
		if want := fmt.Sprint(2*i + 1); read != want {
			t.Errorf("b reads %q, want %s", read, want)
		}
		runs := 0
		update(t, a, func(tx store.Tx) {
			r, _ := get(t, tx, "fleet", "x")
			if runs++; runs == 1 { // the other one is faster
				write(t, b, "fleet", row("x", string(r.Body)))
			}
			put(t, tx, "fleet", row("x", fmt.Sprint(2*i+3)))
		})
		if runs != 2 {
			t.Errorf("the closure ran %d times over a row that changed once", runs)
		}
	}
	// A row that came meanwhile, and one that is gone.
	runs := 0
	err := a.Update(t.Context(), func(tx store.Tx) error {
		if runs++; runs == 1 {
			write(t, b, "note", store.Row{ID: "n", Body: []byte("b")})
		}
		return tx.Put("note", store.Row{ID: "n", Body: []byte("a")})
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("a row that another server made was put without looking: %v", err)
	}
	update(t, b, func(tx store.Tx) { remove(t, tx, "note", "n") })
	update(t, a, func(tx store.Tx) {
		if _, ok := get(t, tx, "note", "n"); ok {
			t.Error("a row that another server deleted is still there")
		}
	})
}

// testAlone lets a server work alone for a while, so that it may believe that
// what it has read stays true, and then writes behind its back.
func testAlone(t *testing.T, all []store.Shared) {
	defer closeAll(all)
	a, b := all[0], all[1]
	for round := range 4 {
		for i := range 4 {
			write(t, a, "fleet", row("x", "a"), row("y", fmt.Sprint(i)))
		}
		write(t, b, "fleet", row("x", "b"))
		update := func(f func(tx store.Tx, body string) error) error {
			return a.Update(t.Context(), func(tx store.Tx) error {
				r, _, err := tx.Get("fleet", "x")
				if err != nil {
					return err
				}
				return f(tx, string(r.Body))
			})
		}
		var read string
		var err error
		switch round { // each way for a closure to rest on an old row
		case 0:
			err = update(func(_ store.Tx, body string) error { read = body; return nil })
		case 1:
			err = update(func(_ store.Tx, body string) error { read = body; return errFails })
			if err == errFails {
				err = nil
			}
		case 2:
			err = update(func(tx store.Tx, body string) error {
				read = body
				return tx.Put("note", store.Row{ID: fmt.Sprint(round), Body: []byte(body)})
			})
		case 3:
			err = a.Update(t.Context(), func(tx store.Tx) error {
				rows, err := tx.Scan("fleet", "status", "A", store.Cursor{}, 1)
				if err == nil {
					read = string(rows[0].Body)
				}
				return err
			})
		}
		if err != nil || read != "b" {
			t.Errorf("round %d: read %q, %v", round, read, err)
		}
	}
	update(t, b, func(tx store.Tx) {
		if r, _ := get(t, tx, "note", "2"); string(r.Body) != "b" {
			t.Errorf("a decision on an old row was kept: %q", r.Body)
		}
	})
}

func testElsewhere(t *testing.T, all []store.Shared) {
	defer closeAll(all)
	a, b := all[0].Elsewhere(t.Context()), all[1].Elsewhere(t.Context())
	for range 3 {
		write(t, all[0], "note", store.Row{ID: "x"})
		select {
		case <-b:
		case <-time.After(5 * time.Second): // it may be lost, but that is not why
			t.Fatal("the other server was not woken")
		}
	}
	time.Sleep(20 * time.Millisecond)
	select {
	case <-a:
		t.Error("a server was woken by what it did itself")
	default:
	}
}
