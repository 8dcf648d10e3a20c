package serversdk

import (
	"errors"
	"fmt"
	"net/http"
)

// Errors that need no service to be made.
var (
	ErrNotReady      = errors.New("serversdk: call ProcessReady first")
	ErrNoGameSession = errors.New("serversdk: the process has no game session")
	ErrClosed        = errors.New("serversdk: the connection was closed by this process")
	ErrNoAnswer      = errors.New("serversdk: the service did not answer in time")
)

// An Error is the service's own answer that a call failed.
type Error struct {
	Action     string // the call's name on the wire
	StatusCode int    // 400 wrong argument or state, 404 unknown, 409 wrong state now, 429 too often, 5xx its own fault
	Message    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (%d)", e.Action, e.Message, e.StatusCode)
}

// A RefusedError says that the service did not let the process in: a wrong or
// expired token, an unknown compute, or a ProcessID that was used before.
type RefusedError struct {
	StatusCode int // HTTP; 403 as a rule
	Reason     string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the service refused the process: %s (%d %s)", e.Reason, e.StatusCode, http.StatusText(e.StatusCode))
}
