package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/coder/websocket"
)

// Close codes of ours. After each the agent connects again; that its instance
// is gone it learns from the answer to that.
const (
	codeReplaced websocket.StatusCode = 4000 // the same agent has a newer connection
	codeVersion  websocket.StatusCode = 4001 // no common version
	codeProtocol websocket.StatusCode = 4002 // the other end is at fault
)

// HubOptions say what a hub needs; only Service is required.
type HubOptions struct {
	Service   Service
	Log       *slog.Logger
	MaxAgents int // connected at once; 10,000
}

// Hub is the service's end of all agents connected here. It serves /agent and
// everything below it.
type Hub struct {
	o  HubOptions
	wg sync.WaitGroup // connections; added to under mu, while not closed

	mu     sync.Mutex
	conns  map[lift.Receiver]*conn       // by the lift.ToAgent of their agents
	past   map[lift.InstanceID]time.Time // when those not connected were last heard
	closed bool
}

// NewHub makes a hub. Serve it under /agent.
func NewHub(o HubOptions) *Hub {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.MaxAgents = cmp.Or(o.MaxAgents, 10_000)
	return &Hub{o: o, conns: map[lift.Receiver]*conn{}, past: map[lift.InstanceID]time.Time{}}
}

// ServeHTTP takes the connection of an agent, the download of a build, or a
// piece of a log. Every request carries the agent's token and instance.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := lift.InstanceID(r.URL.Query().Get("instance"))
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if id == "" || !ok {
		refuse(w, lift.Errorf(lift.Unauthorized, "an agent presents its instance and its token: ?instance=… and Authorization: Bearer …"))
		return
	}
	if err := h.o.Service.Authenticate(r.Context(), id, token); err != nil {
		h.o.Log.Info("agent refused", "instance", id, "reason", err)
		refuse(w, err)
		return
	}
	path := r.URL.Path
	key, isLog := strings.CutPrefix(path, "/agent/logs/")
	switch {
	case path == "/agent" || path == "/agent/":
		h.serveAgent(w, r, id)
	case path == "/agent/build" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		h.serveBuild(w, r, id)
	case isLog && r.Method == http.MethodPost:
		h.serveLog(w, r, id, key)
	default:
		http.Error(w, "the link serves /agent, GET /agent/build and POST /agent/logs/{key}", http.StatusNotFound)
	}
}

// refuse answers a request that Authenticate did not let in.
func refuse(w http.ResponseWriter, err error) {
	text, status := "the service cannot check tokens now; try again", http.StatusServiceUnavailable
	if le, ok := errors.AsType[*lift.Error](err); ok {
		switch le.Kind {
		case lift.NotFound:
			text, status = le.Msg, http.StatusGone
		case lift.Unauthorized:
			text, status = le.Msg, http.StatusUnauthorized
		}
	}
	http.Error(w, text, status)
}

// serveAgent holds the connection of an agent until it ends.
func (h *Hub) serveAgent(w http.ResponseWriter, r *http.Request, id lift.InstanceID) {
	c := newConn(h, id)
	if err := h.admit(c); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer h.wg.Done()
	defer h.remove(c)
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	err = c.run(ws)
	h.o.Log.Info("agent disconnected", "instance", id, "reason", err)
}

// admit makes c the connection of its agent, unless the hub is closed or full.
// This comes before the agent learns that it is connected, so the newer of two
// connections replaces the older and not the other way round. From here on c
// gets what Send sends, also before Resume has read what is pending: so
// nothing falls between.
func (h *Hub) admit(c *conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	to := lift.ToAgent(c.id)
	old := h.conns[to]
	switch {
	case h.closed:
		return errors.New("the service is stopping; try again")
	case old == nil && len(h.conns) >= h.o.MaxAgents:
		return fmt.Errorf("%d agents are connected, which is all this server takes", len(h.conns))
	case old != nil:
		old.end(codeReplaced, errors.New("a newer connection of the same agent"))
	}
	h.conns[to] = c
	h.wg.Add(1)
	delete(h.past, c.id)
	return nil
}

func (h *Hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	to := lift.ToAgent(c.id)
	if h.conns[to] != c {
		return
	}
	delete(h.conns, to)
	h.past[c.id] = c.heard()
	if len(h.past) > 1024+4*len(h.conns) {
		for id, at := range h.past {
			if time.Since(at) > time.Hour {
				delete(h.past, id)
			}
		}
	}
}

// Send sends commands to their agents and never blocks. Those to agents that
// are not connected here are dropped: Resume returns them when they are.
func (h *Hub) Send(effects []lift.Effect) {
	for len(effects) > 0 {
		n := 1
		for n < len(effects) && effects[n].To == effects[0].To {
			n++
		}
		if c := h.conn(effects[0].To); c != nil {
			c.send(effects[:n])
		}
		effects = effects[n:]
	}
}

func (h *Hub) conn(to lift.Receiver) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns[to]
}

// Heard returns when an agent was last heard here, and false if it was not, or
// that is forgotten: not before an hour has passed.
func (h *Hub) Heard(id lift.InstanceID) (time.Time, bool) {
	h.mu.Lock()
	c, at := h.conns[lift.ToAgent(id)], h.past[id]
	h.mu.Unlock()
	if c != nil {
		return c.heard(), true
	}
	return at, !at.IsZero()
}

// Connected lists the agents connected here, sorted.
func (h *Hub) Connected() []lift.InstanceID {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := make([]lift.InstanceID, 0, len(h.conns))
	for _, c := range h.conns {
		ids = append(ids, c.id)
	}
	slices.Sort(ids)
	return ids
}

// Kick drops the connection of an agent. It comes back unless Authenticate
// refuses it.
func (h *Hub) Kick(id lift.InstanceID) {
	if c := h.conn(lift.ToAgent(id)); c != nil {
		c.end(websocket.StatusTryAgainLater, errors.New("dropped by the service"))
	}
}

// Close refuses new connections, lets the batches in hand finish and be
// acknowledged, and drops all connections; at the end of ctx without waiting
// any longer.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	open := make([]*conn, 0, len(h.conns))
	for _, c := range h.conns {
		open = append(open, c)
	}
	h.mu.Unlock()
	for _, c := range open {
		c.drain()
	}
	done := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, c := range open {
			c.end(websocket.StatusGoingAway, errStopping)
		}
		return fmt.Errorf("link: agents still connected: %w", ctx.Err())
	}
}
