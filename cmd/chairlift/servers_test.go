//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
)

// TestThreeServers lets three servers work on one PostgreSQL, behind one
// address over which clients and agents are spread, and kills one of them in the
// middle. Then it compares what clients were told, what agents were told, and
// what the API says: nothing acknowledged is missing, nothing happened twice.
func TestThreeServers(t *testing.T) {
	const servers, agents, processes, placements, tickets = 3, 6, 10, 40, 12
	database, files := pgtest.URL(t), t.TempDir()
	var all []*service
	b := newBalancer(t)
	for range servers {
		s := serve(t, "none", "--store", database, "--files", files)
		all = append(all, s)
		b.add(s.addr)
	}
	s := &service{t: t, data: all[2].data, addr: b.addr} // the key is the same everywhere
	gl := s.client(func(o *gamelift.Options) { o.RetryMaxAttempts = 10 })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	w := &agentWorld{t: t, fleet: lift.FleetID("fleet-" + lift.UUID(time.Now(), zeros{})), told: map[lift.GameSessionID]int{}}
	w.fill(database, agents, processes)
	var wg sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	for n := range agents {
		w.agent(ctx, &wg, "http://"+b.addr, n)
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(gl.CreateGameSessionQueue(ctx, &gamelift.CreateGameSessionQueueInput{
		Name: new("q"), TimeoutInSeconds: new(int32(300)), Destinations: fleetDestination(string(w.fleet)),
	}))
	must(gl.CreateMatchmakingRuleSet(ctx, &gamelift.CreateMatchmakingRuleSetInput{
		Name: new("pairs"), RuleSetBody: new(`{"name":"pairs","ruleLanguageVersion":"1.0","teams":[{"name":"all","minPlayers":2,"maxPlayers":2}]}`),
	}))
	must(gl.CreateMatchmakingConfiguration(ctx, &gamelift.CreateMatchmakingConfigurationInput{
		Name: new("mm"), RuleSetName: new("pairs"), RequestTimeoutSeconds: new(int32(120)), AcceptanceRequired: new(false),
		GameSessionQueueArns: []string{"arn:aws:gamelift:us-west-2:000000000000:gamesessionqueue/q"},
	}))

	// Clients ask; after a third of it a server is killed.
	var asked atomic.Int32
	kill := make(chan struct{})
	var clients sync.WaitGroup
	ask := func(n int, call func(n int) error) {
		clients.Go(func() {
			for i := range n {
				if asked.Add(1) == (placements+tickets)/3 {
					close(kill)
				}
				if err := call(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for c := range 2 {
		ask(placements/2, func(n int) error {
			_, err := gl.StartGameSessionPlacement(ctx, &gamelift.StartGameSessionPlacementInput{
				PlacementId: new(fmt.Sprintf("p-%d-%d", c, n)), GameSessionQueueName: new("q"), MaximumPlayerSessionCount: new(int32(2)),
			})
			return known(err)
		})
	}
	ask(tickets, func(n int) error {
		_, err := gl.StartMatchmaking(ctx, &gamelift.StartMatchmakingInput{
			ConfigurationName: new("mm"), TicketId: new(fmt.Sprintf("t-%d", n)), Players: []types.Player{{PlayerId: new(fmt.Sprintf("player-%d", n))}},
		})
		return known(err)
	})
	<-kill
	all[0].kill()
	clients.Wait()
	if t.Failed() {
		return
	}

	const sessions = placements + tickets/2
	for c := range 2 {
		for n := range placements / 2 {
			id := fmt.Sprintf("p-%d-%d", c, n)
			eventually(t, time.Minute, id+" is FULFILLED", func() bool {
				d, err := gl.DescribeGameSessionPlacement(ctx, &gamelift.DescribeGameSessionPlacementInput{PlacementId: &id})
				return err == nil && d.GameSessionPlacement.Status == types.GameSessionPlacementStateFulfilled
			})
		}
	}
	for n := range tickets {
		id := fmt.Sprintf("t-%d", n)
		eventually(t, time.Minute, id+" is COMPLETED", func() bool {
			d, err := gl.DescribeMatchmaking(ctx, &gamelift.DescribeMatchmakingInput{TicketIds: []string{id}})
			return err == nil && len(d.TicketList) == 1 && d.TicketList[0].Status == types.MatchmakingConfigurationStatusCompleted
		})
	}
	there, ports := map[lift.GameSessionID]bool{}, map[int32]bool{}
	for p := gamelift.NewDescribeGameSessionsPaginator(gl, &gamelift.DescribeGameSessionsInput{FleetId: new(string(w.fleet))}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page.GameSessions {
			there[lift.GameSessionID(*g.GameSessionId)] = true
			if g.Status != types.GameSessionStatusActive || ports[*g.Port] {
				t.Errorf("%s is %s at port %d, where another one may be", *g.GameSessionId, g.Status, *g.Port)
			}
			ports[*g.Port] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(there) != sessions || len(w.told) != sessions {
		t.Errorf("%d game sessions are there and agents were told of %d, want %d", len(there), len(w.told), sessions)
	}
	for id, n := range w.told {
		if n != 1 || !there[id] {
			t.Errorf("an agent was told %d times of %s, which is there: %v", n, id, there[id])
		}
	}
	if out, err := exec.Command(filepath.Join(bin, "chairlift"), "serve", "--addr", "127.0.0.1:0", "--host", "none", "--data", all[1].data, "--store", database).CombinedOutput(); err == nil {
		t.Errorf("two servers have one folder:\n%s", out)
	}
}

// known passes over an error that says that the request has arrived before: its
// answer was lost, and it was repeated.
func known(err error) error {
	var invalid *types.InvalidRequestException
	if errors.As(err, &invalid) {
		return nil
	}
	return err
}

// zeros are randomness enough for one id.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// An agentWorld is a fleet whose agents are in this process, and what they were
// told.
type agentWorld struct {
	t     *testing.T
	fleet lift.FleetID

	mu   sync.Mutex
	told map[lift.GameSessionID]int
}

func (w *agentWorld) instance(n int) lift.InstanceID {
	return lift.InstanceID(fmt.Sprintf("i-%017d", n))
}

// fill writes the fleet as it is when all of its processes are ready.
func (w *agentWorld) fill(database string, agents, processes int) {
	db, err := sqldb.OpenPostgres(database, sqldb.Options{Kinds: store.Kinds()})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	e := engine.New(engine.Options{Store: db, Sender: nobody{}})
	err = e.Update(context.Background(), func(tx *engine.Tx) error {
		for a := range agents {
			i := lift.Instance{
				ID: w.instance(a), FleetID: w.fleet, Region: "us-west-2", Location: "us-west-2", Status: lift.InstanceActive,
				Address: "127.0.0.1", TokenHash: engine.HashToken("t"), CreatedAt: tx.Now,
			}
			if err := store.Instances.Put(tx, &i); err != nil {
				return err
			}
			for p := range processes {
				err := store.Processes.Put(tx, &lift.Process{
					ID: lift.ProcessID(fmt.Sprintf("p-%d-%d", a, p)), InstanceID: i.ID, FleetID: w.fleet, Region: "us-west-2",
					State: lift.ProcessIdle, Address: "127.0.0.1", Port: 7000 + 100*a + p, StartedAt: tx.Now, ReadyAt: tx.Now,
				})
				if err != nil {
					return err
				}
			}
		}
		return store.Fleets.Put(tx, &lift.Fleet{
			ID: w.fleet, Region: "us-west-2", Account: "000000000000", Status: lift.FleetActive,
			Capacity: lift.Capacity{Desired: agents, Max: agents},
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

type nobody struct{}

func (nobody) Send([]lift.Effect) {}

// agent activates every game session it is told of.
func (w *agentWorld) agent(ctx context.Context, wg *sync.WaitGroup, server string, n int) {
	a, err := link.NewAgent(link.Options{Server: server, Instance: w.instance(n), Token: "t"})
	if err != nil {
		w.t.Fatal(err)
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
				w.mu.Lock()
				w.told[s.ID]++
				w.mu.Unlock()
				wg.Go(func() {
					r, err := a.Ask(ctx, lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: s.ProcessID, SessionID: s.ID}})
					if err == nil && r.Status != 200 {
						w.t.Errorf("activating %s: %+v", s.ID, r)
					}
				})
			}
		}
	})
}

// A balancer is the one address of several servers: each connection goes to the
// next one that is there.
type balancer struct {
	addr string

	mu    sync.Mutex
	to    []string
	turns int
}

func newBalancer(t *testing.T) *balancer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b := &balancer{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.carry(c)
		}
	}()
	return b
}

func (b *balancer) add(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = append(b.to, addr)
}

func (b *balancer) carry(client net.Conn) {
	defer client.Close()
	for range 3 {
		b.mu.Lock()
		b.turns++
		addr := b.to[b.turns%len(b.to)]
		b.mu.Unlock()
		server, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		defer server.Close()
		go func() {
			_, _ = io.Copy(server, client)
			server.Close()
		}()
		_, _ = io.Copy(client, server)
		return
	}
}
