package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

func TestHostName(t *testing.T) {
	for _, test := range []struct{ address, domain, want string }{
		{"10.213.0.2", "games.example", "ip-10-213-0-2.games.example"},
		{"fd00::7", "games.example", "ip-fd00--7.games.example"},
		{"10.213.0.2", "", ""},
		{"", "games.example", ""}, // its host has not said yet
		{"a.host", "games.example", ""},
	} {
		if got := hostName(test.address, test.domain); got != test.want {
			t.Errorf("%q in %q is called %q, want %q", test.address, test.domain, got, test.want)
		}
	}
}

// A log has a name that is unique in the service, and one that is not there has
// none. The event is the agent's, which may say it again: it stays as it is.
func TestNameLog(t *testing.T) {
	for _, name := range []string{"", "install.log"} {
		for _, ev := range []lift.Event{
			{Stage: &lift.StageReached{Log: name}}, {Failed: &lift.InstanceFailed{Log: name}},
			{Notice: &lift.Notice{Log: name}}, {ProcessExited: &lift.ProcessExited{Log: name}},
		} {
			named := ev
			nameLog("i-1", &named)
			if got, want := logOf(named), strings.ReplaceAll(name, "install", "i-1/install"); got != want {
				t.Errorf("%q is called %q", name, got)
			}
			if logOf(ev) != name {
				t.Errorf("the agent's event now has the log %q", logOf(ev))
			}
		}
	}
}

// logOf returns the log that an event names.
func logOf(ev lift.Event) string {
	switch {
	case ev.Stage != nil:
		return ev.Stage.Log
	case ev.Failed != nil:
		return ev.Failed.Log
	case ev.Notice != nil:
		return ev.Notice.Log
	}
	return ev.ProcessExited.Log
}

// Replies wait until their agent has them, and no longer.
func TestRepliesThatWereRead(t *testing.T) {
	w := newWorld(t)
	_, i := w.fleet(nil, 1)
	w.tell(i, lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: "p0"}}, lift.Event{RemovePlayer: &lift.RemovePlayer{ProcessID: "p0"}})
	for _, c := range []struct {
		read uint64
		left int
	}{{0, 2}, {w.seq[i] - 1, 1}, {w.seq[i] - 1, 1}, {w.seq[i], 0}} {
		last, _, err := w.Handle(t.Context(), i, Batch{Read: c.read})
		if err != nil || last != w.seq[i] {
			t.Errorf("handled up to %d: %v", last, err)
		}
		if n := len(find(w, store.Conversations, string(i)).Replies); n != c.left {
			t.Errorf("after %d was read %d replies wait, want %d", c.read, n, c.left)
		}
	}
}

// Confirming a command is no conversation: nothing is kept of an agent that said
// nothing else.
func TestAnAgentThatOnlyConfirms(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.Handle(t.Context(), "i-1", Batch{Got: []lift.EffectID{"e"}}); err != nil {
		t.Fatal(err)
	}
	if known := read(w, func(tx store.Tx) (bool, error) {
		_, ok, err := store.Conversations.Get(tx, "i-1")
		return ok, err
	}); known {
		t.Error("its conversation is kept")
	}
}

// Only a process that is ready makes its instance ACTIVE, and not one that is on
// its way out (behaviour 2.3).
func TestWhatMakesAFleetActive(t *testing.T) {
	for name, c := range map[string]struct {
		instance lift.InstanceStatus
		ready    bool
		want     lift.FleetStatus
	}{
		"a ready process":          {lift.InstancePending, true, lift.FleetActive},
		"one that is not":          {lift.InstancePending, false, lift.FleetActivating},
		"of an instance that ends": {lift.InstanceTerminating, true, lift.FleetActivating},
	} {
		w := newWorld(t)
		f, i := w.fleet(nil, 0)
		edit(w, store.Instances, string(i), func(i *lift.Instance) { i.Status, i.StopBy = c.instance, w.now.Add(time.Minute) })
		w.tell(i, lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: "p0"}}, lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: "p0"}})
		if c.ready {
			w.tell(i, lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: "p0", Port: 7777}})
		}
		if got := find(w, store.Fleets, string(f)).Status; got != c.want {
			t.Errorf("%s: the fleet is %s", name, got)
		}
	}
}

// What an event writes is what others have to wait for. The rows that many
// processes share are written when they change, and not by each of them.
func TestWhatEventsWrite(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(func(f *lift.Fleet) { f.Runtime.MaxActivations = 1 }, 1)
	w.queue(f)
	w.place("one", "alice")
	w.turn()
	noting := &noting{Store: w.opts.Store}
	w.opts.Store = noting
	for n, step := range []struct {
		ev   lift.Event
		want string // beside the conversation
	}{
		{lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: "p1"}}, "process"},
		{lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: "p1"}}, "process"},
		{lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: "p1"}}, ""},
		{lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: "p1", Port: 1}}, "process"},
		{lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: "p1", Healthy: true}}, ""},
		{lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: "p0"}}, "process"}, // a session is being activated on it
		{lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: "p0"}}, "instance placement player session"},
		{lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: "p0"}}, ""},
		{lift.Event{PlayerPolicy: &lift.SetPlayerPolicy{ProcessID: "p0", Policy: lift.DenyAll}}, "session"},
		{lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: "p0"}}, "player process session"},
		{lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: "p1"}}, "process"},
		{lift.Event{Notice: &lift.Notice{Code: "CODE"}}, "event"},
	} {
		w.tell(i, step.ev)
		var kinds []string
		for _, k := range noting.written {
			if k.Kind != store.Conversations.Kind.Name {
				kinds = append(kinds, k.Kind)
			}
		}
		slices.Sort(kinds)
		kinds = slices.Compact(kinds)
		if got := strings.Join(kinds, " "); got != step.want {
			t.Errorf("event %d writes %q, want %q", n, got, step.want)
		}
	}
}

// What an agent says and the end of its instance, at two servers at once, do not
// both come through as if the other had not been: they write the same row.
func TestAWordAndTheEnd(t *testing.T) {
	w := newWorld(t)
	_, i := w.fleet(nil, 1)
	noting := &noting{Store: w.opts.Store}
	w.opts.Store = noting
	w.tell(i, lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: "p1"}})
	said := noting.written
	if err := w.InstanceLost(t.Context(), i, "its agent ended"); err != nil {
		t.Fatal(err)
	}
	if conversation := (stumble.Key{Kind: store.Conversations.Kind.Name, ID: string(i)}); !slices.Contains(said, conversation) || !slices.Contains(noting.written, conversation) {
		t.Errorf("one writes %v, the other %v", said, noting.written)
	}
}

// noting is a store that notes which rows the last transaction wrote.
type noting struct {
	store.Store
	written []stumble.Key
}

func (n *noting) Update(ctx context.Context, f func(store.Tx) error) error {
	return n.Store.Update(ctx, func(tx store.Tx) error {
		over := stumble.Over(tx)
		err := f(over)
		n.written = over.Written
		return err
	})
}
