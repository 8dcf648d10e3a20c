package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

var ticketMoves = map[lift.TicketStatus][]lift.TicketStatus{
	lift.TicketQueued: {lift.TicketQueued, lift.TicketSearching, lift.TicketCancelled, lift.TicketTimedOut, lift.TicketFailed},
	lift.TicketSearching: {
		lift.TicketSearching, lift.TicketRequiresAcceptance, lift.TicketPlacing, lift.TicketCompleted,
		lift.TicketCancelled, lift.TicketTimedOut, lift.TicketFailed,
	},
	lift.TicketRequiresAcceptance: {
		lift.TicketRequiresAcceptance, lift.TicketPlacing, lift.TicketCompleted, lift.TicketSearching, lift.TicketCancelled, lift.TicketFailed,
	},
	lift.TicketPlacing: {lift.TicketPlacing, lift.TicketCompleted, lift.TicketSearching, lift.TicketFailed},
}

func (w *world) ticketMoved(old, now *lift.Ticket) {
	switch {
	case now == nil:
		if old.Status.Live() || w.keptUntil(old.KeepUntil) {
			w.fail("ticket %s is forgotten and was %s", old.ID, old.Status)
		}
		return
	case old == nil:
		// The transaction that asked for players for a game session may also have ended it.
		ended := now.Status == lift.TicketCancelled && now.Backfill != nil
		if now.Status != lift.TicketQueued && !ended || now.Deadline.IsZero() {
			w.fail("ticket %s begins as %s, until %s", now.ID, now.Status, now.Deadline)
		}
		w.tally.Tickets++
		w.facts.waitsSince[now.ID] = w.now
		return
	case !old.Status.Live():
		w.fail("ticket %s has ended and changes still: %+v, %+v", now.ID, *old, *now)
	case !slices.Contains(ticketMoves[old.Status], now.Status):
		w.fail("ticket %s was %s and is %s", now.ID, old.Status, now.Status)
	case !now.StartedAt.Equal(old.StartedAt) || !now.Deadline.Equal(old.Deadline):
		w.fail("ticket %s, from %s to %s, is from %s to %s", now.ID, old.StartedAt, old.Deadline, now.StartedAt, now.Deadline)
	case old.Match != "" && now.Match != "" && old.Match != now.Match:
		w.fail("ticket %s was in match %s and is in match %s", now.ID, old.Match, now.Match)
	case now.Status == lift.TicketTimedOut && w.clock().Before(now.Deadline):
		w.fail("ticket %s is TIMED_OUT and has time until %s", now.ID, now.Deadline)
	}
	if found(old, now) && !w.clock().Before(now.Deadline) {
		w.fail("ticket %s found a match after its time, which ended at %s", now.ID, now.Deadline)
	}
	if now.Arriving && now.Status != lift.TicketQueued && now.Status != lift.TicketSearching {
		w.fail("ticket %s is %s and waits for its matcher", now.ID, now.Status)
	}
	matched := now.Status == lift.TicketRequiresAcceptance || now.Status == lift.TicketPlacing || now.Status == lift.TicketCompleted
	searching := now.Status == lift.TicketQueued || now.Status == lift.TicketSearching
	if matched && now.Match == "" || searching && now.Match != "" {
		w.fail("ticket %s is %s, of match %q", now.ID, now.Status, now.Match)
	}
	if searching && old.Status != now.Status {
		w.facts.waitsSince[now.ID] = w.now
	}
	if !now.Status.Live() && (now.EndedAt.IsZero() || now.KeepUntil.IsZero()) {
		w.fail("ticket %s is %s and has no end time", now.ID, now.Status)
	}
	if returned := old.Status != lift.TicketQueued && old.Status != now.Status && searching; (returned || !now.Status.Live() && !matched) && (now.Reason == "" || now.Message == "") {
		w.fail("ticket %s is %s and does not say why", now.ID, now.Status)
	}
	switch {
	case now.Status == lift.TicketRequiresAcceptance && old.Status != now.Status && now.Backfill == nil:
		w.askPlayers(now)
	case now.Status == lift.TicketCompleted:
		w.tally.Matched++
		w.checkCompleted(old, now)
	}
}

// found reports whether a ticket found a match.
func found(old, now *lift.Ticket) bool {
	return old != nil && now != nil && old.Status == lift.TicketSearching &&
		(now.Status == lift.TicketRequiresAcceptance || now.Status == lift.TicketPlacing || now.Status == lift.TicketCompleted)
}

// A ticket that was placed has a game session with all of its players.
func (w *world) checkCompleted(old, now *lift.Ticket) {
	for _, p := range now.Players {
		if p.Team == "" {
			w.fail("ticket %s is COMPLETED, and player %s has no team", now.ID, p.ID)
		}
	}
	if old.Status == lift.TicketPlacing && now.Session == nil {
		w.fail("ticket %s was %s, is COMPLETED and has no game session", now.ID, old.Status)
	}
	if now.Session == nil {
		return
	}
	w.tally.Hosted++
	seats := len(now.Players)
	if now.Backfill != nil { // its players are in, or have left; some asked again, and have two seats
		in := map[string]bool{}
		for _, p := range w.facts.players {
			if p.GameSessionID == now.Session.SessionID && p.Status.Live() && now.Holds(p.PlayerID) {
				in[p.PlayerID] = true
			}
		}
		seats = len(in)
	}
	for _, pl := range now.Session.Placed {
		if !now.Holds(pl.PlayerID) {
			w.fail("ticket %s is COMPLETED with a seat for %s", now.ID, pl.PlayerID)
		}
		if p := w.facts.players[pl.PlayerSessionID]; now.Backfill != nil && (p == nil || p.PlayerID != pl.PlayerID || !p.Status.Live()) {
			w.fail("backfill ticket %s is COMPLETED with a seat for %s that is %+v", now.ID, pl.PlayerID, p)
		}
		if old.Status != lift.TicketPlacing && now.Backfill == nil {
			w.tally.Backfilled++
			w.sendPlayer(now.Session.SessionID, pl.PlayerSessionID)
		}
	}
	if len(now.Session.Placed) != seats || now.Session.Address == "" || now.Session.Port == 0 {
		w.fail("ticket %s of %d players is COMPLETED with %+v", now.ID, len(now.Players), *now.Session)
	}
}

func (w *world) matchMoved(old, now *lift.Match) {
	switch {
	case old != nil && now != nil && old.Status == lift.MatchPlacing && now.Status != old.Status:
		w.fail("match %s was %s and is %s", now.ID, old.Status, now.Status)
	case now != nil && now.Status == lift.MatchProposed && now.AnswerBy.IsZero():
		w.fail("match %s is %s for ever", now.ID, now.Status)
	case old != nil && now != nil:
		for i, s := range old.Seats {
			if s.Accepted != nil && *s.Accepted && (now.Seats[i].Accepted == nil || !*now.Seats[i].Accepted) {
				w.fail("match %s forgets that player %s accepted", now.ID, s.PlayerID)
			}
		}
	}
}

// checkTicket: a ticket that is matched is in its match, and its players look
// for no other. One that asks for players for a running game is the only one to
// do so there. Those that nobody asked for hold no player.
func (w *world) checkTicket(t *lift.Ticket) {
	f := &w.facts
	for _, p := range t.Players {
		k := f.seekers[store.PlayerKey(t.Region, p.ID)]
		held := k != nil && k.TicketID == t.ID
		if automatic := t.Backfill != nil && t.Backfill.Automatic; held && !t.Status.Live() || !held && t.Status.Live() && !automatic {
			w.fail("ticket %s is %s, and its player %s is held by %+v", t.ID, t.Status, p.ID, k)
		}
	}
	if b := t.Backfill; b != nil && b.SessionID != "" {
		s := f.sessions[b.SessionID]
		if offers := s != nil && s.BackfillTicket == store.TicketKey(t); offers != t.Status.Live() {
			w.fail("ticket %s is %s, and game session %s is %+v", t.ID, t.Status, b.SessionID, s)
		} else if offers && s.Status != lift.SessionActive {
			w.fail("ticket %s is %s, and its game session is %s", t.ID, t.Status, s.Status)
		}
	}
	m := f.matches[region+"/"+string(t.Match)]
	switch want := map[lift.TicketStatus]lift.MatchStatus{
		lift.TicketRequiresAcceptance: lift.MatchProposed, lift.TicketPlacing: lift.MatchPlacing,
	}[t.Status]; {
	case want == "":
	case m == nil || m.Status != want || !slices.Contains(m.Tickets, t.ID):
		w.fail("ticket %s is %s, and its match is %+v", t.ID, t.Status, m)
	}
}

// checkMatch: a match that is not done has all of its tickets, each player in
// one seat, as many as the rules allow, and its placement if it waits for one.
func (w *world) checkMatch(m *lift.Match) {
	f := &w.facts
	want := lift.TicketRequiresAcceptance
	if m.Status == lift.MatchPlacing {
		want = lift.TicketPlacing
		if p := f.placements[region+"/"+string(m.ID)]; p == nil || p.Status != lift.PlacementPending || len(p.Players) != len(m.Seats) {
			w.fail("match %s is PLACING %d players, and its placement is %+v", m.ID, len(m.Seats), p)
		}
	}
	players := 0
	for _, id := range m.Tickets {
		t := f.tickets[region+"/"+string(id)]
		if t == nil || t.Status != want || t.Match != m.ID {
			w.fail("match %s is %s, and its ticket %s is %+v", m.ID, m.Status, id, t)
			return
		}
		for _, p := range t.Players {
			seats := 0
			for _, s := range m.Seats {
				if s.Ticket == id && s.PlayerID == p.ID && s.Team == p.Team && s.Team != "" {
					seats++
				}
			}
			if seats != 1 {
				w.fail("player %s of ticket %s has %d seats in match %s", p.ID, id, seats, m.ID)
			}
			players++
		}
	}
	if players != len(m.Seats) {
		w.fail("match %s has %d players and %d seats", m.ID, players, len(m.Seats))
	}
}

// checkMade: the tickets of a match that is done ended together, in one game
// session if there is one, and are as many as some rules allow.
func (w *world) checkMade(id string) {
	f := &w.facts
	p := f.placements[id]
	if p != nil && p.Status == lift.PlacementPending {
		w.fail("placement %s is PENDING, and its match is done", id)
	}
	players := 0
	var first, backfill *lift.Ticket
	for _, key := range sortedKeys(f.tickets) {
		t := f.tickets[key]
		if region+"/"+string(t.Match) != id || t.Status != lift.TicketCompleted {
			continue
		}
		first = cmp.Or(first, t)
		if t.Backfill != nil {
			backfill = t
		}
		if !t.EndedAt.Equal(first.EndedAt) || t.Configuration != first.Configuration {
			w.fail("match %s completed %s of %s at %s, and %s of %s at %s", id, first.ID, first.Configuration, first.EndedAt, t.ID, t.Configuration, t.EndedAt)
		}
		if placed := p != nil && p.Status == lift.PlacementFulfilled; placed && (t.Session == nil || t.Session.SessionID != p.SessionID) {
			w.fail("match %s is placed in %s, and its ticket %s has %+v", id, p.SessionID, t.ID, t.Session)
		}
		players += len(t.Players)
	}
	if p != nil && p.Status == lift.PlacementFulfilled && players != len(p.Placed) {
		w.fail("match %s has %d players, and %d of them are placed", id, players, len(p.Placed))
	}
	if players == 0 {
		return
	}
	if placed := p != nil && p.Status == lift.PlacementFulfilled; first.Session != nil && !placed && (backfill == nil || backfill.Backfill.SessionID != first.Session.SessionID) {
		w.fail("match %s plays in %s, where nobody placed it", id, first.Session.SessionID)
	}
	for _, r := range ruleSets {
		if r.least <= players && players <= r.most {
			return
		}
	}
	w.fail("match %s has %d players", id, players)
}

// unmatched says which tickets are not done, as all of them are one day. It
// fails the world for two that should have been matched with each other.
func (w *world) unmatched() string {
	f := &w.facts
	waiting := map[string]lift.TicketID{} // by configuration
	for _, id := range sortedKeys(f.tickets) {
		t := f.tickets[id]
		if t.Status != lift.TicketSearching && t.Status != lift.TicketQueued {
			continue
		}
		c := f.configurations[region+"/"+t.Configuration]
		if c == nil || c.RuleSet != "pair" || len(t.Players) != 1 || t.Backfill != nil || w.now.Sub(f.waitsSince[t.ID]) < time.Minute {
			continue
		}
		if other, ok := waiting[t.Configuration]; ok {
			w.fail("tickets %s and %s have waited for each other for a minute", other, t.ID)
		}
		waiting[t.Configuration] = t.ID
	}
	for _, id := range sortedKeys(f.tickets) {
		if t := f.tickets[id]; t.Status.Live() {
			return fmt.Sprintf("ticket %s is %s", t.ID, t.Status)
		}
	}
	for _, id := range sortedKeys(f.matches) {
		return fmt.Sprintf("match %s is %s", id, f.matches[id].Status)
	}
	return ""
}
