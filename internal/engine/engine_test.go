package engine

import (
	"context"
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

const region = "us-west-2"

// world is an engine on a store in memory, with a clock that the test moves
// and a sender that keeps what it is given.
type world struct {
	*Engine
	t     *testing.T
	now   time.Time
	sent  []lift.Effect
	seq   map[lift.InstanceID]uint64
	heard map[lift.InstanceID]time.Time
}

func (w *world) Send(effects []lift.Effect) { w.sent = append(w.sent, effects...) }

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		seq: map[lift.InstanceID]uint64{}, heard: map[lift.InstanceID]time.Time{},
	}
	s, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.Engine = New(Options{
		Store: stumbling(t, s), Sender: w, Now: func() time.Time { return w.now }, IDs: rand.New(rand.NewSource(1)),
		Heard: func(id lift.InstanceID) (time.Time, bool) { at, ok := w.heard[id]; return at, ok },
	})
	return w
}

// stumbling is a store in which each kind of transaction fails at each of its
// steps before it happens: whatever a test does, it also proves that no error
// of the store is passed over, which would commit half of what belongs together.
func stumbling(t *testing.T, s store.Store) *stumble.Store {
	return &stumble.Store{Store: s, Known: &stumbled, WentOn: func(err error) { t.Error(err) }}
}

var stumbled sync.Map // kinds of transactions that did, in any test

func (w *world) update(f func(*Tx) error) {
	w.t.Helper()
	if err := w.Update(context.Background(), f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) turn() {
	w.t.Helper()
	if _, err := w.Turn(context.Background(), w.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// tell lets an agent report events and returns the last reply, if one came.
func (w *world) tell(id lift.InstanceID, evs ...lift.Event) lift.Reply {
	w.t.Helper()
	var b Batch
	for _, ev := range evs {
		w.seq[id]++
		b.Events = append(b.Events, Numbered{Seq: w.seq[id], Event: ev})
	}
	last, replies, err := w.Handle(context.Background(), id, b)
	if err != nil || last != w.seq[id] {
		w.t.Fatalf("handled up to %d of %d: %v", last, w.seq[id], err)
	}
	if len(replies) == 0 {
		return lift.Reply{}
	}
	return replies[len(replies)-1].Reply
}

// fleet makes an ACTIVE fleet of one instance with n idle processes.
func (w *world) fleet(change func(*lift.Fleet), n int) (lift.FleetID, lift.InstanceID) {
	w.t.Helper()
	f := lift.Fleet{
		ID: "fleet-1", Region: region, BuildID: "build-1", Status: lift.FleetNew, Protection: lift.NoProtection,
		Capacity: lift.Capacity{Desired: 1, Max: 1}, CreatedAt: w.Now(), ActivateBy: w.Now().Add(10 * time.Minute), LookAt: w.Now(),
	}
	if change != nil {
		change(&f)
	}
	w.update(func(tx *Tx) error {
		if err := store.Builds.Put(tx, &lift.Build{ID: "build-1", Region: region, Status: lift.BuildReady}); err != nil {
			return err
		}
		return store.Fleets.Put(tx, &f)
	})
	w.turn()
	id := w.instances(f.ID)[0].ID
	w.tell(id, lift.Event{Stage: &lift.StageReached{Stage: lift.StageDownloading, Address: "10.0.0.9"}},
		lift.Event{Stage: &lift.StageReached{Stage: lift.StageActivating}})
	for i := range n {
		w.process(id, fmt.Sprintf("p%d", i))
	}
	return f.ID, id
}

func (w *world) process(id lift.InstanceID, name string) {
	w.t.Helper()
	pid := lift.ProcessID(name)
	w.tell(id, lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: pid}},
		lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: pid}},
		lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: pid, Port: 7777}})
}

func (w *world) instances(f lift.FleetID) []*lift.Instance {
	return read(w, func(tx store.Tx) ([]*lift.Instance, error) { return store.Instances.All(tx, "fleet", string(f)+"/") })
}

func read[T any](w *world, f func(store.Tx) (T, error)) T {
	w.t.Helper()
	var v T
	err := w.View(context.Background(), func(tx store.Tx) (err error) { v, err = f(tx); return err })
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func find[T any](w *world, t *store.Table[T], id string) *T {
	w.t.Helper()
	return read(w, func(tx store.Tx) (*T, error) { return t.Find(tx, id) })
}

func (w *world) codes(f lift.FleetID) []string {
	var codes []string
	for _, e := range read(w, func(tx store.Tx) ([]*lift.FleetEvent, error) {
		return store.Events.All(tx, "fleet", string(f)+"/")
	}) {
		codes = append(codes, string(e.Code))
	}
	return codes
}

func (w *world) open(f lift.FleetID, id string) *lift.GameSession {
	w.t.Helper()
	var s *lift.GameSession
	w.update(func(tx *Tx) error {
		fl, err := store.Fleets.Find(tx, string(f))
		if err != nil {
			return err
		}
		s, _, err = tx.Open(fl, session.Want{ID: lift.GameSessionARN(region, f, id), MaxPlayers: 4})
		return err
	})
	return s
}

// take returns what was sent since the last call.
func (w *world) take() []lift.Effect { s := w.sent; w.sent = nil; return s }

func TestAFleetComesToLife(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	sent := w.take()
	if len(sent) != 2 || sent[0].Configure == nil || sent[1].StartInstance == nil || sent[1].To != lift.ToHost {
		t.Fatalf("sent %+v", sent)
	}
	inst := find(w, store.Instances, string(i))
	if inst.TokenHash != HashToken(sent[1].StartInstance.Token) || inst.Status != lift.InstanceActive || inst.Address != "10.0.0.9" {
		t.Errorf("got instance %+v", inst)
	}
	want := []string{"FLEET_STATE_DOWNLOADING", "FLEET_STATE_ACTIVATING", "FLEET_STATE_ACTIVE"}
	if diff := cmp.Diff(want, w.codes(f)); diff != "" {
		t.Error(diff)
	}
	p := find(w, store.Processes, "p0")
	if p.State != lift.ProcessIdle || p.Address != "10.0.0.9" || p.Port != 7777 {
		t.Errorf("got process %+v", p)
	}
}

func TestASessionFromOpenToEnd(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	w.take()
	s := w.open(f, "one")
	if sent := w.take(); len(sent) != 1 || sent[0].StartSession == nil || sent[0].To != lift.ToAgent(i) {
		t.Fatalf("sent %+v", sent)
	}
	if again := w.open(f, "two"); again != nil {
		t.Fatalf("the same process was given twice: %+v", again)
	}
	if r := w.tell(i, lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: "p0", SessionID: s.ID}}); r.Status != 200 {
		t.Fatalf("activate: %+v", r)
	}
	w.update(func(tx *Tx) error {
		open, err := store.Sessions.Find(tx, string(s.ID))
		if err != nil {
			return err
		}
		next, players, err := session.Admit(tx.Now, *open, []session.Seat{{ID: "psess-a", PlayerID: "a"}, {ID: "psess-b", PlayerID: "b"}})
		if err != nil {
			return err
		}
		for i := range players {
			if err := store.Players.Put(tx, &players[i]); err != nil {
				return err
			}
		}
		return store.Sessions.Put(tx, &next)
	})
	if r := w.tell(i, lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: "p0", SessionID: s.ID, PlayerID: "psess-a"}}); r.Status != 200 {
		t.Fatalf("accept: %+v", r)
	}
	if r := w.tell(i, lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: "p0", SessionID: s.ID, PlayerID: "psess-x"}}); r.Status != 404 || r.Message == "" {
		t.Errorf("accept a stranger: %+v", r)
	}
	w.now = w.now.Add(61 * time.Second)
	w.turn()
	if got := find(w, store.Sessions, string(s.ID)); got.PlayerCount != 1 {
		t.Errorf("after the reservation of b ended the session counts %d players", got.PlayerCount)
	}
	if got := find(w, store.Players, "psess-b"); got.Status != lift.PlayerTimedOut {
		t.Errorf("b is %s", got.Status)
	}
	r := w.tell(i, lift.Event{DescribePlayers: &lift.DescribePlayers{ProcessID: "p0", GameSessionID: s.ID, Status: "ACTIVE"}})
	if r.Status != 200 || len(r.Players) != 1 || r.Players[0].ID != "psess-a" {
		t.Errorf("describe: %+v", r)
	}
	w.tell(i, lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: "p0"}}, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: "p0"}})
	if got := find(w, store.Sessions, string(s.ID)); got.Status != lift.SessionTerminated || got.PlayerCount != 0 {
		t.Errorf("after the end: %+v", got)
	}
	if got := find(w, store.Players, "psess-a"); got.Status != lift.PlayerCompleted {
		t.Errorf("a is %s", got.Status)
	}
}

// TestARepeatedBatchChangesNothing: the service may die between the commit and
// the acknowledgement, and the agent then says everything again.
func TestARepeatedBatchChangesNothing(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	s := w.open(f, "one")
	w.seq[i]++
	b := Batch{Events: []Numbered{{Seq: w.seq[i], Event: lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: "p0", SessionID: s.ID}}}}}
	w.seq[i]++
	b.Events = append(b.Events, Numbered{Seq: w.seq[i], Event: lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: "p0", PlayerID: "nobody"}}})
	ctx := context.Background()
	last1, replies1, err := w.Handle(ctx, i, b)
	if err != nil || len(replies1) != 2 || replies1[0].Reply.Status != 200 || replies1[1].Reply.Status != 404 {
		t.Fatalf("got %d %+v %v", last1, replies1, err)
	}
	last2, replies2, err := w.Handle(ctx, i, b)
	if diff := cmp.Diff([]any{last1, replies1, error(nil)}, []any{last2, replies2, err}); diff != "" {
		t.Error(diff)
	}
	if _, replies, _ := w.Handle(ctx, i, Batch{Read: last1, Events: b.Events}); len(replies) != 0 {
		t.Errorf("replies that were read came again: %+v", replies)
	}
	if _, _, err := w.Handle(ctx, i, Batch{Events: []Numbered{{Seq: w.seq[i] + 2}}}); err == nil {
		t.Error("a gap in the numbers was accepted")
	}
}

func TestAnAgentIsToldWhatItDidNotConfirm(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	w.open(f, "one")
	ctx := context.Background()
	last, pending, err := w.Resume(ctx, i)
	if err != nil || last != w.seq[i] || len(pending) != 2 || pending[0].Configure == nil || pending[1].StartSession == nil {
		t.Fatalf("got %d %+v %v", last, pending, err)
	}
	if _, _, err := w.Handle(ctx, i, Batch{Got: []lift.EffectID{pending[0].ID, pending[1].ID}}); err != nil {
		t.Fatal(err)
	}
	if _, pending, _ = w.Resume(ctx, i); len(pending) != 0 {
		t.Errorf("confirmed and still pending: %+v", pending)
	}
}

func TestASessionThatIsNotActivatedEnds(t *testing.T) {
	w := newWorld(t)
	f, _ := w.fleet(func(f *lift.Fleet) { f.Runtime.ActivationTimeoutSeconds = 10; f.Runtime.MaxActivations = 1 }, 2)
	s := w.open(f, "one")
	if s == nil || w.open(f, "two") != nil {
		t.Fatal("the cap of one activation does not hold")
	}
	w.take()
	w.now = w.now.Add(10 * time.Second)
	w.turn()
	if got := find(w, store.Sessions, string(s.ID)); got.Status != lift.SessionTerminated {
		t.Errorf("session is %s", got.Status)
	}
	if sent := w.take(); len(sent) != 1 || sent[0].TerminateProcess == nil {
		t.Errorf("sent %+v", sent)
	}
	if codes := w.codes(f); codes[len(codes)-1] != "GAME_SESSION_ACTIVATION_TIMEOUT" {
		t.Errorf("events %v", codes)
	}
	if w.open(f, "three") == nil {
		t.Error("the activation that timed out still counts")
	}
}

func (w *world) place(id string, players ...string) {
	w.update(func(tx *Tx) error {
		p := lift.Placement{
			ID: lift.PlacementID(id), Region: region, Queue: "q", Status: lift.PlacementPending, MaxPlayers: 4,
			StartedAt: tx.Now, Deadline: tx.Now.Add(10 * time.Minute), TryAt: tx.Now,
		}
		for _, pl := range players {
			p.Players = append(p.Players, lift.DesiredPlayer{PlayerID: pl})
		}
		return store.Placements.Put(tx, &p)
	})
}

func (w *world) placement(id string) *lift.Placement {
	w.t.Helper()
	return find(w, store.Placements, store.InRegion(region, id))
}

func (w *world) queue(f lift.FleetID) {
	w.update(func(tx *Tx) error {
		return store.Queues.Put(tx, &lift.Queue{Name: "q", Region: region, Destinations: []string{lift.FleetARN(region, "fleet-none"), lift.FleetARN(region, f)}})
	})
}

func TestPlacementsGetProcessesInTurn(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	w.queue(f)
	w.place("first", "alice")
	w.now = w.now.Add(time.Second)
	w.place("second")
	w.now = w.now.Add(time.Second)
	w.place("third")
	w.turn()
	first := w.placement("first")
	if first.SessionID == "" || first.Status != lift.PlacementPending {
		t.Fatalf("first: %+v", first)
	}
	if r := w.tell(i, lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: "p0", SessionID: first.SessionID}}); r.Status != 200 {
		t.Fatalf("activate: %+v", r)
	}
	first = w.placement("first")
	if first.Status != lift.PlacementFulfilled || len(first.Placed) != 1 || first.Placed[0].PlayerID != "alice" || first.Port != 7777 {
		t.Fatalf("first: %+v", first)
	}
	if p := find(w, store.Players, string(first.Placed[0].PlayerSessionID)); p.Status != lift.PlayerReserved || !p.ReservedUntil.Equal(w.now.Add(session.Reservation)) {
		t.Errorf("alice: %+v", p)
	}
	second := w.placement("second")
	if second.SessionID != "" || len(second.Skips) != 2 || second.Skips[0].Reason != placement.NoFleet || second.Skips[1].Reason != placement.NoIdleProcess {
		t.Fatalf("second waits for no good reason: %+v", second)
	}
	// A process that becomes idle goes to the one that waits longest.
	w.process(i, "p1")
	w.turn()
	if w.placement("second").SessionID == "" || w.placement("third").SessionID != "" {
		t.Errorf("second %+v, third %+v", w.placement("second"), w.placement("third"))
	}
	w.now = w.now.Add(11 * time.Minute)
	w.turn()
	for _, id := range []string{"second", "third"} {
		if p := w.placement(id); p.Status != lift.PlacementTimedOut || p.EndedAt.IsZero() {
			t.Errorf("%s: %+v", id, p)
		}
	}
	if p := find(w, store.Processes, "p1"); p.State != lift.ProcessTerminating {
		t.Errorf("the process of the placement that timed out is %s", p.State)
	}
}

func TestAPlacementSurvivesItsProcess(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 2)
	w.queue(f)
	w.place("one")
	w.turn()
	p := w.placement("one")
	host := find(w, store.Sessions, string(p.SessionID)).ProcessID
	w.tell(i, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: host, Code: lift.ProcessCrashed, Message: "exit code 139"}})
	w.turn()
	next := w.placement("one")
	if next.Status != lift.PlacementPending || next.SessionID == "" || next.SessionID == p.SessionID || next.Avoid[0] != host {
		t.Fatalf("got %+v", next)
	}
	if codes := w.codes(f); codes[len(codes)-1] != "SERVER_PROCESS_CRASHED" {
		t.Errorf("events %v", codes)
	}
}

func TestALostInstanceIsReplaced(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	s := w.open(f, "one")
	w.take()
	if err := w.InstanceLost(context.Background(), i, "its agent ended"); err != nil {
		t.Fatal(err)
	}
	w.turn()
	if got := find(w, store.Sessions, string(s.ID)); got.Status != lift.SessionTerminated {
		t.Errorf("its session is %s", got.Status)
	}
	if got := find(w, store.Instances, string(i)); got.Status != lift.InstanceTerminated || got.Reason == "" {
		t.Errorf("it is %+v", got)
	}
	now := w.instances(f)
	if len(now) != 1 || now[0].ID == i {
		t.Fatalf("instances now: %+v", now)
	}
	sent := w.take()
	if len(sent) != 3 || sent[0].StopInstance == nil || sent[0].StopInstance.InstanceID != i || sent[1].Configure == nil || sent[2].StartInstance == nil {
		t.Errorf("sent %+v", sent)
	}
	if codes := w.codes(f); codes[len(codes)-1] != "INSTANCE_REPLACED_UNHEALTHY" {
		t.Errorf("events %v", codes)
	}
}

func TestSilenceCountsFromTheEndOfAnyGap(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	step := func(d time.Duration, speak bool) {
		for range int(d / (10 * time.Second)) {
			w.now = w.now.Add(10 * time.Second)
			if speak {
				w.heard[i] = w.now
			}
			w.turn()
		}
	}
	step(10*time.Minute, true)
	w.now = w.now.Add(8 * time.Hour) // the laptop slept
	step(170*time.Second, false)
	if got := w.instances(f); len(got) != 1 || got[0].ID != i {
		t.Fatalf("retired after a gap of our own: %+v", got)
	}
	step(time.Minute, false)
	if got := w.instances(f); len(got) != 1 || got[0].ID == i {
		t.Fatalf("still there after 230 s of silence: %+v", got)
	}
}

func TestAHostThatRefusesFailsANewFleet(t *testing.T) {
	w := newWorld(t)
	w.update(func(tx *Tx) error {
		if err := store.Builds.Put(tx, &lift.Build{ID: "build-1", Region: region, Status: lift.BuildReady}); err != nil {
			return err
		}
		return store.Fleets.Put(tx, &lift.Fleet{ID: "fleet-1", Region: region, BuildID: "build-1", Status: lift.FleetNew, Capacity: lift.Capacity{Desired: 1, Max: 1}, CreatedAt: w.Now(), ActivateBy: w.Now().Add(time.Minute), LookAt: w.Now()})
	})
	w.turn()
	start := w.take()[1]
	if err := w.HostRefused(context.Background(), start, "no address is free"); err != nil {
		t.Fatal(err)
	}
	w.turn()
	if f := find(w, store.Fleets, "fleet-1"); f.Status != lift.FleetError || f.Reason != "no address is free" {
		t.Errorf("got %+v", f)
	}
	want := []string{"FLEET_ACTIVATION_FAILED_NO_INSTANCES", "FLEET_STATE_ERROR"}
	if diff := cmp.Diff(want, w.codes("fleet-1")); diff != "" {
		t.Error(diff)
	}
	if got := w.instances("fleet-1"); len(got) != 0 {
		t.Errorf("instances left: %+v", got)
	}
	w.turn()
	if got := w.instances("fleet-1"); len(got) != 0 {
		t.Errorf("a failed fleet asked for more: %+v", got)
	}
}

func TestADeletedFleetGoes(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	w.take()
	w.update(func(tx *Tx) error {
		fl, err := store.Fleets.Find(tx, string(f))
		if err != nil {
			return err
		}
		fl.Status, fl.LookAt = lift.FleetDeleting, tx.Now
		return store.Fleets.Put(tx, fl)
	})
	w.turn()
	if sent := w.take(); len(sent) != 1 || sent[0].Drain == nil {
		t.Fatalf("sent %+v", sent)
	}
	// The agent never answers: the instance is ended by force.
	w.now = w.now.Add(10 * time.Minute)
	w.turn()
	w.turn()
	sent := w.take()
	if len(sent) == 0 || sent[0].StopInstance == nil || sent[0].StopInstance.InstanceID != i {
		t.Errorf("sent %+v", sent)
	}
	if got := find(w, store.Fleets, string(f)); got.Status != lift.FleetTerminated {
		t.Errorf("the fleet is %s", got.Status)
	}
	w.now = w.now.Add(2 * time.Hour)
	w.turn()
	if _, ok, _ := getFleet(w, f); ok {
		t.Error("the fleet is remembered for ever")
	}
}

func getFleet(w *world, id lift.FleetID) (f *lift.Fleet, ok bool, err error) {
	err = w.View(context.Background(), func(tx store.Tx) (err error) { f, ok, err = store.Fleets.Get(tx, string(id)); return err })
	return f, ok, err
}

// TestEventsThatMakeNoSenseAreNotRepeated: an error would make the agent send
// them again for ever.
func TestEventsThatMakeNoSenseAreNotRepeated(t *testing.T) {
	w := newWorld(t)
	f, i := w.fleet(nil, 1)
	before := find(w, store.Fleets, string(f))
	for _, ev := range []lift.Event{
		{},
		{ProcessReady: &lift.ProcessReady{ProcessID: "unknown", Port: 1}},
		{ProcessHealth: &lift.ProcessHealth{}},
		{ActivateSession: &lift.ActivateSession{ProcessID: "p0", SessionID: "none"}},
		{DescribePlayers: &lift.DescribePlayers{ProcessID: "p0"}},
	} {
		w.tell(i, ev)
	}
	if diff := cmp.Diff(before, find(w, store.Fleets, string(f))); diff != "" {
		t.Error(diff)
	}
}
