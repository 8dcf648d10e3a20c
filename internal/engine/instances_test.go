package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

// A fleet whose processes end before one is ready fails, and says what the last
// one said (behaviour 2.3). One that was ready before only logs them.
func TestProcessesThatEndEarly(t *testing.T) {
	for ready, want := range map[bool]lift.FleetStatus{false: lift.FleetError, true: lift.FleetActive} {
		w := newWorld(t)
		f, i := w.fleet(nil, 0)
		if ready {
			w.process(i, "ready")
		}
		for n := range fleet.EarlyExits {
			if got := find(w, store.Fleets, string(f)).Status; got == lift.FleetError {
				t.Errorf("after %d exits the fleet is %s", n, got)
			}
			pid := lift.ProcessID(fmt.Sprint("p", n))
			w.tell(i, lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: pid}},
				lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: pid, Code: lift.ProcessCrashed, Message: fmt.Sprint("exit code ", n)}})
		}
		got := find(w, store.Fleets, string(f))
		if got.Status != want || (want == lift.FleetError) != strings.HasSuffix(got.Reason, fmt.Sprint("exit code ", fleet.EarlyExits-1)) {
			t.Errorf("ready before: %t: it is %s: %s", ready, got.Status, got.Reason)
		}
	}
}

// A fleet that shrinks keeps instances whose ACTIVE game sessions are protected
// (behaviour 2.15), and takes the emptiest of the others.
func TestWhichInstancesStop(t *testing.T) {
	protected := lift.GameSession{Status: lift.SessionActive, Protection: lift.FullProtection}
	plain := lift.GameSession{Status: lift.SessionActive, Protection: lift.NoProtection}
	starting := lift.GameSession{Status: lift.SessionActivating, Protection: lift.FullProtection}
	over := lift.GameSession{Status: lift.SessionTerminated, Protection: lift.FullProtection}
	for name, c := range map[string]struct {
		on      map[lift.InstanceID]lift.GameSession
		desired int
		stop    []lift.InstanceID
	}{
		"as many as wanted":   {map[lift.InstanceID]lift.GameSession{"i-1": plain}, 2, nil},
		"the empty one":       {map[lift.InstanceID]lift.GameSession{"i-2": plain}, 1, []lift.InstanceID{"i-1"}},
		"the other empty one": {map[lift.InstanceID]lift.GameSession{"i-1": plain}, 1, []lift.InstanceID{"i-2"}},
		"the unprotected one": {map[lift.InstanceID]lift.GameSession{"i-1": plain, "i-2": protected}, 1, []lift.InstanceID{"i-1"}},
		"none but that":       {map[lift.InstanceID]lift.GameSession{"i-2": protected}, 0, []lift.InstanceID{"i-1"}},
		"not ACTIVE yet":      {map[lift.InstanceID]lift.GameSession{"i-1": plain, "i-2": starting}, 0, []lift.InstanceID{"i-1", "i-2"}},
		"not any more":        {map[lift.InstanceID]lift.GameSession{"i-1": plain, "i-2": over}, 1, []lift.InstanceID{"i-2"}},
		"of an instance gone": {map[lift.InstanceID]lift.GameSession{"i-1": plain, "i-0": protected}, 1, []lift.InstanceID{"i-2"}},
		"both to keep":        {map[lift.InstanceID]lift.GameSession{"i-1": protected, "i-2": protected}, 0, nil},
	} {
		w := newWorld(t)
		f := &lift.Fleet{ID: "fleet-1", Region: region, Status: lift.FleetActive, Capacity: lift.Capacity{Desired: c.desired, Max: 2}, LookAt: w.now}
		put(w, store.Fleets, f)
		for _, id := range []lift.InstanceID{"i-1", "i-2"} {
			put(w, store.Instances, &lift.Instance{ID: id, FleetID: f.ID, Status: lift.InstanceActive, CreatedAt: w.now})
		}
		for id, s := range c.on {
			s.ID, s.FleetID, s.InstanceID, s.ActivateBy, s.KeepUntil = lift.GameSessionID("on "+id), f.ID, id, w.now.Add(time.Hour), w.now.Add(time.Hour)
			put(w, store.Sessions, &s)
		}
		w.turn()
		var stop []lift.InstanceID
		for _, i := range w.instances(f.ID) {
			if i.Status == lift.InstanceTerminating {
				stop = append(stop, i.ID)
			}
		}
		if d := cmp.Diff(c.stop, stop); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// A fleet that is gone takes its game sessions along, with their players, some
// at a time; it is remembered for a while (behaviour 2.14).
func TestATerminatedFleetIsForgotten(t *testing.T) {
	w := newWorld(t)
	f := &lift.Fleet{ID: "fleet-1", Region: region, Status: lift.FleetDeleting, LookAt: w.now}
	put(w, store.Fleets, f)
	put(w, store.Peerings, &lift.Peering{ID: "pcx-1", FleetID: f.ID, Region: region, Status: lift.PeeringActive})
	put(w, store.Scalings, &lift.Scaling{FleetID: f.ID, Region: region})
	for n := range forgetBatch + 1 {
		s := lift.GameSession{ID: lift.GameSessionID(fmt.Sprint("s", n)), FleetID: f.ID, Status: lift.SessionTerminated, KeepUntil: w.now.Add(session.Retention)}
		put(w, store.Sessions, &s)
	}
	for id, s := range map[lift.PlayerSessionID]lift.GameSessionID{"a": "s0", "b": "s0", "c": "s1", "d": "of another fleet"} {
		put(w, store.Players, &lift.PlayerSession{ID: id, GameSessionID: s, Status: lift.PlayerCompleted, KeepUntil: w.now.Add(session.Retention)})
	}
	count := func() (fleets, sessions, players, rest int) {
		err := w.View(t.Context(), func(tx store.Tx) error {
			fs, err1 := store.Fleets.All(tx, "", "")
			ss, err2 := store.Sessions.All(tx, "", "")
			ps, err3 := store.Players.All(tx, "", "")
			peers, err4 := store.Peerings.All(tx, "", "")
			scalings, err5 := store.Scalings.All(tx, "", "")
			fleets, sessions, players, rest = len(fs), len(ss), len(ps), len(peers)+len(scalings)
			for _, err := range []error{err1, err2, err3, err4, err5} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	want := func(when string, want ...int) {
		t.Helper()
		a, b, c, d := count()
		if d := cmp.Diff(want, []int{a, b, c, d}); d != "" {
			t.Errorf("%s: %s", when, d)
		}
	}
	want("before", 1, forgetBatch+1, 4, 2)
	w.turn() // all of it in one turn, as each batch leaves the fleet due
	want("when its instances are gone", 1, 0, 1, 2)
	if got := find(w, store.Fleets, string(f.ID)); got.Status != lift.FleetTerminated {
		t.Errorf("it is %s", got.Status)
	}
	w.now = w.now.Add(store.KeepFleets - time.Second)
	w.turn()
	want("as long as its events are asked for", 1, 0, 1, 2)
	w.now = w.now.Add(time.Second)
	w.turn()
	want("then", 0, 0, 1, 0)
}

// A host may report the end of what the service has long forgotten.
func TestAnUnknownInstanceIsLost(t *testing.T) {
	w := newWorld(t)
	w.fleet(nil, 0)
	w.take()
	if err := w.InstanceLost(t.Context(), "i-unknown", "its agent ended"); err != nil {
		t.Error(err)
	}
	if sent := w.take(); len(sent) > 0 {
		t.Errorf("sent %+v", sent)
	}
}

// A search for a process that can take a game session ends after some
// thousands, and says why none of those could.
func TestManyProcessesThatCannot(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(func(f *lift.Fleet) { f.Runtime.MaxActivations = 1 }, 0)
	edit(w, store.Instances, string(i), func(i *lift.Instance) { i.Status, i.Activating = lift.InstanceActive, 1 })
	w.opts.Store = w.opts.Store.(*stumble.Store).Store // too many steps to fail at each
	ps := make([]*lift.Process, maxSlots+2*lastPage)
	for n := range ps {
		ps[n] = &lift.Process{ID: lift.ProcessID(fmt.Sprint("p", n)), FleetID: f, InstanceID: i, State: lift.ProcessIdle}
	}
	put(w, store.Processes, ps...)
	var s *lift.GameSession
	var skips []lift.Skip
	decide(w, store.Fleets, string(f), func(tx *Tx, f *lift.Fleet) (err error) {
		s, skips, err = tx.Open(f, session.Want{ID: "s"})
		return err
	})
	if s != nil || len(skips) < maxSlots || len(skips) >= maxSlots+lastPage {
		t.Errorf("opened %+v after %d processes", s, len(skips))
	}
}

// A game server gets at most 1024 players at once, in pages (server-sdk A.3).
func TestDescribeManyPlayers(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	s := w.open(f, "one")
	w.opts.Store = w.opts.Store.(*stumble.Store).Store // too many steps to fail at each
	players := make([]*lift.PlayerSession, 1030)
	for n := range players {
		players[n] = &lift.PlayerSession{ID: lift.PlayerSessionID(fmt.Sprint("psess-", n)), GameSessionID: s.ID, Region: region, Status: lift.PlayerActive}
	}
	put(w, store.Players, players...)
	for _, c := range []struct{ limit, want int }{{0, 1024}, {3, 3}, {1025, 1024}} {
		q := lift.DescribePlayers{ProcessID: "p0", GameSessionID: s.ID, Limit: c.limit}
		if _, _, err := w.Handle(t.Context(), i, Batch{Read: w.seq[i]}); err != nil {
			t.Fatal(err)
		}
		r := w.tell(i, lift.Event{DescribePlayers: &q})
		if len(r.Players) != c.want || r.NextToken == "" {
			t.Errorf("a limit of %d gets %d players and token %q", c.limit, len(r.Players), r.NextToken)
		}
		q.NextToken, q.Limit = r.NextToken, 1030-c.want
		if r = w.tell(i, lift.Event{DescribePlayers: &q}); len(r.Players) == 0 || r.NextToken != "" && c.want == 1024 {
			t.Errorf("after them come %d players and token %q", len(r.Players), r.NextToken)
		}
	}
}

// What becomes of a fleet whose instance is lost depends on where they were:
// one that is being prepared fails with it, one that is ACTIVE replaces it once,
// and nobody misses an instance that was to go.
func TestWhatAnInstanceIsLostFrom(t *testing.T) {
	for name, c := range map[string]struct {
		fleet    lift.FleetStatus
		instance lift.InstanceStatus
		want     lift.FleetStatus
		event    string
	}{
		"preparing": {lift.FleetBuilding, lift.InstancePending, lift.FleetError, string(lift.FleetStateError)},
		"at work":   {lift.FleetActive, lift.InstanceActive, lift.FleetActive, string(lift.InstanceReplaced)},
		"draining":  {lift.FleetActive, lift.InstanceTerminating, lift.FleetActive, "FLEET_STATE_ACTIVE"},
	} {
		w := newWorld(t)
		f, i := w.fleet(nil, 1)
		edit(w, store.Fleets, string(f), func(f *lift.Fleet) { f.Status = c.fleet })
		edit(w, store.Instances, string(i), func(i *lift.Instance) { i.Status, i.StopBy = c.instance, w.now.Add(time.Minute) })
		for range 2 {
			if err := w.InstanceLost(t.Context(), i, "its agent ended"); err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(time.Minute) // else an event that is told twice counts
		}
		if got := find(w, store.Fleets, string(f)).Status; got != c.want {
			t.Errorf("%s: the fleet is %s", name, got)
		}
		if got := find(w, store.Instances, string(i)); got.Status != lift.InstanceTerminated || !got.EndedAt.Equal(w.now.Add(-2*time.Minute)) {
			t.Errorf("%s: the instance is %s since %s", name, got.Status, got.EndedAt)
		}
		codes := w.codes(f)
		if n := len(codes); codes[n-1] != c.event || codes[n-2] == c.event {
			t.Errorf("%s: events %v", name, codes)
		}
	}
}

// One call looks at a few processes, however many are idle.
func TestACallLooksAtFewProcesses(t *testing.T) {
	w := newWorld(t)
	f, _ := w.fleet(nil, 3*firstPage)
	decide(w, store.Fleets, string(f), func(tx *Tx, f *lift.Fleet) error {
		ready, err := tx.candidates(f, nil)
		if err == nil && len(ready) != firstPage {
			t.Errorf("it looks at %d processes", len(ready))
		}
		return err
	})
}

// Processes are taken as their own instance allows it.
func TestProcessesOfTwoInstances(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	put(w, store.Instances, &lift.Instance{ID: i + "x", FleetID: f, Region: region, Status: lift.InstanceActive, CreatedAt: w.now})
	w.process(i+"x", "px")
	edit(w, store.Instances, string(i), func(i *lift.Instance) { i.Status, i.StopBy = lift.InstanceTerminating, w.now.Add(time.Minute) })
	if s := w.open(f, "one"); s == nil || s.ProcessID != "px" {
		t.Errorf("opened %+v", s)
	}
}

// The limit of activations holds within a turn, too.
func TestTwoPlacementsAtOnceUnderALimit(t *testing.T) {
	w := newWorld(t)
	f, _ := w.fleet(func(f *lift.Fleet) { f.Runtime.MaxActivations = 1 }, 2)
	w.queue(f)
	w.place("first")
	w.now = w.now.Add(time.Second)
	w.place("second")
	w.turn()
	if a, b := w.placement("first"), w.placement("second"); a.SessionID == "" || b.SessionID != "" {
		t.Errorf("the first got %q, the second %q", a.SessionID, b.SessionID)
	}
}
