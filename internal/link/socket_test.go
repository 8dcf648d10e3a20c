package link

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// unixHub serves hub on a unix socket and returns its address.
func unixHub(tb testing.TB, hub *Hub) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	srv := &http.Server{Handler: hub}
	go srv.Serve(l)
	tb.Cleanup(func() { srv.Close() })
	return "unix:" + path
}

// run starts an agent that ends with the test.
func run(tb testing.TB, server string, id lift.InstanceID) *Agent {
	tb.Helper()
	a, err := NewAgent(Options{Server: server, Instance: id, Token: "token of " + string(id)})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Run(ctx)
	}()
	tb.Cleanup(func() { cancel(); <-done })
	return a
}

func TestUnixSocket(t *testing.T) {
	svc := newService()
	hub := NewHub(HubOptions{Service: svc})
	a := run(t, unixHub(t, hub), "i-1")
	if err := a.Report(t.Context(), lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: "p"}}); err != nil {
		t.Fatal(err)
	}
	r, err := a.Ask(t.Context(), lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: "p"}})
	if err != nil || r.Message != "reply 2" {
		t.Fatalf("got %v, %v", r, err)
	}
	hub.Send([]lift.Effect{svc.command("i-1", "c1")})
	if ef := <-a.Commands(); ef.ID != "c1" {
		t.Fatalf("got %v", ef)
	}
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(svc.handled("i-1")); n != 2 {
		t.Errorf("handled %d events, want 2", n)
	}
	if err := hub.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
