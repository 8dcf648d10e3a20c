package stumble_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

// A closure that passes errors on is run as ever; one that drops one is found,
// once, and nothing of its failures stays.
func TestStore(t *testing.T) {
	db, err := memdb.New(store.Kind{Name: "note"})
	if err != nil {
		t.Fatal(err)
	}
	var wentOn []error
	s := &stumble.Store{Store: db, Known: &sync.Map{}, WentOn: func(err error) { wentOn = append(wentOn, err) }}
	runs := 0
	careful := func(tx store.Tx) error {
		runs++
		if _, _, err := tx.Get("note", "a"); err != nil {
			return err
		}
		return tx.Put("note", store.Row{ID: "a"})
	}
	if err := s.Update(t.Context(), careful); err != nil || runs != 5 || wentOn != nil {
		t.Errorf("%v after %d runs, %v", err, runs, wentOn)
	}
	if err := s.Update(t.Context(), careful); err != nil || runs != 6 {
		t.Errorf("%v after %d runs", err, runs)
	}
	careless := func(tx store.Tx) error {
		_ = tx.Put("note", store.Row{ID: "b"})
		return tx.Put("note", store.Row{ID: "c"})
	}
	if err := s.Update(t.Context(), careless); err != nil || len(wentOn) != 1 || !errors.Is(wentOn[0], stumble.ErrWentOn) {
		t.Errorf("%v, %v", err, wentOn)
	}
	if err := s.Update(t.Context(), func(store.Tx) error { return errors.ErrUnsupported }); err != errors.ErrUnsupported {
		t.Error(err)
	}
	if err := s.View(t.Context(), func(tx store.Tx) error {
		rows, err := tx.Scan("note", "", "", store.Cursor{}, 9)
		if err == nil && len(rows) != 3 {
			t.Errorf("%d rows", len(rows))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
