package match

import (
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// Pass applies what is due and forms every match it finds: anchors oldest
// first, one search each; an anchor without a match does not stop the pass
// (11.2). A pass after which nothing changed does nothing.
func (p *Pool) Pass(now time.Time) Update {
	u := p.Expire(now)
	p.searched = p.searched[:0]
	if len(p.changed) > 0 {
		p.stats.Passes++
		p.passes++
		changed := slices.DeleteFunc(p.changed, func(e *entry) bool { return !e.queued })
		p.changed = nil
		slices.SortFunc(changed, compareAge)
		if p.set.Large {
			p.passLarge(now, changed, &u)
		} else {
			p.passSmall(now, changed, &u)
		}
	}
	u.Next = p.next(now)
	return u
}

// passSmall searches around the tickets that changed since they were last
// searched. A set of tickets none of which changed is known to be no match.
func (p *Pool) passSmall(now time.Time, changed []*entry, u *Update) {
	budget := p.config.PassBudget
	p.search.changed = true
	u.Matches = slices.Grow(u.Matches, len(changed)/p.set.Seats(0))
	if !p.config.Quiet {
		u.Changes, u.Events = slices.Grow(u.Changes, len(changed)), slices.Grow(u.Events, len(changed))
	}
	strict := p.waiting <= p.strict || 2*len(changed) >= p.waiting
	switch {
	case strict && 2*len(changed) < p.waiting && len(p.promising(changed, &budget)) == 0:
		// Nothing that changed fits any match, so nothing does.
	case strict:
		changed = append(changed, p.turns(now, p.everyone(), true, &budget, u)...)
	default:
		// Each round forms a match or settles everything left.
		for open, formed := changed, -1; len(open) > 0 && budget > 0 && formed != p.matches; {
			formed = p.matches
			again := p.turns(now, p.promising(open, &budget), false, &budget, u)
			changed = append(changed, again...)
			open = slices.DeleteFunc(slices.Clone(open), func(e *entry) bool { return e.status != Searching || e.settled == p.passes })
		}
	}
	for _, e := range changed {
		p.rest(e)
	}
}

// turns gives each anchor its turn, oldest first, and forms the matches found.
// all says that
// no ticket was left out. Tickets that turned out undecided without being
// listed as changed are returned.
func (p *Pool) turns(now time.Time, anchors []*entry, all bool, budget *int, u *Update) (open []*entry) {
	s := p.search
	for _, e := range p.ordered(anchors) {
		if e.status != Searching || *budget <= 0 {
			continue
		}
		switch p.turn(e, 0, false, budget) {
		case matched:
			p.form(now, s, u)
		case impossible:
			// Where the oldest ticket sets the clock e may still be a younger
			// part of a match, unless all older ones had their turn.
			if all || !p.set.Algorithm.Oldest || e.backfill {
				e.settled, e.dead = p.passes, p.passes
			}
		case undecided:
			if !e.queued {
				e.queued, e.from = true, 0
				open = append(open, e)
			}
		}
	}
	return open
}

// rest settles a changed ticket after the pass: if it is still undecided it is
// searched again soon, with a bigger budget, until the limit.
func (p *Pool) rest(e *entry) {
	if e.status != Searching || !e.queued {
		return
	}
	if e.settled == p.passes {
		e.queued = false
		return
	}
	if e.tried != p.passes {
		p.changed = append(p.changed, e) // the pass ended before its turn
		return
	}
	if e.budget >= maxBudgetGrowth*p.config.Budget {
		e.queued = false // until something around it changes
		return
	}
	e.budget *= 2
	p.changed = append(p.changed, e)
}

// turn searches around one anchor and keeps the books.
func (p *Pool) turn(e *entry, from int, free bool, budget *int) outcome {
	s := p.search
	got := s.find(e, from, free)
	spent := e.budget - max(s.nodes, 0) + 1
	*budget -= spent
	if e.tried != p.passes {
		e.tried = p.passes
		p.searched = append(p.searched, e)
	}
	p.stats.Searches++
	p.stats.Nodes += spent
	if got == undecided {
		p.stats.Undecided++
	}
	for i := range s.failed {
		if s.passed[i]|s.failed[i] == 0 {
			continue
		}
		if e.counts == nil {
			e.counts = make([]ruleCount, len(p.set.Rules))
		}
		p.totals[i].passed += uint64(s.passed[i])
		p.totals[i].failed += uint64(s.failed[i])
		e.counts[i].passed += s.passed[i]
		e.counts[i].failed += s.failed[i]
	}
	return got
}

// everyone lists all tickets that may be an anchor.
func (p *Pool) everyone() []*entry {
	out := make([]*entry, 0, p.waiting)
	for _, e := range p.entries {
		if e.status == Searching && len(e.never) == 0 {
			out = append(out, e)
		}
	}
	return out
}

// promising asks, for each changed ticket, whether any match holds it, and
// returns the oldest ticket of each such match together with the ticket itself:
// the oldest one is the anchor around which the best match is then built.
// Tickets without any match are settled at once.
func (p *Pool) promising(changed []*entry, budget *int) []*entry {
	s := p.search
	var anchors []*entry
	for _, e := range changed {
		if *budget <= 0 {
			break
		}
		switch p.turn(e, e.from, true, budget) {
		case matched:
			oldest := slices.MinFunc(s.tickets, compareAge)
			anchors = append(anchors, oldest, e)
		case impossible:
			e.settled = p.passes
			// Below its new level a ticket may still meet another one that
			// changed, whose own search will tell.
			if e.from == 0 {
				e.dead = p.passes
			}
		}
	}
	if len(p.backfills) > 0 {
		anchors = append(anchors, p.backfills...)
	}
	slices.SortFunc(anchors, compareAge)
	return slices.Compact(anchors)
}

// ordered puts anchors into the order of their turns: oldest first, backfill
// tickets among them, before them or after them (7).
func (p *Pool) ordered(anchors []*entry) []*entry {
	rank := func(e *entry) int {
		switch {
		case !e.backfill || p.set.Algorithm.BackfillPriority == rules.NormalPriority:
			return 1
		case p.set.Algorithm.BackfillPriority == rules.HighPriority:
			return 0
		}
		return 2
	}
	slices.SortFunc(anchors, func(a, b *entry) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return compareAge(a, b)
	})
	return anchors
}

// form makes a match of what the search found.
func (p *Pool) form(now time.Time, s *search, u *Update) {
	level := s.trueLevel()
	location := ""
	if s.bit >= 0 && s.bit < 63 {
		location = p.locationNames[s.bit]
	}
	p.propose(now, s.tickets, s.chosen, level, location, u)
}

// propose turns a set of tickets with teams into a match: final at once, or a
// proposal that waits for the players.
func (p *Pool) propose(now time.Time, tickets []*entry, chosen []chosenParty, level int, location string, u *Update) {
	p.matches++
	m := Match{ID: p.newMatchID(), At: now, Level: level, Location: location}
	entries := slices.Clone(tickets)
	slices.SortFunc(entries, compareAge)
	clock := entries[len(entries)-1]
	if p.set.Algorithm.Oldest {
		clock = entries[0]
	}
	m.Age = now.Sub(time.Unix(0, clock.start))
	m.Tickets, m.Evaluations = make([]TicketID, 0, len(entries)), make([][]RuleCount, 0, len(entries))
	players := 0
	for _, e := range entries {
		players += e.size
		m.Tickets = append(m.Tickets, e.id)
		m.Evaluations = append(m.Evaluations, p.ruleCounts(e))
		if e.backfill {
			m.Backfill = e.id
		}
	}
	seats := slices.Clone(chosen)
	slices.SortStableFunc(seats, func(a, b chosenParty) int { return a.team - b.team })
	m.Seats = make([]Seat, 0, players)
	for _, c := range seats {
		for i := range c.party.party {
			m.Seats = append(m.Seats, Seat{Ticket: c.e.id, PlayerID: c.party.party[i].ID, Team: p.set.Teams[c.team].Name})
		}
	}
	if !p.config.Quiet {
		u.Events = append(u.Events, Event{Type: PotentialMatchCreated, Match: m.ID, Tickets: m.Tickets, Players: m.Seats, Rules: p.matchCounts(entries)})
	}
	if p.config.AcceptRequired && slices.ContainsFunc(entries, func(e *entry) bool { return !e.backfill }) {
		p.ask(now, entries, m, u)
		return
	}
	p.complete(now, entries, m, u)
}

// matchCounts adds up the evaluations of a match's tickets.
func (p *Pool) matchCounts(entries []*entry) []RuleCount {
	sum := p.ruleCounts(entries[0])
	for _, e := range entries[1:] {
		for i := 0; e.counts != nil && i < len(sum); i++ {
			c := e.counts[p.counted[i]]
			sum[i].Passed += int(c.passed)
			sum[i].Failed += int(c.failed)
		}
	}
	return sum
}

// complete lets the tickets of a final match leave the pool.
func (p *Pool) complete(now time.Time, entries []*entry, m Match, u *Update) {
	to := Placing
	if p.config.Standalone {
		to = Completed
	}
	for _, e := range entries {
		if !p.config.Quiet {
			u.change(e.id, e.status, to, "", "", m.ID)
		}
		if !e.backfill { // players want to know how long players wait
			NoteWait(&p.waits, now, now.Sub(time.Unix(0, e.start)))
		}
		p.forget(e)
	}
	u.Matches = append(u.Matches, m)
	if p.config.Standalone && !p.config.Quiet {
		u.Events = append(u.Events, Event{Type: MatchmakingSucceeded, Match: m.ID, Tickets: m.Tickets, Players: m.Seats})
	}
}
