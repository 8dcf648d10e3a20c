package lift

import "time"

// TicketStatus is a state of flexmatch 10.1.
type TicketStatus string

const (
	TicketQueued             TicketStatus = "QUEUED" // its matcher has not seen it yet
	TicketSearching          TicketStatus = "SEARCHING"
	TicketRequiresAcceptance TicketStatus = "REQUIRES_ACCEPTANCE"
	TicketPlacing            TicketStatus = "PLACING"
	TicketCompleted          TicketStatus = "COMPLETED"
	TicketFailed             TicketStatus = "FAILED"
	TicketCancelled          TicketStatus = "CANCELLED"
	TicketTimedOut           TicketStatus = "TIMED_OUT"
)

// Live reports whether a ticket in this state may still get a match.
func (s TicketStatus) Live() bool {
	switch s {
	case TicketQueued, TicketSearching, TicketRequiresAcceptance, TicketPlacing:
		return true
	}
	return false
}

// Stoppable reports whether a ticket in this state can be cancelled.
func (s TicketStatus) Stoppable() bool { return s.Live() && s != TicketPlacing }

// Waits reports whether a ticket in this state has no match yet.
func (s TicketStatus) Waits() bool { return s == TicketQueued || s == TicketSearching }

// Ticket asks for a match for all of its players together.
type Ticket struct {
	ID                   TicketID
	Region               string
	Account              string
	Configuration        string // its name
	Status               TicketStatus
	Reason               string // of unusual changes of the status (flexmatch 10.3)
	Message              string
	Players              []TicketPlayer
	StartedAt            time.Time
	Deadline             time.Time // TIMED_OUT then, unless it is part of a match
	EndedAt              time.Time
	KeepUntil            time.Time
	Match                MatchID       `json:",omitempty"` // the one it is or was part of
	Arriving             bool          `json:",omitempty"` // it waits for its matcher to take it into the pool
	EstimatedWaitSeconds int           // 0: not known
	Session              *MatchSession `json:",omitempty"`
	Backfill             *Backfill     `json:",omitempty"` // set: it asks for players for a match that runs
	NotedAt              time.Time     `json:",omitzero"`  // of the last event about it
	Evaluations          []RuleCount   `json:",omitempty"` // until it last left the pool (flexmatch 18)
}

// RuleCount says how often a rule was evaluated for a ticket, and how that
// went.
type RuleCount struct {
	Rule           string
	Passed, Failed int
}

// Searches reports whether the ticket may get a match now: its matcher has taken
// it in, and it has time left.
func (t *Ticket) Searches(now time.Time) bool {
	return t.Status == TicketSearching && !t.Arriving && now.Before(t.Deadline)
}

// Holds reports whether the player is one of the ticket's.
func (t *Ticket) Holds(player string) bool {
	for i := range t.Players {
		if t.Players[i].ID == player {
			return true
		}
	}
	return false
}

// Backfill is what sets a ticket apart that asks for more players for a match
// that runs (flexmatch 14). Its own players are those of the match, and they
// have their teams from the start.
type Backfill struct {
	SessionID GameSessionID `json:",omitempty"` // "" with STANDALONE
	Location  string        `json:",omitempty"` // of the session: latency to others does not count
	Automatic bool          `json:",omitempty"` // nobody asked; see GameSession.AutoBackfill
}

// TicketPlayer is one player of a ticket.
type TicketPlayer struct {
	ID         string
	Team       string               `json:",omitempty"` // once matched; of a backfill ticket always
	Attributes map[string]Attribute `json:",omitempty"`
	LatencyMS  map[string]int       `json:",omitempty"` // by location
}

// Attribute is a value of which exactly one member is set.
type Attribute struct {
	N   *float64           `json:",omitempty"`
	S   *string            `json:",omitempty"`
	SL  []string           `json:",omitzero"` // may be empty
	SDM map[string]float64 `json:",omitzero"` // likewise
}

// MatchSession is where the players of a ticket play.
type MatchSession struct {
	SessionID GameSessionID
	Address   string
	DNSName   string
	Port      int
	Placed    []PlacedPlayer // those of the ticket
}

// RecentWaits is how long tickets of a matchmaker waited that were matched
// lately (flexmatch 10.3).
type RecentWaits struct {
	Region        string
	Configuration string
	Slots         []WaitSlot // the oldest first
}

// WaitSlot sums up the tickets that were matched in some seconds.
type WaitSlot struct {
	From    int64 // when it begins, in seconds since 1970
	Tickets int
	Total   time.Duration // of their waits
}

// Seeker is a player who is in a live ticket, which is at most one in each
// region (flexmatch 10.2).
type Seeker struct {
	Region   string
	PlayerID string
	TicketID TicketID
}

// MatchStatus is how far a match is that is not done.
type MatchStatus string

const (
	MatchProposed MatchStatus = "PROPOSED" // its players are asked
	MatchPlacing  MatchStatus = "PLACING"  // it waits for its game session
)

// Match is a set of tickets with a team for every player, from when it was
// found until its tickets are done with it.
type Match struct {
	ID            MatchID
	Region        string
	Account       string
	Configuration string
	Status        MatchStatus
	FoundAt       time.Time
	AnswerBy      time.Time // a PROPOSED match is dropped then
	Tickets       []TicketID
	Seats         []MatchSeat
	MaxPlayers    int       // seats of its game session
	Data          string    // matchmaker data (flexmatch 15)
	NotedAt       time.Time `json:",omitzero"`  // of the last event about it
	Backfill      TicketID  `json:",omitempty"` // the one among Tickets that is a backfill ticket
	Follower      TicketID  `json:",omitempty"` // the automatic backfill ticket to be made once it is placed

	// Evaluations are those of its tickets while they waited. Who proposes it
	// moves them to the tickets.
	Evaluations map[TicketID][]RuleCount `json:",omitempty"`
}

// MatchSeat is a player in a match.
type MatchSeat struct {
	Ticket   TicketID
	PlayerID string
	Team     string
	Accepted *bool `json:",omitempty"` // the answer; nil while there is none
}
