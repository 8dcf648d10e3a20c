package sqldb

import (
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// A tx is one transaction of the writer: its own writes over the image.
type tx struct {
	writer *writer
	done   bool
	used   []*txTable // in the order of first use
}

// A txTable is what a transaction has to do with one kind.
type txTable struct {
	*image
	seen   map[string]*doc // rows as the transaction first read them; nil is absent
	writes map[string]*doc // rows as it writes them; nil is deleted
	order  []string        // ids of writes, in the order of first writing
}

// covers and entries make the transaction's writes a layer over the image.
func (t *txTable) covers(id string) bool { _, ok := t.writes[id]; return ok }

func (t *txTable) entries(index int, from, to store.Cursor) (out []store.Cursor) {
	for id, d := range t.writes {
		if d == nil {
			continue
		}
		if v := d.value(index); v != "" {
			if c := (store.Cursor{Value: v, ID: id}); in(c, from, to) {
				out = append(out, c)
			}
		}
	}
	return out
}

func (t *tx) table(kind string) (*txTable, error) {
	if t.done {
		return nil, fmt.Errorf("store: %w", store.ErrDone)
	}
	m, ok := t.writer.images[kind]
	if !ok {
		return nil, store.UndeclaredKind(kind)
	}
	for _, tt := range t.used {
		if tt.image == m {
			return tt, nil
		}
	}
	tt := &txTable{image: m, seen: map[string]*doc{}, writes: map[string]*doc{}}
	t.used = append(t.used, tt)
	return tt, nil
}

// get returns the doc with an id as the transaction sees it, or nil.
func (t *txTable) get(id string) (*doc, error) {
	if d, ok := t.writes[id]; ok {
		return d, nil
	}
	if d, ok := t.seen[id]; ok {
		return d, nil
	}
	d, err := t.image.get(id)
	if err == nil {
		t.seen[id] = d
	}
	return d, err
}

func (t *txTable) put(id string, d *doc) {
	if _, ok := t.writes[id]; !ok {
		t.order = append(t.order, id)
	}
	t.writes[id] = d
}

// find returns entries as the transaction sees them.
func (t *txTable) find(index int, from, to store.Cursor, limit int) (found []store.Cursor, err error) {
	if len(t.writes) == 0 {
		found, _, err = t.image.scan(index, from, to, limit)
		return found, err
	}
	under := func(from store.Cursor, n int) ([]store.Cursor, bool, error) {
		return t.image.scan(index, from, to, n)
	}
	found, _, err = merge(t, under, index, from, to, limit)
	return found, err
}

// scan returns docs as the transaction sees them; it has read them then.
func (t *txTable) scan(index int, from, to store.Cursor, limit int) ([]*doc, error) {
	found, err := t.find(index, from, to, limit)
	if err != nil {
		return nil, err
	}
	return t.docs(found)
}

// claimable returns docs that can be claimed before an instant. Where others
// claim, too, it passes over what they have locked.
func (t *txTable) claimable(to store.Cursor, limit int) ([]*doc, error) {
	if t.claims == "" {
		return t.scan(byAt, store.Cursor{}, to, limit)
	}
	under := func(from store.Cursor, n int) ([]store.Cursor, bool, error) {
		return merge(t.image, t.image.claimable(to), byAt, from, to, n)
	}
	found, _, err := merge(t, under, byAt, store.Cursor{}, to, limit)
	if err != nil {
		return nil, err
	}
	return t.docs(found)
}

// docs gets the docs of entries.
func (t *txTable) docs(found []store.Cursor) (_ []*doc, err error) {
	docs := make([]*doc, len(found))
	for i, c := range found {
		if docs[i], err = t.get(c.ID); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

func (t *tx) Get(kind, id string) (store.Row, bool, error) {
	tt, err := t.table(kind)
	if err != nil {
		return store.Row{}, false, err
	}
	d, err := tt.get(id)
	if d == nil || err != nil {
		return store.Row{}, false, err
	}
	return d.row, true, nil
}

func (t *tx) Put(kind string, r store.Row) error {
	tt, err := t.table(kind)
	if err != nil {
		return err
	}
	if r, err = tt.kind.Stored(r); err != nil {
		return err
	}
	tt.put(r.ID, tt.newDoc(r))
	return nil
}

func (t *tx) Delete(kind, id string) error {
	tt, err := t.table(kind)
	if err != nil {
		return err
	}
	d, err := tt.get(id)
	if d == nil || err != nil {
		return err
	}
	tt.put(id, nil)
	return nil
}

func (t *tx) Scan(kind, index, prefix string, after store.Cursor, limit int) ([]store.Row, error) {
	tt, err := t.table(kind)
	if err != nil {
		return nil, err
	}
	if err := tt.kind.CheckScan(index, prefix, limit); err != nil {
		return nil, err
	}
	i := tt.index(index)
	from, to := span(i, prefix, after)
	docs, err := tt.scan(i, from, to, limit)
	return rows(docs), err
}

func (t *tx) Claim(kind, owner string, now, until time.Time, limit int) ([]store.Row, error) {
	tt, err := t.table(kind)
	if err != nil {
		return nil, err
	}
	if err := store.CheckClaim(owner, now, until, limit); err != nil {
		return nil, err
	}
	to := store.Cursor{Value: instant(time.UnixMicro(now.UnixMicro() + 1))}
	docs, err := tt.claimable(to, limit)
	if err != nil {
		return nil, err
	}
	for i, d := range docs {
		docs[i] = tt.claimed(d, owner, until)
		tt.put(d.row.ID, docs[i])
	}
	return rows(docs), nil
}

func (t *tx) NextDue(kind string) (time.Time, bool, error) {
	tt, err := t.table(kind)
	if err != nil {
		return time.Time{}, false, err
	}
	next, err := tt.find(byAt, store.Cursor{}, end, 1)
	if len(next) == 0 || err != nil {
		return time.Time{}, false, err
	}
	return time.UnixMicro(micros(next[0].Value)).UTC(), true, nil
}

func rows(docs []*doc) []store.Row {
	if len(docs) == 0 {
		return nil
	}
	rs := make([]store.Row, len(docs))
	for i, d := range docs {
		rs[i] = d.row
	}
	return rs
}

// apply makes the writes part of the group, or returns a conflict and makes
// none of them. With verify it looks for rows that must not exist; without,
// only where that costs nothing, and the database refuses the others later.
func (t *tx) apply(verify bool) error {
	for _, tt := range t.used {
		for _, id := range tt.order {
			if _, ok := tt.seen[id]; ok {
				continue
			}
			var d *doc
			if ch := tt.pending[id]; ch != nil {
				d = ch.now
			} else if verify {
				var err error
				if d, err = tt.image.get(id); err != nil {
					return err
				}
				tt.seen[id] = d
			} else {
				d = t.writer.cache.get(ref{tt.table, id})
			}
			if d != nil {
				return &store.ConflictError{Kind: tt.kind.Name, ID: id}
			}
		}
	}
	for _, tt := range t.used {
		for _, id := range tt.order {
			seen, looked := tt.seen[id]
			tt.image.apply(id, seen, !looked, tt.writes[id])
		}
	}
	return nil
}
