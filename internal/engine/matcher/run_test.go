package matcher

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// running is a matcher that runs, behind a gate, with its log.
type running struct {
	*engine.Engine
	db    store.Store
	gate  atomic.Pointer[func() error] // nil: open
	log   bytes.Buffer
	ended chan struct{}
}

// start lets it run until ctx ends. It has matched a pair already, so that the
// matchmaker m has a driver.
func start(t *testing.T, ctx context.Context) *running {
	r := &running{db: fastStore(t), ended: make(chan struct{})}
	g := &gate{r.db, func() error {
		if f := r.gate.Load(); f != nil {
			return (*f)()
		}
		return nil
	}}
	r.Engine = newEngineOn(t, g, "m")
	go func() {
		defer close(r.ended)
		_ = New(r.Engine, slog.New(slog.NewTextHandler(&r.log, nil))).Run(ctx)
	}()
	r.pair(t, r.Engine, "a", "b")
	synctest.Wait()
	r.matched(t, "a", "b")
	return r
}

// before does something before each transaction from now on.
func (r *running) before(f func() error) { r.gate.Store(&f) }

// pair lets two players come, by this server or by another, of which it hears
// nothing.
func (r *running) pair(t *testing.T, by *engine.Engine, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := submit(t.Context(), by, "m", id); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *running) other() *engine.Engine {
	return engine.New(engine.Options{Store: r.db, Sender: nobody{}})
}

func (r *running) matched(t *testing.T, ids ...string) {
	t.Helper()
	err := r.db.View(t.Context(), func(tx store.Tx) error {
		for _, id := range ids {
			if tk, err := store.Tickets.Find(tx, "us-west-2/"+id); err != nil || tk.Status != lift.TicketCompleted {
				return fmt.Errorf("ticket %s is %+v, %w", id, tk, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A running matcher notices at once what arrives, and in the next seconds what
// nobody told it of.
func TestRunMatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := start(t, ctx)
		r.pair(t, r.other(), "c", "d")
		time.Sleep(sweepEvery)
		synctest.Wait()
		r.matched(t, "c", "d")
		cancel()
		<-r.ended
		if r.log.Len() > 0 {
			t.Errorf("it complains: %s", &r.log)
		}
	})
}

// While the store is out of order it says what it cannot do, and goes on
// afterwards.
func TestRunGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := start(t, ctx)
		r.before(func() error { return errOut })
		r.pair(t, r.other(), "c", "d")
		time.Sleep(30 * time.Second)
		r.before(func() error { return nil })
		time.Sleep(sweepEvery)
		synctest.Wait()
		r.matched(t, "c", "d")
		cancel()
		<-r.ended
		for _, want := range []string{"looking for tickets failed", "matchmaking failed; it is tried again\" configuration=m region=us-west-2"} {
			if !strings.Contains(r.log.String(), want) {
				t.Errorf("the log does not say %q: %s", want, &r.log)
			}
		}
	})
}

// It ends in silence when the store is closed, and when it is told to in the midst
// of a transaction.
func TestRunEnds(t *testing.T) {
	for name, end := range map[string]func(r *running, cancel func()){
		"the store is closed": func(r *running, _ func()) { r.db.Close() },
		"in a transaction":    func(r *running, cancel func()) { r.before(func() error { cancel(); return context.Canceled }) },
		"between two looks":   func(_ *running, cancel func()) { cancel() },
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			r := start(t, ctx)
			end(r, cancel)
			time.Sleep(time.Minute)
			synctest.Wait()
			select {
			case <-r.ended:
			default:
				t.Errorf("%s: it goes on", name)
			}
			cancel()
			<-r.ended
			if r.log.Len() > 0 {
				t.Errorf("%s: it complains: %s", name, &r.log)
			}
		})
	}
}
