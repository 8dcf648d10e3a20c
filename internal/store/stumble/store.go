package stumble

import (
	"context"
	"errors"
	"sync"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Store is a store in which every transaction stumbles that is the first with
// its steps; then it runs as ever. For tests, which so try every error of the
// store that their code can meet.
type Store struct {
	store.Store
	Known  *sync.Map   // shapes of transactions that stumbled before; tests may share it
	WentOn func(error) // is told of a closure that did not fail when a step did
}

// View is store.Store.View.
func (s *Store) View(ctx context.Context, f func(store.Tx) error) error {
	return s.run(f, func(f func(store.Tx) error) error { return s.Store.View(ctx, f) })
}

// Update is store.Store.Update.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.run(f, func(f func(store.Tx) error) error { return s.Store.Update(ctx, f) })
}

func (s *Store) run(f func(store.Tx) error, transaction func(func(store.Tx) error) error) error {
	fresh := false
	err := transaction(func(tx store.Tx) error {
		r := Over(tx)
		err := f(r)
		if fresh = false; err == nil {
			_, known := s.Known.LoadOrStore(r.Shape, true)
			fresh = !known
		}
		if fresh {
			return errDone
		}
		return err
	})
	if !fresh {
		return err
	}
	if _, err := Each(f, transaction); errors.Is(err, ErrWentOn) {
		s.WentOn(err)
	}
	return transaction(f)
}
