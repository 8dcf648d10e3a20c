package engine

import (
	"slices"
	"testing"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// An activation is refused when the players of its placement no longer fit.
// The count that guards the cap on activations must stay what it was.
func TestARefusedActivationChangesNothing(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(func(f *lift.Fleet) { f.Runtime.MaxActivations = 1 }, 1)
	w.queue(f)
	w.place("full", "alice")
	w.turn()
	id := w.placement("full").SessionID
	w.update(func(tx *Tx) error {
		s, err := store.Sessions.Find(tx, string(id))
		if err != nil {
			return err
		}
		s.MaxPlayers = 0
		return store.Sessions.Put(tx, s)
	})
	if r := w.tell(i, lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: "p0", SessionID: id}}); r.Status != 409 {
		t.Errorf("activate: %+v", r)
	}
	if n := find(w, store.Instances, string(i)).Activating; n != 1 {
		t.Errorf("the instance counts %d activating game sessions, want 1", n)
	}
	if s := find(w, store.Sessions, string(id)); s.Status != lift.SessionActivating {
		t.Errorf("the game session is %s", s.Status)
	}
}

// What is on its way to the agent of a lost instance goes nowhere, and least
// of all what the loss itself decided.
func TestNothingIsSentToALostInstance(t *testing.T) {
	w := newWorld(t)
	_, i := w.fleet(nil, 1)
	w.take()
	start := lift.Effect{ID: "e", StartInstance: &lift.StartInstance{InstanceID: i}}
	if err := w.HostRefused(t.Context(), start, "no room"); err != nil {
		t.Fatal(err)
	}
	for _, eff := range w.take() {
		if eff.To == lift.ToAgent(i) {
			t.Errorf("sent: %+v", eff)
		}
	}
}

// Codes renames event codes on their way into the log.
func TestEventCodesOfAnEra(t *testing.T) {
	w := newWorld(t)
	w.opts.Codes = map[lift.EventCode]lift.EventCode{lift.FleetFailedInstaller: lift.FleetInitializationFailed}
	f := &lift.Fleet{ID: "fleet-1"}
	w.update(func(tx *Tx) error {
		return tx.Log(f, lift.Notice{Code: lift.FleetFailedInstaller}, lift.Notice{Code: lift.FleetCreated})
	})
	var codes []lift.EventCode
	if err := w.View(t.Context(), func(tx store.Tx) error {
		evs, err := store.Events.All(tx, "fleet", "fleet-1/")
		codes = nil
		for _, e := range evs {
			codes = append(codes, e.Code)
		}
		return err
	}); err != nil || !slices.Equal(codes, []lift.EventCode{lift.FleetInitializationFailed, lift.FleetCreated}) {
		t.Errorf("%v, %v", codes, err)
	}
}
