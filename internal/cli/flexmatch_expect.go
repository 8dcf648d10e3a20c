package cli

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// An expectation of a scenario. Which members count depends on Type.
type expectation struct {
	Type     string
	Strength string // "should" marks a goal whose miss is only reported

	Ticket, Player, Status, Team string
	Tickets, Players             names
	AnyOf                        []string
	BySeconds, AtSeconds         *int
	Seconds, Equals, Min, Max    *int
	AtMost, Difference, Value    *int
	Sizes                        map[string]int
	Contains                     []expectedEvent
}

// names is a list of strings; matchSizeAtLeast has a number in its place.
type names struct {
	list  []string
	count int
}

func (n *names) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &n.count) == nil {
		return nil
	}
	return json.Unmarshal(b, &n.list)
}

type expectedEvent struct {
	Type    string
	Tickets []string
	Detail  map[string]any
}

// check returns "" if the expectation is met, else what is wrong.
func (e *expectation) check(tr *trace) string {
	switch e.Type {
	case "matchIsExactly":
		return e.matchIsExactly(tr)
	case "matchedBy":
		for _, id := range e.Tickets.list {
			if m := tr.matchOf(id); m == nil || m.second > e.by(tr) {
				return fmt.Sprintf("ticket %s is %s", id, whenMatched(m))
			}
		}
	case "matchContainsOneOf":
		m := tr.matchOf(e.Ticket)
		if m == nil || !slices.ContainsFunc(e.AnyOf, func(id string) bool { return slices.Contains(m.Tickets, match.TicketID(id)) }) {
			return fmt.Sprintf("ticket %s is %s, without any of %v", e.Ticket, whenMatched(m), e.AnyOf)
		}
	case "neverMatched":
		for _, id := range e.Tickets.list {
			if m := tr.matchOf(id); m != nil {
				return fmt.Sprintf("ticket %s is %s", id, whenMatched(m))
			}
		}
	case "notMatchedBefore":
		for _, id := range e.Tickets.list {
			if m := tr.matchOf(id); m != nil && e.Seconds != nil && m.second < *e.Seconds {
				return fmt.Sprintf("ticket %s is %s", id, whenMatched(m))
			}
		}
	case "neverTogether":
		for i := range tr.matches {
			if m := &tr.matches[i]; !slices.ContainsFunc(e.Tickets.list, func(id string) bool { return !slices.Contains(m.Tickets, match.TicketID(id)) }) {
				return fmt.Sprintf("%v are together in %s", e.Tickets.list, m.ID)
			}
		}
	case "matchCount":
		n := 0
		for _, m := range tr.matches {
			if m.second <= e.by(tr) {
				n++
			}
		}
		return e.number("matches formed", n)
	case "unmatchedCount":
		n := 0
		for id, t := range tr.tickets {
			arrived := int(t.Start.Sub(scenarioStart) / time.Second)
			if m := tr.matchOf(string(id)); arrived <= e.at(tr) && (m == nil || m.second > e.at(tr)) {
				n++
			}
		}
		return e.number("tickets unmatched", n)
	case "matchSizeAtLeast":
		most := 0
		for _, m := range tr.matches {
			if m.second <= e.by(tr) {
				most = max(most, len(m.Seats))
			}
		}
		if most < e.Players.count {
			return fmt.Sprintf("the biggest match has %d players", most)
		}
	case "teamSizesOfFirstMatch":
		if len(tr.matches) == 0 {
			return "there is no match"
		}
		got := teamSizes(tr.set, tr.matches[0].Match)
		for team, n := range e.Sizes {
			if got[team] != n {
				return fmt.Sprintf("the sizes are %v, expected %v", got, e.Sizes)
			}
		}
	case "teamSizeDifferenceAtMost":
		return e.teamSizeDifference(tr)
	case "sameTeam", "differentTeams", "inTeam":
		return e.teams(tr)
	case "ticketStatus":
		for _, s := range tr.statuses[match.TicketID(e.Ticket)] {
			if string(s.change.To) == e.Status && s.second <= e.by(tr) {
				return ""
			}
		}
		return fmt.Sprintf("ticket %s never is %s by then", e.Ticket, e.Status)
	case "statusAt":
		status := match.Status("")
		for _, s := range tr.statuses[match.TicketID(e.Ticket)] {
			if s.second <= e.at(tr) {
				status = s.change.To
			}
		}
		if string(status) != e.Status {
			return fmt.Sprintf("ticket %s is %s at second %d, expected %s", e.Ticket, status, e.at(tr), e.Status)
		}
	case "events":
		for _, want := range e.Contains {
			if !slices.ContainsFunc(tr.events, func(got eventAt) bool { return want.matches(tr, got) }) {
				return fmt.Sprintf("no event %s for %v %v", want.Type, want.Tickets, want.Detail)
			}
		}
	case "everyMatchValid":
		return everyMatchValid(tr)
	default:
		return fmt.Sprintf("unknown expectation %q", e.Type)
	}
	return ""
}

func (e *expectation) by(tr *trace) int {
	if e.BySeconds == nil {
		return tr.until
	}
	return *e.BySeconds
}

func (e *expectation) at(tr *trace) int {
	if e.AtSeconds == nil {
		return tr.until
	}
	return *e.AtSeconds
}

func (e *expectation) number(what string, n int) string {
	switch {
	case e.Equals != nil && n != *e.Equals:
		return fmt.Sprintf("%s: %d, expected %d", what, n, *e.Equals)
	case e.Min != nil && n < *e.Min:
		return fmt.Sprintf("%s: %d, expected at least %d", what, n, *e.Min)
	case e.Max != nil && n > *e.Max:
		return fmt.Sprintf("%s: %d, expected at most %d", what, n, *e.Max)
	}
	return ""
}

func whenMatched(m *matchAt) string {
	if m == nil {
		return "unmatched"
	}
	return fmt.Sprintf("matched at second %d with %v", m.second, m.Tickets)
}

func (e *expectation) matchIsExactly(tr *trace) string {
	if len(e.Tickets.list) == 0 {
		return "the expectation lists no tickets"
	}
	m := tr.matchOf(e.Tickets.list[0])
	if m == nil || m.second > e.by(tr) || len(m.Tickets) != len(e.Tickets.list) ||
		slices.ContainsFunc(e.Tickets.list, func(id string) bool { return !slices.Contains(m.Tickets, match.TicketID(id)) }) {
		return fmt.Sprintf("ticket %s is %s, expected exactly %v by second %d", e.Tickets.list[0], whenMatched(m), e.Tickets.list, e.by(tr))
	}
	return ""
}

func teamSizes(set *rules.Set, m match.Match) map[string]int {
	sizes := map[string]int{}
	for _, t := range set.Teams {
		sizes[t.Name] = 0
	}
	for _, s := range m.Seats {
		sizes[s.Team]++
	}
	return sizes
}

func (e *expectation) teamSizeDifference(tr *trace) string {
	limit := -1
	for _, v := range []*int{e.AtMost, e.Difference, e.Max, e.Value, e.Equals} {
		if v != nil {
			limit = *v
		}
	}
	if limit < 0 {
		limit = e.Players.count
	}
	for _, m := range tr.matches {
		low, high := 1<<30, 0
		for _, n := range teamSizes(tr.set, m.Match) {
			low, high = min(low, n), max(high, n)
		}
		if high-low > limit {
			return fmt.Sprintf("%s has teams of %d and of %d", m.ID, low, high)
		}
	}
	return ""
}

// teams checks sameTeam, differentTeams and inTeam. Names are players or
// tickets.
func (e *expectation) teams(tr *trace) string {
	who := slices.Concat(e.Tickets.list, e.Players.list)
	for _, one := range []string{e.Ticket, e.Player} {
		if one != "" {
			who = append(who, one)
		}
	}
	var places []string
	for _, name := range who {
		place := ""
		for _, m := range tr.matches {
			for _, s := range m.Seats {
				if s.PlayerID == name || string(s.Ticket) == name {
					place = m.ID + " " + s.Team
					if e.Type == "inTeam" {
						place = s.Team
					}
				}
			}
		}
		if place == "" {
			return name + " is in no match"
		}
		places = append(places, place)
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(places)))
	switch {
	case e.Type == "inTeam":
		allowed := e.AnyOf
		if e.Team != "" {
			allowed = append(allowed, e.Team)
		}
		for i, p := range places {
			if !slices.Contains(allowed, p) {
				return fmt.Sprintf("%s is in team %s", who[i], p)
			}
		}
	case e.Type == "sameTeam" && len(distinct) != 1:
		return fmt.Sprintf("%v are in %v", who, places)
	case e.Type == "differentTeams" && len(distinct) != len(places):
		return fmt.Sprintf("%v are in %v", who, places)
	}
	return ""
}

func (want expectedEvent) matches(tr *trace, got eventAt) bool {
	if string(got.Type) != want.Type || len(got.Tickets) != len(want.Tickets) {
		return false
	}
	for _, id := range want.Tickets {
		if !slices.Contains(got.Tickets, match.TicketID(id)) {
			return false
		}
	}
	if len(want.Detail) == 0 {
		return true
	}
	var detail map[string]any
	text, err := json.Marshal(tr.detail(got))
	if err != nil || json.Unmarshal(text, &detail) != nil {
		return false
	}
	for k, v := range want.Detail {
		if !reflect.DeepEqual(detail[k], v) {
			return false
		}
	}
	return true
}

// everyMatchValid judges every match from the tickets as the scenario has
// them, with the expansion values of its age: not trusting the pool.
func everyMatchValid(tr *trace) string {
	judge := rules.NewJudge(tr.set)
	seen := map[match.TicketID]string{}
	for _, m := range tr.matches {
		roster := make(rules.Roster, len(tr.set.Teams))
		backfills := 0
		var oldest, newest time.Time
		for i, id := range m.Tickets {
			if other := seen[id]; other != "" {
				return fmt.Sprintf("ticket %s is in %s and %s", id, other, m.ID)
			}
			seen[id] = m.ID
			t := tr.tickets[id]
			if t.Backfill {
				backfills++
			}
			if i == 0 || t.Start.Before(oldest) {
				oldest = t.Start
			}
			if i == 0 || t.Start.After(newest) {
				newest = t.Start
			}
			parties := map[string]rules.Party{}
			for _, p := range t.Players {
				k := slices.IndexFunc(m.Seats, func(s match.Seat) bool { return s.PlayerID == p.ID && s.Ticket == id })
				if k < 0 {
					return fmt.Sprintf("player %s is not in %s", p.ID, m.ID)
				}
				team := m.Seats[k].Team
				if t.Backfill && team != p.Team {
					return fmt.Sprintf("backfill player %s changed from team %s to %s", p.ID, p.Team, team)
				}
				values, problems := tr.set.LayOut(p.Attributes)
				if len(problems) > 0 {
					return fmt.Sprintf("player %s: %s", p.ID, problems[0])
				}
				parties[team] = append(parties[team], rules.Player{ID: p.ID, Attributes: values, Latency: latencies(p.LatencyMS)})
			}
			if len(parties) > 1 && !t.Backfill {
				return fmt.Sprintf("ticket %s is split in %s", id, m.ID)
			}
			for k, team := range tr.set.Teams {
				if p := parties[team.Name]; len(p) > 0 {
					roster[k] = append(roster[k], p)
				}
			}
		}
		clock := newest
		if tr.set.Algorithm.Oldest {
			clock = oldest
		}
		level := tr.set.LevelAt(m.At.Sub(clock))
		switch n := roster.Players(); {
		case backfills > 1 || backfills == len(m.Tickets):
			return fmt.Sprintf("%s has %d backfill tickets among %d", m.ID, backfills, len(m.Tickets))
		case n > tr.set.Seats(level)-tr.config.AdditionalPlayerCount:
			return fmt.Sprintf("%s has %d players, too many", m.ID, n)
		}
		if ok, broken := judge.Holds(level, roster); !ok {
			return fmt.Sprintf("%s breaks %s", m.ID, brokenName(tr.set, broken))
		}
	}
	return ""
}

func brokenName(set *rules.Set, b rules.Broken) string {
	if b.Team >= 0 {
		return "the size of team " + set.Teams[b.Team].Name
	}
	return "rule " + set.Rules[b.Rule].Name
}

func latencies(ms map[string]int) []rules.Latency {
	var out []rules.Latency
	for l, v := range ms {
		out = append(out, rules.Latency{Location: l, MS: int32(v)})
	}
	slices.SortFunc(out, func(a, b rules.Latency) int {
		if a.Location < b.Location {
			return -1
		}
		return 1
	})
	return out
}
