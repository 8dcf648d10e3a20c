package placement

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// at is a candidate in a region with one free process, named like the region.
func at(region string) Candidate {
	return Candidate{
		Destination: region, Fleet: &lift.Fleet{ID: lift.FleetID("fleet-" + region), Region: region, Status: lift.FleetActive},
		Slots: []Slot{slot(region, lift.InstanceActive, 0, 0)},
	}
}

func ms(player, region string, ms float64) lift.PlayerLatency {
	return lift.PlayerLatency{PlayerID: player, Region: region, MS: ms}
}

// The places are tried one after the other: each choice is taken away for the
// next, so want lists the whole order.
func TestOrder(t *testing.T) {
	far := []lift.PlayerLatency{ms("ann", "a", 80), ms("ann", "b", 20), ms("ann", "c", 50)}
	two := append([]lift.PlayerLatency{ms("bob", "a", 10), ms("bob", "b", 110), ms("bob", "c", 50)}, far...) // means 45, 65, 50
	caps := []lift.LatencyPolicy{{MaxMS: 30, DurationSeconds: 10}, {MaxMS: 60, DurationSeconds: 10}}
	for _, c := range []struct {
		name  string
		after time.Duration
		q     lift.Queue
		p     lift.Placement
		want  []string
		skips []lift.Skip // when nothing is left
	}{
		{name: "as the queue lists them", want: []string{"c", "a", "b"}},
		{name: "by latency", p: lift.Placement{Latencies: far}, want: []string{"b", "c", "a"}},
		{name: "by the mean of all players", p: lift.Placement{Latencies: two}, want: []string{"a", "c", "b"}},
		{name: "the last value of a player counts", p: lift.Placement{Latencies: append(far[:3:3], ms("ann", "b", 200))}, want: []string{"c", "a", "b"}},
		{name: "a place nobody measured comes last", p: lift.Placement{Latencies: []lift.PlayerLatency{ms("ann", "b", 300)}}, want: []string{"b", "c", "a"}},
		{name: "a player who measured some counts there", p: lift.Placement{Latencies: append(far[:3:3], ms("bob", "c", 1))}, want: []string{"b", "c", "a"}},
		{name: "equal latency: as the queue lists them", p: lift.Placement{Latencies: []lift.PlayerLatency{ms("ann", "a", 5), ms("ann", "b", 5), ms("ann", "c", 5)}}, want: []string{"c", "a", "b"}},

		{name: "allowed locations", q: lift.Queue{AllowedLocations: []string{"a", "b"}}, want: []string{"a", "b"},
			skips: []lift.Skip{{Place: "c", Reason: NotAllowed}}},
		{name: "by name of the location", q: lift.Queue{PriorityOrder: []lift.PriorityKey{lift.ByLocation}}, want: []string{"a", "b", "c"}},
		{name: "by a list of locations", q: lift.Queue{PriorityOrder: []lift.PriorityKey{lift.ByLocation}, LocationOrder: []string{"b"}}, want: []string{"b", "a", "c"}},
		{name: "destination before latency", q: lift.Queue{PriorityOrder: []lift.PriorityKey{lift.ByDestination}}, p: lift.Placement{Latencies: far}, want: []string{"c", "a", "b"}},
		{name: "cost tells nothing apart", q: lift.Queue{PriorityOrder: []lift.PriorityKey{lift.ByCost}}, p: lift.Placement{Latencies: far}, want: []string{"b", "c", "a"}},
		{name: "latency without latencies", q: lift.Queue{PriorityOrder: []lift.PriorityKey{lift.ByLatency}}, want: []string{"c", "a", "b"}},

		{name: "the first cap", q: lift.Queue{LatencyPolicies: caps}, p: lift.Placement{Latencies: far}, want: []string{"b"},
			skips: []lift.Skip{{Place: "c", Reason: TooFar}, {Place: "a", Reason: TooFar}}},
		{name: "the second cap", after: 10 * time.Second, q: lift.Queue{LatencyPolicies: caps}, p: lift.Placement{Latencies: far}, want: []string{"b", "c"},
			skips: []lift.Skip{{Place: "a", Reason: TooFar}}},
		{name: "after the last cap", after: 20 * time.Second, q: lift.Queue{LatencyPolicies: caps}, p: lift.Placement{Latencies: far}, want: []string{"b", "c", "a"}},
		{name: "a cap until the end", after: time.Hour, q: lift.Queue{LatencyPolicies: []lift.LatencyPolicy{{MaxMS: 50}}}, p: lift.Placement{Latencies: far}, want: []string{"b", "c"},
			skips: []lift.Skip{{Place: "a", Reason: TooFar}}},
		{name: "under a cap everybody must have measured", q: lift.Queue{LatencyPolicies: []lift.LatencyPolicy{{MaxMS: 500}}},
			p: lift.Placement{Latencies: append(far[:3:3], ms("bob", "c", 1))}, want: []string{"c"},
			skips: []lift.Skip{{Place: "a", Reason: TooFar}, {Place: "b", Reason: TooFar}}},
		{name: "a cap without latencies", q: lift.Queue{LatencyPolicies: caps}, want: []string{"c", "a", "b"}},

		{name: "own order, then the queue's", p: lift.Placement{Locations: []string{"b"}}, want: []string{"b", "c", "a"}},
		{name: "own order only", p: lift.Placement{Locations: []string{"b", "a"}, OnlyThose: true}, want: []string{"b", "a"},
			skips: []lift.Skip{{Place: "c", Reason: NotListed}}},
		{name: "own order only, whatever pass it is", p: lift.Placement{Locations: []string{"b"}, OnlyThose: true, Attempts: 1}, want: []string{"b"},
			skips: []lift.Skip{{Place: "c", Reason: NotListed}, {Place: "a", Reason: NotListed}}},
		{name: "own order after the first pass", p: lift.Placement{Locations: []string{"b"}, Attempts: 1}, want: []string{"c", "a", "b"}},
		{name: "own order does not widen the filter", q: lift.Queue{AllowedLocations: []string{"a"}}, p: lift.Placement{Locations: []string{"b", "a"}, OnlyThose: true}, want: []string{"a"},
			skips: []lift.Skip{{Place: "b", Reason: NotAllowed}, {Place: "c", Reason: NotAllowed}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.p.StartedAt = t0
			left := []Candidate{at("c"), at("a"), at("b")}
			var got []string
			for {
				choice, skips := Choose(t0.Add(c.after), c.q, c.p, left)
				if choice == nil {
					reasons := skips[:0]
					for _, s := range skips {
						if s.Reason != NoIdleProcess {
							reasons = append(reasons, s)
						}
					}
					if diff := cmp.Diff(c.skips, reasons, cmpopts.IgnoreFields(lift.Skip{}, "Detail"), cmpopts.EquateEmpty()); diff != "" {
						t.Error(diff)
					}
					break
				}
				got = append(got, string(choice.Process.ID))
				for i := range left {
					if left[i].Destination == choice.Destination {
						left[i].Slots = nil
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A waiting placement looks again when the next cap comes into force.
func TestWaitingForTheNextCap(t *testing.T) {
	q := lift.Queue{LatencyPolicies: []lift.LatencyPolicy{{MaxMS: 30, DurationSeconds: 10}, {MaxMS: 60}}}
	p := lift.Placement{StartedAt: t0, Latencies: []lift.PlayerLatency{ms("ann", "a", 80)}}
	if got := Waiting(t0.Add(4*time.Second), q, p, nil).TryAt; !got.Equal(t0.Add(10 * time.Second)) {
		t.Errorf("looks again %s after its start", got.Sub(t0))
	}
	if got := Waiting(t0.Add(10*time.Second), q, p, nil).TryAt; !got.Equal(t0.Add(10*time.Second + Retry)) {
		t.Errorf("under the last cap it looks again %s after its start", got.Sub(t0))
	}
	if got := Waiting(t0.Add(4*time.Second), q, lift.Placement{StartedAt: t0}, nil).TryAt; !got.Equal(t0.Add(4*time.Second + Retry)) {
		t.Errorf("without latencies, to which no cap applies, it looks again %s after its start", got.Sub(t0))
	}
	q.LatencyPolicies[0].DurationSeconds = 100
	if got := Waiting(t0, q, p, nil).TryAt; !got.Equal(t0.Add(Retry)) {
		t.Errorf("long before the next cap it looks again %s after its start", got.Sub(t0))
	}
}

// The fleet that a placement waits for is the first that it may have, free or not.
func TestFirst(t *testing.T) {
	cs := []Candidate{at("c"), at("a"), at("b")}
	cs[0].Fleet.Status = lift.FleetError
	for _, c := range []struct {
		name string
		p    lift.Placement
		want lift.FleetID
	}{
		{"as the queue lists them", lift.Placement{}, "fleet-a"},
		{"an own order is for the first pass only", lift.Placement{Locations: []string{"b"}}, "fleet-a"},
		{"unless there is no other", lift.Placement{Locations: []string{"b"}, OnlyThose: true}, "fleet-b"},
		{"nowhere", lift.Placement{Locations: []string{"c"}, OnlyThose: true}, ""},
	} {
		var got lift.FleetID
		if f := First(t0, lift.Queue{}, c.p, cs); f != nil {
			got = f.ID
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
