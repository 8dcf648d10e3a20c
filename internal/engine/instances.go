package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

// fleetDue asks the decider what a fleet needs and does it. A terminated
// fleet loses its game sessions, and is forgotten some time later.
func (tx *Tx) fleetDue(f *lift.Fleet) error {
	if f.Status == lift.FleetTerminated {
		return tx.forget(f)
	}
	d, err := PlanFleet(tx, tx.Now, f)
	if err != nil {
		return err
	}
	f.LookAt = d.LookAt
	if d.Status != f.Status {
		f.Status = d.Status
		var notices []lift.Notice
		if d.Fail != nil {
			f.Reason = d.Fail.Message
			notices = append(notices, lift.Notice{Code: d.Fail.Code, Message: d.Fail.Message},
				lift.Notice{Code: lift.FleetStateError, Message: d.Fail.Message})
			if err := tx.unpeer(f); err != nil {
				return err
			}
		}
		if f.Status == lift.FleetTerminated {
			f.TerminatedAt, f.LookAt = tx.Now, tx.Now
		}
		if err := tx.Log(f, notices...); err != nil {
			return err
		}
	}
	for range d.Start {
		if err := tx.request(f); err != nil {
			return err
		}
	}
	for _, id := range d.Stop {
		i, err := store.Instances.Find(tx, string(id))
		if err != nil {
			return err
		}
		stopped, drain := fleet.Stop(tx.Now, *i, d.Why[0])
		if err := store.Instances.Put(tx, &stopped); err != nil {
			return err
		}
		if err := tx.Emit(drain...); err != nil {
			return err
		}
	}
	return store.Fleets.Put(tx, f)
}

// forgetBatch is how many game sessions of a terminated fleet go at once.
const forgetBatch = 100

// forget removes the game sessions of a terminated fleet with their players
// (behaviour 2.14), some at a time, and then the fleet, when nobody asks for
// its events any more.
func (tx *Tx) forget(f *lift.Fleet) error {
	ss, _, err := store.Sessions.Scan(tx, "fleet", string(f.ID)+"/", store.Cursor{}, forgetBatch)
	if err != nil {
		return err
	}
	for _, s := range ss {
		ps, err := store.Players.All(tx, "session", string(s.ID)+"/")
		if err != nil {
			return err
		}
		for _, p := range ps {
			if err := store.Players.Delete(tx, string(p.ID)); err != nil {
				return err
			}
		}
		if err := store.Sessions.Delete(tx, string(s.ID)); err != nil {
			return err
		}
	}
	switch {
	case len(ss) == forgetBatch:
	case tx.Now.Before(f.TerminatedAt.Add(store.KeepFleets)):
		f.LookAt = time.Time{}
	default:
		ps, err := store.Peerings.All(tx, "fleet", f.Region+"/"+string(f.ID)+"/")
		if err != nil {
			return err
		}
		for _, p := range ps {
			if err := store.Peerings.Delete(tx, string(p.ID)); err != nil {
				return err
			}
		}
		if err := store.Scalings.Delete(tx, string(f.ID)); err != nil {
			return err
		}
		return store.Fleets.Delete(tx, string(f.ID))
	}
	return store.Fleets.Put(tx, f)
}

// PlanFleet loads what fleet.Plan weighs and asks it.
func PlanFleet(tx store.Tx, now time.Time, f *lift.Fleet) (fleet.Decision, error) {
	is, err := store.Instances.All(tx, "fleet", string(f.ID)+"/")
	if err != nil {
		return fleet.Decision{}, err
	}
	loads := make([]fleet.Load, len(is))
	at := map[lift.InstanceID]int{}
	for n, i := range is {
		loads[n].Instance, at[i.ID] = *i, n
	}
	if len(is) > f.Capacity.Desired { // only who must stop one weighs sessions
		ss, err := store.Sessions.All(tx, "live", string(f.ID)+"/")
		if err != nil {
			return fleet.Decision{}, err
		}
		for _, s := range ss {
			if n, ok := at[s.InstanceID]; ok {
				loads[n].Sessions++
				if s.Status == lift.SessionActive && s.Protection == lift.FullProtection {
					loads[n].Protected++
				}
			}
		}
	}
	return fleet.Plan(now, *f, loads), nil
}

// request makes a new instance of f and asks the host for it. Its agent's
// first command waits in the outbox until it connects.
func (tx *Tx) request(f *lift.Fleet) error {
	b, err := store.Builds.Find(tx, string(f.BuildID))
	if err != nil {
		return err
	}
	token := lift.NewSecret(tx.e.opts.IDs)
	on, err := tx.hostFor(f)
	if err != nil {
		return err
	}
	i := lift.Instance{
		ID: tx.NewInstanceID(), FleetID: f.ID, Host: on, Region: f.Region, Location: f.Region, Type: f.InstanceType,
		Status: lift.InstancePending, TokenHash: HashToken(token), CreatedAt: tx.Now,
	}
	if err := store.Instances.Put(tx, &i); err != nil {
		return err
	}
	return tx.Emit(
		lift.Effect{To: lift.ToAgent(i.ID), Configure: &lift.Configure{Fleet: *f, Build: *b, InstanceID: i.ID, Region: i.Region, Location: i.Location}},
		lift.Effect{To: lift.ToHostOf(on), StartInstance: &lift.StartInstance{InstanceID: i.ID, FleetID: f.ID, Type: i.Type, Token: token}},
	)
}

// HashToken is the form in which an agent's secret is stored.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// instanceDue ends by force an instance that did not drain in time, and
// forgets one that is long gone.
func (tx *Tx) instanceDue(i *lift.Instance) error {
	if i.Status == lift.InstanceTerminated {
		if err := store.Conversations.Delete(tx, string(i.ID)); err != nil {
			return err
		}
		if err := tx.forgetHost(i); err != nil {
			return err
		}
		return store.Instances.Delete(tx, string(i.ID))
	}
	f, err := store.Fleets.Find(tx, string(i.FleetID))
	if err != nil {
		return err
	}
	return tx.gone(f, i, i.Reason)
}

// gone ends an instance and whatever was on it. The host is told in any case:
// stopping what is not there is nothing, and what is there must go.
func (tx *Tx) gone(f *lift.Fleet, i *lift.Instance, why string) error {
	// What its agent says at this moment, perhaps to another server, writes this
	// row, too, and so comes before or is refused.
	c, err := tx.conversation(i.ID)
	if err != nil {
		return err
	}
	if err := store.Conversations.Put(tx, c); err != nil {
		return err
	}
	ps, err := store.Processes.All(tx, "instance", string(i.ID)+"/")
	if err != nil {
		return err
	}
	for _, p := range ps {
		st, err := tx.loadProcess(p.ID)
		if err != nil {
			return err
		}
		if err := tx.loadLivePlayers(&st); err != nil {
			return err
		}
		if err := tx.saveProcess(st, session.Lost(tx.Now, st, why)); err != nil {
			return err
		}
	}
	agent := lift.ToAgent(i.ID)
	unsent, err := store.Effects.All(tx, "to", string(agent)+"/")
	if err != nil {
		return err
	}
	for _, o := range unsent {
		if err := store.Effects.Delete(tx, string(o.ID)); err != nil {
			return err
		}
	}
	tx.effects = slices.DeleteFunc(tx.effects, func(e lift.Effect) bool { return e.To == agent })
	// Read again: the end of a session may have changed the count.
	if i, err = store.Instances.Find(tx, string(i.ID)); err != nil {
		return err
	}
	i.Status, i.EndedAt, i.Activating = lift.InstanceTerminated, tx.Now, 0
	if i.Reason == "" {
		i.Reason = why
	}
	if err := store.Instances.Put(tx, i); err != nil {
		return err
	}
	f.LookAt = tx.Now
	if err := store.Fleets.Put(tx, f); err != nil {
		return err
	}
	return tx.Emit(lift.Effect{To: lift.ToHostOf(i.Host), StopInstance: &lift.StopInstance{InstanceID: i.ID}})
}

// Confirm forgets effects that their receiver has carried out.
func (e *Engine) Confirm(ctx context.Context, ids ...lift.EffectID) error {
	return e.Update(ctx, func(tx *Tx) error {
		for _, id := range ids {
			if err := store.Effects.Delete(tx, string(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// HostRefused notes that the host could not start an instance. The instance is
// gone and its fleet fails or tries again later (behaviour 2.3).
func (e *Engine) HostRefused(ctx context.Context, eff lift.Effect, reason string) error {
	return e.lose(ctx, eff.StartInstance.InstanceID, func(tx *Tx, f *lift.Fleet, i *lift.Instance) error {
		if err := store.Effects.Delete(tx, string(eff.ID)); err != nil {
			return err
		}
		return tx.progress(fleet.Failed(tx.Now, *f, *i, lift.InstanceFailed{Code: lift.FleetNoInstances, Message: reason}))
	}, reason)
}

// InstanceLost notes that an instance is gone without a goodbye: its agent
// died, or was silent for too long.
func (e *Engine) InstanceLost(ctx context.Context, id lift.InstanceID, reason string) error {
	return e.lose(ctx, id, func(tx *Tx, f *lift.Fleet, i *lift.Instance) error {
		if i.Status == lift.InstanceTerminating {
			return nil // it was to go anyway
		}
		if f.Status.Preparing() {
			return tx.progress(fleet.Failed(tx.Now, *f, *i, lift.InstanceFailed{Code: lift.FleetInitializationFailed, Message: reason}))
		}
		return tx.Log(f, lift.Notice{Code: lift.InstanceReplaced, Message: fmt.Sprintf("instance %s is lost and will be replaced: %s", i.ID, reason)})
	}, reason)
}

// lose tells the fleet by first, then ends the instance.
func (e *Engine) lose(ctx context.Context, id lift.InstanceID, first func(*Tx, *lift.Fleet, *lift.Instance) error, reason string) error {
	return e.Update(ctx, func(tx *Tx) error {
		i, ok, err := store.Instances.Get(tx, string(id))
		if !ok || i.Status == lift.InstanceTerminated {
			return err
		}
		f, err := store.Fleets.Find(tx, string(i.FleetID))
		if err != nil {
			return err
		}
		if err := first(tx, f, i); err != nil {
			return err
		}
		// Both were saved by first, perhaps changed.
		if f, err = store.Fleets.Find(tx, string(f.ID)); err != nil {
			return err
		}
		if i, err = store.Instances.Find(tx, string(i.ID)); err != nil {
			return err
		}
		return tx.gone(f, i, reason)
	})
}
