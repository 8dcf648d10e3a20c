package engine

import (
	"context"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

// sharedDB is a store in memory as several servers have it. Nobody is told of
// what others commit: that is harmless.
type sharedDB struct{ store.Store }

func (sharedDB) Shared() bool                              { return true }
func (sharedDB) Elsewhere(context.Context) <-chan struct{} { return nil }

// newServers returns engines over one store, each with a host of its name, at
// the same time of day.
func newServers(t *testing.T, names ...string) []*world {
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	var all []*world
	for i, name := range names {
		w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), seq: map[lift.InstanceID]uint64{}, heard: map[lift.InstanceID]time.Time{}}
		w.Engine = New(Options{
			Store: sharedDB{stumbling(t, db)}, Sender: w, Now: func() time.Time { return w.now }, IDs: rand.New(rand.NewSource(int64(i))),
			Owner: name, Host: "host-" + name,
			Heard: func(id lift.InstanceID) (time.Time, bool) { at, ok := w.heard[id]; return at, ok },
		})
		all = append(all, w)
	}
	return all
}

func (w *world) follow() {
	w.t.Helper()
	if err := w.Follow(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func TestLease(t *testing.T) {
	all := newServers(t, "a", "b")
	steps := []struct {
		by        int
		after     time.Duration
		held      bool
		epoch     int // the first, the second and so on
		comment   string
		forgotten bool // afterwards
	}{
		{0, 0, true, 1, "nobody had it", false},
		{1, 0, false, 1, "it is taken", false},
		{0, 8 * time.Second, true, 1, "its owner renews it", false},
		{1, 9 * time.Second, false, 1, "so it lasts longer", false},
		{1, store.LeaseFor, true, 2, "its owner fell silent", false},
		{0, 0, false, 2, "and comes too late", false},
		{0, store.LeaseFor + time.Second, true, 3, "whose it was is another epoch", true},
		{1, time.Microsecond, true, 4, "nobody has it any more, and an old epoch does not come again", false},
	}
	epochs := []int64{0} // that there were
	for _, s := range steps {
		for _, w := range all {
			w.now = w.now.Add(s.after)
		}
		all[s.by].update(func(tx *Tx) error {
			l, held, err := tx.Hold("x")
			if l.Epoch > epochs[len(epochs)-1] {
				epochs = append(epochs, l.Epoch)
			}
			if err == nil && (held != s.held || len(epochs) != s.epoch+1 || l.Epoch != epochs[s.epoch]) {
				t.Errorf("%s: held %v in epoch %d of %d", s.comment, held, l.Epoch, epochs)
			}
			return err
		})
		if s.forgotten {
			all[s.by].update(func(tx *Tx) error { return store.Leases.Delete(tx, "x") })
		}
	}
}

// TestOneServerPlansFleets: the fleet becomes due at one server while another
// one holds the lease, which alone acts, until it falls silent.
func TestOneServerPlansFleets(t *testing.T) {
	all := newServers(t, "a", "b")
	a, b := all[0], all[1]
	a.turn()
	b.turn() // both are known now
	a.update(func(tx *Tx) error { _, _, err := tx.Hold(FleetsLease); return err })
	b.update(func(tx *Tx) error {
		if err := store.Builds.Put(tx, &lift.Build{ID: "build-1", Region: region, Status: lift.BuildReady}); err != nil {
			return err
		}
		return store.Fleets.Put(tx, &lift.Fleet{
			ID: "fleet-1", Region: region, BuildID: "build-1", Status: lift.FleetNew, Protection: lift.NoProtection,
			Capacity: lift.Capacity{Desired: 4, Max: 4}, CreatedAt: tx.Now, ActivateBy: tx.Now.Add(10 * time.Minute), LookAt: tx.Now,
		})
	})
	b.turn()
	if n := len(b.instances("fleet-1")); n != 0 {
		t.Fatalf("b planned a fleet while a holds the lease: %d instances", n)
	}
	for _, w := range all {
		w.now = w.now.Add(store.LeaseFor)
	}
	b.turn()
	b.turn()
	hosts := map[string]int{}
	for _, i := range b.instances("fleet-1") {
		hosts[i.Host]++
	}
	if len(hosts) == 0 {
		t.Fatal("nobody planned the fleet")
	}
	// A new fleet asks for one instance first; those after it go to whom has fewer.
	b.update(func(tx *Tx) error {
		f, err := store.Fleets.Find(tx, "fleet-1")
		for range 3 {
			if err == nil {
				err = tx.request(f)
			}
		}
		return err
	})
	hosts = map[string]int{}
	is := b.instances("fleet-1")
	for _, i := range is {
		hosts[i.Host]++
	}
	if max(hosts["host-a"], hosts["host-b"])-min(hosts["host-a"], hosts["host-b"]) > 1 || hosts["host-a"]+hosts["host-b"] != len(is) {
		t.Errorf("instances are on %v", hosts)
	}

	// Each host is asked for its own, once, also by the server that did not plan.
	a.sent = nil
	a.follow()
	a.follow()
	started := 0
	for _, eff := range a.sent {
		if eff.StartInstance == nil {
			continue
		}
		started++
		if name, _ := eff.To.Host(); name != "host-a" {
			t.Errorf("a is sent what is for %s", eff.To)
		}
	}
	if started != hosts["host-a"] {
		t.Errorf("the host of a was asked for %d instances, want %d", started, hosts["host-a"])
	}
}

// TestCommandsFindTheServerOfTheirAgent: one server decides, the agent is
// connected to another.
func TestCommandsFindTheServerOfTheirAgent(t *testing.T) {
	all := newServers(t, "a", "b")
	a, b := all[0], all[1]
	put(a, store.Instances, &lift.Instance{ID: "i-1", Status: lift.InstanceTerminating})
	a.update(func(tx *Tx) error { return tx.Emit(lift.Effect{To: lift.ToAgent("i-1"), Drain: &lift.Drain{}}) })
	id := a.sent[0].ID
	for range 3 {
		b.follow()
	}
	if len(b.sent) != 1 || b.sent[0].ID != id {
		t.Errorf("the other server sends %v", b.sent)
	}
	a.follow()
	if len(a.sent) != 1 {
		t.Errorf("the server that decided sends it again: %v", a.sent)
	}
	_, pending, err := b.Resume(t.Context(), "i-1")
	if err != nil || len(pending) != 1 {
		t.Errorf("an agent that connects gets %v, %v", pending, err)
	}
}

// TestSilenceIsJudgedWhereTheAgentIs: no server takes an agent for lost that
// another one hears; when that one is gone, the others judge.
func TestSilenceIsJudgedWhereTheAgentIs(t *testing.T) {
	all := newServers(t, "a", "b")
	a, b := all[0], all[1]
	fleet, id := a.fleet(nil, 1)
	if _, _, err := b.Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	pass := func(d time.Duration, bLives bool) {
		for until := a.now.Add(d); a.now.Before(until); {
			a.now, b.now = a.now.Add(5*time.Second), b.now.Add(5*time.Second)
			a.turn()
			if bLives {
				b.heard[id] = b.now
				b.turn()
			}
		}
	}
	pass(10*time.Minute, true)
	if len(a.instances(fleet)) != 1 || a.instances(fleet)[0].ID != id {
		t.Fatal("the instance was replaced while another server heard its agent")
	}
	pass(silenceLimit-10*time.Second, false)
	if a.instances(fleet)[0].ID != id {
		t.Fatal("the instance was replaced too early")
	}
	pass(time.Minute, false)
	for _, i := range a.instances(fleet) {
		if i.ID == id && i.Status != lift.InstanceTerminated {
			t.Fatalf("the instance is %s though nobody hears its agent", i.Status)
		}
	}
}

// TestUnnamedHostEffectIsAdoptedOnce: a fleet is planned by a server that has
// no host, before any other is known. Of those that come one starts the
// instance, and it stops it.
func TestUnnamedHostEffectIsAdoptedOnce(t *testing.T) {
	all := newServers(t, "a", "b", "c")
	all[0].opts.Host = ""
	fleet, _ := all[0].fleet(nil, 0)
	id := all[0].instances(fleet)[0].ID
	started := func() (by []int) {
		for n, w := range all {
			for _, eff := range w.sent {
				if eff.StartInstance != nil {
					by = append(by, n)
				}
			}
		}
		return by
	}
	if err := all[0].Resend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if by := started(); by != nil {
		t.Fatalf("servers %v start what no host was chosen for", by)
	}
	for range 3 {
		for _, w := range all {
			w.follow()
			w.turn()
		}
		if i := all[0].instances(fleet)[0]; i.Host != "host-b" { // at once
			t.Errorf("the instance is on %q", i.Host)
		}
		for _, w := range all {
			w.now = w.now.Add(hostRetry)
		}
	}
	for _, n := range started() {
		if n != 1 {
			t.Errorf("server %d starts the instance of host-b", n)
		}
	}
	if started() == nil {
		t.Error("nobody starts the instance")
	}
	all[2].sent = nil
	if err := all[2].InstanceLost(t.Context(), id, "gone"); err != nil {
		t.Fatal(err)
	}
	for _, eff := range all[2].sent {
		if eff.StopInstance != nil && eff.To != lift.ToHostOf("host-b") {
			t.Errorf("%s is to stop the instance", eff.To)
		}
	}
}

// TestDoubtfulAdoption: what a host effect in doubt became is read, not guessed:
// that it is there may be the work of another server.
func TestDoubtfulAdoption(t *testing.T) {
	all := newServers(t, "a", "b")
	a, b := all[0], all[1]
	a.update(func(tx *Tx) error {
		return tx.Emit(lift.Effect{To: lift.ToHost, StopInstance: &lift.StopInstance{InstanceID: "i-1"}})
	})
	b.turn()
	if len(b.sent) != 1 {
		t.Fatalf("b sends %v", b.sent)
	}
	mine := b.sent[0]
	mine.To = lift.ToHostOf(a.opts.Host)
	a.doubt(&Tx{effects: []lift.Effect{mine}})
	if a.turn(); len(a.sent) > 0 {
		t.Errorf("a does what b does: %v", a.sent)
	}
	b.sent = nil
	b.doubt(&Tx{effects: []lift.Effect{{ID: mine.ID, To: lift.ToHostOf(b.opts.Host), StopInstance: mine.StopInstance}}})
	if b.turn(); len(b.sent) != 1 {
		t.Errorf("b forgets what it may not have done: %v", b.sent)
	}
}

// TestClocksMayDiffer: a server is there as long as it beats, whatever its
// clock says; and it is gone when it does not.
func TestClocksMayDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{-30 * time.Minute, -time.Minute, time.Minute, 30 * time.Minute} {
		all := newServers(t, "a", "b")
		a, b := all[0], all[1]
		b.now = b.now.Add(ahead)
		_, id := a.fleet(nil, 1)
		if _, _, err := b.Resume(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		pass := func(d time.Duration, bLives bool) {
			for until := a.now.Add(d); a.now.Before(until); {
				a.now, b.now = a.now.Add(5*time.Second), b.now.Add(5*time.Second)
				if bLives {
					b.heard[id] = b.now
					b.turn()
				}
				a.turn()
			}
		}
		status := func() lift.InstanceStatus { return find(a, store.Instances, string(id)).Status }
		pass(10*time.Minute, true)
		if status() == lift.InstanceTerminated {
			t.Errorf("%s ahead: the instance was given up while b heard its agent", ahead)
		}
		pass(silenceLimit-20*time.Second, false)
		if status() == lift.InstanceTerminated {
			t.Errorf("%s ahead: the instance was given up too early", ahead)
		}
		pass(time.Minute, false)
		if status() != lift.InstanceTerminated {
			t.Errorf("%s ahead: the instance is kept though nobody hears its agent", ahead)
		}
	}
}

// TestEventsOfOnePlacementRise: a server whose clock is behind ends a placement
// of whose id another one told something before.
func TestEventsOfOnePlacementRise(t *testing.T) {
	all := newServers(t, "a", "b")
	told := all[0].now.Add(time.Minute)
	for _, w := range all {
		w.opts.Sinks = func(string) []string { return []string{"s"} }
	}
	all[1].update(func(tx *Tx) error {
		p := &lift.Placement{ID: "p", Region: region, Queue: "q", Status: lift.PlacementCancelled, NotedAt: told}
		return tx.placementEnded(p)
	})
	at := all[1].sent[0].Publish.At
	if !at.After(told) {
		t.Errorf("it is told at %s, after an event at %s", at, told)
	}
	if got := find(all[0], store.Placements, region+"/p").NotedAt; !got.Equal(at) {
		t.Errorf("the placement notes %s", got)
	}
}

// TestNoHostLeavesNothing: a service without a host asks for an instance in
// vain. What it wanted of the host is forgotten with the instance.
func TestNoHostLeavesNothing(t *testing.T) {
	w := newWorld(t)
	fleet, id := w.fleet(nil, 0)
	w.update(func(tx *Tx) error {
		f, err := store.Fleets.Find(tx, string(fleet))
		if err == nil {
			f.Capacity.Desired, f.Status = 0, lift.FleetError
			err = store.Fleets.Put(tx, f)
		}
		return err
	})
	if err := w.InstanceLost(t.Context(), id, "nobody started it"); err != nil {
		t.Fatal(err)
	}
	waiting := func() int {
		return len(read(w, func(tx store.Tx) ([]*store.Outbox, error) {
			return store.Effects.All(tx, "to", string(lift.ToHost)+"/")
		}))
	}
	if n := waiting(); n != 2 {
		t.Errorf("%d effects wait for the host, want its start and its stop", n)
	}
	w.now = w.now.Add(store.KeepFleets + time.Minute)
	w.turn()
	w.turn()
	if n := waiting(); n != 0 {
		t.Errorf("%d effects wait for ever", n)
	}
}

// A new instance goes to the host of a server that is there: not to one that
// has none, nor to one that is gone, whatever its clock said.
func TestHostsThatAreThere(t *testing.T) {
	for name, c := range map[string]struct {
		ahead, gone time.Duration // b's clock; since when it is silent
		beats       int           // of c, which starts then
		want        string
	}{
		"both are":                           {0, 0, 9, "host-b"},
		"one is gone":                        {0, 10 * time.Minute, 1, "host-c"},
		"one is gone whose clock was ahead":  {30 * time.Minute, 10 * time.Minute, 9, "host-c"},
		"one is gone whose clock was behind": {-30 * time.Minute, 10 * time.Minute, 1, "host-c"},
		"one whose clock is ahead":           {30 * time.Minute, 0, 9, "host-b"},
		"one whose clock is behind":          {-30 * time.Minute, 0, 9, "host-b"},
	} {
		all := newServers(t, "b", "c", "none")
		b, with, none := all[0], all[1], all[2]
		none.opts.Host = ""
		b.now = b.now.Add(c.ahead)
		b.turn()
		none.now, with.now = none.now.Add(c.gone), with.now.Add(c.gone)
		for range c.beats {
			none.now, with.now = none.now.Add(beatEvery), with.now.Add(beatEvery)
			none.turn()
			if c.gone == 0 {
				b.now = b.now.Add(beatEvery)
				b.turn()
			}
			with.turn()
		}
		f := &lift.Fleet{ID: "fleet-1", Region: region, BuildID: "build-1", Status: lift.FleetActive}
		put(with, store.Fleets, f)
		for id, host := range map[lift.InstanceID]string{"i-1": "host-b", "i-2": "host-c", "i-3": "host-c"} {
			put(with, store.Instances, &lift.Instance{ID: id, FleetID: f.ID, Status: lift.InstanceActive, Host: host})
		}
		with.update(func(tx *Tx) error {
			on, err := tx.hostFor(f)
			if err == nil && on != c.want {
				t.Errorf("%s: it goes to %q, want %q", name, on, c.want)
			}
			return err
		})
	}
}

// A server gives up its own agents, and those of a server that nobody remembers.
func TestSilenceOfAgentsOfOurOwn(t *testing.T) {
	for _, by := range []string{"a", "long gone"} {
		a := newServers(t, "a")[0]
		_, id := a.fleet(nil, 1)
		edit(a, store.Conversations, string(id), func(c *store.Conversation) { c.Server = by })
		for range silenceLimit/watchEvery + 2 {
			a.now = a.now.Add(watchEvery)
			a.turn()
		}
		if got := find(a, store.Instances, string(id)).Status; got != lift.InstanceTerminated {
			t.Errorf("of server %s: the instance of a silent agent is %s", by, got)
		}
	}
}

// An instance that is given up before any host was there is started by none
// that comes.
func TestAnInstanceGivenUpIsNotStarted(t *testing.T) {
	all := newServers(t, "a", "b")
	a, b := all[0], all[1]
	a.opts.Host = ""
	_, id := a.fleet(nil, 0)
	if err := a.InstanceLost(t.Context(), id, "nobody started it"); err != nil {
		t.Fatal(err)
	}
	b.follow()
	b.turn()
	for _, eff := range b.sent {
		if eff.StartInstance != nil && eff.StartInstance.InstanceID == id {
			t.Error("the host that came starts it")
		}
	}
}

// What was sent is remembered, for a while and in limits; a server that is alone
// need not.
func TestWhatWasSentIsRemembered(t *testing.T) {
	var s servers
	id := func(n int) []lift.EffectID { return []lift.EffectID{lift.EffectID(fmt.Sprint(n))} }
	const many = 3*seenMost + seenMost/2
	for n := range many {
		if len(s.note(id(n))) != 1 {
			t.Fatalf("effect %d was not sent before", n)
		}
	}
	for n := many - seenMost; n < many; n++ {
		if len(s.note(id(n))) != 0 {
			t.Fatalf("effect %d is sent again", n)
		}
	}
	if n := len(s.seen) + len(s.before); n > 2*seenMost {
		t.Errorf("%d effects are remembered", n)
	}
	w := newWorld(t)
	if w.fleet(nil, 1); len(w.servers.seen) != 0 {
		t.Error("alone it remembers what it sends")
	}
}

// An effect that cannot be read is complained of.
func TestAnEffectThatCannotBeRead(t *testing.T) {
	a := newServers(t, "a")[0]
	a.update(func(tx *Tx) error {
		return tx.Put(store.Effects.Kind.Name, store.Row{ID: "e", Body: []byte("?"), Keys: map[string]string{"to": string(lift.ToAgent("i-1")) + "/"}})
	})
	if err := a.Follow(t.Context()); err == nil {
		t.Error("nothing is wrong with it")
	}
}

// Only what the host of an instance was to do with that is forgotten with it.
func TestForgetHost(t *testing.T) {
	w := newWorld(t)
	w.fleet(nil, 0)
	w.update(func(tx *Tx) error {
		return tx.Emit(lift.Effect{To: lift.ToHost, StartInstance: &lift.StartInstance{InstanceID: "i-1"}}, lift.Effect{To: lift.ToHost, StopInstance: &lift.StopInstance{InstanceID: "i-1"}},
			lift.Effect{To: lift.ToHost, StartInstance: &lift.StartInstance{InstanceID: "i-2"}}, lift.Effect{To: lift.ToHost, StopInstance: &lift.StopInstance{InstanceID: "i-3"}})
	})
	w.update(func(tx *Tx) error { return tx.forgetHost(&lift.Instance{ID: "i-1"}) })
	left := map[lift.InstanceID]bool{}
	for _, o := range read(w, func(tx store.Tx) ([]*store.Outbox, error) {
		return store.Effects.All(tx, "to", string(lift.ToHost)+"/")
	}) {
		left[instanceOf(o.Effect)] = true
	}
	if left["i-1"] || !left["i-2"] || !left["i-3"] {
		t.Errorf("left are effects about %v", left)
	}
}
