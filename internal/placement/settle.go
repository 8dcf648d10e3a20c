package placement

import (
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Clocks of placements.
const (
	// Retry is how soon a waiting placement looks again by itself. It only
	// heals lost wake-ups: a process that becomes idle wakes those who wait.
	Retry     = 30 * time.Second
	Retention = 24 * time.Hour // behaviour 8.3
	maxSkips  = 20             // reasons kept with a waiting placement
)

// Waiting notes that the attempt at now found no place. The next one comes with
// the next change of the queue's latency policies at the latest.
func Waiting(now time.Time, q lift.Queue, p lift.Placement, skips []lift.Skip) lift.Placement {
	p.Attempts++
	p.Skips = skips[:min(len(skips), maxSkips)]
	p.SessionID, p.TryAt = "", now.Add(Retry)
	if _, until, _ := limit(now, q, p); !until.IsZero() && until.Before(p.TryAt) {
		p.TryAt = until
	}
	return p
}

// Opened notes that a session was reserved for p and is being activated.
func Opened(p lift.Placement, s lift.GameSession) lift.Placement {
	p.Attempts++
	p.SessionID, p.TryAt, p.Skips = s.ID, time.Time{}, nil
	return p
}

// Fulfilled ends p with its session ACTIVE and its players in their slots.
func Fulfilled(now time.Time, p lift.Placement, s lift.GameSession, players []lift.PlayerSession) lift.Placement {
	p = end(now, p, lift.PlacementFulfilled, "")
	p.SessionID, p.Address, p.DNSName, p.Port = s.ID, s.Address, s.DNSName, s.Port
	p.Placed = nil
	for _, pl := range players {
		p.Placed = append(p.Placed, lift.PlacedPlayer{PlayerID: pl.PlayerID, PlayerSessionID: pl.ID})
	}
	return p
}

// Lost notes that the session reserved for p ended before it was ACTIVE: p
// tries again at once, on another process.
func Lost(now time.Time, p lift.Placement, process lift.ProcessID) lift.Placement {
	p.SessionID, p.TryAt = "", now
	p.Avoid = append(append([]lift.ProcessID(nil), p.Avoid...), process)
	return p
}

// TimedOut ends p at its queue's limit.
func TimedOut(now time.Time, p lift.Placement) lift.Placement {
	return end(now, p, lift.PlacementTimedOut, "no game session was ready within the queue's timeout")
}

// Cancelled ends p because its caller said so.
func Cancelled(now time.Time, p lift.Placement) lift.Placement {
	return end(now, p, lift.PlacementCancelled, "stopped by request")
}

// Failed ends p because it can never be placed.
func Failed(now time.Time, p lift.Placement, why string) lift.Placement {
	return end(now, p, lift.PlacementFailed, why)
}

func end(now time.Time, p lift.Placement, s lift.PlacementStatus, why string) lift.Placement {
	p.Status, p.Reason = s, why
	p.EndedAt, p.KeepUntil, p.TryAt = now, now.Add(Retention), time.Time{}
	return p
}
