package session

import (
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Want describes a game session to be opened on a process.
type Want struct {
	ID             lift.GameSessionID
	Name           string
	MaxPlayers     int
	Protection     lift.Protection
	CreatorID      string
	Properties     []lift.Property
	Data           string
	MatchmakerData string
	Matchmaker     string
	PlacementID    lift.PlacementID
	Queue          string
	QueueRegion    string
	Request        string        // digest to recognise a repeated request
	Timeout        time.Duration // how long it may stay ACTIVATING
	Capped         bool          // it counts in its instance's Activating
}

// Reserve gives an idle process its game session, ACTIVATING, and asks the
// agent to start it.
func Reserve(now time.Time, p lift.Process, w Want) (State, []lift.Effect, error) {
	if err := move(&p, onReserved); err != nil {
		return State{Process: p}, nil, err
	}
	p.SessionID = w.ID
	s := lift.GameSession{
		ID: w.ID, FleetID: p.FleetID, Region: p.Region, Location: p.Location, InstanceID: p.InstanceID, ProcessID: p.ID,
		Name: w.Name, Status: lift.SessionActivating, MaxPlayers: w.MaxPlayers, Policy: lift.AcceptAll,
		Protection: w.Protection, CreatorID: w.CreatorID, Properties: w.Properties, Data: w.Data,
		MatchmakerData: w.MatchmakerData, Matchmaker: w.Matchmaker, Address: p.Address, DNSName: p.DNSName, Port: p.Port,
		CreatedAt: now, ActivateBy: now.Add(w.Timeout), PlacementID: w.PlacementID, Queue: w.Queue, QueueRegion: w.QueueRegion,
		Request: w.Request, Capped: w.Capped,
	}
	start := lift.Effect{To: lift.ToAgent(p.InstanceID), StartSession: &lift.StartSession{Session: s}}
	return State{Process: p, Session: &s}, []lift.Effect{start}, nil
}

// Seat is a player who wants a slot.
type Seat struct {
	ID       lift.PlayerSessionID
	PlayerID string
	Data     string
}

// Admit reserves a slot for every seat, or for none (behaviour 4). A player
// may hold several.
func Admit(now time.Time, s lift.GameSession, seats []Seat) (lift.GameSession, []lift.PlayerSession, error) {
	switch {
	case s.Status != lift.SessionActive:
		return s, nil, lift.Errorf(lift.InvalidGameSessionStatus, "game session %s is %s; players can join an ACTIVE one", s.ID, s.Status)
	case s.Policy == lift.DenyAll:
		return s, nil, lift.Errorf(lift.InvalidGameSessionStatus, "game session %s takes no new players now: its policy is DENY_ALL", s.ID)
	}
	return seat(now, s, seats)
}

// Place gives the players of a placement their slots in the session that was
// opened for it and has just become ACTIVE. Their 60 seconds start now.
func Place(now time.Time, s lift.GameSession, seats []Seat) (lift.GameSession, []lift.PlayerSession, error) {
	return seat(now, s, seats)
}

// Join adds the players of a backfill to a session that runs, and replaces its
// matchmaker data (flexmatch 14). The server is told by Updated.
func Join(now time.Time, s lift.GameSession, seats []Seat, data string) (lift.GameSession, []lift.PlayerSession, error) {
	s, players, err := Admit(now, s, seats)
	if err == nil {
		s.MatchmakerData = data
	}
	return s, players, err
}

// Reasons that a game server is given with an update (server-sdk A.4).
const (
	DataUpdated       = "MATCHMAKING_DATA_UPDATED"
	BackfillFailed    = "BACKFILL_FAILED"
	BackfillTimedOut  = "BACKFILL_TIMED_OUT"
	BackfillCancelled = "BACKFILL_CANCELLED"
)

// Updated tells the server of s what became of a backfill ticket.
func Updated(s lift.GameSession, reason string, t lift.TicketID) lift.Effect {
	return lift.Effect{To: lift.ToAgent(s.InstanceID), UpdateSession: &lift.UpdateSession{Session: s, Reason: reason, Ticket: string(t)}}
}

func seat(now time.Time, s lift.GameSession, seats []Seat) (lift.GameSession, []lift.PlayerSession, error) {
	if free := s.MaxPlayers - s.PlayerCount; len(seats) > free {
		return s, nil, lift.Errorf(lift.GameSessionFull, "game session %s has %d of %d slots free, %d wanted", s.ID, max(free, 0), s.MaxPlayers, len(seats))
	}
	players := make([]lift.PlayerSession, len(seats))
	for i, w := range seats {
		players[i] = lift.PlayerSession{
			ID: w.ID, PlayerID: w.PlayerID, Data: w.Data, GameSessionID: s.ID, FleetID: s.FleetID, Region: s.Region,
			Status: lift.PlayerReserved, Address: s.Address, DNSName: s.DNSName, Port: s.Port,
			CreatedAt: now, ReservedUntil: now.Add(Reservation),
		}
	}
	s.PlayerCount += len(seats)
	return s, players, nil
}
