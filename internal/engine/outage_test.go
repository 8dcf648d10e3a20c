package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

var errOutage = errors.New("the store is out of order")

// outage is a store that refuses one of its transactions.
type outage struct {
	store.Store
	after  int // it refuses the one after so many
	struck bool
}

func (o *outage) refuses() bool {
	o.after--
	if o.after == -1 {
		o.struck = true
	}
	return o.after == -1
}

func (o *outage) View(ctx context.Context, f func(store.Tx) error) error {
	if o.refuses() {
		return errOutage
	}
	return o.Store.View(ctx, f)
}

func (o *outage) Update(ctx context.Context, f func(store.Tx) error) error {
	if o.refuses() {
		return errOutage
	}
	return o.Store.Update(ctx, f)
}

// TestOutages: whichever transaction the store refuses, who asked hears of it,
// and what was to be done is done when it is asked for again.
func TestOutages(t *testing.T) {
	event := lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: "p0"}}
	for name, c := range map[string]struct {
		ask  func(a *world, i lift.InstanceID) error
		done func(a *world, i lift.InstanceID) bool
	}{
		"an agent reports": {
			func(a *world, i lift.InstanceID) error {
				_, _, err := a.Handle(a.t.Context(), i, Batch{Events: []Numbered{{Seq: a.seq[i] + 1, Event: event}}})
				return err
			},
			func(a *world, i lift.InstanceID) bool { return find(a, store.Processes, "p0").Unhealthy },
		},
		"an agent connects": {
			func(a *world, i lift.InstanceID) error {
				last, pending, err := a.Resume(a.t.Context(), i)
				if err == nil && (last != a.seq[i] || len(pending) == 0) {
					a.t.Errorf("an agent that connects hears of %d and gets %v", last, pending)
				}
				return err
			},
			func(a *world, i lift.InstanceID) bool { return find(a, store.Conversations, string(i)).Server == "a" },
		},
		"an instance is lost": {
			func(a *world, i lift.InstanceID) error { return a.InstanceLost(a.t.Context(), i, "its agent ended") },
			func(a *world, i lift.InstanceID) bool {
				return find(a, store.Instances, string(i)).Status == lift.InstanceTerminated
			},
		},
		"the host starts": {
			func(a *world, i lift.InstanceID) error { return a.Resend(a.t.Context()) },
			func(a *world, i lift.InstanceID) bool { return len(a.take()) > 0 },
		},
		"another server commits": {
			func(a *world, i lift.InstanceID) error { return a.Follow(a.t.Context()) },
			func(a *world, i lift.InstanceID) bool { return len(a.take()) > 0 },
		},
		"a turn": {
			func(a *world, i lift.InstanceID) error {
				next, err := a.Step(a.t.Context())
				if err != nil && !next.Equal(a.Now().Add(errorWait)) {
					a.t.Errorf("a turn that failed is tried again at %s", next)
				}
				return err
			},
			func(a *world, i lift.InstanceID) bool {
				drained := false
				for _, eff := range a.sent {
					drained = drained || eff.Drain != nil
				}
				server := find(a, store.Servers, "a")
				return drained && a.placement("waits").SessionID != "" && find(a, store.Instances, string(i)).Status == lift.InstanceTerminated &&
					a.Now().Sub(server.BeatAt) < beatEvery
			},
		},
	} {
		for n := 0; ; n++ {
			all := newServers(t, "a", "b")
			a, i := troubled(all)
			o := &outage{Store: a.opts.Store, after: n}
			a.opts.Store = o
			err := c.ask(a, i)
			if !o.struck {
				if err != nil || n == 0 {
					t.Errorf("%s: %v after %d transactions", name, err, n)
				}
				break
			}
			if !errors.Is(err, errOutage) {
				t.Errorf("%s: transaction %d was refused, and who asked heard %v", name, n, err)
			}
			for range 3 { // a glance at agents and at placements has its time
				a.now = a.now.Add(beatEvery)
				if err := c.ask(a, i); err != nil {
					t.Errorf("%s: after the outage: %v", name, err)
				}
			}
			if !c.done(a, i) {
				t.Errorf("%s: transaction %d was refused, and what it was for is not done", name, n)
			}
		}
	}
}

// troubled returns the first of two servers when there is something to do for
// each part of a turn: the agent of an instance is silent, a placement waits
// and a process just became idle, nobody knows whether a command was committed.
func troubled(all []*world) (a *world, silent lift.InstanceID) {
	a = all[0]
	f, silent := a.fleet(nil, 1)
	a.queue(f)
	all[1].update(func(tx *Tx) error {
		return tx.Emit(lift.Effect{To: lift.ToHostOf("host-a"), StopInstance: &lift.StopInstance{InstanceID: "i-gone"}})
	})
	a.open(f, "busy")
	for range silenceLimit/watchEvery + 1 {
		a.now = a.now.Add(watchEvery)
		a.heard[silent] = a.now
		a.turn()
	}
	delete(a.heard, silent)
	a.update(func(tx *Tx) error {
		i := lift.Instance{ID: "i-2", FleetID: f, Region: region, Status: lift.InstanceActive, CreatedAt: tx.Now}
		return store.Instances.Put(tx, &i)
	})
	a.place("waits")
	a.process("i-2", "p1")
	d := &doubter{Store: a.opts.Store, commits: true, doubts: true}
	a.opts.Store = d
	if err := a.Update(a.t.Context(), func(tx *Tx) error {
		return tx.Emit(lift.Effect{To: lift.ToAgent("i-2"), Drain: &lift.Drain{}})
	}); !errors.Is(err, errDoubt) {
		a.t.Fatal(err)
	}
	a.opts.Store = d.Store
	a.take()
	a.now = a.now.Add(watchEvery)
	return a, silent
}

// moody is a store in the hands of a test.
type moody struct {
	sharedDB
	mood atomic.Pointer[func(context.Context) error] // asked before each transaction
}

func (m *moody) turns(mood func(context.Context) error) { m.mood.Store(&mood) }

func (m *moody) View(ctx context.Context, f func(store.Tx) error) error {
	if err := (*m.mood.Load())(ctx); err != nil {
		return err
	}
	return m.sharedDB.View(ctx, f)
}

func (m *moody) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := (*m.mood.Load())(ctx); err != nil {
		return err
	}
	return m.sharedDB.Update(ctx, f)
}

// TestRun: a running engine does what is due when it is due and learns within
// seconds what another server did. A store that fails is complained of, and
// asked again; the end of the store or of the context is the end, and no
// complaint.
func TestRun(t *testing.T) {
	type running struct {
		*world
		db    *moody
		other *world
		log   bytes.Buffer
		stop  func()
		ended bool
		err   error
	}
	start := func(t *testing.T) *running {
		all := newServers(t, "a", "b")
		r := &running{other: all[1], db: &moody{sharedDB: all[0].opts.Store.(sharedDB)}}
		r.db.turns(func(context.Context) error { return nil })
		r.world = all[0].with(func(o *Options) {
			o.Store, o.Now, o.Log = r.db, time.Now, slog.New(slog.NewTextHandler(&r.log, nil))
		})
		r.other.now = time.Now()
		ctx, stop := context.WithCancel(t.Context())
		r.stop = stop
		go func() { r.err = r.Run(ctx); r.ended = true }()
		synctest.Wait()
		return r
	}
	end := func(t *testing.T, r *running) {
		t.Helper()
		r.stop()
		synctest.Wait()
		if !r.ended || r.err != nil {
			t.Errorf("ended: %t, with %v", r.ended, r.err)
		}
	}
	quiet := func(t *testing.T, r *running) {
		t.Helper()
		if r.log.Len() > 0 {
			t.Errorf("it complained: %s", r.log.String())
		}
	}
	complained := func(t *testing.T, r *running, of string) {
		t.Helper()
		if !strings.Contains(r.log.String(), of) {
			t.Errorf("nothing says %q: %s", of, r.log.String())
		}
	}
	letter := func(tx *Tx, due time.Duration) error {
		return store.DeadLetters.Put(tx, &store.DeadLetter{ID: "d", KeepUntil: time.Now().Add(due)})
	}
	waits := func(w *world) bool {
		return read(w, func(tx store.Tx) (bool, error) { _, ok, err := store.DeadLetters.Get(tx, "d"); return ok, err })
	}
	for name, play := range map[string]func(t *testing.T, r *running){
		"what is due": func(t *testing.T, r *running) {
			r.update(func(tx *Tx) error { return letter(tx, 1500*time.Millisecond) })
			time.Sleep(time.Second)
			synctest.Wait()
			if !waits(r.other) {
				t.Error("it was done too soon")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if waits(r.other) {
				t.Error("it was not done")
			}
			end(t, r)
			quiet(t, r)
		},
		"what others do": func(t *testing.T, r *running) {
			time.Sleep(time.Minute)
			r.other.update(func(tx *Tx) error {
				if err := tx.Emit(lift.Effect{To: lift.ToAgent("i-1"), Drain: &lift.Drain{}}); err != nil {
					return err
				}
				return letter(tx, 0)
			})
			time.Sleep(idleTurn)
			synctest.Wait()
			if sent := r.take(); len(sent) != 1 || sent[0].Drain == nil {
				t.Errorf("sent %+v", sent)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if waits(r.other) {
				t.Error("it was not done")
			}
			end(t, r)
			quiet(t, r)
		},
		"an outage": func(t *testing.T, r *running) {
			r.db.turns(func(context.Context) error { return errOutage })
			time.Sleep(time.Minute)
			synctest.Wait()
			complained(t, r, "what other servers did cannot be read; it is tried again")
			complained(t, r, "turn failed; it is tried again")
			r.other.update(func(tx *Tx) error { return letter(tx, 0) })
			r.db.turns(func(context.Context) error { return nil })
			time.Sleep(2 * idleTurn)
			synctest.Wait()
			if r.ended || waits(r.other) {
				t.Error("after the outage nothing goes on")
			}
			end(t, r)
		},
		"the store closes": func(t *testing.T, r *running) {
			r.db.turns(func(context.Context) error { return store.ErrClosed })
			time.Sleep(2 * idleTurn)
			synctest.Wait()
			if !r.ended {
				t.Error("it goes on without a store")
			}
			end(t, r)
			quiet(t, r)
		},
		"it ends in the middle": func(t *testing.T, r *running) {
			r.db.turns(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			time.Sleep(2 * idleTurn)
			end(t, r)
			quiet(t, r)
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { play(t, start(t)) }) })
	}

	w := newWorld(t)
	w.opts.Store = &outage{Store: w.opts.Store}
	if err := w.Run(t.Context()); !errors.Is(err, errOutage) {
		t.Errorf("a start without a store: %v", err)
	}
}
