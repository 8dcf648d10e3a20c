package match

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// Config is a matchmaking configuration as far as forming matches goes.
type Config struct {
	Rules             *rules.Set
	RequestTimeout    time.Duration // 0: tickets wait forever
	AcceptRequired    bool          // players must accept a proposed match (12)
	AcceptTimeout     time.Duration
	AdditionalPlayers int  // seats kept free in every match (10.3)
	Standalone        bool // matched tickets are COMPLETED at once, not PLACING
	// RequeueUndecided sends tickets whose players had not answered when
	// somebody else rejected back to SEARCHING instead of cancelling them (12).
	RequeueUndecided bool
	// Lenient ignores attributes that the rule set does not declare instead of
	// refusing the ticket (2.1).
	Lenient bool
	// Quiet leaves Changes and Events out of updates that concern searching, for
	// an owner who tells the life of tickets itself and wants matches only.
	Quiet bool
	// MatchID makes the ids of matches. By default they are match-1, match-2, …
	MatchID func() string

	// Budget is how many partial matches one search may try before it is put
	// off as undecided, and PassBudget all searches of one pass together. The
	// zero values mean DefaultBudget and DefaultPassBudget.
	Budget, PassBudget int
}

// The default budgets, in partial matches tried: some 5 and 150 ms.
const (
	DefaultBudget     = 20_000
	DefaultPassBudget = 500_000
)

// retryUndecided is how soon a pass goes on with searches that were cut short.
const retryUndecided = 500 * time.Millisecond

// maxBudgetGrowth bounds how much an undecided ticket's budget may grow. A
// ticket still undecided then rests until something around it changes.
const maxBudgetGrowth = 4

// strictPool is up to how many tickets every waiting ticket gets its turn as
// anchor in every pass, oldest first, as the specification tells it (11.2).
// Bigger pools first ask for which changed tickets there is any match.
const strictPool = 64

// A Pool holds the waiting tickets of one matchmaking configuration.
type Pool struct {
	config  Config
	set     *rules.Set
	plan    *plan
	search  *search
	entries map[TicketID]*entry
	buckets map[string]*bucket

	backfills  []*entry // waiting, by age
	changed    []*entry // to be searched in the next pass; may hold stale ones
	searched   []*entry // around which the last pass searched
	deadlines  deadlines
	words      *vocabulary
	seq        uint64
	matches    int
	passes     int
	bigTickets int    // waiting tickets with several players
	waiting    int    // tickets that search
	strict     int    // see strictPool
	resume     uint64 // the ticket at which a pass over large matches was cut short
	waits      lift.RecentWaits

	locations     map[string]location
	locationNames []string

	stats  Stats
	totals []ruleTotal // by rule
	// counted are the rules whose evaluations are reported: the first fifty
	// that can be true or false (18).
	counted []int
}

type ruleTotal struct{ passed, failed uint64 }

// Stats counts what a pool did since it was made.
type Stats struct {
	Passes    int // that searched something
	Searches  int // anchors tried
	Nodes     int // partial matches tried
	Undecided int // searches that ran out of budget
}

// Stats returns the counters.
func (p *Pool) Stats() Stats { return p.stats }

// Len is the number of tickets in the pool, proposals included.
func (p *Pool) Len() int { return len(p.entries) }

// Rules returns the rule set in use.
func (p *Pool) Rules() *rules.Set { return p.set }

// A bucket holds the searching tickets that agree in all attributes which must
// be equal for a whole match.
type bucket struct {
	tickets index
}

// NewPool returns an empty pool.
func NewPool(c Config) *Pool {
	if c.Budget == 0 {
		c.Budget = DefaultBudget
	}
	if c.PassBudget == 0 {
		c.PassBudget = DefaultPassBudget
	}
	p := &Pool{
		config: c, set: c.Rules, plan: compile(c.Rules, c.AdditionalPlayers),
		entries: map[TicketID]*entry{}, buckets: map[string]*bucket{}, words: newVocabulary(), locations: map[string]location{}, strict: strictPool,
	}
	p.search = newSearch(p)
	p.totals = make([]ruleTotal, len(p.set.Rules))
	for i := range p.set.Rules {
		if !p.set.Rules[i].Type.Sorts() && len(p.counted) < 50 {
			p.counted = append(p.counted, i)
		}
	}
	return p
}

// A PlayerProblem is an attribute that a request may not have.
type PlayerProblem struct {
	PlayerID string
	rules.AttributeProblem
}

// A TicketError says why a ticket was not taken into the pool.
type TicketError struct {
	Ticket   TicketID
	Why      string
	Problems []PlayerProblem
}

func (e *TicketError) Error() string {
	s := fmt.Sprintf("ticket %s: %s", e.Ticket, e.Why)
	for _, p := range e.Problems {
		s += fmt.Sprintf("; player %s: %s", p.PlayerID, p.AttributeProblem)
	}
	return s
}

// Add takes a ticket into the pool; it is searched from the next pass on. A
// ticket that comes back after a failed placement keeps its old Start. A
// ticket that can never match is taken all the same and waits for its timeout
// (10.2); Explain says why.
func (p *Pool) Add(now time.Time, t Ticket) (Update, error) {
	var u Update
	switch {
	case len(t.Players) == 0:
		return u, &TicketError{Ticket: t.ID, Why: "it has no players"}
	case p.entries[t.ID] != nil:
		return u, &TicketError{Ticket: t.ID, Why: "a ticket with this id is waiting already"}
	case len(t.Players) > maxParty && !t.Backfill:
		return u, &TicketError{Ticket: t.ID, Why: fmt.Sprintf("it has %d players, at most %d are allowed", len(t.Players), maxParty)}
	}
	for i, a := range t.Players {
		for _, b := range t.Players[:i] {
			if a.ID == b.ID {
				return u, &TicketError{Ticket: t.ID, Why: fmt.Sprintf("player %s is in it twice", a.ID)}
			}
		}
	}
	e, problems := p.newEntry(t)
	if len(problems) > 0 {
		return u, &TicketError{Ticket: t.ID, Why: "attributes do not fit the rule set", Problems: problems}
	}
	p.seq++
	e.seq = p.seq
	p.entries[e.id] = e
	p.enter(now, e, &u, "", "")
	u.Next = p.next(now)
	return u, nil
}

// enter lets a ticket search, for the first time or again.
func (p *Pool) enter(now time.Time, e *entry, u *Update, reason, message string) {
	from := e.status
	e.status, e.proposal = Searching, nil
	if !p.config.Quiet {
		u.change(e.id, from, Searching, reason, message, "")
		u.Events = append(u.Events, Event{Type: MatchmakingSearching, Tickets: []TicketID{e.id}, Players: e.players(p, false)})
	}
	if p.config.RequestTimeout > 0 {
		p.deadlines.push(deadline{at: e.start + int64(p.config.RequestTimeout), seq: e.seq, entry: e})
	}
	e.level = p.set.LevelAt(now.Sub(time.Unix(0, e.start)))
	if e.level+1 < len(p.set.Levels) {
		p.deadlines.push(deadline{at: e.start + int64(p.set.Levels[e.level+1].Age), seq: e.seq, entry: e})
	}
	p.waiting++
	if e.size > 1 {
		p.bigTickets++
	}
	if len(e.never) > 0 {
		return
	}
	if e.backfill {
		i, _ := slices.BinarySearchFunc(p.backfills, e, compareAge)
		p.backfills = slices.Insert(p.backfills, i, e)
	} else {
		b := p.buckets[e.key]
		if b == nil {
			b = &bucket{}
			p.buckets[e.key] = b
		}
		b.tickets.insert(p.indexKey(e), e)
	}
	p.touch(e, 0)
}

// touch lists a ticket for the next pass: something about it changed from a
// level on.
func (p *Pool) touch(e *entry, from int) {
	if !e.queued {
		e.queued, e.from = true, from
		p.changed = append(p.changed, e)
	}
	e.from = min(e.from, from)
	e.budget = p.config.Budget
}

func (p *Pool) indexKey(e *entry) uint64 {
	if len(p.plan.windows) > 0 {
		return numberKey(e.parties[0].cols[p.plan.windows[0].column])
	}
	return timeKey(e.start)
}

// leave takes a searching ticket out of the indexes.
func (p *Pool) leave(e *entry) {
	if e.status != Searching {
		return
	}
	p.waiting--
	if e.size > 1 {
		p.bigTickets--
	}
	e.queued = false
	if len(e.never) > 0 {
		return
	}
	if e.backfill {
		if i, ok := slices.BinarySearchFunc(p.backfills, e, compareAge); ok {
			p.backfills = slices.Delete(p.backfills, i, i+1)
		}
		return
	}
	b := p.buckets[e.key]
	b.tickets.remove(p.indexKey(e), e)
	if b.tickets.n == 0 {
		delete(p.buckets, e.key)
	}
}

// forget drops a ticket that is done.
func (p *Pool) forget(e *entry) {
	p.leave(e)
	p.release(e)
	delete(p.entries, e.id)
	e.status = "" // lists that still hold e skip it
}

// Stop cancels a ticket that waits or is part of a proposal (10.3). reason and
// message go into the change and event; empty ones mean a cancellation by
// request.
func (p *Pool) Stop(now time.Time, id TicketID, reason, message string) (Update, error) {
	var u Update
	e := p.entries[id]
	if e == nil {
		return u, &TicketError{Ticket: id, Why: "no such ticket waits"}
	}
	if reason == "" {
		reason, message = "Cancelled", "Cancelled by request."
	}
	pr := e.proposal
	if pr != nil {
		p.dissolve(pr)
	}
	p.finish(e, &u, Cancelled, reason, message, matchID(pr))
	if pr != nil {
		for _, o := range pr.entries {
			if o != e {
				p.enter(now, o, &u, "AcceptanceFailed", "Another ticket of the proposed match was stopped.")
			}
		}
	}
	u.Next = p.next(now)
	return u, nil
}

// Remove forgets a ticket without any change or event: its owner no longer
// holds it. It reports whether the ticket was there.
func (p *Pool) Remove(id TicketID) bool {
	e := p.entries[id]
	if e == nil || e.proposal != nil {
		return false
	}
	p.forget(e)
	return true
}

// finish ends a ticket.
func (p *Pool) finish(e *entry, u *Update, to Status, reason, message, match string) {
	u.change(e.id, e.status, to, reason, message, match)
	kind := MatchmakingCancelled
	if to == TimedOut {
		kind = MatchmakingTimedOut
	}
	u.Events = append(u.Events, Event{Type: kind, Match: match, Tickets: []TicketID{e.id}, Players: e.players(p, false), Reason: reason, Message: message, Rules: p.ruleCounts(e)})
	p.forget(e)
}

// Status returns a ticket's status in the pool, or "" if it is not there.
func (p *Pool) Status(id TicketID) Status {
	if e := p.entries[id]; e != nil {
		return e.status
	}
	return ""
}

// players lists a ticket's players, with teams only if the ticket has any.
func (e *entry) players(p *Pool, teams bool) []Seat {
	var out []Seat
	for i := range e.parties {
		pt := &e.parties[i]
		for k := range pt.party {
			s := Seat{Ticket: e.id, PlayerID: pt.party[k].ID}
			if teams && pt.team >= 0 {
				s.Team = p.set.Teams[pt.team].Name
			}
			out = append(out, s)
		}
	}
	return out
}

// Evaluated lists the tickets around which the last pass searched and which
// still wait, with the evaluations of each since it was added (18).
func (p *Pool) Evaluated() iter.Seq2[TicketID, []RuleCount] {
	return func(yield func(TicketID, []RuleCount) bool) {
		for _, e := range p.searched {
			if e.status == Searching && !yield(e.id, p.ruleCounts(e)) {
				return
			}
		}
	}
}

// ruleCounts returns a ticket's evaluations (18).
func (p *Pool) ruleCounts(e *entry) []RuleCount {
	out := make([]RuleCount, len(p.counted))
	for k, i := range p.counted {
		out[k].Rule = p.set.Rules[i].Name
		if e.counts != nil {
			out[k].Passed, out[k].Failed = int(e.counts[i].passed), int(e.counts[i].failed)
		}
	}
	return out
}

// Expire applies the timeouts that are due, without searching. Pass does it
// too; a caller that processes arrivals of the same instant before matching
// calls it first.
func (p *Pool) Expire(now time.Time) Update {
	var u Update
	at := now.UnixNano()
	for len(p.deadlines) > 0 && p.deadlines[0].at <= at {
		d := p.deadlines.pop()
		switch {
		case d.proposal != nil:
			if !d.proposal.done {
				p.decide(now, d.proposal, &u, "TimedOut")
			}
		case p.entries[d.entry.id] != d.entry || d.entry.status != Searching:
			// gone, or held back by a proposal (10.1)
		case p.expired(d.entry, at):
			p.finish(d.entry, &u, TimedOut, "TimedOut", "Removed from matchmaking due to timing out.", "")
		default:
			p.age(d.entry, at)
		}
	}
	u.Next = p.next(now)
	return u
}

func (p *Pool) expired(e *entry, at int64) bool {
	return p.config.RequestTimeout > 0 && e.start+int64(p.config.RequestTimeout) <= at
}

// age moves a ticket to the expansion level of its age.
func (p *Pool) age(e *entry, at int64) {
	k := p.set.LevelAt(time.Duration(at - e.start))
	if k == e.level {
		return
	}
	from := e.level + 1
	e.level = k
	if k+1 < len(p.set.Levels) {
		p.deadlines.push(deadline{at: e.start + int64(p.set.Levels[k+1].Age), seq: e.seq, entry: e})
	}
	if len(e.never) == 0 {
		p.touch(e, from)
	}
}

// next is when the pool wants to be called again.
func (p *Pool) next(now time.Time) time.Time {
	var at time.Time
	if len(p.deadlines) > 0 {
		at = time.Unix(0, p.deadlines[0].at).In(now.Location())
	}
	if len(p.changed) > 0 {
		if soon := now.Add(retryUndecided); at.IsZero() || soon.Before(at) {
			at = soon
		}
	}
	return at
}
