package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// FlexmatchSimulateCmd lets a crowd meet one rule set, or two for comparison.
type FlexmatchSimulateCmd struct {
	Rules      []string          `arg:"" help:"One rule set file, or two to compare."`
	Tickets    string            `help:"Recorded tickets instead of a made-up crowd: a file with a tickets list as in scenarios."`
	Rate       float64           `help:"Tickets that arrive a second." default:"5"`
	For        time.Duration     `help:"How long tickets arrive, in virtual time." default:"10m"`
	Attribute  map[string]string `help:"How an attribute is spread: skill=normal:1500,350, mode=choice:ctf*3,duel, maps=some:a,b,c." mapsep:";"`
	Parties    string            `help:"Party sizes and their weights." default:"1*6,2*3,3,4,5"`
	Locations  string            `help:"Home locations and their weights; default three when a rule looks at latency."`
	Timeout    time.Duration     `help:"RequestTimeoutSeconds of the configuration." default:"2m"`
	Additional int               `help:"AdditionalPlayerCount of the configuration."`
	Step       time.Duration     `help:"Time between passes." default:"500ms"`
	Seed       uint64            `help:"Same seed, same crowd." default:"1"`
	Format     string            `help:"text or json." enum:"text,json" default:"text"`
}

// The bounds of a simulation.
const maxSimulatedTickets = 2_000_000

// Run simulates and prints the report.
func (c *FlexmatchSimulateCmd) Run(w *World) error {
	if len(c.Rules) > 2 {
		return errors.New("two rule sets can be compared, not more")
	}
	if c.Step <= 0 || c.Rate <= 0 || c.For <= 0 || c.Timeout <= 0 {
		return errors.New("--rate, --for, --timeout and --step must be positive")
	}
	var sets []*rules.Set
	for _, path := range c.Rules {
		set, err := readRules(path)
		if err != nil {
			return err
		}
		sets = append(sets, set)
	}
	tickets, described, err := c.tickets(sets)
	if err != nil {
		return err
	}
	var reports []*simReport
	for i, set := range sets {
		r, err := c.simulate(set, tickets)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Rules[i], err)
		}
		r.file = c.Rules[i]
		reports = append(reports, r)
	}
	if c.Format == "json" {
		for _, r := range reports {
			printJSON(w.Out, r.json())
		}
		return nil
	}
	c.printReports(w, reports, described)
	return nil
}

// tickets makes or reads the tickets, by start.
func (c *FlexmatchSimulateCmd) tickets(sets []*rules.Set) ([]match.Ticket, []string, error) {
	if c.Tickets != "" {
		s, err := readScenario(c.Tickets)
		if err != nil {
			return nil, nil, err
		}
		if len(s.Tickets) == 0 {
			return nil, nil, fmt.Errorf("%s has no tickets", c.Tickets)
		}
		var out []match.Ticket
		for _, t := range s.Tickets {
			out = append(out, t.ticket(scenarioTime(t.ArriveSeconds)))
		}
		slices.SortStableFunc(out, func(a, b match.Ticket) int { return a.Start.Compare(b.Start) })
		return out, []string{"recorded in " + c.Tickets}, nil
	}
	if n := c.Rate * c.For.Seconds(); n > maxSimulatedTickets {
		return nil, nil, fmt.Errorf("%.0f tickets are too many, at most %d; lower --rate or --for", n, maxSimulatedTickets)
	}
	crowd, err := newCrowd(c.Seed, c.Attribute, c.Parties, c.Locations, sets)
	if err != nil {
		return nil, nil, err
	}
	var out []match.Ticket
	for at := 0.0; ; {
		at += crowd.r.ExpFloat64() / c.Rate
		if at >= c.For.Seconds() {
			break
		}
		out = append(out, crowd.ticket(scenarioStart.Add(time.Duration(at*float64(time.Second)))))
	}
	if len(out) == 0 {
		return nil, nil, errors.New("no ticket arrives; raise --rate or --for")
	}
	return out, crowd.describe(), nil
}

// A simReport is what one rule set did with the tickets.
type simReport struct {
	file     string
	set      *rules.Set
	tickets  int
	players  int
	matches  int
	placed   int             // players
	waits    []time.Duration // of matched tickets, sorted
	timedOut int
	sizes    map[int]int       // players per match
	levels   []int             // matches by expansion level
	spread   map[int][]float64 // by number attribute: largest minus smallest in a match
	gap      map[int][]float64 // by number attribute: largest minus smallest team average
	parties  map[int][2]int    // tickets and matched tickets by party size
	rules    []match.RuleCount
	stats    match.Stats
}

func (c *FlexmatchSimulateCmd) simulate(set *rules.Set, tickets []match.Ticket) (*simReport, error) {
	p := match.NewPool(match.Config{Rules: set, RequestTimeout: c.Timeout, Standalone: true, AdditionalPlayers: c.Additional, Lenient: true})
	r := &simReport{set: set, sizes: map[int]int{}, levels: make([]int, len(set.Levels)), spread: map[int][]float64{}, gap: map[int][]float64{}, parties: map[int][2]int{}}
	live := map[match.TicketID]match.Ticket{}
	now, next := tickets[0].Start, 0
	for next < len(tickets) || p.Len() > 0 {
		if next == len(tickets) {
			// Nothing arrives any more: go on to where something falls due.
			if u := p.Pass(now); u.Next.After(now.Add(c.Step)) {
				r.take(u, live, now)
				now = u.Next
				continue
			} else {
				r.take(u, live, now)
			}
		}
		now = now.Add(c.Step)
		for next < len(tickets) && !tickets[next].Start.After(now) {
			t := tickets[next]
			next++
			r.tickets++
			r.players += len(t.Players)
			counts := r.parties[len(t.Players)]
			counts[0]++
			r.parties[len(t.Players)] = counts
			live[t.ID] = t
			u, err := p.Add(now, t)
			if err != nil {
				return nil, err
			}
			r.take(u, live, now)
		}
		r.take(p.Pass(now), live, now)
	}
	slices.Sort(r.waits)
	r.rules, r.stats = p.RuleCounts(), p.Stats()
	return r, nil
}

func (r *simReport) take(u match.Update, live map[match.TicketID]match.Ticket, now time.Time) {
	for _, m := range u.Matches {
		r.matches++
		r.placed += len(m.Seats)
		r.sizes[len(m.Seats)]++
		r.levels[m.Level]++
		r.measure(m, live)
		for _, id := range m.Tickets {
			t := live[id]
			delete(live, id)
			r.waits = append(r.waits, now.Sub(t.Start))
			counts := r.parties[len(t.Players)]
			counts[1]++
			r.parties[len(t.Players)] = counts
		}
	}
	for _, c := range u.Changes {
		if c.To == match.TimedOut {
			r.timedOut++
			delete(live, c.Ticket)
		}
	}
}

// measure notes how far the players of a match and the averages of its teams
// lie apart.
func (r *simReport) measure(m match.Match, live map[match.TicketID]match.Ticket) {
	team := map[string]string{}
	for _, s := range m.Seats {
		team[s.PlayerID] = s.Team
	}
	for i, a := range r.set.Attributes {
		if a.Kind != rules.Number {
			continue
		}
		low, high := math.Inf(1), math.Inf(-1)
		sum, count := map[string]float64{}, map[string]float64{}
		for _, id := range m.Tickets {
			for _, p := range live[id].Players {
				v := a.Default.N
				if given, ok := p.Attributes[a.Name]; ok {
					v = given.N
				}
				low, high = min(low, v), max(high, v)
				sum[team[p.ID]] += v
				count[team[p.ID]]++
			}
		}
		r.spread[i] = append(r.spread[i], high-low)
		least, most := math.Inf(1), math.Inf(-1)
		for t, n := range count {
			least, most = min(least, sum[t]/n), max(most, sum[t]/n)
		}
		if len(count) > 1 {
			r.gap[i] = append(r.gap[i], most-least)
		}
	}
}

// quantile of a sorted list; 0 if it is empty.
func quantile[T any](list []T, q float64) T {
	if len(list) == 0 {
		var none T
		return none
	}
	return list[min(int(q*float64(len(list))), len(list)-1)]
}
