package sqldb

import (
	"database/sql/driver"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/internal/store"
)

// A table is one kind in the database: its declaration and the text of its
// statements. It is fixed once the store is open.
type table struct {
	kind    store.Kind
	dialect *dialect
	name    string   // quoted
	columns []string // quoted; the first seven are the same everywhere
	find    string   // the row with an id
	scans   []scanText
	// findLocked is find with a lock, where others write, too.
	findLocked string
	claims     string // the stretch of byAt that a claim reads, locked; "" if nobody else is there
	sets       setTexts
}

// A scanText reads a stretch of one index, with and without an upper bound.
// Only that of the id begins at the lower bound itself, too: the entries of
// others are pairs, of which ("prefix", "") never is one.
type scanText struct{ open, bounded, fromOpen, fromBounded string }

func newTable(kind store.Kind, d *dialect) *table {
	t := &table{
		kind: kind, dialect: d, name: tableName(kind.Name),
		columns: []string{"id", "version", "body", "due", "until", "owner", "at"},
	}
	for _, x := range kind.Indexes {
		t.columns = append(t.columns, columnName(x))
	}
	all := "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name
	t.find = all + " WHERE id = " + d.param(1)
	byID := func(from, to string) string {
		if to == "" {
			return all + " WHERE id " + from + " " + d.param(1) + " ORDER BY id LIMIT " + d.param(2)
		}
		return all + " WHERE id " + from + " " + d.param(1) + " AND id " + to + " " + d.param(2) + " ORDER BY id LIMIT " + d.param(3)
	}
	t.scans = append(t.scans, scanText{byID(">", ""), byID(">", "<"), byID(">=", ""), byID(">=", "<")})
	for _, c := range t.columns[6:] {
		from := fmt.Sprintf(" WHERE (%s, id) > (%s) AND %[1]s IS NOT NULL", c, d.params(1, 2)) // as the index says
		order := fmt.Sprintf(" ORDER BY %s, id LIMIT ", c)
		t.scans = append(t.scans, scanText{
			open:    all + from + order + d.param(3),
			bounded: all + from + fmt.Sprintf(" AND %s < %s", c, d.param(3)) + order + d.param(4),
		})
	}
	if d.claim != "" {
		t.claims = t.scans[byAt].bounded + d.claim
	}
	if d.shared {
		t.findLocked = t.find + " FOR UPDATE"
		t.sets = newSetTexts(t)
	}
	return t
}

// Names are letters, digits, '_' and '-': quoting them is enough.
func tableName(kind string) string        { return `"doc_` + kind + `"` }
func columnName(index string) string      { return `"by_` + index + `"` }
func indexName(kind, index string) string { return `"doc_` + kind + `_by_` + index + `"` }
func (t *table) index(name string) int    { return indexNumber(t.kind, name) }
func indexNumber(k store.Kind, x string) int {
	if x == "" {
		return byID
	}
	return byKey + slices.Index(k.Indexes, x)
}

// create returns the statements that make the table.
func (t *table) create() []string {
	d := t.dialect
	texts := []string{fmt.Sprintf(
		"CREATE TABLE %s (id %s PRIMARY KEY NOT NULL, version BIGINT NOT NULL, body %s, due BIGINT, until BIGINT, owner %s, at BIGINT)%s",
		t.name, d.text, d.blob, d.text, d.tableEnd)}
	texts = append(texts, fmt.Sprintf("CREATE INDEX %s ON %s (at, id) WHERE at IS NOT NULL",
		strings.Replace(t.name, `"doc_`, `"due_`, 1), t.name))
	return texts
}

// addIndex returns the statements that give the table an index, still empty.
func (t *table) addIndex(x string) []string {
	return []string{
		fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", t.name, columnName(x), t.dialect.text),
		fmt.Sprintf("CREATE INDEX %s ON %s (%s, id) WHERE %[3]s IS NOT NULL", indexName(t.kind.Name, x), t.name, columnName(x)),
	}
}

// dropIndex returns the statements that remove an index and its values.
func (t *table) dropIndex(x string) []string {
	return []string{
		fmt.Sprintf("DROP INDEX %s", indexName(t.kind.Name, x)),
		fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", t.name, columnName(x)),
	}
}

// insert returns the statement that adds n rows.
func (t *table) insert(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", t.name, strings.Join(t.columns, ", "))
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "(%s)", t.dialect.params(1+i*len(t.columns), len(t.columns)))
	}
	return b.String()
}

// changed returns the set of columns with an index in which two docs differ,
// bit 0 for at.
func changed(old, new *doc) (mask uint64) {
	if old.at != new.at {
		mask = 1
	}
	for i, v := range new.values {
		if v != old.values[i] {
			mask |= 2 << i
		}
	}
	return mask
}

// update returns the statement that changes a row at a known version. It sets
// a column with an index only if it is in the mask, because a database renews
// the entries of every index whose column is named.
func (t *table) update(mask uint64) string {
	d := t.dialect
	var b strings.Builder
	fmt.Fprintf(&b, "UPDATE %s SET version = %s, body = %s, due = %s, until = %s, owner = %s",
		t.name, d.param(1), d.param(2), d.param(3), d.param(4), d.param(5))
	n := 6
	for m := mask; m != 0; m &= m - 1 {
		fmt.Fprintf(&b, ", %s = %s", t.columns[6+bits.TrailingZeros64(m)], d.param(n))
		n++
	}
	fmt.Fprintf(&b, " WHERE id = %s AND version = %s", d.param(n), d.param(n+1))
	return b.String()
}

func updateArguments(mask uint64, old, new *doc, args []driver.Value) []driver.Value {
	args = append(args, new.version, new.row.Body, timeArgument(new.row.Due), timeArgument(new.row.Until), textArgument(new.row.Owner))
	for m := mask; m != 0; m &= m - 1 {
		if i := bits.TrailingZeros64(m); i == 0 {
			args = append(args, new.atArgument())
		} else {
			args = append(args, textArgument(new.values[i-1]))
		}
	}
	return append(args, new.row.ID, old.version)
}

// delete returns the statement that removes a row at a known version.
func (t *table) delete() string {
	return fmt.Sprintf("DELETE FROM %s WHERE id = %s AND version = %s", t.name, t.dialect.param(1), t.dialect.param(2))
}

// read returns the doc with an id, or nil.
func (t *table) read(c *conn, id string) (d *doc, err error) { return t.readBy(c, t.find, id) }

func (t *table) readBy(c *conn, text, id string) (d *doc, err error) {
	err = c.query(text, func(line []driver.Value) error {
		d = t.readDoc(line)
		return nil
	}, id)
	return d, err
}

// readRange returns up to limit docs in the order of an index, after from and
// before to.
func (t *table) readRange(c *conn, index int, from, to store.Cursor, limit int) (docs []*doc, err error) {
	args := make([]driver.Value, 0, 4)
	args = append(args, argument(index, from.Value))
	if index != byID {
		args = append(args, from.ID)
	}
	texts := t.scans[index]
	if index == byID && from.ID == "" {
		texts.open, texts.bounded = texts.fromOpen, texts.fromBounded
	}
	text := texts.open
	if to != end {
		text = texts.bounded
		args = append(args, argument(index, to.Value))
	}
	args = append(args, int64(limit))
	return t.readDocs(c, text, args...)
}

func (t *table) readDocs(c *conn, text string, args ...driver.Value) (docs []*doc, err error) {
	err = c.query(text, func(line []driver.Value) error {
		docs = append(docs, t.readDoc(line))
		return nil
	}, args...)
	return docs, err
}

// readClaimable locks and returns up to limit docs that can be claimed before
// an instant, except those that others have locked.
func (t *table) readClaimable(c *conn, from, to store.Cursor, limit int) ([]*doc, error) {
	return t.readDocs(c, t.claims, argument(byAt, from.Value), from.ID, argument(byAt, to.Value), int64(limit))
}
