package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// host starts and stops instances on the machine of a server, which it
// outlives.
type host struct {
	w         *world
	s         *server
	name      string        // of several
	ids       *rand.ChaCha8 // of processes
	instances map[lift.InstanceID]*instance
	stopped   map[lift.InstanceID]bool
}

// do carries out an effect and says when it has.
func (h *host) do(eff lift.Effect, done func(error)) {
	w := h.w
	d := w.some(300 * time.Millisecond)
	if w.bad(w.plan.faults.hostLate, 30) {
		d = w.some(2 * time.Minute)
	}
	w.after(d, func() {
		var err error
		switch {
		case eff.StopInstance != nil:
			h.stop(eff.StopInstance.InstanceID)
		case h.instances[eff.StartInstance.InstanceID] != nil || h.stopped[eff.StartInstance.InstanceID]:
			// It comes again.
		case w.bad(w.plan.faults.refuse, 30):
			w.note("host", "refuses %s", short(eff.StartInstance.InstanceID))
			err = errors.New("the host is full")
		default:
			h.start(*eff.StartInstance)
		}
		w.after(w.some(50*time.Millisecond), func() { done(err) })
	})
}

func (h *host) start(e lift.StartInstance) {
	w := h.w
	if other := w.instance(e.InstanceID); other != nil {
		w.fail("%s starts instance %s, which %s has", h.s.name, e.InstanceID, other.host.s.name)
	}
	i := &instance{
		w: w, host: h, id: e.InstanceID, token: e.Token, end: link.NewAgentEnd(e.InstanceID),
		games: map[lift.ProcessID]*game{}, calls: map[agent.Call]func(agent.Action){}, tickets: map[link.Ticket]agent.Call{},
		taken: map[lift.EffectID]bool{}, replies: map[uint64]string{}, said: map[uint64]string{},
		shuns: map[*server]time.Time{},
	}
	i.core = agent.NewCore(agent.Options{Instance: e.InstanceID, Address: "10.0.0.1", IDs: h.ids})
	w.note("host", "starts %s", short(e.InstanceID))
	h.instances[e.InstanceID] = i
	w.order = append(w.order, i)
	w.after(w.some(time.Second), i.dial)
}

func (h *host) stop(id lift.InstanceID) {
	h.w.note("host", "stops %s", short(id))
	h.stopped[id] = true
	if i := h.instances[id]; i != nil {
		i.die("stopped by the host")
		delete(h.instances, id)
		h.w.order = slices.DeleteFunc(h.w.order, func(other *instance) bool { return other == i })
	}
}

// instance returns the instance that some host keeps under the id.
func (w *world) instance(id lift.InstanceID) *instance {
	for _, s := range w.servers {
		if s.host != nil && s.host.instances[id] != nil {
			return s.host.instances[id]
		}
	}
	return nil
}

// pick returns a running instance, if there is one.
func (w *world) pick() *instance {
	var alive []*instance
	for _, i := range w.order {
		if i.ended == "" {
			alive = append(alive, i)
		}
	}
	if len(alive) == 0 {
		return nil
	}
	return alive[w.rng.IntN(len(alive))]
}

// instance is an agent with its launcher and its game servers.
type instance struct {
	w     *world
	host  *host
	id    lift.InstanceID
	token string
	ended string // how, if it has
	told  int    // the life of the server that knows

	core   *agent.Core
	wakeAt time.Time
	games  map[lift.ProcessID]*game
	calls  map[agent.Call]func(agent.Action)
	call   agent.Call
	ospid  int

	end       *link.AgentEnd
	conn      *conn
	linkOver  bool
	awayUntil time.Time             // of a partition
	shuns     map[*server]time.Time // of a partition from one server, until then
	pumpAt    time.Time
	tickets   map[link.Ticket]agent.Call

	// for the checks
	taken   map[lift.EffectID]bool
	replies map[uint64]string
	said    map[uint64]string
}

// die ends the agent, and its processes with it.
func (i *instance) die(how string) {
	if i.ended != "" {
		return
	}
	i.ended = how
	i.w.note("agent "+short(i.id), "ends: %s", how)
	for _, g := range i.games {
		g.gone = true
	}
	if c := i.conn; c != nil {
		c.lost = true
		i.w.after(i.w.some(100*time.Millisecond), func() { c.drop("the agent is gone") })
	}
	i.host.s.soon(time.Second, i.host.s.lookAtHost)
}

func commanded(eff lift.Effect) agent.Event { return agent.Commanded{Effect: eff} }
func interrupted(why string) agent.Event    { return agent.Interrupted{Reason: why} }
func replied(c agent.Call, r lift.Reply) agent.Event {
	return agent.Replied{Call: c, Reply: r}
}

// step steps the core and does what it wants.
func (i *instance) step(ev agent.Event) {
	if i.ended != "" {
		return
	}
	w := i.w
	if _, tick := ev.(agent.Tick); !tick {
		w.note("agent "+short(i.id), "%s", said(ev))
	}
	for _, a := range i.core.Step(w.now, ev) {
		i.do(a)
	}
	i.pump()
	i.wake()
}

// wake plans the step that the core wants next.
func (i *instance) wake() {
	w := i.w
	due := i.core.Due()
	if due.IsZero() || i.ended != "" || i.wakeAt.After(w.now) && !due.Before(i.wakeAt) {
		return
	}
	i.wakeAt = later(due, w.now)
	w.at(i.wakeAt, func() {
		if i.ended != "" {
			return
		}
		if !i.core.Due().After(w.now) {
			i.step(agent.Tick{})
		} else {
			i.wake()
		}
	})
}

func (i *instance) do(a agent.Action) {
	w := i.w
	switch a := a.(type) {
	case agent.Report:
		if _, err := i.end.Report(a.Event); err != nil {
			w.fail("%s reports: %v", i.id, err)
		}
	case agent.Ask:
		ticket, err := i.end.Report(a.Event)
		if err != nil {
			w.fail("%s asks: %v", i.id, err)
		}
		i.tickets[ticket] = a.Call
	case agent.Prepare:
		i.prepare(a.Stage)
	case agent.Abort:
	case agent.Launch:
		w.after(w.some(50*time.Millisecond), func() { i.launch(a.ProcessID) })
	case agent.Kill:
		w.after(w.some(20*time.Millisecond), func() {
			if g := i.games[a.ProcessID]; g != nil {
				g.exit(137)
			}
		})
	case agent.Admit:
		w.after(0, func() { i.answer(a.Call, a) })
	case agent.Answer:
		w.after(0, func() { i.answer(a.Call, a) })
	case agent.Push:
		w.after(w.some(10*time.Millisecond), func() {
			if g := i.games[a.ProcessID]; g != nil {
				g.hear(a.Push)
			}
		})
	case agent.Forget:
	case agent.Leave:
		for _, g := range i.games {
			if !g.gone {
				w.fail("%s leaves process %s behind", i.id, g.id)
			}
		}
		// Goodbye has a limit.
		w.after(5*time.Second, func() { i.die("it left") })
		i.settleThenDie()
	}
}

// settleThenDie ends an agent that left as soon as the service knows.
func (i *instance) settleThenDie() {
	if i.ended != "" {
		return
	}
	if i.end.Settled() {
		i.die("it left")
		return
	}
	i.w.after(100*time.Millisecond, i.settleThenDie)
}

func (i *instance) prepare(stage lift.Stage) {
	w := i.w
	ev := agent.Prepared{Stage: stage, Paths: []agent.PathCheck{{LaunchPath: "/local/game/server"}}}
	switch {
	case stage == lift.StageExtracting && w.chance(30):
		ev.Installer = "install.sh"
	case w.bad(w.plan.faults.prepare, 8):
		ev.Err = "it does not work"
	}
	w.after(w.some(2*time.Second), func() { i.step(ev) })
}

func (i *instance) launch(id lift.ProcessID) {
	w := i.w
	if i.ended != "" {
		return
	}
	if w.bad(w.plan.faults.games, 5) {
		i.step(agent.LaunchFailed{ProcessID: id, Code: lift.ProcessInvalidPath, Message: "it cannot be executed"})
		return
	}
	i.ospid++
	g := newGame(i, id)
	i.games[id] = g
	i.step(agent.Launched{ProcessID: id, OSPID: i.ospid})
	g.begin()
}

// ask lets a process say something; then hears what comes of it.
func (i *instance) ask(ev func(agent.Call) agent.Event, then func(agent.Action)) {
	i.call++
	i.calls[i.call] = then
	i.step(ev(i.call))
}

func (i *instance) answer(call agent.Call, a agent.Action) {
	if then := i.calls[call]; then != nil && i.ended == "" {
		delete(i.calls, call)
		then(a)
	}
}

// said spells an event of the core for the story.
func said(ev agent.Event) string {
	switch ev := ev.(type) {
	case agent.Commanded:
		return "is told to " + effectOf(ev.Effect)
	case agent.Asked:
		return fmt.Sprintf("is asked %T by %s", ev.Request, short(ev.ProcessID))
	case agent.Replied:
		return fmt.Sprintf("hears %d %s", ev.Reply.Status, ev.Reply.Message)
	case agent.Exited:
		return fmt.Sprintf("sees %s exit with %d", short(ev.ProcessID), ev.ExitCode)
	case agent.Prepared:
		return fmt.Sprintf("is done with %s %s", ev.Stage, ev.Err)
	case agent.Launched:
		return "launched " + short(ev.ProcessID)
	case agent.Knocked:
		return "lets in " + short(ev.ProcessID)
	}
	return fmt.Sprintf("%T", ev)
}

func effectOf(eff lift.Effect) string {
	switch {
	case eff.StartInstance != nil:
		return "StartInstance"
	case eff.StopInstance != nil:
		return "StopInstance"
	case eff.Configure != nil:
		return "Configure"
	case eff.Reconfigure != nil:
		return "Reconfigure"
	case eff.StartSession != nil:
		return "StartSession " + short(eff.StartSession.Session.ID) + " on " + short(eff.StartSession.Session.ProcessID)
	case eff.UpdateSession != nil:
		return "UpdateSession"
	case eff.TerminateProcess != nil:
		return "TerminateProcess " + short(eff.TerminateProcess.ProcessID)
	case eff.Drain != nil:
		return "Drain"
	case eff.Publish != nil:
		return "Publish"
	}
	return "nothing"
}

func kindOf(ev lift.Event) string {
	switch {
	case ev.Stage != nil:
		return string(ev.Stage.Stage)
	case ev.Failed != nil:
		return "Failed"
	case ev.Notice != nil:
		return "Notice"
	case ev.ProcessStarted != nil:
		return "Started " + short(ev.ProcessStarted.ProcessID)
	case ev.ProcessConnected != nil:
		return "Connected " + short(ev.ProcessConnected.ProcessID)
	case ev.ProcessReady != nil:
		return "Ready " + short(ev.ProcessReady.ProcessID)
	case ev.ProcessHealth != nil:
		return fmt.Sprintf("Health %s %t", short(ev.ProcessHealth.ProcessID), ev.ProcessHealth.Healthy)
	case ev.ProcessEnding != nil:
		return "Ending " + short(ev.ProcessEnding.ProcessID)
	case ev.ProcessExited != nil:
		return "Exited " + short(ev.ProcessExited.ProcessID)
	case ev.Stopped != nil:
		return "Stopped"
	case ev.ActivateSession != nil:
		return "Activate " + short(ev.ActivateSession.SessionID)
	case ev.AcceptPlayer != nil:
		return "Accept " + short(ev.AcceptPlayer.PlayerID)
	case ev.RemovePlayer != nil:
		return "Remove " + short(ev.RemovePlayer.PlayerID)
	case ev.PlayerPolicy != nil:
		return "Policy"
	case ev.DescribePlayers != nil:
		return "Describe"
	case ev.StartBackfill != nil:
		return "StartBackfill"
	case ev.StopBackfill != nil:
		return "StopBackfill"
	}
	return "nothing"
}

// short is the end of an id, which tells ids of one moment apart.
func short[T ~string](id T) string {
	return string(id[max(0, len(id)-6):])
}

func asked(id lift.ProcessID, r sdk.Request) func(agent.Call) agent.Event {
	return func(c agent.Call) agent.Event { return agent.Asked{Call: c, ProcessID: id, Request: r} }
}
