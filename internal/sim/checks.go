package sim

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/store"
)

// What one row may become. Old or now is nil if there was or is none.

var fleetOrder = []lift.FleetStatus{
	lift.FleetNew, lift.FleetDownloading, lift.FleetValidating, lift.FleetBuilding, lift.FleetActivating,
	lift.FleetActive, lift.FleetError, lift.FleetDeleting, lift.FleetTerminated,
}

func (w *world) fleetMoved(old, now *lift.Fleet) {
	switch {
	case now == nil:
		if old.Status != lift.FleetTerminated || w.keptUntil(old.TerminatedAt.Add(store.KeepFleets)) {
			w.fail("fleet %s is forgotten and was %s", old.ID, old.Status)
		}
	case old == nil:
		if now.Status != lift.FleetNew {
			w.fail("fleet %s begins as %s", now.ID, now.Status)
		}
	case slices.Index(fleetOrder, now.Status) < slices.Index(fleetOrder, old.Status):
		w.fail("fleet %s was %s and is %s", now.ID, old.Status, now.Status)
	case now.Status == lift.FleetTerminated && now.TerminatedAt.IsZero():
		w.fail("fleet %s is TERMINATED and has no end time", now.ID)
	case now.Capacity.Desired < now.Capacity.Min || now.Capacity.Desired > now.Capacity.Max:
		w.fail("fleet %s wants %d instances, of %d to %d", now.ID, now.Capacity.Desired, now.Capacity.Min, now.Capacity.Max)
	}
}

var instanceOrder = []lift.InstanceStatus{lift.InstancePending, lift.InstanceActive, lift.InstanceTerminating, lift.InstanceTerminated}

func (w *world) instanceMoved(old, now *lift.Instance) {
	switch {
	case now == nil:
		if old.Status != lift.InstanceTerminated || w.keptUntil(old.EndedAt.Add(store.KeepFleets)) {
			w.fail("instance %s is forgotten and was %s", old.ID, old.Status)
		}
	case old != nil && slices.Index(instanceOrder, now.Status) < slices.Index(instanceOrder, old.Status):
		w.fail("instance %s was %s and is %s", now.ID, old.Status, now.Status)
	case now.Status == lift.InstanceTerminated && now.EndedAt.IsZero():
		w.fail("instance %s is TERMINATED and has no end time", now.ID)
	case old != nil && old.Status == lift.InstanceTerminated && !old.EndedAt.Equal(now.EndedAt):
		w.fail("instance %s ended twice", now.ID)
	case now.Status == lift.InstanceTerminating && now.StopBy.IsZero():
		w.fail("instance %s is TERMINATING without a deadline", now.ID)
	}
}

// processOrder ranks the states of a process. IDLE, HOSTING and USED may come
// again.
var processOrder = map[lift.ProcessState]int{
	lift.ProcessInitializing: 1, lift.ProcessActivating: 2, lift.ProcessIdle: 3, lift.ProcessHosting: 3, lift.ProcessUsed: 3,
	lift.ProcessTerminating: 4, lift.ProcessGone: 5,
}

func (w *world) processMoved(old, now *lift.Process) {
	switch {
	case now == nil:
		if old.State != lift.ProcessGone {
			w.fail("process %s is forgotten and was %s", old.ID, old.State)
		}
	case old == nil:
		// It may have come far before its first word arrived.
	case processOrder[now.State] < processOrder[old.State]:
		w.fail("process %s was %s and is %s", now.ID, old.State, now.State)
	case now.State == lift.ProcessGone && now.EndedAt.IsZero():
		w.fail("process %s is gone and has no end time", now.ID)
	case now.State == lift.ProcessHosting && old.State != lift.ProcessHosting && old.State != lift.ProcessIdle:
		w.fail("process %s was %s and got a game session", now.ID, old.State)
	}
}

var sessionMoves = map[lift.GameSessionStatus][]lift.GameSessionStatus{
	lift.SessionActivating:  {lift.SessionActivating, lift.SessionActive, lift.SessionTerminating, lift.SessionTerminated},
	lift.SessionActive:      {lift.SessionActive, lift.SessionTerminating, lift.SessionTerminated},
	lift.SessionTerminating: {lift.SessionTerminating, lift.SessionTerminated},
}

func (w *world) sessionMoved(old, now *lift.GameSession) {
	switch {
	case now == nil:
		if f := w.facts.fleets[old.FleetID]; (f == nil || f.Status != lift.FleetTerminated) && (old.Status.Live() || w.keptUntil(old.KeepUntil)) {
			w.fail("game session %s is forgotten and was %s", old.ID, old.Status)
		}
		return
	case old == nil:
		w.tally.Sessions++
		if now.Status != lift.SessionActivating || now.ActivateBy.IsZero() {
			w.fail("game session %s begins as %s", now.ID, now.Status)
		}
	case !old.Status.Live():
		if fmt.Sprint(*old) != fmt.Sprint(*now) {
			w.fail("game session %s has ended and changes still: %+v, %+v", now.ID, *old, *now)
		}
	case !slices.Contains(sessionMoves[old.Status], now.Status):
		w.fail("game session %s was %s and is %s", now.ID, old.Status, now.Status)
	case old.ProcessID != now.ProcessID:
		w.fail("game session %s moved from process %s to %s", now.ID, old.ProcessID, now.ProcessID)
	}
	w.facts.most[now.ID] = max(w.facts.most[now.ID], now.MaxPlayers)
	if !now.Status.Live() && (now.EndedAt.IsZero() || now.KeepUntil.IsZero() || now.Ended == "") {
		w.fail("game session %s is %s without an end time or a reason", now.ID, now.Status)
	}
	if now.PlayerCount > now.MaxPlayers && (old == nil || now.PlayerCount > old.PlayerCount) {
		w.fail("game session %s has %d players, %d may be in", now.ID, now.PlayerCount, now.MaxPlayers)
	}
}

func (w *world) playerMoved(old, now *lift.PlayerSession) {
	switch {
	case now == nil:
		if f := w.facts.fleets[old.FleetID]; (f == nil || f.Status != lift.FleetTerminated) && (old.Status.Live() || w.keptUntil(old.KeepUntil)) {
			w.fail("player %s is forgotten and was %s", old.ID, old.Status)
		}
		return
	case old == nil:
		// The transaction that seated a player may also have ended the session.
		if now.Status == lift.PlayerReserved && now.ReservedUntil.IsZero() {
			w.fail("player %s is RESERVED for ever", now.ID)
		}
	case !old.Status.Live():
		if *old != *now {
			w.fail("player %s is %s and changes still", now.ID, old.Status)
		}
	case old.Status == lift.PlayerActive && now.Status != lift.PlayerActive && now.Status != lift.PlayerCompleted:
		w.fail("player %s was ACTIVE and is %s", now.ID, now.Status)
	}
	if !now.Status.Live() && (now.EndedAt.IsZero() || now.KeepUntil.IsZero()) {
		w.fail("player %s is %s and has no end time", now.ID, now.Status)
	}
}

func (w *world) placementMoved(old, now *lift.Placement) {
	switch {
	case now == nil:
		if old.Status == lift.PlacementPending || w.keptUntil(old.KeepUntil) {
			w.fail("placement %s is forgotten and was %s", old.ID, old.Status)
		}
		return
	case old == nil || old.Status == lift.PlacementCancelled || old.Status == lift.PlacementTimedOut:
		// It begins, perhaps with an id that was free again.
	case old.Status != lift.PlacementPending && old.Status != now.Status:
		w.fail("placement %s was %s and is %s", now.ID, old.Status, now.Status)
	}
	if now.Status != lift.PlacementPending && (now.EndedAt.IsZero() || now.KeepUntil.IsZero()) {
		w.fail("placement %s is %s and has no end time", now.ID, now.Status)
	}
	if now.Status == lift.PlacementFulfilled && (old == nil || old.Status == lift.PlacementPending) {
		w.tally.Placed++
		if len(now.Placed) != len(now.Players) {
			w.fail("placement %s wanted %d players and placed %d", now.ID, len(now.Players), len(now.Placed))
		}
		for _, p := range now.Placed {
			w.sendPlayer(now.SessionID, p.PlayerSessionID)
		}
	}
}

func (w *world) conversationMoved(old, now *store.Conversation) {
	if old != nil && now != nil && now.LastEvent < old.LastEvent {
		w.fail("instance %s had said %d events and has now said %d", now.InstanceID, old.LastEvent, now.LastEvent)
	}
}

// together asks whether the rows of a commit and those around them agree.
func (w *world) together(t *touched) {
	f := &w.facts
	for _, id := range t.sessions {
		if s := f.sessions[id]; s != nil {
			w.checkSession(s)
		}
	}
	for _, id := range t.processes {
		if p := f.processes[id]; p != nil {
			w.checkProcess(p)
		}
	}
	for _, id := range t.placements {
		if p := f.placements[id]; p != nil {
			w.checkPlacement(p)
		}
	}
	for _, id := range t.tickets {
		if tk := f.tickets[id]; tk != nil {
			w.checkTicket(tk)
		}
	}
	for _, id := range t.matches {
		if m := f.matches[id]; m != nil {
			w.checkMatch(m)
		} else {
			w.checkMade(id)
		}
	}
	for _, check := range t.news {
		check()
	}
	for _, id := range t.instances {
		if i := f.instances[id]; i != nil {
			w.checkInstance(i, slices.Contains(t.opened, id))
		}
	}
	for _, id := range t.grown {
		w.checkLimits(f.fleets[id])
	}
	w.checkHeld(t)
	w.checkScaled(t)
}

// A live session is held by exactly one process, and its slots are its live
// players.
func (w *world) checkSession(s *lift.GameSession) {
	f := &w.facts
	if live := len(f.seated[s.ID]); s.PlayerCount != live {
		w.fail("game session %s counts %d players, %d hold a slot", s.ID, s.PlayerCount, live)
	}
	if !s.Status.Live() {
		if s.PlayerCount != 0 {
			w.fail("game session %s is %s, and %d players hold slots in it", s.ID, s.Status, s.PlayerCount)
		}
		return
	}
	want := lift.ProcessHosting
	if s.Status == lift.SessionTerminating {
		want = lift.ProcessTerminating
	}
	if p := f.processes[s.ProcessID]; p == nil || p.State != want || p.SessionID != s.ID {
		w.fail("game session %s is %s, and its process is %+v", s.ID, s.Status, p)
	}
	if key := s.BackfillTicket; key != "" {
		if t := f.tickets[key]; t == nil || !t.Status.Live() || t.Backfill == nil || t.Backfill.SessionID != s.ID {
			w.fail("game session %s wants players by ticket %s, which is %+v", s.ID, key, t)
		}
	}
	if s.PlacementID == "" {
		return
	}
	p := f.placements[region+"/"+string(s.PlacementID)]
	switch {
	case p == nil:
		w.fail("game session %s was made for placement %s, which does not exist", s.ID, s.PlacementID)
	case p.SessionID != s.ID && s.Status != lift.SessionTerminating:
		w.fail("game session %s is %s for placement %s, which has %q", s.ID, s.Status, p.ID, p.SessionID)
	case s.Status == lift.SessionActivating && p.Status != lift.PlacementPending,
		s.Status == lift.SessionActive && p.Status != lift.PlacementFulfilled:
		w.fail("game session %s is %s and placement %s is %s", s.ID, s.Status, p.ID, p.Status)
	}
}

// A process hosts at most one session, which lives and knows of it.
func (w *world) checkProcess(p *lift.Process) {
	s := w.facts.sessions[p.SessionID]
	holds := s != nil && s.Status.Live() && s.ProcessID == p.ID
	switch p.State {
	case lift.ProcessHosting:
		if !holds {
			w.fail("process %s hosts %s, which is %+v", p.ID, p.SessionID, s)
		}
	case lift.ProcessTerminating:
	default:
		if holds {
			w.fail("process %s is %s and holds game session %s, which is %s", p.ID, p.State, s.ID, s.Status)
		}
	}
}

// A reserved placement is held by somebody, and a fulfilled one was.
func (w *world) checkPlacement(p *lift.Placement) {
	s := w.facts.sessions[p.SessionID]
	switch {
	case p.Status == lift.PlacementPending && p.SessionID != "":
		if s == nil || s.Status != lift.SessionActivating || s.PlacementID != p.ID {
			w.fail("placement %s waits for game session %s, which is %+v", p.ID, p.SessionID, s)
		}
	case p.Status == lift.PlacementPending && p.TryAt.IsZero():
		w.fail("placement %s is PENDING, has no game session and is not tried again", p.ID)
	case p.Status == lift.PlacementFulfilled && (p.SessionID == "" || p.Port == 0 || p.Address == ""):
		w.fail("placement %s is FULFILLED, and nobody knows where", p.ID)
	}
}

// The cap on activations holds, and its count is true.
func (w *world) checkInstance(i *lift.Instance, opened bool) {
	counted, activating := 0, 0
	for _, s := range w.facts.sessions {
		if s.InstanceID == i.ID && s.Status == lift.SessionActivating {
			activating++
			if s.Capped {
				counted++
			}
		}
	}
	if i.Status != lift.InstanceTerminated && i.Activating != counted {
		w.fail("instance %s counts %d activating game sessions, there are %d", i.ID, i.Activating, counted)
	}
	f := w.facts.fleets[i.FleetID]
	if most := f.Runtime.MaxActivations; opened && most > 0 && activating > most {
		w.fail("instance %s activates %d game sessions at once, %d are allowed", i.ID, activating, most)
	}
	if i.Status == lift.InstanceTerminated {
		for _, p := range w.facts.processes {
			if p.InstanceID == i.ID && p.State != lift.ProcessGone {
				w.fail("instance %s is gone, and its process %s is %s", i.ID, p.ID, p.State)
			}
		}
	}
}

// No fleet has more instances than it should when it requests one.
func (w *world) checkLimits(f *lift.Fleet) {
	n := 0
	for _, i := range w.facts.instances {
		if i.FleetID == f.ID && (i.Status == lift.InstancePending || i.Status == lift.InstanceActive) {
			n++
		}
	}
	if n > f.Capacity.Desired || n > f.Capacity.Max {
		w.fail("fleet %s requests an instance and has %d then; %d are desired, %d the most", f.ID, n, f.Capacity.Desired, f.Capacity.Max)
	}
}

// Between the service and those it talks to.

// checkSent: every effect that leaves was committed.
func (w *world) checkSent(eff lift.Effect) {
	if !w.facts.everSent[eff.ID] {
		w.fail("an effect that was not committed is sent: %s", effectOf(eff))
	}
}

// checkTaken: every command is carried out once.
func (w *world) checkTaken(i *instance, eff lift.Effect) {
	if i.taken[eff.ID] {
		w.fail("instance %s is told twice to %s", i.id, effectOf(eff))
	}
	i.taken[eff.ID] = true
}

// checkRepeat: an event that comes again is the same event.
func (w *world) checkRepeat(i *instance, n link.Numbered) {
	body, err := json.Marshal(n.Event)
	if err != nil {
		w.fail("event %d of %s: %v", n.Seq, i.id, err)
	}
	if before, ok := i.said[n.Seq]; ok && before != string(body) {
		w.fail("event %d of %s was %s and is %s", n.Seq, i.id, before, body)
	}
	i.said[n.Seq] = string(body)
}

// checkReplies: a reply stays what it was.
func (w *world) checkReplies(i *instance, replies []store.NumberedReply) {
	for _, r := range replies {
		body, err := json.Marshal(r.Reply)
		if err != nil {
			w.fail("reply %d to %s: %v", r.Event, i.id, err)
		}
		if before, ok := i.replies[r.Event]; ok && before != string(body) {
			w.fail("the reply to event %d of %s was %s and is %s", r.Event, i.id, before, body)
		}
		i.replies[r.Event] = string(body)
	}
}

// checkActivated: a game server that was told yes hosts a game session that
// was ACTIVE.
func (w *world) checkActivated(id lift.GameSessionID) {
	if s := w.facts.sessions[id]; s != nil && s.Status == lift.SessionActivating {
		w.fail("game session %s was activated and is %s", id, s.Status)
	}
}

// checkAccepted: a player who was let in has a slot, and no game server has
// more players than slots.
func (w *world) checkAccepted(g *game, id lift.PlayerSessionID) {
	p := w.facts.players[id]
	if p == nil {
		if s := w.facts.sessions[g.hosting]; s != nil {
			w.fail("player %s was accepted and does not exist", id)
		}
		return
	}
	if p.Status != lift.PlayerActive && p.Status != lift.PlayerCompleted || p.GameSessionID != g.hosting {
		w.fail("player %s was accepted by %s and is %s in %s", id, g.hosting, p.Status, p.GameSessionID)
	}
	if most := w.facts.most[g.hosting]; len(g.players) > most {
		w.fail("process %s has %d players, of %d slots at the most", g.id, len(g.players), most)
	}
}

// acknowledged: what a caller was told exists, does. That it stays, the checks
// on forgotten rows see to.
func (w *world) acknowledged(kind, id string) {
	f := &w.facts
	ok := false
	switch kind {
	case "fleet":
		ok = f.fleets[lift.FleetID(id)] != nil
	case "session":
		ok = f.sessions[lift.GameSessionID(id)] != nil
	case "player":
		ok = f.players[lift.PlayerSessionID(id)] != nil
	case "placement":
		ok = f.placements[id] != nil
	case "configuration":
		ok = f.configurations[id] != nil
	case "ticket":
		ok = f.tickets[id] != nil
	case "queue":
		ok = f.queues[id] != nil
	}
	if !ok {
		w.fail("%s %s was acknowledged and is not committed", kind, id)
	}
}
