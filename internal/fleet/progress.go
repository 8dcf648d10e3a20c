package fleet

import (
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Clocks and limits that behaviour 2.3 leaves to us: failing fast is the point
// of running it at home.
const (
	ActivationLimit = 10 * time.Minute // from CreateFleet to the first ready process
	// EarlyExits is how many processes may exit before the first one is ready;
	// then the fleet fails with the last exit as the reason.
	EarlyExits = 5
	// DrainTime is how long a stopping instance may take: the five minutes of
	// behaviour 2.6 and some for goodbye.
	DrainTime = 5*time.Minute + 30*time.Second
)

// Progress is what an event of an instance changed.
type Progress struct {
	Fleet    lift.Fleet
	Instance lift.Instance
	Events   []lift.Notice // for the fleet's log, in order
	Effects  []lift.Effect
}

func (p *Progress) tell(code lift.EventCode, message, log string) {
	p.Events = append(p.Events, lift.Notice{Code: code, Message: message, Log: log})
}

// status moves the fleet and logs it.
func (p *Progress) status(s lift.FleetStatus, message string) {
	p.Fleet.Status = s
	p.tell(lift.StateEvent(s), message, "")
}

// stages maps what an instance reports to the status and the event that a
// fleet shows while its first instance is prepared (behaviour 2.3).
var stages = map[lift.Stage]struct {
	status lift.FleetStatus
	event  lift.EventCode
}{
	lift.StageDownloading:     {lift.FleetDownloading, ""},
	lift.StageExtracting:      {lift.FleetDownloading, lift.FleetExtractingBuild},
	lift.StageInstalling:      {lift.FleetDownloading, lift.FleetRunningInstaller},
	lift.StageInstalled:       {lift.FleetDownloading, lift.FleetCompletedInstaller},
	lift.StageValidating:      {lift.FleetValidating, ""},
	lift.StageValidatingPaths: {lift.FleetValidating, lift.FleetValidatingRuntime},
	lift.StageBuilding:        {lift.FleetBuilding, ""},
	lift.StageActivating:      {lift.FleetActivating, ""},
}

// order of the statuses a fleet passes before it is ACTIVE.
var order = []lift.FleetStatus{lift.FleetNew, lift.FleetDownloading, lift.FleetValidating, lift.FleetBuilding, lift.FleetActivating}

func rank(s lift.FleetStatus) int {
	for i, o := range order {
		if o == s {
			return i
		}
	}
	return -1
}

// Reached notes that i entered a stage. A fleet that is still preparing shows
// it; later instances go their way in silence.
func Reached(f lift.Fleet, i lift.Instance, ev lift.StageReached) Progress {
	p := Progress{Fleet: f, Instance: i}
	p.Instance.Stage = ev.Stage
	if ev.Address != "" {
		p.Instance.Address = ev.Address
	}
	if !f.Status.Preparing() {
		return p
	}
	st := stages[ev.Stage] // a stage that is not listed shows nothing
	if rank(st.status) > rank(f.Status) {
		p.status(st.status, fmt.Sprintf("instance %s", i.ID))
	}
	if st.event != "" {
		p.tell(st.event, ev.Message, ev.Log)
	}
	return p
}

// Ready notes that a process of i is ready: the instance is ACTIVE, and with
// the first one the fleet.
func Ready(now time.Time, f lift.Fleet, i lift.Instance) Progress {
	p := Progress{Fleet: f, Instance: i}
	if i.Status == lift.InstancePending {
		p.Instance.Status, p.Instance.Stage, p.Instance.ReadyAt = lift.InstanceActive, lift.StageActive, now
		p.Fleet.Retries, p.Fleet.RetryAt = 0, time.Time{}
	}
	if f.Status.Preparing() {
		p.status(lift.FleetActive, fmt.Sprintf("the first server process is ready, %s after the fleet's creation", now.Sub(f.CreatedAt).Round(time.Millisecond)))
		p.Fleet.LookAt = time.Time{}
	}
	return p
}

// Exited notes that a process of i exited before any was ready. After
// EarlyExits of them the fleet fails, and says what the last one said.
func Exited(now time.Time, f lift.Fleet, i lift.Instance, ev lift.ProcessExited) Progress {
	p := Progress{Fleet: f, Instance: i}
	if !f.Status.Preparing() {
		return p
	}
	p.Fleet.EarlyExits++
	if p.Fleet.EarlyExits >= EarlyExits {
		p.fail(now, lift.FleetActivationFailed, fmt.Sprintf("%d server processes ended and none became ready; the last one: %s", p.Fleet.EarlyExits, ev.Message), ev.Log)
	}
	return p
}

// Failed notes that i cannot be prepared. While the fleet is preparing it
// fails with its first instance; an ACTIVE fleet logs the failure and replaces
// the instance after a pause that doubles.
func Failed(now time.Time, f lift.Fleet, i lift.Instance, ev lift.InstanceFailed) Progress {
	p := Progress{Fleet: f, Instance: i}
	if f.Status.Preparing() {
		p.fail(now, ev.Code, ev.Message, ev.Log)
		return p
	}
	p.tell(ev.Code, fmt.Sprintf("instance %s: %s", i.ID, ev.Message), ev.Log)
	if f.Status == lift.FleetActive {
		p.Fleet.RetryAt = now.Add(pause(f.Retries))
		p.Fleet.Retries++
		p.Fleet.LookAt = now
	}
	p.stop(now, ev.Message)
	return p
}

func (p *Progress) fail(now time.Time, code lift.EventCode, message, log string) {
	p.tell(code, message, log)
	p.status(lift.FleetError, message)
	p.Fleet.Reason = message
	p.Fleet.LookAt = now // Plan stops its instances
}

// stop drains the instance.
func (p *Progress) stop(now time.Time, why string) {
	i, drain := Stop(now, p.Instance, why)
	p.Instance, p.Effects = i, append(p.Effects, drain...)
}

// Stop begins the end of an instance: its agent is asked to drain, and has
// until StopBy. It wants nothing if the instance is ending already.
func Stop(now time.Time, i lift.Instance, why string) (lift.Instance, []lift.Effect) {
	if i.Status == lift.InstanceTerminating || i.Status == lift.InstanceTerminated {
		return i, nil
	}
	i.Status, i.StopBy, i.Reason = lift.InstanceTerminating, now.Add(DrainTime), why
	return i, []lift.Effect{{To: lift.ToAgent(i.ID), Drain: &lift.Drain{By: now.Add(DrainTime - 15*time.Second), Reason: why}}}
}

// pause before the next instance after n failures: 3 s doubling to 1 min.
func pause(n int) time.Duration { return min(3*time.Second<<min(n, 5), time.Minute) }
