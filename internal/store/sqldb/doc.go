package sqldb

import (
	"database/sql/driver"
	"encoding/binary"
	"math"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// A doc is a row as this package handles it. It is never changed once made, so
// the cache, transactions and readers share it.
type doc struct {
	row     store.Row
	values  []string // row.Keys in the order of kind.Indexes, "" for none
	at      string   // row.Claimable as instant returns it, "" for never
	version int64    // the row's in the database, once what is pending is written
}

func (t *table) newDoc(r store.Row) *doc {
	d := &doc{row: r, at: instant(r.Claimable())}
	if len(t.kind.Indexes) > 0 {
		d.values = make([]string, len(t.kind.Indexes))
		for i, x := range t.kind.Indexes {
			d.values[i] = r.Keys[x]
		}
	}
	return d
}

// claimed returns d held by owner.
func (t *table) claimed(d *doc, owner string, until time.Time) *doc {
	c := *d
	c.row.Owner, c.row.Until = owner, store.Micros(until)
	c.at = instant(c.row.Claimable())
	return &c
}

// size estimates the bytes of memory that d takes.
func (d *doc) size() int {
	n := 400 + len(d.row.ID) + 2*len(d.row.Body) // as it is, and decoded
	for _, v := range d.values {
		n += 64 + len(v)
	}
	return n
}

// value returns d's value in an index, "" for none. Indexes are numbered: the
// id, the instant it can be claimed, then as the kind declares them.
func (d *doc) value(index int) string {
	switch index {
	case byID:
		return d.row.ID
	case byAt:
		return d.at
	}
	return d.values[index-byKey]
}

const (
	byID = iota
	byAt
	byKey // and following
)

// instant returns t as a string that sorts by time, "" for zero.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMicro())^1<<63)
	return string(b[:])
}

// micros reverses instant.
func micros(at string) int64 {
	return int64(binary.BigEndian.Uint64([]byte(at)) ^ 1<<63)
}

// argument returns a value of an index as the database stores it.
func argument(index int, value string) driver.Value {
	if index != byAt {
		return value
	}
	if value == "" { // before everything
		return int64(math.MinInt64)
	}
	return micros(value)
}

// appendArguments appends d's columns in the order of table.columns.
func (d *doc) appendArguments(args []driver.Value) []driver.Value {
	args = append(args, d.row.ID, d.version, d.row.Body,
		timeArgument(d.row.Due), timeArgument(d.row.Until), textArgument(d.row.Owner), d.atArgument())
	for _, v := range d.values {
		args = append(args, textArgument(v))
	}
	return args
}

func (d *doc) atArgument() driver.Value {
	if d.at == "" {
		return nil
	}
	return micros(d.at)
}

func timeArgument(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func textArgument(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// readDoc makes a doc of a line in the order of table.columns.
func (t *table) readDoc(line []driver.Value) *doc {
	d := &doc{}
	d.row.ID, _ = line[0].(string)
	d.version, _ = line[1].(int64)
	d.row.Body, _ = line[2].([]byte)
	d.row.Due = readTime(line[3])
	d.row.Until = readTime(line[4])
	d.row.Owner, _ = line[5].(string)
	d.at = instant(d.row.Claimable())
	if len(t.kind.Indexes) > 0 {
		d.values = make([]string, len(t.kind.Indexes))
		for i, x := range t.kind.Indexes {
			if v, ok := line[7+i].(string); ok {
				if d.row.Keys == nil {
					d.row.Keys = make(map[string]string, len(t.kind.Indexes))
				}
				d.row.Keys[x], d.values[i] = v, v
			}
		}
	}
	return d
}

func readTime(v driver.Value) time.Time {
	if n, ok := v.(int64); ok {
		return time.UnixMicro(n).UTC()
	}
	return time.Time{}
}
