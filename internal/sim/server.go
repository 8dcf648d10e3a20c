package sim

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/engine/matcher"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/notify"
	"github.com/chairlift-games/chairlift/internal/ops"
	"github.com/chairlift-games/chairlift/internal/store"
)

// server is the service, or one of several: one engine after the other on the
// same store. It does what package server's goroutines do, one step at a time.
type server struct {
	w     *world
	name  string
	store *faultStore
	host  *host // on the same machine; nil: none
	ids   *rand.ChaCha8
	skew  time.Duration // of its clock

	life     int
	up       bool
	away     bool // for good
	engine   *engine.Engine
	matcher  *matcher.Matcher
	notifier *notify.Notifier // nil: there is no sink
	ops      *ops.Service
	conns    map[lift.InstanceID]*conn
	past     map[lift.InstanceID]time.Time // when those not connected were last heard
	turnAt   time.Time                     // the turn that is planned; zero: none
	matchAt  time.Time                     // likewise the matcher's step
	notifyAt time.Time                     // likewise the notifier's step
	followAt time.Time                     // likewise the look at what others committed
	busy     map[lift.EffectID]bool        // with the host
}

func (s *server) clock() time.Time { return s.w.now.Add(s.skew) }

// start begins a life, and tries again if the store refuses.
func (s *server) start() {
	w := s.w
	s.life++
	s.up, s.turnAt, s.matchAt, s.notifyAt, s.followAt, s.busy = true, time.Time{}, time.Time{}, time.Time{}, time.Time{}, map[lift.EffectID]bool{}
	s.conns, s.past = map[lift.InstanceID]*conn{}, map[lift.InstanceID]time.Time{}
	s.store.dying, s.store.crashAt = false, 0
	hostName := ""
	if s.host != nil {
		hostName = s.host.name
	}
	s.engine = engine.New(engine.Options{
		Store: s.store, Sender: s, Now: s.clock, IDs: s.ids, Sinks: w.sinks, Owner: s.owner(), Host: hostName,
		Heard: func(id lift.InstanceID) (time.Time, bool) {
			if c := s.conns[id]; c != nil {
				return c.far.Heard().Add(s.skew), true
			}
			at, ok := s.past[id]
			return at.Add(s.skew), ok
		},
	})
	w.note(s.name, "life %d begins", s.life)
	var err error
	s.ops, err = ops.New(w.ctx, ops.Options{Engine: s.engine, Region: region, Account: account})
	if err == nil {
		err = s.engine.Resend(w.ctx)
	}
	if err != nil {
		s.crash()
		return
	}
	s.matcher = matcher.New(s.engine, slog.New(slog.DiscardHandler))
	s.planTurn(w.now)
	s.planMatch(w.now)
	s.planFollow(w.now)
	s.soon(time.Second, s.lookAtHost)
	if s.notifier = nil; w.plan.sink {
		s.notifier = s.newNotifier()
		s.planNotify(w.now)
	}
}

// soon does something within a while unless this life has ended by then.
func (s *server) soon(most time.Duration, do func()) {
	life := s.life
	s.w.after(s.w.some(most), func() {
		if s.up && s.life == life {
			do()
		}
	})
}

// after is called after every event.
func (s *server) after() {
	if s.store.dying {
		s.crash()
	}
	if s.up && s.engine.Woken() {
		s.planTurn(s.w.now.Add(s.w.some(5 * time.Millisecond)))
	}
	if s.up && len(s.engine.Arrived()) > 0 {
		s.planMatch(s.w.now.Add(s.w.some(5 * time.Millisecond)))
	}
}

func (s *server) planTurn(at time.Time) {
	if !s.turnAt.IsZero() && !at.Before(s.turnAt) {
		return
	}
	s.turnAt = at
	life := s.life
	s.w.at(at, func() {
		if !s.up || s.life != life || !s.turnAt.Equal(at) {
			return
		}
		s.turnAt = time.Time{}
		next, err := s.engine.Step(s.w.ctx)
		if err != nil {
			s.w.note(s.name, "turn: %v", err)
			s.expected(err)
		}
		s.planTurn(later(s.w.now, next.Add(-s.skew)))
	})
}

// planMatch plans the next step of the matcher.
func (s *server) planMatch(at time.Time) {
	if !s.matchAt.IsZero() && !at.Before(s.matchAt) {
		return
	}
	s.matchAt = at
	life := s.life
	s.w.at(at, func() {
		if !s.up || s.life != life || !s.matchAt.Equal(at) {
			return
		}
		s.matchAt = time.Time{}
		next, err := s.matcher.Step(s.w.ctx)
		if err != nil {
			s.w.note(s.name, "matchmaking: %v", err)
			s.expected(err)
		}
		s.planMatch(later(s.w.now.Add(s.w.some(3*time.Millisecond)), next.Add(-s.skew)))
	})
}

// expected fails the world for an error that no fault explains.
func (s *server) expected(err error) {
	if !errors.Is(err, errStore) && !errors.Is(err, errDoubt) && !errors.Is(err, store.ErrClosed) {
		s.w.fail("the service failed: %v", err)
	}
}

// end ends a life at once.
func (s *server) end() {
	s.up = false
	s.w.tally.Crashes++
	s.w.note(s.name, "life %d ends", s.life)
	for _, c := range s.connsInOrder() {
		c.drop("the service is gone")
	}
}

// crash ends a life. The next one begins some time later.
func (s *server) crash() {
	w := s.w
	if !s.up {
		return
	}
	s.end()
	life := s.life
	pause := w.some(10 * time.Second)
	if w.bad(!w.staged, 20) { // too long for what a scenario awaits
		pause = w.some(6 * time.Minute)
	}
	w.after(pause, func() {
		if !s.up && s.life == life && !s.away {
			s.start()
		}
	})
}

// revive brings a server back when the faults stop.
func (s *server) revive() {
	s.store.crashAt, s.store.cutUntil = 0, time.Time{}
	if !s.up && !s.away {
		s.start()
	}
}

// addBuild gives the fleets something to run. How builds arrive is the matter
// of other tests.
func (w *world) addBuild() {
	err := w.servers[0].store.Store.Update(w.ctx, func(tx store.Tx) error {
		return store.Builds.Put(tx, &lift.Build{
			ID: "build-1", Region: region, Account: account, OperatingSystem: "AMAZON_LINUX_2023",
			Status: lift.BuildReady, CreatedAt: w.now,
		})
	})
	if err != nil {
		w.fail("the build: %v", err)
	}
}

// Send is the engine's Sender: the host's effects go to the host, an agent's
// to its connection, if there is one.
func (s *server) Send(effects []lift.Effect) {
	if s.store.dying {
		return
	}
	for _, eff := range effects {
		s.w.checkSent(eff)
		if _, ok := eff.To.Sink(); ok {
			s.wakeNotifier()
			continue
		}
		if name, ok := eff.To.Host(); ok {
			if s.host != nil && name == s.host.name {
				s.carryOut(eff)
			}
			continue
		}
		id := lift.InstanceID(strings.TrimPrefix(string(eff.To), string(lift.ToAgent(""))))
		if c := s.conns[id]; c != nil {
			if err := c.far.Send([]lift.Effect{eff}); err != nil {
				c.drop(err.Error())
				continue
			}
			s.soon(time.Millisecond, c.pump)
		}
	}
}

// carryOut takes an effect to the host and its outcome back.
func (s *server) carryOut(eff lift.Effect) {
	w := s.w
	if s.busy[eff.ID] {
		return
	}
	s.busy[eff.ID] = true
	life := s.life
	s.host.do(eff, func(err error) {
		if !s.up || s.life != life {
			return // it comes again
		}
		switch {
		case err != nil && eff.StartInstance != nil:
			w.tally.Refusals++
			err = s.engine.HostRefused(w.ctx, eff, err.Error())
		case err == nil:
			err = s.engine.Confirm(w.ctx, eff.ID)
		default:
			err = nil
		}
		if err != nil {
			s.expected(err)
		}
		delete(s.busy, eff.ID)
	})
}

// lookAtHost tells the engine of agents that ended by themselves.
func (s *server) lookAtHost() {
	for _, i := range s.w.order {
		if i.host != s.host || i.ended == "" || i.told == s.life {
			continue
		}
		if err := s.engine.InstanceLost(s.w.ctx, i.id, "its agent ended: "+i.ended); err != nil {
			s.expected(err)
			s.soon(2*time.Second, s.lookAtHost)
			return
		}
		i.told = s.life
	}
}

// authenticate lets an agent in, as package server does.
func (s *server) authenticate(id lift.InstanceID, token string) error {
	return s.engine.View(s.w.ctx, func(tx store.Tx) error {
		i, err := store.Instances.Find(tx, string(id))
		switch {
		case err != nil:
			return err
		case engine.HashToken(token) != i.TokenHash:
			return lift.Errorf(lift.Unauthorized, "wrong token")
		case i.Status == lift.InstanceTerminated:
			return lift.Errorf(lift.NotFound, "instance %s was given up", id)
		}
		return nil
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
