package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// A view reads one snapshot of the database on a connection of its own.
type view struct {
	ctx    context.Context
	conn   *conn
	tables map[string]*table
	done   bool
}

func (v *view) table(kind string) (*table, error) {
	if v.done {
		return nil, fmt.Errorf("store: %w", store.ErrDone)
	}
	if err := v.ctx.Err(); err != nil {
		return nil, err
	}
	t, ok := v.tables[kind]
	if !ok {
		return nil, store.UndeclaredKind(kind)
	}
	return t, nil
}

func (v *view) Get(kind, id string) (store.Row, bool, error) {
	t, err := v.table(kind)
	if err != nil {
		return store.Row{}, false, err
	}
	d, err := t.read(v.conn, id)
	if d == nil || err != nil {
		return store.Row{}, false, err
	}
	return d.row, true, nil
}

func (v *view) Scan(kind, index, prefix string, after store.Cursor, limit int) ([]store.Row, error) {
	t, err := v.table(kind)
	if err != nil {
		return nil, err
	}
	if err := t.kind.CheckScan(index, prefix, limit); err != nil {
		return nil, err
	}
	i := t.index(index)
	from, to := span(i, prefix, after)
	docs, err := t.readRange(v.conn, i, from, to, limit)
	return rows(docs), err
}

func (v *view) NextDue(kind string) (time.Time, bool, error) {
	t, err := v.table(kind)
	if err != nil {
		return time.Time{}, false, err
	}
	docs, err := t.readRange(v.conn, byAt, store.Cursor{}, end, 1)
	if len(docs) == 0 || err != nil {
		return time.Time{}, false, err
	}
	return docs[0].row.Claimable(), true, nil
}

func (v *view) Put(kind string, _ store.Row) error { return v.refuse("put", kind) }
func (v *view) Delete(kind, _ string) error        { return v.refuse("delete", kind) }
func (v *view) Claim(kind, _ string, _, _ time.Time, _ int) ([]store.Row, error) {
	return nil, v.refuse("claim", kind)
}

func (v *view) refuse(what, kind string) error {
	return fmt.Errorf("store: %s %s: %w, use Update", what, kind, store.ErrView)
}

// A pool holds the connections that views read on, opened when first needed.
type pool struct {
	dialect *dialect
	slots   chan *conn // nil is one that is not open
}

func newPool(d *dialect, size int) *pool {
	p := &pool{dialect: d, slots: make(chan *conn, size)}
	for range size {
		p.slots <- nil
	}
	return p
}

// with calls f with a connection on which a snapshot is being read.
func (p *pool) with(ctx context.Context, f func(*conn) error) error {
	var c *conn
	select {
	case c = <-p.slots:
	case <-ctx.Done():
		return ctx.Err()
	}
	sound := false
	defer func() { // also when f panics
		if c != nil {
			if _, err := c.exec("ROLLBACK"); err != nil || !sound {
				c.close()
				c = nil
			}
		}
		p.slots <- c
	}()
	if c == nil {
		var err error
		if c, err = connect(p.dialect, true); err != nil {
			return err
		}
	}
	if _, err := c.exec(p.dialect.beginView); err != nil {
		return err
	}
	err := f(c)
	sound = true
	return err
}

// close closes all connections. Nobody may be using one.
func (p *pool) close() (err error) {
	for range cap(p.slots) {
		if c := <-p.slots; c != nil {
			err = c.close()
		}
	}
	return err
}
