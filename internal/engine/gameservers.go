package engine

import (
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// SilentGameServer is how long a registered game server may be silent: three
// health checks (behaviour 11 says "eventually"; the number is a choice).
const SilentGameServer = 180 * time.Second

const (
	groupBatch = 200         // game servers of a deleted group that go at once
	groupRetry = time.Minute // until a group whose servers are in use is looked at again
)

// gameServerDue ends a claim that nobody used, and forgets a server that has
// been silent for too long. As with agents, the service's own absence is not
// the server's silence.
func (tx *Tx) gameServerDue(s *lift.GameServer) error {
	if !s.Claimed(tx.Now) {
		s.ClaimedUntil = time.Time{}
	}
	since := later(tx.e.watch.from(), s.HealthyAt)
	if s.LookAt = since.Add(SilentGameServer); !tx.Now.Before(s.LookAt) {
		return store.GameServers.Delete(tx, store.InRegion(s.Region, s.ID))
	}
	return store.GameServers.Put(tx, s)
}

// groupDue goes on with the deletion of a group.
func (tx *Tx) groupDue(g *lift.GameServerGroup) error {
	if g.Status == lift.GroupDeleteScheduled {
		busy, err := Utilized(tx, g)
		if err != nil {
			return err
		}
		if busy {
			g.LookAt = tx.Now.Add(groupRetry)
			return store.GameServerGroups.Put(tx, g)
		}
		g.Status = lift.GroupDeleting
	}
	ss, _, err := store.GameServers.Scan(tx, "group", store.InRegion(g.Region, g.Name)+"/", store.Cursor{}, groupBatch)
	if err != nil {
		return err
	}
	for _, s := range ss {
		if err := store.GameServers.Delete(tx, store.InRegion(s.Region, s.ID)); err != nil {
			return err
		}
	}
	if len(ss) < groupBatch {
		return store.GameServerGroups.Delete(tx, store.InRegion(g.Region, g.Name))
	}
	g.LookAt = tx.Now
	return store.GameServerGroups.Put(tx, g)
}

// Utilized reports whether a game server of the group is in use.
func Utilized(tx store.Tx, g *lift.GameServerGroup) (bool, error) {
	ss, err := store.GameServers.All(tx, "group", store.InRegion(g.Region, g.Name)+"/")
	for _, s := range ss {
		if s.Utilized {
			return true, err
		}
	}
	return false, err
}
