package main

import (
	"log/slog"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/cli"
	"github.com/chairlift-games/chairlift/internal/host"
)

type agentCmd struct{}

// Run is an instance until the service drains it. What it needs its host has
// put into the environment.
func (agentCmd) Run(w *cli.World) error {
	lease, err := host.Enter()
	if err != nil {
		return err
	}
	defer lease.Close()
	cfg := agent.ConfigFor(lease)
	cfg.Log = slog.New(slog.NewTextHandler(w.Err, nil)) // the instance's agent.log
	return agent.Run(w.Ctx, cfg)
}
