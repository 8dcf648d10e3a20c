package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

const (
	turnBatch = 256              // due rows decided in one transaction
	turnHold  = 30 * time.Second // a claimed row is free again after it
	idleTurn  = 5 * time.Second  // a turn comes at least this often
	errorWait = time.Second      // after a turn that failed
)

// due is a kind of row with what happens when its time comes.
type due struct {
	kind string
	// lease is what a server must hold to decide rows of the kind, of several
	// servers; "" for kinds that any may.
	lease string
	// hosted is true for kinds that are, of several servers, for those with a host.
	hosted bool
	// handle decides up to limit due rows in the transaction.
	handle func(tx *Tx, limit int) error
}

// claiming makes a due entry of a table.
func claiming[T any](t *store.Table[T], f func(*Tx, *T) error) due {
	return due{kind: t.Kind.Name, handle: func(tx *Tx, limit int) error {
		rows, err := t.Claim(tx, tx.e.opts.Owner, tx.Now, tx.Now.Add(turnHold), limit)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := f(tx, r); err != nil {
				return err
			}
		}
		return nil
	}}
}

// under makes a lease the condition of a due entry.
func (d due) under(lease string) due {
	d.lease = lease
	return d
}

// atHosts leaves a due entry to servers with a host.
func (d due) atHosts() due {
	d.hosted = true
	return d
}

// agenda lists everything that has a due time, in the order of a turn:
// what frees capacity comes before what wants it.
var agenda = []due{
	claiming(store.Sessions, (*Tx).sessionDue),
	claiming(store.Players, (*Tx).playerDue),
	claiming(store.Placements, (*Tx).placementDue),
	claiming(store.Matches, (*Tx).matchDue),
	claiming(store.Tickets, (*Tx).ticketDue),
	claiming(store.PeeringAuthorizations, func(tx *Tx, a *lift.PeeringAuthorization) error {
		return store.PeeringAuthorizations.Delete(tx, store.PeeringAuthorizationKey(a.Region, a.PeerAccount, a.PeerNetwork, a.FleetOwner))
	}),
	claiming(store.GameServers, (*Tx).gameServerDue),
	claiming(store.GameServerGroups, (*Tx).groupDue),
	claiming(store.Peerings, (*Tx).peeringDue),
	claiming(store.Scalings, (*Tx).scalingDue),
	claiming(store.Fleets, (*Tx).fleetDue).under(FleetsLease),
	claiming(store.Instances, (*Tx).instanceDue),
	claiming(store.Builds, (*Tx).buildDue),
	claiming(store.Effects, (*Tx).effectDue).atHosts(),
	claiming(store.Processes, func(tx *Tx, p *lift.Process) error { return store.Processes.Delete(tx, string(p.ID)) }),
	claiming(store.Events, func(tx *Tx, ev *lift.FleetEvent) error { return store.Events.Delete(tx, string(ev.ID)) }),
	claiming(store.DeadLetters, func(tx *Tx, d *store.DeadLetter) error { return store.DeadLetters.Delete(tx, string(d.ID)) }),
	claiming(store.Creators, func(tx *Tx, c *lift.Creator) error {
		return store.Creators.Delete(tx, store.CreatorKey(c.FleetID, c.CreatorID))
	}),
	claiming(store.Answers, func(tx *Tx, a *store.Answer) error { return store.Answers.Delete(tx, a.Call) }),
	claiming(store.Servers, func(tx *Tx, s *store.Server) error { return store.Servers.Delete(tx, s.ID) }),
	claiming(store.Keys, func(tx *Tx, k *lift.AccessKey) error { return store.Keys.Delete(tx, k.ID) }),
}

// Turn does everything that is due and returns when to call it again. Several
// servers may turn at once: each row is decided by the one that claimed it.
func (e *Engine) Turn(ctx context.Context, now time.Time) (time.Time, error) {
	next := now.Add(idleTurn)
	if err := e.beat(ctx, now); err != nil {
		return next, err
	}
	if err := e.watchAgents(ctx, now); err != nil {
		return next, err
	}
	if err := e.resolve(ctx); err != nil {
		return next, err
	}
	if err := e.placeFreed(ctx); err != nil {
		return next, err
	}
	if err := e.refresh(ctx, now); err != nil {
		return next, err
	}
	// A kind that fails keeps none of the others from its turn.
	var failed []error
	for _, d := range agenda {
		if err := e.settle(ctx, d); err != nil {
			failed = append(failed, fmt.Errorf("due %ss: %w", d.kind, err))
		}
	}
	return e.due.earliest(next), errors.Join(failed...)
}

// Step is one round of Run: a turn, and when the next one comes if nothing
// happens before. An error is for the log; the turn is tried again.
func (e *Engine) Step(ctx context.Context) (next time.Time, err error) {
	now := e.Now()
	if next, err = e.Turn(ctx, now); err != nil {
		next = now.Add(errorWait)
	}
	e.due.planned(next)
	return next, err
}

// Woken reports whether a turn was asked for since it was last called.
func (e *Engine) Woken() bool {
	select {
	case <-e.wake:
		return true
	default:
		return false
	}
}

// Run sends what was left unsent, then turns until ctx ends: when something is
// due, when something happened, and every few seconds to notice what was lost.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.Resend(ctx); err != nil {
		return err
	}
	if e.shared != nil {
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { e.follow(ctx) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-e.wake:
		}
		next, err := e.Step(ctx)
		switch {
		case ends(ctx, err):
			return nil
		case err != nil:
			e.log.Error("turn failed; it is tried again", "err", err)
		}
		timer.Reset(max(next.Sub(e.Now()), 0))
	}
}

// ends reports whether nothing more is to be done, rather than that it failed.
func ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, store.ErrClosed)
}

// sessionDue ends sessions that were not activated in time and forgets those
// whose retention is over.
func (tx *Tx) sessionDue(s *lift.GameSession) error {
	if !s.Status.Live() {
		return store.Sessions.Delete(tx, string(s.ID))
	}
	st, err := tx.loadProcess(s.ProcessID)
	if err != nil {
		return err
	}
	next, effects, notices := session.ActivationMissed(tx.Now, st)
	f, err := store.Fleets.Find(tx, string(s.FleetID))
	if err != nil {
		return err
	}
	if err := tx.Log(f, notices...); err != nil {
		return err
	}
	if err := tx.saveProcess(st, next); err != nil {
		return err
	}
	return tx.Emit(effects...)
}

// playerDue frees the slots of players who were not accepted in time and
// forgets those whose retention is over.
func (tx *Tx) playerDue(p *lift.PlayerSession) error {
	if !p.Status.Live() {
		return store.Players.Delete(tx, string(p.ID))
	}
	s, err := store.Sessions.Find(tx, string(p.GameSessionID))
	if err != nil {
		return err
	}
	freed, gone := session.ReservationMissed(tx.Now, *s, *p)
	if err := store.Sessions.Put(tx, &freed); err != nil {
		return err
	}
	return store.Players.Put(tx, &gone)
}

// buildDue fails builds whose files never came (behaviour 1.1).
func (tx *Tx) buildDue(b *lift.Build) error {
	b.Status, b.Reason = lift.BuildFailed, "no files were uploaded before the upload window ended"
	return store.Builds.Put(tx, b)
}

// effectDue sends an effect for the host again.
func (tx *Tx) effectDue(o *store.Outbox) error {
	if tx.e.shared != nil {
		return tx.adopt(o)
	}
	o.RetryAt = tx.Now.Add(hostRetry)
	tx.effects = append(tx.effects, o.Effect)
	return store.Effects.Put(tx, o)
}

// Resend sends the host what it has not confirmed, at the start. Agents get
// theirs when they connect.
func (e *Engine) Resend(ctx context.Context) error {
	if e.opts.NoReplay || e.shared != nil && e.opts.Host == "" {
		return nil
	}
	var pending []lift.Effect
	err := e.View(ctx, func(tx store.Tx) error {
		pending = nil
		out, err := store.Effects.All(tx, "to", string(lift.ToHost)+"/")
		for _, o := range out {
			if name, _ := o.To.Host(); name == e.opts.Host {
				pending = append(pending, o.Effect)
			}
		}
		return err
	})
	e.send(pending)
	return err
}
