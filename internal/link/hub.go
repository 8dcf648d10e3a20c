package link

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// HubOptions say what a hub needs; only Service is required.
type HubOptions struct {
	Service Service
	Log     *slog.Logger
	Now     func() time.Time // time.Now
}

// Hub is the service's end of all agents connected here. It serves /agent and
// everything below it.
type Hub struct{ o HubOptions }

// NewHub makes a hub. Serve it under /agent.
func NewHub(o HubOptions) *Hub { return &Hub{o: o} }

// ServeHTTP takes the connection of an agent, the download of a build, or a
// piece of a log.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "the link is not built yet", http.StatusNotImplemented)
}

// Send sends commands to their agents and never blocks. Those to agents that
// are not connected here are dropped: Resume returns them when they are.
func (h *Hub) Send(effects []lift.Effect) {}

// Heard returns when an agent was last heard here, and false for never.
func (h *Hub) Heard(id lift.InstanceID) (time.Time, bool) { return time.Time{}, false }

// Connected lists the agents connected here, sorted.
func (h *Hub) Connected() []lift.InstanceID { return nil }

// Kick drops the connection of an agent. It comes back unless Authenticate
// refuses it.
func (h *Hub) Kick(id lift.InstanceID) {}

// Close refuses new connections, lets the batches in hand finish and be
// acknowledged, and drops all connections; at the end of ctx without waiting
// any longer.
func (h *Hub) Close(ctx context.Context) error { return nil }
