package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Numbered is an event of an agent with its place in that agent's life.
type Numbered struct {
	Seq   uint64
	Event lift.Event
}

// Batch is what an agent has to say at once: events in order, the effects it
// took, and the last event whose reply it has.
type Batch struct {
	Events []Numbered
	Got    []lift.EffectID
	Read   uint64
}

// Handle applies a batch in one transaction together with the number of its
// last event, so that a repeated batch changes nothing and is answered as the
// first time. It returns the number of the last event handled and the replies
// that the agent may not have yet.
func (e *Engine) Handle(ctx context.Context, from lift.InstanceID, b Batch) (uint64, []store.NumberedReply, error) {
	var last uint64
	var replies []store.NumberedReply
	err := e.Update(ctx, func(tx *Tx) error {
		last, replies = 0, nil
		for _, id := range b.Got {
			if err := store.Effects.Delete(tx, string(id)); err != nil {
				return err
			}
		}
		if len(b.Events) > 0 {
			// Whoever speaks for an instance that was given up is sent away, and
			// not let in again.
			if _, err := instanceOfAgent(tx, from); err != nil {
				return err
			}
		}
		c, err := tx.conversation(from)
		if err != nil {
			return err
		}
		before := len(c.Replies)
		c.Replies = slices.DeleteFunc(c.Replies, func(r store.NumberedReply) bool { return r.Event <= b.Read })
		if len(b.Events) == 0 && len(c.Replies) == before {
			last = c.LastEvent
			return nil
		}
		for _, n := range b.Events {
			if n.Seq <= c.LastEvent {
				continue // handled before; a stored reply goes out below
			}
			if n.Seq != c.LastEvent+1 {
				return fmt.Errorf("agent %s: event %d came after %d; those between are missing", from, n.Seq, c.LastEvent)
			}
			reply, err := tx.apply(from, n.Event)
			if err != nil {
				return fmt.Errorf("agent %s, event %d: %w", from, n.Seq, err)
			}
			c.LastEvent = n.Seq
			if n.Event.WantsReply() {
				c.Replies = append(c.Replies, store.NumberedReply{Event: n.Seq, Reply: reply})
			}
		}
		last, replies = c.LastEvent, c.Replies
		return store.Conversations.Put(tx, c)
	})
	return last, replies, err
}

// conversation returns what is remembered of the talk with an agent.
func (tx *Tx) conversation(with lift.InstanceID) (*store.Conversation, error) {
	c, known, err := store.Conversations.Get(tx, string(with))
	if !known {
		c = &store.Conversation{InstanceID: with}
	}
	return c, err
}

// Resume is where a conversation stands when an agent connects: the last event
// handled and the effects it has not confirmed.
func (e *Engine) Resume(ctx context.Context, id lift.InstanceID) (uint64, []lift.Effect, error) {
	if e.shared != nil {
		if err := e.connected(ctx, id); err != nil {
			return 0, nil, err
		}
	}
	var last uint64
	var pending []lift.Effect
	err := e.View(ctx, func(tx store.Tx) error {
		last, pending = 0, nil
		if _, err := instanceOfAgent(tx, id); err != nil {
			return err // it was given up while its agent was on the way here
		}
		c, ok, err := store.Conversations.Get(tx, string(id))
		if err != nil {
			return err
		}
		if ok {
			last = c.LastEvent
		}
		if e.opts.NoReplay && last > 0 {
			return nil
		}
		out, err := store.Effects.All(tx, "to", string(lift.ToAgent(id))+"/")
		for _, o := range out {
			pending = append(pending, o.Effect)
		}
		return err
	})
	return last, pending, err
}

// apply changes what one event changes. An event that makes no sense is
// logged, and answered with the reason if somebody waits; it changes nothing and
// is never repeated.
func (tx *Tx) apply(from lift.InstanceID, ev lift.Event) (lift.Reply, error) {
	reply, err := tx.applyEvent(from, ev)
	if le, ok := errors.AsType[*lift.Error](err); ok {
		tx.e.log.Info("event refused", "instance", from, "process", ev.Process(), "reason", le.Msg)
		return refusal(le), nil
	}
	return reply, err
}

func (tx *Tx) applyEvent(from lift.InstanceID, ev lift.Event) (lift.Reply, error) {
	inst, err := instanceOfAgent(tx, from)
	if err != nil {
		return lift.Reply{}, err
	}
	nameLog(from, &ev)
	switch {
	case ev.Stage != nil, ev.Failed != nil, ev.Notice != nil, ev.ProcessStarted != nil, ev.Stopped != nil:
		return lift.Reply{}, tx.applyInstance(inst, ev)
	case ev.DescribePlayers != nil:
		return tx.describePlayers(inst, *ev.DescribePlayers)
	case ev.StartBackfill != nil:
		return tx.startBackfill(inst, *ev.StartBackfill)
	case ev.StopBackfill != nil:
		return tx.stopBackfill(inst, *ev.StopBackfill)
	}
	return lift.Reply{Status: 200}, tx.applyProcess(inst, ev)
}

// instanceOfAgent finds the instance that an agent speaks for. NotFound says
// that it speaks for none any more.
func instanceOfAgent(tx store.Tx, id lift.InstanceID) (*lift.Instance, error) {
	i, err := store.Instances.Find(tx, string(id))
	if err == nil && i.Status == lift.InstanceTerminated {
		return nil, lift.Errorf(lift.NotFound, "this instance was given up by the service")
	}
	return i, err
}

// nameLog makes the name of a log, which an agent gives within its instance,
// one that is unique: INSTANCE/LOG. What ev points to is not changed.
func nameLog(from lift.InstanceID, ev *lift.Event) {
	full := func(log string) string {
		if log == "" {
			return ""
		}
		return string(from) + "/" + log
	}
	switch {
	case ev.Stage != nil:
		c := *ev.Stage
		c.Log, ev.Stage = full(c.Log), &c
	case ev.Failed != nil:
		c := *ev.Failed
		c.Log, ev.Failed = full(c.Log), &c
	case ev.Notice != nil:
		c := *ev.Notice
		c.Log, ev.Notice = full(c.Log), &c
	case ev.ProcessExited != nil:
		c := *ev.ProcessExited
		c.Log, ev.ProcessExited = full(c.Log), &c
	}
}

func (tx *Tx) applyInstance(inst *lift.Instance, ev lift.Event) error {
	f, err := store.Fleets.Find(tx, string(inst.FleetID))
	if err != nil {
		return err
	}
	switch {
	case ev.Notice != nil:
		return tx.Log(f, *ev.Notice)
	case ev.ProcessStarted != nil:
		p := session.Launched(tx.Now, *inst, *ev.ProcessStarted)
		return store.Processes.Put(tx, &p)
	case ev.Stopped != nil:
		return tx.gone(f, inst, ev.Stopped.Reason)
	case ev.Failed != nil:
		return tx.progress(fleet.Failed(tx.Now, *f, *inst, *ev.Failed))
	}
	p := fleet.Reached(*f, *inst, *ev.Stage)
	p.Instance.DNSName = hostName(p.Instance.Address, tx.e.opts.DNSSuffix)
	return tx.progress(p)
}

// hostName is the name of an instance in the domain that the operator chose,
// "" if there is none. It is made of the address as the real service makes it
// (behaviour 2.9), so that a DNS can tell the address from the name.
func hostName(address, domain string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || domain == "" {
		return ""
	}
	return "ip-" + strings.NewReplacer(".", "-", ":", "-").Replace(ip.String()) + "." + domain
}

// progress saves what a decider of the fleet room answered.
func (tx *Tx) progress(p fleet.Progress) error {
	if p.Fleet.Status == lift.FleetError {
		if err := tx.unpeer(&p.Fleet); err != nil {
			return err
		}
	}
	if err := store.Fleets.Put(tx, &p.Fleet); err != nil {
		return err
	}
	if err := store.Instances.Put(tx, &p.Instance); err != nil {
		return err
	}
	if err := tx.Log(&p.Fleet, p.Events...); err != nil {
		return err
	}
	return tx.Emit(p.Effects...)
}

// applyProcess loads a process with what the event may touch, moves it, and
// saves what changed.
func (tx *Tx) applyProcess(inst *lift.Instance, ev lift.Event) error {
	st, err := tx.loadProcess(ev.Process())
	if err != nil {
		return err
	}
	if st.Process.InstanceID != inst.ID {
		return lift.Errorf(lift.Unauthorized, "process %s belongs to another instance", st.Process.ID)
	}
	if err := tx.loadPlayers(&st, ev); err != nil {
		return err
	}
	next, err := session.Apply(tx.Now, st, ev)
	if err != nil {
		return err
	}
	if err := tx.saveProcess(st, next); err != nil {
		return err
	}
	switch {
	case ev.ProcessReady != nil && inst.Status == lift.InstancePending:
		f, err := store.Fleets.Find(tx, string(inst.FleetID))
		if err != nil {
			return err
		}
		return tx.progress(fleet.Ready(tx.Now, *f, *inst))
	case ev.ProcessExited != nil:
		return tx.exited(inst.ID, *ev.ProcessExited)
	}
	return nil
}

// exited tells the fleet how a process ended.
func (tx *Tx) exited(id lift.InstanceID, ev lift.ProcessExited) error {
	// Read again: the end of a session may have changed its count.
	inst, err := store.Instances.Find(tx, string(id))
	if err != nil {
		return err
	}
	f, err := store.Fleets.Find(tx, string(inst.FleetID))
	if err != nil {
		return err
	}
	if ev.Code != "" {
		if err := tx.Log(f, lift.Notice{Code: ev.Code, Message: ev.Message, Log: ev.Log}); err != nil {
			return err
		}
	}
	if !f.Status.Preparing() {
		return nil
	}
	return tx.progress(fleet.Exited(tx.Now, *f, *inst, ev))
}

// describePlayers answers a game server: it may ask about its own session,
// one of its players, or a player by the player's own id (server-sdk A.3).
func (tx *Tx) describePlayers(inst *lift.Instance, q lift.DescribePlayers) (lift.Reply, error) {
	const limitMax = 1024
	limit := q.Limit
	if limit <= 0 || limit > limitMax {
		limit = limitMax
	}
	found, next, err := FindPlayers(tx, inst.Region, PlayerQuery{
		Session: q.GameSessionID, ID: q.PlayerSessionID, Player: q.PlayerID, Status: lift.PlayerSessionStatus(q.Status),
		After: q.NextToken, Limit: limit,
	})
	if err != nil {
		return lift.Reply{}, err
	}
	return lift.Reply{Status: 200, Players: found, NextToken: next}, nil
}

// refusal puts an error into the status codes of the Server SDK (A.2).
func refusal(e *lift.Error) lift.Reply {
	status := 400
	switch e.Kind {
	case lift.NotFound:
		status = 404
	case lift.Conflict, lift.GameSessionFull, lift.InvalidGameSessionStatus:
		status = 409
	case lift.Unauthorized:
		status = 403
	}
	return lift.Reply{Status: status, Message: e.Msg}
}
