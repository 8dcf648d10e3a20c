package sim

import (
	"fmt"
	"slices"

	"github.com/chairlift-games/chairlift/internal/store"
)

// leaseMoved: a lease goes to the server that commits. It is another's until it
// ends, and then a new epoch begins; so no two act under one.
func (w *world) leaseMoved(old, now *store.Lease) {
	s := w.acting
	switch {
	case now == nil:
		w.fail("lease %s of epoch %d is forgotten", old.Name, old.Epoch)
	case now.Owner != s.owner():
		w.fail("%s gives lease %s to %s", s.name, now.Name, now.Owner)
	case old == nil:
		if now.Epoch != 1 {
			w.fail("lease %s begins with epoch %d", now.Name, now.Epoch)
		}
	case old.Owner == now.Owner && old.Epoch != now.Epoch:
		w.fail("%s goes on with lease %s, and its epoch was %d and is %d", s.name, now.Name, old.Epoch, now.Epoch)
	case old.Owner != now.Owner && now.Epoch != old.Epoch+1:
		w.fail("%s takes lease %s, and its epoch was %d and is %d", s.name, now.Name, old.Epoch, now.Epoch)
	case old.Owner != now.Owner && s.clock().Before(old.Until):
		w.fail("%s takes lease %s, which %s has until %s", s.name, now.Name, old.Owner, old.Until)
	}
	if old != nil && now != nil && old.Owner != now.Owner {
		w.tally.Leases++
	}
}

// checkHeld: what needs a lease is committed with its row, so that the commit
// fails if another server has taken it meanwhile.
func (w *world) checkHeld(t *touched) {
	if len(w.servers) == 1 {
		return
	}
	for _, name := range t.under {
		if !slices.Contains(t.leases, name) {
			w.fail("%s does what only the owner of lease %s may, which is %+v", w.acting.name, name, w.facts.leases[name])
		}
	}
}

// leasesUnsettled: whoever has a lease lives.
func (w *world) leasesUnsettled() string {
	for _, name := range sortedKeys(w.facts.leases) {
		l := w.facts.leases[name]
		for _, s := range w.servers {
			if !s.up && l.Owner == s.owner() && w.now.Before(l.Until) {
				return fmt.Sprintf("lease %s is held by %s, which is away, until %s", name, l.Owner, l.Until)
			}
		}
	}
	return ""
}
