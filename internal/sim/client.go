package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/ops"
)

// client is somebody who calls the API. After an answer that never came it
// asks again with the same tokens.
type client struct {
	w    *world
	name string
	n    int // of its requests, for tokens and ids

	again    func() // a request that has no answer yet
	sessions []lift.GameSessionID
}

// call makes a request of one of the servers. It reports false when there was no answer: the service
// is away, or ended before it answered. Then the request may have worked.
func call[In, Out any](c *client, what string, op func(*ops.Service, context.Context, In) (Out, error), in In) (Out, bool) {
	var none Out
	w := c.w
	s := w.anyServer()
	if s == nil {
		return none, false
	}
	out, err := op(s.ops, w.ctx, in)
	if s.store.dying {
		w.note("client "+c.name, "%s: no answer", what)
		return none, false
	}
	var le *lift.Error
	switch {
	case err == nil:
		w.note("client "+c.name, "%s: done", what)
		return out, true
	case errors.As(err, &le):
		if le.Kind == lift.IdempotentParameterMismatch {
			w.fail("client %s repeats %s as it was and is told: %s", c.name, what, le.Msg)
		}
		w.note("client "+c.name, "%s: %s: %s", what, le.Kind, le.Msg)
		return none, true
	}
	w.note("client "+c.name, "%s: %v", what, err)
	s.expected(err)
	return none, false
}

// act does something and plans the next.
func (c *client) act() {
	w := c.w
	if w.quiet {
		return
	}
	w.after(w.plan.pause/2+w.some(w.plan.pause), c.act)
	if again := c.again; again != nil {
		c.again = nil
		again()
		return
	}
	c.n++
	token := fmt.Sprintf("%s-%d", c.name, c.n)
	fleets := w.facts.fleetsAlive()
	if len(fleets) == 0 || len(fleets) < w.plan.fleets && w.chance(20) {
		c.createFleet(token)
		return
	}
	if w.plan.seekers > 0 && w.chance(60) {
		c.matchmake(token)
		return
	}
	f := fleets[w.rng.IntN(len(fleets))]
	switch n := w.rng.IntN(100); {
	case n < 5:
		c.scale(f)
	case n < 6:
		c.changePolicies(f)
	case n < 8:
		c.deleteFleet(f)
	case n < 11:
		c.reconfigure(f)
	case n < 15:
		c.createQueue(token, fleets)
	case n < 45:
		c.place(token)
	case n < 50:
		c.stopPlacement()
	case n < 70:
		c.createSession(f, token)
	case n < 92:
		c.seat(token)
	case n < 96:
		c.terminate()
	default:
		c.change()
	}
}

func (w *world) runtime() *api.RuntimeConfiguration {
	r := &api.RuntimeConfiguration{
		ServerProcesses:                     []api.ServerProcess{{LaunchPath: "/local/game/server", ConcurrentExecutions: 1 + w.rng.IntN(w.plan.processes)}},
		GameSessionActivationTimeoutSeconds: new(w.plan.patience),
	}
	if w.plan.cap > 0 {
		r.MaxConcurrentGameSessionActivations = new(w.plan.cap)
	}
	return r
}

func (c *client) createFleet(token string) {
	w := c.w
	if len(w.facts.fleets) >= w.plan.fleets+3 {
		return
	}
	in := &api.CreateFleetInput{Name: token, BuildId: new("build-1"), EC2InstanceType: new("c5.large"), RuntimeConfiguration: w.runtime()}
	if w.chance(30) {
		in.NewGameSessionProtectionPolicy = new(string(lift.FullProtection))
	}
	if out, _ := call(c, "CreateFleet", (*ops.Service).CreateFleet, in); out != nil {
		w.acknowledged("fleet", *out.FleetAttributes.FleetId)
	}
}

func (c *client) scale(f *lift.Fleet) {
	w := c.w
	n := w.rng.IntN(w.plan.instances + 1)
	in := &api.UpdateFleetCapacityInput{FleetId: string(f.ID), DesiredInstances: &n, MaxSize: new(max(n, w.plan.instances))}
	call(c, fmt.Sprintf("UpdateFleetCapacity %s %d", short(f.ID), n), (*ops.Service).UpdateFleetCapacity, in)
}

func (c *client) deleteFleet(f *lift.Fleet) {
	call(c, "DeleteFleet "+short(f.ID), (*ops.Service).DeleteFleet,
		&api.DeleteFleetInput{FleetId: string(f.ID)})
}

func (c *client) reconfigure(f *lift.Fleet) {
	w := c.w
	call(c, "UpdateRuntimeConfiguration "+short(f.ID), (*ops.Service).UpdateRuntimeConfiguration, &api.UpdateRuntimeConfigurationInput{FleetId: string(f.ID), RuntimeConfiguration: w.runtime()})
}

func (c *client) createQueue(token string, fleets []*lift.Fleet) {
	w := c.w
	in := &api.CreateGameSessionQueueInput{Name: "q-" + token, TimeoutInSeconds: new(10 + w.rng.IntN(120))}
	for _, f := range fleets {
		if w.chance(70) {
			in.Destinations = append(in.Destinations, api.GameSessionQueueDestination{DestinationArn: new(f.ARN())})
		}
	}
	if out, _ := call(c, "CreateGameSessionQueue", (*ops.Service).CreateGameSessionQueue, in); out != nil {
		w.acknowledged("queue", region+"/"+in.Name)
	}
}

// place starts a placement, sometimes twice.
func (c *client) place(token string) {
	w := c.w
	if len(w.facts.queueNames) == 0 {
		c.createQueue(token, w.facts.fleetsAlive())
		return
	}
	most := 1 + w.rng.IntN(6)
	in := &api.StartGameSessionPlacementInput{PlacementId: "p-" + token, GameSessionQueueName: w.facts.queueNames[w.rng.IntN(len(w.facts.queueNames))], MaximumPlayerSessionCount: most}
	for p := range w.rng.IntN(most + 1) {
		in.DesiredPlayerSessions = append(in.DesiredPlayerSessions, api.DesiredPlayerSession{PlayerId: new(fmt.Sprintf("%s-%d", token, p))})
	}
	c.startPlacement(in)
}

func (c *client) startPlacement(in *api.StartGameSessionPlacementInput) {
	w := c.w
	out, answered := call(c, "StartGameSessionPlacement "+in.PlacementId, (*ops.Service).StartGameSessionPlacement, in)
	if out != nil {
		w.acknowledged("placement", region+"/"+in.PlacementId)
	}
	if !answered || w.chance(5) {
		c.again = func() { c.startPlacement(in) }
	}
}

func (c *client) stopPlacement() {
	w := c.w
	var pending []string
	for _, id := range sortedKeys(w.facts.placements) {
		if w.facts.placements[id].Status == lift.PlacementPending {
			pending = append(pending, string(w.facts.placements[id].ID))
		}
	}
	if len(pending) == 0 {
		return
	}
	id := pending[w.rng.IntN(len(pending))]
	out, _ := call(c, "StopGameSessionPlacement "+id, (*ops.Service).StopGameSessionPlacement, &api.StopGameSessionPlacementInput{PlacementId: id})
	if out != nil {
		if got := w.facts.placements[region+"/"+id].Status; got != lift.PlacementCancelled {
			w.fail("placement %s was stopped and is %s", id, got)
		}
	}
}

func (c *client) createSession(f *lift.Fleet, token string) {
	in := &api.CreateGameSessionInput{FleetId: new(string(f.ID)), MaximumPlayerSessionCount: 1 + c.w.rng.IntN(5)}
	if c.w.chance(70) {
		in.IdempotencyToken = new("t-" + token)
	}
	c.openSession(in, "")
}

// openSession creates a game session, sometimes twice with one token, which is
// the same one then.
func (c *client) openSession(in *api.CreateGameSessionInput, before string) {
	w := c.w
	out, answered := call(c, "CreateGameSession on "+short(*in.FleetId), (*ops.Service).CreateGameSession, in)
	if out != nil {
		id := *out.GameSession.GameSessionId
		w.acknowledged("session", id)
		if before != "" && id != before {
			w.fail("one token made %s and %s", before, id)
		}
		c.sessions = append(c.sessions, lift.GameSessionID(id))
		before = id
	}
	if in.IdempotencyToken != nil && (!answered || w.chance(10)) {
		c.again = func() { c.openSession(in, before) }
	}
}

// seat reserves slots in a game session and sends the players there.
func (c *client) seat(token string) {
	w := c.w
	live := w.facts.liveSessions(lift.SessionActive)
	if len(live) == 0 {
		return
	}
	s := live[w.rng.IntN(len(live))]
	in := &api.CreatePlayerSessionsInput{GameSessionId: string(s.ID)}
	for n := range 1 + w.rng.IntN(3) {
		in.PlayerIds = append(in.PlayerIds, fmt.Sprintf("%s-%d", token, n))
	}
	out, _ := call(c, "CreatePlayerSessions in "+short(s.ID), (*ops.Service).CreatePlayerSessions, in)
	if out == nil {
		return
	}
	if len(out.PlayerSessions) != len(in.PlayerIds) {
		w.fail("%d players were wanted, %d got in", len(in.PlayerIds), len(out.PlayerSessions))
	}
	for _, p := range out.PlayerSessions {
		w.acknowledged("player", *p.PlayerSessionId)
		w.sendPlayer(s.ID, lift.PlayerSessionID(*p.PlayerSessionId))
	}
}

// sendPlayer lets a player connect to the game server, if that player comes.
func (w *world) sendPlayer(s lift.GameSessionID, p lift.PlayerSessionID) {
	if w.staged || w.bad(w.plan.faults.players, 30) {
		return
	}
	d := w.some(20 * time.Second)
	if w.bad(w.plan.faults.players, 20) {
		d = w.some(2 * time.Minute)
	}
	w.after(d, func() {
		if g := w.hostOf(s); g != nil {
			g.join(p)
		}
	})
}

func (c *client) terminate() {
	w := c.w
	if len(c.sessions) == 0 {
		return
	}
	id := c.sessions[w.rng.IntN(len(c.sessions))]
	mode := []string{"TRIGGER_ON_PROCESS_TERMINATE", "FORCE_TERMINATE"}[w.rng.IntN(2)]
	out, _ := call(c, "TerminateGameSession "+short(id)+" "+mode, (*ops.Service).TerminateGameSession, &api.TerminateGameSessionInput{GameSessionId: string(id), TerminationMode: mode})
	if out != nil {
		if s := w.facts.sessions[id]; s != nil && (s.Status == lift.SessionActive || s.Status == lift.SessionActivating) {
			w.fail("game session %s was terminated and is %s", id, s.Status)
		}
	}
}

func (c *client) change() {
	w := c.w
	live := slices.Concat(w.facts.liveSessions(lift.SessionActive), w.facts.liveSessions(lift.SessionActivating))
	if len(live) == 0 {
		return
	}
	s := live[w.rng.IntN(len(live))]
	call(c, "UpdateGameSession "+short(s.ID), (*ops.Service).UpdateGameSession, &api.UpdateGameSessionInput{GameSessionId: string(s.ID), MaximumPlayerSessionCount: new(w.rng.IntN(6))})
}
