package matcher

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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
	region string
	name   string

	made  recipe // what the pool was made for; zero: there is none
	set   *rules.Set
	pool  *match.Pool
	held  map[match.TicketID]bool // what is in the pool
	swept time.Time

	// For the metrics: evaluations that were counted already, and when tickets
	// began that no pass has seen.
	counted []match.RuleCount
	unseen  []time.Time

	stage stage
	found []match.Match // not offered yet
	again bool          // tickets of those offered came back into the pool
	next  time.Time     // when there is something to do; zero: nobody knows
}

// stage is what a driver does next. Between two stages the world may change.
type stage int

const (
	gather stage = iota // take in what arrived
	search              // find matches
	offer               // commit them
)

func newDriver(e *engine.Engine, log *slog.Logger, key string) *driver {
	region, name, _ := strings.Cut(key, "/")
	return &driver{engine: e, log: log, key: key, region: region, name: name}
}

// recipe says what a pool depends on besides its tickets.
type recipe struct {
	epoch             int64 // of the lease: when it grew, others may have moved the tickets
	ruleSet           string
	ruleSetMade       int64 // in microseconds
	additionalPlayers int   // seats kept free
}

// run takes in what arrived, searches, commits what was found, and returns when
// it wants to be called again.
func (d *driver) run(ctx context.Context) (next time.Time, err error) {
	for more := true; more; {
		more, next, err = d.step(ctx)
	}
	return next, err
}

// step is the next part of run. It reports whether there is more to do at once,
// and when there is if not.
func (d *driver) step(ctx context.Context) (more bool, next time.Time, err error) {
	now := d.engine.Now()
	switch d.stage {
	case gather:
		more, err = d.gather(ctx, now)
	case search:
		begun := d.engine.Now()
		u := d.pool.Pass(now)
		d.tellPass(begun)
		d.tellEvaluations()
		d.found, d.next, d.again, d.stage, more = u.Matches, u.Next, false, offer, true
	case offer:
		switch {
		case len(d.found) > 0:
			more, err = true, d.commit(ctx, now)
		case d.again:
			d.stage, more = search, true
		default:
			d.stage = gather
		}
	}
	if err != nil { // what the pool holds may not be what was committed
		d.drop()
		more, d.next = false, now.Add(errorWait)
	}
	if other, ok := errors.AsType[*notOwner](err); ok {
		d.next, err = other.until, nil
	}
	next = now.Add(sweepEvery)
	if !d.next.IsZero() && d.next.Before(next) {
		next = d.next
	}
	return more, next, err
}

// drop forgets the pool. The next one is made from the rows.
func (d *driver) drop() {
	d.made, d.pool, d.found, d.stage, d.next = recipe{}, nil, nil, gather, time.Time{}
}

// notOwner says that another server drives the pool.
type notOwner struct{ until time.Time }

func (*notOwner) Error() string {
	return "another server has the lease of this matchmaking configuration"
}

// basis is what a transaction knows of the matchmaker. All is zero if the
// configuration is gone.
type basis struct {
	c    *lift.MatchmakingConfiguration
	r    *lift.RuleSet
	pool recipe
}

// update is engine.Update for the owner of the pool: of several servers one
// drives it, the holder of its lease. It fails if that is another. Without a
// configuration there is no pool to own, and no lease.
func (d *driver) update(ctx context.Context, f func(tx *engine.Tx, b basis) error) error {
	return d.engine.Update(ctx, func(tx *engine.Tx) error {
		c, r, err := load(tx, d.key)
		switch {
		case err != nil:
			return err
		case c == nil:
			return f(tx, basis{})
		}
		l, held, err := tx.Hold(store.MatchLease(d.key))
		switch {
		case err != nil:
			return err
		case !held:
			return &notOwner{l.Until}
		}
		return f(tx, basis{c, r, recipe{l.Epoch, r.Name, r.CreatedAt.UnixMicro(), additionalPlayers(c)}})
	})
}

// gather makes the pool hold what searches, a batch of arrivals at a time. It
// reports whether there is more to do.
func (d *driver) gather(ctx context.Context, now time.Time) (more bool, err error) {
	var on basis
	var taken []*lift.Ticket
	var fresh []time.Time
	err = d.update(ctx, func(tx *engine.Tx, b basis) (err error) {
		if on = b; on.c == nil {
			return d.endAll(tx)
		}
		taken, fresh, err = d.arrivals(tx)
		return err
	})
	switch {
	case err != nil:
		return false, err
	case on.c == nil:
		d.drop()
		return false, nil
	}
	if on.pool != d.made {
		set, err := parse(on.r)
		if err != nil {
			return false, err
		}
		d.made, d.set, d.pool, d.held, d.swept = on.pool, set, newPool(on.c, set), map[match.TicketID]bool{}, time.Time{}
		d.counted, d.unseen = d.pool.RuleCounts(), nil
	}
	d.unseen = append(d.unseen, fresh...)
	misfits := d.add(now, taken)
	if now.Sub(d.swept) >= sweepEvery {
		more, err := d.sweep(ctx, now)
		if err != nil {
			return false, err
		}
		misfits, d.swept = append(misfits, more...), now
	}
	if len(taken) < arrivalBatch {
		d.stage = search
	}
	return true, d.fail(ctx, misfits)
}

// newPool makes an empty pool. It forms matches and nothing else: timeouts and
// acceptance are rows (engine.Tx).
func newPool(c *lift.MatchmakingConfiguration, set *rules.Set) *match.Pool {
	return match.NewPool(match.Config{Rules: set, AdditionalPlayers: additionalPlayers(c), Lenient: true, Quiet: true})
}

// additionalPlayers are the seats that matches keep free. They mean nothing
// without game sessions (flexmatch 10.3).
func additionalPlayers(c *lift.MatchmakingConfiguration) int {
	if c.Mode == lift.Standalone {
		return 0
	}
	return c.AdditionalPlayers
}

// arrivals takes in some of the tickets that are new or came back. It returns
// them, and when those that are new began.
func (d *driver) arrivals(tx *engine.Tx) (taken []*lift.Ticket, fresh []time.Time, err error) {
	waits, err := d.recentWaits(tx)
	if err != nil {
		return nil, nil, err
	}
	wait, known := match.MeanWait(waits, tx.Now)
	taken, _, err = store.Tickets.Scan(tx, "arriving", d.key+"/", store.Cursor{}, arrivalBatch)
	if err != nil {
		return nil, nil, err
	}
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
			return nil, nil, err
		}
		if err := store.Tickets.Put(tx, t); err != nil {
			return nil, nil, err
		}
	}
	return taken, fresh, nil
}

// sweep makes the pool hold the tickets that search, and no others. It returns
// those that do not fit.
func (d *driver) sweep(ctx context.Context, now time.Time) (misfits []*lift.Ticket, err error) {
	var live []*lift.Ticket
	err = d.engine.View(ctx, func(tx store.Tx) (err error) {
		live, err = store.Tickets.All(tx, "live", d.key+"/")
		return err
	})
	if err != nil {
		return nil, err
	}
	search := map[match.TicketID]bool{}
	var missing []*lift.Ticket
	for _, t := range live {
		if !t.Searches(now) {
			continue
		}
		id := match.TicketID(t.ID)
		if search[id] = true; !d.held[id] {
			missing = append(missing, t)
		}
	}
	for id := range d.held {
		if !search[id] {
			d.pool.Remove(id)
			d.forget(id)
		}
	}
	return d.add(now, missing), nil
}

// add takes tickets into the pool, and returns those whose attributes do not fit
// the rule set, which may have changed since they were made.
func (d *driver) add(now time.Time, ts []*lift.Ticket) (misfits []*lift.Ticket) {
	for _, t := range ts {
		id := match.TicketID(t.ID)
		d.pool.Remove(id) // as it was before
		delete(d.held, id)
		if _, err := d.pool.Add(now, ticketOf(t)); err != nil {
			d.log.Warn("a ticket cannot be matched by the rule set", "ticket", t.ID, "err", err)
			misfits = append(misfits, t)
			continue
		}
		d.held[id] = true
	}
	return misfits
}

// forget drops what is remembered of tickets that left the pool.
func (d *driver) forget(ids ...match.TicketID) {
	gone := map[string][]lift.RuleCount{}
	for _, id := range ids {
		delete(d.held, id)
		gone[d.ticketKey(id)] = nil
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
		c.Passed, c.Failed = c.Passed-d.counted[i].Passed, c.Failed-d.counted[i].Failed
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
		counts[d.ticketKey(id)] = evaluations(cs)
	}
	d.engine.Evaluated(counts)
}

// fail ends tickets that the rule set cannot match.
func (d *driver) fail(ctx context.Context, misfits []*lift.Ticket) error {
	for batch := range slices.Chunk(misfits, arrivalBatch) {
		err := d.update(ctx, func(tx *engine.Tx, _ basis) error {
			for _, t := range batch {
				t, err := store.Tickets.Find(tx, store.TicketKey(t))
				if err == nil && t.Searches(tx.Now) {
					err = tx.EndTicket(t, lift.TicketFailed, "InvalidAttributes", "Player attributes do not fit the rule set that the matchmaking configuration uses now.")
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// endAll ends the tickets of a configuration that is gone, some at a time. Those
// that have a match go on with it.
func (d *driver) endAll(tx *engine.Tx) error {
	ts, _, err := store.Tickets.Scan(tx, "live", d.key+"/", store.Cursor{}, arrivalBatch)
	if err != nil {
		return err
	}
	for _, t := range ts {
		if !t.Status.Waits() {
			continue
		}
		if err := tx.EndTicket(t, lift.TicketFailed, "ConfigurationDeleted", "The matchmaking configuration was deleted."); err != nil {
			return err
		}
	}
	return nil
}

// commit saves some of the matches that were found. Tickets of one that does
// not hold any more go back into the pool if they still search, for they may be
// matched with others.
func (d *driver) commit(ctx context.Context, now time.Time) error {
	batch := d.found[:min(matchBatch, len(d.found))]
	var back []*lift.Ticket
	old := false
	err := d.update(ctx, func(tx *engine.Tx, b basis) error {
		back = nil
		if old = b.pool != d.made; old {
			return nil
		}
		waits, err := d.recentWaits(tx)
		if err != nil {
			return err
		}
		for _, f := range batch {
			ts, err := d.searching(tx, f)
			if err != nil {
				return err
			}
			if len(ts) < len(f.Tickets) {
				back = append(back, ts...)
				continue
			}
			if err := tx.Propose(b.c, matchOf(b.c, d.set, f, ts, lift.MatchID(tx.NewID())), ts); err != nil {
				return err
			}
			for _, t := range ts {
				if t.Backfill == nil { // players want to know how long players wait
					match.NoteWait(&waits, now, now.Sub(t.StartedAt))
				}
			}
		}
		return store.Waits.Put(tx, &waits)
	})
	if err != nil {
		return err
	}
	if old {
		d.drop()
		return nil
	}
	d.found = d.found[len(batch):]
	for _, f := range batch {
		d.forget(f.Tickets...)
	}
	if d.add(now, back); len(back) > 0 {
		d.again = true
	}
	return nil
}

// recentWaits loads how long tickets of this configuration waited lately. They
// are a row, so that another server, or this one after a restart, tells players
// the same.
func (d *driver) recentWaits(tx store.Tx) (lift.RecentWaits, error) {
	w, ok, err := store.Waits.Get(tx, d.key)
	if !ok {
		return lift.RecentWaits{Region: d.region, Configuration: d.name}, err
	}
	return *w, nil
}

// searching loads the tickets of a match that still search here.
func (d *driver) searching(tx *engine.Tx, f match.Match) (ts []*lift.Ticket, err error) {
	for _, id := range f.Tickets {
		t, ok, err := store.Tickets.Get(tx, d.ticketKey(id))
		if err != nil {
			return nil, err
		}
		if ok && t.Configuration == d.name && t.Searches(tx.Now) {
			ts = append(ts, t)
		}
	}
	return ts, nil
}

// ticketKey is the row of a ticket of this configuration's region.
func (d *driver) ticketKey(id match.TicketID) string { return store.InRegion(d.region, string(id)) }
