package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

// shrink looks for a smaller world of the seed that fails as well: it turns
// faults off one by one, then lowers the sizes. It returns what to change, in
// the words of Options.Plan.
func shrink(seed uint64, o Options, until time.Time) string {
	var kept []string
	try := func(s setting, value any) bool {
		changes := append(without(kept, s.name), fmt.Sprintf("%s=%v", s.name, value))
		o.Plan = strings.Join(changes, ",")
		if time.Now().After(until) || Run(seed, o).Err == nil {
			return false
		}
		kept = changes
		return true
	}
	plan := newWorld(seed, choose, Options{}).plan
	for _, s := range plan.settings() {
		if on, ok := s.at.(*bool); ok && *on {
			try(s, false)
		}
	}
	for _, s := range plan.settings() {
		switch s.name {
		case "servers", "clients", "fleets", "instances", "processes", "cap", "seekers":
			for n := range *s.at.(*int) {
				if n == 0 && s.name != "cap" && s.name != "seekers" {
					continue
				}
				if try(s, n) {
					break
				}
			}
		case "busy":
			for d := plan.busy / 2; d > 5*time.Second && try(s, d.Round(time.Second)); d /= 2 {
			}
		}
	}
	return strings.Join(kept, ",")
}

func without(changes []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(changes), func(c string) bool { return strings.HasPrefix(c, name+"=") })
}

// TestShrink finds that a store that keeps no game session needs no fault at
// all to be noticed, and one client.
func TestShrink(t *testing.T) {
	o := Options{Open: func(servers int) ([]store.Store, error) {
		db, err := memdb.New(store.Kinds()...)
		return slices.Repeat([]store.Store{noSessions{db}}, servers), err
	}}
	for seed := range uint64(20) {
		if Run(seed, o).Err == nil {
			continue // it never came to a session
		}
		got := shrink(seed, o, time.Now().Add(time.Minute))
		p := newWorld(seed, choose, Options{Plan: got}).plan
		for _, s := range p.settings() {
			if on, ok := s.at.(*bool); ok && *on {
				t.Errorf("seed %d keeps %s", seed, s)
			}
		}
		if p.servers != 1 || p.clients != 1 || p.fleets != 1 {
			t.Errorf("seed %d became %s", seed, p)
		}
		var read plan
		if err := read.change(p.String()); read != p || err != nil {
			t.Errorf("the plan %s is read as %s, %v", p, read, err)
		}
		return
	}
	t.Error("no world of 20 came to a game session")
}

// noSessions is a store that loses game sessions.
type noSessions struct{ store.Store }

func (s noSessions) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return f(noSessionTx{tx}) })
}

type noSessionTx struct{ store.Tx }

func (tx noSessionTx) Put(kind string, r store.Row) error {
	if kind == store.Sessions.Kind.Name {
		return errors.New("no room for a game session")
	}
	return tx.Tx.Put(kind, r)
}
