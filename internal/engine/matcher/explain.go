package matcher

import (
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Explain says in sentences why a ticket that waits has no match, the most
// telling first. It changes nothing: it asks a pool of its own, made from the
// rows.
func Explain(tx store.Tx, now time.Time, t *lift.Ticket) ([]string, error) {
	key := store.InRegion(t.Region, t.Configuration)
	c, r, err := load(tx, key)
	if err != nil || c == nil {
		return nil, err
	}
	set, err := parse(r)
	if err != nil {
		return []string{err.Error()}, nil
	}
	pool := newPool(c, set)
	live, err := store.Tickets.All(tx, "live", key+"/")
	if err != nil {
		return nil, err
	}
	for _, o := range live {
		if o.Status.Waits() {
			if _, err := pool.Add(now, ticketOf(o)); err != nil && o.ID == t.ID {
				return []string{err.Error()}, nil
			}
		}
	}
	why, err := pool.Explain(now, match.TicketID(t.ID))
	return why.Summary, err
}
