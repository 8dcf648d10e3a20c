package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

// placementDue places p, or ends it when its time is over, or forgets it.
func (tx *Tx) placementDue(p *lift.Placement) error {
	switch {
	case p.Status != lift.PlacementPending:
		return store.Placements.Delete(tx, store.InRegion(p.Region, string(p.ID)))
	case !tx.Now.Before(p.Deadline):
		return tx.EndPlacement(p, placement.TimedOut(tx.Now, *p))
	}
	return tx.place(p)
}

// EndPlacement saves the end of p. A session that was being activated for it
// ends with it.
func (tx *Tx) EndPlacement(p *lift.Placement, ended lift.Placement) error {
	if p.SessionID == "" {
		return tx.placementEnded(&ended)
	}
	s, err := store.Sessions.Find(tx, string(p.SessionID))
	if err != nil {
		return err
	}
	st, err := tx.loadProcess(s.ProcessID)
	if err != nil {
		return err
	}
	next, effects := session.Unplaced(tx.Now, st, "its placement ended: "+ended.Reason)
	// The placement is saved first, so that the end of its session no longer
	// concerns it.
	ended.SessionID = ""
	if err := tx.placementEnded(&ended); err != nil {
		return err
	}
	if err := tx.saveProcess(st, next); err != nil {
		return err
	}
	return tx.Emit(effects...)
}

// place makes one attempt for p.
func (tx *Tx) place(p *lift.Placement) error {
	q, err := tx.queue(p)
	if err != nil {
		return err
	}
	if q == nil {
		ended := placement.Failed(tx.Now, *p, "its queue was deleted")
		return tx.placementEnded(&ended)
	}
	var cs []placement.Candidate
	for _, d := range q.Destinations {
		c, err := tx.destination(d)
		if err != nil {
			return err
		}
		if c.Fleet != nil {
			if c.Slots, err = tx.candidates(c.Fleet, p.Avoid); err != nil {
				return err
			}
		}
		cs = append(cs, c)
	}
	choice, skips := placement.Choose(tx.Now, *q, *p, cs)
	if choice == nil {
		next := placement.Waiting(tx.Now, *q, *p, skips)
		return store.Placements.Put(tx, &next)
	}
	id, err := tx.placedSessionID(choice.Fleet, p.ID)
	if err != nil {
		return err
	}
	s, err := tx.openOn(choice.Fleet, choice.Process, session.Want{
		ID:   id,
		Name: p.Name, MaxPlayers: p.MaxPlayers, Properties: p.Properties, Data: p.Data, MatchmakerData: p.MatchmakerData, Matchmaker: p.Matchmaker,
		PlacementID: p.ID, Queue: p.Queue, QueueRegion: p.Region,
	})
	if err != nil {
		return err
	}
	next := placement.Opened(*p, *s)
	return store.Placements.Put(tx, &next)
}

// placedSessionID names the game session of a placement's attempt after the
// placement, so that one leads to the other: its id at first, then with -2, -3
// (behaviour 8.3). What has the name may also be of an older placement whose id
// was free again, or of one in another region.
func (tx *Tx) placedSessionID(f *lift.Fleet, id lift.PlacementID) (lift.GameSessionID, error) {
	name := string(id)
	for n := 2; ; n++ {
		arn := lift.GameSessionARN(f.Region, f.ID, name)
		_, taken, err := store.Sessions.Get(tx, string(arn))
		if !taken {
			return arn, err
		}
		name = fmt.Sprintf("%s-%d", id, n)
	}
}

// queue returns the queue of p, nil if it was deleted. A turn places many
// sessions of few queues, so it is remembered.
func (tx *Tx) queue(p *lift.Placement) (*lift.Queue, error) {
	key := store.InRegion(p.Region, p.Queue)
	if q, ok := tx.queues[key]; ok {
		return q, nil
	}
	q, _, err := store.Queues.Get(tx, key)
	if err != nil {
		return nil, err
	}
	if tx.queues == nil {
		tx.queues = map[string]*lift.Queue{}
	}
	tx.queues[key] = q
	return q, nil
}

// destination resolves what a queue names: the ARN of a fleet or an alias, in
// any region.
func (tx *Tx) destination(arn string) (placement.Candidate, error) {
	c := placement.Candidate{Destination: arn}
	region := lift.ARNRegion(arn)
	id := lift.FleetID(lift.Resource(arn, "fleet"))
	if alias := lift.Resource(arn, "alias"); alias != arn {
		a, ok, err := store.Aliases.Get(tx, alias)
		switch {
		case err != nil:
			return c, err
		case !ok || a.Region != region:
			c.Problem = "the alias does not exist"
			return c, nil
		case a.Routing == lift.RoutingTerminal:
			c.Problem = "the alias is terminal: " + a.Message
			return c, nil
		}
		id = a.FleetID
	}
	if tx.fleets == nil {
		tx.fleets = map[lift.FleetID]*lift.Fleet{}
	}
	if tx.fleets[id] == nil {
		f, _, err := store.Fleets.Get(tx, string(id))
		if err != nil {
			return c, err
		}
		tx.fleets[id] = f
	}
	if f := tx.fleets[id]; f != nil && f.Region == region {
		c.Fleet = f
		return c, nil
	}
	c.Problem = "the fleet does not exist"
	return c, nil
}

// placeFreed gives processes that became idle to placements that wait for one,
// the oldest first in each queue.
func (e *Engine) placeFreed(ctx context.Context) error {
	freed := e.takeFreed()
	for _, id := range slices.Sorted(maps.Keys(freed)) {
		for n := freed[id]; n > 0; {
			batch := min(n, turnBatch)
			if err := e.Update(ctx, func(tx *Tx) error { return tx.placeWaiting(id, batch) }); err != nil {
				return err
			}
			n -= batch
		}
	}
	return nil
}

func (tx *Tx) placeWaiting(id lift.FleetID, limit int) error {
	f, err := store.Fleets.Find(tx, string(id))
	if err != nil {
		return err
	}
	qs, err := store.Queues.All(tx, "", "")
	if err != nil {
		return err
	}
	for _, q := range qs {
		leads, err := tx.leadsTo(q, f)
		if err != nil {
			return err
		}
		if !leads {
			continue
		}
		ps, _, err := store.Placements.Scan(tx, "waiting", store.InRegion(q.Region, q.Name)+"/", store.Cursor{}, limit)
		if err != nil {
			return err
		}
		for _, p := range ps {
			slots, err := tx.candidates(f, nil)
			if len(slots) == 0 {
				return err // taken meanwhile
			}
			if err := tx.placementDue(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (tx *Tx) leadsTo(q *lift.Queue, f *lift.Fleet) (bool, error) {
	for _, d := range q.Destinations {
		if strings.HasSuffix(d, "/"+string(f.ID)) {
			return true, nil
		}
		if strings.Contains(d, ":alias/") {
			c, err := tx.destination(d)
			if err != nil {
				return false, err
			}
			if c.Fleet != nil && c.Fleet.ID == f.ID {
				return true, nil
			}
		}
	}
	return false, nil
}
