package ops

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// peeringDay is how long an authorization holds (behaviour 2.19).
const peeringDay = 24 * time.Hour

// CreateVpcPeeringAuthorization lets the fleets of an account be connected with
// a network of the caller's. Giving it again renews it.
func (s *Service) CreateVpcPeeringAuthorization(ctx context.Context, in *api.CreateVpcPeeringAuthorizationInput) (*api.CreateVpcPeeringAuthorizationOutput, error) {
	c := s.caller(ctx)
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateVpcPeeringAuthorizationOutput, error) {
		a := &lift.PeeringAuthorization{
			Region: c.Region, FleetOwner: in.GameLiftAwsAccountId, PeerAccount: c.Account, PeerNetwork: in.PeerVpcId,
			CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(peeringDay),
		}
		// Read, so that it may be overwritten.
		if _, _, err := store.PeeringAuthorizations.Get(tx, store.PeeringAuthorizationKey(a.Region, a.PeerAccount, a.PeerNetwork, a.FleetOwner)); err != nil {
			return nil, err
		}
		return &api.CreateVpcPeeringAuthorizationOutput{VpcPeeringAuthorization: authorizationShape(a)}, store.PeeringAuthorizations.Put(tx, a)
	})
}

// DescribeVpcPeeringAuthorizations lists what the caller gave and got.
func (s *Service) DescribeVpcPeeringAuthorizations(ctx context.Context, _ *api.DescribeVpcPeeringAuthorizationsInput) (*api.DescribeVpcPeeringAuthorizationsOutput, error) {
	c := s.caller(ctx)
	now := s.engine.Now()
	return read(ctx, s, func(tx store.Tx) (*api.DescribeVpcPeeringAuthorizationsOutput, error) {
		all, err := store.PeeringAuthorizations.All(tx, "", c.Region+"/")
		if err != nil {
			return nil, err
		}
		var mine []*lift.PeeringAuthorization
		for _, a := range all {
			if now.Before(a.ExpiresAt) && (a.PeerAccount == c.Account || a.FleetOwner == c.Account) {
				mine = append(mine, a)
			}
		}
		return &api.DescribeVpcPeeringAuthorizationsOutput{VpcPeeringAuthorizations: shapes(mine, authorizationShape)}, nil
	})
}

func (s *Service) DeleteVpcPeeringAuthorization(ctx context.Context, in *api.DeleteVpcPeeringAuthorizationInput) (*api.DeleteVpcPeeringAuthorizationOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteVpcPeeringAuthorizationOutput, error) {
		key := store.PeeringAuthorizationKey(c.Region, c.Account, in.PeerVpcId, in.GameLiftAwsAccountId)
		a, ok, err := store.PeeringAuthorizations.Get(tx, key)
		if err == nil && (!ok || !tx.Now.Before(a.ExpiresAt)) {
			err = lift.Errorf(lift.NotFound, "account %s has not authorized account %s to connect with %s, or the authorization has expired", c.Account, in.GameLiftAwsAccountId, in.PeerVpcId)
		}
		if err != nil {
			return nil, err
		}
		return &api.DeleteVpcPeeringAuthorizationOutput{}, store.PeeringAuthorizations.Delete(tx, key)
	})
}

// CreateVpcPeeringConnection notes the wish; a turn of the engine connects, or
// fails with an event of the fleet.
func (s *Service) CreateVpcPeeringConnection(ctx context.Context, in *api.CreateVpcPeeringConnectionInput) (*api.CreateVpcPeeringConnectionOutput, error) {
	c := s.caller(ctx)
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateVpcPeeringConnectionOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if f.Status == lift.FleetDeleting {
			return nil, invalid("fleet %s is being deleted", f.ID)
		}
		ps, err := store.Peerings.All(tx, "fleet", peeringsOf(f))
		if err != nil {
			return nil, err
		}
		for _, p := range ps {
			if p.Status != lift.PeeringFailed && p.PeerAccount == in.PeerVpcAwsAccountId && p.PeerNetwork == in.PeerVpcId {
				return nil, invalid("fleet %s has the peering connection %s with %s already", f.ID, p.ID, p.PeerNetwork)
			}
		}
		return &api.CreateVpcPeeringConnectionOutput{}, store.Peerings.Put(tx, newPeering(tx, f, in.PeerVpcAwsAccountId, in.PeerVpcId))
	})
}

// newPeering is the wish to connect a fleet with a network of an account.
func newPeering(tx *engine.Tx, f *lift.Fleet, account, network string) *lift.Peering {
	return &lift.Peering{
		ID: lift.PeeringID("pcx-" + strings.TrimPrefix(string(tx.NewInstanceID()), "i-")), FleetID: f.ID, Region: f.Region, Account: f.Account,
		PeerAccount: account, PeerNetwork: network, Status: lift.PeeringInitiating, CreatedAt: tx.Now,
	}
}

// DescribeVpcPeeringConnections lists those of one fleet or of all, with those
// that failed, whose status says why.
func (s *Service) DescribeVpcPeeringConnections(ctx context.Context, in *api.DescribeVpcPeeringConnectionsInput) (*api.DescribeVpcPeeringConnectionsOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeVpcPeeringConnectionsOutput, error) {
		prefix := c.Region + "/"
		if in.FleetId != nil {
			f, err := c.fleet(tx, *in.FleetId)
			if err != nil {
				return nil, err
			}
			prefix = peeringsOf(f)
		}
		ps, err := store.Peerings.All(tx, "fleet", prefix)
		return &api.DescribeVpcPeeringConnectionsOutput{VpcPeeringConnections: shapes(ps, peeringShape)}, err
	})
}

// DeleteVpcPeeringConnection needs an authorization that holds, as the
// connection did (behaviour 2.19). One that failed needs none.
func (s *Service) DeleteVpcPeeringConnection(ctx context.Context, in *api.DeleteVpcPeeringConnectionInput) (*api.DeleteVpcPeeringConnectionOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteVpcPeeringConnectionOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		p, ok, err := store.Peerings.Get(tx, in.VpcPeeringConnectionId)
		if err == nil && (!ok || p.FleetID != f.ID) {
			err = lift.Errorf(lift.NotFound, "fleet %s has no peering connection %s", f.ID, in.VpcPeeringConnectionId)
		}
		if err != nil {
			return nil, err
		}
		if p.Status != lift.PeeringFailed {
			if err := authorized(tx, p); err != nil {
				return nil, err
			}
			if err := tx.Log(f, lift.Notice{Code: lift.PeeringDeleted, Message: fmt.Sprintf("peering connection %s with %s was deleted", p.ID, p.PeerNetwork)}); err != nil {
				return nil, err
			}
		}
		return &api.DeleteVpcPeeringConnectionOutput{}, store.Peerings.Delete(tx, string(p.ID))
	})
}

// unpeered refuses to delete a fleet that is connected with a network whose
// owner does not allow it any more (behaviour 2.14).
func unpeered(tx *engine.Tx, f *lift.Fleet) error {
	ps, err := store.Peerings.All(tx, "fleet", peeringsOf(f))
	if err != nil {
		return err
	}
	for _, p := range ps {
		if p.Status == lift.PeeringFailed {
			continue
		}
		if err := authorized(tx, p); err != nil {
			return err
		}
	}
	return nil
}

func authorized(tx *engine.Tx, p *lift.Peering) error {
	ok, err := engine.Authorized(tx, p)
	if err == nil && !ok {
		err = invalid("fleet %s has the peering connection %s, whose authorization has expired; account %s must call CreateVpcPeeringAuthorization first", p.FleetID, p.ID, p.PeerAccount)
	}
	return err
}

// peeringsOf is the prefix of the fleet's connections in the index.
func peeringsOf(f *lift.Fleet) string { return f.Region + "/" + string(f.ID) + "/" }

func authorizationShape(a *lift.PeeringAuthorization) *api.VpcPeeringAuthorization {
	return &api.VpcPeeringAuthorization{
		GameLiftAwsAccountId: opt(a.FleetOwner), PeerVpcAwsAccountId: opt(a.PeerAccount), PeerVpcId: opt(a.PeerNetwork),
		CreationTime: a.CreatedAt, ExpirationTime: a.ExpiresAt,
	}
}

func peeringShape(p *lift.Peering) *api.VpcPeeringConnection {
	return &api.VpcPeeringConnection{
		FleetId: opt(p.FleetID), FleetArn: opt(lift.FleetARN(p.Region, p.FleetID)), VpcPeeringConnectionId: opt(p.ID), PeerVpcId: opt(p.PeerNetwork),
		Status: &api.VpcPeeringConnectionStatus{Code: opt(p.Status), Message: opt(p.Message)},
	}
}
