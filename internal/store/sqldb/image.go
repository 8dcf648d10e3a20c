package sqldb

import (
	"slices"

	"github.com/chairlift-games/chairlift/internal/store"
)

// An image is one table as the writer sees it: what the database holds, and
// over it what the commit group at work has changed but not yet written.
type image struct {
	*table
	writer  *writer
	pending map[string]*change
	windows []windowList // by index number
}

// A change is what a group makes of one row.
type change struct {
	// base is the row in the database; nil if there is none, or if nobody
	// looked because the row is a new one.
	base *doc
	// unread says that nobody looked: the write has to find no row.
	unread bool
	now    *doc // nil if deleted
}

func newImage(t *table, w *writer) *image {
	return &image{table: t, writer: w, pending: map[string]*change{}, windows: make([]windowList, byKey+len(t.kind.Indexes))}
}

// covers and entries make the pending changes a layer over the database.
func (m *image) covers(id string) bool { return m.pending[id] != nil }

func (m *image) entries(index int, from, to store.Cursor) (out []store.Cursor) {
	for _, ch := range m.pending {
		if ch.now == nil {
			continue
		}
		if v := ch.now.value(index); v != "" {
			if c := (store.Cursor{Value: v, ID: ch.now.row.ID}); in(c, from, to) {
				out = append(out, c)
			}
		}
	}
	return out
}

// get returns the doc with an id, or nil.
func (m *image) get(id string) (*doc, error) {
	if ch := m.pending[id]; ch != nil {
		return ch.now, nil
	}
	r := ref{m.table, id}
	if d := m.writer.cache.get(r); d != nil {
		return d, nil
	}
	c, err := m.writer.reading()
	if err != nil {
		return nil, err
	}
	text := m.find
	if m.writer.locking {
		text = m.findLocked
	}
	d, err := m.readBy(c, text, id)
	if d != nil {
		d.row = d.row.Share()
		m.writer.cache.put(r, d)
	}
	return d, err
}

// stored is the source below the pending changes: the database. It leaves the
// docs it reads in the cache.
func (m *image) stored(index int, to store.Cursor) source {
	return func(from store.Cursor, n int) ([]store.Cursor, bool, error) {
		c, err := m.writer.reading()
		if err != nil {
			return nil, false, err
		}
		docs, err := m.readRange(c, index, from, to, n)
		return m.keep(docs, index), len(docs) == n, err
	}
}

// claimable is stored for a claim, in the order of when rows can be claimed.
func (m *image) claimable(to store.Cursor) source {
	return func(from store.Cursor, n int) ([]store.Cursor, bool, error) {
		c, err := m.writer.begun()
		if err != nil {
			return nil, false, err
		}
		docs, err := m.readClaimable(c, from, to, n)
		return m.keep(docs, byAt), len(docs) == n, err
	}
}

// keep leaves docs in the cache and returns their entries.
func (m *image) keep(docs []*doc, index int) []store.Cursor {
	out := make([]store.Cursor, len(docs))
	for i, d := range docs {
		out[i] = store.Cursor{Value: d.value(index), ID: d.row.ID}
		if m.pending[d.row.ID] == nil {
			d.row = d.row.Share()
			m.writer.cache.put(ref{m.table, d.row.ID}, d)
		}
	}
	return out
}

// scan returns up to limit entries of a stretch and whether there may be more.
func (m *image) scan(index int, from, to store.Cursor, limit int) ([]store.Cursor, bool, error) {
	ws := &m.windows[index]
	w := ws.find(from)
	if w == nil && limit <= windowMax/2 && ws.frequent(from) {
		w = ws.open(from)
	}
	if w == nil {
		return merge(m, m.stored(index, to), index, from, to, limit)
	}
	known := w.after(from, to)
	if len(known) < limit && compare(w.hi, to) < 0 {
		if limit > windowMax/2 {
			return merge(m, m.stored(index, to), index, from, to, limit)
		}
		ahead := to
		if index == byAt { // what is due next is worth knowing, too
			ahead = end
		}
		read, more, err := merge(m, m.stored(index, ahead), index, w.hi, ahead, limit-len(known)+windowFill)
		if err != nil {
			return nil, false, err
		}
		w.extend(from, ahead, read, more)
		known = w.after(from, to)
	}
	if len(known) >= limit {
		return slices.Clone(known[:limit]), true, nil
	}
	return slices.Clone(known), compare(w.hi, to) < 0, nil
}

// apply makes a closure's write part of the group. seen is the row as the
// closure read it, with unread if it did not look.
func (m *image) apply(id string, seen *doc, unread bool, now *doc) {
	ch := m.pending[id]
	if ch == nil {
		ch = &change{base: seen, unread: unread}
		m.pending[id] = ch
	}
	ch.now = now
	r := ref{m.table, id}
	if now == nil {
		m.writer.cache.remove(r)
	} else {
		now.version = 1
		if ch.base != nil {
			now.version = ch.base.version + 1
		}
		m.writer.cache.put(r, now)
	}
	for i := range m.windows {
		if len(m.windows[i].list) == 0 {
			continue
		}
		var before, after string
		if seen != nil {
			before = seen.value(i)
		}
		if now != nil {
			after = now.value(i)
		}
		if before == after {
			continue
		}
		for _, w := range m.windows[i].list {
			if before != "" {
				w.remove(store.Cursor{Value: before, ID: id})
			}
			if after != "" {
				w.add(store.Cursor{Value: after, ID: id})
			}
		}
	}
}

// settle forgets what was pending, after it was written.
func (m *image) settle() {
	if len(m.pending) > groupRowsMax/4 { // a map does not shrink
		m.pending = map[string]*change{}
	}
	clear(m.pending)
}

// forget drops everything that rests on a commit that did not happen.
func (m *image) forget() {
	clear(m.pending)
	clear(m.windows)
}
