// Package store is the contract for everything durable: documents of declared
// kinds, found by id or by named indexes, read in snapshots and written in
// transactions that hold together or leave nothing.
//
// It must not know what a document means, nor which database keeps it. Two
// implementations follow it: memdb (maps, for simulation) and sqldb (SQLite);
// storetest proves that they answer alike.
//
//	fleets := store.Kind{Name: "fleet", Indexes: []string{"status"}}
//	s, err := sqldb.OpenSQLite("chairlift.db", sqldb.Options{Kinds: []store.Kind{fleets}})
//	…
//	err = s.Update(ctx, func(tx store.Tx) error {
//		f, ok, err := tx.Get("fleet", id)
//		if err != nil || !ok {
//			return cmp.Or(err, errNoSuchFleet)
//		}
//		f.Body, f.Keys = encode(…), map[string]string{"status": "ACTIVE/" + id}
//		return tx.Put("fleet", f)
//	})
//
// Two rules keep callers right on every database. A closure only computes: it
// may run again, so it sets whatever it captures anew on each run and does
// nothing else outside. And every limit lives in a row that the claim writes
// (slots in the session, activations in the instance), because a version
// guards one row, never the absence of others.
package store

import (
	"context"
	"time"
)

// Attempts is how often Update runs a closure before it gives up with
// ErrConflict.
const Attempts = 5

// A Store keeps documents. All methods may be called from many goroutines.
type Store interface {
	// View calls f with a snapshot of what is committed. Writes in f are
	// refused. The context is checked before f starts and at each read.
	View(ctx context.Context, f func(Tx) error) error

	// Update calls f and commits what it wrote, all or nothing. It returns
	// after the commit is durable. An error of f is returned as it is and
	// nothing of f stays; a panic of f leaves nothing either and goes on at
	// the caller.
	//
	// Transactions may share a commit: then their closures run in turn, each
	// sees what the ones before it wrote, and a commit that fails fails all
	// of them. A conflict runs f again, a few times, before Update returns
	// ErrConflict. A context that ends before f started returns its error;
	// after that Update waits and returns the true outcome.
	//
	// Inside f only tx may be used: a View or Update of the same store there
	// could wait for itself.
	Update(ctx context.Context, f func(Tx) error) error

	// Watch returns a channel that receives after commits that changed
	// something, whoever made them. Wake-ups carry no content, several may
	// become one, and one may be lost, so that a reader also looks at the
	// clock. The channel is closed when ctx ends or the store closes.
	Watch(ctx context.Context) <-chan struct{}

	// Close waits for transactions that have started, refuses all others
	// with ErrClosed and releases the database. A second Close does nothing.
	Close() error
}

// A Shared store may be one whose database other servers write to, too.
type Shared interface {
	Store

	// Shared reports whether it is.
	Shared() bool

	// Elsewhere is Watch for what other servers committed, and only that. It
	// is nil, which never receives, where there are no others.
	Elsewhere(ctx context.Context) <-chan struct{}
}

// A Tx is one transaction as its closure sees it: the committed state, what
// earlier closures of the same commit wrote, and its own writes. It is valid
// until the closure returns and belongs to the goroutine that runs it.
type Tx interface {
	// Get returns the row with this id and whether there is one.
	Get(kind, id string) (Row, bool, error)

	// Put writes a whole row when the closure has returned nil. A row that
	// this Tx read (by Get, Scan or Claim) must then still be as it was read;
	// a row it did not read, or read as absent, must not exist. Put clears
	// Owner and Until whatever r says.
	Put(kind string, r Row) error

	// Delete removes a row under the same guard, for which it reads the row
	// first if this Tx has not. Deleting an absent row does nothing.
	Delete(kind, id string) error

	// Scan returns up to limit rows (at least 1) whose value in the index
	// starts with prefix, ordered by value and then id, both by bytes,
	// strictly after the cursor. The index "" is the id itself. The zero
	// cursor is before everything.
	Scan(kind, index, prefix string, after Cursor, limit int) ([]Row, error)

	// Claim returns up to limit rows (at least 1) that are due at or before
	// now and that nobody holds at now, and makes owner hold them until the
	// given instant, which is after now. A holder that has not written or
	// deleted the row by then loses it. Those waiting longest come first, by
	// Row.Claimable and then by id.
	Claim(kind, owner string, now, until time.Time, limit int) ([]Row, error)

	// NextDue returns the earliest instant at which Claim could return a row
	// of the kind: when one is due, or when the hold on a due one ends. It
	// returns false when no row of the kind will ever be due.
	NextDue(kind string) (time.Time, bool, error)
}

// A Row is one stored document. Body and Keys are shared between the store and
// all who read the row: they are replaced by Put, never modified in place.
type Row struct {
	ID   string
	Body []byte

	// Keys holds the row's value in each index of its kind. A row with no
	// value, or "", in an index is not found by it.
	Keys map[string]string

	// Due is when Claim may return the row; zero is never. It is kept to the
	// microsecond, rounded up so that no row is due early, in UTC.
	Due time.Time

	// Owner holds the row until the instant Until. Claim sets both, Put
	// clears them.
	Owner string
	Until time.Time

	reading *reading // of Body; see Share
	written *reading // likewise, on the way into the store; see Kind.Stored
}

// Share returns r as a store keeps it at hand for many readers: the first of
// them who decodes Body through a Table spares the others doing so.
func (r Row) Share() Row {
	r.reading = &reading{}
	return r
}

// A Cursor is a place in the order of a Scan: after the row ID that has Value
// in the index. For the index "" the ID alone counts.
type Cursor struct{ Value, ID string }

// Cursor returns r's place in the index, from which the next Scan goes on.
func (r Row) Cursor(index string) Cursor {
	if index == "" {
		return Cursor{ID: r.ID}
	}
	return Cursor{Value: r.Keys[index], ID: r.ID}
}

// Claimable returns the instant from which Claim may return r: the later of
// Due and Until, or zero if r is never due.
func (r Row) Claimable() time.Time {
	if !r.Due.IsZero() && r.Until.After(r.Due) {
		return r.Until
	}
	return r.Due
}
