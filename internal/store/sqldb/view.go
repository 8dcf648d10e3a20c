package sqldb

import (
	"context"
	"fmt"
	"sync"
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

// A pool holds the connections that views read on. It opens one when no other
// is free, and prefers the one used last, so that there are as many as views
// really read at a time.
type pool struct {
	dialect *dialect
	slots   chan struct{} // one for each connection in use

	mu   sync.Mutex
	idle []*conn // the one used last at the end
}

func newPool(d *dialect, size int) *pool {
	return &pool{dialect: d, slots: make(chan struct{}, size)}
}

// with calls f with a connection on which a snapshot is being read.
func (p *pool) with(ctx context.Context, f func(*conn) error) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c, err := p.begin()
	if err != nil {
		return err
	}
	sound := false
	defer func() { // also when f panics
		if _, err := c.exec("ROLLBACK"); err != nil || !sound {
			c.close()
			return
		}
		p.put(c)
	}()
	err = f(c)
	sound = true
	return err
}

// begin returns a connection with a snapshot. Connections that broke while
// nobody used them are passed over.
func (p *pool) begin() (c *conn, err error) {
	for {
		c = p.take()
		idle := c != nil
		if !idle {
			if c, err = connect(p.dialect, true); err != nil {
				return nil, err
			}
		}
		if _, err = c.exec(p.dialect.beginView); err == nil {
			return c, nil
		}
		broken := idle && p.dialect.lost != nil && p.dialect.lost(c.driver)
		c.close()
		if !broken {
			return nil, err
		}
	}
}

func (p *pool) take() (c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	return c
}

func (p *pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

// close closes all connections. Nobody may be using one.
func (p *pool) close() (err error) {
	for c := p.take(); c != nil; c = p.take() {
		if e := c.close(); e != nil {
			err = e
		}
	}
	return err
}
