package ops

import (
	"fmt"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
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
