// Package memdb is a store.Store in maps, for simulation and for tests.
//
// It is the model that other stores are compared with, so it is written to be
// obviously right: one transaction at a time, writes go straight to the maps,
// and a transaction that fails takes them back in reverse order. It must not
// know of files, clocks or goroutines.
//
//	s, err := memdb.New(store.Kind{Name: "fleet", Indexes: []string{"status"}})
package memdb

import (
	"context"
	"fmt"
	"sync"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Store keeps documents for as long as the process lives.
type Store struct {
	store.Watchers

	mu     sync.RWMutex // guards what follows; held for a whole transaction
	tables map[string]*table
	number uint64 // of the last update
	closed bool
}

// New returns an empty store for documents of the given kinds.
func New(kinds ...store.Kind) (*Store, error) {
	schema, err := store.NewSchema(kinds)
	if err != nil {
		return nil, err
	}
	s := &Store{tables: map[string]*table{}}
	for name, kind := range schema {
		s.tables[name] = newTable(kind)
	}
	return s, nil
}

// View is store.Store.View.
func (s *Store) View(ctx context.Context, f func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return fmt.Errorf("store: %w", store.ErrClosed)
	}
	t := &tx{store: s, ctx: ctx, view: true}
	defer func() { t.done = true }()
	return f(t)
}

// Update is store.Store.Update.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) (err error) {
	for range store.Attempts {
		conflict := false
		if conflict, err = s.update(ctx, f); !conflict {
			break
		}
	}
	return err
}

func (s *Store) update(ctx context.Context, f func(store.Tx) error) (conflict bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if s.closed {
		return false, fmt.Errorf("store: %w", store.ErrClosed)
	}
	s.number++
	t := &tx{store: s, ctx: context.Background(), number: s.number}
	kept := false
	defer func() { // also when f panics
		t.done = true
		if !kept {
			t.takeBack()
		}
	}()
	if err := f(t); err != nil {
		return false, err
	}
	if t.conflict != nil {
		return true, t.conflict
	}
	kept = true
	if len(t.undo) > 0 {
		s.Wake()
	}
	return false, nil
}

// Close is store.Store.Close.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.CloseAll()
	return nil
}
