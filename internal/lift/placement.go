package lift

import "time"

// Queue lists where game sessions may be placed, and how (behaviour 8).
type Queue struct {
	Name               string
	Region             string
	Account            string
	TimeoutSeconds     int
	Destinations       []string        // ARNs of fleets and aliases, in order
	LatencyPolicies    []LatencyPolicy `json:",omitempty"` // by rising cap
	AllowedLocations   []string        `json:",omitempty"` // where it may place; empty: anywhere
	PriorityOrder      []PriorityKey   `json:",omitempty"` // what counts first; empty: as behaviour 8.5 says
	LocationOrder      []string        `json:",omitempty"` // for the key LOCATION
	CustomEventData    string
	NotificationTarget string
	CreatedAt          time.Time
	Tags               map[string]string `json:",omitempty"`
}

// ARN returns the queue's ARN.
func (q *Queue) ARN() string { return QueueARN(q.Region, q.Account, q.Name) }

// PriorityKey is something by which the places of a queue are put in order.
type PriorityKey string

const (
	ByLatency     PriorityKey = "LATENCY"
	ByCost        PriorityKey = "COST"
	ByDestination PriorityKey = "DESTINATION"
	ByLocation    PriorityKey = "LOCATION"
)

// LatencyPolicy caps the latency of every player for a while.
type LatencyPolicy struct {
	MaxMS           int
	DurationSeconds int // 0: until the end
}

// PlacementStatus is a state of a placement.
type PlacementStatus string

const (
	PlacementPending   PlacementStatus = "PENDING"
	PlacementFulfilled PlacementStatus = "FULFILLED"
	PlacementCancelled PlacementStatus = "CANCELLED"
	PlacementTimedOut  PlacementStatus = "TIMED_OUT"
	PlacementFailed    PlacementStatus = "FAILED"
)

// Placement is the wish for a game session, somewhere.
type Placement struct {
	ID             PlacementID
	Region         string
	Account        string
	Queue          string // its name
	Status         PlacementStatus
	Name           string
	MaxPlayers     int
	Properties     []Property      `json:",omitempty"`
	Data           string          `json:",omitempty"`
	MatchmakerData string          `json:",omitempty"`
	Match          string          `json:",omitempty"` // the key of the match it was made for
	Matchmaker     string          `json:",omitempty"` // the key of that match's configuration
	Players        []DesiredPlayer `json:",omitempty"`
	Latencies      []PlayerLatency `json:",omitempty"`
	Locations      []string        `json:",omitempty"` // the caller's own order; see OnlyThose
	OnlyThose      bool            `json:",omitempty"` // no others when none of Locations has a place; else the queue's order follows
	StartedAt      time.Time
	Deadline       time.Time // TIMED_OUT then
	TryAt          time.Time // the next attempt; zero while an attempt is under way
	Attempts       int
	SessionID      GameSessionID // the attempt under way, or the result
	Avoid          []ProcessID   `json:",omitempty"` // processes that failed it
	Skips          []Skip        `json:",omitempty"` // why the last attempt found no place
	Address        string
	DNSName        string
	Port           int
	Placed         []PlacedPlayer `json:",omitempty"`
	EndedAt        time.Time
	KeepUntil      time.Time
	NotedAt        time.Time `json:",omitzero"` // of the last event about it, or about one of its id before
	Reason         string
	Request        string // digest of the request, to recognise a repeated one
}

// DesiredPlayer is a player to reserve a slot for.
type DesiredPlayer struct {
	PlayerID string
	Data     string `json:",omitempty"`
}

// PlayerLatency is how far a player is from a region.
type PlayerLatency struct {
	PlayerID string
	Region   string
	MS       float64
}

// PlacedPlayer is the slot a player got.
type PlacedPlayer struct {
	PlayerID        string
	PlayerSessionID PlayerSessionID
}

// Skip is a place that a decision passed over, and why.
type Skip struct {
	Place  string // a destination ARN, an instance or a process
	Reason string // a few fixed words, fit to count
	Detail string `json:",omitempty"`
}
