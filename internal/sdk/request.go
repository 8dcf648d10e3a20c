package sdk

import "time"

// Request is one thing a process asks for; the types below are all there are.
// The comment of each names the Reply it wants; most want none.
type Request interface{ Action() string }

// Reply is what a request returns besides success. A nil Reply is success.
type Reply interface{ reply() }

// ActivateServerProcess is ProcessReady: the process is up and wants to be
// given a game session.
type ActivateServerProcess struct {
	SDKVersion  string
	SDKLanguage string
	ToolName    string // a plugin or wrapper that speaks for the game; may be empty
	ToolVersion string
	Port        int // where players will connect, 1 to 60000; as sent, unchecked
	LogPaths    []string
}

// HeartbeatServerProcess comes at once after activation, then every 60 s, give
// or take 10 s (server-sdk A.5). After a reconnect several may come in a burst.
type HeartbeatServerProcess struct {
	Healthy bool // false when the client left it out, as Go 5.0 does
}

// ActivateGameSession says that the game session given to the process is ready
// for players. It is also the only proof that CreateGameSession arrived.
type ActivateGameSession struct{ GameSessionID string }

// AcceptPlayerSession says that a player has shown this player session id.
type AcceptPlayerSession struct{ GameSessionID, PlayerSessionID string }

// RemovePlayerSession says that a player has left.
type RemovePlayerSession struct{ GameSessionID, PlayerSessionID string }

// UpdatePlayerSessionCreationPolicy opens or closes the door for new players.
type UpdatePlayerSessionCreationPolicy struct {
	GameSessionID string
	Policy        string // ACCEPT_ALL or DENY_ALL; as sent, unchecked
}

// DescribePlayerSessions reads player sessions by one of three keys. Its Reply
// is [PlayerSessions].
type DescribePlayerSessions struct {
	GameSessionID   string
	PlayerSessionID string
	PlayerID        string
	StatusFilter    string // RESERVED, ACTIVE, COMPLETED, TIMEDOUT or empty
	NextToken       string
	Limit           int // 0 when the client named none; clients hold 1024 at most
}

// StartMatchBackfill asks for more players for the match that the process
// hosts. Its Reply is [BackfillTicket].
type StartMatchBackfill struct {
	GameSessionARN   string
	ConfigurationARN string // of the matchmaker
	TicketID         string // empty has one made
	Players          []Player
}

// StopMatchBackfill takes a StartMatchBackfill back.
type StopMatchBackfill struct {
	GameSessionARN   string
	ConfigurationARN string
	TicketID         string
}

// Player is a player of the match that wants more.
type Player struct {
	PlayerID   string
	Team       string
	Attributes map[string]Attribute
	LatencyMS  map[string]int // by region
}

// Attribute is a player's value; Type says which member holds it.
type Attribute struct {
	Type string // STRING, DOUBLE, STRING_LIST or STRING_DOUBLE_MAP
	S    string
	N    float64
	SL   []string
	SDM  map[string]float64
}

// GetComputeCertificate asks where the TLS certificate of the compute lies. The
// door answers it itself, with the empty strings that stand for "TLS is off".
type GetComputeCertificate struct{}

// TerminateServerProcess is ProcessEnding: the process is done and will exit.
type TerminateServerProcess struct{}

// Action is the request's name on the wire.
func (ActivateServerProcess) Action() string             { return "ActivateServerProcess" }
func (HeartbeatServerProcess) Action() string            { return "HeartbeatServerProcess" }
func (ActivateGameSession) Action() string               { return "ActivateGameSession" }
func (AcceptPlayerSession) Action() string               { return "AcceptPlayerSession" }
func (RemovePlayerSession) Action() string               { return "RemovePlayerSession" }
func (UpdatePlayerSessionCreationPolicy) Action() string { return "UpdatePlayerSessionCreationPolicy" }
func (DescribePlayerSessions) Action() string            { return "DescribePlayerSessions" }
func (StartMatchBackfill) Action() string                { return "StartMatchBackfill" }
func (StopMatchBackfill) Action() string                 { return "StopMatchBackfill" }
func (GetComputeCertificate) Action() string             { return "GetComputeCertificate" }
func (TerminateServerProcess) Action() string            { return "TerminateServerProcess" }

// PlayerSessions answers [DescribePlayerSessions].
type PlayerSessions struct {
	Sessions  []PlayerSession
	NextToken string // empty on the last page
}

// PlayerSession is a player's place in a game session as the game server sees it.
type PlayerSession struct {
	PlayerSessionID string
	PlayerID        string
	GameSessionID   string
	FleetID         string
	PlayerData      string
	IPAddress       string
	DNSName         string
	Port            int
	CreationTime    time.Time // sent as whole milliseconds
	TerminationTime time.Time // zero while the session is not over
	Status          string
}

// ComputeCertificate answers [GetComputeCertificate].
type ComputeCertificate struct {
	CertificatePath string // empty when the fleet has no TLS
	ComputeName     string
}

// BackfillTicket answers [StartMatchBackfill].
type BackfillTicket struct{ TicketID string }

func (PlayerSessions) reply()     {}
func (BackfillTicket) reply()     {}
func (ComputeCertificate) reply() {}
