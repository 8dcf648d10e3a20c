// Package hosttest proves implementations of host.Host.
//
// Run starts instances whose agents are the test binary itself, so a test of an
// implementation begins with
//
//	func TestMain(m *testing.M) { hosttest.Main(m) }
//
//	func TestConformance(t *testing.T) { hosttest.Run(t, subject) }
//
// Nothing is proved by process ids: everything an instance launches keeps a
// connection to the test open, and has ended when that has.
package hosttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// Main makes the test binary an agent when a host starts it as one.
func Main(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], argPrefix) {
		os.Exit(act(os.Args[1]))
	}
	os.Exit(m.Run())
}

// Command is the agent's command for the host under test.
func Command() []string {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return []string{exe, argAgent}
}

// Subject is a host under test.
type Subject interface {
	// Open gives the host; a second call after Close gives that of the next
	// process of the service.
	Open(t *testing.T) host.Host
	Close(t *testing.T)
}

// Run proves what the contract promises. The host is opened once and must be
// empty.
func Run(t *testing.T, subject Subject) {
	h := subject.Open(t)
	defer subject.Close(t)
	for i, tt := range []struct {
		name string
		test func(*testing.T, *trial)
	}{
		{"starts an agent and stops all it launched", testStartStop},
		{"starting again changes nothing", testStartTwice},
		{"a start after the stop changes nothing", testStartAfterStop},
		{"stopping what is not there", testStopNothing},
		{"an agent that is killed takes everything along", testKilled},
		{"an agent that exits is listed with its code", testExits},
		{"instances outlive the service and are found", testOutlives},
		{"the service's socket is made anew", testSocketMadeAnew},
		{"many at once", testMany},
		{"a cancelled start leaves nothing", testCancelled},
		{"bad specs", testBadSpecs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &trial{Switchboard: NewSwitchboard(t), t: t, host: h, subject: subject, number: i}
			defer func() { h = w.host }() // it may have been opened anew
			defer w.stopAll()
			tt.test(t, w)
		})
	}
}

// A trial is one host and the end its agents report to.
type trial struct {
	*Switchboard
	t       *testing.T
	host    host.Host
	subject Subject
	number  int
}

// i names the nth instance of the trial: one that was stopped in another trial
// would not start again.
func (w *trial) i(n int) lift.InstanceID {
	return lift.InstanceID(fmt.Sprintf("i-%d-%d", w.number, n))
}

func (w *trial) stopAll() {
	list, err := w.host.List(context.Background())
	if err != nil {
		w.t.Error(err)
	}
	for _, in := range list {
		if err := w.host.Stop(context.Background(), in.ID); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *trial) start(id lift.InstanceID) *Peer {
	w.t.Helper()
	if err := w.host.Start(w.t.Context(), w.Spec(id)); err != nil {
		w.t.Fatal(err)
	}
	return w.Wait(id, "agent")
}

// launch lets the agent start a process that starts another that leaves the
// session: the kind that is hardest to catch.
func (w *trial) launch(agent *Peer) []*Peer {
	w.t.Helper()
	agent.Ask("launch")
	return []*Peer{w.Wait(agent.ID, "child"), w.Wait(agent.ID, "grandchild")}
}

func (w *trial) list() map[lift.InstanceID]host.Instance {
	w.t.Helper()
	list, err := w.host.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if !slices.IsSortedFunc(list, func(a, b host.Instance) int { return strings.Compare(string(a.ID), string(b.ID)) }) {
		w.t.Errorf("not by id: %v", list)
	}
	m := map[lift.InstanceID]host.Instance{}
	for _, in := range list {
		m[in.ID] = in
	}
	return m
}

func (w *trial) stop(id lift.InstanceID) {
	w.t.Helper()
	if err := w.host.Stop(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
}

func testStartStop(t *testing.T, w *trial) {
	agent := w.start(w.i(1))
	launched := w.launch(agent)
	if agent.Hello.Token != w.Spec(w.i(1)).Token {
		t.Errorf("the agent was told the token %q", agent.Hello.Token)
	}
	for _, name := range agent.Hello.EnvNames {
		if name == secretName {
			t.Error("the agent can see the service's secrets")
		}
	}
	for _, arg := range agent.Hello.Args {
		if strings.Contains(arg, agent.Hello.Token) {
			t.Error("the token is on the agent's command line, for everybody to read")
		}
	}
	in, there := w.list()[w.i(1)]
	if !there || in.State != host.Running || in.Address == "" || in.Address != agent.Hello.Address {
		t.Errorf("listed as %+v; the agent was told its address is %q", in, agent.Hello.Address)
	}
	if got := agent.Ask("write " + filepath.Join(agent.Hello.GameDir, "file")); got != "ok" {
		t.Errorf("the agent cannot write to its game folder: %s", got)
	}
	w.stop(w.i(1))
	for _, p := range append(launched, agent) {
		p.ExpectGone()
	}
	if list := w.list(); len(list) != 0 {
		t.Errorf("listed after Stop: %v", list)
	}
	w.stop(w.i(1))
}

func testStartTwice(t *testing.T, w *trial) {
	w.start(w.i(1))
	for range 2 {
		if err := w.host.Start(t.Context(), w.Spec(w.i(1))); err != nil {
			t.Fatal(err)
		}
	}
	w.start(w.i(2)) // whoever came before it is here by now
	if n := w.Count(w.i(1), "agent"); n != 1 {
		t.Errorf("%d agents", n)
	}
}

func testStartAfterStop(t *testing.T, w *trial) {
	w.start(w.i(1))
	w.stop(w.i(1))
	w.stop(w.i(2)) // was never started: the start comes late
	for _, id := range []lift.InstanceID{w.i(1), w.i(2)} {
		if err := w.host.Start(t.Context(), w.Spec(id)); err != nil {
			t.Error(err)
		}
	}
	if list := w.list(); len(list) != 0 {
		t.Errorf("listed: %v", list)
	}
}

func testStopNothing(t *testing.T, w *trial) {
	w.start(w.i(1))
	w.stop(w.i(2))
	if in := w.list()[w.i(1)]; in.State != host.Running {
		t.Errorf("the other one: %+v", in)
	}
}

func testKilled(t *testing.T, w *trial) {
	agent, other := w.start(w.i(1)), w.start(w.i(2))
	launched := w.launch(agent)
	kept := w.launch(other)
	agent.Tell("kill")
	for _, p := range append(launched, agent) {
		p.ExpectGone()
	}
	in := w.exited(w.i(1))
	if in.Exit.Code != -1 || in.Exit.Reason == "" || in.Exit.At.IsZero() {
		t.Errorf("exit: %+v", in.Exit)
	}
	if err := w.host.Start(t.Context(), w.Spec(w.i(1))); err != nil {
		t.Error(err)
	}
	if in := w.list()[w.i(1)]; in.State != host.Exited {
		t.Errorf("a start after the end: %+v", in)
	}
	for _, p := range append(kept, other) {
		p.ExpectHere()
	}
	w.stop(w.i(1))
	if list := w.list(); len(list) != 1 || list[w.i(2)].State != host.Running {
		t.Errorf("listed after Stop: %v", list)
	}
}

// exited waits until an instance is listed as exited.
func (w *trial) exited(id lift.InstanceID) host.Instance {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		in, there := w.list()[id]
		if there && in.State == host.Exited {
			return in
		}
		if !there || time.Now().After(deadline) {
			w.t.Fatalf("instance %s is listed as %+v (%v), not as exited", id, in, there)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func testExits(t *testing.T, w *trial) {
	agent := w.start(w.i(1))
	launched := w.launch(agent)
	agent.Tell("exit 7")
	for _, p := range append(launched, agent) {
		p.ExpectGone()
	}
	if in := w.exited(w.i(1)); in.Exit.Code != 7 || !strings.Contains(in.Exit.Reason, "7") {
		t.Errorf("exit: %+v", in.Exit)
	}
	w.stop(w.i(1))
}

func testOutlives(t *testing.T, w *trial) {
	one, two, three := w.start(w.i(1)), w.start(w.i(2)), w.start(w.i(3))
	launched := w.launch(one)
	before := w.list()
	w.subject.Close(t)
	three.Tell("exit 0") // while the service is away
	three.ExpectGone()
	w.host = w.subject.Open(t)

	for id, in := range w.list() {
		if id == w.i(3) && in.State != host.Exited || id != w.i(3) && in != before[id] {
			t.Errorf("found %+v, was %+v", in, before[id])
		}
	}
	for _, p := range append(launched, one, two) {
		p.ExpectHere()
	}
	if err := w.host.Start(t.Context(), w.Spec(w.i(1))); err != nil {
		t.Error(err)
	}
	w.stop(w.i(1))
	for _, p := range append(launched, one) {
		p.ExpectGone()
	}
	two.ExpectHere()
	four := w.start(w.i(4))
	if list := w.list(); len(list) != 3 || list[w.i(2)].State != host.Running || list[w.i(4)].State != host.Running {
		t.Errorf("listed: %v", list)
	}
	w.stop(w.i(2))
	two.ExpectGone()
	four.ExpectHere()
}

func testSocketMadeAnew(t *testing.T, w *trial) {
	agent := w.start(w.i(1))
	w.Reopen()
	agent.Hangup()
	deadline := time.Now().Add(patience)
	for w.Count(w.i(1), "agent") != 2 {
		if time.Now().After(deadline) {
			t.Fatal("the agent does not find the socket")
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.Wait(w.i(1), "agent").ExpectHere()
}

func testMany(t *testing.T, w *trial) {
	const n = 6
	var wg sync.WaitGroup
	for i := range n {
		id := w.i(i)
		for range 2 {
			wg.Go(func() {
				if err := w.host.Start(t.Context(), w.Spec(id)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if _, err := w.host.List(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var agents []*Peer
	for i := range n {
		id := w.i(i)
		agents = append(agents, w.Wait(id, "agent"))
		if count := w.Count(id, "agent"); count != 1 {
			t.Errorf("%s has %d agents", id, count)
		}
	}
	if list := w.list(); len(list) != n {
		t.Errorf("listed: %v", list)
	}
	for _, a := range agents[1:] {
		for range 2 {
			wg.Go(func() {
				if err := w.host.Stop(t.Context(), a.ID); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for _, a := range agents[1:] {
		a.ExpectGone()
	}
	agents[0].ExpectHere()
}

func testCancelled(t *testing.T, w *trial) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.host.Start(ctx, w.Spec(w.i(1))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if list := w.list(); len(list) != 0 {
		t.Errorf("listed: %v", list)
	}
	w.start(w.i(1))
}

func testBadSpecs(t *testing.T, w *trial) {
	for _, s := range []host.Spec{
		{},
		{ID: "../x", Server: "unix:/x"}, {ID: ".", Server: "unix:/x"}, {ID: "a/b", Server: "unix:/x"},
		{ID: lift.InstanceID(strings.Repeat("x", 65)), Server: "unix:/x"},
		{ID: w.i(1)}, {ID: w.i(1), Server: "unix:run/agent.sock"},
		{ID: w.i(1), Server: "unix:/x", CPUs: -1}, {ID: w.i(1), Server: "unix:/x", MemoryMB: -1},
	} {
		if err := w.host.Start(t.Context(), s); err == nil {
			t.Errorf("%+v was started", s)
		}
	}
	for _, id := range []lift.InstanceID{"", "..", "a/b"} {
		if err := w.host.Stop(t.Context(), id); err == nil {
			t.Errorf("%q was stopped", id)
		}
	}
}
