package match

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A proposal is a match that waits for its players to accept (12).
type proposal struct {
	match   Match
	entries []*entry
	done    bool
}

func matchID(pr *proposal) string {
	if pr == nil {
		return ""
	}
	return pr.match.ID
}

func (p *Pool) newMatchID() string {
	if p.config.MatchID != nil {
		return p.config.MatchID()
	}
	return "match-" + strconv.Itoa(p.matches)
}

// ask proposes a match to its players.
func (p *Pool) ask(now time.Time, entries []*entry, m Match, u *Update) {
	pr := &proposal{match: m, entries: entries}
	for _, e := range entries {
		p.leave(e)
		u.change(e.id, e.status, RequiresAcceptance, "", "", m.ID)
		e.status, e.proposal = RequiresAcceptance, pr
	}
	p.seq++
	p.deadlines.push(deadline{at: now.Add(p.config.AcceptTimeout).UnixNano(), seq: p.seq, proposal: pr})
	u.Proposed = append(u.Proposed, m)
}

// Restore puts back a proposal that was made before, after its tickets were
// added: the owner of a pool rebuilds it from what it stored. Answers already
// given stand in m.Seats.
func (p *Pool) Restore(m Match) error {
	pr := &proposal{match: m}
	for _, id := range m.Tickets {
		e := p.entries[id]
		if e == nil || e.status != Searching {
			return &TicketError{Ticket: id, Why: "it does not wait, so match " + m.ID + " cannot be restored"}
		}
		pr.entries = append(pr.entries, e)
	}
	for _, e := range pr.entries {
		p.leave(e)
		e.status, e.proposal = RequiresAcceptance, pr
	}
	p.seq++
	p.deadlines.push(deadline{at: m.At.Add(p.config.AcceptTimeout).UnixNano(), seq: p.seq, proposal: pr})
	return nil
}

// Accept takes the answer of some of a ticket's players to the proposed match.
// The first rejection ends the proposal; the last acceptance makes the match
// final.
func (p *Pool) Accept(now time.Time, id TicketID, players []string, accept bool) (Update, error) {
	var u Update
	e := p.entries[id]
	if e == nil {
		return u, &TicketError{Ticket: id, Why: "no such ticket waits"}
	}
	pr := e.proposal
	if pr == nil {
		return u, &TicketError{Ticket: id, Why: fmt.Sprintf("it is in status %s; only a ticket in %s can be accepted or rejected", e.status, RequiresAcceptance)}
	}
	for _, name := range players {
		if !slices.ContainsFunc(pr.match.Seats, func(s Seat) bool { return s.Ticket == id && s.PlayerID == name }) {
			return u, &TicketError{Ticket: id, Why: fmt.Sprintf("player %s does not belong to it", name)}
		}
	}
	pr.match.Seats = slices.Clone(pr.match.Seats) // earlier events keep what they showed
	open := 0
	for i := range pr.match.Seats {
		s := &pr.match.Seats[i]
		if s.Ticket == id && slices.Contains(players, s.PlayerID) {
			s.Accepted = new(accept)
		}
		if s.Accepted == nil && s.Ticket != pr.match.Backfill {
			open++
		}
	}
	u.Events = append(u.Events, Event{Type: AcceptMatch, Match: pr.match.ID, Tickets: pr.match.Tickets, Players: pr.match.Seats})
	switch {
	case !accept && len(players) > 0:
		p.decide(now, pr, &u, "Rejected")
	case open == 0:
		p.decide(now, pr, &u, "Accepted")
	}
	u.Next = p.next(now)
	return u, nil
}

// dissolve ends a proposal; its tickets are the caller's to settle.
func (p *Pool) dissolve(pr *proposal) {
	pr.done = true
	for _, e := range pr.entries {
		e.proposal = nil
	}
}

// decide ends the acceptance of a proposal.
func (p *Pool) decide(now time.Time, pr *proposal, u *Update, how string) {
	p.dissolve(pr)
	m := pr.match
	u.Events = append(u.Events, Event{Type: AcceptMatchCompleted, Match: m.ID, Tickets: m.Tickets, Players: m.Seats, Acceptance: how})
	if how == "Accepted" {
		p.complete(now, pr.entries, m, u)
		return
	}
	for _, e := range pr.entries {
		switch p.verdictOn(e, m, how) {
		case Cancelled:
			p.finish(e, u, Cancelled, "AcceptanceFailed", "A player rejected the proposed match or did not answer.", m.ID)
		default:
			p.enter(now, e, u, "AcceptanceFailed", "Another player did not accept the proposed match.")
			if p.expired(e, now.UnixNano()) { // held back while proposed (10.1)
				p.finish(e, u, TimedOut, "TimedOut", "Removed from matchmaking due to timing out.", m.ID)
			}
		}
	}
}

// verdictOn says what becomes of a ticket whose proposal failed: cancelled if
// one of its players rejected or did not answer, else it searches again. The
// specification's literal text also cancels those who had no time to answer;
// RequeueUndecided spares them.
func (p *Pool) verdictOn(e *entry, m Match, how string) Status {
	if e.backfill {
		return Searching
	}
	for _, s := range m.Seats {
		if s.Ticket != e.id {
			continue
		}
		silent := s.Accepted == nil && !(p.config.RequeueUndecided && how == "Rejected")
		if silent || s.Accepted != nil && !*s.Accepted {
			return Cancelled
		}
	}
	return Searching
}
