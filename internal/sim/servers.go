package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Several servers work on one store, each on a machine of its own with or
// without a host. One server alone is called "server" and shares nothing.

// newServers makes the servers of the plan, which open the stores in turn.
func (w *world) newServers(stores []store.Store) {
	for n := range w.plan.servers {
		s := &server{w: w, name: "server", ids: w.newIDs(), conns: map[lift.InstanceID]*conn{}, past: map[lift.InstanceID]time.Time{}}
		s.store = &faultStore{Store: stores[n], s: s}
		hostName := ""
		if w.plan.servers > 1 {
			s.name, hostName = fmt.Sprint("server ", n+1), fmt.Sprint("host-", n+1)
		}
		if n == 0 || w.chance(75) {
			s.host = &host{w: w, s: s, name: hostName, ids: w.newIDs(), instances: map[lift.InstanceID]*instance{}, stopped: map[lift.InstanceID]bool{}}
		}
		if w.plan.faults.clocks && n > 0 {
			s.skew = (w.some(40*time.Second) - 20*time.Second).Truncate(time.Microsecond)
		}
		w.servers = append(w.servers, s)
	}
}

func (w *world) newIDs() *rand.ChaCha8 {
	var key [32]byte
	for i := range key {
		key[i] = byte(w.rng.Uint32())
	}
	return rand.NewChaCha8(key)
}

// owner is what a server is called in rows, anew in each life.
func (s *server) owner() string {
	if len(s.w.servers) == 1 {
		return ""
	}
	return fmt.Sprintf("%s.%d", s.name, s.life)
}

// anyServer is one that answers, whoever asks; nil if there is none.
func (w *world) anyServer() *server { return w.pickServer(func(s *server) bool { return s.up }) }

// pickServer returns one of those servers, if there is one.
func (w *world) pickServer(of func(*server) bool) *server {
	var all []*server
	for _, s := range w.servers {
		if of(s) {
			all = append(all, s)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all[w.rng.IntN(len(all))]
}

// clock is that of the server whose commit is looked at.
func (w *world) clock() time.Time { return w.acting.clock() }

// mayLeave reports whether the service goes on without s: somebody stays, and
// so does a host.
func (s *server) mayLeave() bool {
	for _, other := range s.w.servers {
		if other != s && !other.away && other.host != nil {
			return true
		}
	}
	return false
}

// leave is a server that does not come back. Perhaps its machine is gone, and
// all agents there with it.
func (s *server) leave() {
	w := s.w
	s.away = true
	w.tally.Left++
	if s.host == nil || w.chance(50) {
		w.note(s.name, "stays away")
		return
	}
	w.note(s.name, "is gone with its machine")
	for _, i := range w.order {
		if i.host == s.host {
			i.die("its machine is gone")
		}
	}
}

// committed is called after a commit: the database tells the other servers,
// unless that is lost.
func (s *server) committed() {
	w := s.w
	for _, other := range w.servers {
		if other != s && other.up && !w.bad(w.plan.faults.deaf, 40) {
			other.planFollow(w.now.Add(w.some(20 * time.Millisecond)))
		}
	}
}

// planFollow plans a look at what others committed.
func (s *server) planFollow(at time.Time) {
	if len(s.w.servers) == 1 || !s.followAt.IsZero() && !at.Before(s.followAt) {
		return
	}
	s.followAt = at
	life := s.life
	s.w.at(at, func() {
		if !s.up || s.life != life || !s.followAt.Equal(at) {
			return
		}
		s.followAt = time.Time{}
		if err := s.engine.Follow(s.w.ctx); err != nil {
			s.expected(err)
		}
		s.wakeNotifier()
		s.planFollow(s.w.now.Add(followTick))
	})
}

const followTick = 5 * time.Second // between two looks that nobody asked for

// overtaken lets another server act in the middle of a transaction, which has
// to run again then.
func (s *server) overtaken() {
	w := s.w
	if w.overtaking {
		return
	}
	other := w.pickServer(func(other *server) bool { return other != s && other.up && !other.store.dying })
	if other == nil {
		return
	}
	w.overtaking = true
	defer func() { w.overtaking = false }()
	var err error
	if w.chance(50) {
		_, err = other.engine.Step(w.ctx)
	} else {
		_, err = other.matcher.Step(w.ctx)
	}
	w.note(other.name, "was faster: %v", err)
	if err != nil {
		other.expected(err)
	}
}

// Shared is store.Shared.Shared.
func (s *faultStore) Shared() bool { return len(s.s.w.servers) > 1 }

// Elsewhere is store.Shared.Elsewhere. The world tells of commits itself.
func (s *faultStore) Elsewhere(context.Context) <-chan struct{} { return nil }
