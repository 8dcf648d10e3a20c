package memdb

import (
	"context"
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// A tx writes into the store's tables and remembers how to take that back.
type tx struct {
	store    *Store
	ctx      context.Context // of a view; an update is not cut short
	view     bool
	done     bool
	number   uint64 // of an update; no two have the same
	undo     []change
	conflict error // of a write, once the closure has returned nil
}

// A change is what a write replaced; old is nil if there was no row.
type change struct {
	table *table
	id    string
	old   *held
}

func (t *tx) table(kind string) (*table, error) {
	if t.done {
		return nil, fmt.Errorf("store: %w", store.ErrDone)
	}
	if err := t.ctx.Err(); err != nil {
		return nil, err
	}
	tb, ok := t.store.tables[kind]
	if !ok {
		return nil, store.UndeclaredKind(kind)
	}
	return tb, nil
}

func (t *tx) tableToWrite(kind string) (*table, error) {
	if t.view {
		return nil, fmt.Errorf("store: %s: %w", kind, store.ErrView)
	}
	return t.table(kind)
}

// see returns a row as an update or a view reads it. Views run side by side and
// leave no trace.
func (t *tx) see(r *held) store.Row {
	if !t.view {
		r.seen = t.number
	}
	return r.Row
}

// write replaces a row, or removes it if r is nil.
func (t *tx) write(tb *table, id string, r *held) {
	t.undo = append(t.undo, change{tb, id, tb.set(id, r)})
}

func (t *tx) takeBack() {
	for i := len(t.undo) - 1; i >= 0; i-- {
		c := t.undo[i]
		c.table.set(c.id, c.old)
	}
}

func (t *tx) Get(kind, id string) (store.Row, bool, error) {
	tb, err := t.table(kind)
	if err != nil {
		return store.Row{}, false, err
	}
	if r := tb.rows[id]; r != nil {
		return t.see(r), true, nil
	}
	return store.Row{}, false, nil
}

func (t *tx) Put(kind string, r store.Row) error {
	tb, err := t.tableToWrite(kind)
	if err != nil {
		return err
	}
	if r, err = tb.kind.Stored(r); err != nil {
		return err
	}
	if there := tb.rows[r.ID]; there != nil && there.seen != t.number && t.conflict == nil {
		t.conflict = &store.ConflictError{Kind: kind, ID: r.ID}
	}
	t.write(tb, r.ID, &held{r, t.number})
	return nil
}

func (t *tx) Delete(kind, id string) error {
	tb, err := t.tableToWrite(kind)
	if err != nil {
		return err
	}
	if tb.rows[id] != nil {
		t.write(tb, id, nil)
	}
	return nil
}

func (t *tx) Scan(kind, index, prefix string, after store.Cursor, limit int) ([]store.Row, error) {
	tb, err := t.table(kind)
	if err != nil {
		return nil, err
	}
	if err := tb.kind.CheckScan(index, prefix, limit); err != nil {
		return nil, err
	}
	var rows []store.Row
	for _, e := range tb.scan(index, prefix, after, limit) {
		rows = append(rows, t.see(tb.rows[e.id]))
	}
	return rows, nil
}

func (t *tx) Claim(kind, owner string, now, until time.Time, limit int) ([]store.Row, error) {
	tb, err := t.tableToWrite(kind)
	if err != nil {
		return nil, err
	}
	if err := store.CheckClaim(owner, now, until, limit); err != nil {
		return nil, err
	}
	var rows []store.Row
	for _, id := range tb.claimable(now, limit) {
		r := tb.rows[id].Row
		r.Owner, r.Until = owner, store.Micros(until)
		t.write(tb, id, &held{r, t.number})
		rows = append(rows, r)
	}
	return rows, nil
}

func (t *tx) NextDue(kind string) (time.Time, bool, error) {
	tb, err := t.table(kind)
	if err != nil {
		return time.Time{}, false, err
	}
	if len(tb.due) == 0 {
		return time.Time{}, false, nil
	}
	return tb.rows[tb.due[0].id].Claimable(), true, nil
}
