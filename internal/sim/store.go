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
	crashAt int             // the service ends with the commit after so many; 0: it does not
	dying   bool            // it has: nothing is committed or sent any more
	shapes  map[uint64]bool // of transactions that there were; see run
}

func (s *faultStore) View(ctx context.Context, f func(store.Tx) error) error {
	switch {
	case s.dying:
		return fmt.Errorf("sim: %w", store.ErrClosed)
	case s.w.bad(s.w.plan.faults.storeFails, 2):
		s.w.tally.StoreFaults++
		return errStore
	}
	_, err := s.run(f, func(f func(store.Tx) error) error { return s.Store.View(ctx, f) })
	return err
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
	written, err := s.run(f, func(f func(store.Tx) error) error { return s.Store.Update(ctx, f) })
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

// run runs a closure in a transaction and returns what it wrote. Perhaps the
// transaction stumbles first, most likely if it is the first one with these
// steps in this world.
func (s *faultStore) run(f func(store.Tx) error, transaction func(func(store.Tx) error) error) ([]rowKey, error) {
	r := &recorder{}
	stumbles := false
	err := transaction(func(tx store.Tx) error {
		*r = recorder{tx: tx}
		err := f(r)
		if stumbles = err == nil && s.mayStumble(r.shape); stumbles {
			return errAgain
		}
		return err
	})
	if !stumbles {
		return r.written, err
	}
	if err := s.stumble(f, transaction); err != nil {
		return nil, err
	}
	err = transaction(func(tx store.Tx) error {
		*r = recorder{tx: tx}
		return f(r)
	})
	return r.written, err
}

func (s *faultStore) mayStumble(shape uint64) bool {
	percent := 1
	if !s.shapes[shape] {
		percent = 25
	}
	s.shapes[shape] = true
	return s.w.bad(s.w.plan.faults.storeStops, percent)
}

// stumble lets a transaction fail at its first step, at its second, and so on
// to its end, and leaves nothing of that. Each time the closure has to fail,
// too: who goes on commits half of what belongs together. In the end the
// transaction may be refused.
func (s *faultStore) stumble(f func(store.Tx) error, transaction func(func(store.Tx) error) error) error {
	w := s.w
	w.tally.StoreFaults++
	for at := 1; ; at++ {
		ran, done := false, false
		err := transaction(func(tx store.Tx) error {
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
	shape   uint64 // tells one sequence of steps from others
	stopAt  int    // the step that fails; 0: none does
}

type rowKey struct{ kind, id string }

// next counts a step and fails it if it is time.
func (r *recorder) next(step, kind string) error {
	for _, c := range []byte(step + kind) {
		r.shape = (r.shape ^ uint64(c)) * 1099511628211 // as FNV does
	}
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
	if err := r.next("Get", kind); err != nil {
		return store.Row{}, false, err
	}
	return r.tx.Get(kind, id)
}

func (r *recorder) Put(kind string, row store.Row) error {
	if err := r.next("Put", kind); err != nil {
		return err
	}
	r.wrote(kind, row.ID)
	return r.tx.Put(kind, row)
}

func (r *recorder) Delete(kind, id string) error {
	if err := r.next("Delete", kind); err != nil {
		return err
	}
	r.wrote(kind, id)
	return r.tx.Delete(kind, id)
}

func (r *recorder) Scan(kind, index, prefix string, after store.Cursor, limit int) ([]store.Row, error) {
	if err := r.next("Scan", kind); err != nil {
		return nil, err
	}
	return r.tx.Scan(kind, index, prefix, after, limit)
}

func (r *recorder) Claim(kind, owner string, now, until time.Time, limit int) ([]store.Row, error) {
	if err := r.next("Claim", kind); err != nil {
		return nil, err
	}
	return r.tx.Claim(kind, owner, now, until, limit)
}

func (r *recorder) NextDue(kind string) (time.Time, bool, error) {
	if err := r.next("NextDue", kind); err != nil {
		return time.Time{}, false, err
	}
	return r.tx.NextDue(kind)
}
