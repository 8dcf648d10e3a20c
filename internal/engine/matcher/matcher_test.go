package matcher

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

type nobody struct{}

func (nobody) Send([]lift.Effect) {}

// newEngine returns an engine over an empty store with STANDALONE matchmakers
// of these names, whose matches are pairs.
func newEngine(t testing.TB, names ...string) *engine.Engine {
	t.Helper()
	return newEngineOn(t, newStore(t), names...)
}

func newEngineOn(t testing.TB, db store.Store, names ...string) *engine.Engine {
	t.Helper()
	e := engine.New(engine.Options{Store: db, Sender: nobody{}})
	putMatchmakers(t, e, names...)
	return e
}

// fastStore returns an empty store.
func fastStore(t testing.TB) store.Store {
	t.Helper()
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// newStore returns an empty store that tries each error which a transaction can
// meet.
func newStore(t testing.TB) store.Store {
	t.Helper()
	db := fastStore(t)
	return &stumble.Store{Store: db, Known: &sync.Map{}, WentOn: func(err error) { t.Error(err) }}
}

func putMatchmakers(t testing.TB, e *engine.Engine, names ...string) {
	t.Helper()
	err := e.Update(t.Context(), func(tx *engine.Tx) error {
		r := &lift.RuleSet{Name: "r", Region: "us-west-2", Body: `{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":2,"maxPlayers":2}]}`}
		if err := store.RuleSets.Put(tx, r); err != nil {
			return err
		}
		for _, n := range names {
			c := &lift.MatchmakingConfiguration{Name: n, Region: "us-west-2", RuleSet: "r", Mode: lift.Standalone, RequestTimeoutSeconds: 60}
			if err := store.Configurations.Put(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func submit(ctx context.Context, e *engine.Engine, configuration, id string) error {
	return e.Update(ctx, func(tx *engine.Tx) error {
		return tx.AddTicket(&lift.Ticket{
			ID: lift.TicketID(id), Region: "us-west-2", Configuration: configuration, StartedAt: tx.Now, Deadline: tx.Now.Add(time.Minute),
			Players: []lift.TicketPlayer{{ID: "p-" + id}},
		})
	})
}

func tickets(t testing.TB, e *engine.Engine, n int) map[lift.TicketID]*lift.Ticket {
	t.Helper()
	out := map[lift.TicketID]*lift.Ticket{}
	err := e.View(t.Context(), func(tx store.Tx) error {
		all, err := store.Tickets.All(tx, "", "")
		for _, tk := range all {
			out[tk.ID] = tk
		}
		return err
	})
	if err != nil || len(out) != n {
		t.Fatalf("%d tickets, want %d: %v", len(out), n, err)
	}
	return out
}

// However often the matcher is stopped and started while players come and go,
// every ticket that stays is matched once and no match has a ticket that left.
func TestRestartsLoseAndDoubleNothing(t *testing.T) {
	const n = 600
	names := []string{"a", "a-b", "a.b"}
	e := newEngineOn(t, fastStore(t), names...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var players, matchers sync.WaitGroup
	submitted := make(chan struct{})
	matchers.Go(func() {
		for on := true; on; {
			life, die := context.WithCancel(ctx)
			var running sync.WaitGroup
			running.Go(func() { _ = New(e, slog.New(slog.DiscardHandler)).Run(life) })
			select {
			case <-submitted:
				on = false
			case <-time.After(3 * time.Millisecond):
			}
			die()
			running.Wait()
		}
	})
	for w := range 4 {
		players.Go(func() {
			for i := w; i < n; i += 4 {
				id := fmt.Sprint("t", i)
				if err := submit(ctx, e, names[i%len(names)], id); err != nil {
					t.Error(err)
				}
				if i%7 == 0 {
					err := e.Update(ctx, func(tx *engine.Tx) error {
						tk, err := store.Tickets.Find(tx, "us-west-2/"+id)
						if err != nil || !tk.Status.Stoppable() {
							return err
						}
						return tx.StopTicket(tk, "", "")
					})
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	players.Wait()
	close(submitted)
	matchers.Wait()

	// A last matcher finds what is left.
	if err := New(e, slog.New(slog.DiscardHandler)).Round(ctx); err != nil {
		t.Fatal(err)
	}
	matched := map[lift.MatchID][]lift.TicketID{}
	left := map[string]int{}
	for id, tk := range tickets(t, e, n) {
		switch tk.Status {
		case lift.TicketCompleted:
			matched[tk.Match] = append(matched[tk.Match], id)
		case lift.TicketCancelled:
			if tk.Match != "" {
				t.Errorf("ticket %s left and is in match %s", id, tk.Match)
			}
		case lift.TicketSearching:
			left[tk.Configuration]++
		default:
			t.Errorf("ticket %s is %s: %s", id, tk.Status, tk.Message)
		}
	}
	for m, ts := range matched {
		if len(ts) != 2 {
			t.Errorf("match %s has tickets %s", m, ts)
		}
	}
	for c, k := range left {
		if k > 1 {
			t.Errorf("%d tickets of %s wait although any two make a match", k, c)
		}
	}
	if len(matched) < n/4 {
		t.Errorf("only %d matches", len(matched))
	}
	err := e.View(ctx, func(tx store.Tx) error {
		seekers, err := store.Seekers.All(tx, "", "")
		if waiting := left["a"] + left["a-b"] + left["a.b"]; err == nil && len(seekers) != waiting {
			t.Errorf("%d players are held, %d wait", len(seekers), waiting)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A running matcher notices what arrives by itself.
func TestRunMatches(t *testing.T) {
	e := newEngine(t, "m")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = New(e, slog.New(slog.DiscardHandler)).Run(ctx) })
	defer running.Wait()
	defer cancel()
	for i := range 2 {
		if err := submit(ctx, e, "m", fmt.Sprint("t", i)); err != nil {
			t.Fatal(err)
		}
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if ts := tickets(t, e, 2); ts["t0"].Status == lift.TicketCompleted && ts["t1"].Status == lift.TicketCompleted {
			return
		}
		if time.Since(start) > sweepEvery-time.Second {
			t.Fatal("the two tickets were not matched before the next sweep")
		}
	}
}

// A pool forgets tickets that left, and a match that it finds with one of them
// costs the others nothing.
func TestStaleTickets(t *testing.T) {
	e := newEngine(t, "m")
	ctx := t.Context()
	d := newDriver(e, slog.New(slog.DiscardHandler), "us-west-2/m")
	step := func() {
		t.Helper()
		if _, err := d.run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stop := func(id string) {
		t.Helper()
		if err := e.Update(ctx, func(tx *engine.Tx) error {
			tk, err := store.Tickets.Find(tx, "us-west-2/"+id)
			if err != nil {
				return err
			}
			return tx.StopTicket(tk, "", "")
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range []string{"gone", "b", "c"} {
		if err := submit(ctx, e, "m", id); err != nil {
			t.Fatal(err)
		}
		step()
		if i == 0 {
			stop("gone") // and the pool does not know
		}
		if got, want := tickets(t, e, i+1)["gone"].Status, lift.TicketCancelled; got != want {
			t.Fatalf("the ticket that left is %s", got)
		}
	}
	ts := tickets(t, e, 3)
	if ts["b"].Status != lift.TicketCompleted || ts["b"].Match != ts["c"].Match {
		t.Errorf("b is %s in %q, c is %s in %q", ts["b"].Status, ts["b"].Match, ts["c"].Status, ts["c"].Match)
	}
	if err := submit(ctx, e, "m", "d"); err != nil {
		t.Fatal(err)
	}
	step()
	stop("d")
	d.swept = time.Time{}
	step()
	if d.pool.Len() != 0 || len(d.held) != 0 {
		t.Errorf("the pool holds %d tickets", d.pool.Len())
	}
}

// A ticket says how long tickets waited lately, in whole seconds upwards, once
// five were matched within five minutes (flexmatch 10.3).
func TestEstimatedWait(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	e := engine.New(engine.Options{Store: newStore(t), Sender: nobody{}, Now: func() time.Time { return now }})
	putMatchmakers(t, e, "m")
	d := newDriver(e, slog.New(slog.DiscardHandler), "us-west-2/m")
	n := 0
	arrive := func() *lift.Ticket {
		n++
		id := fmt.Sprint("t", n)
		if err := submit(t.Context(), e, "m", id); err != nil {
			t.Fatal(err)
		}
		if _, err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return tickets(t, e, n)[lift.TicketID(id)]
	}
	for range 3 { // six tickets, half of which wait 3.5 s
		if tk := arrive(); tk.EstimatedWaitSeconds != 0 {
			t.Errorf("ticket %s expects %d s with %d matched", tk.ID, tk.EstimatedWaitSeconds, n-1)
		}
		now = now.Add(3500 * time.Millisecond)
		arrive()
	}
	for _, whose := range []string{"its own server", "another server, or the same after a restart"} {
		if tk := arrive(); tk.EstimatedWaitSeconds != 2 {
			t.Errorf("%s: expects %d s, want 1.75 s or less upwards", whose, tk.EstimatedWaitSeconds)
		}
		arrive() // and both are matched at once
		d = newDriver(e, slog.New(slog.DiscardHandler), "us-west-2/m")
	}
	now = now.Add(6 * time.Minute)
	if tk := arrive(); tk.EstimatedWaitSeconds != 0 {
		t.Errorf("expects %d s by what is long ago", tk.EstimatedWaitSeconds)
	}
}

// The tickets of a configuration that is gone fail instead of waiting.
func TestConfigurationGone(t *testing.T) {
	e := newEngine(t)
	if err := submit(t.Context(), e, "m", "t"); err != nil {
		t.Fatal(err)
	}
	if err := New(e, slog.New(slog.DiscardHandler)).Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tk := tickets(t, e, 1)["t"]; tk.Status != lift.TicketFailed || !strings.Contains(tk.Message, "deleted") {
		t.Errorf("got %+v", tk)
	}
}

// Every configuration with tickets is found, also where one's name begins
// another's.
func TestConfigurations(t *testing.T) {
	e := newEngine(t)
	want := []string{}
	for i, c := range []string{"a", "a-b", "a.b", "a0", "b"} {
		for k := range 3 {
			if err := submit(t.Context(), e, c, fmt.Sprint(i, "-", k)); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, "us-west-2/"+c)
	}
	got, err := New(e, nil).configurations(t.Context(), "arriving")
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

// Numbers of matchmaker data have a decimal point or an exponent, and stay the
// numbers they are.
func FuzzDouble(f *testing.F) {
	for _, n := range []float64{0, 1, -3, 0.5, 1e21, 1e-9, 123456789} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n float64) {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return // no JSON number
		}
		b, err := json.Marshal(double(n))
		if err != nil {
			t.Fatal(err)
		}
		var back float64
		if err := json.Unmarshal(b, &back); err != nil || back != n || !strings.ContainsAny(string(b), ".e") {
			t.Errorf("%v became %s (%v)", n, b, err)
		}
	})
}

// BenchmarkTickets is the whole way of two tickets to their match, without a
// disk.
func BenchmarkTickets(b *testing.B) {
	e := newEngineOn(b, fastStore(b), "m")
	d := newDriver(e, slog.New(slog.DiscardHandler), "us-west-2/m")
	n := 0
	for b.Loop() {
		for range 2 {
			n++
			if err := submit(b.Context(), e, "m", fmt.Sprint(n)); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := d.run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// withSkill is a rule set for pairs whose players have a skill.
const withSkill = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number"}],"teams":[{"name":"t","minPlayers":2,"maxPlayers":2}]}`

// A ticket that no longer fits a rule set that was made anew fails, and a pool
// knows only what searches.
func TestTheRuleSetIsAnother(t *testing.T) {
	e := newEngine(t, "m")
	ctx := t.Context()
	d := newDriver(e, slog.New(slog.DiscardHandler), "us-west-2/m")
	run := func() {
		t.Helper()
		if _, err := d.run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	err := e.Update(ctx, func(tx *engine.Tx) error {
		return tx.AddTicket(&lift.Ticket{
			ID: "t", Region: "us-west-2", Configuration: "m", StartedAt: tx.Now, Deadline: tx.Now.Add(time.Minute),
			Players: []lift.TicketPlayer{{ID: "ann", Attributes: map[string]lift.Attribute{"skill": {S: new("high")}}}},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if run(); tickets(t, e, 1)["t"].Status != lift.TicketSearching {
		t.Fatalf("got %+v", tickets(t, e, 1)["t"])
	}
	err = e.Update(ctx, func(tx *engine.Tx) error {
		c, err := store.Configurations.Find(tx, "us-west-2/m")
		if err != nil {
			return err
		}
		if err := store.RuleSets.Put(tx, &lift.RuleSet{Name: "skill", Region: "us-west-2", Body: withSkill}); err != nil {
			return err
		}
		c.RuleSet = "skill"
		return store.Configurations.Put(tx, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	var why []string
	if err := e.View(ctx, func(tx store.Tx) (err error) {
		tk, err := store.Tickets.Find(tx, "us-west-2/t")
		if err != nil {
			return err
		}
		why, err = Explain(tx, e.Now(), tk)
		return err
	}); err != nil || len(why) != 1 || !strings.Contains(why[0], "skill") {
		t.Errorf("it waits because of %q, %v", why, err)
	}
	if run(); tickets(t, e, 1)["t"].Status != lift.TicketFailed {
		t.Errorf("got %+v", tickets(t, e, 1)["t"])
	}
}

// Nothing is explained of a ticket whose configuration is gone.
func TestExplainWithoutAConfiguration(t *testing.T) {
	e := newEngine(t)
	if err := submit(t.Context(), e, "m", "t"); err != nil {
		t.Fatal(err)
	}
	if err := e.View(t.Context(), func(tx store.Tx) error {
		tk, err := store.Tickets.Find(tx, "us-west-2/t")
		if err != nil {
			return err
		}
		why, err := Explain(tx, e.Now(), tk)
		if len(why) != 0 {
			t.Errorf("got %q", why)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// A backfill that knows its location is matched by the latency to that one.
func TestTicketOf(t *testing.T) {
	players := []lift.TicketPlayer{
		{ID: "ann", Team: "red", LatencyMS: map[string]int{"a": 10, "b": 20}},
		{ID: "bob", Team: "red", LatencyMS: map[string]int{"b": 30}},
	}
	for _, c := range []struct {
		name     string
		backfill *lift.Backfill
		ann, bob map[string]int
		team     string
	}{
		{"a ticket", nil, players[0].LatencyMS, players[1].LatencyMS, ""},
		{"a backfill", &lift.Backfill{Location: "a"}, map[string]int{"a": 10}, nil, "red"},
		{"a backfill somewhere", &lift.Backfill{}, players[0].LatencyMS, players[1].LatencyMS, "red"},
	} {
		got := ticketOf(&lift.Ticket{ID: "t", Players: players, Backfill: c.backfill})
		a, b := got.Players[0], got.Players[1]
		if !maps.Equal(a.LatencyMS, c.ann) || !maps.Equal(b.LatencyMS, c.bob) || a.Team != c.team || got.Backfill != (c.backfill != nil) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
