package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// A Table is a typed view of one kind: it turns a noun into a row and back,
// and keeps the choice of indexes and due times in one place (tables.go).
type Table[T any] struct {
	Kind Kind
	noun string // as messages call it: "fleet"
	id   func(*T) string
	keys func(*T) map[string]string
	due  func(*T) time.Time
}

// declared is the kind for those who open a store, which may hold rows that are
// older than an index.
func (t *Table[T]) declared() Kind {
	k := t.Kind
	if t.keys != nil {
		k.Keys = func(body []byte) (map[string]string, error) {
			v, err := t.decode(Row{Body: body})
			if err != nil {
				return nil, err
			}
			return t.keys(v), nil
		}
	}
	return k
}

// Get returns the document with this id and whether there is one.
func (t *Table[T]) Get(tx Tx, id string) (*T, bool, error) {
	r, ok, err := tx.Get(t.Kind.Name, id)
	if err != nil || !ok {
		return nil, false, err
	}
	v, err := t.decode(r)
	return v, err == nil, err
}

// Find is Get for callers to whom absence is an error: a NotFound that names
// the thing.
func (t *Table[T]) Find(tx Tx, id string) (*T, error) {
	v, ok, err := t.Get(tx, id)
	if err == nil && !ok {
		err = lift.Errorf(lift.NotFound, "%s %s not found", t.noun, id)
	}
	return v, err
}

// Noun is what messages call a document of the table: "fleet".
func (t *Table[T]) Noun() string { return t.noun }

// Cursor returns v's place in the index, from which a Scan goes on.
func (t *Table[T]) Cursor(v *T, index string) Cursor {
	if index == "" {
		return Cursor{ID: t.id(v)}
	}
	return Cursor{Value: t.keys(v)[index], ID: t.id(v)}
}

// Put saves v under the guard of Tx.Put.
func (t *Table[T]) Put(tx Tx, v *T) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", t.Kind.Name, err)
	}
	r := Row{ID: t.id(v), Body: body, written: &reading{}}
	if c, ok := readBack(v); ok {
		r.written.doc.Store(c)
	}
	if t.keys != nil {
		r.Keys = t.keys(v)
	}
	if t.due != nil {
		r.Due = t.due(v)
	}
	return tx.Put(t.Kind.Name, r)
}

// Delete removes the document; an absent one is fine.
func (t *Table[T]) Delete(tx Tx, id string) error { return tx.Delete(t.Kind.Name, id) }

// Scan is Tx.Scan, decoded. The cursor of the last document is returned with
// it, for the next page.
func (t *Table[T]) Scan(tx Tx, index, prefix string, after Cursor, limit int) ([]*T, Cursor, error) {
	rows, err := tx.Scan(t.Kind.Name, index, prefix, after, limit)
	if err != nil {
		return nil, after, err
	}
	for i := range rows {
		after = rows[i].Cursor(index)
	}
	vs, err := t.decodeAll(rows)
	return vs, after, err
}

// All returns every document whose value in the index starts with prefix. It
// is for sets that are small by nature, such as the instances of a fleet.
func (t *Table[T]) All(tx Tx, index, prefix string) ([]*T, error) {
	const page = 500
	var all []*T
	var after Cursor
	for {
		vs, next, err := t.Scan(tx, index, prefix, after, page)
		if err != nil {
			return nil, err
		}
		all = append(all, vs...)
		if len(vs) < page {
			return all, nil
		}
		after = next
	}
}

// Claim is Tx.Claim, decoded.
func (t *Table[T]) Claim(tx Tx, owner string, now, until time.Time, limit int) ([]*T, error) {
	rows, err := tx.Claim(t.Kind.Name, owner, now, until, limit)
	if err != nil {
		return nil, err
	}
	return t.decodeAll(rows)
}

func (t *Table[T]) decodeAll(rows []Row) ([]*T, error) {
	vs := make([]*T, len(rows))
	for i, r := range rows {
		v, err := t.decode(r)
		if err != nil {
			return nil, err
		}
		vs[i] = v
	}
	return vs, nil
}

// Decode returns the document in a row of the table's kind.
func (t *Table[T]) Decode(r Row) (*T, error) { return t.decode(r) }

func (t *Table[T]) decode(r Row) (*T, error) {
	if r.reading != nil {
		if v, ok := r.reading.doc.Load().(*T); ok {
			return copyOf(v), nil
		}
	}
	v := new(T)
	if err := json.Unmarshal(r.Body, v); err != nil {
		return nil, fmt.Errorf("the stored %s %s cannot be read: %w", t.noun, r.ID, err)
	}
	if r.reading != nil {
		r.reading.doc.Store(copyOf(v))
	}
	return v, nil
}
