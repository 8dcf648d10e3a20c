//go:build unix

package agent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
)

// far is the service behind a hub: it hands what it hears to a service in
// memory, which waits for it as it does without a link.
type far struct {
	*service
	configure lift.Effect
	last      atomic.Uint64
	got       atomic.Bool // the first command
	gone      atomic.Bool
}

func (f *far) Authenticate(_ context.Context, id lift.InstanceID, token string) error {
	switch {
	case f.gone.Load():
		return lift.Errorf(lift.NotFound, "there is no instance %s", id)
	case token != "secret":
		return lift.Errorf(lift.Unauthorized, "wrong token")
	}
	return nil
}

func (f *far) Resume(context.Context, lift.InstanceID) (uint64, []lift.Effect, error) {
	if f.got.Load() {
		return f.last.Load(), nil, nil
	}
	return f.last.Load(), []lift.Effect{f.configure}, nil
}

func (f *far) Handle(_ context.Context, _ lift.InstanceID, b link.Batch) (link.Ack, error) {
	if len(b.Got) > 0 {
		f.got.Store(true)
	}
	for _, ev := range b.Events {
		if ev.Seq > f.last.Load() {
			f.last.Store(ev.Seq)
			f.events <- ev.Event
		}
	}
	return link.Ack{UpTo: f.last.Load()}, nil
}

func (f *far) Build(context.Context, lift.InstanceID) (io.ReadSeekCloser, error) {
	return readCloser{bytes.NewReader(f.build)}, nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func (f *far) AppendLog(ctx context.Context, _ lift.InstanceID, key string, offset int64, r io.Reader) (int64, error) {
	return f.service.AppendLog(ctx, key, offset, r)
}

// TestRun is Run over the real link: it survives a lost connection, and ends
// with everything it launched when the service does not know it any more.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	f := &far{service: newService(t, buildOf(t, map[string]string{"bin/server*": gameServer(t)}))}
	f.configure = lift.Effect{ID: "e1", Configure: &lift.Configure{
		Fleet: lift.Fleet{ID: "fleet-1", Runtime: lift.RuntimeConfiguration{ServerProcesses: []lift.ServerProcess{serve("", 1)}}}, InstanceID: "i-1",
	}}
	hub := link.NewHub(link.HubOptions{Service: f})
	socket := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: hub}
	go server.Serve(ln)
	defer server.Close()

	ended := make(chan error, 1)
	go func() {
		ended <- agent.Run(t.Context(), agent.Config{
			Server: "unix:" + socket, Instance: "i-1", Token: "secret", Dir: filepath.Join(dir, "i-1"), Shared: true,
			Pace: fleet.LocalPace, Limits: agent.Limits{Interrupt: 5 * time.Second},
		})
	}()
	s, pid := f.service, 0
	up := func() lift.ProcessID {
		return s.until("a process to be ready", func(ev lift.Event) bool {
			if ev.ProcessStarted != nil {
				pid = ev.ProcessStarted.OSPID
			}
			return ev.ProcessReady != nil
		}).ProcessReady.ProcessID
	}
	first := up()
	s.log(string(first), "ready with")

	hub.Kick("i-1")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if x := s.exited(); x.ProcessID != first || !strings.Contains(x.Message, "ended with signal: killed") {
		t.Errorf("told over the next connection: %+v", x)
	}
	up()

	f.gone.Store(true)
	hub.Kick("i-1")
	select {
	case err := <-ended:
		if !errors.Is(err, link.ErrGone) {
			t.Errorf("the agent ended with %v, want %v", err, link.ErrGone)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the agent of an instance that is gone did not end")
	}
	gone(t, "server process", pid)
}
