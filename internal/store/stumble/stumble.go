// Package stumble lets transactions fail at each of their steps, to prove that
// their closures do, too: one that goes on after an error would commit half of
// what belongs together. It must not know what the steps mean.
//
//	steps, err := stumble.Each(f, func(f func(store.Tx) error) error { return s.Update(ctx, f) })
//	if errors.Is(err, stumble.ErrWentOn) { … } // f did not notice at some step
package stumble

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// ErrStep is how a step fails.
var ErrStep = errors.New("the store failed on purpose, at a step of a transaction")

// ErrWentOn is wrapped by what Each returns for a closure that did not fail
// although one of its steps did.
var ErrWentOn = errors.New("the closure went on")

// errDone rolls back a run without a failure.
var errDone = errors.New("stumble: done")

// Each runs f in transactions of which the first fails at its first step, the
// second at its second, and so on until f has no more of them. Nothing of that
// stays. It returns how many steps there were, and the error of f where no step
// failed.
func Each(f func(store.Tx) error, transaction func(func(store.Tx) error) error) (steps int, err error) {
	for at := 1; ; at++ {
		ran, done := false, false
		var wentOn error
		err := transaction(func(tx store.Tx) error {
			r := &Tx{tx: tx, stopAt: at}
			err := f(r)
			ran, done, wentOn = true, r.step < at, nil
			switch {
			case done && err == nil:
				return errDone
			case !done && !errors.Is(err, ErrStep):
				wentOn = fmt.Errorf("at step %d of a transaction, and ended with %v: %w", at, err, ErrWentOn)
				return wentOn
			}
			return err
		})
		switch {
		case wentOn != nil:
			return at, wentOn
		case ran && !done:
			continue
		case err == errDone:
			err = nil
		}
		return at - 1, err
	}
}

// Tx is a transaction that notes what is done in it.
type Tx struct {
	Written []Key  // rows that were put or deleted, once each
	Shape   uint64 // tells one sequence of kinds of steps from others

	tx     store.Tx
	step   int
	stopAt int // the step that fails; 0: none does
}

// Over returns a Tx over another one.
func Over(tx store.Tx) *Tx { return &Tx{tx: tx} }

// Key names a row.
type Key struct{ Kind, ID string }

// next counts a step and fails it if it is time.
func (r *Tx) next(step, kind string) error {
	for _, c := range []byte(step + kind) {
		r.Shape = (r.Shape ^ uint64(c)) * 1099511628211 // as FNV does
	}
	if r.step++; r.step == r.stopAt {
		return ErrStep
	}
	return nil
}

func (r *Tx) wrote(kind, id string) {
	if k := (Key{kind, id}); !slices.Contains(r.Written, k) {
		r.Written = append(r.Written, k)
	}
}

// Get is store.Tx.Get.
func (r *Tx) Get(kind, id string) (store.Row, bool, error) {
	if err := r.next("Get", kind); err != nil {
		return store.Row{}, false, err
	}
	return r.tx.Get(kind, id)
}

// Put is store.Tx.Put.
func (r *Tx) Put(kind string, row store.Row) error {
	if err := r.next("Put", kind); err != nil {
		return err
	}
	r.wrote(kind, row.ID)
	return r.tx.Put(kind, row)
}

// Delete is store.Tx.Delete.
func (r *Tx) Delete(kind, id string) error {
	if err := r.next("Delete", kind); err != nil {
		return err
	}
	r.wrote(kind, id)
	return r.tx.Delete(kind, id)
}

// Scan is store.Tx.Scan.
func (r *Tx) Scan(kind, index, prefix string, after store.Cursor, limit int) ([]store.Row, error) {
	if err := r.next("Scan", kind); err != nil {
		return nil, err
	}
	return r.tx.Scan(kind, index, prefix, after, limit)
}

// Claim is store.Tx.Claim.
func (r *Tx) Claim(kind, owner string, now, until time.Time, limit int) ([]store.Row, error) {
	if err := r.next("Claim", kind); err != nil {
		return nil, err
	}
	return r.tx.Claim(kind, owner, now, until, limit)
}

// NextDue is store.Tx.NextDue.
func (r *Tx) NextDue(kind string) (time.Time, bool, error) {
	if err := r.next("NextDue", kind); err != nil {
		return time.Time{}, false, err
	}
	return r.tx.NextDue(kind)
}
