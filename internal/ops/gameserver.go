package ops

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// claimTime is how long a claimed game server is kept for the one who claimed
// it (behaviour 11).
const claimTime = time.Minute

// RegisterGameServer makes a game server known, and AVAILABLE. Its id is unique
// over all groups of the region.
func (s *Service) RegisterGameServer(ctx context.Context, in *api.RegisterGameServerInput) (*api.RegisterGameServerOutput, error) {
	c := s.caller(ctx)
	return once(ctx, s, func(tx *engine.Tx) (*api.RegisterGameServerOutput, error) {
		g, err := c.group(tx, in.GameServerGroupName)
		if err != nil {
			return nil, undeclared(err, lift.NotFound)
		}
		if g.Status != lift.GroupActive {
			return nil, invalid("game server group %s is %s and takes no game servers", g.Name, g.Status)
		}
		if _, exists, err := store.GameServers.Get(tx, store.InRegion(c.Region, in.GameServerId)); err != nil || exists {
			return nil, cmp.Or(err, error(lift.Errorf(lift.Conflict, "there is a game server %s already; deregister it first", in.GameServerId)))
		}
		gs := &lift.GameServer{
			ID: in.GameServerId, Group: g.Name, Region: g.Region, Account: g.Account, InstanceID: lift.InstanceID(in.InstanceId),
			ConnectionInfo: or(in.ConnectionInfo, ""), Data: or(in.GameServerData, ""),
			RegisteredAt: tx.Now, HealthyAt: tx.Now, LookAt: tx.Now.Add(engine.SilentGameServer),
		}
		return &api.RegisterGameServerOutput{GameServer: gameServerShape(tx.Now, gs)}, store.GameServers.Put(tx, gs)
	})
}

// UpdateGameServer is how a game server says that it is healthy, that it is in
// use, and what it is doing. Once in use it is never available again.
func (s *Service) UpdateGameServer(ctx context.Context, in *api.UpdateGameServerInput) (*api.UpdateGameServerOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateGameServerOutput, error) {
		gs, err := c.gameServer(tx, in.GameServerGroupName, in.GameServerId)
		if err != nil {
			return nil, err
		}
		switch or(in.UtilizationStatus, "") {
		case "UTILIZED":
			gs.Utilized, gs.ClaimedUntil = true, time.Time{}
		case "AVAILABLE":
			if gs.Utilized {
				return nil, invalid("game server %s is UTILIZED and never AVAILABLE again; deregister it and register it under another id", gs.ID)
			}
		}
		gs.Data = or(in.GameServerData, gs.Data)
		if in.HealthCheck != nil {
			gs.HealthyAt, gs.LookAt = tx.Now, tx.Now.Add(engine.SilentGameServer)
		}
		return &api.UpdateGameServerOutput{GameServer: gameServerShape(tx.Now, gs)}, store.GameServers.Put(tx, gs)
	})
}

// ClaimGameServer keeps a game server for the caller for a minute: the one
// named, or the one that waits longest.
func (s *Service) ClaimGameServer(ctx context.Context, in *api.ClaimGameServerInput) (*api.ClaimGameServerOutput, error) {
	c := s.caller(ctx)
	return once(ctx, s, func(tx *engine.Tx) (*api.ClaimGameServerOutput, error) {
		g, err := c.group(tx, in.GameServerGroupName)
		if err != nil {
			return nil, err
		}
		// Every instance counts as ACTIVE: Chairlift drains none.
		wanted := in.FilterOption == nil || in.FilterOption.InstanceStatuses == nil || slices.Contains(in.FilterOption.InstanceStatuses, "ACTIVE")
		var gs *lift.GameServer
		if in.GameServerId != nil {
			gs, err = c.claimable(tx, g, *in.GameServerId, wanted)
		} else {
			gs, err = freeGameServer(tx, g, wanted)
		}
		if err != nil {
			return nil, err
		}
		gs.ClaimedAt, gs.ClaimedUntil = tx.Now, tx.Now.Add(claimTime)
		gs.Data = or(in.GameServerData, gs.Data)
		return &api.ClaimGameServerOutput{GameServer: gameServerShape(tx.Now, gs)}, store.GameServers.Put(tx, gs)
	})
}

// claimable finds the named game server if it can be claimed now.
func (c caller) claimable(tx *engine.Tx, g *lift.GameServerGroup, id string, wanted bool) (*lift.GameServer, error) {
	gs, err := c.gameServer(tx, g.Name, id)
	switch {
	case err != nil:
		return nil, err
	case gs.Utilized:
		return nil, lift.Errorf(lift.Conflict, "game server %s is UTILIZED", gs.ID)
	case gs.Claimed(tx.Now):
		return nil, lift.Errorf(lift.Conflict, "game server %s was claimed %s ago; a claim holds for %s", gs.ID, tx.Now.Sub(gs.ClaimedAt).Round(time.Second), claimTime)
	case !wanted:
		return nil, lift.Errorf(lift.Conflict, "game server %s is on an ACTIVE instance, which the FilterOption leaves out", gs.ID)
	}
	return gs, nil
}

// freeGameServer finds the game server that has been free for longest.
func freeGameServer(tx *engine.Tx, g *lift.GameServerGroup, wanted bool) (*lift.GameServer, error) {
	if wanted {
		ss, _, err := store.GameServers.Scan(tx, "free", store.InRegion(g.Region, g.Name)+"/", store.Cursor{}, 1)
		if err != nil || len(ss) > 0 {
			return append(ss, nil)[0], err
		}
	}
	return nil, lift.Errorf(lift.OutOfCapacity, "no game server of group %s is available and unclaimed; start and register another one", g.Name)
}

func (s *Service) DeregisterGameServer(ctx context.Context, in *api.DeregisterGameServerInput) (*api.DeregisterGameServerOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeregisterGameServerOutput, error) {
		gs, err := c.gameServer(tx, in.GameServerGroupName, in.GameServerId)
		if err != nil {
			return nil, err
		}
		return &api.DeregisterGameServerOutput{}, store.GameServers.Delete(tx, store.InRegion(gs.Region, gs.ID))
	})
}

func (s *Service) DescribeGameServer(ctx context.Context, in *api.DescribeGameServerInput) (*api.DescribeGameServerOutput, error) {
	c := s.caller(ctx)
	now := s.engine.Now()
	return read(ctx, s, func(tx store.Tx) (*api.DescribeGameServerOutput, error) {
		gs, err := c.gameServer(tx, in.GameServerGroupName, in.GameServerId)
		if err != nil {
			return nil, err
		}
		return &api.DescribeGameServerOutput{GameServer: gameServerShape(now, gs)}, nil
	})
}

// ListGameServers lists the game servers of a group by the time of their
// registration.
func (s *Service) ListGameServers(ctx context.Context, in *api.ListGameServersInput) (*api.ListGameServersOutput, error) {
	c := s.caller(ctx)
	order := or(in.SortOrder, "ASCENDING")
	p, err := s.page(c, in.Limit, in.NextToken, "ListGameServers", c.name(in.GameServerGroupName, "gameservergroup"), order)
	if err != nil {
		return nil, err
	}
	now := s.engine.Now()
	return read(ctx, s, func(tx store.Tx) (*api.ListGameServersOutput, error) {
		g, err := c.group(tx, in.GameServerGroupName)
		if err != nil {
			return nil, undeclared(err, lift.NotFound)
		}
		prefix := store.InRegion(g.Region, g.Name) + "/"
		var ss []*lift.GameServer
		var next *string
		if order == "DESCENDING" {
			if ss, err = store.GameServers.All(tx, "group", prefix); err == nil {
				ss, next = p.backwards(ss)
			}
		} else {
			ss, next, err = list(tx, p, store.GameServers, "group", prefix, nil)
		}
		return &api.ListGameServersOutput{
			GameServers: shapes(ss, func(gs *lift.GameServer) *api.GameServer { return gameServerShape(now, gs) }), NextToken: next,
		}, err
	})
}

// backwards returns the page of game servers from the end of the list. Stores
// read forwards only, so all of a group were read.
func (p page) backwards(ss []*lift.GameServer) ([]*lift.GameServer, *string) {
	slices.Reverse(ss)
	if p.after != (store.Cursor{}) {
		i := slices.IndexFunc(ss, func(gs *lift.GameServer) bool {
			at := store.GameServers.Cursor(gs, "group")
			return cmp.Or(cmp.Compare(at.Value, p.after.Value), cmp.Compare(at.ID, p.after.ID)) < 0
		})
		if i < 0 {
			return nil, nil
		}
		ss = ss[i:]
	}
	if len(ss) <= p.limit {
		return ss, nil
	}
	return ss[:p.limit], p.token(store.GameServers.Cursor(ss[p.limit-1], "group"))
}

// DescribeGameServerInstances lists the instances on which a group's game
// servers say that they run.
func (s *Service) DescribeGameServerInstances(ctx context.Context, in *api.DescribeGameServerInstancesInput) (*api.DescribeGameServerInstancesOutput, error) {
	c := s.caller(ctx)
	p, err := s.page(c, in.Limit, in.NextToken, append([]string{"DescribeGameServerInstances", c.name(in.GameServerGroupName, "gameservergroup")}, in.InstanceIds...)...)
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeGameServerInstancesOutput, error) {
		g, err := c.group(tx, in.GameServerGroupName)
		if err != nil {
			return nil, err
		}
		ss, err := store.GameServers.All(tx, "group", store.InRegion(g.Region, g.Name)+"/")
		if err != nil {
			return nil, err
		}
		var ids []string
		for _, gs := range ss {
			if id := string(gs.InstanceID); id > p.after.ID && (in.InstanceIds == nil || slices.Contains(in.InstanceIds, id)) {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		out := &api.DescribeGameServerInstancesOutput{GameServerInstances: []api.GameServerInstance{}}
		for _, id := range ids {
			if len(out.GameServerInstances) == p.limit {
				out.NextToken = p.token(store.Cursor{ID: *out.GameServerInstances[p.limit-1].InstanceId})
				break
			}
			out.GameServerInstances = append(out.GameServerInstances, api.GameServerInstance{
				GameServerGroupName: opt(g.Name), GameServerGroupArn: opt(g.ARN()), InstanceId: &id, InstanceStatus: new("ACTIVE"),
			})
		}
		return out, nil
	})
}

// gameServer finds a game server of a group.
func (c caller) gameServer(tx store.Tx, group, id string) (*lift.GameServer, error) {
	name := c.name(group, "gameservergroup")
	gs, ok, err := store.GameServers.Get(tx, store.InRegion(c.Region, id))
	if err == nil && (!ok || gs.Group != name) {
		err = lift.Errorf(lift.NotFound, "game server group %s has no game server %s", group, id)
	}
	return gs, err
}

// undeclared makes a failure of this kind an invalid request, for operations
// that do not declare it.
func undeclared(err error, k lift.Kind) error {
	if isKind(err, k) {
		return invalid("%v", err)
	}
	return err
}

func gameServerShape(now time.Time, gs *lift.GameServer) *api.GameServer {
	out := &api.GameServer{
		GameServerGroupName: opt(gs.Group), GameServerGroupArn: opt((&lift.GameServerGroup{Region: gs.Region, Account: gs.Account, Name: gs.Group}).ARN()),
		GameServerId: opt(gs.ID), InstanceId: opt(gs.InstanceID), ConnectionInfo: opt(gs.ConnectionInfo), GameServerData: opt(gs.Data),
		UtilizationStatus: new("AVAILABLE"), RegistrationTime: gs.RegisteredAt, LastClaimTime: gs.ClaimedAt, LastHealthCheckTime: gs.HealthyAt,
	}
	if gs.Utilized {
		out.UtilizationStatus = new("UTILIZED")
	}
	if gs.Claimed(now) {
		out.ClaimStatus = new("CLAIMED")
	}
	return out
}
