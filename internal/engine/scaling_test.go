package engine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// put saves rows that are new.
func put[T any](w *world, t *store.Table[T], rows ...*T) {
	w.t.Helper()
	w.update(func(tx *Tx) error {
		for _, r := range rows {
			if err := t.Put(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// edit changes a row.
func edit[T any](w *world, t *store.Table[T], id string, change func(*T)) {
	w.t.Helper()
	w.update(func(tx *Tx) error {
		r, err := t.Find(tx, id)
		if err != nil {
			return err
		}
		change(r)
		return t.Put(tx, r)
	})
}

// decide does with a row what is done when its time has come.
func decide[T any](w *world, t *store.Table[T], id string, due func(*Tx, *T) error) {
	w.t.Helper()
	w.update(func(tx *Tx) error {
		r, err := t.Find(tx, id)
		if err != nil {
			return err
		}
		return due(tx, r)
	})
}

// Policies are weighed every minute while their fleet is ACTIVE and nobody
// stopped them, wait for a fleet that will be, and rest otherwise.
func TestWhenPoliciesAreWeighed(t *testing.T) {
	policy := []lift.ScalingPolicy{{Name: "grow", Metric: lift.ActiveInstances, Comparison: lift.AtLeast, Threshold: 1, Periods: 1, Adjustment: lift.ChangeInNumber, Amount: 1}}
	for _, c := range []struct {
		status   lift.FleetStatus
		stopped  bool
		policies []lift.ScalingPolicy
		weighed  bool
		again    bool
	}{
		{status: lift.FleetActive, policies: policy, weighed: true, again: true},
		{status: lift.FleetActive, policies: policy, stopped: true},
		{status: lift.FleetActive},
		{status: lift.FleetBuilding, policies: policy, again: true},
		{status: lift.FleetBuilding, policies: policy, stopped: true},
		{status: lift.FleetError, policies: policy},
		{status: lift.FleetDeleting, policies: policy},
		{status: lift.FleetTerminated, policies: policy},
	} {
		w := newWorld(t)
		f, _ := w.fleet(func(f *lift.Fleet) { f.Capacity.Max = 5 }, 1)
		edit(w, store.Fleets, string(f), func(f *lift.Fleet) { f.Status, f.ScalingStopped = c.status, c.stopped })
		put(w, store.Scalings, &lift.Scaling{FleetID: f, Region: region, Policies: c.policies, SampleAt: w.now})
		decide(w, store.Scalings, string(f), (*Tx).scalingDue)
		if got := find(w, store.Fleets, string(f)).Capacity.Desired == 2; got != c.weighed {
			t.Errorf("%+v: weighed: %t", c, got)
		}
		at := find(w, store.Scalings, string(f)).SampleAt
		if c.again && !at.Equal(w.now.Add(time.Minute)) || !c.again && !at.IsZero() {
			t.Errorf("%+v: weighed again at %v", c, at)
		}
	}
}

// A fleet is looked at when a policy changed its capacity, and only then.
func TestPoliciesThatWantNothing(t *testing.T) {
	for threshold, want := range map[float64]bool{1: true, 2: false} {
		w := newWorld(t)
		f, _ := w.fleet(func(f *lift.Fleet) { f.Capacity.Max = 5 }, 1)
		put(w, store.Scalings, &lift.Scaling{FleetID: f, Region: region, SampleAt: w.now, Policies: []lift.ScalingPolicy{
			{Name: "grow", Metric: lift.ActiveInstances, Comparison: lift.AtLeast, Threshold: threshold, Periods: 1, Adjustment: lift.ChangeInNumber, Amount: 1},
		}})
		decide(w, store.Scalings, string(f), (*Tx).scalingDue)
		if got := find(w, store.Fleets, string(f)).LookAt; got.Equal(w.now) != want {
			t.Errorf("above %v instances: the fleet is looked at at %s", threshold, got)
		}
	}
}

// What policies weigh is counted from what there is (behaviour 2.17).
func TestUsage(t *testing.T) {
	w := newWorld(t)
	f := &lift.Fleet{ID: "fleet-1", Region: region, Status: lift.FleetActive, Runtime: lift.RuntimeConfiguration{
		MaxActivations: 1, ServerProcesses: []lift.ServerProcess{{LaunchPath: "a", Count: 3}, {LaunchPath: "b", Count: 2}},
	}}
	put(w, store.Fleets, f, &lift.Fleet{ID: "fleet-2", Region: region, Status: lift.FleetActive})
	for id, i := range map[lift.InstanceID]lift.Instance{
		"i-full": {Status: lift.InstanceActive, Activating: 1}, "i-busy": {Status: lift.InstanceActive}, "i-idle": {Status: lift.InstanceActive},
		"i-pending": {Status: lift.InstancePending}, "i-ending": {Status: lift.InstanceTerminating},
	} {
		i.ID, i.FleetID = id, f.ID
		put(w, store.Instances, &i)
	}
	for id, p := range map[lift.ProcessID]lift.Process{
		"1": {InstanceID: "i-full", State: lift.ProcessIdle},                        // available, not activatable
		"2": {InstanceID: "i-idle", State: lift.ProcessIdle},                        // both
		"3": {InstanceID: "i-busy", State: lift.ProcessIdle},                        // both
		"4": {InstanceID: "i-busy", State: lift.ProcessIdle, Unhealthy: true},       // unhealthy
		"5": {InstanceID: "i-busy", State: lift.ProcessHosting, Unhealthy: true},    // unhealthy
		"6": {InstanceID: "i-busy", State: lift.ProcessActivating, Unhealthy: true}, // none of these
		"7": {InstanceID: "i-busy", State: lift.ProcessHosting},
		"8": {InstanceID: "i-ending", State: lift.ProcessIdle},
	} {
		p.ID, p.FleetID = id, f.ID
		put(w, store.Processes, &p)
	}
	for id, s := range map[lift.GameSessionID]lift.GameSession{
		"a": {InstanceID: "i-full", Status: lift.SessionActivating, MaxPlayers: 9},
		"b": {InstanceID: "i-busy", Status: lift.SessionActive, MaxPlayers: 4, PlayerCount: 1},
		"c": {InstanceID: "i-busy", Status: lift.SessionActive, MaxPlayers: 2, PlayerCount: 3}, // shrunk meanwhile
		"d": {InstanceID: "i-busy", Status: lift.SessionTerminating, MaxPlayers: 2, PlayerCount: 2},
		"e": {InstanceID: "i-idle", Status: lift.SessionTerminated, MaxPlayers: 2, PlayerCount: 2},
	} {
		s.ID, s.FleetID = id, f.ID
		put(w, store.Sessions, &s)
	}
	put(w, store.Queues,
		&lift.Queue{Name: "here", Region: region, Destinations: []string{lift.FleetARN(region, f.ID), lift.FleetARN(region, "fleet-2")}},
		&lift.Queue{Name: "there", Region: region, Destinations: []string{lift.FleetARN(region, "fleet-2"), lift.FleetARN(region, f.ID)}},
		&lift.Queue{Name: "elsewhere", Region: region, Destinations: []string{lift.FleetARN(region, "fleet-2")}},
		&lift.Queue{Name: "nowhere", Region: region, Destinations: []string{lift.FleetARN(region, f.ID)}})
	for id, p := range map[lift.PlacementID]lift.Placement{
		"p1": {Queue: "here", StartedAt: w.now.Add(-time.Minute)},
		"p2": {Queue: "here", StartedAt: w.now.Add(-time.Hour)},
		"p3": {Queue: "here", StartedAt: w.now.Add(-time.Second)},
		"p4": {Queue: "there", StartedAt: w.now.Add(-9 * time.Hour)},
		"p5": {Queue: "elsewhere", StartedAt: w.now.Add(-9 * time.Hour)},
		"p6": {Queue: "nowhere", StartedAt: w.now.Add(-9 * time.Hour), OnlyThose: true}, // lists no place
	} {
		p.ID, p.Region, p.Status, p.Attempts, p.Deadline, p.TryAt = id, region, lift.PlacementPending, 1, w.now.Add(time.Hour), w.now.Add(time.Hour)
		put(w, store.Placements, &p)
	}
	usage := func(policies ...lift.ScalingPolicy) (u fleet.Usage) {
		w.update(func(tx *Tx) (err error) {
			u, err = tx.usage(f, &lift.Scaling{Policies: policies})
			return err
		})
		return u
	}
	want := fleet.Usage{
		Instances: 3, Idle: 1, Activating: 1, Active: 2, Available: 3, Activatable: 2, Unhealthy: 2, Players: 6, FreeSeats: 3, ProcessesPerInstance: 5,
	}
	if d := cmp.Diff(want, usage(lift.ScalingPolicy{Metric: lift.IdleInstances})); d != "" {
		t.Error(d)
	}
	want.QueueDepth, want.LongestWait = 3, time.Hour
	for _, m := range []lift.Metric{lift.QueueDepth, lift.WaitTime} {
		if d := cmp.Diff(want, usage(lift.ScalingPolicy{Metric: lift.IdleInstances}, lift.ScalingPolicy{Metric: m})); d != "" {
			t.Error(d)
		}
	}
	f.Runtime.MaxActivations = 0
	if n := usage().Activatable; n != 3 {
		t.Errorf("%d can be activated without a limit", n)
	}
}
