package sqldb

import (
	"database/sql/driver"
	"errors"
)

var (
	// errDuplicate is in the chain of what explain returns for a row whose id
	// exists already.
	errDuplicate = errors.New("row exists already")
	// errRace is in the chain of what explain returns when the database gave up
	// a transaction for another one that wanted the same rows.
	errRace = errors.New("another transaction came first")
	// errLost: the connection to the database broke.
	errLost = errors.New("the connection to the database broke")
)

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

	// What follows is for a database that several servers share, and is zero
	// for one that has a sole writer.

	// lock and unlock let one server at a time look after the tables.
	lock, unlock string
	// own are tables beside those that all databases have.
	own []string
	// claim is appended to a scan that claims: it locks the rows it returns
	// and passes over those that another server has locked.
	claim string
	// shared says that other servers write to the database. Then a statement
	// takes any number of rows, as arrays, several travel together, each commit
	// is marked in the table chairlift_writer, and what is read without being
	// claimed is read outside of the transaction.
	shared bool
	// lost reports whether a connection is of no use any more.
	lost func(driver.Conn) bool

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
