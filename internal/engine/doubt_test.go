package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// doubter is a store that cannot tell what became of its transactions.
type doubter struct {
	store.Store
	commits, doubts bool
}

var errDoubt = errors.New("the connection broke at the commit")

func (d *doubter) Update(ctx context.Context, f func(store.Tx) error) error {
	if !d.doubts {
		return d.Store.Update(ctx, f)
	}
	err := d.Store.Update(ctx, func(tx store.Tx) error {
		if err := f(tx); err != nil || d.commits {
			return err
		}
		return errDoubt
	})
	if err != nil {
		return err
	}
	return errDoubt
}

func TestEffectsOfADoubtfulCommit(t *testing.T) {
	for _, commits := range []bool{true, false} {
		w := newWorld(t)
		d := &doubter{Store: w.opts.Store, commits: commits, doubts: true}
		w.opts.Store = d
		err := w.Update(t.Context(), func(tx *Tx) error {
			return tx.Emit(lift.Effect{To: lift.ToAgent("i-1"), Drain: &lift.Drain{}})
		})
		if !errors.Is(err, errDoubt) || len(w.sent) != 0 {
			t.Fatalf("got %v, sent %+v", err, w.sent)
		}
		d.doubts = false
		w.turn()
		if got := len(w.sent) == 1; got != commits {
			t.Errorf("committed: %t; sent after the next turn: %+v", commits, w.sent)
		}
		w.turn()
		if len(w.sent) > 1 {
			t.Errorf("sent again: %+v", w.sent)
		}
	}
}
