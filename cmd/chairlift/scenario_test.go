//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/examples/arena/player"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/cli"
	"github.com/chairlift-games/chairlift/internal/scenario"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// TestScenarios plays the scenarios of package scenario, which the simulation
// plays too, on a real service with arena as the game server, on each database.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../../internal/scenario/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios found, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := scenario.Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			t.Run("SQLite", func(t *testing.T) { perform(t, steps) })
			t.Run("PostgreSQL", func(t *testing.T) { perform(t, steps, "--store", pgtest.URL(t)) })
		})
	}
}

func perform(t *testing.T, steps []scenario.Step, args ...string) {
	if err := scenario.Play(steps, newCast(t, args...), time.Minute); err != nil {
		t.Error(err)
	}
}

// cast is a service with game servers and players of flesh and blood.
type cast struct {
	*service
	calls   *scenario.Client
	creds   auth.Credentials
	ctx     context.Context
	playing sync.WaitGroup
	leave   map[string]context.CancelFunc // by player session
}

func newCast(t *testing.T, args ...string) *cast {
	c := &cast{service: serve(t, "shared", args...), leave: map[string]context.CancelFunc{}}
	creds, err := auth.ReadCredentials(filepath.Join(c.data, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	c.creds = creds
	c.calls = &scenario.Client{URL: "http://" + c.addr, Region: "us-west-2", Credentials: creds, HTTP: http.DefaultTransport, Now: c.Now, Sleep: c.Sleep}
	var stop context.CancelFunc
	c.ctx, stop = context.WithCancel(t.Context())
	t.Cleanup(func() {
		stop()
		c.playing.Wait()
	})
	return c
}

func (c *cast) Now() time.Time        { return time.Now() }
func (c *cast) Sleep(d time.Duration) { time.Sleep(d) }

func (c *cast) Do(op string, in map[string]any) (any, error) {
	text := func(name string) string { return fmt.Sprint(in[name]) }
	switch op {
	case "UploadBuild":
		w := &cli.World{Ctx: c.ctx, Out: c.t.Output(), Err: c.t.Output(), Getenv: os.Getenv}
		n := cli.Notice{URL: "http://" + c.addr, Region: "us-west-2"}
		gl := &api.Client{Invoker: &wire.Client{URL: n.URL, Region: n.Region, Credentials: c.creds}}
		id, err := cli.Upload(c.ctx, w, gl, n, text("Name"), "AMAZON_LINUX_2023", []cli.File{{Name: "arena", Path: filepath.Join(bin, "arena"), Mode: 0o755}})
		return map[string]any{"BuildId": id}, err
	case "PlayerJoins":
		return nil, c.join(text("PlayerSessionId"))
	case "PlayerLeaves":
		leave := c.leave[text("PlayerSessionId")]
		if leave == nil {
			return nil, fmt.Errorf("%s is in no game", text("PlayerSessionId"))
		}
		leave()
		return nil, nil
	case "GameServerDies":
		return nil, c.killGame(text("GameSessionId"))
	case "ServiceDies":
		c.kill()
		c.start()
		return nil, nil
	}
	return c.calls.Call(op, in)
}

// join lets a player of arena in, who stays until told to leave.
func (c *cast) join(id string) error {
	seat, err := c.calls.Call("DescribePlayerSessions", map[string]any{"PlayerSessionId": id})
	if err != nil {
		return err
	}
	ip, _ := scenario.At(seat, "PlayerSessions.0.IpAddress")
	port, _ := scenario.At(seat, "PlayerSessions.0.Port")
	ctx, leave := context.WithCancel(c.ctx)
	ended := make(chan error, 1)
	c.playing.Go(func() {
		defer leave()
		_, err := player.Play(ctx, player.Options{
			Address: net.JoinHostPort(fmt.Sprint(ip), fmt.Sprint(port)), PlayerSessionID: id, Play: time.Minute, Patience: 20 * time.Second,
		})
		ended <- err
	})
	for {
		select {
		case err := <-ended:
			if err == player.ErrDenied {
				return &scenario.Refusal{Code: "Denied", Message: err.Error()}
			}
			return fmt.Errorf("the player is out again: %w", err)
		case <-time.After(25 * time.Millisecond):
		}
		seat, err := c.calls.Call("DescribePlayerSessions", map[string]any{"PlayerSessionId": id})
		if err != nil {
			leave()
			return err
		}
		if status, _ := scenario.At(seat, "PlayerSessions.0.Status"); status == "ACTIVE" {
			c.leave[id] = leave
			return nil
		}
	}
}

// killGame kills the process that hosts a game session, which its port tells.
func (c *cast) killGame(id string) error {
	game, err := c.calls.Call("DescribeGameSessions", map[string]any{"GameSessionId": id})
	if err != nil {
		return err
	}
	port, _ := scenario.At(game, "GameSessions.0.Port")
	launched := regexp.MustCompile(fmt.Sprintf(`\x00-port\x00%v\x00`, port))
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err == nil && strings.Contains(string(line), c.data) && launched.Match(line) {
			pid, _ := strconv.Atoi(filepath.Base(folder))
			return syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return fmt.Errorf("no process hosts %s at port %v", id, port)
}
