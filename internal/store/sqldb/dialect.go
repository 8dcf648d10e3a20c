package sqldb

import (
	"database/sql/driver"
	"errors"
)

// errDuplicate is in the chain of what explain returns for a row whose id
// exists already.
var errDuplicate = errors.New("row exists already")

// A dialect is everything in which the databases differ. The text of the
// statements is shared.
type dialect struct {
	connect func(view bool) (driver.Conn, error) // view: a connection that only reads
	// ready looks whether the database is what the store needs, before its
	// first use.
	ready func(*conn) error
	// backup writes a copy of what is committed to a new file, while others
	// read and write.
	backup func(c *conn, path string) error
	// checkpointPages is the length of a log beside the database from which
	// it is moved there; 0 if there is none or the database sees to it.
	checkpointPages int64
	// explain turns a driver's error into one that says what to do and wraps
	// one of the store's; nil stays nil.
	explain func(error) error

	// sole says that nobody else writes to the database, so that what the
	// writer has read stays true from commit to commit.
	sole bool

	param      func(n int) string // placeholder of the nth parameter, from 1
	begin      string             // a transaction that will write
	beginView  string             // a transaction that reads one snapshot
	text, blob string             // types; a text is compared by bytes
	tableEnd   string             // after CREATE TABLE (…)
}

// params returns n placeholders from the given number on, separated by commas.
func (d *dialect) params(from, n int) string {
	var b []byte
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, d.param(from+i)...)
	}
	return string(b)
}
