package match

import (
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// How long the next ticket is likely to wait (flexmatch 10.3: the choice of
// window and least number is ours). Waits are kept by the slot in which the
// match was found and not one by one, so that they fit into a row however busy
// a matchmaker is; the window is as exact as a slot is short.
const (
	waitWindow  = 5 * time.Minute
	waitSlot    = 15 * time.Second
	waitTickets = 5 // with fewer nothing is said
)

// NoteWait adds the wait of a ticket that was matched now.
func NoteWait(w *lift.RecentWaits, now time.Time, wait time.Duration) {
	from := now.Truncate(waitSlot).Unix()
	w.Slots = slices.DeleteFunc(w.Slots, func(s lift.WaitSlot) bool { return s.From <= now.Add(-waitWindow).Unix() })
	if n := len(w.Slots); n == 0 || w.Slots[n-1].From < from {
		w.Slots = append(w.Slots, lift.WaitSlot{From: from})
	}
	last := &w.Slots[len(w.Slots)-1]
	last.Tickets++
	last.Total += wait
}

// MeanWait is the mean time from start to match of recent tickets, and false
// without enough of them.
func MeanWait(w lift.RecentWaits, now time.Time) (time.Duration, bool) {
	var total time.Duration
	n := 0
	for _, s := range w.Slots {
		if s.From > now.Add(-waitWindow).Unix() {
			total += s.Total
			n += s.Tickets
		}
	}
	if n < waitTickets {
		return 0, false
	}
	return total / time.Duration(n), true
}

// EstimatedWait is how long tickets waited that this pool matched lately, and
// false without enough of them (10.3).
func (p *Pool) EstimatedWait(now time.Time) (time.Duration, bool) { return MeanWait(p.waits, now) }
