// Package fleet decides what a fleet needs next. Plan and its companions speak
// for the service: instances to start and stop, statuses, events. Launch
// speaks for an agent: processes to start on one instance.
//
// It is pure: whole state in, whole answer out, with reasons; no clock, store
// or socket.
//
//	plan := fleet.Plan(now, f, loads)
//	for range plan.Start { … }
package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Load is an instance of the fleet with what Plan weighs when it must stop one.
type Load struct {
	Instance  lift.Instance
	Sessions  int // live game sessions on it
	Protected int // of these, ACTIVE ones with FullProtection
}

// Decision is what a fleet needs now.
type Decision struct {
	Start  int               // instances to request
	Stop   []lift.InstanceID // instances to drain
	Status lift.FleetStatus  // where it differs from the fleet's, the fleet moves there
	Fail   *Failure          // why it moves to ERROR
	LookAt time.Time         // ask again then; zero: when something happens
	Why    []string          // the reasons, one sentence each
}

// Failure is the event that explains an ERROR.
type Failure struct {
	Code    lift.EventCode
	Message string
}

// retryProtected is how soon a scale-down is tried again that found only
// instances with protected sessions (behaviour 2.15).
const retryProtected = time.Minute

// Plan says what f needs next. Loads are its instances that are not gone.
func Plan(now time.Time, f lift.Fleet, loads []Load) Decision {
	d := Decision{Status: f.Status}
	switch {
	case f.Status == lift.FleetTerminated:
	case f.Status == lift.FleetDeleting && len(loads) == 0:
		d.Status = lift.FleetTerminated
		d.Why = append(d.Why, "all instances of the deleted fleet are gone")
	case f.Status == lift.FleetDeleting:
		d.stopAll(loads, "the fleet is being deleted")
	case f.Status == lift.FleetError:
		d.stopAll(loads, "the fleet is in ERROR")
	case f.Status.Preparing() && !now.Before(f.ActivateBy):
		d.fail(lift.FleetActivationFailed, fmt.Sprintf("no server process was ready within %s of the fleet's creation", f.ActivateBy.Sub(f.CreatedAt)))
		d.stopAll(loads, "the fleet failed")
	default:
		d.scale(now, f, loads)
	}
	return d
}

func (d *Decision) fail(code lift.EventCode, message string) {
	d.Status, d.Fail = lift.FleetError, &Failure{Code: code, Message: message}
}

func (d *Decision) stopAll(loads []Load, why string) {
	for _, l := range loads {
		if l.Instance.Status != lift.InstanceTerminating {
			d.Stop = append(d.Stop, l.Instance.ID)
		}
	}
	if len(d.Stop) > 0 {
		d.Why = append(d.Why, fmt.Sprintf("stop %d instances: %s", len(d.Stop), why))
	}
}

// scale keeps the desired number of instances (behaviour 2.15).
func (d *Decision) scale(now time.Time, f lift.Fleet, loads []Load) {
	if f.Status.Preparing() {
		d.LookAt = f.ActivateBy
	}
	var live []Load
	for _, l := range loads {
		if l.Instance.Status != lift.InstanceTerminating {
			live = append(live, l)
		}
	}
	switch missing := f.Capacity.Desired - len(live); {
	case missing > 0 && now.Before(f.RetryAt):
		d.LookAt = sooner(d.LookAt, f.RetryAt)
		d.Why = append(d.Why, fmt.Sprintf("%d instances are missing; the last one failed, the next is requested %s later", missing, f.RetryAt.Sub(now).Round(time.Second)))
	case missing > 0:
		d.Start = missing
		d.Why = append(d.Why, fmt.Sprintf("%d of %d desired instances exist", len(live), f.Capacity.Desired))
	case missing < 0:
		d.Stop = victims(live, -missing)
		d.Why = append(d.Why, fmt.Sprintf("%d instances exist, %d are desired", len(live), f.Capacity.Desired))
		if kept := -missing - len(d.Stop); kept > 0 {
			d.LookAt = sooner(d.LookAt, now.Add(retryProtected))
			d.Why = append(d.Why, fmt.Sprintf("%d more would stop if they had no protected game sessions", kept))
		}
	}
}

// victims picks instances to stop: idle ones first, then those with the fewest
// sessions, then the newest; never one with a protected session.
func victims(live []Load, n int) []lift.InstanceID {
	slices.SortFunc(live, func(a, b Load) int {
		return cmp.Or(
			cmp.Compare(a.Sessions, b.Sessions),
			b.Instance.CreatedAt.Compare(a.Instance.CreatedAt),
			cmp.Compare(b.Instance.ID, a.Instance.ID))
	})
	var ids []lift.InstanceID
	for _, l := range live {
		if len(ids) < n && l.Protected == 0 {
			ids = append(ids, l.Instance.ID)
		}
	}
	return ids
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
