package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A scenario is a story in virtual time: a rule set, tickets that arrive,
// actions, and what must come of it. docs/flexmatch.md describes the format.
type scenario struct {
	ID              string
	Title           string
	Kind            string // "validation" for a list of rule sets to check
	RuleSet         json.RawMessage
	RuleSetBody     string
	RuleSetFile     string // beside the scenario
	Configuration   scenarioConfiguration
	Tickets         []scenarioTicket
	Actions         []scenarioAction
	RunUntilSeconds int
	Expect          []expectation
	Cases           []validationCase
}

type scenarioConfiguration struct {
	RequestTimeoutSeconds    int
	AcceptanceRequired       bool
	AcceptanceTimeoutSeconds int
	FlexMatchMode            string
	AdditionalPlayerCount    int
	RequeueUndecided         bool
}

type scenarioTicket struct {
	TicketID      string `json:"ticketId"`
	ArriveSeconds int
	Kind          string // "backfill" or nothing
	Players       []scenarioPlayer
}

type scenarioPlayer struct {
	PlayerID         string `json:"PlayerId"`
	Team             string
	PlayerAttributes map[string]wireValue
	LatencyInMs      map[string]int
}

// wireValue is an attribute value with the member names of the API.
type wireValue struct {
	N   *float64           `json:",omitempty"`
	S   *string            `json:",omitempty"`
	SL  []string           `json:",omitempty"`
	SDM map[string]float64 `json:",omitempty"`
}

func (v wireValue) value() rules.Value {
	switch {
	case v.N != nil:
		return rules.N(*v.N)
	case v.S != nil:
		return rules.S(*v.S)
	case v.SDM != nil:
		return rules.SDM(v.SDM)
	}
	return rules.SL(v.SL...)
}

type scenarioAction struct {
	AtSeconds int
	Type      string // accept, reject or stop
	Ticket    string
	Players   []string
}

type validationCase struct {
	Name        string
	Valid       bool
	Why         string
	RuleSet     json.RawMessage
	RuleSetBody string
}

// readScenario reads a scenario file.
func readScenario(path string) (*scenario, error) {
	text, err := readText(path)
	if err != nil {
		return nil, err
	}
	var s scenario
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("%s is not a scenario: %w", path, err)
	}
	if s.RuleSetFile != "" {
		if s.RuleSetBody, err = readText(beside(path, s.RuleSetFile)); err != nil {
			return nil, fmt.Errorf("%s: the rule set: %w", path, err)
		}
	}
	return &s, nil
}

// set parses the scenario's rule set.
func (s *scenario) set() (*rules.Set, error) {
	body := s.RuleSetBody
	if len(s.RuleSet) > 0 {
		body = string(s.RuleSet)
	}
	if body == "" {
		return nil, errors.New("the scenario has no rule set; give one as ruleSet, ruleSetBody or ruleSetFile")
	}
	set, findings := rules.Parse(body)
	if set == nil {
		return nil, fmt.Errorf("the rule set is not valid:\n%s", findings.Error())
	}
	return set, nil
}

// scenarioStart is second 0 of every scenario.
var scenarioStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func scenarioTime(second int) time.Time {
	return scenarioStart.Add(time.Duration(second) * time.Second)
}

func (t scenarioTicket) ticket(start time.Time) match.Ticket {
	out := match.Ticket{ID: match.TicketID(t.TicketID), Start: start, Backfill: t.Kind == "backfill"}
	for _, p := range t.Players {
		attributes := map[string]rules.Value{}
		for name, v := range p.PlayerAttributes {
			attributes[name] = v.value()
		}
		out.Players = append(out.Players, match.Player{ID: p.PlayerID, Team: p.Team, Attributes: attributes, LatencyMS: p.LatencyInMs})
	}
	return out
}

// A trace is what a scenario did, second by second.
type trace struct {
	pool     *match.Pool
	set      *rules.Set
	config   scenarioConfiguration
	tickets  map[match.TicketID]match.Ticket
	statuses map[match.TicketID][]statusAt // every status, in order
	matches  []matchAt
	events   []eventAt
	until    int
	sink     func(*trace, int, any) // takes every statusAt, eventAt and matchAt as it happens
}

type statusAt struct {
	second int
	ticket match.TicketID
	change match.Change
}

type matchAt struct {
	second int
	match.Match
}

type eventAt struct {
	second int
	match.Event
	note string // of a request or action that was refused
}

// play runs a scenario up to and including second until.
func (s *scenario) play(until int, sink func(*trace, int, any)) (*trace, error) {
	set, err := s.set()
	if err != nil {
		return nil, err
	}
	c := s.Configuration
	tr := &trace{
		set: set, config: c, until: until, sink: sink,
		tickets: map[match.TicketID]match.Ticket{}, statuses: map[match.TicketID][]statusAt{},
		pool: match.NewPool(match.Config{
			Rules: set, RequestTimeout: time.Duration(c.RequestTimeoutSeconds) * time.Second,
			AcceptRequired: c.AcceptanceRequired, AcceptTimeout: time.Duration(c.AcceptanceTimeoutSeconds) * time.Second,
			AdditionalPlayers: c.AdditionalPlayerCount, Standalone: c.FlexMatchMode != "WITH_QUEUE", RequeueUndecided: c.RequeueUndecided,
		}),
	}
	for second := 0; second <= until; second++ {
		now := scenarioTime(second)
		tr.take(second, tr.pool.Expire(now))
		for _, t := range s.Tickets {
			if t.ArriveSeconds == second {
				tr.submit(second, t.ticket(now))
			}
		}
		for _, a := range s.Actions {
			if a.AtSeconds == second {
				tr.act(second, a)
			}
		}
		tr.take(second, tr.pool.Pass(now))
	}
	return tr, nil
}

// submit is StartMatchmaking: a player's older tickets are cancelled (10.2).
func (tr *trace) submit(second int, t match.Ticket) {
	if _, known := tr.tickets[t.ID]; known {
		tr.refuse(second, t.ID, fmt.Sprintf("a ticket %s is known already", t.ID))
		return
	}
	for _, id := range tr.activeOf(t) {
		u, err := tr.pool.Stop(scenarioTime(second), id, "Cancelled", "Replaced by a newer request of one of its players.")
		if err == nil {
			tr.take(second, u)
		}
	}
	tr.tickets[t.ID] = t
	tr.take(second, match.Update{Changes: []match.Change{{Ticket: t.ID, To: match.Queued}}})
	u, err := tr.pool.Add(scenarioTime(second), t)
	if err != nil {
		tr.refuse(second, t.ID, err.Error())
		return
	}
	tr.take(second, u)
}

// activeOf lists waiting tickets that share a player with t, in order.
func (tr *trace) activeOf(t match.Ticket) []match.TicketID {
	var ids []match.TicketID
	for id, old := range tr.tickets {
		if id == t.ID || tr.pool.Status(id) == "" {
			continue
		}
		if slices.ContainsFunc(old.Players, func(p match.Player) bool {
			return slices.ContainsFunc(t.Players, func(q match.Player) bool { return p.ID == q.ID })
		}) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (tr *trace) act(second int, a scenarioAction) {
	now, id := scenarioTime(second), match.TicketID(a.Ticket)
	var u match.Update
	var err error
	switch a.Type {
	case "accept", "reject":
		players := a.Players
		if len(players) == 0 {
			for _, p := range tr.tickets[id].Players {
				players = append(players, p.ID)
			}
		}
		u, err = tr.pool.Accept(now, id, players, a.Type == "accept")
	case "stop":
		u, err = tr.pool.Stop(now, id, "", "")
	default:
		err = fmt.Errorf("unknown action %q; use accept, reject or stop", a.Type)
	}
	if err != nil {
		tr.refuse(second, id, a.Type+": "+err.Error())
		return
	}
	tr.take(second, u)
}

// refuse notes a request or action that was not accepted.
func (tr *trace) refuse(second int, id match.TicketID, why string) {
	e := eventAt{second: second, Event: match.Event{Type: "Refused", Tickets: []match.TicketID{id}}, note: why}
	tr.events = append(tr.events, e)
	tr.emit(second, e)
}

func (tr *trace) take(second int, u match.Update) {
	for _, c := range u.Changes {
		s := statusAt{second, c.Ticket, c}
		tr.statuses[c.Ticket] = append(tr.statuses[c.Ticket], s)
		tr.emit(second, s)
	}
	for _, e := range u.Events {
		tr.events = append(tr.events, eventAt{second: second, Event: e})
		tr.emit(second, tr.events[len(tr.events)-1])
	}
	for _, m := range u.Matches {
		tr.matches = append(tr.matches, matchAt{second, m})
		tr.emit(second, tr.matches[len(tr.matches)-1])
	}
}

func (tr *trace) emit(second int, line any) {
	if tr.sink != nil {
		tr.sink(tr, second, line)
	}
}

// matchOf returns the match that holds a ticket, or nil.
func (tr *trace) matchOf(id string) *matchAt {
	for i := range tr.matches {
		if slices.Contains(tr.matches[i].Tickets, match.TicketID(id)) {
			return &tr.matches[i]
		}
	}
	return nil
}
