package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/internal/store"
)

// leaseMoved: a lease goes to the server that commits. It is another's until it
// ends, and then a new epoch begins; so no two act under one. No epoch comes
// again, not even where a lease was forgotten in between.
func (w *world) leaseMoved(old, now *store.Lease) {
	if now == nil {
		c, ok := strings.CutPrefix(old.Name, store.MatchLease(""))
		if !ok || w.facts.configurations[c] != nil {
			w.fail("lease %s of epoch %d is forgotten", old.Name, old.Epoch)
		}
		return
	}
	s, last := w.acting, w.facts.epochs[now.Name]
	switch {
	case now.Owner != s.owner():
		w.fail("%s gives lease %s to %s", s.name, now.Name, now.Owner)
	case old != nil && old.Owner == now.Owner && old.Epoch != now.Epoch:
		w.fail("%s goes on with lease %s, and its epoch was %d and is %d", s.name, now.Name, old.Epoch, now.Epoch)
	case (old == nil || old.Owner != now.Owner) && now.Epoch == last, old != nil && now.Epoch < last:
		w.fail("%s takes lease %s, and its epoch was %d and is %d", s.name, now.Name, last, now.Epoch)
	case old != nil && old.Owner != now.Owner && s.clock().Before(old.Until):
		w.fail("%s takes lease %s, which %s has until %s", s.name, now.Name, old.Owner, old.Until)
	}
	if old != nil && old.Owner != now.Owner {
		w.tally.Leases++
	}
	w.facts.epochs[now.Name] = now.Epoch
}

// checkLeaseOf: the lease of a matchmaker goes with it, and no server makes it
// anew.
func (w *world) checkLeaseOf(configuration string) {
	l := w.facts.leases[store.MatchLease(configuration)]
	if l != nil && w.facts.configurations[configuration] == nil {
		w.fail("lease %s of %s outlives its matchmaker", l.Name, l.Owner)
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
