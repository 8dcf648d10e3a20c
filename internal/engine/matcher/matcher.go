// Package matcher drives the matchmaking pools: one goroutine for each
// configuration takes the tickets that arrive into a match.Pool, and offers the
// matches found there to the engine.
//
// Everything that lasts is in rows, which the engine moves: a pool is a cache,
// made anew from the rows when this server starts, when the configuration
// changes and whenever something failed. What a pool believes of a ticket is
// checked again in the transaction that commits its match, so a ticket that was
// stopped, timed out or went elsewhere meanwhile costs a match and nothing
// else. The package must not know the wire or placements.
//
//	m := matcher.New(e, log)
//	err := m.Run(ctx)
package matcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match/rules"
	"github.com/chairlift-games/chairlift/internal/store"
)

const (
	// sweepEvery is how often a pool is compared with the rows, to forget
	// tickets that left and find those that a lost wake-up missed.
	sweepEvery = 5 * time.Second
	errorWait  = time.Second // after a step that failed
)

// Matcher drives the pools of all configurations.
type Matcher struct {
	engine *engine.Engine
	log    *slog.Logger

	pools  map[string]*stepped // by configuration; for Step
	lookAt time.Time           // likewise
}

// New makes a Matcher. It starts nothing; see Run.
func New(e *engine.Engine, log *slog.Logger) *Matcher { return &Matcher{engine: e, log: log} }

// Run drives the pools until ctx ends, and returns when all have stopped.
func (m *Matcher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wakes := map[string]chan struct{}{} // by configuration
	timer := time.NewTimer(0)
	defer timer.Stop()
	for index := "live"; ; index = "arriving" {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			index = "live"
		case <-m.engine.Arrived():
		}
		keys, err := m.configurations(ctx, index)
		switch {
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return nil
		case err != nil:
			m.log.Error("looking for tickets failed; it is tried again", "err", err)
		}
		for _, key := range keys {
			wake := wakes[key]
			if wake == nil {
				wake = make(chan struct{}, 1)
				wakes[key] = wake
				wg.Go(func() { m.drive(ctx, key, wake) })
			}
			select {
			case wake <- struct{}{}:
			default:
			}
		}
		timer.Reset(sweepEvery)
	}
}

// Round drives every pool once, for tests and simulation: the caller owns time.
// Pools are made anew, as after a restart.
func (m *Matcher) Round(ctx context.Context) error {
	keys, err := m.configurations(ctx, "live")
	for _, key := range keys {
		if err == nil {
			_, err = newDriver(m.engine, m.log, key).run(ctx)
		}
	}
	return err
}

// configurations lists those with a ticket in the index. It jumps from one to
// the next, however many tickets each has.
func (m *Matcher) configurations(ctx context.Context, index string) (keys []string, err error) {
	err = m.engine.View(ctx, func(tx store.Tx) error {
		keys = nil
		var after store.Cursor
		for {
			ts, _, err := store.Tickets.Scan(tx, index, "", after, 1)
			if len(ts) == 0 {
				return err
			}
			key := store.InRegion(ts[0].Region, ts[0].Configuration)
			keys = append(keys, key)
			after = store.Cursor{Value: key + "/~"} // behind every time
		}
	})
	return keys, err
}

// drive steps one pool until ctx ends.
func (m *Matcher) drive(ctx context.Context, key string, wake <-chan struct{}) {
	d := newDriver(m.engine, m.log, key)
	timer := time.NewTimer(sweepEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-wake:
		}
		next, err := d.run(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return
		case err != nil:
			m.log.Error("matchmaking failed; it is tried again", "configuration", d.name, "region", d.region, "err", err)
		}
		timer.Reset(max(next.Sub(m.engine.Now()), 0))
	}
}

// load reads a configuration with its rule set. Both are nil if it is gone.
func load(tx store.Tx, key string) (*lift.MatchmakingConfiguration, *lift.RuleSet, error) {
	c, ok, err := store.Configurations.Get(tx, key)
	if !ok {
		return nil, nil, err
	}
	r, err := store.RuleSets.Find(tx, store.InRegion(c.Region, c.RuleSet))
	return c, r, err
}

// parse reads a rule set, which was valid for the Chairlift that made it.
func parse(r *lift.RuleSet) (*rules.Set, error) {
	set, findings := rules.Parse(r.Body)
	if set == nil {
		return nil, fmt.Errorf("rule set %s was valid when it was made and is not for this version; let the matchmaking configuration use another: %w", r.Name, findings)
	}
	return set, nil
}
