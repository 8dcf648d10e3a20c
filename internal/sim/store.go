package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chairlift-games/chairlift/internal/store"
)

// What a store says when it fails.
var (
	errStore = errors.New("sim: the store is out of order")
	errDoubt = errors.New("sim: the store cannot tell whether it committed")
	errAgain = errors.New("sim: once more")
)

// faultStore is a store that fails now and again, and that shows every commit
// to the facts.
type faultStore struct {
	store.Store
	w       *world
	crashAt int  // the service ends with the commit after so many; 0: it does not
	dying   bool // it has: nothing is committed or sent any more
}

func (s *faultStore) View(ctx context.Context, f func(store.Tx) error) error {
	switch {
	case s.dying:
		return fmt.Errorf("sim: %w", store.ErrClosed)
	case s.w.bad(s.w.plan.faults.storeFails, 2):
		s.w.tally.StoreFaults++
		return errStore
	}
	return s.Store.View(ctx, f)
}

func (s *faultStore) Update(ctx context.Context, f func(store.Tx) error) error {
	w := s.w
	switch faults := w.plan.faults; {
	case s.dying:
		return fmt.Errorf("sim: %w", store.ErrClosed)
	case w.bad(faults.storeFails, 3):
		w.tally.StoreFaults++
		w.note("store", "refuses")
		return errStore
	case w.bad(faults.storeAgain, 10):
		w.tally.StoreFaults++
		w.note("store", "runs a transaction twice")
		err := s.Store.Update(ctx, func(tx store.Tx) error {
			if err := f(tx); err != nil {
				return err
			}
			return errAgain
		})
		if err != errAgain {
			return err
		}
	}
	var written []rowKey
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		r := &recorder{Tx: tx}
		err := f(r)
		written = r.written
		return err
	})
	if err != nil {
		return err
	}
	if err := s.Store.View(w.ctx, func(tx store.Tx) error { return w.committed(tx, written) }); err != nil {
		w.fail("what was committed cannot be read: %v", err)
	}
	if s.crashAt > 0 {
		if s.crashAt--; s.crashAt == 0 && !w.calm {
			w.note("store", "the service ends right after the commit")
			s.dying = true
		}
	}
	if len(written) > 0 && w.bad(w.plan.faults.storeDoubt, 3) {
		w.tally.StoreFaults++
		w.note("store", "commits and cannot tell")
		return errDoubt
	}
	return nil
}

// recorder remembers which rows a transaction wrote.
type recorder struct {
	store.Tx
	written []rowKey
}

type rowKey struct{ kind, id string }

func (r *recorder) Put(kind string, row store.Row) error {
	r.note(rowKey{kind, row.ID})
	return r.Tx.Put(kind, row)
}

func (r *recorder) Delete(kind, id string) error {
	r.note(rowKey{kind, id})
	return r.Tx.Delete(kind, id)
}

func (r *recorder) note(k rowKey) {
	if !slices.Contains(r.written, k) {
		r.written = append(r.written, k)
	}
}
