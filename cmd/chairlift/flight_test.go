package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/need"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
)

// The tests in this package fly the real program: they build it and the
// example game, and use it from outside as users do.

// bin is where the programs are, once TestMain has built them.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := need.Build(map[string]string{"chairlift": ".", "arena": "../../examples/arena", "arena-bot": "../../examples/arena/bot"})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		return pgtest.Main(m)
	}())
}

// modes are the ways of the local host that this machine can be tested in.
func modes(t *testing.T) []string {
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		return []string{"isolated", "shared"}
	}
	if os.Getenv("CHAIRLIFT_TEST_ALL") == "1" {
		t.Fatal("isolated instances need root on Linux; run the tests so")
	}
	t.Log("isolated instances are left out: they need root on Linux")
	return []string{"shared"}
}

// service is a `chairlift serve` under test.
type service struct {
	t    *testing.T
	data string
	mode string
	addr string
	env  []string
	args []string // of serve, beside the usual ones
	cmd  *exec.Cmd
	log  *os.File
}

// serve starts a service and ends it, and whatever it started, with the test.
func serve(t *testing.T, mode string, args ...string) *service {
	s := &service{t: t, data: filepath.Join(shortDir(t), "data"), mode: mode, addr: "127.0.0.1:0", args: args}
	log, err := os.Create(filepath.Join(filepath.Dir(s.data), "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	s.log = log
	s.start()
	t.Cleanup(func() {
		s.kill()
		s.endInstances()
		if t.Failed() {
			if b, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("the service's log:\n%s", tail(string(b), 60))
			}
		}
		log.Close()
	})
	return s
}

// shortDir is a temporary folder with a path short enough for sockets.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "cl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *service) start() {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "chairlift"), "serve", "--addr", s.addr, "--data", s.data, "--host", s.mode)
	cmd.Args = append(cmd.Args, s.args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- text
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case text := <-line:
		_, addr, ok := strings.Cut(text, "addr=")
		if !ok {
			_ = cmd.Wait()
			b, _ := os.ReadFile(s.log.Name())
			s.t.Fatalf("the service did not start: %q\n%s", text, tail(string(b), 20))
		}
		s.addr, _, _ = strings.Cut(addr, " ") // the same one at the next start
	case <-time.After(30 * time.Second):
		s.t.Fatal("the service was not ready within 30 s")
	}
	s.cmd = cmd
}

// kill ends the service as a power cut would.
func (s *service) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// endInstances stops what the service left running.
func (s *service) endInstances() {
	cmd := exec.Command(filepath.Join(bin, "chairlift"), "serve", "--addr", "127.0.0.1:0", "--data", s.data, "--host", s.mode, "--stop-instances")
	cmd.Args = append(cmd.Args, s.args...)
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return
	}
	_, _ = bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}

// run runs a chairlift command against the service.
func (s *service) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "chairlift"), args...)
	cmd.Env = append(os.Environ(), "CHAIRLIFT_DATA="+s.data)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// up takes a folder or a wrapped command to an ACTIVE fleet and returns its id.
func (s *service) up(args ...string) string {
	s.t.Helper()
	out, err := s.run(append([]string{"up"}, args...)...)
	if err != nil {
		s.t.Fatalf("chairlift up: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// client is the stock AWS SDK for Go, pointed at the service.
func (s *service) client(options ...func(*gamelift.Options)) *gamelift.Client {
	s.t.Helper()
	c, err := auth.ReadCredentials(filepath.Join(s.data, "credentials"))
	if err != nil {
		s.t.Fatal(err)
	}
	cfg, err := config.LoadDefaultConfig(context.Background(), config.WithRegion("us-west-2"), config.WithBaseEndpoint("http://"+s.addr),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, "")))
	if err != nil {
		s.t.Fatal(err)
	}
	return gamelift.NewFromConfig(cfg, options...)
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}

// eventually waits until f says yes.
func eventually(t *testing.T, within time.Duration, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within %s: %s", within, what)
}

// processes are those on this machine whose command line names the data
// folder: agents, and in shared mode the games they launched.
func (s *service) processes() []string {
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var found []string
	for _, d := range dirs {
		b, err := os.ReadFile(d)
		line := strings.ReplaceAll(string(b), "\x00", " ")
		if err == nil && strings.Contains(line, s.data) && !strings.Contains(line, " serve ") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func TestDemo(t *testing.T) {
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "chairlift"), "demo", "--players", "8", "--play", "500ms", "--host", mode)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "players in                     8 of 8") || !strings.Contains(string(out), "pairs in one team              2 of 2") {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// TestFailuresExplainThemselves starts fleets that cannot work and looks for
// the cause in what the user is told.
func TestFailuresExplainThemselves(t *testing.T) {
	s := serve(t, "shared")
	cases := []struct {
		name  string
		files map[string]string
		args  []string
		want  []string
	}{
		{"an install script that fails", map[string]string{"install.sh": "#!/bin/sh\necho looking for libgame\nexit 7\n", "game": "#!/bin/sh\nsleep 60\n"}, []string{"--launch", "game"},
			[]string{"FLEET_CREATION_FAILED_INSTALLER", "7", "looking for libgame"}},
		{"a server that crashes", map[string]string{"game": "#!/bin/sh\necho no map called dust\nexit 3\n"}, nil,
			[]string{"FLEET_ACTIVATION_FAILED", "exit code 3", "no map called dust"}},
		{"a program for another processor", map[string]string{"game": elfForAnotherProcessor()}, nil,
			[]string{"FLEET_VALIDATION_EXECUTABLE_RUNTIME_FAILURE", "processor", runtime.GOARCH}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			out, err := s.run(append([]string{"up", dir}, c.args...)...)
			if err == nil {
				t.Fatalf("the fleet works:\n%s", out)
			}
			for _, w := range c.want {
				if !strings.Contains(out, w) {
					t.Errorf("%q is not in what the user is told", w)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
			t.Logf("told after %s", time.Since(began).Round(time.Millisecond))
		})
	}
}

// elfForAnotherProcessor is the header of a program for 64-bit ARM, or on ARM
// for x86.
func elfForAnotherProcessor() string {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	h[16], h[18], h[20] = 2, 0xb7, 1
	if runtime.GOARCH == "arm64" {
		h[18] = 0x3e
	}
	h[52], h[54], h[56], h[58], h[60] = 64, 56, 0, 0, 0
	return string(h)
}

// TestByHandWithTheAWSCLI does what the README says, with an unmodified CLI.
func TestByHandWithTheAWSCLI(t *testing.T) {
	cli := need.Program(t, "aws", "the Debian package awscli")
	if p := "/usr/bin/aws"; exists(p) {
		cli = p // Debian's, whose version we promise
	}
	s := serve(t, "shared")
	game := t.TempDir()
	copyFile(t, filepath.Join(bin, "arena"), filepath.Join(game, "arena"))
	// Several parts of a multipart upload, and nothing that compresses.
	big := make([]byte, 60<<20)
	for i, x := 0, uint32(1); i < len(big); i++ {
		x = x*1664525 + 1013904223
		big[i] = byte(x >> 24)
	}
	if err := os.WriteFile(filepath.Join(game, "assets.pak"), big, 0o644); err != nil {
		t.Fatal(err)
	}
	env, err := s.run("env", "--old-cli")
	if err != nil {
		t.Fatalf("%v\n%s", err, env)
	}
	script := env + `
set -eu
export AWS_PAGER=
aws() { ` + cli + ` "$@"; }
build=$(aws gamelift upload-build --name arena --build-version 1 --build-root "$1" --operating-system AMAZON_LINUX_2023 | tr '\r' '\n' | sed -n 's/^Build ID: //p')
for i in $(seq 50); do
  [ "$(aws gamelift describe-build --build-id $build --query Build.Status --output text)" = READY ] && break
done
fleet=$(aws gamelift create-fleet --name hand --build-id $build --ec2-instance-type c5.large \
  --runtime-configuration 'ServerProcesses=[{LaunchPath=/local/game/arena,Parameters="-port {port}",ConcurrentExecutions=1}]' \
  --query FleetAttributes.FleetId --output text)
for i in $(seq 50); do
  [ "$(aws gamelift describe-fleet-attributes --fleet-ids $fleet --query 'FleetAttributes[0].Status' --output text)" = ACTIVE ] && break
done
session=$(aws gamelift create-game-session --fleet-id $fleet --maximum-player-session-count 2 --query GameSession.GameSessionId --output text)
for i in $(seq 50); do
  [ "$(aws gamelift describe-game-sessions --game-session-id $session --query 'GameSessions[0].Status' --output text)" = ACTIVE ] && break
done
aws gamelift create-player-session --game-session-id $session --player-id alice --query 'PlayerSession.[IpAddress,Port,PlayerSessionId]' --output text
aws gamelift delete-fleet --fleet-id fleet-00000000-0000-0000-0000-000000000000 2>&1 | tail -1 || true
`
	cmd := exec.Command("bash", "-c", script, "hand", game)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	seat := strings.Fields(lines[0])
	if len(seat) != 3 || !strings.Contains(lines[len(lines)-1], "NotFoundException") {
		t.Fatalf("got %s", out)
	}
	// A packet to the address it returned.
	bot, err := exec.Command(filepath.Join(bin, "arena-bot"), "-address", seat[0]+":"+seat[1], "-player-session", seat[2], "-play", "300ms").CombinedOutput()
	if err != nil || !strings.Contains(string(bot), `"in":true`) {
		t.Fatalf("the player did not get in: %v\n%s", err, bot)
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
