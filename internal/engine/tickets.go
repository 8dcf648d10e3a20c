package engine

import (
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/notify/event"
	"github.com/chairlift-games/chairlift/internal/store"
)

// keepTickets is how long a ticket that is done can be described
// (flexmatch 10.3).
const keepTickets = 24 * time.Hour

// Reasons and messages of unusual changes of tickets (flexmatch 10.3).
const (
	reasonTimedOut   = "TimedOut"
	reasonCancelled  = "Cancelled"
	reasonRequeued   = "PlayerRequeued"
	reasonAcceptance = "AcceptanceFailed"
	reasonPlaceTime  = "PlacementTimedOut"
	reasonPlacement  = "PlacementFailed"
)

// AddTicket saves a new ticket for its matcher to find. Its players are in no
// other live ticket afterwards: an older one is cancelled, and one whose match
// is being placed is an error (flexmatch 10.2). Only an automatic backfill
// ticket, for which nobody asked, takes no player from another: it lists also
// those who left its match long ago.
func (tx *Tx) AddTicket(t *lift.Ticket) error {
	automatic := t.Backfill != nil && t.Backfill.Automatic
	if !automatic {
		// A refusal comes before anything is written: an event of a game server
		// that is refused commits with the others of its batch.
		if err := tx.mayLeave(t); err != nil {
			return err
		}
		if t.Backfill != nil && t.Backfill.SessionID != "" {
			if err := tx.claimSession(t); err != nil {
				return err
			}
		}
	}
	var left []lift.TicketID
	for _, p := range t.Players {
		old, ok, err := store.Seekers.Get(tx, store.PlayerKey(t.Region, p.ID))
		if err != nil {
			return err
		}
		if ok && automatic {
			continue
		}
		if ok {
			left = append(left, old.TicketID)
		}
		if err := store.Seekers.Put(tx, &lift.Seeker{Region: t.Region, PlayerID: p.ID, TicketID: t.ID}); err != nil {
			return err
		}
	}
	// Only now that all players are held: an automatic backfill ticket is
	// followed by another, which must not take one of them.
	for _, id := range left {
		old, err := store.Tickets.Find(tx, store.InRegion(t.Region, string(id)))
		if err != nil {
			return err
		}
		if !old.Status.Live() { // several of its players left, or another server has just ended it
			continue
		}
		if err := tx.StopTicket(old, reasonRequeued, "A player of the ticket asked for matchmaking again."); err != nil {
			return err
		}
	}
	t.Status, t.Arriving = lift.TicketQueued, true
	tx.countTickets("TicketsStarted", 1, t)
	tx.countTickets("PlayersStarted", len(t.Players), t)
	return tx.saveArriving(t)
}

// mayLeave refuses a ticket with a player whose older ticket cannot be
// cancelled. It changes nothing.
func (tx *Tx) mayLeave(t *lift.Ticket) error {
	for _, p := range t.Players {
		k, ok, err := store.Seekers.Get(tx, store.PlayerKey(t.Region, p.ID))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		old, err := store.Tickets.Find(tx, store.InRegion(t.Region, string(k.TicketID)))
		if err != nil {
			return err
		}
		if old.Status == lift.TicketPlacing {
			return lift.Errorf(lift.InvalidRequest, "player %s is in ticket %s, whose match is being placed; ask again when that is done", p.ID, old.ID)
		}
	}
	return nil
}

// StopTicket cancels a ticket that is not being placed. If it was part of a
// proposed match, the other tickets search again. Empty reason and message mean
// a cancellation by request.
func (tx *Tx) StopTicket(t *lift.Ticket, reason, message string) error {
	if !t.Status.Stoppable() {
		return lift.Errorf(lift.InvalidRequest, "Matchmaking ticket is in %s status and cannot be canceled.", t.Status)
	}
	if reason == "" {
		reason, message = reasonCancelled, "Cancelled by request."
	}
	if t.Status == lift.TicketRequiresAcceptance {
		m, others, err := tx.match(t)
		if err != nil {
			return err
		}
		t.NotedAt = later(t.NotedAt, m.NotedAt)
		for _, o := range others { // t among them: its end is saved last
			o.NotedAt = later(o.NotedAt, m.NotedAt)
			if err := tx.searchAgain(o, reasonAcceptance, "Another ticket of the proposed match was stopped."); err != nil {
				return err
			}
		}
		if err := store.Matches.Delete(tx, store.InRegion(m.Region, string(m.ID))); err != nil {
			return err
		}
	}
	return tx.EndTicket(t, lift.TicketCancelled, reason, message)
}

// EndTicket saves the end of a ticket and lets its players go. The end of a
// match is told by who ends it, any other by this.
func (tx *Tx) EndTicket(t *lift.Ticket, s lift.TicketStatus, reason, message string) error {
	tx.addEvaluations(t)
	t.Status, t.Reason, t.Message, t.Arriving = s, reason, message, false
	if err := tx.tellEnd(t); err != nil {
		return err
	}
	t.EndedAt, t.KeepUntil = tx.Now, tx.Now.Add(keepTickets)
	for _, p := range t.Players {
		key := store.PlayerKey(t.Region, p.ID)
		k, ok, err := store.Seekers.Get(tx, key)
		if err != nil {
			return err
		}
		if ok && k.TicketID == t.ID {
			if err := store.Seekers.Delete(tx, key); err != nil {
				return err
			}
		}
	}
	if err := store.Tickets.Put(tx, t); err != nil || t.Backfill == nil {
		return err
	}
	return tx.backfillEnded(t)
}

// searchAgain sends a ticket back to its matcher, with its old start.
func (tx *Tx) searchAgain(t *lift.Ticket, reason, message string) error {
	t.Status, t.Reason, t.Message, t.Match, t.Arriving = lift.TicketSearching, reason, message, "", true
	for i := range t.Players {
		if t.Backfill == nil {
			t.Players[i].Team = ""
		}
	}
	return tx.saveArriving(t)
}

// saveArriving saves a ticket that its matcher is to take, and tells that one.
func (tx *Tx) saveArriving(t *lift.Ticket) error {
	tx.arrived = true
	return store.Tickets.Put(tx, t)
}

// ticketDue ends a ticket that found no match in time, or forgets one that is
// done.
func (tx *Tx) ticketDue(t *lift.Ticket) error {
	if !t.Status.Live() {
		return store.Tickets.Delete(tx, store.InRegion(t.Region, string(t.ID)))
	}
	return tx.EndTicket(t, lift.TicketTimedOut, reasonTimedOut, "Removed from matchmaking due to timing out.")
}

// match loads the match that a ticket is part of, with all of its tickets.
func (tx *Tx) match(t *lift.Ticket) (*lift.Match, []*lift.Ticket, error) {
	m, err := store.Matches.Find(tx, store.InRegion(t.Region, string(t.Match)))
	if err != nil {
		return nil, nil, err
	}
	ts, err := tx.ticketsOf(m)
	return m, ts, err
}

func (tx *Tx) ticketsOf(m *lift.Match) ([]*lift.Ticket, error) {
	ts := make([]*lift.Ticket, len(m.Tickets))
	for i, id := range m.Tickets {
		t, err := store.Tickets.Find(tx, store.InRegion(m.Region, string(id)))
		if err != nil {
			return nil, err
		}
		ts[i] = t
	}
	return ts, nil
}

// AnswerMatch takes the answer of some of a ticket's players to the proposed
// match. The first rejection drops the match, the last acceptance lets it go on
// (flexmatch 12).
func (tx *Tx) AnswerMatch(t *lift.Ticket, players []string, accept bool) error {
	if t.Status != lift.TicketRequiresAcceptance {
		return lift.Errorf(lift.InvalidRequest, "matchmaking ticket %s is %s; only a ticket in REQUIRES_ACCEPTANCE can be accepted or rejected", t.ID, t.Status)
	}
	if t.Backfill != nil {
		return lift.Errorf(lift.InvalidRequest, "matchmaking ticket %s asks for players for a running match; only the new players are asked", t.ID)
	}
	for _, id := range players {
		if !t.Holds(id) {
			return lift.Errorf(lift.InvalidRequest, "player %s does not belong to matchmaking ticket %s", id, t.ID)
		}
	}
	m, ts, err := tx.match(t)
	if err != nil {
		return err
	}
	open := false
	for i := range m.Seats {
		s := &m.Seats[i]
		if s.Ticket == t.ID && slices.Contains(players, s.PlayerID) {
			s.Accepted = new(accept)
		}
		open = open || s.Ticket != m.Backfill && s.Accepted == nil
	}
	if err := tx.tell(m, ts, func(n event.News) event.Event { return n.Answered(m, ts) }); err != nil {
		return err
	}
	switch {
	case !accept:
		return tx.dropMatch(m, ts, event.Rejected)
	case open:
		return store.Matches.Put(tx, m)
	}
	tx.countTickets("MatchesAccepted", 1, ts...)
	if err := tx.tell(m, ts, func(n event.News) event.Event { return n.AcceptanceEnded(m, ts, event.Accepted) }); err != nil {
		return err
	}
	return tx.goOn(m, ts)
}

// matchDue drops a match that was not accepted in time.
func (tx *Tx) matchDue(m *lift.Match) error {
	ts, err := tx.ticketsOf(m)
	if err != nil {
		return err
	}
	return tx.dropMatch(m, ts, event.TimedOut)
}

// dropMatch ends a proposal: tickets whose players all accepted search again,
// and so does a backfill ticket, whose players were not asked; the others are
// cancelled (flexmatch 12).
func (tx *Tx) dropMatch(m *lift.Match, ts []*lift.Ticket, how string) error {
	tx.countTickets(map[string]string{event.Rejected: "MatchesRejected", event.TimedOut: "MatchAcceptancesTimedOut"}[how], 1, ts...)
	if err := tx.tell(m, ts, func(n event.News) event.Event { return n.AcceptanceEnded(m, ts, how) }); err != nil {
		return err
	}
	for _, t := range ts {
		refused := t.Backfill == nil && slices.ContainsFunc(m.Seats, func(s lift.MatchSeat) bool {
			return s.Ticket == t.ID && (s.Accepted == nil || !*s.Accepted)
		})
		var err error
		if refused {
			err = tx.EndTicket(t, lift.TicketCancelled, reasonAcceptance, "A player rejected the proposed match or did not answer.")
		} else {
			err = tx.searchAgain(t, reasonAcceptance, "Another player did not accept the proposed match.")
		}
		if err != nil {
			return err
		}
	}
	return store.Matches.Delete(tx, store.InRegion(m.Region, string(m.ID)))
}
