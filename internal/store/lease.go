package store

import "time"

// Lease says which server owns what needs one owner at a time.
type Lease struct {
	Name  string
	Owner string // the id of a server
	Epoch int64  // of the present owner; grows with each change, and is never used again
	Until time.Time
}

// LeaseFor is how long a lease lasts after its last use.
const LeaseFor = 10 * time.Second

// Hold makes owner the owner of a lease, or goes on being it, and reports whether
// it is. It writes the lease's row, so that the transaction fails if another
// server takes the lease meanwhile. The epoch grows with each change of owner:
// what an owner remembers from an earlier epoch is worth nothing.
func Hold(tx Tx, name, owner string, now time.Time) (Lease, bool, error) {
	l, ok, err := Leases.Get(tx, name)
	if err != nil {
		return Lease{}, false, err
	}
	if !ok {
		l = &Lease{Name: name}
	}
	if l.Owner != owner {
		if now.Before(l.Until) {
			return *l, false, nil
		}
		// By the clock: a lease that was forgotten does not begin again with an
		// epoch that a slow server still remembers.
		l.Owner, l.Epoch = owner, max(l.Epoch+1, now.UnixMicro())
	}
	l.Until = now.Add(LeaseFor)
	return *l, true, Leases.Put(tx, l)
}

// MatchLease is the lease of who drives the pool of a matchmaking configuration.
// It goes with the configuration.
func MatchLease(configuration string) string { return "match/" + configuration }

// LetGo ends a lease that owner has, so that the next need not wait.
func LetGo(tx Tx, name, owner string, now time.Time) error {
	l, ok, err := Leases.Get(tx, name)
	if err != nil || !ok || l.Owner != owner {
		return err
	}
	l.Until = now
	return Leases.Put(tx, l)
}
