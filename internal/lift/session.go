package lift

import "time"

// ProcessState is how far a server process is, as the service knows it. The
// clocks between the states are its agent's (behaviour 2.6).
type ProcessState string

const (
	ProcessInitializing ProcessState = "INITIALIZING" // launched, InitSDK not seen yet
	ProcessActivating   ProcessState = "ACTIVATING"   // InitSDK seen, not ready yet
	ProcessIdle         ProcessState = "IDLE"         // ready, no game session
	ProcessHosting      ProcessState = "HOSTING"      // has a game session
	ProcessUsed         ProcessState = "USED"         // its game session ended; not ready again yet
	ProcessTerminating  ProcessState = "TERMINATING"  // told to end, or said that it ends
	ProcessGone         ProcessState = "TERMINATED"   // exited; remembered for a while
)

// Process is one run of a game server executable.
type Process struct {
	ID          ProcessID
	InstanceID  InstanceID
	FleetID     FleetID
	Region      string
	Location    string
	State       ProcessState
	Unhealthy   bool // its last health report said no, or none came in time
	LaunchPath  string
	Parameters  string
	OSPID       int
	Address     string // its instance's
	DNSName     string
	Port        int      // as it reported; 0 until ready
	LogPaths    []string `json:",omitempty"`
	SDKVersion  string
	SDKLanguage string
	SessionID   GameSessionID // HOSTING and later
	StartedAt   time.Time
	ReadyAt     time.Time
	EndedAt     time.Time
	Exit        string // how it ended, in words
}

// GameSessionStatus is a state of behaviour 3.1.
type GameSessionStatus string

const (
	SessionActivating  GameSessionStatus = "ACTIVATING"
	SessionActive      GameSessionStatus = "ACTIVE"
	SessionTerminating GameSessionStatus = "TERMINATING"
	SessionTerminated  GameSessionStatus = "TERMINATED"
	SessionError       GameSessionStatus = "ERROR"
)

// Live reports whether a session in this state holds its process.
func (s GameSessionStatus) Live() bool {
	return s == SessionActivating || s == SessionActive || s == SessionTerminating
}

// PlayerPolicy says whether a game session takes new players.
type PlayerPolicy string

const (
	AcceptAll PlayerPolicy = "ACCEPT_ALL"
	DenyAll   PlayerPolicy = "DENY_ALL"
)

// Property is a key and value that callers attach to a game session.
type Property struct{ Key, Value string }

// GameSession is one game on one process.
type GameSession struct {
	ID             GameSessionID
	FleetID        FleetID
	Region         string
	Location       string
	InstanceID     InstanceID
	ProcessID      ProcessID
	Name           string
	Status         GameSessionStatus
	StatusReason   string
	MaxPlayers     int
	PlayerCount    int // RESERVED + ACTIVE; the row that guards the slots
	Policy         PlayerPolicy
	Protection     Protection
	CreatorID      string
	Properties     []Property `json:",omitempty"`
	Data           string     `json:",omitempty"`
	MatchmakerData string     `json:",omitempty"`
	Address        string
	DNSName        string
	Port           int
	CreatedAt      time.Time
	ActivateBy     time.Time // ACTIVATING sessions end then
	EndedAt        time.Time
	Ended          string      // why, in words
	KeepUntil      time.Time   // an ended session is forgotten then (behaviour 3.5)
	PlacementID    PlacementID // the placement it was made for, if any
	Queue          string      // and its queue
	QueueRegion    string      // where both are
	Request        string      // digest of the request, to recognise a repeated one
	Capped         bool        // it is counted in its instance's Activating

	// Of a session that hosts a match (flexmatch 14):
	Matchmaker     string `json:",omitempty"` // the configuration that made the match: region/name
	AutoBackfill   bool   `json:",omitempty"` // its open seats are offered to the matchmaker by themselves
	BackfillTicket string `json:",omitempty"` // its backfill ticket that is not done: region/id; one at a time
}

// PlayerSessionStatus is a state of behaviour 4.
type PlayerSessionStatus string

const (
	PlayerReserved  PlayerSessionStatus = "RESERVED"
	PlayerActive    PlayerSessionStatus = "ACTIVE"
	PlayerCompleted PlayerSessionStatus = "COMPLETED"
	PlayerTimedOut  PlayerSessionStatus = "TIMEDOUT"
)

// Live reports whether a player in this state holds a slot.
func (s PlayerSessionStatus) Live() bool { return s == PlayerReserved || s == PlayerActive }

// PlayerSession is one slot held by one player.
type PlayerSession struct {
	ID            PlayerSessionID
	PlayerID      string
	GameSessionID GameSessionID
	FleetID       FleetID
	Region        string
	Status        PlayerSessionStatus
	Data          string `json:",omitempty"`
	Address       string
	DNSName       string
	Port          int
	CreatedAt     time.Time
	ReservedUntil time.Time // RESERVED sessions time out then
	EndedAt       time.Time
	KeepUntil     time.Time
}

// Creator remembers when somebody created game sessions on a fleet, within the
// window of the fleet's limit (behaviour 2.16).
type Creator struct {
	FleetID   FleetID
	CreatorID string
	Times     []time.Time
	KeepUntil time.Time
}
