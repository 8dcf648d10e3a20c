package engine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

// A process may live longer than its last game session is remembered, and see
// another one get the same id.
func TestAProcessOutlivesItsSession(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 2)
	s := w.open(f, "one")
	if s.ProcessID != "p0" {
		t.Fatalf("it is on %s", s.ProcessID)
	}
	end := func() {
		w.tell(i, lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: "p0"}})
		edit(w, store.Sessions, string(s.ID), func(s *lift.GameSession) {
			s.Status, s.EndedAt, s.KeepUntil = lift.SessionTerminated, w.now, w.now.Add(session.Retention)
		})
		w.tell(i, lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: "p0", Port: 7777}})
	}
	end()
	w.now = w.now.Add(session.Retention)
	w.heard[i] = w.now
	w.turn()
	// It is as good as any other.
	w.tell(i, lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: "p0"}})
	if !find(w, store.Processes, "p0").Unhealthy {
		t.Fatal("nothing that it says counts any more")
	}
	again := w.open(f, "one")
	if again == nil || again.ID != s.ID || again.ProcessID != "p1" {
		t.Fatalf("opened %+v", again)
	}
	// What becomes of it does not concern the game session of the other one.
	w.tell(i, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: "p0"}})
	if got := find(w, store.Sessions, string(s.ID)).Status; got != lift.SessionActivating {
		t.Errorf("the game session of another process is %s", got)
	}
}

// Who waits for a process is told of one that can take a game session now and
// could not before.
func TestWhatFreesAProcess(t *testing.T) {
	w := newWorld(t)
	_, i := w.fleet(nil, 0)
	ready := lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: "p0", Port: 7777}}
	health := func(is bool) lift.Event {
		return lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: "p0", Healthy: is}}
	}
	for n, step := range []struct {
		ev    lift.Event
		freed int
	}{
		{lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: "p0"}}, 0},
		{lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: "p0"}}, 0},
		{health(false), 0},
		{health(true), 0},
		{ready, 1},
		{ready, 0},
		{health(true), 0},
		{health(false), 0},
		{health(false), 0},
		{health(true), 1},
		{lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: "p0"}}, 0},
		{health(false), 0},
		{health(true), 0},
	} {
		w.tell(i, step.ev)
		if got := w.takeFreed()["fleet-1"]; got != step.freed {
			t.Errorf("step %d freed %d processes, want %d", n, got, step.freed)
		}
	}
}

// A process may report things while it starts the game session of a placement.
func TestAReportBeforeTheActivation(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(func(f *lift.Fleet) { f.Runtime.MaxActivations = 1 }, 1)
	w.queue(f)
	w.place("one", "alice")
	w.turn()
	before := w.placement("one")
	w.tell(i, lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: "p0"}})
	if d := cmp.Diff(before, w.placement("one")); d != "" {
		t.Error(d)
	}
	if n := find(w, store.Instances, string(i)).Activating; n != 1 {
		t.Errorf("the instance counts %d activations", n)
	}
}

// A placement that was withdrawn is not changed by the end of the game session
// that was being started for it.
func TestAWithdrawnPlacementStaysSo(t *testing.T) {
	w := newWorld(t)
	f, _ := w.fleet(nil, 1)
	w.queue(f)
	w.place("one", "alice")
	w.turn()
	s := w.placement("one").SessionID
	decide(w, store.Placements, store.InRegion(region, "one"), func(tx *Tx, p *lift.Placement) error {
		ended := *p
		ended.Status, ended.EndedAt, ended.KeepUntil = lift.PlacementCancelled, tx.Now, tx.Now.Add(time.Hour)
		return tx.EndPlacement(p, ended)
	})
	if p := w.placement("one"); p.Status != lift.PlacementCancelled || len(p.Avoid) > 0 || p.SessionID != "" {
		t.Errorf("the placement is %+v", p)
	}
	if got := find(w, store.Sessions, string(s)).Status; got != lift.SessionTerminated {
		t.Errorf("the game session is %s", got)
	}
}
