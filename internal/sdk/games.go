package sdk

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Process names one run of a game server on one compute. A client sends the
// three parts with every connect; they, and not a socket, are what state is
// keyed by (server-sdk A.0 rule 5).
type Process struct {
	Fleet   string // FleetId, "fleet-..."
	Compute string // ComputeId, the name of the compute or instance
	ID      string // pID, unique per run; not the process id of the operating system
}

// String writes the process the way logs want it.
func (p Process) String() string { return p.Fleet + "/" + p.Compute + "/" + p.ID }

func (p Process) compare(q Process) int {
	for _, pair := range [...][2]string{{p.Fleet, q.Fleet}, {p.Compute, q.Compute}, {p.ID, q.ID}} {
		if pair[0] < pair[1] {
			return -1
		}
		if pair[0] > pair[1] {
			return 1
		}
	}
	return 0
}

// Hello is what a client says when it connects.
type Hello struct {
	Process          Process
	Token            string // the compute auth token; a secret, never logged
	IdempotencyToken string // empty before SDK 5.3
	SDKVersion       string // "5.6.0"
	SDKLanguage      string // "Go", "Cpp", "CSharp"

	// Again says that this process was let in before, by this door, with this
	// very Token and IdempotencyToken: the client lost its socket and repeats
	// its URL. A host may then overlook that the token has run out since.
	Again bool
}

// Games is what a door needs from its host. The host implements it; it must be
// safe for concurrent use.
type Games interface {
	// Connect decides whether a process may come in, now, with this socket. It
	// is asked for every socket: the first, a reconnect, a refresh. A *Refusal
	// chooses the HTTP status; any other error refuses with 500. Clients give a
	// whole connect as little as 2 s, so it must be quick.
	Connect(ctx context.Context, h Hello) error

	// Call carries out one request and returns its answer: nil, or the Reply
	// type that the request names. A *Error chooses the status code the game
	// sees; any other error becomes 500 and is logged. Requests of one process
	// may be in progress at the same time, except that one RequestId is never
	// carried out twice while its answer is remembered. ActivateServerProcess
	// must be answered at once: some clients wait 6 s only (server-sdk A.3).
	Call(ctx context.Context, p Process, r Request) (Reply, error)

	// Disconnected says that the last socket of a process is gone since at. It
	// is not the end of the process, which may come back at any time. It returns
	// before the next Connect of the same process is asked.
	Disconnected(p Process, at time.Time)
}

// A Refusal of a connect. Every client retries a refused connect for minutes
// and logs the reason at best (server-sdk A.1).
type Refusal struct {
	Status int // HTTP, 4xx or 5xx; 403 is the natural one, and used for 0
	Reason string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("connect refused (%d): %s", r.status(), r.Reason)
}

func (r *Refusal) status() int {
	if r.Status < 400 || r.Status > 599 {
		return http.StatusForbidden
	}
	return r.Status
}

// An Error is the answer to a request that failed. Clients turn 400, 401, 403,
// 404, 409 and 429 into error types of their own, and every other code into an
// internal error (server-sdk A.2).
type Error struct {
	StatusCode int // 400 to 599
	Message    string
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.StatusCode, e.Message) }

// Errorf makes an *Error with the status code that the game will see.
func Errorf(statusCode int, format string, args ...any) *Error {
	return &Error{StatusCode: statusCode, Message: fmt.Sprintf(format, args...)}
}
