// Package sdktest is a host for tests: a door with the smallest hosting service
// behind it that a game server can live with. It keeps game and player sessions
// in memory, gives a process what a test tells it to, and writes down what it was
// asked.
//
// It must not become a second agent: no deadlines, no launcher, no health rules.
//
//	host := sdktest.Start(t)
//	server, err := serversdk.Init(ctx, serversdk.Params{WebSocketURL: host.URL(), ...})
//	...
//	host.Wait(process, "ActivateServerProcess")
//	host.Create(process, sdk.CreateGameSession{GameSessionID: arn})
package sdktest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/sdk"
)

// Token is what Connect wants to see.
const Token = "7f3c1f3e-0000-4000-8000-5a5a5a5a5a5a"

// A Host implements sdk.Games and has a door in front of it.
type Host struct {
	Door *sdk.Door

	t    testing.TB
	addr string
	net  *breaker

	mu       sync.Mutex
	before   func(context.Context, sdk.Process, sdk.Request) error
	changed  chan struct{} // closed and replaced at every change
	calls    []Heard
	hellos   []sdk.Hello
	gone     []sdk.Process
	sessions map[string]string            // game session id to its state
	players  map[string]sdk.PlayerSession // by player session id
}

// Heard is a request and who made it.
type Heard struct {
	Process sdk.Process
	Request sdk.Request
	Err     error
}

// New returns a host whose door nobody serves yet.
func New(t testing.TB, o sdk.Options) *Host {
	h := &Host{
		t: t, changed: make(chan struct{}),
		sessions: make(map[string]string), players: make(map[string]sdk.PlayerSession),
	}
	h.Door = sdk.NewDoor(h, o)
	return h
}

// Start returns a host that listens on the loopback until the test ends.
func Start(t testing.TB) *Host {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := New(t, sdk.Options{})
	h.Serve(ln)
	return h
}

// Serve serves the door on ln until the test ends.
func (h *Host) Serve(ln net.Listener) {
	h.addr = ln.Addr().String()
	h.net = &breaker{Listener: ln, conns: make(map[net.Conn]bool)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Door.Serve(ctx, h.net) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("door: %v", err)
		}
	})
}

// Before has f called before every request is carried out. An error of f is the
// answer. It may block.
func (h *Host) Before(f func(ctx context.Context, p sdk.Process, r sdk.Request) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before = f
}

// Break cuts every connection there is, without a word, and returns how many.
func (h *Host) Break() int { return h.net.cut() }

// URL is where game servers connect.
func (h *Host) URL() string { return "ws://" + h.addr }

// Environment is what a launcher gives a process.
func (h *Host) Environment(p sdk.Process) []string {
	return []string{
		"GAMELIFT_SDK_WEBSOCKET_URL=" + h.URL(), "GAMELIFT_SDK_PROCESS_ID=" + p.ID, "GAMELIFT_SDK_HOST_ID=" + p.Compute,
		"GAMELIFT_SDK_FLEET_ID=" + p.Fleet, "GAMELIFT_SDK_AUTH_TOKEN=" + Token,
	}
}

// Create gives a process a game session.
func (h *Host) Create(p sdk.Process, c sdk.CreateGameSession) {
	h.mu.Lock()
	h.sessions[c.GameSessionID] = "ACTIVATING"
	h.mu.Unlock()
	h.Door.Push(p, c)
}

// Reserve makes a player session and returns its id.
func (h *Host) Reserve(gameSessionID, playerID string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := fmt.Sprintf("psess-%08d-0000-4000-8000-000000000000", len(h.players)+1)
	h.players[id] = sdk.PlayerSession{
		PlayerSessionID: id, PlayerID: playerID, GameSessionID: gameSessionID, Status: "RESERVED",
		IPAddress: "127.0.0.1", CreationTime: time.UnixMilli(1_700_000_000_123),
	}
	return id
}

// Player returns a player session.
func (h *Host) Player(id string) sdk.PlayerSession {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.players[id]
}

// Session returns the state of a game session: ACTIVATING, ACTIVE, TERMINATED.
func (h *Host) Session(id string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[id]
}

// Hellos returns the connects there were.
func (h *Host) Hellos() []sdk.Hello {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.hellos)
}

// Heard returns the requests there were.
func (h *Host) Heard() []Heard {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls)
}

// Count says how often a process asked for something.
func (h *Host) Count(p sdk.Process, action string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count(p, action)
}

func (h *Host) count(p sdk.Process, action string) (n int) {
	for _, c := range h.calls {
		if c.Process == p && c.Request.Action() == action {
			n++
		}
	}
	return n
}

// Gone returns the processes reported as disconnected, in order.
func (h *Host) Gone() []sdk.Process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.gone)
}

// Wait blocks until a process has asked for something; the test fails after 10 s.
func (h *Host) Wait(p sdk.Process, action string) {
	h.t.Helper()
	h.Until(action+" of "+p.String(), func() bool { return h.count(p, action) > 0 })
}

// Until blocks until a condition on what the host knows holds; the test fails
// after 10 s. The condition must not call methods of the host.
func (h *Host) Until(what string, holds func() bool) {
	h.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		h.mu.Lock()
		ok, changed := holds(), h.changed
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			h.t.Fatalf("waited 10 s for %s", what)
		}
	}
}

// UntilPlayer blocks until a player session has a status.
func (h *Host) UntilPlayer(id, status string) {
	h.t.Helper()
	h.Until(id+" "+status, func() bool { return h.players[id].Status == status })
}

// UntilSession blocks until a game session is in a state.
func (h *Host) UntilSession(id, state string) {
	h.t.Helper()
	h.Until(id+" "+state, func() bool { return h.sessions[id] == state })
}

func (h *Host) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

// Connect implements sdk.Games.
func (h *Host) Connect(_ context.Context, hello sdk.Hello) error {
	if hello.Token != Token {
		return &sdk.Refusal{Status: http.StatusForbidden, Reason: "unknown token"}
	}
	h.change(func() { h.hellos = append(h.hellos, hello) })
	return nil
}

// Disconnected implements sdk.Games.
func (h *Host) Disconnected(p sdk.Process, _ time.Time) {
	h.change(func() { h.gone = append(h.gone, p) })
}

// Call implements sdk.Games.
func (h *Host) Call(ctx context.Context, p sdk.Process, r sdk.Request) (reply sdk.Reply, err error) {
	h.mu.Lock()
	before := h.before
	h.mu.Unlock()
	if before != nil {
		if err := before(ctx, p, r); err != nil {
			return nil, err
		}
	}
	h.change(func() {
		reply, err = h.decide(r)
		h.calls = append(h.calls, Heard{p, r, err})
	})
	return reply, err
}

func (h *Host) decide(r sdk.Request) (sdk.Reply, error) {
	switch r := r.(type) {
	case sdk.ActivateGameSession:
		if h.sessions[r.GameSessionID] != "ACTIVATING" {
			return nil, sdk.Errorf(http.StatusConflict, "game session %q is not ACTIVATING", r.GameSessionID)
		}
		h.sessions[r.GameSessionID] = "ACTIVE"
	case sdk.AcceptPlayerSession:
		return nil, h.turn(r.PlayerSessionID, r.GameSessionID, "RESERVED", "ACTIVE")
	case sdk.RemovePlayerSession:
		return nil, h.turn(r.PlayerSessionID, r.GameSessionID, "ACTIVE", "COMPLETED")
	case sdk.DescribePlayerSessions:
		var page sdk.PlayerSessions
		for _, s := range h.players {
			if r.PlayerSessionID == s.PlayerSessionID || r.PlayerID == s.PlayerID || r.GameSessionID == s.GameSessionID {
				page.Sessions = append(page.Sessions, s)
			}
		}
		slices.SortFunc(page.Sessions, func(a, b sdk.PlayerSession) int {
			if a.PlayerSessionID < b.PlayerSessionID {
				return -1
			}
			return 1
		})
		return page, nil
	case sdk.StartMatchBackfill:
		if r.TicketID == "" {
			r.TicketID = "ticket-1"
		}
		return sdk.BackfillTicket{TicketID: r.TicketID}, nil
	case sdk.StopMatchBackfill:
		if r.TicketID == "unknown" {
			return nil, sdk.Errorf(http.StatusNotFound, "no ticket %s", r.TicketID)
		}
	case sdk.TerminateServerProcess:
		for id := range h.sessions {
			h.sessions[id] = "TERMINATED"
		}
	}
	return nil, nil
}

func (h *Host) turn(id, session, from, to string) error {
	s, ok := h.players[id]
	switch {
	case !ok || s.GameSessionID != session:
		return sdk.Errorf(http.StatusNotFound, "no player session %q in this game session", id)
	case s.Status != from:
		return sdk.Errorf(http.StatusConflict, "player session %q is %s, not %s", id, s.Status, from)
	}
	s.Status = to
	h.players[id] = s
	return nil
}
