package match

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

const pairs = `{"ruleLanguageVersion":"1.0","teams":[{"name":"x","minPlayers":1,"maxPlayers":1},{"name":"y","minPlayers":1,"maxPlayers":1}]}`

func at(second int) time.Time { return time.Unix(1000+int64(second), 0) }

func solo(id string, second int) Ticket {
	return Ticket{ID: TicketID(id), Start: at(second), Players: []Player{{ID: "p-" + id}}}
}

// story records what a pool does, one line per change, event and match.
type story struct {
	t     *testing.T
	pool  *Pool
	lines []string
}

func (s *story) take(u Update, err error) {
	s.t.Helper()
	if err != nil {
		s.lines = append(s.lines, "error: "+err.Error())
	}
	for _, c := range u.Changes {
		line := fmt.Sprintf("%s %s → %s", c.Ticket, c.From, c.To)
		if c.Reason != "" {
			line += " " + c.Reason
		}
		s.lines = append(s.lines, line)
	}
	for _, e := range u.Events {
		if e.Type == MatchmakingSearching {
			continue
		}
		line := fmt.Sprintf("  %s %v", e.Type, e.Tickets)
		if e.Acceptance != "" {
			line += " " + e.Acceptance
		}
		s.lines = append(s.lines, line)
	}
	for _, m := range u.Proposed {
		s.lines = append(s.lines, fmt.Sprintf("proposed %v", m.Tickets))
	}
	for _, m := range u.Matches {
		s.lines = append(s.lines, fmt.Sprintf("matched %v", m.Tickets))
	}
}

func (s *story) want(lines ...string) {
	s.t.Helper()
	if !slices.Equal(s.lines, lines) {
		s.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(s.lines, "\n  "), strings.Join(lines, "\n  "))
	}
	s.lines = nil
}

// proposal starts a story with a and b in a proposed match.
func proposalOf(t *testing.T, c Config) *story {
	t.Helper()
	c.Rules, c.AcceptRequired, c.AcceptTimeout, c.RequestTimeout, c.Standalone = mustParse(t, pairs), true, 20*time.Second, 60*time.Second, true
	s := &story{t: t, pool: NewPool(c)}
	s.take(s.pool.Add(at(0), solo("a", 0)))
	s.take(s.pool.Add(at(0), solo("b", 0)))
	s.take(s.pool.Pass(at(0)), nil)
	s.want("a QUEUED → SEARCHING", "b QUEUED → SEARCHING",
		"a SEARCHING → REQUIRES_ACCEPTANCE", "b SEARCHING → REQUIRES_ACCEPTANCE", "  PotentialMatchCreated [a b]", "proposed [a b]")
	return s
}

func TestEverybodyAccepts(t *testing.T) {
	s := proposalOf(t, Config{})
	s.take(s.pool.Accept(at(1), "a", []string{"p-a"}, true))
	s.want("  AcceptMatch [a b]")
	s.take(s.pool.Accept(at(2), "b", []string{"p-b"}, true))
	s.want("a REQUIRES_ACCEPTANCE → COMPLETED", "b REQUIRES_ACCEPTANCE → COMPLETED",
		"  AcceptMatch [a b]", "  AcceptMatchCompleted [a b] Accepted", "  MatchmakingSucceeded [a b]", "matched [a b]")
	if s.pool.Len() != 0 {
		t.Errorf("%d tickets stay in the pool", s.pool.Len())
	}
}

func TestRejectionCancelsTheSilentToo(t *testing.T) {
	s := proposalOf(t, Config{})
	s.take(s.pool.Accept(at(2), "b", []string{"p-b"}, false))
	s.want("a REQUIRES_ACCEPTANCE → CANCELLED AcceptanceFailed", "b REQUIRES_ACCEPTANCE → CANCELLED AcceptanceFailed",
		"  AcceptMatch [a b]", "  AcceptMatchCompleted [a b] Rejected", "  MatchmakingCancelled [a]", "  MatchmakingCancelled [b]")
}

func TestRequeueUndecidedSparesTheSilent(t *testing.T) {
	s := proposalOf(t, Config{RequeueUndecided: true})
	s.take(s.pool.Accept(at(2), "b", []string{"p-b"}, false))
	s.want("a REQUIRES_ACCEPTANCE → SEARCHING AcceptanceFailed", "b REQUIRES_ACCEPTANCE → CANCELLED AcceptanceFailed",
		"  AcceptMatch [a b]", "  AcceptMatchCompleted [a b] Rejected", "  MatchmakingCancelled [b]")
	s.take(s.pool.Add(at(3), solo("c", 3)))
	s.take(s.pool.Pass(at(3)), nil)
	s.want("c QUEUED → SEARCHING", "a SEARCHING → REQUIRES_ACCEPTANCE", "c SEARCHING → REQUIRES_ACCEPTANCE", "  PotentialMatchCreated [a c]", "proposed [a c]")
}

func TestAcceptanceTimesOut(t *testing.T) {
	s := proposalOf(t, Config{})
	s.take(s.pool.Accept(at(1), "a", []string{"p-a"}, true))
	s.take(s.pool.Pass(at(19)), nil)
	s.want("  AcceptMatch [a b]")
	s.take(s.pool.Pass(at(20)), nil)
	s.want("a REQUIRES_ACCEPTANCE → SEARCHING AcceptanceFailed", "b REQUIRES_ACCEPTANCE → CANCELLED AcceptanceFailed",
		"  AcceptMatchCompleted [a b] TimedOut", "  MatchmakingCancelled [b]")
}

// A timeout that falls due while a ticket is proposed is applied when it
// returns (10.1).
func TestTimeoutIsHeldBack(t *testing.T) {
	c := Config{Rules: mustParse(t, pairs), AcceptRequired: true, AcceptTimeout: 20 * time.Second, RequestTimeout: 10 * time.Second, Standalone: true}
	s := &story{t: t, pool: NewPool(c)}
	s.take(s.pool.Add(at(0), solo("a", 0)))
	s.take(s.pool.Add(at(5), solo("b", 5)))
	s.take(s.pool.Pass(at(5)), nil)
	s.take(s.pool.Accept(at(6), "a", []string{"p-a"}, true))
	s.take(s.pool.Accept(at(6), "b", []string{"p-b"}, true))
	s.lines = nil
	s.take(s.pool.Add(at(7), solo("c", 5)))
	s.take(s.pool.Add(at(7), solo("d", 7)))
	s.take(s.pool.Pass(at(7)), nil)
	s.take(s.pool.Accept(at(8), "c", []string{"p-c"}, true))
	s.lines = nil
	s.take(s.pool.Pass(at(16)), nil)
	s.want() // c would have timed out at 15
	s.take(s.pool.Stop(at(17), "d", "", ""))
	s.want("d REQUIRES_ACCEPTANCE → CANCELLED Cancelled", "c REQUIRES_ACCEPTANCE → SEARCHING AcceptanceFailed", "  MatchmakingCancelled [d]")
	s.take(s.pool.Pass(at(17)), nil)
	s.want("c SEARCHING → TIMED_OUT TimedOut", "  MatchmakingTimedOut [c]")
}

func TestWrongAnswers(t *testing.T) {
	s := proposalOf(t, Config{})
	s.take(s.pool.Accept(at(1), "zoe", []string{"p-zoe"}, true))
	s.take(s.pool.Accept(at(1), "a", []string{"p-b"}, true))
	s.take(s.pool.Add(at(1), solo("c", 1)))
	s.take(s.pool.Accept(at(1), "c", []string{"p-c"}, true))
	s.take(s.pool.Stop(at(1), "nobody", "", ""))
	s.take(s.pool.Add(at(1), solo("c", 1)))
	s.take(s.pool.Add(at(1), Ticket{ID: "empty"}))
	s.take(s.pool.Add(at(1), Ticket{ID: "twins", Players: []Player{{ID: "p"}, {ID: "p"}}}))
	s.want("error: ticket zoe: no such ticket waits",
		"error: ticket a: player p-b does not belong to it",
		"c QUEUED → SEARCHING",
		"error: ticket c: it is in status SEARCHING; only a ticket in REQUIRES_ACCEPTANCE can be accepted or rejected",
		"error: ticket nobody: no such ticket waits",
		"error: ticket c: a ticket with this id is waiting already",
		"error: ticket empty: it has no players",
		"error: ticket twins: player p is in it twice")
}

// A proposal survives the pool: its owner adds the tickets again and restores
// it.
func TestRestore(t *testing.T) {
	s := proposalOf(t, Config{})
	c := s.pool.config
	var proposed Match
	for _, e := range s.pool.entries {
		proposed = e.proposal.match
	}
	s.pool = NewPool(c)
	s.take(s.pool.Add(at(3), solo("a", 0)))
	s.take(s.pool.Add(at(3), solo("b", 0)))
	proposed.Seats[0].Accepted = new(true)
	if err := s.pool.Restore(proposed); err != nil {
		t.Fatal(err)
	}
	s.lines = nil
	s.take(s.pool.Pass(at(4)), nil)
	s.want()
	s.take(s.pool.Accept(at(5), "b", []string{"p-b"}, true))
	s.want("a REQUIRES_ACCEPTANCE → COMPLETED", "b REQUIRES_ACCEPTANCE → COMPLETED",
		"  AcceptMatch [a b]", "  AcceptMatchCompleted [a b] Accepted", "  MatchmakingSucceeded [a b]", "matched [a b]")
	if err := s.pool.Restore(proposed); err == nil {
		t.Error("a proposal was restored without its tickets")
	}
}

// New players of a backfill match are asked, the running match is not; on
// failure the backfill ticket searches again (12).
func TestBackfillNeedsNoAnswer(t *testing.T) {
	c := Config{Rules: mustParse(t, `{"ruleLanguageVersion":"1.0","teams":[{"name":"x","minPlayers":1,"maxPlayers":2}]}`), AcceptRequired: true, AcceptTimeout: 10 * time.Second}
	s := &story{t: t, pool: NewPool(c)}
	s.take(s.pool.Add(at(0), Ticket{ID: "run", Start: at(0), Backfill: true, Players: []Player{{ID: "host", Team: "x"}}}))
	s.take(s.pool.Pass(at(0)), nil)
	s.want("run QUEUED → SEARCHING")
	s.take(s.pool.Add(at(1), solo("a", 1)))
	s.take(s.pool.Pass(at(1)), nil)
	s.want("a QUEUED → SEARCHING", "run SEARCHING → REQUIRES_ACCEPTANCE", "a SEARCHING → REQUIRES_ACCEPTANCE", "  PotentialMatchCreated [run a]", "proposed [run a]")
	s.take(s.pool.Accept(at(2), "a", []string{"p-a"}, false))
	s.lines = s.lines[:2]
	s.want("run REQUIRES_ACCEPTANCE → SEARCHING AcceptanceFailed", "a REQUIRES_ACCEPTANCE → CANCELLED AcceptanceFailed")
	s.take(s.pool.Add(at(3), solo("b", 3)))
	s.take(s.pool.Pass(at(3)), nil)
	s.lines = nil
	s.take(s.pool.Accept(at(4), "b", []string{"p-b"}, true))
	s.want("run REQUIRES_ACCEPTANCE → PLACING", "b REQUIRES_ACCEPTANCE → PLACING",
		"  AcceptMatch [run b]", "  AcceptMatchCompleted [run b] Accepted", "matched [run b]")
}

// The priority of backfill decides who gets the newcomer (7).
func TestBackfillPriority(t *testing.T) {
	for priority, want := range map[string]string{"high": "[solo2 run]", "normal": "[solo1 solo2]", "low": "[solo1 solo2]"} {
		set := mustParse(t, `{"ruleLanguageVersion":"1.0","algorithm":{"backfillPriority":"`+priority+`"},"teams":[{"name":"x","minPlayers":2,"maxPlayers":2}],
			"playerAttributes":[{"name":"skill","type":"number","default":0}],
			"rules":[{"name":"Best","type":"absoluteSort","sortDirection":"descending","sortAttribute":"skill"}]}`)
		p := NewPool(Config{Rules: set, Standalone: true})
		add := func(id string, second int, skill float64, backfill bool) {
			k := solo(id, second)
			k.Backfill, k.Players[0].Attributes = backfill, map[string]rules.Value{"skill": rules.N(skill)}
			if backfill {
				k.Players[0].Team = "x"
			}
			if _, err := p.Add(at(9), k); err != nil {
				t.Fatal(err)
			}
		}
		add("solo1", 1, 1, false)
		add("run", 5, 0, true)
		add("solo2", 2, 5, false)
		u := p.Pass(at(9))
		if len(u.Matches) != 1 || fmt.Sprint(u.Matches[0].Tickets) != want {
			t.Errorf("%s: %v, want %s", priority, u.Matches, want)
		}
	}
}

func TestNextTellsWhenSomethingFallsDue(t *testing.T) {
	set := mustParse(t, `{"ruleLanguageVersion":"1.0","teams":[{"name":"g","minPlayers":3,"maxPlayers":3}],
		"expansions":[{"target":"teams[g].minPlayers","steps":[{"waitTimeSeconds":20,"value":2}]}]}`)
	p := NewPool(Config{Rules: set, RequestTimeout: 50 * time.Second})
	if u := p.Pass(at(0)); !u.Next.IsZero() {
		t.Errorf("an empty pool wants to be called at %s", u.Next)
	}
	_, _ = p.Add(at(0), solo("a", 0))
	if u := p.Pass(at(0)); !u.Next.Equal(at(20)) {
		t.Errorf("next is %s, want the expansion at %s", u.Next, at(20))
	}
	if u := p.Pass(at(20)); !u.Next.Equal(at(50)) {
		t.Errorf("next is %s, want the timeout at %s", u.Next, at(50))
	}
	searches := p.stats.Searches
	p.Pass(at(30))
	if p.stats.Searches != searches {
		t.Error("a pass in which nothing happened searched")
	}
}

func TestEstimatedWait(t *testing.T) {
	p := NewPool(Config{Rules: mustParse(t, pairs)})
	for i := range 6 {
		_, _ = p.Add(at(i), solo(fmt.Sprint("a", i), i-3))
		_, _ = p.Add(at(i), solo(fmt.Sprint("b", i), i-1))
		p.Pass(at(i))
	}
	if wait, ok := p.EstimatedWait(at(6)); !ok || wait != 2*time.Second {
		t.Errorf("estimated wait %s %t", wait, ok)
	}
	if _, ok := p.EstimatedWait(at(400)); ok {
		t.Error("matches of long ago are an estimate")
	}
}

// TestDeterminism runs a busy pool twice.
func TestDeterminism(t *testing.T) {
	run := func() string {
		c := &crowd{r: rand.New(rand.NewPCG(9, 9)), skill: bell, parties: true, locations: threeLocations}
		p := NewPool(Config{Rules: mustParse(t, squads), RequestTimeout: 30 * time.Second, Standalone: true})
		var b strings.Builder
		for second := range 60 {
			for range 8 {
				_, _ = p.Add(at(second), c.ticket(at(second)))
			}
			u := p.Pass(at(second))
			for _, m := range u.Matches {
				fmt.Fprintln(&b, second, m.ID, m.Tickets, m.Seats, m.Location, m.Level)
			}
			fmt.Fprintln(&b, u.Next, u.Changes)
		}
		return b.String()
	}
	first := run()
	if len(first) < 10_000 {
		t.Fatal("the pool did too little")
	}
	if run() != first {
		t.Error("two runs of the same story differ")
	}
}

// TestMemory holds a waiting ticket to two kilobytes.
func TestMemory(t *testing.T) {
	const n = 20_000
	var before, after runtime.MemStats
	c := &crowd{r: rand.New(rand.NewPCG(6, 1)), locations: threeLocations, skill: func(r *rand.Rand) float64 { return r.Float64() * 1e9 }}
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := fillPool(t, ranked, c, n)
	p.Pass(benchStart.Add(time.Hour))
	runtime.GC()
	runtime.ReadMemStats(&after)
	perTicket := float64(after.HeapAlloc-before.HeapAlloc) / float64(p.Len())
	runtime.KeepAlive(p)
	if p.Len() < n*9/10 || perTicket > 2048 {
		t.Errorf("%d tickets wait, %.0f bytes each", p.Len(), perTicket)
	}
}

// TestParties places nearly everybody: parties of up to five in two teams of
// five, fair teams, one location for all. An offline planner could place all
// ten thousand players at best, so 98 % of them is more than 98 % of any plan.
func TestParties(t *testing.T) {
	c := &crowd{r: rand.New(rand.NewPCG(2, 1)), skill: bell, parties: true, locations: threeLocations}
	p := fillPool(t, squads, c, 10_000)
	players := 0
	for _, e := range p.entries {
		players += e.size
	}
	placed, big := 0, 0
	for _, m := range p.Pass(benchStart.Add(time.Hour)).Matches {
		placed += len(m.Seats)
		big += len(m.Tickets)
	}
	if placed*100 < players*98 {
		t.Errorf("%d of %d players placed", placed, players)
	}
}

// TestNoHeadOfLineBlocking: an old ticket that cannot match does not keep
// others waiting.
func TestNoHeadOfLineBlocking(t *testing.T) {
	p := NewPool(Config{Rules: mustParse(t, duel), Standalone: true})
	add := func(id string, skill float64, second int) {
		k := solo(id, second)
		k.Players[0].Attributes = map[string]rules.Value{"skill": rules.N(skill)}
		_, _ = p.Add(at(10), k)
	}
	add("odd", 9000, 0)
	for i := range 10 {
		add(fmt.Sprint("n", i), 1500, 1+i)
	}
	if u := p.Pass(at(11)); len(u.Matches) != 5 {
		t.Errorf("%d matches", len(u.Matches))
	}
}

func TestNeverMatching(t *testing.T) {
	set := mustParse(t, `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number"},{"name":"mode","type":"string","default":"a"},{"name":"role","type":"number","default":0}],
		"teams":[{"name":"x","minPlayers":2,"maxPlayers":2},{"name":"y","minPlayers":1,"maxPlayers":1}],
		"rules":[{"name":"Mode","type":"batchDistance","batchAttribute":"mode"},{"name":"Ping","type":"latency","maxLatency":50},
		 {"name":"X","type":"comparison","operation":"=","referenceValue":0,"measurements":["teams[x].players.attributes[role]"]},
		 {"name":"Y","type":"comparison","operation":"=","referenceValue":1,"measurements":["teams[y].players.attributes[role]"]}]}`)
	p := NewPool(Config{Rules: set})
	good := func(id string) Player {
		return Player{ID: id, Attributes: map[string]rules.Value{"skill": rules.N(1)}, LatencyMS: map[string]int{"eu": 20}}
	}
	for want, change := range map[string]func(*Ticket){
		`attribute "skill" (number) is missing`:     func(t *Ticket) { delete(t.Players[0].Attributes, "skill") },
		"reports no latency":                        func(t *Ticket) { t.Players[0].LatencyMS = nil },
		"no location is within the latency limits":  func(t *Ticket) { t.Players[0].LatencyMS["eu"] = 90 },
		"larger than the largest team (2)":          func(t *Ticket) { t.Players = append(t.Players, good("q"), good("r")) },
		"its own players differ in an attribute":    func(t *Ticket) { q := good("q"); q.Attributes["mode"] = rules.S("b"); t.Players = append(t.Players, q) },
		"every team has a rule that its attributes": func(t *Ticket) { t.Players[0].Attributes["role"] = rules.N(7) },
	} {
		k := Ticket{ID: TicketID(want), Start: at(0), Players: []Player{good("p")}}
		change(&k)
		if _, err := p.Add(at(0), k); err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		x, err := p.Explain(at(1), k.ID)
		if err != nil || !strings.Contains(strings.Join(x.Never, "\n"), want) {
			t.Errorf("%s: never %q, %v", want, x.Never, err)
		}
	}
	k := Ticket{ID: "typo", Start: at(0), Players: []Player{good("p")}}
	k.Players[0].Attributes["skil"] = rules.N(1)
	if _, err := p.Add(at(0), k); err == nil || !strings.Contains(err.Error(), `"skil" is not declared`) {
		t.Errorf("an undeclared attribute: %v", err)
	}
	lenient := NewPool(Config{Rules: set, Lenient: true})
	if _, err := lenient.Add(at(0), k); err != nil {
		t.Errorf("lenient: %v", err)
	}
}
