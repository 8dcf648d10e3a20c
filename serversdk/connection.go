package serversdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Limits of a connection.
const (
	openLimit     = 3 * time.Minute  // for Init
	dialLimit     = 10 * time.Second // for one attempt
	firstPause    = 500 * time.Millisecond
	longestPause  = 30 * time.Second
	refreshPause  = time.Minute      // between attempts to follow the service
	writeLimit    = 10 * time.Second // for one frame
	pongLimit     = 5 * time.Second  // for a sign of life after a call went unanswered
	stragglerTime = 5 * time.Second  // an old socket is read on, after a refresh
	maxFrameBytes = 4 << 20          // of the service; a session with its match data has 0.7 MB
)

// connection is the conversation with the service: one socket after another, and
// the calls that wait for an answer on whichever is there.
type connection struct {
	params Params
	limit  time.Duration // of a call without a deadline
	hear   func(action string, raw []byte)
	ctx    context.Context // ends with close
	cancel context.CancelFunc

	mu      sync.Mutex // guards what follows
	target  string     // URL with query; the same for every reconnect
	current *websocket.Conn
	pending []*pending // in the order of the calls
	silent  int        // calls in a row that got no answer
	ending  bool       // the process has ended: no reconnect
}

type pending struct {
	id     string
	action string
	frame  []byte
	answer chan []byte // one
}

func newConnection(p Params, limit time.Duration, hear func(string, []byte)) *connection {
	c := &connection{params: p, limit: limit, hear: hear}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.target = c.url(p.WebSocketURL, p.AuthToken)
	return c
}

// url adds to the address who we are. One idempotency token stands for one
// connection in the service's eyes, however often its socket is renewed.
func (c *connection) url(address, token string) string {
	q := url.Values{
		"pID": {c.params.ProcessID}, "FleetId": {c.params.FleetID}, "ComputeId": {c.params.HostID},
		"sdkVersion": {sdkVersion}, "sdkLanguage": {sdkLanguage},
		"Authorization": {token}, "IdempotencyToken": {newID()},
	}
	base, _, _ := strings.Cut(address, "?")
	return strings.TrimSuffix(base, "/") + "/?" + q.Encode()
}

func (c *connection) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	ws, err := c.dialUntil(ctx, c.target, true)
	if err != nil {
		c.cancel()
		return err
	}
	c.adopt(ws)
	go c.serve(ws)
	return nil
}

// dialUntil tries until ctx ends. Towards a service that says no it stops at
// once if so asked; a game in progress rather waits for it to change its mind.
func (c *connection) dialUntil(ctx context.Context, target string, stopIfRefused bool) (*websocket.Conn, error) {
	pause := firstPause
	for {
		ws, err := c.dial(ctx, target)
		if err == nil {
			return ws, nil
		}
		if refused, ok := errors.AsType[*RefusedError](err); ok && stopIfRefused && refused.StatusCode < 500 && refused.StatusCode != http.StatusTooManyRequests {
			return nil, err
		}
		c.params.Log.Warn("cannot connect to the service; trying again", "after", pause, "error", err)
		timer := time.NewTimer(pause + jitter(pause/5))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
		pause = min(2*pause, longestPause)
	}
}

func (c *connection) dial(ctx context.Context, target string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, target, &websocket.DialOptions{HTTPClient: c.params.HTTPClient})
	if err == nil {
		ws.SetReadLimit(maxFrameBytes)
		return ws, nil
	}
	if resp != nil && resp.StatusCode >= 400 {
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		return nil, &RefusedError{StatusCode: resp.StatusCode, Reason: strings.TrimSpace(string(reason))}
	}
	if quoting, ok := errors.AsType[*url.Error](err); ok {
		err = quoting.Err // the URL holds the token
	}
	return nil, fmt.Errorf("cannot reach the service: %w", err)
}

// adopt makes ws the socket of all calls, and repeats on it those that have no
// answer. The service knows a repeated RequestId and does nothing twice.
func (c *connection) adopt(ws *websocket.Conn) {
	c.mu.Lock()
	c.current, c.silent = ws, 0
	again := append([]*pending(nil), c.pending...)
	c.mu.Unlock()
	for _, p := range again {
		c.write(ws, p.frame)
	}
}

// serve reads ws until it breaks, and puts the next in its place.
func (c *connection) serve(ws *websocket.Conn) {
	for {
		err := c.read(ws)
		ws.CloseNow()
		c.mu.Lock()
		over := c.ctx.Err() != nil || c.ending || c.current != ws
		if c.current == ws {
			c.current = nil
		}
		target := c.target
		c.mu.Unlock()
		if over {
			return
		}
		c.params.Log.Warn("lost the connection to the service; reconnecting", "error", err)
		if ws, err = c.dialUntil(c.ctx, target, false); err != nil {
			return
		}
		c.mu.Lock()
		late := c.ctx.Err() != nil || c.current != nil // closed, or refreshed meanwhile
		c.mu.Unlock()
		if late {
			ws.CloseNow()
			return
		}
		c.params.Log.Info("connected to the service again")
		c.adopt(ws)
	}
}

func (c *connection) read(ws *websocket.Conn) error {
	for {
		kind, raw, err := ws.Read(c.ctx)
		if err != nil {
			return err
		}
		var h head
		if kind != websocket.MessageText || json.Unmarshal(raw, &h) != nil {
			continue
		}
		if h.RequestID == "" {
			c.hear(h.Action, raw)
			continue
		}
		c.mu.Lock()
		c.silent = 0
		p := c.take(h.RequestID)
		c.mu.Unlock()
		if p != nil {
			p.answer <- raw
		}
	}
}

// take removes a call from those that wait; nil if it does not. mu is held.
func (c *connection) take(id string) *pending {
	for i, p := range c.pending {
		if p.id == id {
			c.pending = append(c.pending[:i], c.pending[i+1:]...)
			return p
		}
	}
	return nil
}

// call sends a request and waits for its answer, which it returns whole.
func (c *connection) call(ctx context.Context, action string, fields any) ([]byte, error) {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.limit)
		defer cancel()
	}
	started := time.Now()
	p := &pending{id: newID(), action: action, answer: make(chan []byte, 1)}
	p.frame = envelope(action, p.id, fields)
	c.mu.Lock()
	c.pending = append(c.pending, p)
	ws := c.current
	c.mu.Unlock()
	if ws != nil {
		c.write(ws, p.frame) // a failure breaks the socket; the next one repeats the call
	}
	select {
	case raw := <-p.answer:
		return raw, outcome(action, raw)
	case <-ctx.Done():
		c.unanswered(p, time.Since(started))
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		return nil, ErrNoAnswer
	case <-c.ctx.Done():
		return nil, ErrClosed
	}
}

func envelope(action, id string, fields any) []byte {
	raw, err := json.Marshal(fields)
	if err != nil {
		panic("serversdk: " + err.Error()) // our own structs of strings, integers and booleans
	}
	start, _ := json.Marshal(struct {
		Action    string
		RequestID string `json:"RequestId"`
	}{action, id})
	if len(raw) > len("{}") {
		start[len(start)-1] = ','
		return append(start, raw[1:]...)
	}
	return start
}

func outcome(action string, raw []byte) error {
	var h head
	if err := json.Unmarshal(raw, &h); err != nil {
		return err
	}
	if h.StatusCode != http.StatusOK {
		return &Error{Action: action, StatusCode: h.StatusCode, Message: h.ErrorMessage}
	}
	return nil
}

// unanswered gives up a call. A connection can be dead without anybody telling
// us, so the socket now has to show a sign of life; two silent calls in a row
// end it even so.
func (c *connection) unanswered(p *pending, waited time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.take(p.id) == nil || c.current == nil || waited < pongLimit {
		return
	}
	c.silent++
	ws, dead := c.current, c.silent >= 2
	go func() {
		ctx, cancel := context.WithTimeout(c.ctx, pongLimit)
		defer cancel()
		if dead || ws.Ping(ctx) != nil {
			ws.CloseNow() // serve notices
		}
	}()
}

func (c *connection) write(ws *websocket.Conn, frame []byte) {
	ctx, cancel := context.WithTimeout(c.ctx, writeLimit)
	defer cancel()
	if ws.Write(ctx, websocket.MessageText, frame) != nil {
		ws.CloseNow()
	}
}

// refresh follows the service to another address or gives it a new token: the
// new socket first, then the old one is let go.
func (c *connection) refresh(address, token string) {
	go func() {
		target := c.url(address, token)
		for {
			ctx, cancel := context.WithTimeout(c.ctx, refreshPause)
			ws, err := c.dialUntil(ctx, target, false)
			cancel()
			if err == nil {
				c.move(ws, target)
				return
			}
			if c.ctx.Err() != nil {
				return
			}
		}
	}()
}

func (c *connection) move(ws *websocket.Conn, target string) {
	c.mu.Lock()
	old := c.current
	c.target = target
	c.mu.Unlock()
	c.adopt(ws)
	go c.serve(ws)
	if old == nil {
		return
	}
	timer := time.NewTimer(stragglerTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		old.Close(websocket.StatusGoingAway, "the process has a newer connection")
	case <-c.ctx.Done():
		old.CloseNow()
	}
}

// letGo stops reconnecting.
func (c *connection) letGo() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
}

func (c *connection) close() {
	c.mu.Lock()
	ws := c.current
	c.current = nil
	c.mu.Unlock()
	if ws != nil {
		ws.Close(websocket.StatusNormalClosure, "the process closes the connection")
	}
	c.cancel()
}
