package event

import (
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// The types of matchmaking events, in the order of a ticket's life.
const (
	MatchmakingSearching  = "MatchmakingSearching"
	PotentialMatchCreated = "PotentialMatchCreated"
	AcceptMatch           = "AcceptMatch"
	AcceptMatchCompleted  = "AcceptMatchCompleted"
	MatchmakingSucceeded  = "MatchmakingSucceeded"
	MatchmakingTimedOut   = "MatchmakingTimedOut"
	MatchmakingCancelled  = "MatchmakingCancelled"
	MatchmakingFailed     = "MatchmakingFailed"
)

// How an acceptance ended.
const (
	Accepted = "Accepted"
	Rejected = "Rejected"
	TimedOut = "TimedOut"
)

// MatchmakingDetail is the detail of a matchmaking event.
type MatchmakingDetail struct {
	Type               string       `json:"type"`
	MatchID            string       `json:"matchId,omitempty"`
	Reason             string       `json:"reason,omitempty"`
	Message            string       `json:"message,omitempty"`
	EstimatedWait      any          `json:"estimatedWaitMillis,omitempty"` // a whole number of seconds, whatever its name says, or notAvailable
	Acceptance         string       `json:"acceptance,omitempty"`
	AcceptanceRequired *bool        `json:"acceptanceRequired,omitempty"`
	AcceptanceTimeout  int          `json:"acceptanceTimeout,omitempty"` // seconds
	Tickets            []Ticket     `json:"tickets"`
	RuleEvaluations    []RuleCount  `json:"ruleEvaluationMetrics,omitempty"`
	GameSession        *GameSession `json:"gameSessionInfo"`
	CustomEventData    string       `json:"customEventData,omitempty"`
}

// Ticket is a ticket as events show it.
type Ticket struct {
	ID        string   `json:"ticketId"`
	StartTime string   `json:"startTime"`
	Players   []Player `json:"players"`
}

// Player is a player as events show it.
type Player struct {
	ID              string `json:"playerId"`
	Team            string `json:"team,omitempty"`
	Accepted        *bool  `json:"accepted,omitempty"`
	PlayerSessionID string `json:"playerSessionId,omitempty"`
}

// GameSession lists all players of the event, and says where they play once
// that is known.
type GameSession struct {
	ARN     string   `json:"gameSessionArn,omitempty"`
	Address string   `json:"ipAddress,omitempty"`
	DNSName string   `json:"dnsName,omitempty"`
	Port    int      `json:"port,omitempty"`
	Players []Player `json:"players"`
}

// RuleCount says how often a rule was evaluated, and how that went.
type RuleCount struct {
	Rule   string `json:"ruleName"`
	Passed int    `json:"passedCount"`
	Failed int    `json:"failedCount"`
}

const notAvailable = "NOT_AVAILABLE"

// News is what the events of one matchmaking configuration have in common.
type News struct {
	Configuration lift.MatchmakingConfiguration
	ID            string
	At            time.Time
}

// Searching says that a ticket entered the pool, or came back to it.
func (n News) Searching(t *lift.Ticket) Event {
	d := MatchmakingDetail{Type: MatchmakingSearching, EstimatedWait: notAvailable}
	if t.EstimatedWaitSeconds > 0 {
		d.EstimatedWait = t.EstimatedWaitSeconds
	}
	return n.event(d, nil, t)
}

// Created says that a match was found, which its players may have to accept.
func (n News) Created(m *lift.Match, ts []*lift.Ticket) Event {
	c := n.Configuration
	d := MatchmakingDetail{Type: PotentialMatchCreated, AcceptanceRequired: &c.AcceptanceRequired, RuleEvaluations: sum(ts)}
	if c.AcceptanceRequired {
		d.AcceptanceTimeout = c.AcceptanceTimeoutSeconds
	}
	return n.event(d, m, ts...)
}

// Answered says that players accepted or rejected a match.
func (n News) Answered(m *lift.Match, ts []*lift.Ticket) Event {
	return n.event(MatchmakingDetail{Type: AcceptMatch}, m, ts...)
}

// AcceptanceEnded says how: Accepted, Rejected or TimedOut.
func (n News) AcceptanceEnded(m *lift.Match, ts []*lift.Ticket, how string) Event {
	return n.event(MatchmakingDetail{Type: AcceptMatchCompleted, Acceptance: how}, m, ts...)
}

// Succeeded says that a match was made and, if it has a game session, where.
func (n News) Succeeded(m *lift.Match, ts []*lift.Ticket) Event {
	return n.event(MatchmakingDetail{Type: MatchmakingSucceeded}, m, ts...)
}

// Failed says that a match could not be placed, or with no match that a ticket
// cannot be matched. The tickets' reason is the event's.
func (n News) Failed(m *lift.Match, ts ...*lift.Ticket) Event {
	return n.event(MatchmakingDetail{Type: MatchmakingFailed, Reason: ts[0].Reason, Message: ts[0].Message}, m, ts...)
}

// Ended says that a ticket was cancelled or timed out, and why.
func (n News) Ended(t *lift.Ticket) Event {
	d := MatchmakingDetail{Type: MatchmakingCancelled, MatchID: string(t.Match), Reason: t.Reason, Message: t.Message, RuleEvaluations: sum([]*lift.Ticket{t})}
	if t.Status == lift.TicketTimedOut {
		d.Type = MatchmakingTimedOut
	}
	return n.event(d, nil, t)
}

// event completes the detail with the tickets, and with what the match says of
// their players.
func (n News) event(d MatchmakingDetail, m *lift.Match, ts ...*lift.Ticket) Event {
	d.CustomEventData = n.Configuration.CustomEventData
	d.GameSession = &GameSession{Players: []Player{}}
	if m != nil {
		d.MatchID = string(m.ID)
	}
	for _, t := range ts {
		et := Ticket{ID: string(t.ID), StartTime: Time(t.StartedAt), Players: []Player{}}
		for _, p := range t.Players {
			et.Players = append(et.Players, player(p, t, m))
		}
		d.Tickets = append(d.Tickets, et)
		d.GameSession.Players = append(d.GameSession.Players, et.Players...)
		if s := t.Session; s != nil {
			d.GameSession.ARN, d.GameSession.Address, d.GameSession.DNSName, d.GameSession.Port = string(s.SessionID), s.Address, s.DNSName, s.Port
		}
	}
	c := n.Configuration
	return envelope(Matchmaking, n.ID, c.Account, Time(n.At), c.Region, c.ARN(), d)
}

func player(p lift.TicketPlayer, t *lift.Ticket, m *lift.Match) Player {
	out := Player{ID: p.ID, Team: p.Team}
	if m != nil {
		if i := slices.IndexFunc(m.Seats, func(s lift.MatchSeat) bool { return s.Ticket == t.ID && s.PlayerID == p.ID }); i >= 0 {
			out.Team, out.Accepted = m.Seats[i].Team, m.Seats[i].Accepted
		}
	}
	if t.Session != nil {
		out.Accepted = nil
		if i := slices.IndexFunc(t.Session.Placed, func(pl lift.PlacedPlayer) bool { return pl.PlayerID == p.ID }); i >= 0 {
			out.PlayerSessionID = string(t.Session.Placed[i].PlayerSessionID)
		}
	}
	return out
}

// sum adds up the evaluations of tickets, rule by rule.
func sum(ts []*lift.Ticket) []RuleCount {
	var out []RuleCount
	for _, t := range ts {
		for _, c := range t.Evaluations {
			i := slices.IndexFunc(out, func(o RuleCount) bool { return o.Rule == c.Rule })
			if i < 0 {
				i = len(out)
				out = append(out, RuleCount{Rule: c.Rule})
			}
			out[i].Passed += c.Passed
			out[i].Failed += c.Failed
		}
	}
	return out
}
