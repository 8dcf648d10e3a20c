package store

import (
	"errors"
	"fmt"
)

// A ConflictError names a row that was not as a transaction took it to be. It
// wraps ErrConflict.
type ConflictError struct{ Kind, ID string }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("store: %s %q exists already or was changed by others: read it in the transaction that writes it (%v)", e.Kind, e.ID, ErrConflict)
}

// Unwrap returns ErrConflict.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// Errors that a Store wraps, so that errors.Is finds them under a message that
// says what to do.
var (
	// ErrConflict: the rows changed, or existed already, each time the
	// closure ran.
	ErrConflict = errors.New("conflicting change")
	// ErrClosed: the store is closed or closing.
	ErrClosed = errors.New("store is closed")
	// ErrView: a write inside View.
	ErrView = errors.New("a view cannot write")
	// ErrDone: a Tx was used after its closure returned.
	ErrDone = errors.New("transaction has ended")
	// ErrLocked: another process has the database.
	ErrLocked = errors.New("database is in use")
	// ErrNewerSchema: a newer version of Chairlift has written the database.
	ErrNewerSchema = errors.New("database is newer than this program")
	// ErrReadOnly: the database or its folder cannot be written.
	ErrReadOnly = errors.New("database is read-only")
	// ErrFull: the disk or the quota is full.
	ErrFull = errors.New("disk is full")
	// ErrUnknown: the connection to the database broke while a commit was on
	// its way, and the database could not be asked what became of it. Read
	// before doing it again.
	ErrUnknown = errors.New("it is not known whether the commit happened")
	// ErrCorrupt: the file is damaged or is no database.
	ErrCorrupt = errors.New("database is damaged")
)
