package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	if err := s.stumble(f, func(f func(store.Tx) error) error { return s.Store.View(ctx, f) }); err != nil {
		return err
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
	if err := s.stumble(f, func(f func(store.Tx) error) error { return s.Store.Update(ctx, f) }); err != nil {
		return err
	}
	var written []rowKey
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		r := &recorder{tx: tx}
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

// stumble lets a transaction fail at its first step, at its second, and so on
// to its end, and leaves nothing of that. Each time the closure has to fail,
// too: who goes on commits half of what belongs together. In the end it may be
// refused, or run as ever.
func (s *faultStore) stumble(f func(store.Tx) error, run func(func(store.Tx) error) error) error {
	w := s.w
	if !w.bad(w.plan.faults.storeStops, 2) {
		return nil
	}
	w.tally.StoreFaults++
	for at := 1; ; at++ {
		ran, done := false, false
		err := run(func(tx store.Tx) error {
			ran = true
			r := &recorder{tx: tx, stopAt: at}
			err := f(r)
			switch done = r.step < at; {
			case done && err == nil:
				return errAgain
			case !done && !errors.Is(err, errStore):
				w.fail("the store failed at step %d of a transaction, which ended with: %v", at, err)
				return errStore
			}
			return err
		})
		if ran && !done {
			continue
		}
		w.note("store", "fails at each of %d steps", at-1)
		switch {
		case err != errAgain:
			return err // of the closure, which has its reasons
		case w.chance(50):
			return errStore
		}
		return nil
	}
}

// recorder is a transaction that remembers which rows it wrote.
type recorder struct {
	tx      store.Tx
	written []rowKey
	step    int
	stopAt  int // the step that fails; 0: none does
}

type rowKey struct{ kind, id string }

// next counts a step and fails it if it is time.
func (r *recorder) next() error {
	if r.step++; r.step == r.stopAt {
		return errStore
	}
	return nil
}

func (r *recorder) wrote(kind, id string) {
	if k := (rowKey{kind, id}); !slices.Contains(r.written, k) {
		r.written = append(r.written, k)
	}
}

func (r *recorder) Get(kind, id string) (store.Row, bool, error) {
	if err := r.next(); err != nil {
		return store.Row{}, false, err
	}
	return r.tx.Get(kind, id)
}

func (r *recorder) Put(kind string, row store.Row) error {
	if err := r.next(); err != nil {
		return err
	}
	r.wrote(kind, row.ID)
	return r.tx.Put(kind, row)
}

func (r *recorder) Delete(kind, id string) error {
	if err := r.next(); err != nil {
		return err
	}
	r.wrote(kind, id)
	return r.tx.Delete(kind, id)
}

func (r *recorder) Scan(kind, index, prefix string, after store.Cursor, limit int) ([]store.Row, error) {
	if err := r.next(); err != nil {
		return nil, err
	}
	return r.tx.Scan(kind, index, prefix, after, limit)
}

func (r *recorder) Claim(kind, owner string, now, until time.Time, limit int) ([]store.Row, error) {
	if err := r.next(); err != nil {
		return nil, err
	}
	return r.tx.Claim(kind, owner, now, until, limit)
}

func (r *recorder) NextDue(kind string) (time.Time, bool, error) {
	if err := r.next(); err != nil {
		return time.Time{}, false, err
	}
	return r.tx.NextDue(kind)
}
