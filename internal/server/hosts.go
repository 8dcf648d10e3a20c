package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// newHosts makes the pair's go-between.
func newHosts(h host.Host, e *engine.Engine, spec func(lift.StartInstance) host.Spec, log *slog.Logger) *hosts {
	return &hosts{host: h, engine: e, log: log, spec: spec, work: make(chan lift.Effect, hostQueue), handled: map[lift.EffectID]bool{}}
}

const (
	hostWorkers = 4
	hostQueue   = 1024
	// hostLook is how often the host is asked which agents are gone. An agent
	// that died is noticed then, long before its silence counts.
	hostLook = time.Second
)

// hosts carries the engine's wishes to the host and the host's news to the
// engine.
type hosts struct {
	host   host.Host
	engine *engine.Engine
	log    *slog.Logger
	spec   func(lift.StartInstance) host.Spec
	work   chan lift.Effect

	mu      sync.Mutex
	handled map[lift.EffectID]bool // under way: a repeat that comes meanwhile is dropped
}

// send never blocks. What does not fit comes again: the outbox repeats it.
func (h *hosts) send(e lift.Effect) {
	select {
	case h.work <- e:
	default:
	}
}

// run serves the queue and watches the agents until ctx ends.
func (h *hosts) run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range hostWorkers {
		wg.Go(func() {
			for {
				select {
				case e := <-h.work:
					h.carryOut(ctx, e)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	wg.Go(func() { h.watch(ctx) })
	wg.Wait()
	return nil
}

func (h *hosts) carryOut(ctx context.Context, e lift.Effect) {
	if !h.begin(e.ID) {
		return
	}
	defer h.end(e.ID)
	var err error
	switch {
	case e.StartInstance != nil:
		if err = h.host.Start(ctx, h.spec(*e.StartInstance)); err != nil && ctx.Err() == nil {
			h.log.Error("instance not started", "instance", e.StartInstance.InstanceID, "err", err)
			if err = h.engine.HostRefused(ctx, e, err.Error()); err != nil {
				h.log.Error("host's refusal not saved", "err", err)
			}
			return
		}
	case e.StopInstance != nil:
		err = h.host.Stop(ctx, e.StopInstance.InstanceID)
	}
	if err != nil {
		if ctx.Err() == nil {
			h.log.Error("host effect failed; it is tried again", "err", err)
		}
		return
	}
	if err := h.engine.Confirm(ctx, e.ID); err != nil && ctx.Err() == nil {
		h.log.Error("host effect not confirmed; it is repeated", "err", err)
	}
}

func (h *hosts) begin(id lift.EffectID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.handled[id] {
		return false
	}
	h.handled[id] = true
	return true
}

func (h *hosts) end(id lift.EffectID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.handled, id)
}

// watch tells the engine of agents that ended by themselves.
func (h *hosts) watch(ctx context.Context) {
	tick := time.NewTicker(hostLook)
	defer tick.Stop()
	told := map[lift.InstanceID]bool{}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		all, err := h.host.List(ctx)
		if err != nil {
			if ctx.Err() == nil {
				h.log.Error("host cannot list its instances", "err", err)
			}
			continue
		}
		now := map[lift.InstanceID]bool{}
		for _, i := range all {
			if i.State != host.Exited {
				continue
			}
			now[i.ID] = true
			if told[i.ID] {
				continue
			}
			if err := h.engine.InstanceLost(ctx, i.ID, "its agent ended: "+i.Exit.Reason); err != nil {
				h.log.Error("loss of an instance not saved", "instance", i.ID, "err", err)
				delete(now, i.ID)
			}
		}
		told = now
	}
}
