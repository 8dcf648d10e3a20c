package session

import (
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Created counts one more game session of a creator against the fleet's limit
// (behaviour 2.16): at most limit.Sessions within the last limit.Minutes.
func Created(now time.Time, limit lift.CreatorLimit, c lift.Creator) (lift.Creator, error) {
	window := time.Duration(limit.Minutes) * time.Minute
	var recent []time.Time
	for _, t := range c.Times {
		if now.Sub(t) < window {
			recent = append(recent, t)
		}
	}
	if len(recent) >= limit.Sessions {
		return c, lift.Errorf(lift.LimitExceeded, "creator %s has created %d game sessions on fleet %s in the last %d minutes, the limit of its resource creation policy; the next is possible in %s",
			c.CreatorID, len(recent), c.FleetID, limit.Minutes, recent[0].Add(window).Sub(now).Round(time.Second))
	}
	c.Times = append(recent, now)
	c.KeepUntil = now.Add(window)
	return c, nil
}

// Paced notes one more game session of a creator on a fleet without such a limit:
// at most one each pause (behaviour 2.16).
func Paced(now time.Time, pause time.Duration, c lift.Creator) (lift.Creator, error) {
	for _, t := range c.Times {
		if now.Sub(t) < pause {
			return c, lift.Errorf(lift.Throttling, "Rate exceeded. Creator %s made a game session on fleet %s less than %s ago; a resource creation limit policy on the fleet replaces this rule",
				c.CreatorID, c.FleetID, pause)
		}
	}
	c.Times, c.KeepUntil = []time.Time{now}, now.Add(pause)
	return c, nil
}

// Limits reports whether the policy restricts anybody.
func Limits(l lift.CreatorLimit) bool { return l.Sessions > 0 && l.Minutes > 0 }
