package engine

import (
	"context"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// doubt remembers a transaction that ended well and whose commit was reported
// as failed. It may have happened all the same: then its effects are in the
// store, and an agent that stays connected would never be sent them.
func (e *Engine) doubt(tx *Tx) {
	e.mu.Lock()
	e.doubtful = append(e.doubtful, tx.effects...)
	e.mu.Unlock()
	e.note(tx.freed)
	for kind, at := range tx.dueRows {
		e.due.lower(kind, at)
	}
	e.Wake()
}

// resolve sends those doubtful effects that the store has, for the same receiver:
// another server may have adopted what is for a host. Receivers bear repeats.
func (e *Engine) resolve(ctx context.Context) error {
	e.mu.Lock()
	doubtful := e.doubtful
	e.doubtful = nil
	e.mu.Unlock()
	if len(doubtful) == 0 {
		return nil
	}
	var saved []lift.Effect
	err := e.View(ctx, func(tx store.Tx) error {
		saved = nil
		for _, eff := range doubtful {
			o, ok, err := store.Effects.Get(tx, string(eff.ID))
			if err != nil {
				return err
			}
			if ok && o.To == eff.To {
				saved = append(saved, eff)
			}
		}
		return nil
	})
	if err != nil {
		e.mu.Lock()
		e.doubtful = append(doubtful, e.doubtful...)
		e.mu.Unlock()
		return err
	}
	e.send(saved)
	return nil
}
