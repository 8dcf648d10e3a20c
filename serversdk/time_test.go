package serversdk_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/sdk/sdktest"
	"github.com/chairlift-games/chairlift/serversdk"
)

// inFakeTime runs f with a host that is reached without a network.
func inFakeTime(t *testing.T, f func(t *testing.T, host *sdktest.Host, p serversdk.Params)) {
	synctest.Test(t, func(t *testing.T) {
		host := sdktest.New(t, sdk.Options{})
		pipe := sdktest.NewPipe()
		host.Serve(pipe)
		p := params(host)
		p.HTTPClient = pipe.Client()
		f(t, host, p)
	})
}

// ready is a server that has said ProcessReady.
func ready(t *testing.T, p serversdk.Params, pp serversdk.ProcessParameters) *serversdk.Server {
	t.Helper()
	s := initServer(t, p)
	if pp.Port == 0 {
		pp.Port = 7777
	}
	if pp.OnStartGameSession == nil {
		pp.OnStartGameSession = func(serversdk.GameSession) {}
	}
	if err := s.ProcessReady(t.Context(), pp); err != nil {
		t.Fatal(err)
	}
	return s
}

// beats collects the heartbeats of a host.
type beats struct {
	mu   sync.Mutex
	at   []time.Time
	well []bool
}

func watch(host *sdktest.Host) *beats {
	b := &beats{}
	host.Before(func(_ context.Context, _ sdk.Process, r sdk.Request) error {
		if beat, ok := r.(sdk.HeartbeatServerProcess); ok {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.at = append(b.at, time.Now())
			b.well = append(b.well, beat.Healthy)
		}
		return nil
	})
	return b
}

func (b *beats) snapshot() ([]time.Time, []bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Time(nil), b.at...), append([]bool(nil), b.well...)
}

// At once, then every 60 s, give or take 10 s; without a callback: healthy.
func TestHeartbeats(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		beats := watch(host)
		start := time.Now()
		s := ready(t, p, serversdk.ProcessParameters{})
		time.Sleep(time.Hour)
		at, well := beats.snapshot()
		if len(at) < 51 || len(at) > 73 || at[0].Sub(start) > time.Second {
			t.Fatalf("%d heartbeats in an hour, the first after %v", len(at), at[0].Sub(start))
		}
		short, long := time.Hour, time.Duration(0)
		for i := 1; i < len(at); i++ {
			short, long = min(short, at[i].Sub(at[i-1])), max(long, at[i].Sub(at[i-1]))
		}
		if short < 49*time.Second || long > 71*time.Second || long-short < 5*time.Second {
			t.Errorf("between heartbeats: %v to %v", short, long)
		}
		for i, ok := range well {
			if !ok {
				t.Errorf("heartbeat %d is unhealthy", i)
			}
		}
		if err := s.ProcessEnding(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if later, _ := beats.snapshot(); len(later) != len(at) {
			t.Errorf("%d heartbeats after ProcessEnding", len(later)-len(at))
		}
	})
}

// A health check that does not return counts as no after 50 s, and is not asked
// a second time meanwhile.
func TestHealthCheckThatHangs(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		beats := watch(host)
		hang := make(chan struct{})
		var asked atomic.Int32
		start := time.Now()
		ready(t, p, serversdk.ProcessParameters{OnHealthCheck: func() bool {
			if asked.Add(1) == 2 {
				<-hang
			}
			return true
		}})
		time.Sleep(5 * time.Minute)
		at, well := beats.snapshot()
		if len(well) < 4 || !well[0] || well[1] || well[2] || asked.Load() != 2 {
			t.Errorf("%v, asked %d times", well, asked.Load())
		}
		if late := at[1].Sub(start); late < 99*time.Second || late > 121*time.Second {
			t.Errorf("the hung check was reported after %v", late)
		}
		close(hang)
		time.Sleep(3 * time.Minute)
		if _, well := beats.snapshot(); !well[len(well)-1] {
			t.Error("still unhealthy after the check returned")
		}
	})
}

func TestCallsWait20s(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		s := ready(t, p, serversdk.ProcessParameters{})
		release := make(chan struct{})
		host.Before(func(_ context.Context, _ sdk.Process, r sdk.Request) error {
			if r.Action() == "TerminateServerProcess" {
				<-release
			}
			return nil
		})
		start := time.Now()
		if err := s.ProcessEnding(t.Context()); !errors.Is(err, serversdk.ErrNoAnswer) || time.Since(start) != 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := s.ProcessEnding(ctx); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		// A caller with time gets it.
		patient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		time.AfterFunc(50*time.Second, func() { close(release) })
		if err := s.ProcessEnding(patient); err != nil {
			t.Error(err)
		}
	})
}

// Two calls in a row without an answer end the socket, even if it shows signs of
// life; the next one carries on.
func TestDeafService(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		s := ready(t, p, serversdk.ProcessParameters{})
		deaf := true
		var mu sync.Mutex
		host.Before(func(ctx context.Context, _ sdk.Process, r sdk.Request) error {
			mu.Lock()
			hang := deaf && r.Action() == "DescribePlayerSessions"
			mu.Unlock()
			if hang {
				<-ctx.Done()
			}
			return ctx.Err()
		})
		for range 2 {
			if _, err := s.DescribePlayerSessions(t.Context(), serversdk.DescribePlayerSessionsRequest{PlayerID: "ada"}); !errors.Is(err, serversdk.ErrNoAnswer) {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		if n := len(host.Hellos()); n != 2 {
			t.Errorf("%d connects, want 2", n)
		}
		mu.Lock()
		deaf = false
		mu.Unlock()
		if _, err := s.DescribePlayerSessions(t.Context(), serversdk.DescribePlayerSessionsRequest{PlayerID: "ada"}); err != nil {
			t.Error(err)
		}
	})
}

// The socket breaks during a call. The same connection comes back (one
// idempotency token), the call is answered, and carried out once.
func TestBrokenSocket(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		started := make(chan string, 2)
		s := ready(t, p, serversdk.ProcessParameters{
			OnStartGameSession: func(g serversdk.GameSession) { started <- g.GameSessionID },
			OnProcessTerminate: func() {},
		})
		host.Create(process, sdk.CreateGameSession{GameSessionID: session})
		<-started
		var once sync.Once
		host.Before(func(_ context.Context, _ sdk.Process, r sdk.Request) error {
			if r.Action() == "ActivateGameSession" {
				once.Do(func() { host.Break() })
				time.Sleep(2 * time.Second)
			}
			return nil
		})
		if err := s.ActivateGameSession(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := host.Count(process, "ActivateGameSession"); n != 1 {
			t.Errorf("carried out %d times", n)
		}
		hellos := host.Hellos()
		if len(hellos) != 2 || hellos[0].IdempotencyToken != hellos[1].IdempotencyToken || !hellos[1].Again {
			t.Errorf("connects: %+v", hellos)
		}
		// A message of the time without a socket is waiting.
		host.Break()
		until := time.Now().Add(time.Minute).Truncate(time.Millisecond)
		host.Door.Push(process, sdk.TerminateProcess{TerminationTime: until})
		time.Sleep(10 * time.Second)
		if at, ok := s.TerminationTime(); !ok || !at.Equal(until) {
			t.Errorf("asked to end by %v, %v", at, ok)
		}
	})
}

// The service moves the process to another address with another token.
func TestRefresh(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		s := ready(t, p, serversdk.ProcessParameters{OnProcessTerminate: func() {}})
		host.Wait(process, "HeartbeatServerProcess")
		host.Door.Push(process, sdk.RefreshConnection{Endpoint: "ws://elsewhere/server-sdk/", Token: sdktest.Token})
		time.Sleep(time.Second)
		hellos := host.Hellos()
		if len(hellos) != 2 || hellos[0].IdempotencyToken == hellos[1].IdempotencyToken {
			t.Fatalf("connects: %+v", hellos)
		}
		if _, err := s.DescribePlayerSessions(t.Context(), serversdk.DescribePlayerSessionsRequest{PlayerID: "ada"}); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		if gone := host.Gone(); len(gone) != 0 || !host.Door.Connected(process) {
			t.Error("the process was disconnected for a while")
		}
		host.Break() // and from now on it comes back to the new address
		time.Sleep(10 * time.Second)
		if hellos := host.Hellos(); len(hellos) != 3 || hellos[2].IdempotencyToken != hellos[1].IdempotencyToken {
			t.Errorf("connects: %+v", hellos)
		}
	})
}

// Init waits for a service that is not there yet.
func TestInitWaitsForTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := sdktest.New(t, sdk.Options{})
		pipe := sdktest.NewPipe()
		time.AfterFunc(40*time.Second, func() { host.Serve(pipe) })
		p := serversdk.Params{WebSocketURL: "ws://later", ProcessID: "p", HostID: "h", FleetID: "f", AuthToken: sdktest.Token, HTTPClient: pipe.Client()}
		s, err := serversdk.Init(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	})
}

func TestInitGivesUpAfterThreeMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serversdk.Params{WebSocketURL: "ws://never", ProcessID: "p", HostID: "h", FleetID: "f", AuthToken: "t", HTTPClient: &http.Client{Transport: nobody{}}}
		start := time.Now()
		if _, err := serversdk.Init(t.Context(), p); err == nil || time.Since(start) > 190*time.Second || time.Since(start) < 170*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nobody there")
}

// Without OnProcessTerminate the package ends the process itself.
func TestTerminateByDefault(t *testing.T) {
	for _, test := range []struct {
		name  string
		fails bool
		code  int
	}{{"well", false, 0}, {"badly", true, 1}} {
		t.Run(test.name, func(t *testing.T) {
			inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
				s := ready(t, p, serversdk.ProcessParameters{})
				exit := make(chan int, 1)
				s.OnExit(func(code int) { exit <- code })
				host.Wait(process, "HeartbeatServerProcess")
				if test.fails {
					host.Before(func(context.Context, sdk.Process, sdk.Request) error { return sdk.Errorf(400, "no") })
				}
				host.Door.Push(process, sdk.TerminateProcess{TerminationTime: time.Now().Add(time.Minute)})
				if code := <-exit; code != test.code {
					t.Errorf("exit status %d", code)
				}
				if ended := host.Count(process, "TerminateServerProcess") == 1; ended == test.fails {
					t.Errorf("ended %t", ended)
				}
			})
		})
	}
}

// After ProcessEnding a lost socket is no reason to come back.
func TestEndedProcessStaysAway(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		s := ready(t, p, serversdk.ProcessParameters{})
		if err := s.ProcessEnding(t.Context()); err != nil {
			t.Fatal(err)
		}
		host.Break()
		time.Sleep(5 * time.Minute)
		if n := len(host.Hellos()); n != 1 {
			t.Errorf("%d connects", n)
		}
		s.Close()
		if err := s.ProcessEnding(t.Context()); !errors.Is(err, serversdk.ErrClosed) {
			t.Errorf("a call after Close: %v", err)
		}
	})
}

// Start and update come one after the other; a slow start does not hold up the
// end; a session told twice starts once.
func TestCallbackOrder(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		var mu sync.Mutex
		var seen []string
		see := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, what)
		}
		ready(t, p, serversdk.ProcessParameters{
			OnStartGameSession:  func(g serversdk.GameSession) { time.Sleep(time.Minute); see("started " + g.Name) },
			OnUpdateGameSession: func(u serversdk.GameSessionUpdate) { see(u.UpdateReason + " " + u.GameSession.Name) },
			OnProcessTerminate:  func() { see("terminated") },
		})
		host.Create(process, sdk.CreateGameSession{GameSessionID: session, GameSessionName: "one"})
		host.Door.Push(process, sdk.UpdateGameSession{GameSession: sdk.GameSession{GameSessionID: session, Name: "two"}, UpdateReason: "BACKFILL_FAILED"})
		host.Create(process, sdk.CreateGameSession{GameSessionID: session, GameSessionName: "again"})
		host.Door.Push(process, sdk.TerminateProcess{TerminationTime: time.Now().Add(5 * time.Minute)})
		host.Door.Push(process, sdk.TerminateProcess{TerminationTime: time.Now().Add(4 * time.Minute)})
		time.Sleep(2 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		want := []string{"terminated", "started one", "BACKFILL_FAILED two"}
		if len(seen) != 3 || seen[0] != want[0] || seen[1] != want[1] || seen[2] != want[2] {
			t.Errorf("%q, want %q", seen, want)
		}
	})
}

// A session pushed the moment the process is ready is never missed.
func TestSessionAtTheMomentOfReadiness(t *testing.T) {
	inFakeTime(t, func(t *testing.T, host *sdktest.Host, p serversdk.Params) {
		host.Before(func(_ context.Context, _ sdk.Process, r sdk.Request) error {
			if r.Action() == "ActivateServerProcess" {
				host.Create(process, sdk.CreateGameSession{GameSessionID: session})
				time.Sleep(3 * time.Second)
			}
			return nil
		})
		started := make(chan struct{})
		ready(t, p, serversdk.ProcessParameters{OnStartGameSession: func(serversdk.GameSession) { close(started) }})
		<-started
	})
}
