package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
)

// BenchmarkPlacement places a burst of 10,000 game sessions on 10,000 processes
// of 200 agents. Store (a file, synchronous FULL), engine, hub and link over
// unix sockets are real; the processes are simulated: their agent answers
// StartSession with ActivateGameSession at once. A session counts when its
// placement is FULFILLED.
func BenchmarkPlacement(b *testing.B) {
	benchPlacement(b, newBenchWorld)
}

// BenchmarkPlacementPostgres is the same on a PostgreSQL with its defaults, whose
// processes share the machine with everything else.
func BenchmarkPlacementPostgres(b *testing.B) {
	c := pgtest.New(b)
	benchPlacement(b, func(b *testing.B, agentCount, processes int) *benchWorld {
		db, err := sqldb.OpenPostgres(c.Schema(b), sqldb.Options{Kinds: store.Kinds()})
		if err != nil {
			b.Fatal(err)
		}
		return benchWorldOn(b, db, agentCount, processes)
	})
}

func benchPlacement(b *testing.B, open func(b *testing.B, agentCount, processes int) *benchWorld) {
	const agentCount, processes, callers = 200, 50, 64
	for b.Loop() {
		b.StopTimer()
		w := open(b, agentCount, processes)
		b.StartTimer()
		w.burst(callers)
		b.StopTimer()
		w.close()
		b.StartTimer()
	}
	b.ReportMetric(float64(agentCount*processes)*float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
}

type benchWorld struct {
	b      *testing.B
	engine *engine.Engine
	total  int
	placed sync.WaitGroup
	close  func()
}

func newBenchWorld(b *testing.B, agentCount, processes int) *benchWorld {
	db, err := sqldb.OpenSQLite(filepath.Join(b.TempDir(), "bench.db"), sqldb.Options{Kinds: store.Kinds()})
	if err != nil {
		b.Fatal(err)
	}
	return benchWorldOn(b, db, agentCount, processes)
}

func benchWorldOn(b *testing.B, db store.Store, agentCount, processes int) *benchWorld {
	ctx, cancel := context.WithCancel(context.Background())
	dir := b.TempDir()
	w := &benchWorld{b: b, total: agentCount * processes}
	out := &dispatcher{}
	w.engine = engine.New(engine.Options{Store: db, Sender: out})
	hub := link.NewHub(link.HubOptions{Service: &agents{engine: w.engine}})
	out.hub = hub
	socket := filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: hub}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	wg.Go(func() { _ = w.engine.Run(ctx) })
	w.fill(agentCount, processes)
	for a := range agentCount {
		w.agent(ctx, &wg, "unix:"+socket, benchInstance(a))
	}
	for len(hub.Connected()) < agentCount {
		time.Sleep(10 * time.Millisecond)
	}
	w.close = func() {
		cancel()
		_ = hub.Close(context.Background())
		srv.Close()
		wg.Wait()
		db.Close()
	}
	return w
}

func benchInstance(a int) lift.InstanceID { return lift.InstanceID(fmt.Sprintf("i-%017d", a)) }

// fill writes the fleet as it is when all processes are ready.
func (w *benchWorld) fill(agentCount, processes int) {
	now := w.engine.Now()
	w.update(func(tx *engine.Tx) error {
		f := lift.Fleet{ID: "fleet-b", Region: "us-west-2", Status: lift.FleetActive, Capacity: lift.Capacity{Desired: agentCount, Max: agentCount}}
		if err := store.Fleets.Put(tx, &f); err != nil {
			return err
		}
		return store.Queues.Put(tx, &lift.Queue{Name: "q", Region: "us-west-2", Destinations: []string{f.ARN()}})
	})
	for a := range agentCount {
		w.update(func(tx *engine.Tx) error {
			i := lift.Instance{ID: benchInstance(a), FleetID: "fleet-b", Region: "us-west-2", Status: lift.InstanceActive, Address: "127.0.0.1", TokenHash: engine.HashToken("t"), CreatedAt: now}
			for p := range processes {
				err := store.Processes.Put(tx, &lift.Process{
					ID: lift.ProcessID(fmt.Sprintf("p-%d-%d", a, p)), InstanceID: i.ID, FleetID: "fleet-b", Region: "us-west-2",
					State: lift.ProcessIdle, Address: "127.0.0.1", Port: 7000 + p, StartedAt: now, ReadyAt: now,
				})
				if err != nil {
					return err
				}
			}
			return store.Instances.Put(tx, &i)
		})
	}
}

func (w *benchWorld) update(f func(*engine.Tx) error) {
	if err := w.engine.Update(context.Background(), f); err != nil {
		w.b.Error(err)
	}
}

// agent answers every StartSession as a game server would that needs no time.
func (w *benchWorld) agent(ctx context.Context, wg *sync.WaitGroup, server string, id lift.InstanceID) {
	a, err := link.NewAgent(link.Options{Server: server, Instance: id, Token: "t"})
	if err != nil {
		w.b.Fatal(err)
	}
	wg.Go(func() { _ = a.Run(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case c := <-a.Commands():
				if c.StartSession == nil {
					continue
				}
				s := c.StartSession.Session
				wg.Go(func() {
					r, err := a.Ask(ctx, lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: s.ProcessID, SessionID: s.ID}})
					if err == nil && r.Status != 200 {
						w.b.Errorf("activate: %+v", r)
					}
					w.placed.Done()
				})
			}
		}
	})
}

// burst asks for as many sessions as there are processes, by several callers
// at once, and waits until all are placed.
func (w *benchWorld) burst(callers int) {
	w.placed.Add(w.total)
	var wg sync.WaitGroup
	next := make(chan int)
	for range callers {
		wg.Go(func() {
			for n := range next {
				w.update(func(tx *engine.Tx) error {
					return store.Placements.Put(tx, &lift.Placement{
						ID: lift.PlacementID(fmt.Sprintf("placement-%07d", n)), Region: "us-west-2", Queue: "q", Status: lift.PlacementPending,
						MaxPlayers: 4, StartedAt: tx.Now, Deadline: tx.Now.Add(10 * time.Minute), TryAt: tx.Now,
						Players: []lift.DesiredPlayer{{PlayerID: fmt.Sprint("a", n)}, {PlayerID: fmt.Sprint("b", n)}},
					})
				})
			}
		})
	}
	for n := range w.total {
		next <- n
	}
	close(next)
	wg.Wait()
	w.placed.Wait()
}
