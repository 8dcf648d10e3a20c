package serversdk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/sdk/sdktest"
	"github.com/chairlift-games/chairlift/serversdk"
)

// Players come and go while the network breaks again and again: no call is
// lost, none is carried out twice.
func TestReconnectUnderLoad(t *testing.T) {
	t.Setenv("HEALTHCHECK_INTERVAL", "50ms")
	host := sdktest.Start(t)
	started := make(chan struct{})
	s := ready(t, params(host), serversdk.ProcessParameters{OnStartGameSession: func(serversdk.GameSession) { close(started) }})
	host.Create(process, sdk.CreateGameSession{GameSessionID: session})
	<-started
	if err := s.ActivateGameSession(t.Context()); err != nil {
		t.Fatal(err)
	}
	const workers, each = 16, 20
	ids := make(chan string, workers*each)
	for i := range workers * each {
		ids <- host.Reserve(session, fmt.Sprint("player", i))
	}
	close(ids)
	// Cut in the middle of every 25th call, whatever the machine's pace.
	var calls, breaks atomic.Int32
	host.Before(func(_ context.Context, _ sdk.Process, r sdk.Request) error {
		if _, beat := r.(sdk.HeartbeatServerProcess); !beat && calls.Add(1)%25 == 0 {
			breaks.Add(int32(host.Break()))
		}
		return nil
	})
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for id := range ids {
				if err := s.AcceptPlayerSession(t.Context(), id); err != nil {
					t.Errorf("accept %s: %v", id, err)
				}
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
				if err := s.RemovePlayerSession(t.Context(), id); err != nil {
					t.Errorf("remove %s: %v", id, err)
				}
			}
		})
	}
	group.Wait()
	for action, want := range map[string]int{"AcceptPlayerSession": workers * each, "RemovePlayerSession": workers * each} {
		if n := host.Count(process, action); n != want {
			t.Errorf("%s was carried out %d times, not %d", action, n, want)
		}
	}
	for _, h := range host.Heard() {
		if h.Err != nil {
			t.Errorf("%T: %v", h.Request, h.Err)
		}
	}
	if n := breaks.Load(); n < 10 {
		t.Errorf("only %d breaks; the test proved little", n)
	}
}

// BenchmarkCall is one call from game server to host and back, over loopback.
func BenchmarkCall(b *testing.B) {
	host := sdktest.Start(b)
	s, err := serversdk.Init(b.Context(), params(host))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.ProcessReady(b.Context(), serversdk.ProcessParameters{Port: 7777, OnStartGameSession: func(serversdk.GameSession) {}}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.DescribePlayerSessions(b.Context(), serversdk.DescribePlayerSessionsRequest{PlayerID: "nobody"}); err != nil {
			b.Fatal(err)
		}
	}
}
