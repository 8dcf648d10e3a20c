package server

import (
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/notify"
)

// dispatcher is the engine's Sender: the host's effects go to the host, an
// agent's to the hub, which drops those whose agent is not connected here, and
// sinks are told that events wait for them in the store.
type dispatcher struct {
	hub   *link.Hub
	hosts *hosts // nil: this server has none
	sinks *notify.Notifier

	hostName string // of several
}

// Send does not block.
func (d *dispatcher) Send(effects []lift.Effect) {
	var toAgents []lift.Effect
	for _, e := range effects {
		name, forHost := e.To.Host()
		sink, forSink := e.To.Sink()
		switch {
		case forSink:
			d.sinks.Wake(sink)
		case !forHost:
			toAgents = append(toAgents, e)
		case d.hosts != nil && name == d.hostName:
			d.hosts.send(e)
		}
	}
	if len(toAgents) > 0 {
		d.hub.Send(toAgents)
	}
}
