package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Tx is a transaction of the engine: the store's, with its time, new ids, and
// a door for effects.
type Tx struct {
	store.Tx
	Now time.Time

	e       *Engine
	effects []lift.Effect
	freed   []lift.FleetID
	eventAt time.Time            // of the last event it tells
	arrived bool                 // a ticket waits for its matcher
	dueRows map[string]time.Time // the earliest due time written, by kind
	slots   map[lift.FleetID]*slots
	queues  map[string]*lift.Queue
	fleets  map[lift.FleetID]*lift.Fleet

	counts         []Count
	configurations map[string]*lift.MatchmakingConfiguration
}

// NewID returns a time-ordered UUID.
func (tx *Tx) NewID() string { return lift.UUID(tx.Now, tx.e.opts.IDs) }

// NewInstanceID returns an instance id.
func (tx *Tx) NewInstanceID() lift.InstanceID { return lift.NewInstanceID(tx.Now, tx.e.opts.IDs) }

// Put notes when the row is due on its way into the store.
func (tx *Tx) Put(kind string, r store.Row) error {
	if !r.Due.IsZero() {
		if at, ok := tx.dueRows[kind]; !ok || r.Due.Before(at) {
			if tx.dueRows == nil {
				tx.dueRows = map[string]time.Time{}
			}
			tx.dueRows[kind] = r.Due
		}
	}
	return tx.Tx.Put(kind, r)
}

// hostRetry is how soon the host is asked again if it did not answer.
const hostRetry = 30 * time.Second

// Emit saves effects with the transaction. They are sent after the commit and
// until their receiver confirms them.
func (tx *Tx) Emit(effects ...lift.Effect) error {
	for _, eff := range effects {
		eff.ID = lift.EffectID(tx.NewID())
		o := store.Outbox{Effect: eff, SentAt: tx.Now}
		unnamed := eff.To == lift.ToHost && tx.e.shared != nil // see adopt
		switch {
		case unnamed:
			o.RetryAt = tx.Now
		case eff.To == lift.ToHost:
			o.RetryAt = tx.Now.Add(hostRetry)
		}
		if err := store.Effects.Put(tx, &o); err != nil {
			return err
		}
		if !unnamed {
			tx.effects = append(tx.effects, eff)
		}
	}
	return nil
}

// maxCount is where an event stops counting its repeats (behaviour 2.4).
const maxCount = 101

// Log appends to a fleet's event log. The same code and message within a
// minute become one event that counts.
func (tx *Tx) Log(f *lift.Fleet, notices ...lift.Notice) error {
	for _, n := range notices {
		n.Code = cmp.Or(tx.e.opts.Codes[n.Code], n.Code)
		id := eventID(f.ID, n, tx.Now)
		ev, seen, err := store.Events.Get(tx, string(id))
		if err != nil {
			return err
		}
		if seen {
			ev.Count = min(ev.Count+1, maxCount)
		} else {
			ev = &lift.FleetEvent{
				ID: id, FleetID: f.ID, Region: f.Region, Code: n.Code, Message: n.Message, Log: n.Log,
				Count: 1, At: tx.eventTime(),
			}
		}
		if err := store.Events.Put(tx, ev); err != nil {
			return err
		}
	}
	return nil
}

// eventID is the same for the same text in the same minute.
func eventID(f lift.FleetID, n lift.Notice, now time.Time) lift.EventID {
	h := sha256.New()
	for _, s := range []string{string(f), string(n.Code), n.Message} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(now.Unix()/60)))
	b := h.Sum(nil)
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // a version 8 UUID: made by us
	return lift.EventID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16]))
}
