//go:build unix

package agent_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func serve(parameters string, count int) lift.ServerProcess {
	return lift.ServerProcess{LaunchPath: "/local/game/bin/server", Parameters: parameters, Count: count}
}

// TestInstance is the whole life of an instance with a real build and real
// game servers.
func TestInstance(t *testing.T) {
	s := newService(t, buildOf(t, map[string]string{
		"bin/server":  gameServer(t), // without its executable bit
		"install.sh*": "#!/bin/sh\necho installing in $PWD\necho made > made-by-installer\n",
	}))
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not for game servers")
	dir, ended := s.instance(agent.Limits{}, serve("-port {port} -mode stray -note '/local/game/a b'", 2))

	var stages []lift.Stage
	var notices []string
	pids := make(map[lift.ProcessID]int)
	started := func(ev lift.Event) {
		if ev.ProcessStarted != nil {
			pids[ev.ProcessStarted.ProcessID] = ev.ProcessStarted.OSPID
		}
	}
	s.until("the stage ACTIVATING", func(ev lift.Event) bool {
		if ev.Stage != nil {
			stages = append(stages, ev.Stage.Stage)
		}
		if ev.Notice != nil {
			notices = append(notices, ev.Notice.Message)
		}
		return ev.Stage != nil && ev.Stage.Stage == lift.StageActivating
	})
	if got, want := fmt.Sprint(stages), "[DOWNLOADING EXTRACTING INSTALLING INSTALLED VALIDATING VALIDATING_PATHS BUILDING ACTIVATING]"; got != want {
		t.Errorf("stages %s, want %s", got, want)
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "no executable bit") {
		t.Errorf("notices %q, want one about the executable bit", notices)
	}
	s.log("EXTRACTING", "bin/server")
	s.log("INSTALLING", "installing in "+filepath.Join(dir, "game"))
	s.log("VALIDATING_PATHS", "/local/game/bin/server: found")
	for _, file := range []string{"game/made-by-installer", "metadata/gamelift-metadata.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}

	ready := make(map[lift.ProcessID]int)
	var order []lift.ProcessID
	s.until("two processes to be ready", func(ev lift.Event) bool {
		started(ev)
		if ev.ProcessReady != nil {
			ready[ev.ProcessReady.ProcessID] = ev.ProcessReady.Port
			order = append(order, ev.ProcessReady.ProcessID)
		}
		return len(ready) == 2
	})
	if ready[order[0]] == ready[order[1]] {
		t.Errorf("both processes have port %d", ready[order[0]])
	}
	s.log(string(order[0]), "/game/a b")

	// A session that ends in order.
	s.session(order[0], lift.Property{Key: "then", Value: "end"}, lift.Property{Key: "accept", Value: "psess-unknown"})
	s.until("the session to be activated", func(ev lift.Event) bool {
		return ev.ActivateSession != nil && ev.ActivateSession.ProcessID == order[0]
	})
	if x := s.exited(); x.ProcessID != order[0] || x.Code != "" || x.ExitCode != 0 {
		t.Errorf("the process of an orderly session: %+v", x)
	}
	s.log(string(order[0]), "psess-unknown not found")
	replacement := s.until("its replacement", func(ev lift.Event) bool { started(ev); return ev.ProcessReady != nil }).ProcessReady

	// A session that crashes.
	s.session(order[1], lift.Property{Key: "then", Value: "crash"})
	x := s.exited()
	if x.ProcessID != order[1] || x.Code != lift.ProcessCrashed || x.ExitCode != 7 {
		t.Errorf("the crash: %+v", x)
	}
	for _, part := range []string{"while it hosted a game session", "launchPath(/local/game/bin/server)", "instanceId(i-1)", "exit code 7", "oops"} {
		if !strings.Contains(x.Message, part) {
			t.Errorf("the message lacks %q: %s", part, x.Message)
		}
	}
	s.log(string(order[1]), "oops")
	s.until("its replacement", func(ev lift.Event) bool { started(ev); return ev.ProcessReady != nil })

	// The end leaves nothing behind, not even what left its process group. All
	// that the processes wrote has arrived by then.
	s.drain(ended)
	var strays []int
	s.mu.Lock()
	for _, log := range s.logs {
		for line := range strings.Lines(string(log)) {
			if text, ok := strings.CutPrefix(line, "stray "); ok {
				pid, err := strconv.Atoi(strings.TrimSpace(text))
				if err != nil {
					t.Error(err)
				}
				strays = append(strays, pid)
			}
		}
	}
	s.mu.Unlock()
	if len(pids) < 4 || len(strays) < 4 || replacement == nil {
		t.Errorf("saw %d processes and %d strays", len(pids), len(strays))
	}
	for _, pid := range pids {
		gone(t, "server process", pid)
	}
	for _, pid := range strays {
		gone(t, "stray", pid)
	}
}

// gone fails t if a process is still there. One that has ended may wait to be
// reaped by whoever inherited it.
func gone(t *testing.T, what string, pid int) {
	t.Helper()
	for range 100 {
		err := syscall.Kill(pid, 0)
		if errors.Is(err, syscall.ESRCH) || isZombie(pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%s %d is still there", what, pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// TestDeaf drains an instance whose server ignores the request to end.
func TestDeaf(t *testing.T) {
	s := newService(t, buildOf(t, map[string]string{"bin/server*": gameServer(t)}))
	_, ended := s.instance(agent.Limits{}, serve("-mode deaf", 1))
	s.ready()
	s.commands <- lift.Effect{Drain: &lift.Drain{By: time.Now().Add(300 * time.Millisecond), Reason: "the test is over"}}
	if x := s.exited(); x.Code != lift.ProcessForceTerminated {
		t.Errorf("exit %+v", x)
	}
	s.drain(ended)
}

// TestNeverConnects runs a program without an SDK.
func TestNeverConnects(t *testing.T) {
	s := newService(t, buildOf(t, map[string]string{"bin/server*": "#!/bin/sh\nsleep 100\n"}))
	_, ended := s.instance(agent.Limits{InitSDK: 200 * time.Millisecond}, serve("", 1))
	if x := s.exited(); x.Code != lift.ProcessInitTimeout {
		t.Errorf("exit %+v", x)
	}
	s.drain(ended)
}

// TestCrashAtOnce wants the last words of a server that crashes before InitSDK.
func TestCrashAtOnce(t *testing.T) {
	s := newService(t, buildOf(t, map[string]string{"bin/server*": gameServer(t)}))
	_, ended := s.instance(agent.Limits{}, serve("-mode crash", 1))
	x := s.exited()
	if x.Code != lift.ProcessCrashed || x.ExitCode != 3 || x.Log == "" || !strings.Contains(x.Message, "before InitSDK") || !strings.HasSuffix(x.Message, "Last output:\nloading the map\npanic: there is no map") {
		t.Errorf("exit %+v", x)
	}
	s.drain(ended)
}

func TestPreparationFails(t *testing.T) {
	script := "#!/bin/sh\necho hello\n"
	tests := []struct {
		name  string
		build map[string]string // nil: none
		raw   string            // instead of a build
		path  string
		code  lift.EventCode
		parts []string // of the message
	}{
		{name: "no build", code: lift.FleetDownloadFailed, parts: []string{"build-1 cannot be fetched", "no such build"}},
		{name: "not a zip", raw: "hello", code: lift.FleetInitializationFailed, parts: []string{"cannot be unpacked"}},
		{name: "installer fails", build: map[string]string{"install.sh*": "#!/bin/sh\necho no space >&2\nexit 5\n"}, code: lift.FleetFailedInstaller,
			parts: []string{"install.sh ended with exit code 5", "no space"}},
		{name: "installer with Windows line ends", build: map[string]string{"install.sh*": "#!/bin/sh\r\necho hello\r\n"}, code: lift.FleetFailedInstaller,
			parts: []string{"Windows line ends"}},
		{name: "no launch path", build: map[string]string{"server*": script}, path: "/local/game/bin/server", code: lift.FleetLaunchPathNotFound,
			parts: []string{"/bin/server does not exist, but", "/server does"}},
		{name: "a Windows program", build: map[string]string{"server.exe": "MZ" + strings.Repeat("\x00", 200)}, path: `C:\game\server.exe`, code: lift.FleetExecutableFailure,
			parts: []string{"server.exe"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			build := []byte(tt.raw)
			if tt.build != nil {
				build = buildOf(t, tt.build)
			} else if tt.raw == "" {
				build = nil
			}
			s := newService(t, build)
			_, ended := s.instance(agent.Limits{}, lift.ServerProcess{LaunchPath: tt.path, Count: 1})
			f := s.failed()
			if f.Code != tt.code {
				t.Errorf("code %s, want %s", f.Code, tt.code)
			}
			for _, part := range tt.parts {
				if !strings.Contains(f.Message, part) {
					t.Errorf("the message lacks %q: %s", part, f.Message)
				}
			}
			if f.Code != lift.FleetDownloadFailed && f.Log == "" {
				t.Error("no log is named")
			}
			s.drain(ended)
		})
	}
}

// TestWindowsInName runs a build that says it is for Windows, as builds of 2019
// do when nobody said otherwise, and whose server is not.
func TestWindowsInName(t *testing.T) {
	s := newService(t, buildOf(t, map[string]string{"bin/server*": gameServer(t), "install.bat": "echo hello\r\n"}))
	s.system = "WINDOWS_2012"
	_, ended := s.instance(agent.Limits{}, lift.ServerProcess{LaunchPath: `C:\game\bin\server`, Count: 1})
	var notices []string
	s.until("a process to be ready", func(ev lift.Event) bool {
		if ev.Notice != nil {
			notices = append(notices, ev.Notice.Message)
		}
		return ev.ProcessReady != nil
	})
	if len(notices) != 2 || !strings.Contains(notices[0], "install.bat, which does not run") || !strings.Contains(notices[1], "names WINDOWS_2012") {
		t.Errorf("notices %q", notices)
	}
	s.drain(ended)
}

// TestInstallerAborted ends an install script, and what it started, with the instance.
func TestInstallerAborted(t *testing.T) {
	s := newService(t, buildOf(t, map[string]string{"install.sh*": "#!/bin/sh\necho waiting\nsleep 1000\n"}))
	_, ended := s.instance(agent.Limits{}, serve("", 1))
	s.log("INSTALLING", "waiting")
	s.drain(ended)
}
