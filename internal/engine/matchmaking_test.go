package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/store"
)

const duelRules = `{"ruleLanguageVersion":"1.0","teams":[{"name":"red","minPlayers":1,"maxPlayers":1},{"name":"blue","minPlayers":1,"maxPlayers":1}]}`

// matchmaker makes a configuration that asks the players and is STANDALONE.
func (w *world) matchmaker(region, name string) *lift.MatchmakingConfiguration {
	w.t.Helper()
	c := &lift.MatchmakingConfiguration{
		Name: name, Region: region, RuleSet: "duel", Mode: lift.Standalone, RequestTimeoutSeconds: 60,
		AcceptanceRequired: true, AcceptanceTimeoutSeconds: 30,
	}
	w.update(func(tx *Tx) error {
		if err := store.RuleSets.Put(tx, &lift.RuleSet{Name: "duel", Region: region, Body: duelRules}); err != nil {
			return err
		}
		return store.Configurations.Put(tx, c)
	})
	return c
}

// searching makes a ticket of one player that its matcher has taken.
func (w *world) searching(c *lift.MatchmakingConfiguration, id lift.TicketID) {
	w.t.Helper()
	w.update(func(tx *Tx) error {
		t, err := tx.Ask(c, Wish{ID: id, Players: []lift.TicketPlayer{{ID: "p-" + string(id)}}})
		if err != nil {
			return err
		}
		t.Status, t.Arriving = lift.TicketSearching, false
		return store.Tickets.Put(tx, t)
	})
}

func (w *world) ticket(id string) *lift.Ticket {
	w.t.Helper()
	return find(w, store.Tickets, store.InRegion(region, id))
}

// propose saves a match of two tickets, for their players to answer.
func (w *world) propose(c *lift.MatchmakingConfiguration, red, blue lift.TicketID) {
	w.t.Helper()
	w.update(func(tx *Tx) error {
		m := &lift.Match{
			ID: "m", Region: c.Region, Configuration: c.Name, MaxPlayers: 2, Tickets: []lift.TicketID{red, blue},
			Seats: []lift.MatchSeat{{Ticket: red, PlayerID: "p-" + string(red), Team: "red"}, {Ticket: blue, PlayerID: "p-" + string(blue), Team: "blue"}},
		}
		ts, err := tx.ticketsOf(m)
		if err != nil {
			return err
		}
		return tx.Propose(c, m, ts)
	})
}

// accept is the answer of the player of a ticket.
func (w *world) accept(id string) {
	w.t.Helper()
	w.update(func(tx *Tx) error {
		t, err := store.Tickets.Find(tx, store.InRegion(region, id))
		if err != nil {
			return err
		}
		return tx.AnswerMatch(t, []string{"p-" + id}, true)
	})
}

// A match that its players accept is made.
func TestAnAcceptedMatch(t *testing.T) {
	w := newWorld(t)
	c := w.matchmaker(region, "c")
	w.searching(c, "a")
	w.searching(c, "b")
	w.propose(c, "a", "b")
	for _, id := range []string{"a", "b"} {
		if tk := w.ticket(id); tk.Status != lift.TicketRequiresAcceptance {
			t.Errorf("%s is %s", id, tk.Status)
		}
		w.accept(id)
	}
	if a, b := w.ticket("a"), w.ticket("b"); a.Status != lift.TicketCompleted || b.Status != lift.TicketCompleted || a.Players[0].Team != "red" || b.Players[0].Team != "blue" {
		t.Errorf("got %+v and %+v", a, b)
	}
}

// One who left a match and asks again may get into it once more: then the backfill
// ticket lists the player, too (flexmatch 14). Each seat is that of its ticket.
func TestAPlayerWhoComesBack(t *testing.T) {
	w := newWorld(t)
	c := w.matchmaker(region, "c")
	w.searching(c, "a")
	w.searching(c, "b")
	back := &lift.Ticket{
		ID: "back", Region: region, Configuration: "c", Status: lift.TicketSearching, Players: []lift.TicketPlayer{{ID: "p-a", Team: "red"}},
		Backfill: &lift.Backfill{Automatic: true}, StartedAt: w.now, Deadline: w.now.Add(time.Minute),
	}
	put(w, store.Tickets, back)
	w.update(func(tx *Tx) error {
		m := &lift.Match{
			ID: "m", Region: region, Configuration: "c", MaxPlayers: 3, Tickets: []lift.TicketID{"a", "back", "b"}, Backfill: "back",
			Seats: []lift.MatchSeat{
				{Ticket: "a", PlayerID: "p-a", Team: "blue"}, {Ticket: "back", PlayerID: "p-a", Team: "red"}, {Ticket: "b", PlayerID: "p-b", Team: "blue"},
			},
		}
		ts, err := tx.ticketsOf(m)
		if err != nil {
			return err
		}
		return tx.Propose(c, m, ts)
	})
	if a, b := w.ticket("a").Players[0].Team, w.ticket("back").Players[0].Team; a != "blue" || b != "red" {
		t.Errorf("the teams are %s and %s", a, b)
	}
	w.accept("a")
	seats := find(w, store.Matches, store.InRegion(region, "m")).Seats
	if seats[0].Accepted == nil || seats[1].Accepted != nil || seats[2].Accepted != nil {
		t.Errorf("the seats are %+v", seats)
	}
}

// A ticket that arrives wakes the matchers at once, also one that comes back.
func TestArrivalsWakeMatchers(t *testing.T) {
	w := newWorld(t)
	c := w.matchmaker(region, "c")
	woken := func() bool {
		select {
		case <-w.Arrived():
			return true
		default:
			return false
		}
	}
	w.searching(c, "a")
	w.searching(c, "b")
	if !woken() {
		t.Error("nobody heard of new tickets")
	}
	w.propose(c, "a", "b")
	if woken() {
		t.Error("a match woke the matchers")
	}
	w.update(func(tx *Tx) error {
		b, err := store.Tickets.Find(tx, region+"/b")
		if err != nil {
			return err
		}
		return tx.StopTicket(b, "", "")
	})
	if !woken() || w.ticket("a").Status != lift.TicketSearching || w.ticket("b").Status != lift.TicketCancelled {
		t.Errorf("a is %s, b is %s", w.ticket("a").Status, w.ticket("b").Status)
	}
}

// Where several servers write to one database, a transaction may see one row as
// it was before another server's commit and the next as it is after it. It is
// run again then, if it gets that far: what has just ended is no reason to
// refuse.
func TestHalfOfAnotherServersCommit(t *testing.T) {
	ann := []lift.TicketPlayer{{ID: "ann"}}
	over := &lift.Ticket{ID: "old", Region: region, Configuration: "c", Status: lift.TicketTimedOut, Players: ann}
	for name, f := range map[string]func(*Tx) error{
		"a player's older ticket has ended": func(tx *Tx) error {
			if err := store.Seekers.Put(tx, &lift.Seeker{Region: region, PlayerID: "ann", TicketID: "old"}); err != nil {
				return err
			}
			if err := store.Tickets.Put(tx, over); err != nil {
				return err
			}
			return tx.AddTicket(&lift.Ticket{ID: "new", Region: region, Configuration: "c", Players: ann})
		},
		"the backfill ticket of a session that ends has ended": func(tx *Tx) error {
			if err := store.Tickets.Put(tx, over); err != nil {
				return err
			}
			return tx.SaveSession(&lift.GameSession{ID: "s", Status: lift.SessionTerminated, BackfillTicket: region + "/old"})
		},
		"the backfill ticket of a session that ends is not there yet": func(tx *Tx) error {
			return tx.SaveSession(&lift.GameSession{ID: "s", Status: lift.SessionTerminated, BackfillTicket: region + "/old"})
		},
		"the match of a placement that ends is done": func(tx *Tx) error {
			return tx.placementEnded(&lift.Placement{ID: "p", Region: region, Queue: "q", Status: lift.PlacementCancelled, Match: region + "/p"})
		},
	} {
		w := newWorld(t)
		if err := w.Update(t.Context(), f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Matchmaking goes by the rule set that is stored. One that this version does not
// understand is named in the error.
func TestARuleSetNobodyUnderstands(t *testing.T) {
	w := newWorld(t)
	c := w.matchmaker(region, "c")
	w.update(func(tx *Tx) error {
		r, err := store.RuleSets.Find(tx, region+"/duel")
		if err != nil {
			return err
		}
		r.Body = "{"
		return store.RuleSets.Put(tx, r)
	})
	err := w.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.Ask(c, Wish{Players: []lift.TicketPlayer{{ID: "ann"}}})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "rule set duel") {
		t.Error(err)
	}
}

// A session is backfilled by a matchmaker of its own region, or of the region
// whose matchmaker made it.
func TestBackfillAcrossRegions(t *testing.T) {
	w := newWorld(t)
	for _, r := range []string{"us-west-2", "eu-west-1"} {
		w.matchmaker(r, "c")
	}
	for _, c := range []struct {
		session, maker, asked string
		taken                 bool
	}{
		{"us-west-2", "us-west-2", "us-west-2", true},
		{"eu-west-1", "us-west-2", "us-west-2", true},
		{"eu-west-1", "us-west-2", "eu-west-1", true},
		{"us-west-2", "us-west-2", "eu-west-1", false},
	} {
		err := w.Update(t.Context(), func(tx *Tx) error {
			s := &lift.GameSession{ID: "s", Region: c.session, Matchmaker: c.maker + "/c", Status: lift.SessionActive}
			if err := store.Sessions.Put(tx, s); err != nil {
				return err
			}
			conf, err := store.Configurations.Find(tx, c.asked+"/c")
			if err != nil {
				return err
			}
			conf.Mode = lift.WithQueue
			if _, err := tx.Ask(conf, Wish{Backfill: true, Session: "s", Players: []lift.TicketPlayer{{ID: "ann", Team: "red"}}}); err != nil {
				return err
			}
			return errTaken
		})
		le, refused := errors.AsType[*lift.Error](err)
		if err == errTaken != c.taken || refused && (le.Kind != lift.NotFound || !strings.Contains(le.Msg, c.asked)) {
			t.Errorf("a session in %s made by %s, asked for in %s: %v", c.session, c.maker, c.asked, err)
		}
	}
}

var errTaken = errors.New("it was taken, and nothing of it stays")

// Matchmaker data names the automatic backfill ticket, or null; what is no such
// data is left alone.
func TestWithAutoBackfill(t *testing.T) {
	const before = `{"matchId":"m","matchmakingConfigurationArn":"a","teams":[{"name":"red","x":9.0}],"autoBackfillMode":null,"autoBackfillTicketId":"old"}`
	named := strings.NewReplacer(`"autoBackfillMode":null`, `"autoBackfillMode":"AUTOMATIC"`, `"old"`, `"new"`).Replace(before)
	for _, c := range []struct{ data, id, want string }{
		{before, "new", named},
		{named, "", strings.Replace(named, `"new"`, "null", 1)},
		{"", "new", ""},
	} {
		if got := withAutoBackfill(c.data, lift.TicketID(c.id)); got != c.want {
			t.Errorf("%s with %q: got %s", c.data, c.id, got)
		}
	}
}

// What players answer is told in the order in which it was saved, whichever
// server heard it.
func TestAnswersHaveRisingTimes(t *testing.T) {
	a := newWorld(t).with(func(o *Options) { o.Sinks = func(string) []string { return []string{"s"} } })
	b := a.with(func(*Options) {})
	b.now = a.now.Add(-time.Second)
	c := a.matchmaker(region, "c")
	a.searching(c, "x")
	a.searching(c, "y")
	a.propose(c, "x", "y")
	a.take()
	for _, by := range []struct {
		w  *world
		id string
	}{{a, "x"}, {b, "y"}} {
		by.w.accept(by.id)
	}
	first, then := a.take(), b.take()
	if len(first) != 1 || len(then) != 3 || !then[0].Publish.At.After(first[0].Publish.At) {
		t.Errorf("told %+v, then %+v", first, then)
	}
}

// What the matcher knows of rules that were evaluated for a ticket is added when
// the ticket ends as it searches. When it has found a match, or is back from
// one, its row has all of that.
func TestEvaluationsCountOnce(t *testing.T) {
	for name, c := range map[string]struct {
		status   lift.TicketStatus
		arriving bool
		want     int
	}{
		"searches":     {lift.TicketSearching, false, 7},
		"is back":      {lift.TicketSearching, true, 2},
		"has a match":  {lift.TicketRequiresAcceptance, false, 2},
		"has not come": {lift.TicketQueued, true, 2},
	} {
		w := newWorld(t)
		w.Evaluated(map[string][]lift.RuleCount{region + "/t": {{Rule: "near", Passed: 5}}})
		w.update(func(tx *Tx) error {
			t := &lift.Ticket{ID: "t", Region: region, Configuration: "c", Status: c.status, Arriving: c.arriving, Evaluations: []lift.RuleCount{{Rule: "near", Passed: 2}}}
			return tx.EndTicket(t, lift.TicketCancelled, reasonCancelled, "")
		})
		if got := w.ticket("t").Evaluations[0].Passed; got != c.want {
			t.Errorf("a ticket that %s: near passed %d times, want %d", name, got, c.want)
		}
		w.Evaluated(map[string][]lift.RuleCount{region + "/t": nil})
		if len(w.evaluated) != 0 {
			t.Errorf("%d tickets are remembered for ever", len(w.evaluated))
		}
	}
}

// Destinations that lead nowhere say so, and processes that become idle go to
// the queues that lead to them only.
func TestDestinations(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 0)
	alias := func(id lift.AliasID) string { return lift.AliasARN(region, id) }
	w.update(func(tx *Tx) error {
		for _, a := range []*lift.Alias{
			{ID: "alias-here", Region: region, Routing: lift.RoutingSimple, FleetID: f},
			{ID: "alias-there", Region: "eu-west-1", Routing: lift.RoutingSimple, FleetID: f},
			{ID: "alias-away", Region: region, Routing: lift.RoutingSimple, FleetID: "fleet-3"},
			{ID: "alias-lost", Region: region, Routing: lift.RoutingSimple, FleetID: "fleet-2"},
			{ID: "alias-shut", Region: region, Routing: lift.RoutingTerminal, Message: "closed"},
		} {
			if err := store.Aliases.Put(tx, a); err != nil {
				return err
			}
		}
		if err := store.Fleets.Put(tx, &lift.Fleet{ID: "fleet-3", Region: region, Status: lift.FleetActive}); err != nil {
			return err
		}
		for _, q := range []*lift.Queue{
			{Name: "other", Region: region, Destinations: []string{alias("alias-away"), alias("alias-lost"), alias("alias-shut"), lift.FleetARN(region, "fleet-2")}},
			{Name: "q", Region: region, Destinations: []string{
				alias("alias-here"), lift.FleetARN(region, f), lift.FleetARN("eu-west-1", f), alias("alias-none"), alias("alias-there"), alias("alias-lost"), alias("alias-shut"),
			}},
		} {
			if err := store.Queues.Put(tx, q); err != nil {
				return err
			}
		}
		return nil
	})
	w.place("first")
	w.place("second")
	w.update(func(tx *Tx) error {
		return store.Placements.Put(tx, &lift.Placement{ID: "elsewhere", Region: region, Queue: "other", Status: lift.PlacementPending, Deadline: tx.Now.Add(time.Hour), TryAt: tx.Now})
	})
	w.turn()
	got := map[string]string{}
	for _, s := range w.placement("first").Skips {
		got[s.Place] = strings.TrimSpace(s.Reason + ": " + s.Detail)
	}
	want := map[string]string{}
	for place, why := range map[string]string{
		lift.FleetARN("eu-west-1", f): "the fleet does not exist", alias("alias-none"): "the alias does not exist", alias("alias-there"): "the alias does not exist",
		alias("alias-lost"): "the fleet does not exist", alias("alias-shut"): "the alias is terminal: closed",
	} {
		want[place] = placement.NoFleet + ": " + why
	}
	for place, why := range want {
		if got[place] != why {
			t.Errorf("%s was passed over as %q, want %q", place, got[place], why)
		}
	}
	if len(got) != 7 {
		t.Errorf("passed over %v", got)
	}

	attempts := func(id string) int { return w.placement(id).Attempts }
	before := attempts("first") + attempts("second") + attempts("elsewhere")
	w.process(i, "p0")
	w.turn()
	if now := attempts("first") + attempts("second") + attempts("elsewhere"); w.placement("first").SessionID == "" || now != before+1 {
		t.Errorf("%d attempts for one process; first: %+v", now-before, w.placement("first"))
	}
}

// A turn that could not place what waited says so, and is tried again.
func TestAPlacementThatFailsFailsItsTurn(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 0)
	w.queue(f)
	w.place("p")
	w.turn()
	w.process(i, "p0")
	broken := errors.New("the disk is full")
	w.opts.Store = failing{w.opts.Store, broken}
	if _, err := w.Turn(context.Background(), w.Now()); !errors.Is(err, broken) {
		t.Errorf("the turn ended with %v", err)
	}
}

// failing is a store that cannot write.
type failing struct {
	store.Store
	err error
}

func (s failing) Update(context.Context, func(store.Tx) error) error { return s.err }
