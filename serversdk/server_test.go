package serversdk_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/sdk/sdktest"
	"github.com/chairlift-games/chairlift/serversdk"
)

var process = sdk.Process{Fleet: "fleet-1", Compute: "compute-1", ID: "process-1"}

const session = "arn:aws:gamelift:us-west-2::gamesession/fleet-1/gsess-1"

func params(h *sdktest.Host) serversdk.Params {
	return serversdk.Params{
		WebSocketURL: h.URL(), ProcessID: process.ID, HostID: process.Compute, FleetID: process.Fleet, AuthToken: sdktest.Token,
	}
}

func initServer(t *testing.T, p serversdk.Params) *serversdk.Server {
	t.Helper()
	s, err := serversdk.Init(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// The life of a process, from InitSDK to its end.
func TestLife(t *testing.T) {
	host := sdktest.Start(t)
	s := initServer(t, params(host))
	started := make(chan serversdk.GameSession, 1)
	terminated := make(chan struct{})
	err := s.ProcessReady(t.Context(), serversdk.ProcessParameters{
		Port:               7777,
		OnStartGameSession: func(g serversdk.GameSession) { started <- g },
		OnProcessTerminate: func() { close(terminated) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ActivateGameSession(t.Context()); !errors.Is(err, serversdk.ErrNoGameSession) {
		t.Errorf("activate without a session: %v", err)
	}
	host.Create(process, sdk.CreateGameSession{GameSessionID: session, GameSessionName: "first", Port: 7777, GameProperties: map[string]string{"map": "forest"}})
	g := <-started
	if g.GameSessionID != session || g.Name != "first" || g.GameProperties["map"] != "forest" || g.FleetID != process.Fleet {
		t.Errorf("started with %+v", g)
	}
	if err := s.ActivateGameSession(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := host.Reserve(session, "ada")
	if err := s.AcceptPlayerSession(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	var answer *serversdk.Error
	if err := s.AcceptPlayerSession(t.Context(), id); !errors.As(err, &answer) || answer.StatusCode != 409 {
		t.Errorf("accepted twice: %v", err)
	}
	if err := s.AcceptPlayerSession(t.Context(), "psess-none"); !errors.As(err, &answer) || answer.StatusCode != 404 {
		t.Errorf("accepted a stranger: %v", err)
	}
	page, err := s.DescribePlayerSessions(t.Context(), serversdk.DescribePlayerSessionsRequest{PlayerID: "ada"})
	if err != nil || len(page.Sessions) != 1 || page.Sessions[0].Status != "ACTIVE" || !page.Sessions[0].CreationTime.Equal(time.UnixMilli(1_700_000_000_123)) {
		t.Errorf("described %+v, %v", page, err)
	}
	if err := s.RemovePlayerSession(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(5 * time.Minute).Truncate(time.Millisecond)
	host.Door.Push(process, sdk.TerminateProcess{TerminationTime: until})
	<-terminated
	if at, ok := s.TerminationTime(); !ok || !at.Equal(until) {
		t.Errorf("termination at %v, %v; want %v", at, ok, until)
	}
	if err := s.ProcessEnding(t.Context()); err != nil {
		t.Fatal(err)
	}
	host.UntilSession(session, "TERMINATED")
	host.Wait(process, "HeartbeatServerProcess")
}

func TestRefused(t *testing.T) {
	host := sdktest.Start(t)
	p := params(host)
	p.AuthToken = "wrong"
	_, err := serversdk.Init(t.Context(), p)
	var refused *serversdk.RefusedError
	if !errors.As(err, &refused) || refused.StatusCode != 403 || refused.Reason != "unknown token" {
		t.Errorf("got %v", err)
	}
	host.Door.Forget(process)
	if _, err := serversdk.Init(t.Context(), params(host)); !errors.As(err, &refused) || refused.StatusCode != 403 {
		t.Errorf("an ended process came back: %v", err)
	}
}

func TestInitGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := serversdk.Init(ctx, serversdk.Params{WebSocketURL: "ws://127.0.0.1:1", ProcessID: "p", HostID: "h", FleetID: "f", AuthToken: "secret-token"})
	if err == nil {
		t.Fatal("connected to nothing")
	}
	if text := err.Error(); len(text) == 0 || strings.Contains(text, "secret-token") {
		t.Errorf("the error tells the token: %s", text)
	}
}
