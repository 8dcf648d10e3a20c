package matcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
	"github.com/chairlift-games/chairlift/internal/store"
)

const (
	arrivalBatch = 256 // tickets taken into the pool in one transaction
	matchBatch   = 32  // matches committed in one transaction
)

// driver owns the pool of one configuration. It belongs to one goroutine.
type driver struct {
	engine *engine.Engine
	log    *slog.Logger
	key    string // region and name of the configuration

	made  string // what pool was made for; see recipe
	set   *rules.Set
	pool  *match.Pool
	held  map[match.TicketID]bool // what is in the pool
	swept time.Time
	waits lift.RecentWaits // as committed: what the estimates of waits go by

	// For the metrics: evaluations that were counted already, and when tickets
	// began that no pass has seen.
	counted []match.RuleCount
	unseen  []time.Time

	// Of several servers one drives the pool: the holder of its lease.
	epoch int64     // of the lease when the pool was made
	until time.Time // when the lease ends unless it is renewed

	stage stage
	found []match.Match // not offered yet
	stale bool          // some of those offered did not hold any more
	next  time.Time     // when the pool wants to be searched again
}

// stage is what a driver does next. Between two stages the world may change.
type stage int

const (
	gather stage = iota // take in what arrived
	search              // find matches
	offer               // commit them
)

func newDriver(e *engine.Engine, log *slog.Logger, key string) *driver {
	return &driver{engine: e, log: log, key: key}
}

// recipe says what a pool depends on besides its tickets.
func recipe(c *lift.MatchmakingConfiguration, r *lift.RuleSet) string {
	return fmt.Sprint(r.Name, r.CreatedAt.UnixMicro(), c.Mode, c.AdditionalPlayers)
}

// run takes in what arrived, searches, commits what was found, and returns when
// it wants to be called again.
func (d *driver) run(ctx context.Context) (next time.Time, err error) {
	for more := true; more && err == nil; {
		more, next, err = d.step(ctx)
	}
	return next, err
}

// step is the next part of run. It reports whether there is more to do at once,
// and when there is if not.
func (d *driver) step(ctx context.Context) (more bool, next time.Time, err error) {
	now := d.engine.Now()
	next = now.Add(sweepEvery)
	switch d.stage {
	case gather:
		if more, err = d.gather(ctx, now); more {
			d.stage = search
		}
	case search:
		begun := d.engine.Now()
		u := d.pool.Pass(now)
		d.tellPass(begun)
		d.tellEvaluations()
		d.found, d.next, d.stale, d.stage, more = u.Matches, u.Next, false, offer, true
	case offer:
		switch {
		case len(d.found) > 0:
			more, err = true, d.commit(ctx, now)
		case d.stale:
			d.stage, more = search, true
		default:
			d.stage = gather
			if !d.next.IsZero() && d.next.Before(next) {
				next = d.next
			}
		}
	}
	if err != nil { // what the pool holds may not be what was committed
		d.pool, d.found, d.stage = nil, nil, gather
	}
	if other, ok := errors.AsType[*notOwner](err); ok {
		more, err = false, nil
		if other.until.After(now) && other.until.Before(next) {
			next = other.until
		}
	}
	return more, next, err
}

// notOwner says that another server drives the pool, or did meanwhile.
type notOwner struct{ until time.Time }

func (*notOwner) Error() string {
	return "another server has the lease of this matchmaking configuration"
}

// lease is the name of the pool's.
func (d *driver) lease() string { return "match/" + d.key }

// own takes the pool's lease, or renews it before it ends.
func (d *driver) own(ctx context.Context, now time.Time) error {
	if d.engine.Alone() || d.pool != nil && now.Add(store.LeaseFor/2).Before(d.until) {
		return nil
	}
	var l store.Lease
	err := d.engine.Update(ctx, func(tx *engine.Tx) (err error) {
		var held bool
		if l, held, err = tx.Hold(d.lease()); err == nil && !held {
			err = &notOwner{l.Until}
		}
		return err
	})
	if err == nil && l.Epoch != d.epoch {
		d.epoch, d.pool = l.Epoch, nil // others have moved its tickets
	}
	d.until = l.Until
	return err
}

// update is engine.Update for the owner of the pool. It fails if the lease was
// somebody else's since the pool was made.
func (d *driver) update(ctx context.Context, f func(*engine.Tx) error) error {
	return d.engine.Update(ctx, func(tx *engine.Tx) error {
		l, held, err := tx.Hold(d.lease())
		switch {
		case err != nil:
			return err
		case !held, l.Epoch != d.epoch:
			return &notOwner{l.Until}
		}
		return f(tx)
	})
}

// gather makes the pool hold what searches. It reports false if there is no
// configuration any more.
func (d *driver) gather(ctx context.Context, now time.Time) (ok bool, err error) {
	if err := d.own(ctx, now); err != nil {
		return false, err
	}
	var c *lift.MatchmakingConfiguration
	var r *lift.RuleSet
	if err := d.engine.View(ctx, func(tx store.Tx) (err error) {
		c, r, err = load(tx, d.key)
		return err
	}); err != nil {
		return false, err
	}
	if c == nil {
		d.pool = nil
		return false, d.failAll(ctx)
	}
	if made := recipe(c, r); d.pool == nil || made != d.made {
		set, findings := rules.Parse(r.Body)
		if set == nil {
			return false, fmt.Errorf("rule set %s: %w", r.Name, findings)
		}
		if err := d.engine.View(ctx, func(tx store.Tx) (err error) {
			d.waits, err = d.recentWaits(tx)
			return err
		}); err != nil {
			return false, err
		}
		d.made, d.set, d.pool, d.held, d.swept = made, set, newPool(c, set), map[match.TicketID]bool{}, time.Time{}
		d.counted, d.unseen = nil, nil
	}
	if now.Sub(d.swept) >= sweepEvery {
		if err := d.sweep(ctx, now); err != nil {
			return false, err
		}
		d.swept = now
	}
	return true, d.arrivals(ctx)
}

// newPool makes an empty pool. It forms matches and nothing else: timeouts and
// acceptance are rows (engine.Tx).
func newPool(c *lift.MatchmakingConfiguration, set *rules.Set) *match.Pool {
	conf := match.Config{Rules: set, Lenient: true, Quiet: true}
	if c.Mode == lift.WithQueue {
		conf.AdditionalPlayers = c.AdditionalPlayers
	}
	return match.NewPool(conf)
}

// sweep makes the pool hold the tickets that search, and no others.
func (d *driver) sweep(ctx context.Context, now time.Time) error {
	var live []*lift.Ticket
	err := d.engine.View(ctx, func(tx store.Tx) (err error) {
		live, err = store.Tickets.All(tx, "live", d.key+"/")
		return err
	})
	if err != nil {
		return err
	}
	search := map[match.TicketID]bool{}
	var misfits []lift.TicketID
	for _, t := range live {
		if t.Status != lift.TicketSearching || t.Arriving {
			continue
		}
		id := match.TicketID(t.ID)
		search[id] = true
		if !d.held[id] && !d.add(now, t) {
			misfits = append(misfits, t.ID)
		}
	}
	for id := range d.held {
		if !search[id] {
			d.pool.Remove(id)
			d.forget(id)
		}
	}
	return d.fail(ctx, misfits)
}

// add takes a ticket into the pool. It reports false if the ticket's attributes
// do not fit the rule set, which may have changed since it was made.
func (d *driver) add(now time.Time, t *lift.Ticket) bool {
	id := match.TicketID(t.ID)
	if d.held[id] {
		d.pool.Remove(id)
		delete(d.held, id)
	}
	if _, err := d.pool.Add(now, ticketOf(t)); err != nil {
		d.log.Warn("a ticket cannot be matched by the rule set", "ticket", t.ID, "err", err)
		return false
	}
	d.held[id] = true
	return true
}

// forget drops what is remembered of tickets that left the pool.
func (d *driver) forget(ids ...match.TicketID) {
	gone := map[string][]lift.RuleCount{}
	for _, id := range ids {
		delete(d.held, id)
		gone[d.ticketKey(string(id))] = nil
	}
	d.engine.Evaluated(gone)
}

// tellPass counts the pass that has just been made.
func (d *driver) tellPass(begun time.Time) {
	now := d.engine.Now()
	p := engine.Pass{Took: now.Sub(begun)}
	for _, start := range d.unseen {
		p.First = append(p.First, now.Sub(start))
	}
	counts := d.pool.RuleCounts()
	for i, c := range counts {
		if d.counted != nil {
			c.Passed, c.Failed = c.Passed-d.counted[i].Passed, c.Failed-d.counted[i].Failed
		}
		p.Rules = append(p.Rules, lift.RuleCount(c))
	}
	d.counted, d.unseen = counts, d.unseen[:0]
	d.engine.Passed(d.key, p)
}

// tellEvaluations tells the engine how often rules were evaluated for the
// tickets that the last pass left waiting.
func (d *driver) tellEvaluations() {
	counts := map[string][]lift.RuleCount{}
	for id, cs := range d.pool.Evaluated() {
		counts[d.ticketKey(string(id))] = evaluations(cs)
	}
	d.engine.Evaluated(counts)
}

// arrivals takes in the tickets that are new or came back.
func (d *driver) arrivals(ctx context.Context) error {
	for {
		now := d.engine.Now()
		wait, known := match.MeanWait(d.waits, now)
		var taken []*lift.Ticket
		var fresh []time.Time
		err := d.update(ctx, func(tx *engine.Tx) (err error) {
			taken, _, err = store.Tickets.Scan(tx, "arriving", d.key+"/", store.Cursor{}, arrivalBatch)
			if err != nil {
				return err
			}
			fresh = fresh[:0]
			for _, t := range taken {
				if t.Status == lift.TicketQueued {
					fresh = append(fresh, t.StartedAt)
				}
				t.Status, t.Arriving, t.EstimatedWaitSeconds = lift.TicketSearching, false, 0
				if known {
					// Whole seconds, upwards: 0 would say that nothing is known.
					t.EstimatedWaitSeconds = max(1, int((wait+time.Second-1)/time.Second))
				}
				if err := tx.Searching(t); err != nil {
					return err
				}
				if err := store.Tickets.Put(tx, t); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		d.unseen = append(d.unseen, fresh...)
		var misfits []lift.TicketID
		for _, t := range taken {
			if !d.add(now, t) {
				misfits = append(misfits, t.ID)
			}
		}
		if err := d.fail(ctx, misfits); err != nil || len(taken) < arrivalBatch {
			return err
		}
	}
}

// fail ends tickets that the rule set cannot match.
func (d *driver) fail(ctx context.Context, ids []lift.TicketID) error {
	if len(ids) == 0 {
		return nil
	}
	return d.update(ctx, func(tx *engine.Tx) error {
		for _, id := range ids {
			t, ok, err := store.Tickets.Get(tx, d.ticketKey(string(id)))
			if err != nil {
				return err
			}
			if !ok || t.Status != lift.TicketSearching {
				continue
			}
			if err := tx.EndTicket(t, lift.TicketFailed, "InvalidAttributes", "Player attributes do not fit the rule set that the matchmaking configuration uses now."); err != nil {
				return err
			}
		}
		return nil
	})
}

// failAll ends the tickets of a configuration that is gone.
func (d *driver) failAll(ctx context.Context) error {
	return d.update(ctx, func(tx *engine.Tx) error {
		ts, _, err := store.Tickets.Scan(tx, "live", d.key+"/", store.Cursor{}, arrivalBatch)
		for _, t := range ts {
			if err == nil && (t.Status == lift.TicketQueued || t.Status == lift.TicketSearching) {
				err = tx.EndTicket(t, lift.TicketFailed, "ConfigurationDeleted", "The matchmaking configuration was deleted.")
			}
		}
		return err
	})
}

// commit saves some of the matches that were found. Tickets of one that does
// not hold any more go back into the pool if they still search, for they may be
// matched with others.
func (d *driver) commit(ctx context.Context, now time.Time) error {
	batch := d.found[:min(matchBatch, len(d.found))]
	var back []*lift.Ticket
	stale := false
	var waits lift.RecentWaits
	err := d.update(ctx, func(tx *engine.Tx) error {
		back, stale = nil, false
		c, _, err := load(tx, d.key)
		if err != nil {
			return err
		}
		if waits, err = d.recentWaits(tx); err != nil {
			return err
		}
		noted := false
		for _, f := range batch {
			ts, err := d.tickets(tx, f)
			if err != nil {
				return err
			}
			ok := c != nil && len(ts) == len(f.Tickets)
			if ok {
				m, err := matchOf(c, d.set, f, ts, lift.MatchID(tx.NewID()))
				if err != nil {
					return err
				}
				if ok, err = tx.Propose(c, m); err != nil {
					return err
				}
			}
			if !ok {
				stale = true
				back = append(back, ts...)
				continue
			}
			for _, t := range ts {
				if t.Backfill == nil { // players want to know how long players wait
					match.NoteWait(&waits, now, now.Sub(t.StartedAt))
					noted = true
				}
			}
		}
		if !noted {
			return nil
		}
		return store.Waits.Put(tx, &waits)
	})
	if err != nil {
		return err
	}
	d.found, d.waits = d.found[len(batch):], waits
	for _, f := range batch {
		d.forget(f.Tickets...)
	}
	for _, t := range back {
		if t.Status == lift.TicketSearching && !t.Arriving && now.Before(t.Deadline) {
			d.add(now, t)
		}
	}
	d.stale = d.stale || stale
	return nil
}

// recentWaits loads how long tickets of this configuration waited lately. They
// are a row, so that another server, or this one after a restart, tells players
// the same.
func (d *driver) recentWaits(tx store.Tx) (lift.RecentWaits, error) {
	w, ok, err := store.Waits.Get(tx, d.key)
	if err != nil || !ok {
		region, name, _ := strings.Cut(d.key, "/")
		return lift.RecentWaits{Region: region, Configuration: name}, err
	}
	return *w, nil
}

// tickets loads the tickets of a match that are still there.
func (d *driver) tickets(tx store.Tx, f match.Match) ([]*lift.Ticket, error) {
	var ts []*lift.Ticket
	for _, id := range f.Tickets {
		t, ok, err := store.Tickets.Get(tx, d.ticketKey(string(id)))
		if err != nil {
			return nil, err
		}
		if ok {
			ts = append(ts, t)
		}
	}
	return ts, nil
}

// ticketKey is the row of a ticket of this configuration's region.
func (d *driver) ticketKey(id string) string { return store.InRegion(regionOf(d.key), id) }
