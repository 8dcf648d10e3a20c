package ops

import (
	"fmt"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// BenchmarkGame is one game: CreateGameSession, ActivateGameSession, a player
// comes, the process exits and another is ready; on maps, so it is the cost of
// everything but the database.
func BenchmarkGame(b *testing.B) {
	w := newWorld(b)
	fleet, inst := w.activeFleet()
	for n := 0; b.Loop(); n++ {
		gs := must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 4}))(b).GameSession.GameSessionId
		w.activate(*gs)
		must(w.CreatePlayerSession(w.ctx, &api.CreatePlayerSessionInput{GameSessionId: *gs, PlayerId: "ann"}))(b)
		p := w.hostOf(*gs)
		w.tell(inst, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: p.ID}})
		w.startProcess(inst, lift.ProcessID(fmt.Sprint("p-", n)), 7000)
		w.take()
		w.mu.Lock()
		w.now = w.now.Add(time.Millisecond)
		w.mu.Unlock()
	}
}

// BenchmarkNoProcess is the answer to a request that no process can take.
func BenchmarkNoProcess(b *testing.B) {
	w := newWorld(b)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(50) })
	in := &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 4}
	for range 50 {
		must(w.CreateGameSession(w.ctx, in))(b)
	}
	for b.Loop() {
		if _, err := w.CreateGameSession(w.ctx, in); !isKind(err, lift.FleetCapacityExceeded) {
			b.Fatal(err)
		}
	}
}

// BenchmarkDescribeGameSessions is a page of 100 of 1,000 game sessions.
func BenchmarkDescribeGameSessions(b *testing.B) {
	w := newWorld(b)
	fleet, inst := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(1) })
	for range 1000 {
		gs := must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 4}))(b).GameSession.GameSessionId
		p := w.hostOf(*gs)
		w.tell(inst, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: p.ID}})
		w.startProcess(inst, lift.ProcessID("p-"+w.engine.Now().Format(time.RFC3339Nano)+*gs), 7000)
		w.take()
	}
	for b.Loop() {
		must(w.DescribeGameSessions(w.ctx, &api.DescribeGameSessionsInput{FleetId: &fleet}))(b)
	}
}

// BenchmarkPages asks for the first page of ten and for a late one, the thousandth
// of 10,001 things: a page costs the same wherever it is. A search looks at all
// sessions of its fleet for each page, so there are 1,001 of those, and keeps one page.
func BenchmarkPages(b *testing.B) {
	const things, size = 10_001, 10
	w := newWorld(b)
	fleet, searched := w.newFleet(), w.newFleet()
	for first := 0; first < things; first += 100 {
		err := w.engine.Update(w.ctx, func(tx *engine.Tx) error {
			for i := first; i < min(first+100, things); i++ {
				at := tx.Now.Add(time.Duration(i) * time.Millisecond)
				fleets := []string{fleet}
				if i <= things/10 {
					fleets = append(fleets, searched)
				}
				for _, f := range fleets {
					gs := &lift.GameSession{
						ID: lift.GameSessionARN("us-west-2", lift.FleetID(f), fmt.Sprint("s", i)), FleetID: lift.FleetID(f), Region: "us-west-2",
						Name: fmt.Sprint("session ", i), Status: lift.SessionActive, MaxPlayers: 10, CreatedAt: at,
					}
					if err := store.Sessions.Put(tx, gs); err != nil {
						return err
					}
				}
				build := &lift.Build{ID: lift.BuildID(fmt.Sprintf("build-%05d", i)), Region: "us-west-2", Name: "b", Status: lift.BuildReady, CreatedAt: at}
				if err := store.Builds.Put(tx, build); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, op := range []struct {
		name  string
		pages int
		page  func(limit int, token *string) (n int, next *string, err error)
	}{
		{"DescribeGameSessions", 1000, func(limit int, token *string) (int, *string, error) {
			out, err := w.DescribeGameSessions(w.ctx, &api.DescribeGameSessionsInput{FleetId: &fleet, StatusFilter: new("ACTIVE"), Limit: &limit, NextToken: token})
			if err != nil {
				return 0, nil, err
			}
			return len(out.GameSessions), out.NextToken, nil
		}},
		{"ListBuilds", 1000, func(limit int, token *string) (int, *string, error) {
			out, err := w.ListBuilds(w.ctx, &api.ListBuildsInput{Limit: &limit, NextToken: token})
			if err != nil {
				return 0, nil, err
			}
			return len(out.Builds), out.NextToken, nil
		}},
		{"SearchGameSessions", 100, func(limit int, token *string) (int, *string, error) {
			out, err := w.SearchGameSessions(w.ctx, &api.SearchGameSessionsInput{FleetId: &searched, Limit: &limit, NextToken: token})
			if err != nil {
				return 0, nil, err
			}
			return len(out.GameSessions), out.NextToken, nil
		}},
	} {
		// Larger pages lead there sooner: a token serves any limit.
		var last *string
		for passed, before := 0, (op.pages-1)*size; passed < before; {
			n, next, err := op.page(min(before-passed, pageMax), last)
			if err != nil {
				b.Fatal(err)
			}
			passed, last = passed+n, next
		}
		for _, page := range []int{1, op.pages} {
			token := last
			if page == 1 {
				token = nil
			}
			b.Run(fmt.Sprintf("%s/page=%d", op.name, page), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if n, next, err := op.page(size, token); n != size || next == nil || err != nil {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
}
