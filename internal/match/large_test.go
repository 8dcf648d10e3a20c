package match

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// TestFillOrder follows the documented order (8): teams below their minimum
// first, among them the one with most open slots, then most open slots.
func TestFillOrder(t *testing.T) {
	body := func(teams string) string {
		return `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number","default":1}],
		"algorithm":{"strategy":"balanced","balancedAttribute":"skill"},"teams":[` + teams + `]}`
	}
	colours := body(`{"name":"red","minPlayers":5,"maxPlayers":10},{"name":"blue","minPlayers":5,"maxPlayers":10},{"name":"green","minPlayers":2,"maxPlayers":3},{"name":"idle","minPlayers":0,"maxPlayers":40}`)
	ten := body(`{"name":"small","minPlayers":5,"maxPlayers":5},{"name":"ten","minPlayers":12,"maxPlayers":15,"quantity":10}`)
	for _, c := range []struct {
		body    string
		players int
		want    string
	}{
		{colours, 10, "[5 5 0 0]"}, {colours, 12, "[5 5 2 0]"},
		{ten, 100, "[0 10 10 10 10 10 10 10 10 10 10]"}, {ten, 122, "[2 12 12 12 12 12 12 12 12 12 12]"},
		{ten, 125, "[5 12 12 12 12 12 12 12 12 12 12]"}, {ten, 155, "[5 15 15 15 15 15 15 15 15 15 15]"},
	} {
		set := mustParse(t, c.body)
		f := newFill(set, 0, set.Seats(0))
		for i := range c.players {
			f.place(&entry{seq: uint64(i), size: 1, parties: []partyEntry{{party: make(rules.Party, 1)}}})
		}
		if got := fmt.Sprint(f.count); got != c.want {
			t.Errorf("%d players: %s, want %s", c.players, got, c.want)
		}
	}
}

func largeCrowd(t *testing.T, p *Pool, n int, seed uint64, parties bool) {
	c := &crowd{r: rand.New(rand.NewPCG(seed, 5)), skill: bell, parties: parties, locations: threeLocations}
	for range n {
		if _, err := p.Add(at(0), c.ticket(at(0))); err != nil {
			t.Fatal(err)
		}
	}
}

const brawl = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number"}],
 "algorithm":{"strategy":"balanced","balancedAttribute":"skill","batchingPreference":"%s"},
 "teams":[{"name":"side","minPlayers":20,"maxPlayers":25,"quantity":2}],
 "rules":[{"name":"Ping","type":"latency","maxLatency":100}%s]}`

// TestLargeMatchesAreBalanced checks sizes, validity and averages.
func TestLargeMatchesAreBalanced(t *testing.T) {
	for _, batching := range []string{"largestPopulation", "fastestRegion"} {
		p := NewPool(Config{Rules: mustParse(t, fmt.Sprintf(brawl, batching, "")), Standalone: true})
		tickets := map[TicketID]Ticket{}
		c := &crowd{r: rand.New(rand.NewPCG(7, 5)), skill: bell, parties: true, locations: threeLocations}
		for range 300 {
			k := c.ticket(at(0))
			tickets[k.ID] = k
			_, _ = p.Add(at(0), k)
		}
		levels := map[TicketID]int{}
		u := p.Pass(at(1))
		if len(u.Matches) < 8 {
			t.Errorf("%s: %d matches", batching, len(u.Matches))
		}
		for _, m := range u.Matches {
			if err := checkMatch(p, tickets, levels, m); err != nil {
				t.Errorf("%s: %s: %v", batching, m.ID, err)
			}
			sum, n := map[string]float64{}, map[string]float64{}
			for _, s := range m.Seats {
				for _, pl := range tickets[s.Ticket].Players {
					if pl.ID == s.PlayerID {
						sum[s.Team] += pl.Attributes["skill"].N
						n[s.Team]++
					}
				}
			}
			gap := math.Abs(sum["side_1"]/n["side_1"] - sum["side_2"]/n["side_2"])
			if gap > 10 {
				t.Errorf("%s: %s has teams %.0f apart", batching, m.ID, gap)
			}
		}
	}
}

// TestLargeWindow keeps a numeric batchDistance over the whole match.
func TestLargeWindow(t *testing.T) {
	p := NewPool(Config{Rules: mustParse(t, fmt.Sprintf(brawl, "largestPopulation", `,{"name":"Band","type":"batchDistance","batchAttribute":"skill","maxDistance":300}`)), Standalone: true})
	largeCrowd(t, p, 500, 8, false)
	u := p.Pass(at(1))
	if len(u.Matches) < 3 {
		t.Errorf("%d matches", len(u.Matches))
	}
}

// TestLargePassGoesOn: tickets that fit nobody may use up a pass, but the next
// one goes on after them.
func TestLargePassGoesOn(t *testing.T) {
	p := NewPool(Config{Rules: mustParse(t, fmt.Sprintf(brawl, "largestPopulation", `,{"name":"Band","type":"batchDistance","batchAttribute":"skill","maxDistance":300}`)), Standalone: true})
	add := func(i int, skill float64) {
		k := solo(fmt.Sprint("t", i), 0)
		k.Players[0].Attributes = map[string]rules.Value{"skill": rules.N(skill)}
		k.Players[0].LatencyMS = map[string]int{"eu": 20}
		if _, err := p.Add(at(0), k); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxFills + 200 {
		add(i, float64(i)*1e6)
	}
	for i := range 50 {
		add(maxFills+200+i, -5000+float64(i))
	}
	first := p.Pass(at(1))
	if len(first.Matches) != 0 || first.Next.IsZero() {
		t.Errorf("the first pass formed %d matches and wants to go on at %s", len(first.Matches), first.Next)
	}
	if second := p.Pass(at(2)); len(second.Matches) != 1 {
		t.Errorf("the second pass formed %d matches", len(second.Matches))
	}
}

// A backfill ticket of a large match comes first and keeps its players' teams.
func TestLargeBackfill(t *testing.T) {
	p := NewPool(Config{Rules: mustParse(t, fmt.Sprintf(brawl, "largestPopulation", "")), Standalone: true})
	run := Ticket{ID: "run", Start: at(0), Backfill: true}
	for i := range 40 {
		run.Players = append(run.Players, Player{ID: fmt.Sprint("now", i), Team: fmt.Sprintf("side_%d", 1+i%2), Attributes: map[string]rules.Value{"skill": rules.N(1500)}, LatencyMS: map[string]int{"eu-west-1": 30}})
	}
	if _, err := p.Add(at(0), run); err != nil {
		t.Fatal(err)
	}
	largeCrowd(t, p, 60, 9, false)
	u := p.Pass(at(1))
	if len(u.Matches) == 0 || u.Matches[0].Backfill != "run" || len(u.Matches[0].Seats) != 50 {
		t.Fatalf("the first match is %+v", u.Matches)
	}
	for _, s := range u.Matches[0].Seats {
		if i, ok := strings.CutPrefix(s.PlayerID, "now"); ok {
			var n int
			_, _ = fmt.Sscan(i, &n)
			if s.Team != fmt.Sprintf("side_%d", 1+n%2) {
				t.Errorf("player %s moved to %s", s.PlayerID, s.Team)
			}
		}
	}
}

// BenchmarkLarge forms matches of 150 to 200 out of 5,000 players.
func BenchmarkLarge(b *testing.B) {
	body := `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number"}],
	 "algorithm":{"strategy":"balanced","balancedAttribute":"skill"},"teams":[{"name":"squad","minPlayers":3,"maxPlayers":4,"quantity":50}],
	 "rules":[{"name":"Ping","type":"latency","maxLatency":100}]}`
	benchmarkDrain(b, body, 5000, func() *crowd {
		return &crowd{r: rand.New(rand.NewPCG(10, 1)), skill: bell, parties: false, locations: threeLocations}
	})
}
