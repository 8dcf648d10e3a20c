package sqldb

import (
	"errors"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/internal/store"
)

// insertSizes are the numbers of rows that one statement adds, largest first.
var insertSizes = []int{32, 8, 1}

// flush writes what is pending. It returns a *store.ConflictError if a row is
// not as the group took it to be.
func (m *image) flush(c *conn) error {
	var inserts, others []*change
	for id, ch := range m.pending {
		switch {
		case ch.base == nil && ch.now == nil:
			if !ch.unread { // came and went
				continue
			}
			if d, err := m.read(c, id); d != nil || err != nil {
				return m.conflict(id, err)
			}
		case ch.base == nil:
			inserts = append(inserts, ch)
		default:
			others = append(others, ch)
		}
	}
	// Ordered, so that the same writes make the same file, and so that new
	// rows, whose ids are ordered by time, go to the end of the table.
	slices.SortFunc(inserts, func(a, b *change) int { return strings.Compare(a.now.row.ID, b.now.row.ID) })
	slices.SortFunc(others, func(a, b *change) int { return strings.Compare(a.base.row.ID, b.base.row.ID) })

	for _, ch := range others {
		var n int64
		var err error
		if ch.now == nil {
			n, err = c.exec(m.writer.text(m.table, deleteText), ch.base.row.ID, ch.base.version)
		} else {
			mask := changed(ch.base, ch.now)
			m.writer.args = updateArguments(mask, ch.base, ch.now, m.writer.args[:0])
			n, err = c.exec(m.writer.text(m.table, updateText|textKey(mask)), m.writer.args...)
		}
		if err != nil || n != 1 {
			return m.conflict(ch.base.row.ID, err)
		}
	}
	for _, size := range insertSizes {
		for len(inserts) >= size {
			args := m.writer.args[:0]
			for _, ch := range inserts[:size] {
				args = ch.now.appendArguments(args)
			}
			m.writer.args = args
			n, err := c.exec(m.writer.text(m.table, insertText|textKey(size)), args...)
			if err != nil || n != int64(size) {
				return m.conflict(inserts[0].now.row.ID, err)
			}
			inserts = inserts[size:]
		}
	}
	clear(m.writer.args[:cap(m.writer.args)]) // do not hold the bodies
	return nil
}

func (m *image) conflict(id string, err error) error {
	if err != nil && !errors.Is(err, errDuplicate) {
		return err
	}
	return &store.ConflictError{Kind: m.kind.Name, ID: id}
}

// A textKey names a statement of a table: what it does, and the number of rows
// or the set of columns.
type textKey uint64

const (
	insertText textKey = 1 << 62
	updateText textKey = 2 << 62
	deleteText textKey = 3 << 62
)

// text returns a statement, made once.
func (w *writer) text(t *table, k textKey) string {
	key := textRef{t, k}
	s, ok := w.texts[key]
	if !ok {
		n := k &^ deleteText
		switch k & deleteText {
		case insertText:
			s = t.insert(int(n))
		case updateText:
			s = t.update(uint64(n))
		case deleteText:
			s = t.delete()
		}
		w.texts[key] = s
	}
	return s
}

type textRef struct {
	table *table
	key   textKey
}
