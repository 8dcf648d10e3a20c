package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/notify/event"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Arrived wakes whoever drives the matchmaking pools: a ticket waits to be
// taken into one. A wake-up may be lost without harm.
func (e *Engine) Arrived() <-chan struct{} { return e.arrived }

// Propose saves a match that was found of tickets that all search, and moves
// them: to their players, to a queue, or to their end, as the configuration has
// it.
func (tx *Tx) Propose(c *lift.MatchmakingConfiguration, m *lift.Match, ts []*lift.Ticket) error {
	m.FoundAt = tx.Now
	for _, t := range ts {
		t.Evaluations = addCounts(t.Evaluations, m.Evaluations[t.ID])
	}
	m.Evaluations = nil
	tx.countTickets("MatchesCreated", 1, ts...)
	for _, t := range ts {
		tx.countTickets("TimeToMatch", 1, t)
	}
	if err := tx.tell(m, ts, func(n event.News) event.Event { return n.Created(m, ts) }); err != nil {
		return err
	}
	if !c.AcceptanceRequired {
		return tx.goOn(m, ts)
	}
	m.Status, m.AnswerBy = lift.MatchProposed, tx.Now.Add(time.Duration(c.AcceptanceTimeoutSeconds)*time.Second)
	for _, t := range ts {
		t.Status, t.Match, t.Reason, t.Message = lift.TicketRequiresAcceptance, m.ID, "", ""
		seat(t, m)
		if err := store.Tickets.Put(tx, t); err != nil {
			return err
		}
	}
	return store.Matches.Put(tx, m)
}

// seat notes the teams of a ticket's players. One who left a match and asks again
// may be in it twice: also among those that its backfill ticket lists.
func seat(t *lift.Ticket, m *lift.Match) {
	for i := range t.Players {
		p := &t.Players[i]
		for _, s := range m.Seats {
			if s.Ticket == t.ID && s.PlayerID == p.ID {
				p.Team = s.Team
			}
		}
	}
}

// goOn does what comes after a match was made and, where asked for, accepted:
// its placement, its entry into a game session that runs, or nothing more
// (flexmatch 13 and 14).
func (tx *Tx) goOn(m *lift.Match, ts []*lift.Ticket) error {
	c, err := tx.configurationOf(ts[0])
	if err != nil {
		return err
	}
	for _, t := range ts {
		t.Match, t.Reason, t.Message = m.ID, "", ""
		seat(t, m)
	}
	if m.Backfill == "" {
		q, err := tx.firstQueue(c.Queues)
		if err != nil {
			return err
		}
		if q != nil {
			return tx.placeMatch(c, q, m, ts)
		}
	}
	if m.Status != "" { // it was saved, for its players to answer
		if err := store.Matches.Delete(tx, store.InRegion(m.Region, string(m.ID))); err != nil {
			return err
		}
	}
	switch {
	case c.Mode == lift.Standalone:
		return tx.succeed(m, ts)
	case m.Backfill != "":
		return tx.backfill(m, ts)
	}
	if err := tx.tellFailed(m, ts, reasonPlacement, "None of the queues of the matchmaking configuration exists."); err != nil {
		return err
	}
	for _, t := range ts {
		if err := tx.EndTicket(t, lift.TicketFailed, t.Reason, t.Message); err != nil {
			return err
		}
	}
	return nil
}

// succeed ends the tickets of a match that is made.
func (tx *Tx) succeed(m *lift.Match, ts []*lift.Ticket) error {
	if err := tx.tell(m, ts, func(n event.News) event.Event { return n.Succeeded(m, ts) }); err != nil {
		return err
	}
	for _, t := range ts {
		if err := tx.EndTicket(t, lift.TicketCompleted, "", ""); err != nil {
			return err
		}
	}
	return nil
}

// placeMatch asks the queue for the game session of a match.
func (tx *Tx) placeMatch(c *lift.MatchmakingConfiguration, q *lift.Queue, m *lift.Match, ts []*lift.Ticket) error {
	m.Status = lift.MatchPlacing
	if c.Backfill == lift.BackfillAutomatic {
		// The game server finds the id in the data that it starts with; the ticket
		// is made when the session is ACTIVE.
		if len(m.Seats) < m.MaxPlayers-c.AdditionalPlayers {
			m.Follower = lift.TicketID(tx.NewID())
		}
		m.Data = withAutoBackfill(m.Data, m.Follower)
	}
	p := placementOf(tx.Now, c, q, m, ts)
	tx.CountPlacement("PlacementsStarted", p)
	if err := store.Placements.Put(tx, p); err != nil {
		return err
	}
	if err := store.Matches.Put(tx, m); err != nil {
		return err
	}
	for _, t := range ts {
		t.Status = lift.TicketPlacing
		if err := store.Tickets.Put(tx, t); err != nil {
			return err
		}
	}
	return nil
}

// backfill brings the new players of a match into the game session that wants
// them. If that takes them no more, its ticket fails and they search again:
// another match may do.
func (tx *Tx) backfill(m *lift.Match, ts []*lift.Ticket) error {
	joined, err := tx.joinSession(m, ts)
	if err != nil || joined {
		return err
	}
	for _, t := range ts {
		if t.Backfill == nil {
			if err := tx.searchAgain(t, reasonPlacement, "The game session of the match took no new players any more."); err != nil {
				return err
			}
			continue
		}
		if err := tx.tellFailed(m, []*lift.Ticket{t}, reasonPlacement, "The game session has no room for the players that were found: its slots are taken, or its policy is DENY_ALL."); err != nil {
			return err
		}
		if err := tx.EndTicket(t, lift.TicketFailed, t.Reason, t.Message); err != nil {
			return err
		}
	}
	return nil
}

// firstQueue returns the first of the queues that exists, nil if none does.
func (tx *Tx) firstQueue(arns []string) (*lift.Queue, error) {
	for _, arn := range arns {
		q, ok, err := store.Queues.Get(tx, store.InRegion(lift.ARNRegion(arn), lift.Resource(arn, "gamesessionqueue")))
		if err != nil || ok {
			return q, err
		}
	}
	return nil, nil
}

// placementOf is the wish for the game session of a match. Its id is the
// match's, so that it is made once.
func placementOf(now time.Time, c *lift.MatchmakingConfiguration, q *lift.Queue, m *lift.Match, ts []*lift.Ticket) *lift.Placement {
	p := &lift.Placement{
		ID: lift.PlacementID(m.ID), Region: q.Region, Account: q.Account, Queue: q.Name, Status: lift.PlacementPending,
		MaxPlayers: m.MaxPlayers, Properties: c.Properties, Data: c.Data, MatchmakerData: m.Data,
		Match: store.InRegion(m.Region, string(m.ID)), Matchmaker: store.InRegion(c.Region, c.Name), StartedAt: now, TryAt: now,
		Deadline: now.Add(time.Duration(q.TimeoutSeconds) * time.Second),
	}
	for _, s := range m.Seats {
		p.Players = append(p.Players, lift.DesiredPlayer{PlayerID: s.PlayerID})
	}
	for _, t := range ts {
		for _, pl := range t.Players {
			for _, location := range slices.Sorted(maps.Keys(pl.LatencyMS)) {
				p.Latencies = append(p.Latencies, lift.PlayerLatency{PlayerID: pl.ID, Region: location, MS: float64(pl.LatencyMS[location])})
			}
		}
	}
	return p
}

// placementEnded saves a placement that is done and, if it was made for a
// match, tells the match's tickets in the same transaction (flexmatch 13).
func (tx *Tx) placementEnded(p *lift.Placement) error {
	if err := tx.tellPlacement(p); err != nil {
		return err
	}
	if err := store.Placements.Put(tx, p); err != nil || p.Match == "" {
		return err
	}
	m, ok, err := store.Matches.Get(tx, p.Match)
	if !ok {
		return err
	}
	ts, err := tx.ticketsOf(m)
	if err != nil {
		return err
	}
	switch p.Status {
	case lift.PlacementFulfilled:
		tx.countTickets("MatchesPlaced", 1, ts...)
		for _, t := range ts {
			t.Session = &lift.MatchSession{SessionID: p.SessionID, Address: p.Address, DNSName: p.DNSName, Port: p.Port}
			for _, pl := range p.Placed {
				if t.Holds(pl.PlayerID) {
					t.Session.Placed = append(t.Session.Placed, pl)
				}
			}
		}
		err = tx.tell(m, ts, func(n event.News) event.Event { return n.Succeeded(m, ts) })
	case lift.PlacementTimedOut: // each ticket's search is told when it begins
	default:
		err = tx.tellFailed(m, ts, reasonPlacement, "The match could not be placed: "+p.Reason+".")
	}
	if err != nil {
		return err
	}
	for _, t := range ts {
		switch p.Status {
		case lift.PlacementFulfilled:
			err = tx.EndTicket(t, lift.TicketCompleted, "", "")
		case lift.PlacementTimedOut:
			err = tx.searchAgain(t, reasonPlaceTime, "The match could not be placed in time: "+p.Reason+".")
		default:
			err = tx.EndTicket(t, lift.TicketFailed, t.Reason, t.Message)
		}
		if err != nil {
			return err
		}
	}
	return store.Matches.Delete(tx, p.Match)
}

// offerSeats makes the first automatic backfill ticket of a session that has
// just become ACTIVE, if its match left seats open (flexmatch 14). It is told
// the match and tickets as they were when the session was asked for.
func (tx *Tx) offerSeats(s *lift.GameSession, m *lift.Match, ts []*lift.Ticket) error {
	s.AutoBackfill = true
	t, err := tx.follower(s, m.Follower, playersOf(m, ts))
	if t == nil {
		return err
	}
	return tx.AddTicket(t)
}
