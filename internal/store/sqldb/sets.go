package sqldb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/chairlift-games/chairlift/internal/store"
)

// setTexts are the statements that write any number of a table's rows, whose
// columns come as arrays.
type setTexts struct {
	lock   string // the rows that the others change, in the order of their ids
	update string
	delete string
	insert string
	absent string // how many of some ids there are
	stale  string // one of some ids that is not at its version
}

// newSetTexts writes them. Every update names every column: PostgreSQL compares
// values, and leaves the entries of an index whose value is the same alone.
func newSetTexts(t *table) setTexts {
	types := []string{"text", "bigint", "bytea", "bigint", "bigint", "text", "bigint"}
	for len(types) < len(t.columns) {
		types = append(types, "text")
	}
	arrays := make([]string, len(types))
	sets := make([]string, 0, len(types))
	for i, typ := range types {
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, typ)
		if i > 0 {
			sets = append(sets, fmt.Sprintf("%s = new.%[1]s", t.columns[i]))
		}
	}
	columns := strings.Join(t.columns, ", ")
	from := fmt.Sprintf("unnest(%s) AS new (%s)", strings.Join(arrays, ", "), columns)
	return setTexts{
		lock: fmt.Sprintf("SELECT 1 FROM %s WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE", t.name),
		// A version grows by one with each commit that changes the row.
		update: fmt.Sprintf("UPDATE %s AS old SET %s FROM %s WHERE old.id = new.id AND old.version = new.version - 1", t.name, strings.Join(sets, ", "), from),
		delete: fmt.Sprintf("DELETE FROM %s AS old USING unnest($1::text[], $2::bigint[]) AS gone (id, version) WHERE old.id = gone.id AND old.version = gone.version", t.name),
		insert: fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM %s ON CONFLICT (id) DO NOTHING", t.name, columns, from),
		absent: fmt.Sprintf("SELECT 1 FROM %s WHERE id = ANY($1::text[])", t.name),
		stale:  fmt.Sprintf("SELECT new.id FROM unnest($1::text[], $2::bigint[]) AS new (id, version) LEFT JOIN %s AS old ON old.id = new.id WHERE old.version IS DISTINCT FROM new.version LIMIT 1", t.name),
	}
}

// A setWriter gathers statements and sends them in one go. Each says how many
// rows it has to meet, so that a row which is not as the group took it to be is
// noticed before the commit.
type setWriter struct {
	batch  pgx.Batch
	expect []expectation
}

type expectation struct {
	rows    int64  // -1: any number
	image   *image // nil for the server's own row
	changes []*change
	id      string // a row to name if nothing better is known
	adds    bool   // the rows must not be there yet
}

func (s *setWriter) queue(e expectation, text string, args ...any) {
	s.batch.Queue(text, args...)
	s.expect = append(s.expect, e)
}

// add queues what is pending in m: nothing the database does to one row depends
// on another, so rows of a table go together.
func (s *setWriter) add(m *image) {
	var inserts, updates, deletes []*change
	var unread []string
	for id, ch := range m.pending {
		switch {
		case ch.base == nil && ch.now == nil:
			if ch.unread { // came and went, and must not have been there
				unread = append(unread, id)
			}
		case ch.base == nil:
			inserts = append(inserts, ch)
		case ch.now == nil:
			deletes = append(deletes, ch)
		default:
			updates = append(updates, ch)
		}
	}
	t := &m.sets
	byID := func(a, b *change) int { return strings.Compare(a.id(), b.id()) }
	slices.SortFunc(inserts, byID) // new rows, whose ids are ordered by time, go to the end of the table
	if n := len(updates) + len(deletes); n > 0 {
		// Locked in one order by everybody, so that servers do not wait for each
		// other in a circle.
		ids := make([]string, 0, n)
		for _, ch := range updates {
			ids = append(ids, ch.id())
		}
		for _, ch := range deletes {
			ids = append(ids, ch.id())
		}
		if n > 1 {
			s.queue(expectation{rows: -1}, t.lock, ids)
		}
	}
	if len(updates) > 0 {
		s.queue(expectation{rows: int64(len(updates)), image: m, changes: updates, id: updates[0].id()}, t.update, m.arrays(updates)...)
	}
	if len(deletes) > 0 {
		ids, versions := make([]string, len(deletes)), make([]int64, len(deletes))
		for i, ch := range deletes {
			ids[i], versions[i] = ch.base.row.ID, ch.base.version
		}
		s.queue(expectation{rows: int64(len(deletes)), image: m, id: deletes[0].id()}, t.delete, ids, versions)
	}
	if len(unread) > 0 {
		s.queue(expectation{image: m, id: unread[0], adds: true}, t.absent, unread)
	}
	if len(inserts) > 0 {
		s.queue(expectation{rows: int64(len(inserts)), image: m, id: inserts[0].id(), adds: true}, t.insert, m.arrays(inserts)...)
	}
}

// arrays turns rows into columns, in the order of table.columns.
func (m *image) arrays(changes []*change) []any {
	n := len(changes)
	ids, versions, bodies := make([]string, n), make([]int64, n), make([][]byte, n)
	dues, untils, ats := make([]*int64, n), make([]*int64, n), make([]*int64, n)
	owners := make([]*string, n)
	values := make([][]*string, len(m.kind.Indexes))
	for x := range values {
		values[x] = make([]*string, n)
	}
	for i, ch := range changes {
		d := ch.now
		ids[i], versions[i], bodies[i] = d.row.ID, d.version, d.row.Body
		dues[i], untils[i] = optional(timeArgument(d.row.Due)), optional(timeArgument(d.row.Until))
		ats[i] = optional(d.atArgument())
		owners[i] = optionalText(d.row.Owner)
		for x, v := range d.values {
			values[x][i] = optionalText(v)
		}
	}
	args := []any{ids, versions, bodies, dues, untils, owners, ats}
	for _, v := range values {
		args = append(args, v)
	}
	return args
}

func optional(v driver.Value) *int64 {
	if n, ok := v.(int64); ok {
		return &n
	}
	return nil
}

func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// id is the row's.
func (ch *change) id() string {
	if ch.now != nil {
		return ch.now.row.ID
	}
	if ch.base != nil {
		return ch.base.row.ID
	}
	return ""
}

// send sends what is queued and looks whether every statement met its rows. It
// returns a *store.ConflictError if one did not, and else what othersText says.
func (s *setWriter) send(c *conn, id string) (others string, err error) {
	pc := c.driver.(*stdlib.Conn).Conn()
	s.batch.Queue(othersText, id)
	results := pc.SendBatch(context.Background(), &s.batch)
	var broken *expectation
	for i := range s.expect {
		tag, err := results.Exec()
		if err != nil {
			results.Close()
			return "", c.dialect.explain(err)
		}
		if e := &s.expect[i]; broken == nil && e.rows >= 0 && tag.RowsAffected() != e.rows {
			broken = e
		}
	}
	err = results.QueryRow().Scan(&others)
	if err := errors.Join(err, results.Close()); err != nil {
		return "", c.dialect.explain(err)
	}
	if broken != nil {
		err = broken.conflict(c)
	}
	return others, err
}

// conflict names a row that was not as the group took it to be.
func (e *expectation) conflict(c *conn) error {
	switch {
	case e.image == nil:
		return fmt.Errorf("store: %w", errFenced)
	case e.adds:
		return fmt.Errorf("%w: %w", &store.ConflictError{Kind: e.image.kind.Name, ID: e.id}, errDuplicate)
	}
	found := ""
	if len(e.changes) > 1 { // those that were written have their new version now
		ids, versions := make([]string, len(e.changes)), make([]int64, len(e.changes))
		for i, ch := range e.changes {
			ids[i], versions[i] = ch.id(), ch.now.version
		}
		pc := c.driver.(*stdlib.Conn).Conn()
		_ = pc.QueryRow(context.Background(), e.image.sets.stale, ids, versions).Scan(&found) // for the message only
	}
	return &store.ConflictError{Kind: e.image.kind.Name, ID: cmp.Or(found, e.id)}
}
