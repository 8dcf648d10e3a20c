package agent

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// Options of a core.
type Options struct {
	Instance lift.InstanceID
	Address  string // where players reach the instance
	// Shared says that the instance has the machine's own address and ports, so
	// that others may be in the way.
	Shared bool
	Pace   fleet.Pace // default fleet.LocalPace
	Limits Limits
	IDs    io.Reader // source of randomness for process ids; must not fail
}

// gonersKept is how many ended processes a core remembers, for game sessions
// that were on their way to them.
const gonersKept = 500

// Core decides everything an agent does. It is not safe for concurrent use.
type Core struct {
	o      Options
	limits Limits

	config  *lift.Configure // nil until the service said what to run
	fleet   lift.Reconfigure
	step    lift.Stage // the preparation in progress; empty if none
	stepAt  time.Time
	aborted bool
	failed  bool
	active  bool // prepared: processes may be launched
	held    bool // the service is away for so long that nothing new is begun

	processes map[lift.ProcessID]*process
	inOrder   []*process // the same, in the order of their launch
	pacing    fleet.Pacing
	changed   bool      // fleet.Launch may say something new
	lookAt    time.Time // when it wants to be asked again
	started   bool      // a process was launched once
	refused   map[lift.ServerProcess]string
	warned    map[string]bool // notices that are worth saying once

	gone        map[lift.ProcessID]lift.ProcessExited
	goneInOrder []lift.ProcessID
	waiting     map[Call]question // asked, and not replied to by the service

	drain *drain
	left  bool

	last    time.Time // the last step
	awake   time.Time // the end of the last gap between two steps
	actions []Action
}

// question is what a game server waits for the service to answer.
type question struct {
	process  lift.ProcessID
	describe bool // the answer is a list of player sessions
	activate bool // a yes means that the process is of use
	backfill bool // the answer is a ticket
}

// drain is the end of the instance.
type drain struct {
	reason string
	begun  time.Time
	grace  time.Duration
}

// NewCore returns the core of an agent that was told nothing yet.
func NewCore(o Options) *Core {
	if o.Pace == (fleet.Pace{}) {
		o.Pace = fleet.LocalPace
	}
	return &Core{
		o: o, limits: o.Limits.withDefaults(), pacing: fleet.NewPacing(o.Pace),
		processes: make(map[lift.ProcessID]*process),
		refused:   make(map[lift.ServerProcess]string),
		warned:    make(map[string]bool),
		gone:      make(map[lift.ProcessID]lift.ProcessExited),
		waiting:   make(map[Call]question),
	}
}

// Step takes one event, and everything that is due, and returns what to do
// about it, in order.
func (c *Core) Step(now time.Time, ev Event) []Action {
	c.actions = nil
	if c.left {
		return c.refuse(ev)
	}
	if !c.last.IsZero() && now.Sub(c.last) > c.limits.Gap {
		c.awake = now
	}
	c.last = now
	switch ev.(type) {
	case Commanded, Prepared, LaunchFailed, Exited, Congested:
		c.changed = true
	}
	switch ev := ev.(type) {
	case Commanded:
		c.commanded(now, ev.Effect)
	case Prepared:
		c.prepared(now, ev)
	case Launched:
		c.launched(now, ev)
	case LaunchFailed:
		c.launchFailed(now, ev)
	case Exited:
		c.exited(now, ev)
	case Knocked:
		c.knocked(now, ev)
	case Asked:
		c.asked(now, ev)
	case Replied:
		c.replied(ev)
	case Congested:
		c.held = ev.Is
	case Interrupted:
		c.startDrain(now, c.limits.Interrupt, ev.Reason)
	case Tick:
	}
	c.deadlines(now)
	c.launch(now)
	c.leave(now)
	return c.actions
}

// Due says when the core wants a Tick; zero if never.
func (c *Core) Due() time.Time {
	var due time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	if c.left {
		return due
	}
	sooner(c.lookAt)
	if at, ok := c.stepDeadline(); ok {
		sooner(at)
	}
	for _, p := range c.inOrder {
		at, _ := c.deadline(p)
		sooner(at)
	}
	if c.drain != nil {
		sooner(c.drainDeadline())
	}
	if !due.IsZero() || len(c.processes) > 0 {
		sooner(c.last.Add(c.limits.Pulse))
	}
	return due
}

func (c *Core) do(a Action) { c.actions = append(c.actions, a) }

func (c *Core) report(now time.Time, ev lift.Event) {
	ev.At = now
	c.do(Report{ev})
}

func (c *Core) notice(now time.Time, code lift.EventCode, log, format string, args ...any) {
	c.report(now, lift.Event{Notice: &lift.Notice{Code: code, Message: fmt.Sprintf(format, args...), Log: log}})
}

// warnOnce is a notice that would only bore the second time.
func (c *Core) warnOnce(now time.Time, key, format string, args ...any) {
	if !c.warned[key] {
		c.warned[key] = true
		c.notice(now, lift.GenericEvent, "", format, args...)
	}
}

// refuse answers those who ask an agent that has left.
func (c *Core) refuse(ev Event) []Action {
	switch ev := ev.(type) {
	case Knocked:
		return []Action{Admit{ev.Call, &sdk.Refusal{Reason: "the instance has ended"}}}
	case Asked:
		return []Action{Answer{Call: ev.Call, Err: sdk.Errorf(400, "the instance has ended")}}
	}
	return nil
}

// since is the moment a silence or a delay that began at t counts from.
func (c *Core) since(t time.Time) time.Time {
	if t.Before(c.awake) {
		return c.awake
	}
	return t
}

func (c *Core) add(p *process) {
	c.processes[p.id] = p
	c.inOrder = append(c.inOrder, p)
}

func (c *Core) remove(p *process) {
	delete(c.processes, p.id)
	c.inOrder = slices.DeleteFunc(c.inOrder, func(other *process) bool { return other == p })
}

// commanded carries out one effect of the service.
func (c *Core) commanded(now time.Time, ef lift.Effect) {
	switch {
	case ef.Configure != nil:
		c.configure(now, *ef.Configure)
	case ef.Reconfigure != nil:
		c.reconfigure(now, *ef.Reconfigure)
	case ef.StartSession != nil:
		c.startSession(now, ef.StartSession.Session)
	case ef.UpdateSession != nil:
		c.updateSession(*ef.UpdateSession)
	case ef.TerminateProcess != nil:
		c.terminateProcess(now, *ef.TerminateProcess)
	case ef.Drain != nil:
		// The service's clock may be another one: what it grants is bounded.
		c.startDrain(now, min(ef.Drain.By.Sub(now), c.limits.Terminate), ef.Drain.Reason)
	}
}

// launch starts what is missing and can be started now.
func (c *Core) launch(now time.Time) {
	if !c.changed && (c.lookAt.IsZero() || now.Before(c.lookAt)) {
		return
	}
	c.changed, c.lookAt = false, time.Time{}
	if !c.active || c.drain != nil || c.failed || c.held {
		return
	}
	s := fleet.LaunchState{Runtime: c.fleet.Runtime, Pacing: c.pacing}
	for _, p := range c.inOrder {
		s.Running = append(s.Running, p.entry)
	}
	plan := fleet.Launch(now, s)
	for _, e := range plan.Start {
		p := &process{id: lift.ProcessID(lift.UUID(now, c.o.IDs)), entry: e, phase: launching, began: now, since: now}
		c.add(p)
		c.pacing = c.pacing.Launched(now)
		c.do(Launch{ProcessID: p.id, Entry: e, Ports: c.fleet.InboundPorts})
	}
	c.lookAt = plan.LookAt
}

// launched meets a process that is running now.
func (c *Core) launched(now time.Time, ev Launched) {
	p := c.processes[ev.ProcessID]
	if p == nil || p.phase != launching {
		return
	}
	c.started = true
	delete(c.refused, p.entry)
	p.enter(now, initializing)
	p.began, p.parameters, p.log = now, ev.Parameters, ev.Log
	c.report(now, lift.Event{ProcessStarted: &lift.ProcessStarted{
		ProcessID: p.id, LaunchPath: p.entry.LaunchPath, Parameters: p.parameters, OSPID: ev.OSPID,
	}})
	for _, knock := range p.early {
		c.knocked(now, knock)
	}
	p.early = nil
	if c.drain != nil {
		c.terminate(now, p, c.drain.grace, c.drain.reason)
	}
}

// launchFailed gives an entry up for a while. If no entry can be launched at
// all, neither can the instance.
func (c *Core) launchFailed(now time.Time, ev LaunchFailed) {
	p := c.processes[ev.ProcessID]
	if p == nil || p.phase != launching {
		return
	}
	c.remove(p)
	for _, knock := range p.early {
		c.knocked(now, knock)
	}
	c.pacing = c.pacing.Hopeless(now, p.entry)
	if c.refused[p.entry] == ev.Message {
		return // said already; it is tried again all the same
	}
	c.refused[p.entry] = ev.Message
	c.notice(now, ev.Code, "", "%s %s", ev.Message, c.describe(p))
	for _, e := range c.fleet.Runtime.ServerProcesses {
		if c.started || c.refused[e] == "" {
			return
		}
	}
	c.fail(now, lift.FleetExecutableFailure, "No launch path of the fleet can be executed on this instance. "+ev.Message, "")
}

// startDrain begins the end of the instance, or brings it forward.
func (c *Core) startDrain(now time.Time, grace time.Duration, reason string) {
	grace = max(grace, 0)
	if c.drain != nil && !now.Add(grace).Before(c.drain.begun.Add(c.drain.grace)) {
		return
	}
	c.drain = &drain{reason: reason, begun: now, grace: grace}
	if c.step != "" && !c.aborted {
		c.aborted = true
		c.do(Abort{})
	}
	for _, p := range c.inOrder {
		c.terminate(now, p, grace, reason)
	}
}

// drainDeadline is when a drained agent gives up on processes that cannot even
// be killed, and on a stage that does not end.
func (c *Core) drainDeadline() time.Time {
	return c.since(c.drain.begun).Add(c.drain.grace + c.limits.Exit)
}

// leave ends the agent once there is nothing left of the instance.
func (c *Core) leave(now time.Time) {
	if c.drain == nil {
		return
	}
	reason := c.drain.reason
	if len(c.processes) > 0 || c.step != "" {
		if now.Before(c.drainDeadline()) {
			return
		}
		reason = fmt.Sprintf("%s; %d server processes did not end although they were killed", reason, len(c.processes))
	}
	for _, call := range slices.Sorted(maps.Keys(c.waiting)) {
		c.do(Answer{Call: call, Err: sdk.Errorf(400, "the instance has ended")})
	}
	clear(c.waiting)
	c.left = true
	c.report(now, lift.Event{Stopped: &lift.Stopped{Reason: reason}})
	c.do(Leave{})
}
