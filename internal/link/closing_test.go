package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/coder/websocket"
)

// TestServiceSaysWhy: a connection that the service ends is closed with the
// code of docs/link.md and a sentence, at once where there is nothing to wait
// for.
func TestServiceSaysWhy(t *testing.T) {
	const (
		hi    = `{"hello":{"version":1,"instance":"i-1"}}`
		event = `{"events":[{"seq":1,"event":{}}]}`
	)
	away := errors.New("the store is away")
	for _, tt := range []struct {
		name   string
		before func(context.Context, string) error // of the service
		says   []string                            // the agent
		do     func(hub *Hub, other *Agent)        // then
		after  time.Duration
		code   websocket.StatusCode
		reason string // its beginning
	}{
		{"no hello", nil, nil, nil, helloWithin, codeProtocol, "link: the other end does not keep to the protocol: no hello within 10s"},
		{"no JSON", nil, []string{hi, "{"}, nil, 0, codeProtocol, "link: the other end does not keep to the protocol"},
		{"no common version", nil, []string{`{"hello":{"version":3,"oldest":2,"instance":"i-1"}}`}, nil, 0, codeVersion, "link: no common version: the agent speaks 2 to 3"},
		{"silence", nil, []string{hi}, nil, silence, websocket.StatusGoingAway, "link: the other end has been silent for 15s"},
		{"no resume", only("Resume", 1, away), []string{hi}, nil, 0, websocket.StatusTryAgainLater, "resume: the store is away"},
		{"a batch fails", only("Handle", 1, away), []string{hi, event}, nil, 0, websocket.StatusTryAgainLater, "handle: the store is away"},
		{"half a batch", only("Handle", 1, errHalf), []string{hi, event}, nil, 0, websocket.StatusTryAgainLater, "link: the service handled events up to 0 of a batch up to 1"},
		{"dropped", nil, []string{hi}, func(hub *Hub, _ *Agent) { hub.Kick("i-1") }, 0, websocket.StatusTryAgainLater, "dropped by the service"},
		{"too many commands", waits("Resume"), []string{hi}, func(hub *Hub, _ *Agent) {
			for n := range queueCommands + 1 {
				hub.Send([]lift.Effect{{ID: lift.EffectID(fmt.Sprint(n)), To: lift.ToAgent("i-1")}})
			}
		}, 0, websocket.StatusTryAgainLater, "link: too many commands wait for this agent"},
		{"replaced", nil, []string{hi}, func(_ *Hub, other *Agent) {
			if ws, err := other.dial(context.Background()); err == nil {
				ws.CloseNow()
			}
		}, 0, codeReplaced, "a newer connection of the same agent"},
		{"the service stops", nil, []string{hi}, func(hub *Hub, _ *Agent) { hub.Close(context.Background()) }, 0, websocket.StatusGoingAway, "the service is stopping"},
		{"it stops before the hello", nil, nil, func(hub *Hub, _ *Agent) { hub.Close(context.Background()) }, 0, websocket.StatusGoingAway, "the service is stopping"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
				svc.set(tt.before)
				a := n.agent("i-1")
				ws, err := a.dial(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				for _, frame := range tt.says {
					if err := ws.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if tt.do != nil {
					go tt.do(hub, a)
				}
				for err == nil { // until then it hears heartbeats
					_, _, err = ws.Read(t.Context())
				}
				var close websocket.CloseError
				if !errors.As(err, &close) || close.Code != tt.code || !strings.HasPrefix(close.Reason, tt.reason) {
					t.Errorf("got %v\nwant %d %q", err, tt.code, tt.reason)
				}
				if took := time.Since(began); took != tt.after {
					t.Errorf("after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

// waits returns a before that lets one method take until it is cancelled.
func waits(method string) func(context.Context, string) error {
	return func(ctx context.Context, m string) error {
		if m == method {
			<-ctx.Done()
		}
		return ctx.Err()
	}
}

// TestAgentSaysWhy: an agent that cannot accept what it hears says so, and
// tries again, as the service may be put right.
func TestAgentSaysWhy(t *testing.T) {
	for frame, want := range map[string]websocket.StatusCode{
		`{`:          codeProtocol,
		`{"ack":{}}`: codeProtocol,
		`{"welcome":{"version":2,"lastEvent":0}}`: codeVersion,
	} {
		synctest.Test(t, func(t *testing.T) {
			closed := make(chan error, 2)
			n := newNetwork(t)
			n.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ws, err := websocket.Accept(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				ws.Read(r.Context()) // its hello
				ws.Write(r.Context(), websocket.MessageText, []byte(frame))
				_, _, err = ws.Read(r.Context())
				closed <- err
			}))
			defer n.down()
			_, stop := n.run("i-1")
			defer stop()
			for range 2 {
				if err := <-closed; websocket.CloseStatus(err) != want {
					t.Errorf("after %s: %v, want %d", frame, err, want)
				}
			}
		})
	}
}

// A service that was put back to an older state does not know what the agent
// knows: the agent ends.
func TestServiceThatForgotEndsTheAgent(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		a, stop := n.run("i-1")
		a.Ask(t.Context(), accept("p"))
		svc.mu.Lock()
		svc.agents = map[lift.InstanceID]*memory{}
		svc.mu.Unlock()
		hub.Kick("i-1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := a.Ask(ctx, accept("p")); !errors.Is(err, ErrForgotten) {
			t.Errorf("got %v", err)
		}
		if err := stop(); !errors.Is(err, ErrForgotten) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// Why the service cannot be reached is told in its own words.
func TestDialRefused(t *testing.T) {
	for _, tt := range []struct {
		name    string
		service http.HandlerFunc
		want    string
	}{
		{"gone", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "fleet-1 was deleted", http.StatusGone) }, "the service answered 410: fleet-1 was deleted"},
		{"no link there", http.NotFound, "the service answered 404: 404 page not found"},
		{"no WebSocket there", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) }, "Connection header"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.serve(tt.service)
			defer n.down()
			a := n.agent("i-1")
			defer a.client.CloseIdleConnections()
			if _, err := a.dial(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
		})
	}
}

// TestAgentLog: an agent says once that its link is lost and why, however long
// the service is away, and once that it is up again.
func TestAgentLog(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		var log lines
		a := n.agent("i-1")
		a.o.Log = log.logger()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.Run(ctx)
		}()
		a.Ask(ctx, accept("p"))
		hub.Close(ctx)
		n.down()
		time.Sleep(time.Hour)
		n.serve(NewHub(HubOptions{Service: svc}))
		for range 3 {
			a.Ask(ctx, accept("p"))
		}
		cancel()
		<-done
		log.want(t,
			"link up … server=http://elsewhere",
			"link lost … the service is stopping … again=",
			"link lost … connection refused",
			"link up")
	})
}

// TestQuestionOfANewerAgent: a question that this release does not know is
// answered with an error, and whoever runs the service can read of it.
func TestQuestionOfANewerAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		hub := NewHub(HubOptions{Service: newService(), Log: log.logger()})
		n := newNetwork(t)
		n.serve(hub)
		defer n.down()
		ws, err := n.agent("i-1").dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range []string{
			`{"hello":{"version":1,"instance":"i-1"}}`,
			`{"events":[{"seq":1,"event":{"AcceptPlayer":{}}}]}`,
			`{"events":[{"seq":2,"ask":true,"event":{"AskedInFuture":{}}}]}`,
		} {
			ws.Write(t.Context(), websocket.MessageText, []byte(frame))
			synctest.Wait()
		}
		var heard string
		for err == nil && !strings.Contains(heard, `"upTo":2`) {
			var data []byte
			_, data, err = ws.Read(t.Context())
			heard += string(data)
		}
		if !strings.Contains(heard, `{"seq":1,"reply":{"Status":200`) || !strings.Contains(heard, `{"seq":2,"reply":{"Status":500`) {
			t.Errorf("heard %s, %v", heard, err)
		}
		ws.Close(websocket.StatusNormalClosure, "upgraded too soon")
		synctest.Wait()
		log.want(t,
			"agent connected … instance=i-1",
			"agent asked, the service has no reply … instance=i-1 … events=[2]",
			"agent disconnected … upgraded too soon")
	})
}

// lines is what a log holds.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// want wants these lines and no others, each given by parts of it with … between
// them.
func (l *lines) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	got := strings.Split(strings.TrimSpace(l.text.String()), "\n")
	for n := range max(len(got), len(want)) {
		if n >= len(got) || n >= len(want) || !holds(got[n], want[n]) {
			t.Fatalf("got\n%s\nwant\n%s\nwhich differ in line %d", strings.Join(got, "\n"), strings.Join(want, "\n"), n+1)
		}
	}
}

func holds(line, want string) bool {
	for part := range strings.SplitSeq(want, " … ") {
		_, rest, ok := strings.Cut(line, part)
		if !ok {
			return false
		}
		line = rest
	}
	return true
}
