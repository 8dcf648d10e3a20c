package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/examples/arena/arenaproto"
	"github.com/chairlift-games/chairlift/examples/arena/player"
	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/sdk/sdktest"
)

var process = sdk.Process{Fleet: "fleet-1", Compute: "compute-1", ID: "process-1"}

const session = "arn:aws:gamelift:us-west-2::gamesession/fleet-1/gsess-1"

// running is an arena in this process, in front of a host.
type running struct {
	t       *testing.T
	host    *sdktest.Host
	journal string
	address string
	lines   <-chan string // what arena says
	done    chan error
	cancel  context.CancelFunc
}

// start runs arena as its host would, and waits until it is ready.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	host := sdktest.Start(t)
	for _, e := range host.Environment(process) {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	r := &running{t: t, host: host, journal: filepath.Join(t.TempDir(), "journal"), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	out, in := io.Pipe()
	go func() {
		err := run(ctx, append([]string{"-port", "0", "-bind", "127.0.0.1", "-linger", "100ms", "-journal", r.journal}, args...), in)
		in.Close()
		r.done <- err
	}()
	lines := make(chan string, 1000)
	r.lines = lines
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(cancel)
	_, r.address, _ = strings.Cut(r.says("listens on UDP "), "listens on UDP ")
	r.says("ready for a game session")
	return r
}

// says waits until arena has said something with these words, and returns it.
func (r *running) says(words string) string {
	r.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("arena ended with %v before it said %q", <-r.done, words)
			}
			if strings.Contains(line, words) {
				return line
			}
		case <-timeout:
			r.t.Fatalf("arena has not said %q for 10 s", words)
		}
	}
}

func (r *running) create() {
	r.host.Create(process, sdk.CreateGameSession{GameSessionID: session, GameSessionName: "test", MaximumPlayerSessionCount: 8})
	r.host.UntilSession(session, "ACTIVE")
}

func (r *running) play(id string, d time.Duration) (player.Result, error) {
	return player.Play(r.t.Context(), player.Options{Address: r.address, PlayerSessionID: id, Play: d, Patience: 5 * time.Second})
}

// wait waits for the process to end well.
func (r *running) wait() {
	r.t.Helper()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("arena ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		r.t.Fatal("arena goes on for 10 s")
	}
	if state := r.host.Session(session); state != "TERMINATED" {
		r.t.Errorf("the game session is %s", state)
	}
}

// Players come, play, leave; the last one ends the game.
func TestGame(t *testing.T) {
	r := start(t)
	r.create()
	const players = 4
	var group sync.WaitGroup
	for i := range players {
		id := r.host.Reserve(session, fmt.Sprint("player", i))
		group.Go(func() {
			result, err := r.play(id, 500*time.Millisecond)
			if err != nil || !result.In || result.Snapshots < 3 || result.Ended != "" {
				t.Errorf("%+v, %v", result, err)
			}
			r.host.UntilPlayer(id, "COMPLETED")
		})
	}
	stranger, err := r.play("psess-nobody-knows", time.Second)
	if !errors.Is(err, player.ErrDenied) || stranger.In || !strings.Contains(err.Error(), "404") {
		t.Errorf("a stranger: %+v, %v", stranger, err)
	}
	group.Wait()
	r.wait()
	checkJournal(t, r.journal, players)
}

// The journal accounts for every player once.
func checkJournal(t *testing.T, file string, players int) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for line := range bytes.Lines(b) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		name := e.Name
		if e.Error != "" {
			name += " failed"
		}
		counts[name]++
	}
	for name, want := range map[string]int{
		"InitSDK": 1, "ProcessReady": 1, "OnStartGameSession": 1, "ActivateGameSession": 1, "AcceptPlayerSession": players,
		"AcceptPlayerSession failed": 1, "RemovePlayerSession": players, "RemovePlayerSession failed": 0, "ProcessEnding": 1,
	} {
		if counts[name] != want {
			t.Errorf("%s is in the journal %d times, not %d", name, counts[name], want)
		}
	}
}

// Admission may take its time; the game goes on meanwhile.
func TestSlowAdmissionHoldsUpNobody(t *testing.T) {
	r := start(t)
	slow := make(chan struct{})
	late := r.host.Reserve(session, "late")
	r.host.Before(func(_ context.Context, _ sdk.Process, q sdk.Request) error {
		if a, ok := q.(sdk.AcceptPlayerSession); ok && a.PlayerSessionID == late {
			<-slow
		}
		return nil
	})
	r.create()
	lateDone := make(chan struct{})
	go func() {
		defer close(lateDone)
		if result, err := r.play(late, 100*time.Millisecond); err != nil || !result.In {
			t.Errorf("late: %+v, %v", result, err)
		}
	}()
	result, err := r.play(r.host.Reserve(session, "quick"), 400*time.Millisecond)
	if err != nil || result.Snapshots < 3 {
		t.Errorf("quick: %+v, %v", result, err)
	}
	close(slow)
	<-lateDone
	r.wait()
}

// A player who falls silent has left, and its place is free.
func TestSilence(t *testing.T) {
	r := start(t, "-silence", "300ms")
	r.create()
	id := r.host.Reserve(session, "mute")
	conn, err := net.Dial("udp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for r.host.Player(id).Status == "RESERVED" {
		conn.Write(arenaproto.Append(nil, arenaproto.Hello{PlayerSessionID: id}))
		conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		conn.Read(make([]byte, 2000))
	}
	r.host.UntilPlayer(id, "COMPLETED")
	r.wait()
}

func TestTerminated(t *testing.T) {
	r := start(t)
	r.create()
	id := r.host.Reserve(session, "ada")
	done := make(chan player.Result)
	go func() {
		result, err := r.play(id, time.Minute)
		if err != nil {
			t.Error(err)
		}
		done <- result
	}()
	r.says("player 1 is in")
	r.host.Door.Push(process, sdk.TerminateProcess{TerminationTime: time.Now().Add(time.Minute)})
	if result := <-done; result.Ended == "" {
		t.Errorf("%+v", result)
	}
	r.wait()
}

func TestIdleProcessEndsWhenAsked(t *testing.T) {
	r := start(t)
	r.host.Wait(process, "HeartbeatServerProcess")
	r.host.Door.Push(process, sdk.TerminateProcess{TerminationTime: time.Now().Add(time.Minute)})
	if err := <-r.done; err != nil {
		t.Error(err)
	}
	r.host.Wait(process, "TerminateServerProcess")
}

func TestNobodyCame(t *testing.T) {
	r := start(t, "-wait", "200ms")
	r.create()
	r.wait()
}

func TestInterrupted(t *testing.T) {
	r := start(t)
	r.create()
	r.cancel()
	r.wait()
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-tick", "0"}, {"-bind", "nowhere.invalid"}, {"-port", "70000"}, {"-journal", "/nowhere/at/all"}, {"-color"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
