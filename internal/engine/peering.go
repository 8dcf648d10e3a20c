package engine

import (
	"fmt"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// peeringDue connects a fleet with another network, or says why not. The
// instances of every host there is reach what their machine reaches, so there
// is nothing to configure, and the record is all (behaviour 2.19). A fleet that
// was created with the connection fails with it (behaviour 2.3).
func (tx *Tx) peeringDue(p *lift.Peering) error {
	f, err := store.Fleets.Find(tx, string(p.FleetID))
	if err != nil {
		return err
	}
	allowed, err := Authorized(tx, p)
	if err != nil {
		return err
	}
	n := lift.Notice{Code: lift.PeeringSucceeded, Message: fmt.Sprintf("peering connection %s with %s is active", p.ID, p.PeerNetwork)}
	p.Status, p.Message = lift.PeeringActive, "instances reach this network as the machine does that they run on"
	if !allowed {
		p.Status, p.Message = lift.PeeringFailed, fmt.Sprintf("account %s has not authorized account %s to connect with %s, or the authorization has expired; call CreateVpcPeeringAuthorization", p.PeerAccount, p.Account, p.PeerNetwork)
		n = lift.Notice{Code: lift.PeeringFailedEvent, Message: fmt.Sprintf("peering connection %s failed: %s", p.ID, p.Message)}
	}
	if err := tx.Log(f, n); err != nil {
		return err
	}
	if !allowed && p.WithFleet && f.Status.Preparing() {
		f.Status, f.Reason, f.LookAt = lift.FleetError, n.Message, tx.Now
		if err := tx.Log(f, lift.Notice{Code: lift.FleetStateError, Message: n.Message}); err != nil {
			return err
		}
		if err := store.Fleets.Put(tx, f); err != nil {
			return err
		}
	}
	return store.Peerings.Put(tx, p)
}

// unpeer ends the connection that a fleet was created with, since the fleet
// failed: they succeed or fail together (behaviour 2.3).
func (tx *Tx) unpeer(f *lift.Fleet) error {
	ps, err := store.Peerings.All(tx, "fleet", f.Region+"/"+string(f.ID)+"/")
	if err != nil {
		return err
	}
	for _, p := range ps {
		if !p.WithFleet || p.Status == lift.PeeringFailed {
			continue
		}
		p.Status, p.Message = lift.PeeringFailed, "the fleet that was created with it failed: "+f.Reason
		n := lift.Notice{Code: lift.PeeringFailedEvent, Message: fmt.Sprintf("peering connection %s failed: %s", p.ID, p.Message)}
		if err := tx.Log(f, n); err != nil {
			return err
		}
		if err := store.Peerings.Put(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// Authorized reports whether the owner of the other network allows p now. An
// authorization whose time is over is gone within a turn.
func Authorized(tx *Tx, p *lift.Peering) (bool, error) {
	a, ok, err := store.PeeringAuthorizations.Get(tx, store.PeeringAuthorizationKey(p.Region, p.PeerAccount, p.PeerNetwork, p.Account))
	return ok && tx.Now.Before(a.ExpiresAt), err
}
