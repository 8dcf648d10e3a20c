package ops

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

// world is a service on an empty store, with a clock that the test moves. The
// test plays every agent.
type world struct {
	*Service
	t     testing.TB
	ctx   context.Context // of a caller in us-west-2
	files *blob.Dir

	mu   sync.Mutex // guards what follows
	now  time.Time
	sent []lift.Effect
	// counted adds up what was counted, by metric and region.
	counted map[string]int

	seq map[lift.InstanceID]uint64

	sinks []string // where every event goes
}

func (w *world) count(c engine.Count) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counted == nil {
		w.counted = map[string]int{}
	}
	w.counted[c.Metric+" "+c.Region] += c.N
}

// stumbled has the transactions that failed at each of their steps.
var stumbled sync.Map

func newWorld(t testing.TB, rules ...Rules) *world {
	t.Helper()
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	files, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	w := &world{t: t, files: files, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), seq: map[lift.InstanceID]uint64{}}
	w.ctx = w.in("us-west-2")
	e := engine.New(engine.Options{Store: &stumble.Store{Store: db, Known: &stumbled, WentOn: func(err error) { t.Error(err) }}, Sender: w, Now: w.clock, IDs: rand.NewChaCha8([32]byte{}), Sinks: func(string) []string { return w.sinks }, Count: w.count})
	o := Options{Engine: e, Files: files, Credentials: auth.NewTemporary([]byte("master")), Keys: auth.NewKeyring(db, []byte("master"))}
	if rules != nil {
		o.Rules = rules[0]
	}
	if w.Service, err = New(w.ctx, o); err != nil {
		t.Fatal(err)
	}
	return w
}

// in is the context of a caller in a region.
func (w *world) in(region string) context.Context {
	return auth.WithCaller(w.t.Context(), auth.Caller{Account: "123456789012", Region: region, Principal: "arn:aws:iam::123456789012:user/dev"}.Under(auth.Everything()))
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) Send(effects []lift.Effect) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, effects...)
}

// take returns the effects sent since the last call.
func (w *world) take() []lift.Effect {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.sent
	w.sent = nil
	return sent
}

// pass lets time go by and does what became due.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	w.turn()
}

func (w *world) turn() {
	w.t.Helper()
	if _, err := w.engine.Turn(w.ctx, w.engine.Now()); err != nil {
		w.t.Fatalf("turn: %v", err)
	}
}

// tell hands events of an agent to the engine and returns the last reply.
func (w *world) tell(from lift.InstanceID, events ...lift.Event) lift.Reply {
	w.t.Helper()
	b := engine.Batch{Read: w.seq[from]}
	for _, ev := range events {
		w.seq[from]++
		b.Events = append(b.Events, engine.Numbered{Seq: w.seq[from], Event: ev})
	}
	_, replies, err := w.engine.Handle(w.ctx, from, b)
	if err != nil {
		w.t.Fatalf("handle: %v", err)
	}
	if len(replies) == 0 {
		return lift.Reply{}
	}
	return replies[len(replies)-1].Reply
}

// must returns the answer of an operation that has to succeed.
func must[T any](out T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// refused checks that an operation failed in the way expected, and with a
// message that says the given words.
func refused(t *testing.T, err error, kind lift.Kind, words ...string) {
	t.Helper()
	if !isKind(err, kind) {
		t.Errorf("got error %v, want %s", err, kind)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("message %q does not say %q", err, w)
		}
	}
}

// archiveOf makes a zip of one executable.
func archiveOf(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("server")
	if err == nil {
		_, err = f.Write([]byte("#!/bin/sh\n"))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload stores files at a build's location as the door to the files does.
func (w *world) upload(at *api.S3Location, content []byte) {
	w.t.Helper()
	if err := w.MayWrite(w.ctx, *at.Bucket, *at.Key); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.files.Put(w.ctx, FileKey(*at.Bucket, *at.Key), bytes.NewReader(content)); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Finished(w.ctx, *at.Bucket, *at.Key, int64(len(content))); err != nil {
		w.t.Fatal(err)
	}
}

// linuxBuild makes a READY build.
func (w *world) linuxBuild() string {
	w.t.Helper()
	out := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{Name: new("game"), OperatingSystem: new("AMAZON_LINUX_2023")}))(w.t)
	w.upload(out.StorageLocation, archiveOf(w.t))
	return *out.Build.BuildId
}

func launching(n int) *api.RuntimeConfiguration {
	return &api.RuntimeConfiguration{ServerProcesses: []api.ServerProcess{{LaunchPath: "/local/game/server", ConcurrentExecutions: n}}}
}

// newFleet makes a fleet of a READY build, changed by edit, and does not
// start it.
func (w *world) newFleet(edit ...func(*api.CreateFleetInput)) string {
	w.t.Helper()
	in := &api.CreateFleetInput{Name: "f", BuildId: new(w.linuxBuild()), EC2InstanceType: new("c5.large"), RuntimeConfiguration: launching(2)}
	for _, e := range edit {
		e(in)
	}
	return *must(w.CreateFleet(w.ctx, in))(w.t).FleetAttributes.FleetId
}

// activeFleet makes a fleet and brings its first instance up.
func (w *world) activeFleet(edit ...func(*api.CreateFleetInput)) (string, lift.InstanceID) {
	w.t.Helper()
	id := w.newFleet(edit...)
	w.take()
	w.turn()
	return id, w.startInstance()
}

// startInstance plays the agent of the instance that was requested last.
func (w *world) startInstance() lift.InstanceID {
	w.t.Helper()
	var inst lift.InstanceID
	var cfg *lift.Configure
	for _, eff := range w.take() {
		if eff.StartInstance != nil {
			inst = eff.StartInstance.InstanceID
		}
		if eff.Configure != nil {
			cfg = eff.Configure
		}
	}
	if inst == "" || cfg == nil {
		w.t.Fatal("no instance was requested")
	}
	w.tell(inst,
		lift.Event{Stage: &lift.StageReached{Stage: lift.StageDownloading, Address: "10.0.0.7"}},
		lift.Event{Stage: &lift.StageReached{Stage: lift.StageExtracting, Message: "1 file"}},
		lift.Event{Stage: &lift.StageReached{Stage: lift.StageValidating}},
		lift.Event{Stage: &lift.StageReached{Stage: lift.StageBuilding}},
		lift.Event{Stage: &lift.StageReached{Stage: lift.StageActivating}})
	n := 0
	for _, p := range cfg.Fleet.Runtime.ServerProcesses {
		for range p.Count {
			n++
			w.startProcess(inst, lift.ProcessID(fmt.Sprintf("proc-%s-p%d", inst, n)), 7000+n)
		}
	}
	return inst
}

func (w *world) startProcess(inst lift.InstanceID, id lift.ProcessID, port int) {
	w.t.Helper()
	w.tell(inst,
		lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: id, LaunchPath: "/local/game/server", OSPID: 100}},
		lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: id, SDKVersion: "5.4.0", SDKLanguage: "Go"}},
		lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: id, Port: port}})
}

// processOf returns the process that hosts a game session.
func (w *world) hostOf(session string) (p lift.Process) {
	w.t.Helper()
	err := w.engine.View(w.ctx, func(tx store.Tx) error {
		gs, err := store.Sessions.Find(tx, session)
		if err != nil {
			return err
		}
		found, err := store.Processes.Find(tx, string(gs.ProcessID))
		if err == nil {
			p = *found
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// activate answers for the game server that its session is ready.
func (w *world) activate(session string) {
	w.t.Helper()
	p := w.hostOf(session)
	r := w.tell(p.InstanceID, lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: p.ID, SessionID: lift.GameSessionID(session)}})
	if r.Status != 200 {
		w.t.Fatalf("ActivateSession: %+v", r)
	}
}

// fleetStatus is what a caller sees.
func (w *world) fleetStatus(id string) string {
	w.t.Helper()
	fs := must(w.DescribeFleetAttributes(w.ctx, &api.DescribeFleetAttributesInput{FleetIds: []string{id}}))(w.t).FleetAttributes
	if len(fs) == 0 {
		return "gone"
	}
	return *fs[0].Status
}

// rows returns everything that is stored.
func (w *world) rows() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	err := w.engine.View(w.ctx, func(tx store.Tx) error {
		for _, k := range store.Kinds() {
			rs, err := tx.Scan(k.Name, "", "", store.Cursor{}, 10_000)
			if err != nil {
				return err
			}
			for _, r := range rs {
				all[k.Name+" "+r.ID] = string(r.Body)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// edit changes a fleet behind everybody's back.
func (w *world) edit(id string, change func(*lift.Fleet)) {
	w.t.Helper()
	err := w.engine.Update(w.ctx, func(tx *engine.Tx) error {
		f, err := store.Fleets.Find(tx, id)
		if err != nil {
			return err
		}
		change(f)
		return store.Fleets.Put(tx, f)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
