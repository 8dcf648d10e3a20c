package serversdk

import "time"

// A GameSession is the game the process was given to host.
type GameSession struct {
	GameSessionID             string // its ARN
	Name                      string
	FleetID                   string
	MaximumPlayerSessionCount int
	IPAddress                 string
	DNSName                   string
	Port                      int
	GameSessionData           string            // as given by whoever created the session
	GameProperties            map[string]string // likewise
	MatchmakerData            string            // JSON, if matchmaking made the session
	Location                  string            // in an update only
	Status                    string            // in an update only
	StatusReason              string            // in an update only
}

// Reasons of a [GameSessionUpdate].
const (
	MatchmakingDataUpdated = "MATCHMAKING_DATA_UPDATED"
	BackfillFailed         = "BACKFILL_FAILED"
	BackfillTimedOut       = "BACKFILL_TIMED_OUT"
	BackfillCancelled      = "BACKFILL_CANCELLED"
)

// A GameSessionUpdate says what matchmaking did to the game session.
type GameSessionUpdate struct {
	GameSession      GameSession
	UpdateReason     string
	BackfillTicketID string
}

// PlayerSessionPolicy says whether new players may be sent.
type PlayerSessionPolicy string

// The two policies.
const (
	AcceptAll PlayerSessionPolicy = "ACCEPT_ALL"
	DenyAll   PlayerSessionPolicy = "DENY_ALL"
)

// DescribePlayerSessionsRequest asks by exactly one of the three ids.
type DescribePlayerSessionsRequest struct {
	GameSessionID   string
	PlayerSessionID string
	PlayerID        string
	StatusFilter    string // RESERVED, ACTIVE, COMPLETED, TIMEDOUT; empty for all
	NextToken       string // from the page before
	Limit           int    // sessions in a page; 0 leaves it to the service
}

// PlayerSessions is one page of an answer.
type PlayerSessions struct {
	Sessions  []PlayerSession
	NextToken string // empty on the last page
}

// A PlayerSession is one player's place in a game session.
type PlayerSession struct {
	PlayerSessionID string
	PlayerID        string
	GameSessionID   string
	FleetID         string
	PlayerData      string
	IPAddress       string
	DNSName         string
	Port            int
	Status          string
	CreationTime    time.Time
	TerminationTime time.Time // zero while the session is not over
}

// What follows is the wire form (server-sdk A.2 to A.4).

type activateServerProcess struct {
	SDKVersion  string `json:"SdkVersion"`
	SDKLanguage string `json:"SdkLanguage"`
	ToolName    string `json:"SdkToolName,omitempty"`
	ToolVersion string `json:"SdkToolVersion,omitempty"`
	Port        int
	LogPaths    []string `json:",omitempty"`
}

type heartbeatServerProcess struct{ HealthStatus bool }

type sessionCall struct {
	GameSessionID       string              `json:"GameSessionId"`
	PlayerSessionID     string              `json:"PlayerSessionId,omitempty"`
	PlayerSessionPolicy PlayerSessionPolicy `json:",omitempty"`
}

type describePlayerSessions struct {
	GameSessionID             string `json:"GameSessionId,omitempty"`
	PlayerSessionID           string `json:"PlayerSessionId,omitempty"`
	PlayerID                  string `json:"PlayerId,omitempty"`
	PlayerSessionStatusFilter string `json:",omitempty"`
	NextToken                 string `json:",omitempty"`
	Limit                     int    `json:",omitempty"`
}

type describeReply struct {
	NextToken      string
	PlayerSessions []struct {
		PlayerSessionID string `json:"PlayerSessionId"`
		PlayerID        string `json:"PlayerId"`
		GameSessionID   string `json:"GameSessionId"`
		FleetID         string `json:"FleetId"`
		PlayerData      string
		IPAddress       string `json:"IpAddress"`
		DNSName         string `json:"DnsName"`
		Port            int
		CreationTime    int64
		TerminationTime int64
		Status          string
	}
}

func (r describeReply) sessions() PlayerSessions {
	page := PlayerSessions{NextToken: r.NextToken}
	for _, s := range r.PlayerSessions {
		page.Sessions = append(page.Sessions, PlayerSession{
			PlayerSessionID: s.PlayerSessionID, PlayerID: s.PlayerID, GameSessionID: s.GameSessionID, FleetID: s.FleetID,
			PlayerData: s.PlayerData, IPAddress: s.IPAddress, DNSName: s.DNSName, Port: s.Port, Status: s.Status,
			CreationTime: fromEpochMS(s.CreationTime), TerminationTime: fromEpochMS(s.TerminationTime),
		})
	}
	return page
}

func fromEpochMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// head is what every frame of the service has; a push has no RequestId.
type head struct {
	Action       string
	RequestID    string `json:"RequestId"`
	StatusCode   int
	ErrorMessage string
}

type createGameSession struct {
	sessionFacts
	GameSessionName string
}

type updateGameSession struct {
	GameSession struct {
		sessionFacts
		Name         string
		FleetID      string `json:"FleetId"`
		Location     string
		Status       string
		StatusReason string
	}
	UpdateReason     string
	BackfillTicketID string `json:"BackfillTicketId"`
}

type terminateProcess struct{ TerminationTime int64 } // epoch ms

type refreshConnection struct {
	RefreshConnectionEndpoint string
	AuthToken                 string
}

type sessionFacts struct {
	GameSessionID             string `json:"GameSessionId"`
	GameSessionData           string
	MaximumPlayerSessionCount int
	Port                      int
	IPAddress                 string `json:"IpAddress"`
	DNSName                   string `json:"DnsName"`
	MatchmakerData            string
	GameProperties            map[string]string
}

func (f sessionFacts) session() GameSession {
	return GameSession{
		GameSessionID: f.GameSessionID, MaximumPlayerSessionCount: f.MaximumPlayerSessionCount,
		IPAddress: f.IPAddress, DNSName: f.DNSName, Port: f.Port,
		GameSessionData: f.GameSessionData, GameProperties: f.GameProperties, MatchmakerData: f.MatchmakerData,
	}
}
