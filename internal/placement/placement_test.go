package placement

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chairlift-games/chairlift/internal/lift"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func slot(id string, status lift.InstanceStatus, activating, limit int) Slot {
	return Slot{Process: lift.Process{ID: lift.ProcessID(id), InstanceID: "i-" + lift.InstanceID(id)}, Status: status, Activating: activating, Cap: limit}
}

func TestChoose(t *testing.T) {
	active := &lift.Fleet{ID: "fleet-a", Status: lift.FleetActive}
	other := &lift.Fleet{ID: "fleet-b", Status: lift.FleetActive}
	broken := &lift.Fleet{ID: "fleet-c", Status: lift.FleetError}
	free := slot("free", lift.InstanceActive, 0, 0)
	cases := []struct {
		name  string
		avoid []lift.ProcessID
		order []lift.PriorityKey
		cs    []Candidate
		want  string // the process
		skips []lift.Skip
	}{
		{name: "no destinations"},
		{name: "the first destination with a process wins", cs: []Candidate{{Destination: "a", Fleet: active, Slots: []Slot{free}}, {Destination: "b", Fleet: other, Slots: []Slot{slot("late", lift.InstanceActive, 0, 0)}}}, want: "free"},
		{name: "places that cannot are passed over with the reason", cs: []Candidate{
			{Destination: "gone", Problem: "the fleet does not exist"},
			{Destination: "broken", Fleet: broken},
			{Destination: "busy", Fleet: active},
			{Destination: "b", Fleet: other, Slots: []Slot{slot("leaving", lift.InstanceTerminating, 0, 0), slot("full", lift.InstanceActive, 2, 2), slot("bad", lift.InstanceActive, 0, 0), free}},
		}, avoid: []lift.ProcessID{"bad"}, want: "free", skips: []lift.Skip{
			{Place: "gone", Reason: NoFleet}, {Place: "broken", Reason: FleetNotActive}, {Place: "busy", Reason: NoIdleProcess},
			{Place: "leaving", Reason: InstanceDrains}, {Place: "full", Reason: ActivationLimit}, {Place: "bad", Reason: FailedBefore},
		}},
		{name: "what cannot take anybody is told first", cs: []Candidate{{Destination: "a", Fleet: active, Slots: []Slot{free}}, {Destination: "broken", Fleet: broken}},
			want: "free", skips: []lift.Skip{{Place: "broken", Reason: FleetNotActive}}},
		{name: "also where it is the last in order", order: []lift.PriorityKey{lift.ByLocation}, cs: []Candidate{
			{Destination: "broken", Fleet: &lift.Fleet{Region: "z"}}, {Destination: "a", Fleet: &lift.Fleet{Region: "y", Status: lift.FleetActive}, Slots: []Slot{free}}},
			want: "free", skips: []lift.Skip{{Place: "broken", Reason: FleetNotActive}}},
		{name: "nothing fits", cs: []Candidate{{Destination: "a", Fleet: active, Slots: []Slot{slot("full", lift.InstanceActive, 1, 1)}}},
			skips: []lift.Skip{{Place: "full", Reason: ActivationLimit}}},
		{name: "one activation below the cap", cs: []Candidate{{Destination: "a", Fleet: active, Slots: []Slot{slot("room", lift.InstanceActive, 1, 2)}}}, want: "room"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, skips := Choose(t0, lift.Queue{PriorityOrder: c.order}, lift.Placement{Avoid: c.avoid}, c.cs)
			id := ""
			if got != nil {
				id = string(got.Process.ID)
			}
			if id != c.want {
				t.Errorf("got process %q, want %q", id, c.want)
			}
			if diff := cmp.Diff(c.skips, skips, cmpopts.IgnoreFields(lift.Skip{}, "Detail")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCensus(t *testing.T) {
	ps := []*lift.Process{
		{State: lift.ProcessHosting}, {State: lift.ProcessHosting}, {State: lift.ProcessInitializing}, {State: lift.ProcessIdle, Unhealthy: true},
		{State: lift.ProcessActivating}, {State: lift.ProcessUsed, Unhealthy: true}, {State: lift.ProcessTerminating, Unhealthy: true},
	}
	if got, want := Census(ps), "1 done with a game session and not ready again, 1 ending, 1 unhealthy, 2 hosting a game session, 2 starting"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Census(nil); got != "no server process is running" {
		t.Errorf("got %q", got)
	}
}

func TestSettle(t *testing.T) {
	p := lift.Placement{ID: "p", Status: lift.PlacementPending, Deadline: t0.Add(time.Minute), TryAt: t0}
	s := lift.GameSession{ID: "s", Address: "10.0.0.1", Port: 7777}
	p = Waiting(t0, lift.Queue{}, p, make([]lift.Skip, 100))
	if len(p.Skips) != maxSkips || !p.TryAt.Equal(t0.Add(Retry)) || p.Attempts != 1 {
		t.Errorf("waiting: %+v", p)
	}
	p = Opened(p, s)
	if p.SessionID != "s" || !p.TryAt.IsZero() || p.Attempts != 2 || p.Skips != nil {
		t.Errorf("opened: %+v", p)
	}
	lost := Lost(t0, p, "bad")
	if lost.SessionID != "" || !lost.TryAt.Equal(t0) || len(lost.Avoid) != 1 || len(p.Avoid) != 0 {
		t.Errorf("lost: %+v", lost)
	}
	done := Fulfilled(t0, p, s, []lift.PlayerSession{{ID: "ps", PlayerID: "alice"}})
	if done.Status != lift.PlacementFulfilled || done.Port != 7777 || done.Placed[0].PlayerID != "alice" || !done.EndedAt.Equal(t0) || !done.KeepUntil.Equal(t0.Add(Retention)) {
		t.Errorf("fulfilled: %+v", done)
	}
}
