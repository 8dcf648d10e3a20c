package engine

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// counted is a store that counts its transactions.
type counted struct {
	store.Store
	n int
}

func (c *counted) View(ctx context.Context, f func(store.Tx) error) error {
	c.n++
	return c.Store.View(ctx, f)
}

func (c *counted) Update(ctx context.Context, f func(store.Tx) error) error {
	c.n++
	return c.Store.Update(ctx, f)
}

// A service with nothing to do leaves its store alone, but for a glance every
// few seconds.
func TestAnIdleServiceLeavesTheStoreAlone(t *testing.T) {
	for name, c := range map[string]struct {
		*world
		want time.Duration // transactions in a minute of turns
	}{
		"alone":   {newWorld(t), time.Minute/refreshEvery + time.Minute/watchEvery},
		"of some": {newServers(t, "a", "b")[0], time.Minute/refreshEvery + time.Minute/watchEvery + time.Minute/beatEvery + time.Minute/hostRetry},
	} {
		_, i := c.fleet(nil, 1)
		for _, eff := range c.take() {
			if err := c.Confirm(t.Context(), eff.ID); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 {
			c.now = c.now.Add(watchEvery)
			c.turn()
		}
		counted := &counted{Store: c.opts.Store}
		c.opts.Store = counted
		for range time.Minute / time.Second {
			c.now = c.now.Add(time.Second)
			c.heard[i] = c.now
			c.turn()
		}
		if counted.n != int(c.want) {
			t.Errorf("%s: a minute of turns has %d transactions, want %d", name, counted.n, c.want)
		}
	}
}

// Whoever waits for something is woken by the commit that brings it, and by no
// other.
func TestWhatWakes(t *testing.T) {
	letter := func(due time.Duration) func(*Tx) error {
		return func(tx *Tx) error {
			return store.DeadLetters.Put(tx, &store.DeadLetter{ID: lift.EffectID(due.String()), KeepUntil: tx.Now.Add(due)})
		}
	}
	for name, c := range map[string]struct {
		change          func(*Tx) error
		turns, searches bool
	}{
		"nothing":              {func(*Tx) error { return nil }, false, false},
		"what is never due":    {func(tx *Tx) error { return store.Queues.Put(tx, &lift.Queue{Name: "r", Region: region}) }, false, false},
		"what is due later":    {letter(time.Hour), false, false},
		"what is due soon":     {letter(time.Second), true, false},
		"two, the second soon": {func(tx *Tx) error { return cmp.Or(letter(time.Hour)(tx), letter(time.Second)(tx)) }, true, false},
		"two, the first soon":  {func(tx *Tx) error { return cmp.Or(letter(time.Second)(tx), letter(time.Hour)(tx)) }, true, false},
		"a process for those who wait": {func(tx *Tx) error {
			st, err := tx.loadProcess("p0")
			if err != nil {
				return err
			}
			idle := st
			idle.Process.State = lift.ProcessIdle
			return tx.saveProcess(st, idle)
		}, true, false},
		"a ticket": {func(tx *Tx) error {
			return tx.searchAgain(&lift.Ticket{ID: "t", Region: region, Configuration: "c", Deadline: tx.Now.Add(time.Hour)}, "", "")
		}, false, true},
	} {
		w := newWorld(t)
		_, i := w.fleet(nil, 0)
		w.tell(i, lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: "p0"}})
		if _, err := w.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Woken()
		w.update(c.change)
		if got := w.Woken(); got != c.turns {
			t.Errorf("%s: a turn was asked for: %t", name, got)
		}
		searches := false
		select {
		case <-w.Arrived():
			searches = true
		default:
		}
		if searches != c.searches {
			t.Errorf("%s: the matcher was woken: %t", name, searches)
		}
	}
}

// The host is asked again for what it does not confirm.
func TestTheHostIsAskedAgain(t *testing.T) {
	t.Run("alone", func(t *testing.T) { hostIsAskedAgain(t, newWorld(t)) })
	t.Run("of some", func(t *testing.T) {
		all := newServers(t, "a", "b")
		all[1].turn()
		all[1].update(func(tx *Tx) error { // another host does not confirm either
			return tx.Emit(lift.Effect{To: lift.ToHostOf("host-b"), StartInstance: &lift.StartInstance{InstanceID: "i-b"}})
		})
		hostIsAskedAgain(t, all[0])
	})
}

func hostIsAskedAgain(t *testing.T, w *world) {
	w.fleet(nil, 0)
	asked := func() (start *lift.Effect) {
		for _, eff := range w.take() {
			if eff.StartInstance != nil {
				start = &eff
			}
			if eff.StartInstance != nil && eff.StartInstance.InstanceID == "i-b" {
				t.Errorf("the host is asked for what is another's")
			}
		}
		return start
	}
	if asked() == nil {
		t.Fatal("the host is not asked at all")
	}
	for range 3 {
		w.now = w.now.Add(hostRetry - time.Second)
		if w.turn(); asked() != nil {
			t.Error("the host is asked again too soon")
		}
		w.now = w.now.Add(time.Second)
		if w.turn(); asked() == nil {
			t.Error("the host is not asked again")
		}
	}
	w.now = w.now.Add(hostRetry)
	w.turn()
	if err := w.Confirm(t.Context(), asked().ID); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(hostRetry)
	if w.turn(); asked() != nil {
		t.Error("the host is asked for what it confirmed")
	}
}

// A claim of a game server ends when its time is over, and not because somebody
// looks at the server; one that is silent goes, unless the service was away, too.
func TestGameServersWhoseTimeHasCome(t *testing.T) {
	for name, c := range map[string]struct {
		claimed, silent, up time.Duration // until, since, since
		gone, free          bool
	}{
		"claimed":                  {claimed: time.Second, silent: time.Second, up: time.Hour},
		"no longer claimed":        {claimed: 0, silent: time.Second, up: time.Hour, free: true},
		"silent":                   {claimed: time.Second, silent: SilentGameServer, up: time.Hour, gone: true},
		"almost":                   {claimed: time.Second, silent: SilentGameServer - 1, up: time.Hour},
		"silent while we were":     {claimed: time.Second, silent: time.Hour, up: time.Second},
		"silent since we are back": {claimed: time.Second, silent: time.Hour, up: SilentGameServer, gone: true},
	} {
		w := newWorld(t)
		w.watch.started, w.watch.turned = w.now.Add(-c.up), w.now
		put(w, store.GameServers, &lift.GameServer{ID: "g", Group: "group", Region: region, HealthyAt: w.now.Add(-c.silent), ClaimedUntil: w.now.Add(c.claimed), LookAt: w.now})
		w.turn()
		left := read(w, func(tx store.Tx) ([]*lift.GameServer, error) { return store.GameServers.All(tx, "group", "") })
		switch {
		case (len(left) == 0) != c.gone:
			t.Errorf("%s: gone: %t", name, len(left) == 0)
		case !c.gone && left[0].ClaimedUntil.IsZero() != c.free:
			t.Errorf("%s: claimed until %s", name, left[0].ClaimedUntil)
		}
	}
}
