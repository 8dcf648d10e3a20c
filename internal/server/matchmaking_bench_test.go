package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/engine/matcher"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// anyTwo makes a match of any two players.
const anyTwo = `{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":2,"maxPlayers":2}]}`

// benchMatchmaker serves a STANDALONE matchmaker "m" of any two players.
func benchMatchmaker(b *testing.B) (*Server, *api.Client) {
	s, gl := benchServer(b)
	ctx := context.Background()
	if _, err := gl.CreateMatchmakingRuleSet(ctx, &api.CreateMatchmakingRuleSetInput{Name: "r", RuleSetBody: anyTwo}); err != nil {
		b.Fatal(err)
	}
	if _, err := gl.CreateMatchmakingConfiguration(ctx, &api.CreateMatchmakingConfigurationInput{
		Name: "m", RuleSetName: "r", RequestTimeoutSeconds: 600, FlexMatchMode: new("STANDALONE"),
	}); err != nil {
		b.Fatal(err)
	}
	return s, gl
}

func benchTicket(ctx context.Context, gl *api.Client, n int) error {
	_, err := gl.StartMatchmaking(ctx, &api.StartMatchmakingInput{
		TicketId: new(fmt.Sprint("t", n)), ConfigurationName: "m", Players: []api.Player{{PlayerId: new(fmt.Sprint("p", n))}},
	})
	return err
}

// BenchmarkStartMatchmaking measures signed calls over HTTP by 64 callers, each
// with a durable ticket, while the matcher makes pairs of them.
func BenchmarkStartMatchmaking(b *testing.B) {
	_, gl := benchMatchmaker(b)
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					return
				}
				if err := benchTicket(context.Background(), gl, int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkMatchStandalone sends 500 tickets a second for two seconds through
// the signed API and measures from each request to COMPLETED.
func BenchmarkMatchStandalone(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s, gl := benchMatchmaker(b)
		b.StartTimer()
		steady(b, s.engine, func(n int) error { return benchTicket(context.Background(), gl, n) })
	}
}

// BenchmarkMatchPlaced does the same with a queue: COMPLETED means that the
// game server of one of 10 agents has activated the game session. Store, engine,
// matcher and link are real; the API and the game servers are left out.
func BenchmarkMatchPlaced(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := newBenchWorld(b, 10, steadyTickets/20)
		w.placed.Add(steadyTickets / 2)
		w.update(func(tx *engine.Tx) error {
			if err := store.RuleSets.Put(tx, &lift.RuleSet{Name: "r", Region: "us-west-2", Body: anyTwo}); err != nil {
				return err
			}
			return store.Configurations.Put(tx, &lift.MatchmakingConfiguration{
				Name: "m", Region: "us-west-2", RuleSet: "r", Mode: lift.WithQueue, RequestTimeoutSeconds: 600, Queues: []string{lift.QueueARN("us-west-2", "", "q")},
			})
		})
		w.update(func(tx *engine.Tx) error {
			q, err := store.Queues.Find(tx, store.InRegion("us-west-2", "q"))
			if err != nil {
				return err
			}
			q.TimeoutSeconds = 600
			return store.Queues.Put(tx, q)
		})
		ctx, cancel := context.WithCancel(context.Background())
		var matching sync.WaitGroup
		matching.Go(func() { _ = matcher.New(w.engine, slog.New(slog.DiscardHandler)).Run(ctx) })
		b.StartTimer()
		steady(b, w.engine, func(n int) error {
			return w.engine.Update(ctx, func(tx *engine.Tx) error {
				return tx.AddTicket(&lift.Ticket{
					ID: lift.TicketID(fmt.Sprint("t", n)), Region: "us-west-2", Configuration: "m", StartedAt: tx.Now, Deadline: tx.Now.Add(10 * time.Minute),
					Players: []lift.TicketPlayer{{ID: fmt.Sprint("p", n)}},
				})
			})
		})
		b.StopTimer()
		cancel()
		matching.Wait()
		w.close()
		b.StartTimer()
	}
}

const (
	steadyTickets = 1000
	steadyRate    = 500 // a second
)

// steady starts tickets at a steady rate, whatever becomes of those before, and
// reports how long they took to be COMPLETED.
func steady(b *testing.B, e *engine.Engine, start func(n int) error) {
	began := make([]time.Time, steadyTickets)
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / steadyRate)
	defer tick.Stop()
	for n := range steadyTickets {
		<-tick.C
		began[n] = time.Now()
		wg.Go(func() {
			if err := start(n); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	var took []time.Duration
	for deadline := time.Now().Add(time.Minute); len(took) < steadyTickets; {
		took = took[:0]
		err := e.View(context.Background(), func(tx store.Tx) error {
			for n := range steadyTickets {
				t, ok, err := store.Tickets.Get(tx, store.InRegion("us-west-2", fmt.Sprint("t", n)))
				if err != nil || !ok || t.Status != lift.TicketCompleted {
					return err
				}
				took = append(took, t.EndedAt.Sub(began[n]))
			}
			return nil
		})
		if err != nil || time.Now().After(deadline) {
			b.Fatalf("%d of %d tickets are COMPLETED: %v", len(took), steadyTickets, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
