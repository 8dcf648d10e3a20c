package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// keepDead is how long a dead letter can be sent again, as long as queues for
// them keep theirs at most.
const keepDead = 14 * 24 * time.Hour

// bury makes an event a dead letter.
func (c *carrier) bury(ctx context.Context, it *item, reason string) error {
	return c.o.Store.Update(ctx, func(tx store.Tx) error {
		o, ok, err := store.Effects.Get(tx, string(it.id))
		if err != nil || !ok {
			return err
		}
		return c.entomb(tx, o, c.sink.Name, it.attempts, reason)
	})
}

func (n *Notifier) entomb(tx store.Tx, o *store.Outbox, sink string, attempts int, reason string) error {
	const longest = 500
	var ev struct {
		Account, Region string
		Detail          struct{ Type string }
	}
	if err := json.Unmarshal([]byte(o.Publish.Event), &ev); err != nil {
		return fmt.Errorf("event %s: %w", o.ID, err)
	}
	now := n.o.Now().UTC()
	d := &store.DeadLetter{
		ID: o.ID, Sink: sink, Account: ev.Account, Region: ev.Region, Type: ev.Detail.Type, Publish: *o.Publish,
		FailedAt: now, Attempts: attempts, Reason: reason[:min(len(reason), longest)], KeepUntil: now.Add(keepDead),
	}
	if err := store.DeadLetters.Put(tx, d); err != nil {
		return err
	}
	return store.Effects.Delete(tx, string(o.ID))
}

// buryOrphans makes dead letters of what waits for sinks that are not
// configured any more. A sink that another server knows and serves is none.
func (n *Notifier) buryOrphans(ctx context.Context) {
	const batch = 200
	at := store.Cursor{}
	for full := true; full; {
		var next store.Cursor
		err := n.o.Store.Update(ctx, func(tx store.Tx) error {
			rows, end, err := store.Effects.Scan(tx, "to", string(lift.ToSink("")), at, batch)
			next, full = end, len(rows) == batch
			for _, o := range rows {
				sink, ok := o.To.Sink()
				if err != nil || !ok || n.carriers[sink] != nil {
					continue
				}
				var served bool
				if served, err = n.servedElsewhere(tx, sink); err != nil || served {
					continue
				}
				err = n.entomb(tx, o, sink, 0, "no sink of this name is configured any more")
			}
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				n.o.Log.Error("events for sinks that are gone not looked at", "err", err)
			}
			return
		}
		at = next
	}
}

func (n *Notifier) servedElsewhere(tx store.Tx, sink string) (bool, error) {
	if n.shared == nil {
		return false, nil
	}
	l, ok, err := store.Leases.Get(tx, Lease(sink))
	return ok && n.o.Now().Before(l.Until), err
}
