package serversdk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/sdk/sdktest"
	"github.com/chairlift-games/chairlift/serversdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

// Everything the environment says wins over Params.
func TestEnvironmentWins(t *testing.T) {
	host := sdktest.Start(t)
	for _, e := range host.Environment(process) {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	t.Setenv("GAMELIFT_SDK_TOOL_NAME", "wrap")
	t.Setenv("GAMELIFT_SDK_TOOL_VERSION", "1")
	s := ready(t, serversdk.Params{WebSocketURL: "ws://wrong", ProcessID: "wrong", HostID: "wrong", FleetID: "wrong", AuthToken: "wrong", ToolName: "wrong"},
		serversdk.ProcessParameters{Port: 4000, LogPaths: []string{"logs"}})
	if hello := host.Hellos()[0]; hello.Process != process {
		t.Errorf("connected as %v", hello.Process)
	}
	want := sdk.ActivateServerProcess{SDKVersion: "5.6.0", SDKLanguage: "Go", ToolName: "wrap", ToolVersion: "1", Port: 4000, LogPaths: []string{"logs"}}
	if diff := cmp.Diff(want, host.Heard()[0].Request); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	s.Close()

	t.Setenv("GAMELIFT_SDK_PROCESS_ID", "ManagedResource")
	initServer(t, serversdk.Params{})
	initServer(t, serversdk.Params{})
	hellos := host.Hellos()
	if a, b := hellos[1].Process.ID, hellos[2].Process.ID; len(a) != 36 || a == b {
		t.Errorf("made up the process ids %q and %q", a, b)
	}
}

func TestBadParams(t *testing.T) {
	good := serversdk.Params{WebSocketURL: "ws://127.0.0.1:1", ProcessID: "p", HostID: "h", FleetID: "f", AuthToken: "t"}
	for name, change := range map[string]func(*serversdk.Params){
		"GAMELIFT_SDK_WEBSOCKET_URL": func(p *serversdk.Params) { p.WebSocketURL = "" },
		"GAMELIFT_SDK_PROCESS_ID":    func(p *serversdk.Params) { p.ProcessID = "" },
		"GAMELIFT_SDK_HOST_ID":       func(p *serversdk.Params) { p.HostID = "" },
		"GAMELIFT_SDK_FLEET_ID":      func(p *serversdk.Params) { p.FleetID = "" },
		"GAMELIFT_SDK_AUTH_TOKEN":    func(p *serversdk.Params) { p.AuthToken = "" },
		"ws://":                      func(p *serversdk.Params) { p.WebSocketURL = "http://127.0.0.1:1" },
		"HEALTHCHECK_INTERVAL":       func(*serversdk.Params) { t.Setenv("HEALTHCHECK_INTERVAL", "soon") },
	} {
		p := good
		change(&p)
		if _, err := serversdk.Init(t.Context(), p); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		t.Setenv("HEALTHCHECK_INTERVAL", "")
	}
}

func TestBadProcessParameters(t *testing.T) {
	host := sdktest.Start(t)
	s := initServer(t, params(host))
	start := func(serversdk.GameSession) {}
	for _, p := range []serversdk.ProcessParameters{{OnStartGameSession: start}, {Port: 60001, OnStartGameSession: start}, {Port: 7777}} {
		if err := s.ProcessReady(t.Context(), p); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
	if _, err := s.DescribePlayerSessions(t.Context(), serversdk.DescribePlayerSessionsRequest{}); !errors.Is(err, serversdk.ErrNotReady) {
		t.Error(err)
	}
	// A refused ProcessReady changes nothing, and may be repeated.
	host.Before(func(context.Context, sdk.Process, sdk.Request) error { return sdk.Errorf(409, "busy") })
	good := serversdk.ProcessParameters{Port: 7777, OnStartGameSession: start}
	var answer *serversdk.Error
	if err := s.ProcessReady(t.Context(), good); !errors.As(err, &answer) || answer.StatusCode != 409 || answer.Action != "ActivateServerProcess" {
		t.Error(err)
	}
	if _, err := s.DescribePlayerSessions(t.Context(), serversdk.DescribePlayerSessionsRequest{}); !errors.Is(err, serversdk.ErrNotReady) {
		t.Error(err)
	}
	host.Before(nil)
	if err := s.ProcessReady(t.Context(), good); err != nil {
		t.Error(err)
	}
}

// Also over TLS, if the certificate is trusted.
func TestTLS(t *testing.T) {
	host := sdktest.Start(t)
	p := params(host)
	p.WebSocketURL = strings.Replace(p.WebSocketURL, "ws:", "wss:", 1)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	p.HTTPClient = &http.Client{Transport: transport}
	ready(t, p, serversdk.ProcessParameters{})
	p.HTTPClient = nil
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := serversdk.Init(ctx, p); err == nil {
		t.Error("trusted a certificate nobody vouches for")
	}
}
