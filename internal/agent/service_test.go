//go:build unix

package agent_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
)

// service is a service and the link to it, in memory.
type service struct {
	t        *testing.T
	build    []byte
	system   string // the operating system of the build
	commands chan lift.Effect
	events   chan lift.Event

	mu   sync.Mutex
	logs map[string][]byte
}

func newService(t *testing.T, build []byte) *service {
	return &service{t: t, build: build, system: "AMAZON_LINUX_2023", commands: make(chan lift.Effect, 16), events: make(chan lift.Event, 1024), logs: make(map[string][]byte)}
}

func (s *service) Report(_ context.Context, ev lift.Event) error {
	s.events <- ev
	return nil
}

func (s *service) Ask(_ context.Context, ev lift.Event) (lift.Reply, error) {
	s.events <- ev
	if ev.AcceptPlayer != nil && ev.AcceptPlayer.PlayerID == "psess-unknown" {
		return lift.Reply{Status: 404, Message: "player session psess-unknown not found in this game session"}, nil
	}
	return lift.Reply{Status: 200}, nil
}

func (s *service) Commands() <-chan lift.Effect { return s.commands }
func (s *service) Flush(context.Context) error  { return nil }

func (s *service) FetchBuild(_ context.Context, w io.Writer) (int64, error) {
	if s.build == nil {
		return 0, errors.New("there is no such build")
	}
	n, err := w.Write(s.build)
	return int64(n), err
}

func (s *service) AppendLog(_ context.Context, key string, offset int64, r io.Reader) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := int64(len(s.logs[key]))
	rest, err := link.Tail(size, offset, r)
	if err != nil {
		return size, err
	}
	data, err := io.ReadAll(rest)
	s.logs[key] = append(s.logs[key], data...)
	return int64(len(s.logs[key])), err
}

// log waits for a log to contain text.
func (s *service) log(key, text string) {
	s.t.Helper()
	var have string
	for range 200 {
		s.mu.Lock()
		have = string(s.logs[key])
		s.mu.Unlock()
		if strings.Contains(have, text) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Errorf("log %s lacks %q:\n%s", key, text, have)
}

// until returns the first event that fits, and fails the test when none comes.
func (s *service) until(what string, fits func(lift.Event) bool) lift.Event {
	s.t.Helper()
	var seen []string
	timeout := time.After(15 * time.Second)
	for {
		select {
		case ev := <-s.events:
			seen = append(seen, describe(ev))
			if fits(ev) {
				return ev
			}
		case <-timeout:
			s.t.Fatalf("waited in vain for %s; saw\n%s", what, strings.Join(seen, "\n"))
		}
	}
}

func (s *service) ready() *lift.ProcessReady {
	s.t.Helper()
	return s.until("a process to be ready", func(ev lift.Event) bool { return ev.ProcessReady != nil }).ProcessReady
}

func (s *service) exited() *lift.ProcessExited {
	s.t.Helper()
	return s.until("a process to exit", func(ev lift.Event) bool { return ev.ProcessExited != nil }).ProcessExited
}

func (s *service) failed() *lift.InstanceFailed {
	s.t.Helper()
	return s.until("the instance to fail", func(ev lift.Event) bool { return ev.Failed != nil }).Failed
}

func (s *service) session(p lift.ProcessID, properties ...lift.Property) {
	s.commands <- lift.Effect{StartSession: &lift.StartSession{Session: lift.GameSession{
		ID: "arn:aws:gamelift:us-west-2::gamesession/fleet-1/s1", ProcessID: p, Status: lift.SessionActivating, Properties: properties,
	}}}
}

func describe(ev lift.Event) string {
	switch {
	case ev.Stage != nil:
		return fmt.Sprintf("stage %s %s", ev.Stage.Stage, ev.Stage.Message)
	case ev.Notice != nil:
		return fmt.Sprintf("notice %s", ev.Notice.Message)
	case ev.Failed != nil:
		return fmt.Sprintf("failed %s", ev.Failed.Message)
	case ev.ProcessExited != nil:
		return fmt.Sprintf("exited %s", ev.ProcessExited.Message)
	}
	return fmt.Sprintf("%+v", ev)
}

// instance runs an agent that prepares and runs entries, and returns how it ended.
func (s *service) instance(limits agent.Limits, entries ...lift.ServerProcess) (dir string, ended <-chan error) {
	s.t.Helper()
	dir = s.t.TempDir()
	cfg := agent.Config{Instance: "i-1", Dir: dir, Address: "127.0.0.1", Shared: true, Limits: limits, Pace: fleet.Pace{First: 10 * time.Millisecond}}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- agent.RunOver(ctx, cfg, s, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		close(done)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-done // closed by then
	})
	s.commands <- lift.Effect{Configure: &lift.Configure{
		Fleet: lift.Fleet{ID: "fleet-1", Region: "us-west-2", Name: "test", OperatingSystem: s.system, Runtime: lift.RuntimeConfiguration{ServerProcesses: entries}},
		Build: lift.Build{ID: "build-1", Region: "us-west-2"}, InstanceID: "i-1", Region: "us-west-2",
	}}
	return dir, done
}

func (s *service) drain(ended <-chan error) {
	s.t.Helper()
	s.commands <- lift.Effect{Drain: &lift.Drain{By: time.Now().Add(10 * time.Second), Reason: "the test is over"}}
	s.until("the agent to stop", func(ev lift.Event) bool { return ev.Stopped != nil })
	select {
	case err := <-ended:
		if err != nil {
			s.t.Errorf("the agent ended with %v", err)
		}
	case <-time.After(15 * time.Second):
		s.t.Fatal("the agent said that it stopped, and did not end")
	}
}

// files of a build: a name that ends in '*' is executable.
func buildOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &zip.FileHeader{Name: strings.TrimSuffix(name, "*"), Method: zip.Deflate}
		h.SetMode(0o644)
		if strings.HasSuffix(name, "*") {
			h.SetMode(0o755)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gameServer is a build file that runs this program as a game server.
func gameServer(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exe, err = filepath.EvalSymlinks(exe)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("#!/bin/sh\nexec '%s' -game \"$@\"\n", exe)
}
