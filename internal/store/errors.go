package store

import "errors"

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
	// ErrCorrupt: the file is damaged or is no database.
	ErrCorrupt = errors.New("database is damaged")
)
