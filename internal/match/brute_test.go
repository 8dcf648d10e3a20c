package match

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A valid match as the exhaustive search finds it.
type bruteMatch struct {
	entries []*entry
	players int
}

// bruteForce calls f for every valid match of the entries until it returns
// false: every subset, every assignment to teams, judged at its true age. With
// at >= 0 only sets whose members all have that level or a higher one count,
// and they must be valid at that level too.
func bruteForce(p *Pool, entries []*entry, at int, f func(bruteMatch) bool) {
	judge := rules.NewJudge(p.set)
	roster := make(rules.Roster, len(p.set.Teams))
	seats := 0
	for t := range p.set.Teams {
		most := 0
		for k := range p.set.Levels {
			most = max(most, p.set.Size(k, t).Max)
		}
		seats += most
	}
	var chosen []*entry
	stop := false
	var walk func(i, players, backfills int)
	walk = func(i, players, backfills int) {
		if stop || players > seats {
			return
		}
		if i == len(entries) {
			if len(chosen) == 0 || backfills > 1 || backfills == 1 && len(chosen) == 1 {
				return
			}
			level := chosen[0].level
			for _, e := range chosen {
				if p.set.Algorithm.Oldest {
					level = max(level, e.level)
				} else {
					level = min(level, e.level)
				}
			}
			if players > p.set.Seats(level)-p.config.AdditionalPlayers {
				return
			}
			if ok, _ := judge.Holds(level, roster); !ok {
				return
			}
			if at >= 0 {
				if level < at || players > p.set.Seats(at)-p.config.AdditionalPlayers {
					return
				}
				if ok, _ := judge.Holds(at, roster); !ok {
					return
				}
			}
			stop = !f(bruteMatch{slices.Clone(chosen), players})
			return
		}
		walk(i+1, players, backfills)
		e := entries[i]
		if len(e.never) > 0 {
			return
		}
		chosen = append(chosen, e)
		if e.backfill {
			for k := range e.parties {
				t := e.parties[k].team
				roster[t] = append(roster[t], e.parties[k].party)
			}
			walk(i+1, players+e.size, backfills+1)
			for k := range e.parties {
				t := e.parties[k].team
				roster[t] = roster[t][:len(roster[t])-1]
			}
		} else {
			for t := range roster {
				roster[t] = append(roster[t], e.parties[0].party)
				walk(i+1, players+e.size, backfills)
				roster[t] = roster[t][:len(roster[t])-1]
			}
		}
		chosen = chosen[:len(chosen)-1]
	}
	walk(0, 0, 0)
}

func searching(p *Pool) []*entry {
	var out []*entry
	for _, e := range p.entries {
		if e.status == Searching {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, compareAge)
	return out
}

// checkMatch judges a formed match from the tickets as they were handed in.
func checkMatch(p *Pool, tickets map[TicketID]Ticket, levels map[TicketID]int, m Match) error {
	roster := make(rules.Roster, len(p.set.Teams))
	level, backfills := -1, 0
	for _, id := range m.Tickets {
		t := tickets[id]
		if t.Backfill {
			backfills++
		}
		if k := levels[id]; level < 0 || (k < level) != p.set.Algorithm.Oldest && k != level {
			level = k
		}
		byTeam := map[string]rules.Party{}
		for _, pl := range t.Players {
			i := slices.IndexFunc(m.Seats, func(s Seat) bool { return s.PlayerID == pl.ID })
			if i < 0 {
				return fmt.Errorf("player %s is missing", pl.ID)
			}
			team := m.Seats[i].Team
			if t.Backfill && team != pl.Team {
				return fmt.Errorf("backfill player %s moved from %s to %s", pl.ID, pl.Team, team)
			}
			values, _ := p.set.LayOut(pl.Attributes)
			byTeam[team] = append(byTeam[team], rules.Player{ID: pl.ID, Attributes: values, Latency: p.latencies(pl.LatencyMS)})
		}
		if len(byTeam) > 1 && !t.Backfill {
			return fmt.Errorf("ticket %s is split", id)
		}
		for team := range p.set.Teams {
			if party := byTeam[p.set.Teams[team].Name]; len(party) > 0 {
				roster[team] = append(roster[team], party)
			}
		}
	}
	if backfills > 1 || backfills == 1 && len(m.Tickets) == 1 {
		return fmt.Errorf("%d backfill tickets among %d", backfills, len(m.Tickets))
	}
	if n := roster.Players(); n > p.set.Seats(level)-p.config.AdditionalPlayers || n != len(m.Seats) {
		return fmt.Errorf("%d players", n)
	}
	if level != m.Level {
		return fmt.Errorf("level %d, true level %d", m.Level, level)
	}
	judge := rules.NewJudge(p.set)
	if ok, broken := judge.Holds(level, roster); !ok {
		return fmt.Errorf("broken %+v: %+v", broken, judge.Verdicts(level, roster))
	}
	return nil
}

// TestAgainstBruteForce plays random pools through passing time. After every
// pass no valid match may be left among the waiting tickets, every match
// formed must be valid, and the first one must hold the oldest ticket that any
// match holds, with as many players as a match around it can have.
func TestAgainstBruteForce(t *testing.T) {
	worlds := 6000
	switch {
	case raceEnabled:
		worlds = 500 // the race detector looks at few lines many times
	case os.Getenv("CHAIRLIFT_TEST_ALL") != "":
		worlds = 25_000
	}
	formed, withBackfill, expanded := 0, 0, 0
	for seed := range worlds {
		m, b, x := playWorld(t, uint64(seed))
		formed, withBackfill, expanded = formed+m, withBackfill+b, expanded+x
		if t.Failed() {
			return
		}
	}
	t.Logf("%d worlds, %d matches, %d with backfill, %d with expansions", worlds, formed, withBackfill, expanded)
	if formed < worlds/2 || withBackfill < worlds/100 || expanded < worlds/100 {
		t.Errorf("the worlds are too dull: %d matches, %d with backfill, %d with expansions", formed, withBackfill, expanded)
	}
}

func playWorld(t *testing.T, seed uint64) (formed, withBackfill, expanded int) {
	r := rand.New(rand.NewPCG(seed, 77))
	set, body := randomSet(t, r)
	c := Config{Rules: set, AdditionalPlayers: pick(r, 0, 0, 0, 1), RequestTimeout: 60 * time.Second}
	p := NewPool(c)
	if r.IntN(2) == 0 {
		p.strict = 0
	}
	if r.IntN(2) == 0 {
		p.search.hard = -1 // classify candidates in every search
	}
	tickets := map[TicketID]Ticket{}
	gone := map[TicketID]bool{}
	start := time.Unix(1_000_000, 0)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("seed %d, strict %d: %s\n%s", seed, p.strict, fmt.Sprintf(format, args...), body)
	}
	n := 0
	for second := 0; second < 30; second += 1 + r.IntN(4) {
		now := start.Add(time.Duration(second) * time.Second)
		p.Expire(now)
		for range r.IntN(4) {
			if n > 7 || p.waiting >= 6 {
				break
			}
			ticket := randomTicket(r, set, string(rune('a'+n)), now.Add(-time.Duration(r.IntN(3)*r.IntN(6))*time.Second), r.IntN(8) == 0)
			n++
			tickets[ticket.ID] = ticket
			if _, err := p.Add(now, ticket); err != nil {
				fail("add: %v", err)
				return
			}
		}
		// Ages at this instant, before the pass.
		p.Expire(now)
		before := searching(p)
		levels := map[TicketID]int{}
		for _, e := range before {
			levels[e.id] = e.level
		}
		u := p.Pass(now)
		for i, m := range u.Matches {
			formed++
			if m.Backfill != "" {
				withBackfill++
			}
			if m.Level > 0 {
				expanded++
			}
			if err := checkMatch(p, tickets, levels, m); err != nil {
				fail("second %d, match %v: %v", second, m.Tickets, err)
				return
			}
			for _, id := range m.Tickets {
				if gone[id] {
					fail("ticket %s is in two matches", id)
				}
				gone[id] = true
			}
			if i == 0 && m.Backfill == "" && set.Algorithm.BackfillPriority == rules.LowPriority {
				checkFirst(p, before, m, fail)
			}
		}
		left := searching(p)
		bruteForce(p, left, -1, func(m bruteMatch) bool {
			var ids []TicketID
			for _, e := range m.entries {
				ids = append(ids, e.id)
			}
			fail("second %d: %v could match, stats %+v", second, ids, p.stats)
			return false
		})
	}
	return formed, withBackfill, expanded
}

// checkFirst compares the first match of a pass with all matches that were
// possible: its anchor and its size.
func checkFirst(p *Pool, before []*entry, m Match, fail func(string, ...any)) {
	ordinary := slices.DeleteFunc(slices.Clone(before), func(e *entry) bool { return e.backfill })
	var oldest *entry
	bruteForce(p, ordinary, -1, func(b bruteMatch) bool {
		if e := b.entries[0]; oldest == nil || e.older(oldest) {
			oldest = e
		}
		return true
	})
	if p.strict == 0 {
		return // bigger pools may start from another ticket
	}
	if oldest == nil || oldest.id != m.Tickets[0] {
		fail("match %v does not hold the oldest ticket that fits a match", m.Tickets)
		return
	}
	// The first level with any match holding the anchor decides; there it is
	// as big as possible.
	from, to := 0, oldest.level
	if p.set.Algorithm.Oldest {
		from = to
	}
	for k := from; k <= to; k++ {
		most := 0
		at := k
		if p.set.Algorithm.Oldest {
			at = -1
		}
		bruteForce(p, ordinary, at, func(b bruteMatch) bool {
			if b.entries[0] == oldest {
				most = max(most, b.players)
			}
			return true
		})
		if most > 0 {
			if most != len(m.Seats) {
				fail("match %v has %d players, %d are possible at level %d", m.Tickets, len(m.Seats), most, k)
			}
			return
		}
	}
}
