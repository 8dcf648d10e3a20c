package match

import (
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A TicketID names a matchmaking ticket.
type TicketID string

// A Ticket asks for a match for all of its players together.
type Ticket struct {
	ID TicketID
	// Start is when the request was accepted. Expansions and the request
	// timeout count from it, also after the ticket came back to the pool (6).
	Start    time.Time
	Backfill bool // asks for more players for a running match (14)
	Players  []Player
}

// A Player is one player of a ticket.
type Player struct {
	ID         string
	Team       string                 // only in backfill tickets
	Attributes map[string]rules.Value // by attribute name
	LatencyMS  map[string]int         // by location, milliseconds
}

// Status is a ticket's status, spelled as on the wire (10.1).
type Status string

// The statuses.
const (
	Queued             Status = "QUEUED"
	Searching          Status = "SEARCHING"
	RequiresAcceptance Status = "REQUIRES_ACCEPTANCE"
	Placing            Status = "PLACING"
	Completed          Status = "COMPLETED"
	Failed             Status = "FAILED"
	Cancelled          Status = "CANCELLED"
	TimedOut           Status = "TIMED_OUT"
)

// Terminal reports whether a ticket in this status is done.
func (s Status) Terminal() bool {
	return s == Completed || s == Failed || s == Cancelled || s == TimedOut
}

// A Change is one ticket's move to a new status.
type Change struct {
	Ticket  TicketID
	From    Status
	To      Status
	Reason  string // accompanies unusual transitions (10.3)
	Message string
	Match   string // the match concerned, if any
}

// An Event is a matchmaking event as section 16 lists them.
type Event struct {
	Type       EventType
	Match      string     // match id, if any
	Tickets    []TicketID // whose event it is
	Players    []Seat     // with teams where a match is concerned
	Reason     string
	Message    string
	Acceptance string // AcceptMatchCompleted: Accepted, Rejected or TimedOut
	Rules      []RuleCount
}

// EventType is the type of an event, spelled as on the wire.
type EventType string

// The event types. MatchmakingFailed is the service's own: the pool does not
// see placements.
const (
	MatchmakingSearching  EventType = "MatchmakingSearching"
	PotentialMatchCreated EventType = "PotentialMatchCreated"
	AcceptMatch           EventType = "AcceptMatch"
	AcceptMatchCompleted  EventType = "AcceptMatchCompleted"
	MatchmakingSucceeded  EventType = "MatchmakingSucceeded"
	MatchmakingTimedOut   EventType = "MatchmakingTimedOut"
	MatchmakingCancelled  EventType = "MatchmakingCancelled"
)

// A Seat is a player in a match.
type Seat struct {
	Ticket   TicketID
	PlayerID string
	Team     string
	Accepted *bool // answer to the proposal, nil while there is none
}

// A RuleCount says how often a rule was evaluated (18).
type RuleCount struct {
	Rule           string
	Passed, Failed int
}

// A Match is a valid set of tickets with a team for every player. It stands in
// Update.Proposed when players must accept, and in Update.Matches once it is
// final.
type Match struct {
	ID       string
	At       time.Time  // when it was found
	Tickets  []TicketID // oldest first
	Seats    []Seat     // by team, in assignment order
	Backfill TicketID   // the backfill ticket among them, or ""
	Level    int        // expansion level in force, index into Rules.Levels
	Age      time.Duration
	Location string // a location that serves everybody; "" without latency rule
	// Evaluations are the tickets' while they waited, in their order (18).
	Evaluations [][]RuleCount
}

// An Update is what a call changed. All slices are in the order things
// happened.
type Update struct {
	Changes  []Change
	Events   []Event
	Proposed []Match
	Matches  []Match
	// Next is when Pass should be called again even if nothing arrives: an
	// expansion or a timeout falls due, or a search was cut short. Zero means
	// not before something arrives.
	Next time.Time
}

func (u *Update) change(id TicketID, from, to Status, reason, message, match string) {
	u.Changes = append(u.Changes, Change{Ticket: id, From: from, To: to, Reason: reason, Message: message, Match: match})
}
