package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/host/hosttest"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "service":
		service(os.Args[2], os.Args[3])
	case len(os.Args) == 1 || strings.HasPrefix(os.Args[1], "-test."):
		enterOwnNetwork()
	}
	hosttest.Main(m)
}

// subject is a local host that is opened again and again on one folder.
type subject struct {
	o    Options
	open *Host
}

func (s *subject) Open(t *testing.T) host.Host {
	h, err := New(s.o)
	if err != nil {
		t.Fatal(err)
	}
	s.open = h
	return h
}

func (s *subject) Close(t *testing.T) {
	if s.open == nil {
		return
	}
	if err := s.open.Close(); err != nil {
		t.Error(err)
	}
	s.open = nil
}

func options(t *testing.T, mode Mode) Options {
	return Options{Dir: t.TempDir(), Command: hosttest.Command(), Mode: mode}
}

func TestShared(t *testing.T) {
	hosttest.Run(t, &subject{o: options(t, Shared)})
}

func TestFolderIsTakenOnce(t *testing.T) {
	o := options(t, Shared)
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "another Chairlift") {
		t.Errorf("a second one: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestNoCommand(t *testing.T) {
	for _, command := range [][]string{nil, {""}, {"/nowhere/agent"}} {
		if _, err := New(Options{Dir: t.TempDir(), Command: command, Mode: Shared}); err == nil {
			t.Errorf("%q was taken for an agent", command)
		}
	}
}

// An agent that ends before it is one says why in the error.
func TestAgentThatDoesNotStart(t *testing.T) {
	o := options(t, Shared)
	o.Command[1] = "-no-such-flag"
	h, err := New(o)
	if err == nil {
		defer h.Close()
		err = h.Start(t.Context(), host.Spec{ID: "i-1", Server: "unix:/x"})
	}
	if err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("got %v", err)
	}
}

// The folder's path may be longer than a socket's.
func TestLongPath(t *testing.T) {
	o := options(t, Auto)
	o.Dir = filepath.Join(o.Dir, strings.Repeat("long", 30))
	s := &subject{o: o}
	h := s.Open(t)
	defer func() { s.Close(t) }()
	board := hosttest.NewSwitchboard(t)
	if err := h.Start(t.Context(), board.Spec("i-1")); err != nil {
		t.Fatal(err)
	}
	agent := board.Wait("i-1", "agent")
	s.Close(t)
	h = s.Open(t)
	if list, err := h.List(t.Context()); err != nil || len(list) != 1 || list[0].State != host.Running {
		t.Errorf("%+v, %v", list, err)
	}
	if err := h.Stop(t.Context(), "i-1"); err != nil {
		t.Fatal(err)
	}
	agent.ExpectGone()
}

// What a service that crashed left half made is cleared away.
func TestSweep(t *testing.T) {
	o := options(t, Shared)
	for _, dir := range []string{"instances/i-halfmade", "instances/i-empty"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "instances/i-halfmade", recordName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if left, _ := os.ReadDir(filepath.Join(o.Dir, "instances")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if list, err := h.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// The agent's program may be replaced while agents run, and each version is
// kept only as long as it may be needed.
func TestProgramIsCopied(t *testing.T) {
	o := options(t, Shared)
	exe := filepath.Join(t.TempDir(), "agent")
	if err := copyFile(o.Command[0], exe); err != nil {
		t.Fatal(err)
	}
	o.Command[0] = exe
	copies := func() int {
		entries, err := os.ReadDir(filepath.Join(o.Dir, "bin"))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	for range 2 {
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		h.Close()
	}
	if n := copies(); n != 1 {
		t.Errorf("%d copies", n)
	}
	if err := os.WriteFile(exe, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if h, err := New(o); err == nil {
		h.Close()
	}
	if n := copies(); n != 1 {
		t.Errorf("%d copies after the program changed", n)
	}
}

// service is a service that starts instances until it is killed.
func service(dir, server string) {
	h, err := New(Options{Dir: dir, Command: hosttest.Command()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("open")
	for i := 0; ; i++ {
		id := lift.InstanceID(fmt.Sprintf("i-%d", i))
		if err := h.Start(context.Background(), host.Spec{ID: id, Server: server, Token: "token-of-" + string(id)}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(id)
	}
}

func serviceCommand(dir, server string) *exec.Cmd {
	cmd := exec.Command(hosttest.Command()[0], "service", dir, server)
	cmd.Stderr = os.Stderr
	return cmd
}
