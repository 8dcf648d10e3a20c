package sim

import (
	"fmt"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// unsettled says what is still going on, empty if the world is at rest.
func (w *world) unsettled() string {
	f := &w.facts
	for _, s := range w.servers {
		if !s.up && !s.away {
			return s.name + " is down"
		}
	}
	if trouble := w.leasesUnsettled(); trouble != "" {
		return trouble
	}
	for _, id := range sortedKeys(f.effects) {
		if w.nobodyTakes(f.effects[id]) {
			continue
		}
		return fmt.Sprintf("effect %s to %s is not confirmed", effectOf(f.effects[id].Effect), f.effects[id].To)
	}
	for _, id := range sortedKeys(f.fleets) {
		if trouble := w.fleetUnsettled(f.fleets[id]); trouble != "" {
			return trouble
		}
	}
	for _, id := range sortedKeys(f.sessions) {
		if s := f.sessions[id]; s.Status == lift.SessionActivating || s.Status == lift.SessionTerminating {
			return fmt.Sprintf("game session %s is %s", id, s.Status)
		}
	}
	for _, id := range sortedKeys(f.players) {
		if f.players[id].Status == lift.PlayerReserved {
			return fmt.Sprintf("player %s is RESERVED", id)
		}
	}
	for _, id := range sortedKeys(f.placements) {
		if f.placements[id].Status == lift.PlacementPending {
			return fmt.Sprintf("placement %s is PENDING", id)
		}
	}
	if trouble := w.unmatched(); trouble != "" {
		return trouble
	}
	for _, i := range w.order {
		if trouble := w.instanceUnsettled(i); trouble != "" {
			return trouble
		}
	}
	return ""
}

// nobodyTakes reports whether an effect is for a host whose server stays away.
// It waits as long as the instance is remembered.
func (w *world) nobodyTakes(o *store.Outbox) bool {
	name, ok := o.To.Host()
	for _, s := range w.servers {
		if ok && s.away && s.host != nil && s.host.name == name {
			return true
		}
	}
	return false
}

func (w *world) fleetUnsettled(fl *lift.Fleet) string {
	active := 0
	for _, id := range sortedKeys(w.facts.instances) {
		i := w.facts.instances[id]
		if i.FleetID != fl.ID || i.Status == lift.InstanceTerminated {
			continue
		}
		if i.Status != lift.InstanceActive {
			return fmt.Sprintf("instance %s is %s", i.ID, i.Status)
		}
		if n := w.instance(i.ID); n == nil || n.ended != "" {
			return fmt.Sprintf("instance %s is %s and does not run", i.ID, i.Status)
		}
		active++
	}
	switch fl.Status {
	case lift.FleetActive:
		if active != fl.Capacity.Desired {
			return fmt.Sprintf("fleet %s has %d of %d instances", fl.ID, active, fl.Capacity.Desired)
		}
	case lift.FleetError, lift.FleetTerminated:
		if active > 0 {
			return fmt.Sprintf("fleet %s is %s and has %d instances", fl.ID, fl.Status, active)
		}
	default:
		return fmt.Sprintf("fleet %s is %s", fl.ID, fl.Status)
	}
	return ""
}

// instanceUnsettled compares what runs with what the service believes.
func (w *world) instanceUnsettled(i *instance) string {
	f := &w.facts
	row := f.instances[i.id]
	switch {
	case i.host.s.away && i.ended != "" && (row == nil || row.Status == lift.InstanceTerminated):
		return ""
	case row == nil || row.Status == lift.InstanceTerminated:
		return fmt.Sprintf("the host keeps instance %s, which is gone", i.id)
	case i.ended != "":
		return fmt.Sprintf("instance %s ended (%s), and the service does not know", i.id, i.ended)
	case i.conn == nil || !i.end.Welcomed():
		return fmt.Sprintf("instance %s is not connected", i.id)
	case f.conversations[i.id].Server != i.conn.s.owner():
		return fmt.Sprintf("instance %s is connected to %s, and the service believes to %s", i.id, i.conn.s.owner(), f.conversations[i.id].Server)
	case !i.end.Settled():
		return fmt.Sprintf("instance %s has something to say", i.id)
	case len(i.tickets) > 0 || len(i.calls) > 0:
		return fmt.Sprintf("processes of instance %s wait for %d answers", i.id, len(i.calls))
	}
	ready := 0
	for _, id := range sortedKeys(f.processes) {
		p := f.processes[id]
		if p.InstanceID != i.id || p.State == lift.ProcessGone {
			continue
		}
		g := i.games[p.ID]
		switch {
		case g == nil || g.gone:
			return fmt.Sprintf("process %s is %s and does not run", p.ID, p.State)
		case p.State != lift.ProcessIdle && p.State != lift.ProcessHosting || p.Unhealthy:
			return fmt.Sprintf("process %s is %s", p.ID, p.State)
		case p.State == lift.ProcessHosting != (g.hosting != ""):
			return fmt.Sprintf("process %s is %s and runs %q", p.ID, p.State, g.hosting)
		}
		ready++
	}
	running := 0
	for _, g := range i.games {
		if !g.gone {
			running++
		}
	}
	if want := f.fleets[row.FleetID].Runtime.Total(); ready != running || ready < want {
		return fmt.Sprintf("instance %s runs %d processes, %d are ready, %d are configured", i.id, running, ready, want)
	}
	return ""
}
