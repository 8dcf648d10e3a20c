package store

import (
	"context"
	"sync"
)

// Watchers is the Watch half of a Store, for implementations to embed by
// value. The zero value is ready.
type Watchers struct {
	mu     sync.Mutex // guards what follows
	chans  map[chan struct{}]bool
	closed bool
}

// Watch is Store.Watch.
func (w *Watchers) Watch(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		close(c)
		return c
	}
	if w.chans == nil {
		w.chans = map[chan struct{}]bool{}
	}
	w.chans[c] = true
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.chans[c] {
			delete(w.chans, c)
			close(c)
		}
	})
	return c
}

// Wake sends every watcher a wake-up, unless one is waiting to be taken.
func (w *Watchers) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.chans {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// CloseAll closes every watcher's channel, also of those to come.
func (w *Watchers) CloseAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for c := range w.chans {
		close(c)
	}
	w.chans = nil
}
