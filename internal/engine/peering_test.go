package engine

import (
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// A connection that nobody allows fails, and the fleet that was created with it,
// unless that is ready or going already (behaviour 2.3).
func TestAConnectionThatIsNotAllowed(t *testing.T) {
	for _, c := range []struct {
		fleet     lift.FleetStatus
		withFleet bool
		want      lift.FleetStatus
	}{
		{lift.FleetNew, true, lift.FleetError},
		{lift.FleetActivating, true, lift.FleetError},
		{lift.FleetNew, false, lift.FleetNew},
		{lift.FleetActive, true, lift.FleetActive},
		{lift.FleetDeleting, true, lift.FleetDeleting},
	} {
		w := newWorld(t)
		f, _ := w.fleet(nil, 0)
		edit(w, store.Fleets, string(f), func(f *lift.Fleet) { f.Status = c.fleet })
		put(w, store.Peerings, &lift.Peering{ID: "pcx-1", FleetID: f, Region: region, Status: lift.PeeringInitiating, WithFleet: c.withFleet})
		decide(w, store.Peerings, "pcx-1", (*Tx).peeringDue)
		if got := find(w, store.Peerings, "pcx-1").Status; got != lift.PeeringFailed {
			t.Errorf("%+v: the connection is %s", c, got)
		}
		if got := find(w, store.Fleets, string(f)).Status; got != c.want {
			t.Errorf("%+v: the fleet is %s", c, got)
		}
	}
}

// With a fleet that fails goes the connection that it was created with, and
// no other; one that failed before keeps its reason.
func TestAFleetThatFailsIsDisconnected(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 0)
	for id, p := range map[lift.PeeringID]lift.Peering{
		"pcx-own":    {Status: lift.PeeringActive, WithFleet: true},
		"pcx-failed": {Status: lift.PeeringFailed, WithFleet: true, Message: "nobody allowed it"},
		"pcx-later":  {Status: lift.PeeringActive, Message: "it works"},
	} {
		p.ID, p.FleetID, p.Region = id, f, region
		put(w, store.Peerings, &p)
	}
	w.tell(i, lift.Event{Failed: &lift.InstanceFailed{Code: lift.FleetFailedInstaller, Message: "exit code 1"}})
	for id, want := range map[string]lift.Peering{
		"pcx-own":    {Status: lift.PeeringFailed, Message: "the fleet that was created with it failed: exit code 1"},
		"pcx-failed": {Status: lift.PeeringFailed, Message: "nobody allowed it"},
		"pcx-later":  {Status: lift.PeeringActive, Message: "it works"},
	} {
		if p := find(w, store.Peerings, id); p.Status != want.Status || p.Message != want.Message {
			t.Errorf("%s is %s: %s", id, p.Status, p.Message)
		}
	}
}

// An authorization holds until its day is over (behaviour 2.19).
func TestAuthorized(t *testing.T) {
	w := newWorld(t)
	p := &lift.Peering{Region: region, Account: "1", PeerAccount: "2", PeerNetwork: "vpc-1"}
	put(w, store.PeeringAuthorizations, &lift.PeeringAuthorization{Region: region, FleetOwner: "1", PeerAccount: "2", PeerNetwork: "vpc-1", ExpiresAt: w.now.Add(time.Second)})
	for _, c := range []struct {
		after time.Duration
		of    string
		want  bool
	}{{0, "vpc-1", true}, {0, "vpc-2", false}, {time.Second, "vpc-1", false}} {
		w.now = w.now.Add(c.after)
		p.PeerNetwork = c.of
		w.update(func(tx *Tx) error {
			got, err := Authorized(tx, p)
			if err == nil && got != c.want {
				t.Errorf("after %s with %s: %t", c.after, c.of, got)
			}
			return err
		})
	}
}
