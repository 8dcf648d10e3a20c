package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// sharedDB is a store as one of several servers has it, which may lose sight of it.
type sharedDB struct {
	store.Store
	news chan struct{}
	lost atomic.Bool
}

func (*sharedDB) Shared() bool                                { return true }
func (s *sharedDB) Elsewhere(context.Context) <-chan struct{} { return s.news }

var errLost = errors.New("the database is out of sight")

func (s *sharedDB) View(ctx context.Context, f func(store.Tx) error) error {
	if s.lost.Load() {
		return errLost
	}
	return s.Store.View(ctx, f)
}

func (s *sharedDB) Update(ctx context.Context, f func(store.Tx) error) error {
	if s.lost.Load() {
		return errLost
	}
	return s.Store.Update(ctx, f)
}

// servers on one store deliver to a sink called h, which notes who sent
// what and needs a while for it.
type servers struct {
	db    store.Store
	views []*sharedDB
	stops []func()
	wait  time.Duration
	asked inbox // who began to send
	inbox inbox // who sent what
	late  inbox // what the first sent while another did
}

func newServers(t *testing.T, names string, wait time.Duration) *servers {
	s := &servers{db: newStore(t), wait: wait}
	for _, name := range strings.Fields(names) {
		s.join(t, name)
		synctest.Wait()
	}
	return s
}

func (s *servers) join(t *testing.T, name string, sinks ...Sink) {
	view := &sharedDB{Store: s.db, news: make(chan struct{})}
	h := hook("h")
	h.Timeout = time.Minute
	ready, err := Sinks(append(sinks, h)).Ready()
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Options{Store: view, Sinks: ready, Owner: name, HTTP: receivers{"h": func(r *http.Request, b string) int {
		s.asked.add(name)
		select {
		case <-time.After(s.wait):
			s.inbox.add(name + " " + idOf(b))
			if name == "a" && slices.Contains(s.asked.all(), "b") {
				s.late.add(idOf(b))
			}
			return 200
		case <-r.Context().Done():
			return 503
		}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.Run(ctx) }()
	s.views = append(s.views, view)
	s.stops = append(s.stops, func() { cancel(); <-done; n.Close() })
}

// Several servers deliver each event once, whichever of them saved it, and the
// next goes on when one stops.
func TestServersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServers(t, "a b", 0)
		for i := range 10 {
			save(t, s.db, i, "ticket/x", "h")
		}
		for _, v := range s.views {
			v.news <- struct{}{} // as the database says to all
		}
		time.Sleep(time.Minute)
		var want []string
		for i := range 10 {
			want = append(want, fmt.Sprintf("a e%d", i))
		}
		if got := s.inbox.all(); !slices.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
		s.stops[0]()
		save(t, s.db, 10, "ticket/x", "h")
		time.Sleep(lookEvery)
		synctest.Wait()
		if got := s.inbox.all(); len(got) != 11 || got[10] != "b e10" {
			t.Errorf("after the first server stopped: %q", got[10:])
		}
		s.stops[1]()
	})
}

// Of one ticket events arrive in order also if a server saved the first of them
// whose clock is far behind.
func TestOrderWhereClocksDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ahead = 60_000_000 // microseconds, as save counts
		s := newServers(t, "a b", 0)
		wake := func() {
			for _, v := range s.views {
				v.news <- struct{}{}
			}
			time.Sleep(time.Second)
		}
		save(t, s.db, ahead, "ticket/y", "h")
		wake()
		save(t, s.db, 1, "ticket/x", "h")
		save(t, s.db, ahead+1, "ticket/x", "h")
		wake()
		want := []string{"a e60000000", "a e1", "a e60000001"}
		if got := s.inbox.all(); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		s.stops[0]()
		s.stops[1]()
	})
}

// One that loses sight of the database in the midst, as if it were killed, has
// stopped when another begins, in an attempt that takes long too. What it had
// under way comes again, and nothing is lost nor out of order.
func TestTheNextServerGoesOn(t *testing.T) {
	for _, wait := range []time.Duration{700 * time.Millisecond, 15 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const events = 60
			s := newServers(t, "a b", wait)
			for i := range events {
				save(t, s.db, i, fmt.Sprint("ticket/", i%3), "h")
			}
			s.views[0].news <- struct{}{}
			time.Sleep(3 * time.Second)
			s.views[0].lost.Store(true)
			time.Sleep(store.LeaseFor)
			synctest.Wait()
			if !slices.Contains(s.asked.all(), "b") {
				t.Error("the next did not begin when the lease had ended")
			}
			time.Sleep(wait)
			s.views[0].lost.Store(false)
			time.Sleep(events * wait)
			s.stops[0]()
			s.stops[1]()
			if late := s.late.all(); late != nil {
				t.Errorf("the first sent %q after the next had begun", late)
			}
			next := map[int]int{0: 0, 1: 1, 2: 2} // of each ticket
			for _, line := range s.inbox.all() {
				var i int
				if _, err := fmt.Sscanf(line[1:], " e%d", &i); err != nil {
					t.Fatal(err)
				}
				if i > next[i%3] || i < next[i%3]-3 {
					t.Errorf("%s came while e%d was next", line, next[i%3])
				}
				next[i%3] = max(next[i%3], i+3)
			}
			if waiting, dead := left(t, s.db); waiting != 0 || len(dead) != 0 || next[0]+next[1]+next[2] != 3*events+3 {
				t.Errorf("%d wait, %d are dead, next are %v", waiting, len(dead), next)
			}
		})
	}
}

// A server that does not know a sink yet takes nothing away from one that does.
func TestASinkOfAnotherServerIsNoOrphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServers(t, "", 0)
		s.join(t, "new", Sink{Name: "new", URL: "http://new/"}) // which answers nothing
		synctest.Wait()
		save(t, s.db, 1, "ticket/x", "new")
		save(t, s.db, 2, "ticket/x", "gone")
		s.join(t, "old")
		synctest.Wait()
		if waiting, dead := left(t, s.db); waiting != 1 || len(dead) != 1 || dead[0].Sink != "gone" {
			t.Errorf("%d wait, dead: %+v", waiting, dead)
		}
		s.stops[0]()
		s.stops[1]()
	})
}
