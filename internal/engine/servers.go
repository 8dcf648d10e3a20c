package engine

import (
	"context"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Several servers may work on one database, all of them active. What keeps them
// out of each other's way is in rows: due rows are claimed, everything else is
// guarded by versions, and what needs one owner at a time has a lease. With a
// store that nobody shares none of this file does anything.

const (
	beatEvery  = 10 * time.Second
	aliveFor   = 35 * time.Second      // a server that missed three beats is taken for gone
	followRest = 20 * time.Millisecond // between two looks at what others committed
	seenMost   = 16_384                // effects remembered as sent
)

// FleetsLease is the lease of who plans fleets.
const FleetsLease = "fleets"

// Alone reports whether no other server can work on the store.
func (e *Engine) Alone() bool { return e.shared == nil }

// Hold is store.Hold for this server, which alone always is the owner.
func (tx *Tx) Hold(name string) (store.Lease, bool, error) {
	if tx.e.shared == nil {
		return store.Lease{Name: name}, true, nil
	}
	return store.Hold(tx, name, tx.e.opts.Owner, tx.Now)
}

// servers is the memory of a server among others.
type servers struct {
	mu     sync.Mutex
	beaten time.Time            // when this server last said that it is there
	asked  time.Time            // when its host was last asked again
	looked time.Time            // when the others were last looked at
	heard  map[string]beatHeard // of each server, by its id
	seen   map[lift.EffectID]bool
	before map[lift.EffectID]bool // the generation before seen
}

// beatHeard is the last beat of a server and when this one first saw it, by
// its own clock: clocks may differ by more than a server may be silent.
type beatHeard struct{ beat, at time.Time }

// hear notes the beats of all servers.
func (s *servers) hear(now time.Time, all []*store.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := make(map[string]beatHeard, len(all))
	for _, o := range all {
		h := s.heard[o.ID]
		switch {
		case s.heard == nil && o.BeatAt.Before(now):
			h.at = o.BeatAt // it may be long gone
		case !h.beat.Equal(o.BeatAt):
			h.at = now
		}
		h.beat = o.BeatAt
		heard[o.ID] = h
	}
	s.heard, s.looked = heard, now
}

// lastHeard is when a server was last heard, by this one's clock as far as it
// can tell.
func (s *servers) lastHeard(o *store.Server) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.heard[o.ID]; h.beat.Equal(o.BeatAt) {
		return h.at
	}
	return s.looked // or later
}

// note remembers effects that were sent from here, and returns those that were
// not before.
func (s *servers) note(ids []lift.EffectID) (fresh []lift.EffectID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.seen[id] || s.before[id] {
			continue
		}
		if len(s.seen) >= seenMost || s.seen == nil {
			s.before, s.seen = s.seen, map[lift.EffectID]bool{}
		}
		s.seen[id] = true
		fresh = append(fresh, id)
	}
	return fresh
}

// sent notes effects that this server sends itself.
func (e *Engine) sent(effects []lift.Effect) {
	if e.shared == nil {
		return
	}
	ids := make([]lift.EffectID, len(effects))
	for i, eff := range effects {
		ids[i] = eff.ID
	}
	e.servers.note(ids)
}

// beat tells the other servers, now and then, that this one is there, and asks
// its host again for what it has not confirmed.
func (e *Engine) beat(ctx context.Context, now time.Time) error {
	if e.shared == nil {
		return nil
	}
	e.servers.mu.Lock()
	beat, ask := now.Sub(e.servers.beaten) >= beatEvery, now.Sub(e.servers.asked) >= hostRetry
	if beat {
		e.servers.beaten = now
	}
	if ask {
		e.servers.asked = now
	}
	e.servers.mu.Unlock()
	if beat {
		var all []*store.Server
		err := e.Update(ctx, func(tx *Tx) (err error) {
			if all, err = store.Servers.All(tx, "", ""); err != nil {
				return err
			}
			if _, _, err := store.Servers.Get(tx, e.opts.Owner); err != nil {
				return err
			}
			return store.Servers.Put(tx, &store.Server{ID: e.opts.Owner, Host: e.opts.Host, BeatAt: tx.Now})
		})
		if err != nil {
			return err
		}
		e.servers.hear(now, all)
	}
	if ask {
		return e.Resend(ctx)
	}
	return nil
}

// follow looks at what other servers committed until ctx ends: when the
// database tells that they did, and every few seconds, as it may not.
func (e *Engine) follow(ctx context.Context) {
	news := e.shared.Elsewhere(ctx)
	tick := time.NewTicker(idleTurn)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
		case <-tick.C:
		}
		switch err := e.Follow(ctx); {
		case ends(ctx, err):
			return
		case err != nil:
			e.log.Error("what other servers did cannot be read; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(followRest):
		}
	}
}

// Follow sends the effects that other servers saved for agents connected here
// and for the host, and looks anew at what is due and whether tickets arrived.
func (e *Engine) Follow(ctx context.Context) error {
	var rows []store.Row
	err := e.View(ctx, func(tx store.Tx) error {
		rows = nil
		prefixes := []string{string(lift.ToAgent(""))}
		if e.opts.Host != "" {
			prefixes = append(prefixes, string(lift.ToHostOf(e.opts.Host))+"/")
		}
		for _, prefix := range prefixes {
			var after store.Cursor
			for {
				const page = 500
				found, err := tx.Scan(store.Effects.Kind.Name, "to", prefix, after, page)
				if err != nil {
					return err
				}
				rows = append(rows, found...)
				if len(found) < page {
					break
				}
				after = found[page-1].Cursor("to")
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	ids := make([]lift.EffectID, len(rows))
	byID := make(map[lift.EffectID]store.Row, len(rows))
	for i, r := range rows {
		ids[i] = lift.EffectID(r.ID)
		byID[ids[i]] = r
	}
	var effects []lift.Effect
	for _, id := range e.servers.note(ids) {
		o, err := store.Effects.Decode(byID[id])
		if err != nil {
			return err
		}
		effects = append(effects, o.Effect)
	}
	e.send(effects)
	e.due.forget()
	e.Wake()
	select {
	case e.arrived <- struct{}{}:
	default:
	}
	return nil
}

// connected notes that an agent is connected to this server now, which watches
// over it from here on.
func (e *Engine) connected(ctx context.Context, id lift.InstanceID) error {
	return e.Update(ctx, func(tx *Tx) error {
		c, err := tx.conversation(id)
		if err != nil {
			return err
		}
		c.Server = e.opts.Owner
		return store.Conversations.Put(tx, c)
	})
}

// watched returns from when at the earliest the silence of an agent counts that
// is connected to another server: that one hears it as long as it is there.
func (e *Engine) watched(tx store.Tx, id lift.InstanceID) (since time.Time, err error) {
	if e.shared == nil {
		return time.Time{}, nil
	}
	c, ok, err := store.Conversations.Get(tx, string(id))
	if !ok || c.Server == e.opts.Owner {
		return time.Time{}, err
	}
	s, ok, err := store.Servers.Get(tx, c.Server)
	if !ok {
		return time.Time{}, err
	}
	return e.servers.lastHeard(s), nil
}

// hostFor chooses the host for a new instance of a fleet: of the servers that
// are there and have one, that with the fewest instances of the fleet. None is
// "", for whichever host asks first; see adopt.
func (tx *Tx) hostFor(f *lift.Fleet) (string, error) {
	if tx.e.shared == nil {
		return "", nil
	}
	all, err := store.Servers.All(tx, "", "")
	if err != nil {
		return "", err
	}
	is, err := store.Instances.All(tx, "fleet", string(f.ID)+"/")
	if err != nil {
		return "", err
	}
	count := map[string]int{}
	for _, i := range is {
		count[i.Host]++
	}
	best := ""
	for _, s := range all {
		if s.Host == "" || tx.Now.Sub(tx.e.servers.lastHeard(s)) > aliveFor {
			continue
		}
		if best == "" || count[s.Host] < count[best] {
			best = s.Host
		}
	}
	return best, nil
}

// adopt gives an effect for whichever host there is to that of this server, so
// that no two carry it out.
func (tx *Tx) adopt(o *store.Outbox) error {
	on := tx.e.opts.Host
	if o.StartInstance != nil {
		i, err := store.Instances.Find(tx, string(o.StartInstance.InstanceID))
		if err != nil {
			return err
		}
		if i.Status == lift.InstanceTerminated {
			return store.Effects.Delete(tx, string(o.ID))
		}
		i.Host = on
		if err := store.Instances.Put(tx, i); err != nil {
			return err
		}
	}
	o.To, o.RetryAt = lift.ToHostOf(on), time.Time{}
	tx.effects = append(tx.effects, o.Effect)
	return store.Effects.Put(tx, o)
}

// forgetHost drops what the host of an instance that is long gone never took:
// it is gone itself, or there never was one. Until then it waits, for a host that
// comes back within that time is to stop what it kept.
func (tx *Tx) forgetHost(i *lift.Instance) error {
	out, err := store.Effects.All(tx, "to", string(lift.ToHostOf(i.Host))+"/")
	if err != nil {
		return err
	}
	for _, o := range out {
		if instanceOf(o.Effect) != i.ID {
			continue
		}
		if err := store.Effects.Delete(tx, string(o.ID)); err != nil {
			return err
		}
	}
	return nil
}

// instanceOf returns the instance that a host is to start or stop.
func instanceOf(e lift.Effect) lift.InstanceID {
	if e.StartInstance != nil {
		return e.StartInstance.InstanceID
	}
	return e.StopInstance.InstanceID
}
