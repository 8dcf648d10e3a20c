package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

// What a store says when it fails.
var (
	errStore = errors.New("sim: the store is out of order")
	errDoubt = errors.New("sim: the store cannot tell whether it committed")
	errAgain = errors.New("sim: once more")
)

// faultStore is the store as a server has it: it fails now and again, and shows
// every commit to the facts.
type faultStore struct {
	store.Store
	s        *server
	crashAt  int       // the server ends with the commit after so many; 0: it does not
	dying    bool      // it has: nothing is committed or sent any more
	cutUntil time.Time // it cannot be reached
}

func (s *faultStore) View(ctx context.Context, f func(store.Tx) error) error {
	w := s.s.w
	switch {
	case s.dying:
		return fmt.Errorf("sim: %w", store.ErrClosed)
	case w.now.Before(s.cutUntil):
		return errStore
	case w.bad(w.plan.faults.storeFails, 2):
		w.tally.StoreFaults++
		return errStore
	}
	_, err := s.run(f, func(f func(store.Tx) error) error { return s.Store.View(ctx, s.stable(f)) })
	return err
}

func (s *faultStore) Update(ctx context.Context, f func(store.Tx) error) error {
	w := s.s.w
	switch faults := w.plan.faults; {
	case s.dying:
		return fmt.Errorf("sim: %w", store.ErrClosed)
	case w.now.Before(s.cutUntil):
		return errStore
	case w.bad(faults.storeFails, 3):
		w.tally.StoreFaults++
		w.note("store", "refuses")
		return errStore
	case w.bad(faults.storeAgain, 10):
		w.tally.StoreFaults++
		w.note("store", "runs a transaction twice")
		err := s.Store.Update(ctx, s.stable(func(tx store.Tx) error {
			if err := f(tx); err != nil {
				return err
			}
			return errAgain
		}))
		if err != errAgain {
			return err
		}
		s.s.overtaken()
	}
	written, err := s.run(f, func(f func(store.Tx) error) error { return s.Store.Update(ctx, s.stable(f)) })
	if err != nil {
		return err
	}
	w.acting = s.s
	if err := s.Store.View(w.ctx, func(tx store.Tx) error { return w.committed(tx, written) }); err != nil {
		w.fail("what was committed cannot be read: %v", err)
	}
	if len(written) > 0 {
		s.s.committed()
	}
	if s.crashAt > 0 {
		if s.crashAt--; s.crashAt == 0 && !w.calm {
			w.note("store", "%s ends right after the commit", s.s.name)
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

// stable has every run of a closure throw the same dice and make the same ids:
// a store may run it once more because of what it knows of others' commits. One
// in memory does not.
func (s *faultStore) stable(f func(store.Tx) error) func(store.Tx) error {
	if _, once := s.Store.(*memdb.Store); once {
		return f
	}
	ids, dice := *s.s.ids, *s.s.w.dice
	return func(tx store.Tx) error {
		*s.s.ids, *s.s.w.dice = ids, dice
		return f(tx)
	}
}

// run runs a closure in a transaction and returns what it wrote. Perhaps the
// transaction stumbles first, most likely if it is the first one with these
// steps in this world.
func (s *faultStore) run(f func(store.Tx) error, transaction func(func(store.Tx) error) error) ([]stumble.Key, error) {
	r := &stumble.Tx{}
	stumbles := false
	err := transaction(func(tx store.Tx) error {
		*r = *stumble.Over(tx)
		err := f(r)
		if stumbles = err == nil && s.mayStumble(r.Shape); stumbles {
			return errAgain
		}
		return err
	})
	s.s.w.shapes[r.Shape] = true
	if !stumbles {
		return r.Written, err
	}
	if err := s.stumble(f, transaction); err != nil {
		return nil, err
	}
	err = transaction(func(tx store.Tx) error {
		*r = *stumble.Over(tx)
		return f(r)
	})
	return r.Written, err
}

func (s *faultStore) mayStumble(shape uint64) bool {
	percent := 1
	w := s.s.w
	if !w.shapes[shape] {
		percent = 25
	}
	return w.bad(w.plan.faults.storeStops, percent)
}

// stumble lets a transaction fail at each of its steps (package stumble), and
// leaves nothing of that. In the end the transaction may be refused.
func (s *faultStore) stumble(f func(store.Tx) error, transaction func(func(store.Tx) error) error) error {
	w := s.s.w
	w.tally.StoreFaults++
	steps, err := stumble.Each(f, transaction)
	w.note("store", "fails at each of %d steps", steps)
	switch {
	case errors.Is(err, stumble.ErrWentOn):
		w.fail("the store failed: %v", err)
		return errStore
	case err == nil && w.chance(50):
		return errStore
	}
	return err // of the closure, which has its reasons
}
