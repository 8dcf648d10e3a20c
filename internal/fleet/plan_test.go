package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chairlift-games/chairlift/internal/lift"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func load(id string, age time.Duration, sessions, protected int) Load {
	return Load{
		Instance: lift.Instance{ID: lift.InstanceID(id), Status: lift.InstanceActive, CreatedAt: t0.Add(-age)},
		Sessions: sessions, Protected: protected,
	}
}

func ending(l Load) Load { l.Instance.Status = lift.InstanceTerminating; return l }

func TestPlan(t *testing.T) {
	active := lift.Fleet{ID: "fleet-1", Status: lift.FleetActive, CreatedAt: t0, ActivateBy: t0.Add(ActivationLimit)}
	fleet := func(change func(*lift.Fleet)) lift.Fleet { f := active; change(&f); return f }
	desired := func(n int) lift.Fleet { return fleet(func(f *lift.Fleet) { f.Capacity.Desired = n }) }
	status := func(s lift.FleetStatus) lift.Fleet {
		return fleet(func(f *lift.Fleet) { f.Status, f.Capacity.Desired = s, 1 })
	}
	cases := []struct {
		name  string
		fleet lift.Fleet
		loads []Load
		after time.Duration
		want  Decision
	}{
		{name: "a new fleet asks for its first instance", fleet: status(lift.FleetNew),
			want: Decision{Status: lift.FleetNew, Start: 1, LookAt: t0.Add(ActivationLimit)}},
		{name: "and waits for it", fleet: status(lift.FleetNew), loads: []Load{load("a", 0, 0, 0)},
			want: Decision{Status: lift.FleetNew, LookAt: t0.Add(ActivationLimit)}},
		{name: "but not for ever", fleet: status(lift.FleetActivating), loads: []Load{load("a", 0, 0, 0)}, after: ActivationLimit,
			want: Decision{Status: lift.FleetError, Stop: []lift.InstanceID{"a"}, Fail: &Failure{Code: lift.FleetActivationFailed}}},
		{name: "enough is enough", fleet: desired(1), loads: []Load{load("a", 0, 3, 0)},
			want: Decision{Status: lift.FleetActive}},
		{name: "the limit for its activation is none for a fleet that is ACTIVE", fleet: desired(1), loads: []Load{load("a", 0, 3, 0)}, after: ActivationLimit,
			want: Decision{Status: lift.FleetActive}},
		{name: "more are wanted", fleet: desired(3), loads: []Load{load("a", 0, 0, 0), ending(load("b", 0, 0, 0))},
			want: Decision{Status: lift.FleetActive, Start: 2}},
		{name: "after a failure it waits", fleet: fleet(func(f *lift.Fleet) { f.Capacity.Desired, f.RetryAt = 1, t0.Add(time.Second) }),
			want: Decision{Status: lift.FleetActive, LookAt: t0.Add(time.Second)}},
		{name: "which keeps none that is not wanted", fleet: fleet(func(f *lift.Fleet) { f.RetryAt = t0.Add(time.Second) }), loads: []Load{load("a", 0, 0, 0)},
			want: Decision{Status: lift.FleetActive, Stop: []lift.InstanceID{"a"}}},
		{name: "idle ones stop first, then those with fewest sessions, then the newest", fleet: desired(2),
			loads: []Load{load("busy", 9, 5, 0), load("old", 9, 1, 0), load("new", 1, 1, 0), load("idle", 20, 0, 0)},
			want:  Decision{Status: lift.FleetActive, Stop: []lift.InstanceID{"idle", "new"}}},
		{name: "protected sessions keep their instance", fleet: desired(0),
			loads: []Load{load("safe", 1, 1, 1), load("idle", 1, 0, 0)},
			want:  Decision{Status: lift.FleetActive, Stop: []lift.InstanceID{"idle"}, LookAt: t0.Add(time.Minute)}},
		{name: "a failed fleet stops its instances", fleet: status(lift.FleetError), loads: []Load{load("a", 1, 1, 1), ending(load("b", 1, 0, 0))},
			want: Decision{Status: lift.FleetError, Stop: []lift.InstanceID{"a"}}},
		{name: "so does a deleted one, protection or not", fleet: status(lift.FleetDeleting), loads: []Load{load("a", 1, 1, 1)},
			want: Decision{Status: lift.FleetDeleting, Stop: []lift.InstanceID{"a"}}},
		{name: "which is gone with its last instance", fleet: status(lift.FleetDeleting),
			want: Decision{Status: lift.FleetTerminated}},
		{name: "and stays gone", fleet: status(lift.FleetTerminated), want: Decision{Status: lift.FleetTerminated}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Plan(t0.Add(c.after), c.fleet, c.loads)
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Decision{}, "Why"), cmpopts.IgnoreFields(Failure{}, "Message")); diff != "" {
				t.Error(diff)
			}
			if acts := got.Start > 0 || len(got.Stop) > 0; acts && len(got.Why) == 0 {
				t.Error("it acts and does not say why")
			}
		})
	}
}

// TestTheFirstInstance follows a fleet from NEW to ACTIVE by what its first
// instance reports (behaviour 2.3).
func TestTheFirstInstance(t *testing.T) {
	f := lift.Fleet{ID: "fleet-1", Status: lift.FleetNew, CreatedAt: t0, Capacity: lift.Capacity{Desired: 1}}
	i := lift.Instance{ID: "i-1", Status: lift.InstancePending}
	var got []string
	take := func(p Progress) {
		f, i = p.Fleet, p.Instance
		for _, e := range p.Events {
			got = append(got, string(f.Status)+" "+string(e.Code))
		}
	}
	for _, s := range []lift.Stage{
		lift.StageDownloading, lift.StageExtracting, lift.StageInstalling, lift.StageInstalled, lift.StageValidating,
		lift.StageValidatingPaths, lift.StageBuilding, lift.StageActivating,
	} {
		take(Reached(f, i, lift.StageReached{Stage: s}))
	}
	take(Reached(f, i, lift.StageReached{Stage: lift.StageActivating, Address: "10.0.0.1"}))
	take(Reached(f, i, lift.StageReached{Stage: "DANCING"})) // of an agent that knows more
	if i.Address != "10.0.0.1" || i.Stage != "DANCING" {
		t.Errorf("got %+v", i)
	}
	take(Ready(t0.Add(time.Second), f, i))
	want := strings.Split(strings.TrimSpace(`
DOWNLOADING FLEET_STATE_DOWNLOADING
DOWNLOADING FLEET_CREATION_EXTRACTING_BUILD
DOWNLOADING FLEET_CREATION_RUNNING_INSTALLER
DOWNLOADING FLEET_CREATION_COMPLETED_INSTALLER
VALIDATING FLEET_STATE_VALIDATING
VALIDATING FLEET_CREATION_VALIDATING_RUNTIME_CONFIG
BUILDING FLEET_STATE_BUILDING
ACTIVATING FLEET_STATE_ACTIVATING
ACTIVE FLEET_STATE_ACTIVE`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if i.Status != lift.InstanceActive || !f.LookAt.IsZero() {
		t.Errorf("got instance %+v, fleet %+v", i, f)
	}
	// A second instance goes the same way in silence.
	got = nil
	take(Reached(f, lift.Instance{ID: "i-2", Status: lift.InstancePending}, lift.StageReached{Stage: lift.StageDownloading}))
	take(Ready(t0, f, i))
	if got != nil || f.Status != lift.FleetActive {
		t.Errorf("a later instance told %v", got)
	}
}

func TestEarlyExitsFailTheFleet(t *testing.T) {
	f := lift.Fleet{Status: lift.FleetActivating}
	for n := 1; n <= EarlyExits; n++ {
		p := Exited(t0, f, lift.Instance{}, lift.ProcessExited{Message: "exit code 3"})
		f = p.Fleet
		if failed := f.Status == lift.FleetError; failed != (n == EarlyExits) {
			t.Fatalf("after %d exits the fleet is %s", n, f.Status)
		}
	}
	if !strings.Contains(f.Reason, "exit code 3") || !f.LookAt.Equal(t0) {
		t.Errorf("got %+v", f)
	}
	if p := Exited(t0, lift.Fleet{Status: lift.FleetActive, EarlyExits: EarlyExits - 1}, lift.Instance{}, lift.ProcessExited{}); p.Fleet.Status != lift.FleetActive || p.Events != nil {
		t.Errorf("an exit fails a fleet that is ACTIVE: %+v", p)
	}
}

func TestAnInstanceThatFailsFirstFailsTheFleet(t *testing.T) {
	p := Failed(t0, lift.Fleet{Status: lift.FleetBuilding}, lift.Instance{ID: "i-1"}, lift.InstanceFailed{Code: lift.FleetFailedInstaller, Message: "exit code 1", Log: "l"})
	want := []lift.Notice{{Code: lift.FleetFailedInstaller, Message: "exit code 1", Log: "l"}, {Code: lift.StateEvent(lift.FleetError), Message: "exit code 1"}}
	if diff := cmp.Diff(want, p.Events); diff != "" || p.Fleet.Status != lift.FleetError || p.Fleet.Reason != "exit code 1" || !p.Fleet.LookAt.Equal(t0) {
		t.Errorf("got %+v\n%s", p.Fleet, diff)
	}
}

func TestAnInstanceIsStoppedOnce(t *testing.T) {
	i, effect := Stop(t0, lift.Instance{ID: "i-1", Status: lift.InstanceActive}, "enough")
	if i.Status != lift.InstanceTerminating || i.Reason != "enough" || !i.StopBy.Equal(t0.Add(DrainTime)) || len(effect) != 1 || effect[0].Drain.By.After(i.StopBy) {
		t.Fatalf("got %+v, %+v", i, effect)
	}
	gone := lift.Instance{ID: "i-2", Status: lift.InstanceTerminated, Reason: "power"}
	for _, i := range []lift.Instance{i, gone} {
		if again, effect := Stop(t0.Add(time.Hour), i, "enough, I say"); effect != nil || again.Status != i.Status || !again.StopBy.Equal(i.StopBy) || again.Reason != i.Reason {
			t.Errorf("stopped while it is %s: %+v, %+v", i.Status, again, effect)
		}
	}
}

func TestAnInstanceThatFailsLaterIsReplacedAfterAPause(t *testing.T) {
	f := lift.Fleet{Status: lift.FleetActive, Capacity: lift.Capacity{Desired: 1}}
	var pauses []time.Duration
	for range 7 {
		p := Failed(t0, f, lift.Instance{ID: "i-1", Status: lift.InstancePending}, lift.InstanceFailed{Code: lift.FleetFailedInstaller, Message: "exit code 1"})
		f = p.Fleet
		pauses = append(pauses, f.RetryAt.Sub(t0))
		if f.Status != lift.FleetActive || p.Instance.Status != lift.InstanceTerminating || len(p.Effects) != 1 || p.Effects[0].Drain == nil {
			t.Fatalf("got %+v", p)
		}
	}
	want := []time.Duration{3 * time.Second, 6 * time.Second, 12 * time.Second, 24 * time.Second, 48 * time.Second, time.Minute, time.Minute}
	if diff := cmp.Diff(want, pauses); diff != "" {
		t.Error(diff)
	}
	if f := Ready(t0, f, lift.Instance{Status: lift.InstancePending}).Fleet; f.Retries != 0 || !f.RetryAt.IsZero() {
		t.Errorf("a ready instance does not reset the pause: %+v", f)
	}
}
