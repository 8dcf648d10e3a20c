package agent_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// BenchmarkHeartbeat is one healthy word on an instance with 50 processes.
func BenchmarkHeartbeat(b *testing.B) {
	now := storyBegin
	core := agent.NewCore(agent.Options{Instance: "i-1", IDs: rand.NewChaCha8([32]byte{}), Pace: fleet.Pace{First: time.Nanosecond}})
	var ids []lift.ProcessID
	step := func(ev agent.Event) {
		for _, a := range core.Step(now, ev) {
			if l, ok := a.(agent.Launch); ok {
				ids = append(ids, l.ProcessID)
			}
		}
		now = now.Add(time.Microsecond)
	}
	step(agent.Commanded{Effect: lift.Effect{Configure: &lift.Configure{Fleet: lift.Fleet{Runtime: lift.RuntimeConfiguration{
		ServerProcesses: []lift.ServerProcess{{LaunchPath: "/local/game/server", Count: 50}}}}}}})
	for _, s := range []lift.Stage{lift.StageDownloading, lift.StageExtracting, lift.StageValidatingPaths, lift.StageBuilding} {
		step(agent.Prepared{Stage: s, Paths: []agent.PathCheck{{}}})
	}
	for len(ids) < 50 {
		step(agent.Tick{})
	}
	for i, id := range ids {
		step(agent.Launched{ProcessID: id})
		step(agent.Knocked{ProcessID: id})
		step(agent.Asked{ProcessID: id, Request: sdk.ActivateServerProcess{Port: 7000 + i}})
	}
	for b.Loop() {
		step(agent.Asked{ProcessID: ids[7], Request: sdk.HeartbeatServerProcess{Healthy: true}})
		core.Due()
	}
}
