package link

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// bubble runs f with fake time, a service behind a hub, and the network to it.
func bubble(t *testing.T, f func(t *testing.T, svc *service, hub *Hub, n *network)) {
	synctest.Test(t, func(t *testing.T) {
		svc := newService()
		hub := NewHub(HubOptions{Service: svc})
		n := newNetwork(t)
		n.serve(hub)
		f(t, svc, hub, n)
		n.down()
		if err := hub.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func accept(p string) lift.Event {
	return lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: lift.ProcessID(p)}}
}

// only returns a before that fails the first n calls of one method.
func only(method string, n int32, err error) func(context.Context, string) error {
	var calls atomic.Int32
	return func(_ context.Context, m string) error {
		if m == method && calls.Add(1) <= n {
			return err
		}
		return nil
	}
}

func TestAskOutlivesARestart(t *testing.T) {
	for name, soon := range map[string]time.Duration{"http://elsewhere": lastPause, "unix:/here": lastPauseHere} {
		t.Run(name, func(t *testing.T) { testAskOutlivesARestart(t, name, soon) })
	}
}

func testAskOutlivesARestart(t *testing.T, name string, soon time.Duration) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		n.name = name
		a, stop := n.run("i-1")
		defer stop()
		if _, err := a.Ask(t.Context(), accept("p")); err != nil {
			t.Fatal(err)
		}
		n.down()
		began := time.Now()
		reply := make(chan lift.Reply)
		go func() {
			r, err := a.Ask(t.Context(), accept("q"))
			if err != nil {
				t.Error(err)
			}
			reply <- r
		}()
		time.Sleep(10 * time.Minute)
		if a.Connected() {
			t.Error("connected to nothing")
		}
		// Each pause is between a half and the whole of the longest, but for the first few.
		n.mu.Lock()
		tries, most := n.tries, int(20*time.Minute/soon)+20
		n.mu.Unlock()
		if tries < most/2-20 || tries > most {
			t.Errorf("tried %d times in 10 minutes, want at most %d and more than half of that", tries, most)
		}
		n.serve(NewHub(HubOptions{Service: svc}))
		if r := <-reply; r.Message != "reply 2" {
			t.Errorf("got %q", r.Message)
		}
		if waited := time.Since(began) - 10*time.Minute; waited > soon {
			t.Errorf("found the service %v after it was back", waited)
		}
		if got := len(svc.handled("i-1")); got != 2 {
			t.Errorf("handled %d events, want 2", got)
		}
		// A connection that stood for long is missed for no longer than at first.
		time.Sleep(time.Hour)
		n.cut()
		began = time.Now()
		if _, err := a.Ask(t.Context(), accept("r")); err != nil || time.Since(began) > firstPause {
			t.Errorf("the reply came after %v, %v", time.Since(began), err)
		}
		began = time.Now()
		if _, err := a.Ask(t.Context(), accept("s")); err != nil || time.Since(began) > 0 {
			t.Errorf("on a connection that stands the reply came after %v, %v", time.Since(began), err)
		}
	})
}

func TestAskGivenUpTakesEffect(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		n.down()
		a, stop := n.run("i-1")
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := a.Ask(ctx, accept("p")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		n.serve(hub)
		if err := a.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(svc.handled("i-1")); got != 1 {
			t.Errorf("handled %d events, want 1", got)
		}
		if _, err := a.Ask(t.Context(), exited("p")); err == nil {
			t.Error("asked what nobody answers")
		}
		nobodyWaits(t, a)
	})
}

// nobodyWaits wants an agent to keep nothing of questions that are answered or
// given up: it may live for months.
func nobodyWaits(t *testing.T, a *Agent) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.asked) > 0 {
		t.Errorf("%d questions are still waited for", len(a.asked))
	}
}

// TestHandleFails: whether a batch fails before or after its commit, it is
// handled once, and its reply arrives.
func TestHandleFails(t *testing.T) {
	for _, method := range []string{"Authenticate", "Resume", "Handle", "Handled"} {
		t.Run(method, func(t *testing.T) {
			bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
				svc.set(only(method, 3, errors.New("the store is away")))
				a, stop := n.run("i-1")
				defer stop()
				for i := range 5 {
					r, err := a.Ask(t.Context(), accept("p"))
					if want := fmt.Sprintf("reply %d", i+1); err != nil || r.Message != want {
						t.Errorf("got %q, %v, want %q", r.Message, err, want)
					}
				}
				if got := len(svc.handled("i-1")); got != 5 {
					t.Errorf("handled %d events, want 5", got)
				}
			})
		})
	}
}

// TestSlowHandle: a transaction that takes a minute loses no connection, and
// the next batch is collected meanwhile.
func TestSlowHandle(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		var connects, handles atomic.Int32
		svc.set(func(ctx context.Context, method string) error {
			switch method {
			case "Authenticate":
				connects.Add(1)
			case "Handle":
				handles.Add(1)
				time.Sleep(time.Minute)
			}
			return nil
		})
		a, stop := n.run("i-1")
		defer stop()
		began := time.Now()
		for range 1000 {
			if err := a.Report(t.Context(), exited("p")); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := handles.Load(); n > 5 {
			t.Errorf("1000 events took %d transactions", n)
		}
		if at, ok := hub.Heard("i-1"); !ok || time.Since(at) > beatEvery {
			t.Errorf("heard %v ago", time.Since(at))
		}
		if n := connects.Load(); n != 1 {
			t.Errorf("%d connections in %v, want 1", n, time.Since(began))
		}
	})
}

func TestSilenceIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		a, stop := n.run("i-1")
		defer stop()
		a.Ask(t.Context(), accept("p"))
		if got := hub.Connected(); !slices.Equal(got, []lift.InstanceID{"i-1"}) {
			t.Fatalf("connected: %v", got)
		}
		time.Sleep(time.Hour)
		n.deaden()
		began := time.Now()
		if r, err := a.Ask(t.Context(), accept("q")); err != nil || r.Message != "reply 2" {
			t.Errorf("got %q, %v", r.Message, err)
		}
		// Dropped when silent, and replaced by the newer connection at the hub.
		if took := time.Since(began); took < silence-beatEvery || took > silence+firstPause {
			t.Errorf("noticed after %v", took)
		}

		// Without a newer one the hub notices too.
		n.deaden()
		n.mu.Lock()
		n.refuse = true
		n.mu.Unlock()
		before, _ := hub.Heard("i-1")
		time.Sleep(silence + time.Second)
		if got := hub.Connected(); len(got) > 0 {
			t.Errorf("still connected: %v", got)
		}
		if at, ok := hub.Heard("i-1"); !ok || at.Sub(before) > time.Second {
			t.Errorf("heard %v, %v, want about %v", at, ok, before)
		}
		if _, ok := hub.Heard("i-2"); ok {
			t.Error("heard an agent that never was")
		}
	})
}

func TestNewerConnectionReplaces(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		a, stop := n.run("i-1")
		a.Ask(t.Context(), accept("p"))
		// Somebody else in its name: it has not spoken before, but the service
		// knows of an event.
		b, stopB := n.run("i-1")
		if _, err := b.Ask(t.Context(), accept("p")); !errors.Is(err, ErrOtherLife) {
			t.Errorf("the second agent: %v", err)
		}
		<-b.done
		if err := b.Report(t.Context(), exited("p")); !errors.Is(err, ErrOtherLife) {
			t.Errorf("after its end: %v", err)
		}
		if err := stopB(); !errors.Is(err, ErrOtherLife) {
			t.Errorf("Run returned %v", err)
		}
		if r, err := a.Ask(t.Context(), accept("p")); err != nil || r.Message != "reply 2" {
			t.Errorf("the first agent: %q, %v", r.Message, err)
		}
		if got := hub.Connected(); len(got) != 1 {
			t.Errorf("connected: %v", got)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestGoneEndsTheAgent(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		a, stop := n.run("i-1")
		a.Ask(t.Context(), accept("p"))
		// That something is not found in a transaction does not end an agent.
		gone := lift.Errorf(lift.NotFound, "fleet-1 was deleted")
		svc.set(only("Handle", 3, gone))
		if r, err := a.Ask(t.Context(), accept("p")); err != nil || r.Message != "reply 2" {
			t.Errorf("got %q, %v", r.Message, err)
		}
		svc.set(only("Authenticate", 1, gone))
		hub.Kick("i-1")
		if _, err := a.Ask(t.Context(), accept("p")); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "fleet-1 was deleted") {
			t.Errorf("got %v", err)
		}
		if err := stop(); !errors.Is(err, ErrGone) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestWrongTokenIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		svc.set(only("Authenticate", 100, lift.Errorf(lift.Unauthorized, "not yet")))
		a, stop := n.run("i-1")
		defer stop()
		began := time.Now()
		if _, err := a.Ask(t.Context(), accept("p")); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < time.Minute || took > 100*lastPause {
			t.Errorf("100 attempts took %v", took)
		}
	})
}

// TestCommands: a command is sent again until its owner took it, and handed
// out once.
func TestCommands(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		c1 := svc.command("i-1", "c1")
		hub.Send([]lift.Effect{c1}) // nobody there: dropped
		a, stop := n.run("i-1")
		defer stop()
		a.Ask(t.Context(), accept("p"))
		c2, c3 := svc.command("i-1", "c2"), svc.command("i-1", "c3")
		hub.Send([]lift.Effect{c1, {ID: "x", To: lift.ToAgent("i-2")}, {ID: "y", To: lift.ToHost}, c2})
		left := func() []lift.EffectID {
			synctest.Wait()
			_, pending, _ := svc.Resume(t.Context(), "i-1")
			var ids []lift.EffectID
			for _, ef := range pending {
				ids = append(ids, ef.ID)
			}
			return ids
		}
		if got := left(); len(got) != 3 {
			t.Errorf("acknowledged before it was taken: left are %v", got)
		}
		n.cut() // and all come again
		time.Sleep(time.Minute)
		hub.Send([]lift.Effect{c3})
		for _, want := range []lift.EffectID{"c1", "c2", "c3"} {
			if got := (<-a.Commands()).ID; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if got := left(); len(got) != 0 {
			t.Errorf("left are %v", got)
		}
		hub.Send([]lift.Effect{c1, c2, c3}) // late
		time.Sleep(time.Minute)
		select {
		case ef := <-a.Commands():
			t.Errorf("%s came twice", ef.ID)
		default:
		}
	})
}

// TestReportWaitsWhenFull: the outbox is bounded, and nothing is dropped.
func TestReportWaitsWhenFull(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		n.down()
		a, stop := n.run("i-1")
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		reported := 0
		for a.Report(ctx, exited("p")) == nil {
			reported++
		}
		if reported != bufferEvents || ctx.Err() == nil {
			t.Errorf("full after %d events, want %d", reported, bufferEvents)
		}
		go func() {
			time.Sleep(time.Minute)
			n.serve(hub)
		}()
		if _, err := a.Ask(t.Context(), accept("last")); err != nil {
			t.Error(err)
		}
		if err := a.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if got := len(svc.handled("i-1")); got != reported+1 {
			t.Errorf("handled %d events, want %d", got, reported+1)
		}
		nobodyWaits(t, a)
	})
}

// TestCloseFinishesTheBatch: what is being handled is acknowledged before the
// connection ends.
func TestCloseFinishesTheBatch(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		svc.set(func(_ context.Context, method string) error {
			if method == "Handle" {
				time.Sleep(3 * time.Second)
			}
			return nil
		})
		a, stop := n.run("i-1")
		defer stop()
		asked := make(chan error)
		go func() {
			_, err := a.Ask(t.Context(), accept("p"))
			asked <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := hub.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("Close took %v", took)
		}
		select {
		case err := <-asked:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Millisecond):
			t.Error("the reply did not arrive before the connection ended")
		}
		time.Sleep(time.Minute)
		if got := hub.Connected(); len(got) != 0 || a.Connected() {
			t.Errorf("connected after Close: %v", got)
		}
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		var ended atomic.Bool
		svc.set(func(ctx context.Context, method string) error {
			if method == "Handle" {
				<-ctx.Done()
				ended.Store(true)
			}
			return ctx.Err()
		})
		a, stop := n.run("i-1")
		defer stop()
		a.Report(t.Context(), exited("p"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := hub.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if !ended.Load() {
			t.Error("the context of Handle stands after Close")
		}
		if _, err := n.agent("i-2").dial(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("a closed hub answers %v", err)
		}
	})
}

func TestManyAgentsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := newService()
		hub := NewHub(HubOptions{Service: svc, MaxAgents: 1})
		n := newNetwork(t)
		n.serve(hub)
		a, stopA := n.run("i-1")
		a.Ask(t.Context(), accept("p"))
		b, stopB := n.run("i-2")
		b.Report(t.Context(), exited("p"))
		time.Sleep(time.Minute)
		if b.Connected() {
			t.Error("one agent too many")
		}
		n.cut()
		stopA()
		if err := b.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		stopB()
		n.down()
		hub.Close(t.Context())
	})
}

func TestHandshakeRefusals(t *testing.T) {
	hub := NewHub(HubOptions{Service: newService()})
	for _, tt := range []struct {
		method, url, auth string
		want              int
	}{
		{"GET", "/agent", "", http.StatusUnauthorized},
		{"GET", "/agent?instance=i-1", "", http.StatusUnauthorized},
		{"GET", "/agent?instance=i-1", "Bearer wrong", http.StatusUnauthorized},
		{"GET", "/agent?instance=i-1", "token of i-1", http.StatusUnauthorized},
		{"GET", "/agent", "Bearer token of ", http.StatusUnauthorized},
		{"GET", "/agent?instance=i-1", "Bearer token of i-1", http.StatusUpgradeRequired},
		{"GET", "/agent/?instance=i-1", "Bearer token of i-1", http.StatusUpgradeRequired},
		{"HEAD", "/agent/build?instance=i-1", "Bearer token of i-1", http.StatusOK},
		{"GET", "/agent/logs/a?instance=i-1", "Bearer token of i-1", http.StatusNotFound},
		{"GET", "/agent/else?instance=i-1", "Bearer token of i-1", http.StatusNotFound},
		{"POST", "/agent/build?instance=i-1", "Bearer token of i-1", http.StatusNotFound},
		{"GET", "/agent/build?instance=i-1", "Bearer token of i-2", http.StatusUnauthorized},
		{"POST", "/agent/logs/a?instance=i-1", "Bearer token of i-1", http.StatusBadRequest},
		{"POST", "/agent/logs/a?instance=i-1&offset=-1", "Bearer token of i-1", http.StatusBadRequest},
		{"POST", "/agent/logs/?instance=i-1&offset=0", "Bearer token of i-1", http.StatusBadRequest},
		{"POST", "/agent/logs/..%2fa?instance=i-1&offset=0", "Bearer token of i-1", http.StatusBadRequest},
		{"POST", "/agent/logs/a//b?instance=i-1&offset=0", "Bearer token of i-1", http.StatusBadRequest},
	} {
		if got := answer(t, hub, tt.method, tt.url, tt.auth, nil).Code; got != tt.want {
			t.Errorf("%s %s with %q: %d, want %d", tt.method, tt.url, tt.auth, got, tt.want)
		}
	}
	for _, err := range []error{errors.New("the store is away"), lift.Errorf(lift.Throttling, "later")} {
		busy := newService()
		busy.set(func(context.Context, string) error { return err })
		if got := answer(t, NewHub(HubOptions{Service: busy}), "GET", "/agent?instance=i-1", "Bearer token of i-1", nil).Code; got != http.StatusServiceUnavailable {
			t.Errorf("a service that cannot check tokens answers %d", got)
		}
	}
	// Half a WebSocket is none.
	r := httptest.NewRequest(http.MethodGet, "/agent?instance=i-1", nil)
	r.Header = http.Header{"Authorization": {"Bearer token of i-1"}, "Connection": {"upgrade"}, "Upgrade": {"websocket"}}
	w := httptest.NewRecorder()
	hub.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || len(hub.Connected()) > 0 {
		t.Errorf("half a handshake: %d, connected are %v", w.Code, hub.Connected())
	}
}

func TestNewAgentSaysWhatIsMissing(t *testing.T) {
	for _, tt := range []struct{ server, instance, token, says string }{
		{"http://h:1", "", "t", "needs the instance it is"},
		{"http://h:1", "i", "", "and its token"},
		{"unix:", "i", "t", "needs the path of a socket"},
		{"ftp://h:1", "i", "t", "is none of unix:/path"},
		{"http://", "i", "t", "is none of unix:/path"},
		{"h:1", "i", "t", "is none of unix:/path"},
		{":", "i", "t", "is none of unix:/path"},
		{"https://h:1", "i", "t", ""},
		{"unix:/s", "i", "t", ""},
	} {
		_, err := NewAgent(Options{Server: tt.server, Instance: lift.InstanceID(tt.instance), Token: tt.token})
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// What can never be sent is refused at once, also where nobody listens.
func TestReportRefusesWhatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newNetwork(t).agent("i-1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if err := a.Report(ctx, notice("N", strings.Repeat("x", eventMaxBytes))); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a large notice: %v", err)
		}
		if _, err := a.Ask(ctx, accept(strings.Repeat("x", eventMaxBytes))); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a large question: %v", err)
		}
		if err := a.Report(ctx, lift.Event{At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
			t.Error("an event of the year 10000 was taken")
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it waited %s", waited)
		}
	})
}

// TestNewestConnectionCounts: a newer connection of an agent takes the place of
// the older, also where there is place for no other agent.
func TestNewestConnectionCounts(t *testing.T) {
	hub := NewHub(HubOptions{Service: newService(), MaxAgents: 1})
	older, newer, other := newConn(hub, "i-1"), newConn(hub, "i-1"), newConn(hub, "i-2")
	for _, c := range []*conn{older, newer} {
		if err := hub.admit(c); err != nil {
			t.Error(err)
		}
	}
	if err := hub.admit(other); err == nil {
		t.Error("one agent too many")
	}
	if cause, ok := context.Cause(older.ctx).(ending); !ok || cause.code != codeReplaced || newer.ctx.Err() != nil {
		t.Errorf("the older ended with %v, the newer with %v", cause, newer.ctx.Err())
	}
	hub.remove(older) // late
	if got := hub.Connected(); !slices.Equal(got, []lift.InstanceID{"i-1"}) {
		t.Errorf("connected: %v", got)
	}
	hub.remove(newer)
	if err := hub.admit(other); err != nil {
		t.Error(err)
	}
	if got := hub.Connected(); !slices.Equal(got, []lift.InstanceID{"i-2"}) {
		t.Errorf("connected: %v", got)
	}
}

// TestHeard: when an agent was last heard is known for an hour after it left,
// and not kept for ever.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := NewHub(HubOptions{Service: newService()})
		comes := func(n int) *conn {
			c := newConn(hub, lift.InstanceID(fmt.Sprint("i-", n)))
			if err := hub.admit(c); err != nil {
				t.Fatal(err)
			}
			return c
		}
		const many = 1100 // more than are remembered anyway
		for n := range many {
			hub.remove(comes(n))
		}
		time.Sleep(time.Hour)
		hub.remove(comes(many))
		if at, ok := hub.Heard("i-0"); !ok || time.Since(at) != time.Hour {
			t.Errorf("after an hour: %v, %v", at, ok)
		}
		time.Sleep(time.Second)
		hub.remove(comes(many))
		if _, ok := hub.Heard("i-0"); ok || len(hub.past) != 1 {
			t.Errorf("later than that: heard is %v, %d agents are remembered", ok, len(hub.past))
		}
		if at, ok := hub.Heard(lift.InstanceID(fmt.Sprint("i-", many))); !ok || time.Since(at) != 0 {
			t.Errorf("the last to leave: %v, %v", at, ok)
		}
	})
}
