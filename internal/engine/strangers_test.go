package engine

import (
	"context"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/notify/event"
	"github.com/chairlift-games/chairlift/internal/store"
)

// An instance speaks for its own processes only, and none of another's moves.
func TestAProcessOfAnotherInstance(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(func(f *lift.Fleet) { f.Capacity = lift.Capacity{Desired: 2, Max: 2} }, 1)
	w.turn()
	var other lift.InstanceID
	for _, o := range w.instances(f) {
		if o.ID != i {
			other = o.ID
		}
	}
	s := w.open(f, "one")
	before := find(w, store.Processes, "p0")
	for _, ev := range []lift.Event{
		{ProcessExited: &lift.ProcessExited{ProcessID: "p0", Message: "exit code 1"}},
		{ProcessHealth: &lift.ProcessHealth{ProcessID: "p0"}},
		{ActivateSession: &lift.ActivateSession{ProcessID: "p0", SessionID: s.ID}},
		{StartBackfill: &lift.StartBackfill{ProcessID: "p0"}},
	} {
		if r := w.tell(other, ev); ev.WantsReply() && r.Status == 200 {
			t.Errorf("%+v was answered %+v", ev, r)
		}
	}
	if diff := cmp.Diff(before, find(w, store.Processes, "p0")); diff != "" {
		t.Error(diff)
	}
	if got := find(w, store.Sessions, string(s.ID)).Status; got != lift.SessionActivating {
		t.Errorf("its session is %s", got)
	}
}

// An instance that was given up has no say any more, and goes once. Its agent is
// sent away.
func TestAnInstanceGoesOnce(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	late := lift.Event{Notice: &lift.Notice{Code: "LATE", Message: "a word"}}
	w.tell(i, lift.Event{Stopped: &lift.Stopped{Reason: "drained"}}, lift.Event{Stopped: &lift.Stopped{Reason: "drained again"}}, late)
	first, events := find(w, store.Instances, string(i)), w.codes(f)
	if first.Status != lift.InstanceTerminated || first.Reason != "drained" || slices.Contains(events, "LATE") {
		t.Errorf("it is %s: %s, and the events are %s", first.Status, first.Reason, events)
	}
	w.take()
	w.now = w.now.Add(time.Minute)
	if _, _, err := w.Handle(t.Context(), i, Batch{Events: []Numbered{{Seq: w.seq[i] + 1, Event: late}}}); err == nil || !strings.Contains(err.Error(), "given up") {
		t.Errorf("its agent may speak: %v", err)
	}
	if _, _, err := w.Resume(t.Context(), i); err == nil || !strings.Contains(err.Error(), "given up") {
		t.Errorf("its agent may go on: %v", err)
	}
	if diff := cmp.Diff(first, find(w, store.Instances, string(i))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(events, w.codes(f)); diff != "" {
		t.Error(diff)
	}
	if sent := w.take(); len(sent) > 0 {
		t.Errorf("sent %+v", sent)
	}
}

// What has ended is forgotten when its time has come.
func TestRetention(t *testing.T) {
	w := newWorld(t)
	s := &lift.GameSession{ID: "s", FleetID: "f", Status: lift.SessionTerminated, KeepUntil: w.now.Add(time.Hour)}
	p := &lift.PlayerSession{ID: "p", PlayerID: "ann", GameSessionID: "s", Status: lift.PlayerCompleted, KeepUntil: w.now.Add(time.Hour)}
	pl := &lift.Placement{ID: "pl", Region: region, Status: lift.PlacementCancelled, KeepUntil: w.now.Add(time.Hour)}
	tk := &lift.Ticket{ID: "t", Region: region, Status: lift.TicketCancelled, KeepUntil: w.now.Add(time.Hour)}
	w.update(func(tx *Tx) error {
		for _, err := range []error{store.Sessions.Put(tx, s), store.Players.Put(tx, p), store.Placements.Put(tx, pl), store.Tickets.Put(tx, tk)} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	count := func() int {
		return read(w, func(tx store.Tx) (n int, err error) {
			for _, k := range []string{store.Sessions.Kind.Name, store.Players.Kind.Name, store.Placements.Kind.Name, store.Tickets.Kind.Name} {
				rows, err := tx.Scan(k, "", "", store.Cursor{}, 10)
				if err != nil {
					return 0, err
				}
				n += len(rows)
			}
			return n, nil
		})
	}
	w.now = w.now.Add(time.Hour - time.Second)
	if w.turn(); count() != 4 {
		t.Error("forgotten too soon")
	}
	w.now = w.now.Add(time.Second)
	if w.turn(); count() != 0 {
		t.Error("never forgotten")
	}
}

func TestFindPlayers(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *Tx) error {
		for _, s := range []lift.GameSessionID{"s1", "s2"} {
			if err := store.Sessions.Put(tx, &lift.GameSession{ID: s, Status: lift.SessionActive}); err != nil {
				return err
			}
		}
		for _, p := range []lift.PlayerSession{
			{ID: "p1", PlayerID: "ann", GameSessionID: "s1", Region: region, Status: lift.PlayerActive},
			{ID: "p2", PlayerID: "ann", GameSessionID: "s2", Region: region, Status: lift.PlayerReserved},
			{ID: "p3", PlayerID: "anna", GameSessionID: "s1", Region: region, Status: lift.PlayerActive},
			{ID: "p4", PlayerID: "ann", GameSessionID: "s3", Region: "elsewhere", Status: lift.PlayerActive},
			{ID: "p5", PlayerID: "ann\x1fann", GameSessionID: "s2", Region: region, Status: lift.PlayerActive},
		} {
			if err := store.Players.Put(tx, &p); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		q    PlayerQuery
		want string // ids, or a part of the error
	}{
		{PlayerQuery{ID: "p1"}, "p1"},
		{PlayerQuery{ID: "p4"}, "not found"},
		{PlayerQuery{Session: "s1"}, "p1 p3"},
		{PlayerQuery{Session: "s4"}, "not found"},
		{PlayerQuery{Player: "ann"}, "p1 p2"},
		{PlayerQuery{Player: "ann", Status: lift.PlayerActive}, "p1"},
		{PlayerQuery{Session: "s1", Limit: 1}, "p1 and more"},
		{PlayerQuery{Session: "s1", Limit: 1, After: "p1"}, "p3"},
		{PlayerQuery{Session: "s1", Limit: 2}, "p1 p3"},
		{PlayerQuery{Player: "ann", Limit: 1, Status: lift.PlayerReserved}, "p2"},
		{PlayerQuery{}, "exactly one"},
		{PlayerQuery{ID: "p1", Session: "s1"}, "exactly one"},
		{PlayerQuery{ID: "p1", Player: "ann"}, "exactly one"},
		{PlayerQuery{Session: "s1", Player: "ann"}, "exactly one"},
		{PlayerQuery{ID: "p1", Session: "s1", Player: "ann"}, "exactly one"},
	} {
		if c.q.Limit == 0 {
			c.q.Limit = 10
		}
		err := w.View(context.Background(), func(tx store.Tx) error {
			found, next, err := FindPlayers(tx, region, c.q)
			var ids []string
			for _, p := range found {
				ids = append(ids, string(p.ID))
			}
			if next != "" {
				ids = append(ids, "and more")
			}
			if got := strings.Join(ids, " "); err == nil && got != c.want {
				t.Errorf("%+v: got %s, want %s", c.q, got, c.want)
			}
			return err
		})
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
}

// with returns an engine of its own over the same store.
func (w *world) with(change func(*Options)) *world {
	o := w.opts
	o.IDs = rand.New(rand.NewSource(2))
	c := *w
	o.Sender, o.Now = &c, func() time.Time { return c.now }
	change(&o)
	c.Engine = New(o)
	return &c
}

// What is told of one ticket has rising times, also by a server whose clock is
// behind that of the one before.
func TestEventsHaveRisingTimes(t *testing.T) {
	w := newWorld(t).with(func(o *Options) { o.Sinks = func(string) []string { return []string{"s"} } })
	ahead := w.now.Add(time.Second)
	var ticket *lift.Ticket
	var at []time.Time
	w.update(func(tx *Tx) error {
		ticket = &lift.Ticket{ID: "t", Region: region, Configuration: "c", NotedAt: ahead}
		at = nil
		for range 2 {
			err := tx.tell(nil, []*lift.Ticket{ticket}, func(n event.News) event.Event {
				at = append(at, n.At)
				return event.Event{}
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if len(at) != 2 || !at[0].Equal(ahead.Add(time.Microsecond)) || !at[1].Equal(ahead.Add(2*time.Microsecond)) || !ticket.NotedAt.Equal(at[1]) {
		t.Errorf("told at %v after %v", at, ahead)
	}
}

// A dead letter goes back to a sink that wants it, and to no other.
func TestRedeliver(t *testing.T) {
	letter := &store.DeadLetter{ID: "d", Sink: "s", Publish: lift.Publish{Topic: "t", Event: "{}"}}
	for name, c := range map[string]struct {
		sinks func(string) []string
		taken bool
	}{
		"no sinks":         {nil, false},
		"another":          {func(string) []string { return []string{"r"} }, false},
		"for other topics": {func(topic string) []string { return map[string][]string{"u": {"s"}}[topic] }, false},
		"the same":         {func(string) []string { return []string{"r", "s"} }, true},
	} {
		w := newWorld(t).with(func(o *Options) { o.Sinks = c.sinks })
		err := w.Update(context.Background(), func(tx *Tx) error {
			if err := store.DeadLetters.Put(tx, letter); err != nil {
				return err
			}
			return tx.Redeliver(letter)
		})
		if (err == nil) != c.taken || err != nil && !strings.Contains(err.Error(), "sink s is not configured") {
			t.Errorf("%s: %v", name, err)
		}
		if sent := w.take(); c.taken && (len(sent) != 1 || sent[0].To != lift.ToSink("s")) {
			t.Errorf("%s: sent %+v", name, sent)
		}
	}
}

// A service that must not repeat what it said (Options.NoReplay) greets only
// agents that it never heard of with what waits for them.
func TestNoReplay(t *testing.T) {
	w := newWorld(t)
	_, i := w.fleet(nil, 0)
	put(w, store.Instances, &lift.Instance{ID: "i-new", Status: lift.InstancePending})
	w.update(func(tx *Tx) error {
		return tx.Emit(lift.Effect{To: lift.ToAgent(i), Drain: &lift.Drain{}}, lift.Effect{To: lift.ToAgent("i-new"), Drain: &lift.Drain{}})
	})
	quiet := w.with(func(o *Options) { o.NoReplay = true })
	for _, c := range []struct {
		by   *world
		id   lift.InstanceID
		want int
	}{{w, i, 2}, {quiet, i, 0}, {quiet, "i-new", 1}} {
		if _, pending, err := c.by.Resume(context.Background(), c.id); err != nil || len(pending) != c.want {
			t.Errorf("%s is told %d things, want %d (%v)", c.id, len(pending), c.want, err)
		}
	}
	quiet.take()
	if err := quiet.Resend(context.Background()); err != nil || len(quiet.take()) != 0 {
		t.Errorf("the host is told again: %v", err)
	}
	w.take()
	if err := w.Resend(context.Background()); err != nil || len(w.take()) == 0 {
		t.Errorf("the host is not told again: %v", err)
	}
}

// An engine that is told of no agent takes none for heard.
func TestNobodyTellsOfAgents(t *testing.T) {
	w := newWorld(t)
	_, i := w.fleet(nil, 1)
	deaf := w.with(func(o *Options) { o.Heard = nil })
	for range silenceLimit/watchEvery + 2 {
		deaf.now = deaf.now.Add(watchEvery)
		deaf.turn()
	}
	if got := find(w, store.Instances, string(i)).Status; got != lift.InstanceTerminated {
		t.Errorf("the instance is %s", got)
	}
}

// Without a clock and a source of ids it takes those of the machine.
func TestDefaults(t *testing.T) {
	w := newWorld(t)
	e := New(Options{Store: w.opts.Store, Sender: w})
	before := time.Now().Add(-time.Second)
	err := e.Update(context.Background(), func(tx *Tx) error {
		if a, b := tx.NewID(), tx.NewID(); a == b || a == "" {
			t.Errorf("ids %q and %q", a, b)
		}
		if tx.Now.Before(before) {
			t.Errorf("it is %s", tx.Now)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
