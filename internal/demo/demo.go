// Package demo shows the main job in one command: a service in a temporary
// folder, a real build uploaded through the S3 door, a fleet, a queue, and bot
// players in processes of their own who are placed into game sessions and
// really connect to the game servers.
//
// It uses the service as any client does; the bots use the stock AWS SDK for Go.
// Whatever happens, it stops everything it started.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/cli"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// Cmd is the command `chairlift demo`.
type Cmd struct {
	Players int           `help:"Bot players, 1 to 2000." default:"20"`
	Keep    bool          `help:"Go on serving afterwards, until interrupted, and print how to connect."`
	Addr    string        `help:"Address for the service to listen on." default:"127.0.0.1:0"`
	Server  string        `help:"Use a running service at this URL, with the key in the AWS_ variables, instead of starting one."`
	Host    string        `help:"What starts instances: local, isolated or shared." enum:"local,isolated,shared" default:"local"`
	Play    time.Duration `help:"How long each bot plays." default:"3s"`
}

const (
	seats       = 4  // players of one game session
	perInstance = 50 // server processes of one instance at most
	queueName   = "demo-queue"
	matchmaker  = "demo-matchmaker"
	cleanupTime = 30 * time.Second
)

// Run exits with success only if every player got in.
func (c *Cmd) Run(w *cli.World) error {
	if c.Players < 1 || c.Players > 2000 {
		return fmt.Errorf("--players must be 1 to 2000, got %d", c.Players)
	}
	d := &demo{Cmd: *c, screen: newScreen(w.Out), world: w}
	err := d.run(w.Ctx)
	d.cleanup()
	if err != nil && w.Ctx.Err() != nil {
		return errors.New("interrupted; everything that was started is stopped")
	}
	return err
}

type demo struct {
	cli.Notice
	Cmd
	world  *cli.World
	screen *screen
	creds  auth.Credentials
	api    *api.Client
	server *service // nil with --server
	fleet  string
	undo   []func(context.Context)
}

func (d *demo) run(ctx context.Context) error {
	arena, bot, err := programs()
	if err != nil {
		return err
	}
	if err := d.serve(ctx); err != nil {
		return err
	}
	d.api = &api.Client{Invoker: &wire.Client{URL: d.URL, Region: d.Region, Credentials: d.creds}}

	quiet := &cli.World{Ctx: ctx, Out: d.screen.detail(), Err: d.world.Err, Getenv: d.world.Getenv}
	d.screen.begin("upload the game server")
	files, err := cli.Files(arena)
	if err != nil {
		return err
	}
	build, err := cli.Upload(ctx, quiet, d.api, d.Notice, "arena", "AMAZON_LINUX_2023", files)
	if err != nil {
		return err
	}
	d.onCleanup(func(ctx context.Context) { _, _ = d.api.DeleteBuild(ctx, &api.DeleteBuildInput{BuildId: build}) })
	d.screen.done("build %s is READY", build)

	// Two processes more than full matches: the last matches may be small ones.
	sessions := (d.Players+seats-1)/seats + 2
	ready, err := d.startFleet(ctx, quiet, build, filepath.Base(arena), sessions)
	if err != nil {
		return err
	}
	d.screen.begin("create the queue")
	queue, err := d.api.CreateGameSessionQueue(ctx, &api.CreateGameSessionQueueInput{
		Name: queueName, TimeoutInSeconds: new(120),
		Destinations: []api.GameSessionQueueDestination{{DestinationArn: new("arn:aws:gamelift:" + d.Region + "::fleet/" + d.fleet)}},
	})
	if err != nil {
		return err
	}
	d.onCleanup(func(ctx context.Context) {
		_, _ = d.api.DeleteGameSessionQueue(ctx, &api.DeleteGameSessionQueueInput{Name: queueName})
	})
	d.screen.done("queue %s leads to the fleet", queueName)

	if err := d.startMatchmaker(ctx, *queue.GameSessionQueue.GameSessionQueueArn); err != nil {
		return err
	}
	results, err := d.play(ctx, bot)
	if err != nil {
		return err
	}
	d.screen.table(summarise(ready, results, d.Players))
	if in := count(results); in != d.Players {
		return fmt.Errorf("%d of %d players got in; the others: %s", in, d.Players, failures(results))
	}
	if d.Keep {
		d.keep(ctx)
	}
	return nil
}

// ruleSet makes two teams of two near each other, with mean skills not too far
// apart, and both further after a while. In the end it lets those play who are
// left over. No ticket is split between teams.
const ruleSet = `{
  "name": "two against two", "ruleLanguageVersion": "1.0",
  "playerAttributes": [{"name": "skill", "type": "number", "default": 50}],
  "teams": [{"name": "red", "minPlayers": 2, "maxPlayers": 2}, {"name": "blue", "minPlayers": 2, "maxPlayers": 2}],
  "rules": [{
    "name": "EvenTeams", "type": "distance",
    "measurements": ["avg(teams[red].players.attributes[skill])"],
    "referenceValue": "avg(teams[blue].players.attributes[skill])", "maxDistance": 10
  }, {
    "name": "CloseBy", "type": "latency", "maxLatency": 60
  }],
  "expansions": [
    {"target": "rules[CloseBy].maxLatency", "steps": [{"waitTimeSeconds": 1, "value": 100}, {"waitTimeSeconds": 2, "value": 250}]},
    {"target": "rules[EvenTeams].maxDistance", "steps": [{"waitTimeSeconds": 1, "value": 25}, {"waitTimeSeconds": 3, "value": 100}]},
    {"target": "teams[red].minPlayers", "steps": [{"waitTimeSeconds": 6, "value": 1}]},
    {"target": "teams[blue].minPlayers", "steps": [{"waitTimeSeconds": 6, "value": 1}, {"waitTimeSeconds": 8, "value": 0}]}
  ]
}`

// startMatchmaker makes a matchmaker that places its matches by the queue.
func (d *demo) startMatchmaker(ctx context.Context, queue string) error {
	d.screen.begin("create the matchmaker")
	if _, err := d.api.CreateMatchmakingRuleSet(ctx, &api.CreateMatchmakingRuleSetInput{Name: matchmaker, RuleSetBody: ruleSet}); err != nil {
		return err
	}
	d.onCleanup(func(ctx context.Context) {
		_, _ = d.api.DeleteMatchmakingRuleSet(ctx, &api.DeleteMatchmakingRuleSetInput{Name: matchmaker})
	})
	_, err := d.api.CreateMatchmakingConfiguration(ctx, &api.CreateMatchmakingConfigurationInput{
		Name: matchmaker, RuleSetName: matchmaker, RequestTimeoutSeconds: 60, FlexMatchMode: new("WITH_QUEUE"),
		GameSessionQueueArns: []string{queue},
	})
	if err != nil {
		return err
	}
	d.onCleanup(func(ctx context.Context) {
		_, _ = d.api.DeleteMatchmakingConfiguration(ctx, &api.DeleteMatchmakingConfigurationInput{Name: matchmaker})
	})
	d.screen.done("%s makes teams of even skill, two against two, and keeps parties together", matchmaker)
	return nil
}

// programs finds the example game and its bot beside this program.
func programs() (arena, bot string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for _, p := range []*string{&arena, &bot} {
		name := "arena"
		if p == &bot {
			name = "arena-bot"
		}
		*p = filepath.Join(filepath.Dir(self), name+suffix)
		if _, err := os.Stat(*p); err != nil {
			return "", "", fmt.Errorf("the demo needs the example game and its bot, arena and arena-bot, beside %s: run `make build` and use bin/chairlift", filepath.Base(self))
		}
	}
	return arena, bot, nil
}

// startFleet creates the fleet and follows it to ACTIVE. It returns how long
// that took.
func (d *demo) startFleet(ctx context.Context, quiet *cli.World, build, program string, sessions int) (time.Duration, error) {
	instances := (sessions + perInstance - 1) / perInstance
	each := (sessions + instances - 1) / instances
	d.screen.begin("start a fleet of %d instances with %d server processes each", instances, each)
	began := time.Now()
	made, err := d.api.CreateFleet(ctx, &api.CreateFleetInput{
		Name: "demo", BuildId: &build, EC2InstanceType: new("c5.large"),
		EC2InboundPermissions: []api.IpPermission{{FromPort: 1026, ToPort: 60000, IpRange: "0.0.0.0/0", Protocol: "UDP"}},
		RuntimeConfiguration: &api.RuntimeConfiguration{ServerProcesses: []api.ServerProcess{{
			LaunchPath: "/local/game/" + program, Parameters: new("-port {port}"), ConcurrentExecutions: each,
		}}},
	})
	if err != nil {
		return 0, err
	}
	d.fleet = *made.FleetAttributes.FleetId
	d.onCleanup(d.deleteFleet)
	if err := cli.FollowFleet(ctx, quiet, d.api, d.fleet); err != nil {
		return 0, err
	}
	ready := time.Since(began)
	d.screen.done("%s is ACTIVE", d.fleet)
	if instances > 1 {
		_, err = d.api.UpdateFleetCapacity(ctx, &api.UpdateFleetCapacityInput{FleetId: d.fleet, DesiredInstances: &instances, MaxSize: &instances})
	}
	return ready, err
}

// deleteFleet deletes the fleet and waits until its instances are gone.
func (d *demo) deleteFleet(ctx context.Context) {
	for {
		_, err := d.api.DeleteFleet(ctx, &api.DeleteFleetInput{FleetId: d.fleet})
		if e, ok := errors.AsType[*wire.APIError](err); !ok || e.Code != "InvalidFleetStatusException" {
			break
		}
		// It is still being prepared, or is being deleted already.
		if !wait(ctx, 100*time.Millisecond) {
			return
		}
		if d.gone(ctx) {
			return
		}
	}
	for !d.gone(ctx) && wait(ctx, 50*time.Millisecond) {
	}
}

func (d *demo) gone(ctx context.Context) bool {
	out, err := d.api.DescribeInstances(ctx, &api.DescribeInstancesInput{FleetId: d.fleet})
	return err != nil || len(out.Instances) == 0
}

func wait(ctx context.Context, t time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(t):
		return true
	}
}

// keep serves on and says how to look around.
func (d *demo) keep(ctx context.Context) {
	d.screen.say("\nThe service goes on at %s until you press Ctrl-C. In another shell:\n", d.URL)
	if d.server != nil {
		d.screen.say("  eval \"$(%s env --data %s)\"", os.Args[0], d.server.data)
	}
	d.screen.say("  aws gamelift describe-fleet-events --fleet-id %s", d.fleet)
	d.screen.say("  aws gamelift create-game-session --fleet-id %s --maximum-player-session-count 4", d.fleet)
	<-ctx.Done()
}

func (d *demo) onCleanup(f func(context.Context)) { d.undo = append(d.undo, f) }

// cleanup undoes what was done, the last thing first. It does not hang on a
// context that was interrupted.
func (d *demo) cleanup() {
	d.screen.abandon()
	if len(d.undo) == 0 {
		return
	}
	d.screen.begin("stop everything")
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
	defer cancel()
	for i := len(d.undo) - 1; i >= 0; i-- {
		d.undo[i](ctx)
	}
	d.screen.done("nothing is left")
}
