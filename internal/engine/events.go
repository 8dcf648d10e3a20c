package engine

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/notify/event"
	"github.com/chairlift-games/chairlift/internal/store"
)

// tell saves an event about tickets of one configuration, and about their match
// if m is not nil, for every sink that wants it. It comes before the tickets and
// the match are saved: it notes its time in them, so that the next event about
// one of them has a later time, whichever server writes it.
func (tx *Tx) tell(m *lift.Match, ts []*lift.Ticket, say func(event.News) event.Event) error {
	if tx.e.opts.Sinks == nil {
		return nil
	}
	c, err := tx.configurationOf(ts[0])
	if err != nil {
		return err
	}
	sinks := tx.e.opts.Sinks(c.NotificationTarget)
	if len(sinks) == 0 {
		return nil
	}
	at := tx.eventTime()
	for _, last := range noted(m, ts) {
		if !at.After(*last) {
			at = last.Add(time.Microsecond)
		}
	}
	subjects := make([]string, len(ts))
	for i, t := range ts {
		subjects[i] = "ticket/" + store.InRegion(t.Region, string(t.ID))
	}
	for _, last := range noted(m, ts) {
		*last = at
	}
	return tx.publish(sinks, c.NotificationTarget, subjects, at, say(event.News{Configuration: *c, ID: tx.NewID(), At: at}))
}

// tellEnd tells that a ticket was cancelled or timed out, or failed by itself.
func (tx *Tx) tellEnd(t *lift.Ticket) error {
	tx.countTickets(ticketMetrics[t.Status], 1, t)
	one := []*lift.Ticket{t}
	switch {
	case t.Status == lift.TicketCancelled || t.Status == lift.TicketTimedOut:
		return tx.tell(nil, one, func(n event.News) event.Event { return n.Ended(t) })
	case t.Match == "": // it failed, with no match to blame
		return tx.tell(nil, one, func(n event.News) event.Event { return n.Failed(nil, t) })
	}
	return nil
}

// tellFailed gives the tickets of a match the reason of their end and tells it.
func (tx *Tx) tellFailed(m *lift.Match, ts []*lift.Ticket, reason, message string) error {
	for _, t := range ts {
		t.Reason, t.Message = reason, message
	}
	return tx.tell(m, ts, func(n event.News) event.Event { return n.Failed(m, ts...) })
}

// Searching tells that a ticket entered its pool, before it is saved.
func (tx *Tx) Searching(t *lift.Ticket) error {
	return tx.tell(nil, []*lift.Ticket{t}, func(n event.News) event.Event { return n.Searching(t) })
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func noted(m *lift.Match, ts []*lift.Ticket) []*time.Time {
	var all []*time.Time
	if m != nil {
		all = append(all, &m.NotedAt)
	}
	for _, t := range ts {
		all = append(all, &t.NotedAt)
	}
	return all
}

// Count is something that happened N times, by its name in behaviour 9.
type Count struct {
	Metric        string
	N             int
	Queue         string          // it happened in a queue, or
	Configuration string          // to a ticket of a matchmaking configuration
	Rule          string          // likewise, in a rule of its rule set
	Took          time.Duration   // since the ticket began
	Each          []time.Duration // likewise, where it happened to N tickets at once
	Region        string
}

var placementMetrics = map[lift.PlacementStatus]string{
	lift.PlacementFulfilled: "PlacementsSucceeded", lift.PlacementCancelled: "PlacementsCanceled",
	lift.PlacementTimedOut: "PlacementsTimedOut", lift.PlacementFailed: "PlacementsFailed",
}

var ticketMetrics = map[lift.TicketStatus]string{
	lift.TicketCompleted: "TimeToTicketSuccess", lift.TicketCancelled: "TimeToTicketCancel",
	lift.TicketTimedOut: "TicketsTimedOut", lift.TicketFailed: "TicketsFailed",
}

// PlacementIn is the Count of placements by the region in which they succeeded,
// not by that of their queue.
const PlacementIn = "Placement"

// CountPlacement counts what happened to a placement, once this is committed.
func (tx *Tx) CountPlacement(metric string, p *lift.Placement) {
	if p.Status == lift.PlacementFulfilled {
		tx.counts = append(tx.counts, Count{Metric: PlacementIn, N: 1, Queue: p.Queue, Region: lift.ARNRegion(string(p.SessionID))})
	}
	tx.counts = append(tx.counts, Count{Metric: metric, N: 1, Queue: p.Queue, Region: p.Region})
}

// A Pass is one look of a matchmaker through its pool.
type Pass struct {
	Took  time.Duration
	First []time.Duration  // how long tickets waited for it whose first it was
	Rules []lift.RuleCount // evaluated in it
}

// Counts that behaviour 9 does not know.
const (
	MatchmakerPass  = "MatchmakerPass"
	TimeToFirstPass = "TimeToFirstPass"
)

// Passed counts a pass over the pool of a configuration, by its row.
func (e *Engine) Passed(configuration string, p Pass) {
	if e.opts.Count == nil {
		return
	}
	region, name, _ := strings.Cut(configuration, "/")
	e.opts.Count(Count{Metric: MatchmakerPass, N: 1, Configuration: name, Took: p.Took, Region: region})
	if len(p.First) > 0 {
		e.opts.Count(Count{Metric: TimeToFirstPass, N: len(p.First), Configuration: name, Each: p.First, Region: region})
	}
	for _, r := range p.Rules {
		e.opts.Count(Count{Metric: "RuleEvaluationsPassed", N: r.Passed, Configuration: name, Rule: r.Rule, Region: region})
		e.opts.Count(Count{Metric: "RuleEvaluationsFailed", N: r.Failed, Configuration: name, Rule: r.Rule, Region: region})
	}
}

// countTickets counts what happened to tickets, or to their match, likewise.
func (tx *Tx) countTickets(metric string, n int, ts ...*lift.Ticket) {
	t := ts[0]
	tx.counts = append(tx.counts, Count{Metric: metric, N: n, Configuration: t.Configuration, Took: tx.Now.Sub(t.StartedAt), Region: t.Region})
}

// tellPlacement saves the event of a placement that ended, before that is
// saved itself: it notes its time there, as tell does.
func (tx *Tx) tellPlacement(p *lift.Placement) error {
	tx.CountPlacement(placementMetrics[p.Status], p)
	if tx.e.opts.Sinks == nil {
		return nil
	}
	q, err := tx.queue(p)
	if err != nil {
		return err
	}
	if q == nil { // deleted
		q = &lift.Queue{Name: p.Queue, Region: p.Region, Account: p.Account}
	}
	sinks := tx.e.opts.Sinks(q.NotificationTarget)
	if len(sinks) == 0 {
		return nil
	}
	at := tx.eventTime()
	if !at.After(p.NotedAt) { // by a server whose clock is ahead
		at = p.NotedAt.Add(time.Microsecond)
	}
	p.NotedAt = at
	subject := "placement/" + store.InRegion(p.Region, string(p.ID))
	return tx.publish(sinks, q.NotificationTarget, []string{subject}, at, event.PlacementEnded(q, p, tx.NewID(), at))
}

func (tx *Tx) publish(sinks []string, topic string, subjects []string, at time.Time, ev event.Event) error {
	body, _ := json.Marshal(ev) // of texts and whole numbers: it cannot fail
	for _, s := range sinks {
		if err := tx.Emit(lift.Effect{To: lift.ToSink(s), Publish: &lift.Publish{Topic: topic, Subjects: subjects, At: at, Event: string(body)}}); err != nil {
			return err
		}
	}
	return nil
}

// Redeliver puts a dead letter back into the outbox of its sink.
func (tx *Tx) Redeliver(d *store.DeadLetter) error {
	p := d.Publish
	if tx.e.opts.Sinks == nil || !slices.Contains(tx.e.opts.Sinks(p.Topic), d.Sink) {
		return lift.Errorf(lift.InvalidRequest, "sink %s is not configured, or not for topic %q; change the configuration, restart, and try again", d.Sink, p.Topic)
	}
	p.At = tx.eventTime()
	if err := tx.Emit(lift.Effect{To: lift.ToSink(d.Sink), Publish: &p}); err != nil {
		return err
	}
	return store.DeadLetters.Delete(tx, string(d.ID))
}

// configurationOf returns the configuration of a ticket; of one that was
// deleted only what the ticket knows.
func (tx *Tx) configurationOf(t *lift.Ticket) (*lift.MatchmakingConfiguration, error) {
	key := store.InRegion(t.Region, t.Configuration)
	if tx.configurations == nil {
		tx.configurations = map[string]*lift.MatchmakingConfiguration{}
	}
	if tx.configurations[key] == nil {
		c, ok, err := store.Configurations.Get(tx, key)
		if err != nil {
			return nil, err
		}
		if !ok {
			c = &lift.MatchmakingConfiguration{Name: t.Configuration, Region: t.Region, Account: t.Account}
		}
		tx.configurations[key] = c
	}
	return tx.configurations[key], nil
}

// KeepQueue lets the transaction remember a queue that it deletes: the events
// of its last placements go where the queue's events went.
func (tx *Tx) KeepQueue(q *lift.Queue) {
	if tx.queues == nil {
		tx.queues = map[string]*lift.Queue{}
	}
	tx.queues[store.InRegion(q.Region, q.Name)] = q
}

// Evaluated tells what the matcher knows of rules that were evaluated for
// tickets that search, by the tickets' rows. It is a hint for their events and
// is lost with this server.
func (e *Engine) Evaluated(counts map[string][]lift.RuleCount) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ticket, c := range counts {
		if c == nil {
			delete(e.evaluated, ticket)
			continue
		}
		if e.evaluated == nil {
			e.evaluated = map[string][]lift.RuleCount{}
		}
		e.evaluated[ticket] = c
	}
}

// addEvaluations adds to a ticket what was evaluated since it was saved last.
func (tx *Tx) addEvaluations(t *lift.Ticket) {
	if t.Status != lift.TicketSearching || t.Arriving {
		return // what is known of it is in its row
	}
	tx.e.mu.Lock()
	counts := tx.e.evaluated[store.InRegion(t.Region, string(t.ID))]
	tx.e.mu.Unlock()
	t.Evaluations = addCounts(t.Evaluations, counts)
}

func addCounts(to, more []lift.RuleCount) []lift.RuleCount {
	to = slices.Clone(to)
	for _, c := range more {
		i := slices.IndexFunc(to, func(o lift.RuleCount) bool { return o.Rule == c.Rule })
		if i < 0 {
			to = append(to, c)
			continue
		}
		to[i].Passed += c.Passed
		to[i].Failed += c.Failed
	}
	return to
}
