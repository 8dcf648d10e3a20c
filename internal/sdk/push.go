package sdk

import "time"

// Push is something the host tells a process without being asked. Clients do
// not answer pushes; see [Door.Push] for what the door does about it.
type Push interface{ push() string }

// CreateGameSession gives the process the one game session it will host.
type CreateGameSession struct {
	GameSessionID             string // the full ARN
	GameSessionName           string
	GameSessionData           string
	MaximumPlayerSessionCount int
	IPAddress                 string
	DNSName                   string
	Port                      int // the port the process itself listens on
	MatchmakerData            string
	GameProperties            map[string]string
}

// UpdateGameSession tells the process what matchmaking changed.
type UpdateGameSession struct {
	GameSession      GameSession
	UpdateReason     string // MATCHMAKING_DATA_UPDATED, BACKFILL_FAILED, BACKFILL_TIMED_OUT, BACKFILL_CANCELLED
	BackfillTicketID string
}

// GameSession is the game session inside an [UpdateGameSession].
type GameSession struct {
	GameSessionID             string
	Name                      string
	FleetID                   string
	Location                  string
	GameSessionData           string
	MaximumPlayerSessionCount int
	IPAddress                 string
	DNSName                   string
	Port                      int
	MatchmakerData            string
	GameProperties            map[string]string
	Status                    string
	StatusReason              string
}

// TerminateProcess asks the process to finish.
type TerminateProcess struct {
	TerminationTime time.Time // when it will be killed
}

// RefreshConnection asks the process to open a new socket, then to close this
// one: before a token runs out, or when the door moves. C++ ignores it before
// ProcessReady.
type RefreshConnection struct {
	Endpoint string // ws:// or wss:// URL
	Token    string // a secret
}

func (CreateGameSession) push() string { return "CreateGameSession" }
func (UpdateGameSession) push() string { return "UpdateGameSession" }
func (TerminateProcess) push() string  { return "TerminateProcess" }
func (RefreshConnection) push() string { return "RefreshConnection" }
