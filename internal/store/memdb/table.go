package memdb

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// A table holds the rows of one kind and, for each index, the entries of those
// rows that have a value in it.
type table struct {
	kind store.Kind
	rows map[string]*held
	keys map[string]sorted[string] // by index name; "" is the id
	due  sorted[int64]             // by Row.Claimable in microseconds
}

// A held row knows the last transaction that read or wrote it.
type held struct {
	store.Row
	seen uint64
}

func newTable(kind store.Kind) *table {
	return &table{kind: kind, rows: map[string]*held{}, keys: map[string]sorted[string]{}}
}

// set puts r in the place of the row with that id, or removes it if r is nil,
// and returns what was there.
func (t *table) set(id string, r *held) (old *held) {
	if old = t.rows[id]; old != nil {
		t.keys[""] = t.keys[""].without(id, id)
		for x, v := range old.Keys {
			t.keys[x] = t.keys[x].without(v, id)
		}
		if at := old.Claimable(); !at.IsZero() {
			t.due = t.due.without(at.UnixMicro(), id)
		}
		delete(t.rows, id)
	}
	if r != nil {
		t.rows[id] = r
		t.keys[""] = t.keys[""].with(id, id)
		for x, v := range r.Keys {
			t.keys[x] = t.keys[x].with(v, id)
		}
		if at := r.Claimable(); !at.IsZero() {
			t.due = t.due.with(at.UnixMicro(), id)
		}
	}
	return old
}

func (t *table) scan(index, prefix string, after store.Cursor, limit int) []entry[string] {
	if index == "" {
		after.Value = after.ID
	}
	entries := t.keys[index]
	from, _ := entries.find(prefix, "")
	next, found := entries.find(after.Value, after.ID)
	if found {
		next++
	}
	from = max(from, next)
	to := from
	for to < len(entries) && to-from < limit && strings.HasPrefix(entries[to].value, prefix) {
		to++
	}
	return entries[from:to]
}

// claimable returns ids of rows that can be claimed at now. It copies them, as
// claiming a row moves its entry.
func (t *table) claimable(now time.Time, limit int) (ids []string) {
	for _, e := range t.due {
		if len(ids) == limit || e.value > now.UnixMicro() {
			break
		}
		ids = append(ids, e.id)
	}
	return ids
}

// An entry says that a row has a value in an index.
type entry[V cmp.Ordered] struct {
	value V
	id    string
}

// sorted holds entries by value and then by id.
type sorted[V cmp.Ordered] []entry[V]

func (s sorted[V]) find(value V, id string) (int, bool) {
	return slices.BinarySearchFunc(s, entry[V]{value, id}, func(a, b entry[V]) int {
		return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.id, b.id))
	})
}

func (s sorted[V]) with(value V, id string) sorted[V] {
	i, _ := s.find(value, id)
	return slices.Insert(s, i, entry[V]{value, id})
}

func (s sorted[V]) without(value V, id string) sorted[V] {
	i, _ := s.find(value, id)
	return slices.Delete(s, i, i+1)
}
