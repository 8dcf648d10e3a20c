package server

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// BenchmarkCreatePlayerSession measures signed calls over HTTP on loopback, by
// clients that share the processors with the service: signature, checks, one
// durable transaction (SQLite, synchronous FULL), answer.
func BenchmarkCreatePlayerSession(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			gl, session := benchSession(b)
			var n atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for {
						i := n.Add(1)
						if i > int64(b.N) {
							return
						}
						_, err := gl.CreatePlayerSession(context.Background(), &api.CreatePlayerSessionInput{GameSessionId: session, PlayerId: fmt.Sprint("player-", i)})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

// BenchmarkDescribeGameSessions measures signed reads of one game session over
// HTTP on loopback, by clients that share the processors with the service.
func BenchmarkDescribeGameSessions(b *testing.B) {
	gl, session := benchSession(b)
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			for n.Add(1) <= int64(b.N) {
				out, err := gl.DescribeGameSessions(context.Background(), &api.DescribeGameSessionsInput{GameSessionId: &session})
				if err != nil || len(out.GameSessions) != 1 {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// benchSession serves an ACTIVE game session with room for everybody.
func benchSession(b *testing.B) (*api.Client, string) {
	s, client := benchServer(b)
	id := lift.GameSessionARN("us-west-2", "fleet-b", "one")
	err := s.engine.Update(context.Background(), func(tx *engine.Tx) error {
		if err := store.Fleets.Put(tx, &lift.Fleet{ID: "fleet-b", Region: "us-west-2", Status: lift.FleetActive}); err != nil {
			return err
		}
		return store.Sessions.Put(tx, &lift.GameSession{ID: id, FleetID: "fleet-b", Region: "us-west-2", Status: lift.SessionActive, MaxPlayers: 1 << 30, Policy: lift.AcceptAll, CreatedAt: tx.Now})
	})
	if err != nil {
		b.Fatal(err)
	}
	return client, string(id)
}

// benchServer serves an empty data folder, and a client of it.
func benchServer(tb testing.TB) (*Server, *api.Client) {
	dir := tb.TempDir()
	s, err := Open(context.Background(), Options{Addr: "127.0.0.1:0", Data: dir})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	creds, err := auth.ReadCredentials(filepath.Join(dir, "credentials"))
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	tb.Cleanup(client.CloseIdleConnections)
	return s, &api.Client{Invoker: &wire.Client{URL: s.URL(), Region: "us-west-2", Credentials: creds, HTTP: client}}
}
