package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

const (
	// silenceLimit is three missed heartbeats (behaviour 2.7).
	silenceLimit = 180 * time.Second
	watchEvery   = 15 * time.Second
	// clockGap is a pause between turns that means that this server itself was
	// away: stopped, or on a laptop that slept.
	clockGap = 30 * time.Second
)

// watch is the memory of who watches the agents. An age of silence counts from
// the latest of the agent's last word, this server's start and the end of any
// gap in this server's own clock, so that an outage retires nobody.
type watch struct {
	mu      sync.Mutex
	started time.Time
	turned  time.Time // the last turn
	looked  time.Time
}

// since returns from when silence counts, and whether it is time to look.
func (w *watch) since(now time.Time) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.turned) > clockGap {
		w.started = now
	}
	w.turned = now
	if now.Sub(w.looked) < watchEvery {
		return w.started, false
	}
	w.looked = now
	return w.started, true
}

// from is from when silence counts.
func (w *watch) from() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started
}

// watchAgents retires instances whose agent has been silent for too long.
func (e *Engine) watchAgents(ctx context.Context, now time.Time) error {
	since, look := e.watch.since(now)
	if !look {
		return nil
	}
	var silent []lift.InstanceID
	err := e.View(ctx, func(tx store.Tx) error {
		silent = nil
		is, err := store.Instances.All(tx, "fleet", "")
		if err != nil {
			return err
		}
		for _, i := range is {
			last, err := e.watched(tx, i.ID)
			if err != nil {
				return err
			}
			heard, _ := e.opts.Heard(i.ID)
			for _, at := range []time.Time{since, heard, i.CreatedAt} {
				last = later(last, at)
			}
			if now.Sub(last) > silenceLimit {
				silent = append(silent, i.ID)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range silent {
		if err := e.InstanceLost(ctx, id, fmt.Sprintf("its agent has not been heard for %s", silenceLimit)); err != nil {
			return err
		}
	}
	return nil
}
