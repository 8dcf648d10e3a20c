package matcher

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

var quiet = slog.New(slog.DiscardHandler)

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

// change changes rows.
func change(t testing.TB, e *engine.Engine, f func(tx *engine.Tx) error) {
	t.Helper()
	if err := e.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// put saves tickets as they are.
func put(t testing.TB, e *engine.Engine, ts ...*lift.Ticket) {
	t.Helper()
	change(t, e, func(tx *engine.Tx) error {
		for _, tk := range ts {
			if err := store.Tickets.Put(tx, tk); err != nil {
				return err
			}
		}
		return nil
	})
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
			running.Go(func() { _ = New(e, quiet).Run(life) })
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
	if err := New(e, quiet).Round(ctx); err != nil {
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

// A pool forgets tickets that left, and a match that it finds with one of them
// costs the others nothing.
func TestStaleTickets(t *testing.T) {
	e := newEngine(t, "m")
	ctx := t.Context()
	d := newDriver(e, quiet, "us-west-2/m")
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
	d := newDriver(e, quiet, "us-west-2/m")
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
		d = newDriver(e, quiet, "us-west-2/m")
	}
	now = now.Add(6 * time.Minute)
	if tk := arrive(); tk.EstimatedWaitSeconds != 0 {
		t.Errorf("expects %d s by what is long ago", tk.EstimatedWaitSeconds)
	}
}

// The tickets of a configuration that is gone fail instead of waiting; those that
// have a match go on with it.
func TestConfigurationGone(t *testing.T) {
	e := newEngine(t)
	now := e.Now()
	want := map[lift.TicketID]lift.TicketStatus{}
	for _, s := range []lift.TicketStatus{lift.TicketQueued, lift.TicketSearching, lift.TicketRequiresAcceptance, lift.TicketPlacing} {
		put(t, e, &lift.Ticket{ID: lift.TicketID(s), Region: "us-west-2", Configuration: "m", Status: s, StartedAt: now, Deadline: now.Add(time.Minute)})
		if want[lift.TicketID(s)] = s; s.Waits() {
			want[lift.TicketID(s)] = lift.TicketFailed
		}
	}
	if err := New(e, quiet).Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, tk := range tickets(t, e, len(want)) {
		if tk.Status != want[id] || tk.Status == lift.TicketFailed && !strings.Contains(tk.Message, "deleted") {
			t.Errorf("ticket %s is %s (%s), want %s", id, tk.Status, tk.Message, want[id])
		}
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

// BenchmarkTickets is the whole way of two tickets to their match, without a
// disk.
func BenchmarkTickets(b *testing.B) {
	e := newEngineOn(b, fastStore(b), "m")
	d := newDriver(e, quiet, "us-west-2/m")
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

// putRules lets the matchmaker m use a rule set of its own.
func putRules(t testing.TB, e *engine.Engine, body string) {
	t.Helper()
	change(t, e, func(tx *engine.Tx) error {
		c, err := store.Configurations.Find(tx, "us-west-2/m")
		if err != nil {
			return err
		}
		c.RuleSet = "other"
		if err := store.RuleSets.Put(tx, &lift.RuleSet{Name: "other", Region: "us-west-2", Body: body, CreatedAt: tx.Now}); err != nil {
			return err
		}
		return store.Configurations.Put(tx, c)
	})
}

// withSkill is a ticket of one player.
func withSkill(id string, skill lift.Attribute, now time.Time) *lift.Ticket {
	return &lift.Ticket{
		ID: lift.TicketID(id), Region: "us-west-2", Configuration: "m", StartedAt: now, Deadline: now.Add(time.Minute),
		Players: []lift.TicketPlayer{{ID: "p-" + id, Attributes: map[string]lift.Attribute{"skill": skill}}},
	}
}

// bySkill is a rule set for pairs whose players have a skill.
const bySkill = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number"}],"teams":[{"name":"t","minPlayers":2,"maxPlayers":2}]}`

// A ticket that does not fit the rule set that its matchmaker uses now fails, and
// says so if asked before.
func TestTheRuleSetIsAnother(t *testing.T) {
	e := newEngine(t, "m")
	d := newDriver(e, quiet, "us-west-2/m")
	change(t, e, func(tx *engine.Tx) error { return tx.AddTicket(withSkill("t", lift.Attribute{S: new("high")}, tx.Now)) })
	for _, want := range []lift.TicketStatus{lift.TicketSearching, lift.TicketFailed} {
		if _, err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := tickets(t, e, 1)["t"]; got.Status != want {
			t.Fatalf("got %+v, want %s", got, want)
		}
		if want == lift.TicketFailed {
			break
		}
		putRules(t, e, bySkill)
		if why := explain(t, e, "t"); len(why) != 1 || !strings.Contains(why[0], "skill") {
			t.Errorf("it waits because of %q", why)
		}
	}
}

// A match that was found and not made before its matchmaker changed is made by
// the rules of now, or not at all (flexmatch 10.3).
func TestChangedBetweenFindingAndMaking(t *testing.T) {
	const three = `{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":3,"maxPlayers":3}]}`
	for name, c := range map[string]struct {
		change func(t *testing.T, e *engine.Engine)
		want   lift.TicketStatus
	}{
		"other rules":   {func(t *testing.T, e *engine.Engine) { putRules(t, e, three) }, lift.TicketSearching},
		"the same":      {func(*testing.T, *engine.Engine) {}, lift.TicketCompleted},
		"no matchmaker": {func(t *testing.T, e *engine.Engine) { change(t, e, deleteMatchmaker) }, lift.TicketFailed},
		"rules made anew": {func(t *testing.T, e *engine.Engine) {
			change(t, e, func(tx *engine.Tx) error { return remake(tx, three) })
		}, lift.TicketSearching},
	} {
		e := newEngine(t, "m")
		d := newDriver(e, quiet, "us-west-2/m")
		for _, id := range []string{"a", "b"} {
			if err := submit(t.Context(), e, "m", id); err != nil {
				t.Fatal(err)
			}
		}
		for d.stage != offer {
			if _, _, err := d.step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		c.change(t, e)
		if _, err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for id, tk := range tickets(t, e, 2) {
			if tk.Status != c.want {
				t.Errorf("%s: ticket %s is %s, want %s", name, id, tk.Status, c.want)
			}
		}
	}
}

func deleteMatchmaker(tx *engine.Tx) error { return store.Configurations.Delete(tx, "us-west-2/m") }

// remake makes the rule set anew under its old name.
func remake(tx *engine.Tx, body string) error {
	if err := store.RuleSets.Delete(tx, "us-west-2/r"); err != nil {
		return err
	}
	return store.RuleSets.Put(tx, &lift.RuleSet{Name: "r", Region: "us-west-2", Body: body, CreatedAt: tx.Now})
}

// Matches keep seats free for players who come later, unless there is no game
// session to come to (flexmatch 10.3).
func TestAdditionalPlayers(t *testing.T) {
	for mode, want := range map[lift.FlexMatchMode]int{lift.WithQueue: 2, lift.Standalone: 3} {
		e := newEngine(t, "m")
		putRules(t, e, `{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":1,"maxPlayers":3}]}`)
		change(t, e, func(tx *engine.Tx) error {
			c, err := store.Configurations.Find(tx, "us-west-2/m")
			if err != nil {
				return err
			}
			c.Mode, c.AdditionalPlayers, c.Queues = mode, 1, []string{"arn:aws:gamelift:us-west-2::gamesessionqueue/q"}
			if err := store.Queues.Put(tx, &lift.Queue{Name: "q", Region: "us-west-2"}); err != nil {
				return err
			}
			return store.Configurations.Put(tx, c)
		})
		for i := range 6 {
			if err := submit(t.Context(), e, "m", fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := newDriver(e, quiet, "us-west-2/m").run(t.Context()); err != nil {
			t.Fatal(err)
		}
		players := map[lift.MatchID]int{}
		for _, tk := range tickets(t, e, 6) {
			players[tk.Match]++
		}
		for m, n := range players {
			if m == "" || n != want {
				t.Errorf("%s: match %q has %d players, want %d", mode, m, n, want)
			}
		}
	}
}

// A driver comes again when an expansion is due, and at the next sweep if that is
// before.
func TestWhenToSearchAgain(t *testing.T) {
	for seconds, want := range map[int]time.Duration{2: 2 * time.Second, 60: sweepEvery} {
		now := time.Unix(1_000_000, 0)
		e := engine.New(engine.Options{Store: newStore(t), Sender: nobody{}, Now: func() time.Time { return now }})
		putMatchmakers(t, e, "m")
		putRules(t, e, fmt.Sprintf(`{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":2,"maxPlayers":2}],
			"expansions":[{"target":"teams[t].minPlayers","steps":[{"waitTimeSeconds":%d,"value":1}]}]}`, seconds))
		if err := submit(t.Context(), e, "m", "t"); err != nil {
			t.Fatal(err)
		}
		next, err := newDriver(e, quiet, "us-west-2/m").run(t.Context())
		if err != nil || !next.Equal(now.Add(want)) {
			t.Errorf("with an expansion after %d s it comes again after %s: %v", seconds, next.Sub(now), err)
		}
	}
}

// The pool holds what searches and nothing else, whatever it held before; and
// what waits is not searched anew at every sweep.
func TestSweep(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	e := engine.New(engine.Options{Store: newStore(t), Sender: nobody{}, Now: func() time.Time { return now }})
	putMatchmakers(t, e, "m")
	putRules(t, e, `{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":9,"maxPlayers":9}]}`)
	d := newDriver(e, quiet, "us-west-2/m")
	sweep := func() {
		t.Helper()
		now = now.Add(sweepEvery)
		if _, err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	row := func(id string, s lift.TicketStatus) *lift.Ticket {
		return &lift.Ticket{ID: lift.TicketID(id), Region: "us-west-2", Configuration: "m", Status: s, StartedAt: now, Deadline: now.Add(time.Hour), Players: []lift.TicketPlayer{{ID: id}}}
	}
	late, back := row("late", lift.TicketSearching), row("back", lift.TicketSearching)
	late.Deadline, back.Arriving = now.Add(sweepEvery), true
	rows := []*lift.Ticket{late, back, row("searching", lift.TicketSearching), row("new", lift.TicketQueued)}
	rows[3].Arriving = true
	for _, s := range []lift.TicketStatus{lift.TicketRequiresAcceptance, lift.TicketPlacing, lift.TicketCompleted, lift.TicketCancelled, lift.TicketTimedOut, lift.TicketFailed} {
		rows = append(rows, row(string(s), s))
	}
	holds := func(want ...match.TicketID) {
		t.Helper()
		got := slices.Sorted(maps.Keys(d.held))
		if !slices.Equal(got, want) || d.pool.Len() != len(want) {
			t.Errorf("the pool holds %d tickets, %q, want %q", d.pool.Len(), got, want)
		}
	}
	put(t, e, rows...)
	sweep()
	holds("back", "new", "searching")
	searches := d.pool.Stats().Searches
	sweep()
	holds("back", "new", "searching")
	if again := d.pool.Stats().Searches - searches; again != 0 {
		t.Errorf("%d searches although nothing changed", again)
	}
	change(t, e, func(tx *engine.Tx) error {
		tk, err := store.Tickets.Find(tx, "us-west-2/searching")
		if err != nil {
			return err
		}
		return tx.StopTicket(tk, "", "")
	})
	sweep()
	holds("back", "new")
}
