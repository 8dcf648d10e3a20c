package match

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// The benchmarks generate their tickets from fixed seeds. Run them with
//
//	go test ./internal/match -run '^$' -bench . -benchtime 3x

const duel = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number"}],
 "teams":[{"name":"side","minPlayers":1,"maxPlayers":1,"quantity":2}],
 "rules":[{"name":"Gap","type":"batchDistance","batchAttribute":"skill","maxDistance":100}]}`

const squads = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number"}],
 "teams":[{"name":"red","minPlayers":5,"maxPlayers":5},{"name":"blue","minPlayers":5,"maxPlayers":5}],
 "rules":[{"name":"Fair","type":"distance","measurements":["avg(teams[red].players.attributes[skill])"],"referenceValue":"avg(teams[blue].players.attributes[skill])","maxDistance":200},
  {"name":"Ping","type":"latency","maxLatency":100,"partyAggregation":"max"}]}`

const ranked = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number"}],
 "teams":[{"name":"red","minPlayers":5,"maxPlayers":5},{"name":"blue","minPlayers":5,"maxPlayers":5}],
 "rules":[{"name":"Range","type":"distance","measurements":["max(flatten(teams[*].players.attributes[skill]))"],"referenceValue":"min(flatten(teams[*].players.attributes[skill]))","maxDistance":100},
  {"name":"Ping","type":"latency","maxLatency":100}]}`

func mustParse(tb testing.TB, body string) *rules.Set {
	tb.Helper()
	set, findings := rules.Parse(body)
	if set == nil {
		tb.Fatal(findings.Error())
	}
	return set
}

// A crowd makes tickets.
type crowd struct {
	r         *rand.Rand
	n         int
	parties   bool
	locations []string
	skill     func(r *rand.Rand) float64
}

func bell(r *rand.Rand) float64 { return 1500 + 350*r.NormFloat64() }

func (c *crowd) ticket(start time.Time) Ticket {
	c.n++
	size := 1
	if c.parties {
		size = pick(c.r, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4, 5)
	}
	t := Ticket{ID: TicketID(fmt.Sprintf("t%d", c.n)), Start: start}
	home := 0
	if len(c.locations) > 0 {
		home = c.r.IntN(len(c.locations))
	}
	skill := c.skill(c.r)
	for i := range size {
		p := Player{ID: fmt.Sprintf("p%d.%d", c.n, i), Attributes: map[string]rules.Value{"skill": rules.N(skill + 60*c.r.NormFloat64())}}
		if len(c.locations) > 0 {
			p.LatencyMS = map[string]int{}
			for k, l := range c.locations {
				if k == home {
					p.LatencyMS[l] = 15 + c.r.IntN(50)
				} else {
					p.LatencyMS[l] = 60 + c.r.IntN(150)
				}
			}
		}
		t.Players = append(t.Players, p)
	}
	return t
}

var benchStart = time.Unix(2_000_000, 0)

func fillPool(tb testing.TB, body string, c *crowd, players int) *Pool {
	p := NewPool(Config{Rules: mustParse(tb, body), Standalone: true, Quiet: true}) // as the service has it
	for n := 0; n < players; {
		t := c.ticket(benchStart.Add(time.Duration(c.n) * time.Millisecond))
		n += len(t.Players)
		if _, err := p.Add(benchStart.Add(time.Hour), t); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

func benchmarkDrain(b *testing.B, body string, players int, c func() *crowd) {
	var placed, left, heap float64
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		p := fillPool(b, body, c(), players)
		tickets := p.Len()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = float64(m.HeapAlloc) / float64(tickets)
		b.StartTimer()
		before := cpuTime()
		u := p.Pass(benchStart.Add(time.Hour))
		cpu += cpuTime() - before
		b.StopTimer()
		placed, left = 0, float64(p.Len())
		for _, m := range u.Matches {
			placed += float64(len(m.Seats))
		}
		if p.stats.Undecided > 0 {
			b.Logf("%d undecided searches of %d, %d nodes", p.stats.Undecided, p.stats.Searches, p.stats.Nodes)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(placed, "players-placed")
	b.ReportMetric(left, "tickets-left")
	b.ReportMetric(heap, "heap-B/ticket")
}

var threeLocations = []string{"us-east-1", "eu-west-1", "ap-northeast-1"}

func BenchmarkDrain10kDuels(b *testing.B) {
	benchmarkDrain(b, duel, 10_000, func() *crowd { return &crowd{r: rand.New(rand.NewPCG(1, 1)), skill: bell} })
}

func BenchmarkDrain10kPlayersInParties(b *testing.B) {
	benchmarkDrain(b, squads, 10_000, func() *crowd {
		return &crowd{r: rand.New(rand.NewPCG(2, 1)), skill: bell, parties: true, locations: threeLocations}
	})
}

func BenchmarkDrain100kSolos(b *testing.B) {
	benchmarkDrain(b, ranked, 100_000, func() *crowd {
		return &crowd{r: rand.New(rand.NewPCG(3, 1)), skill: bell, locations: threeLocations}
	})
}

// BenchmarkSteady100k keeps about 100,000 tickets waiting, spread so thinly
// that only neighbours match, while 10,000 a second arrive: one operation is a
// second of ten passes with a thousand arrivals before each.
func BenchmarkSteady100k(b *testing.B) {
	c := &crowd{r: rand.New(rand.NewPCG(4, 1)), locations: threeLocations, skill: func(r *rand.Rand) float64 { return r.Float64() * 1_200_000 }}
	p := fillPool(b, ranked, c, 120_000)
	now := benchStart.Add(time.Hour)
	p.Pass(now)
	for p.Len() < 100_000 {
		_, _ = p.Add(now, c.ticket(now))
	}
	p.Pass(now)
	var took, cpu []time.Duration
	placed := 0
	for b.Loop() {
		for range 10 {
			b.StopTimer()
			tickets := make([]Ticket, 1000)
			now = now.Add(100 * time.Millisecond)
			for i := range tickets {
				tickets[i] = c.ticket(now)
			}
			b.StartTimer()
			from, before := time.Now(), cpuTime()
			for _, t := range tickets {
				if _, err := p.Add(now, t); err != nil {
					b.Fatal(err)
				}
			}
			u := p.Pass(now)
			took, cpu = append(took, time.Since(from)), append(cpu, cpuTime()-before)
			for _, m := range u.Matches {
				placed += len(m.Seats)
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "pass-p99-ms")
	slices.Sort(cpu)
	b.ReportMetric(float64(cpu[len(cpu)*99/100].Microseconds())/1000, "cpu-p99-ms")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "pass-p50-ms")
	b.ReportMetric(float64(p.Len()), "waiting")
	b.ReportMetric(float64(placed)/float64(len(took)), "players-placed/pass")
}

// BenchmarkIdlePass shows what a pass over 100,000 waiting tickets costs when
// nothing happened.
func BenchmarkIdlePass(b *testing.B) {
	c := &crowd{r: rand.New(rand.NewPCG(5, 1)), locations: threeLocations, skill: func(r *rand.Rand) float64 { return r.Float64() * 1_200_000 }}
	p := fillPool(b, ranked, c, 100_000)
	now := benchStart.Add(time.Hour)
	p.Pass(now)
	searches := p.stats.Searches
	for b.Loop() {
		p.Pass(now)
	}
	if p.stats.Searches != searches {
		b.Errorf("%d searches in a pool that did not change", p.stats.Searches-searches)
	}
}
