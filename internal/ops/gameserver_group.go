package ops

import (
	"cmp"
	"context"
	"slices"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// groupReason says what a group is here, since its members about instances
// might make one wait for some.
const groupReason = "Chairlift starts no instances for a game server group, so MinSize, MaxSize, LaunchTemplate, AutoScalingPolicy and VpcSubnets have no effect. Start game servers wherever you like; each registers itself with RegisterGameServer."

// CreateGameServerGroup makes a group that is ACTIVE at once: there is nothing
// to start. What the request says about instances is checked, and kept where
// the API shows it (behaviour 11).
func (s *Service) CreateGameServerGroup(ctx context.Context, in *api.CreateGameServerGroupInput) (*api.CreateGameServerGroupOutput, error) {
	c := s.caller(ctx)
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, undeclared(err, lift.TaggingFailed)
	}
	types, err := instanceDefinitions(in.InstanceDefinitions)
	if err != nil {
		return nil, err
	}
	switch t := in.LaunchTemplate; {
	case in.MinSize > in.MaxSize:
		return nil, invalid("MinSize %d is above MaxSize %d", in.MinSize, in.MaxSize)
	case given(t.LaunchTemplateId)+given(t.LaunchTemplateName) != 1:
		return nil, invalid("LaunchTemplate needs exactly one of LaunchTemplateId and LaunchTemplateName")
	case in.AutoScalingPolicy != nil && !(in.AutoScalingPolicy.TargetTrackingConfiguration.TargetValue > 0 && in.AutoScalingPolicy.TargetTrackingConfiguration.TargetValue <= 100):
		return nil, invalid("AutoScalingPolicy.TargetTrackingConfiguration.TargetValue is a percentage of the group's game servers, above 0 and up to 100, got %g", in.AutoScalingPolicy.TargetTrackingConfiguration.TargetValue)
	}
	for i, n := range in.VpcSubnets {
		if slices.Contains(in.VpcSubnets[:i], n) {
			return nil, invalid("VpcSubnets names %s twice", n)
		}
	}
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateGameServerGroupOutput, error) {
		g := &lift.GameServerGroup{
			Name: in.GameServerGroupName, Region: c.Region, Account: c.Account, RoleARN: in.RoleArn, Types: types,
			Balancing: or(in.BalancingStrategy, "SPOT_PREFERRED"), Protection: or(in.GameServerProtectionPolicy, "NO_PROTECTION"),
			Status: lift.GroupActive, CreatedAt: tx.Now, UpdatedAt: tx.Now, Tags: tags,
		}
		if _, exists, err := store.GameServerGroups.Get(tx, store.InRegion(g.Region, g.Name)); err != nil || exists {
			return nil, cmp.Or(err, error(lift.Errorf(lift.Conflict, "there is a game server group %s already", g.Name)))
		}
		return &api.CreateGameServerGroupOutput{GameServerGroup: groupShape(g)}, store.GameServerGroups.Put(tx, g)
	})
}

func instanceDefinitions(in []api.InstanceDefinition) ([]lift.InstanceDefinition, error) {
	out := make([]lift.InstanceDefinition, len(in))
	seen, weighted := map[string]bool{}, 0
	for i, d := range in {
		if seen[d.InstanceType] {
			return nil, invalid("InstanceDefinitions name %s twice", d.InstanceType)
		}
		seen[d.InstanceType] = true
		weighted += given(d.WeightedCapacity)
		out[i] = lift.InstanceDefinition{Type: d.InstanceType, Weight: or(d.WeightedCapacity, "")}
	}
	if weighted != 0 && weighted != len(in) {
		return nil, invalid("give all InstanceDefinitions a WeightedCapacity, or none")
	}
	return out, nil
}

func (s *Service) DescribeGameServerGroup(ctx context.Context, in *api.DescribeGameServerGroupInput) (*api.DescribeGameServerGroupOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeGameServerGroupOutput, error) {
		g, err := c.group(tx, in.GameServerGroupName)
		if err != nil {
			return nil, err
		}
		return &api.DescribeGameServerGroupOutput{GameServerGroup: groupShape(g)}, nil
	})
}

func (s *Service) ListGameServerGroups(ctx context.Context, in *api.ListGameServerGroupsInput) (*api.ListGameServerGroupsOutput, error) {
	c := s.caller(ctx)
	p, err := s.page(c, in.Limit, in.NextToken, "ListGameServerGroups")
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListGameServerGroupsOutput, error) {
		gs, next, err := list(tx, p, store.GameServerGroups, "", c.Region+"/", nil)
		return &api.ListGameServerGroupsOutput{GameServerGroups: shapes(gs, groupShape), NextToken: next}, err
	})
}

func (s *Service) UpdateGameServerGroup(ctx context.Context, in *api.UpdateGameServerGroupInput) (*api.UpdateGameServerGroupOutput, error) {
	types, err := instanceDefinitions(in.InstanceDefinitions)
	if err != nil {
		return nil, err
	}
	g, err := s.editGroup(ctx, in.GameServerGroupName, func(g *lift.GameServerGroup) {
		g.RoleARN, g.Balancing, g.Protection = or(in.RoleArn, g.RoleARN), or(in.BalancingStrategy, g.Balancing), or(in.GameServerProtectionPolicy, g.Protection)
		if in.InstanceDefinitions != nil {
			g.Types = types
		}
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateGameServerGroupOutput{GameServerGroup: groupShape(g)}, nil
}

// replaceTypes is the one action of a group that can be suspended and resumed.
const replaceTypes = "REPLACE_INSTANCE_TYPES"

func (s *Service) SuspendGameServerGroup(ctx context.Context, in *api.SuspendGameServerGroupInput) (*api.SuspendGameServerGroupOutput, error) {
	g, err := s.editGroup(ctx, in.GameServerGroupName, func(g *lift.GameServerGroup) {
		g.Suspended = g.Suspended || slices.Contains(in.SuspendActions, replaceTypes)
	})
	if err != nil {
		return nil, err
	}
	return &api.SuspendGameServerGroupOutput{GameServerGroup: groupShape(g)}, nil
}

func (s *Service) ResumeGameServerGroup(ctx context.Context, in *api.ResumeGameServerGroupInput) (*api.ResumeGameServerGroupOutput, error) {
	g, err := s.editGroup(ctx, in.GameServerGroupName, func(g *lift.GameServerGroup) {
		g.Suspended = g.Suspended && !slices.Contains(in.ResumeActions, replaceTypes)
	})
	if err != nil {
		return nil, err
	}
	return &api.ResumeGameServerGroupOutput{GameServerGroup: groupShape(g)}, nil
}

// editGroup changes a group that is not on its way out.
func (s *Service) editGroup(ctx context.Context, name string, edit func(*lift.GameServerGroup)) (*lift.GameServerGroup, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*lift.GameServerGroup, error) {
		g, err := c.group(tx, name)
		if err != nil {
			return nil, err
		}
		if g.Status != lift.GroupActive {
			return nil, invalid("game server group %s is %s", g.Name, g.Status)
		}
		edit(g)
		g.UpdatedAt = tx.Now
		return g, store.GameServerGroups.Put(tx, g)
	})
}

// DeleteGameServerGroup ends a group and forgets its game servers, which go on
// running. Unless forced it waits until none is in use. RETAIN is the same:
// instances are retained in any case.
func (s *Service) DeleteGameServerGroup(ctx context.Context, in *api.DeleteGameServerGroupInput) (*api.DeleteGameServerGroupOutput, error) {
	forced := or(in.DeleteOption, "SAFE_DELETE") == "FORCE_DELETE"
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteGameServerGroupOutput, error) {
		g, err := c.group(tx, in.GameServerGroupName)
		if err != nil {
			return nil, err
		}
		if g.Status != lift.GroupActive && !(forced && g.Status == lift.GroupDeleteScheduled) {
			return nil, invalid("game server group %s is %s; it is being deleted already", g.Name, g.Status)
		}
		g.Status, g.UpdatedAt, g.LookAt = lift.GroupDeleteScheduled, tx.Now, tx.Now
		if forced {
			g.Status = lift.GroupDeleting
		}
		return &api.DeleteGameServerGroupOutput{GameServerGroup: groupShape(g)}, store.GameServerGroups.Put(tx, g)
	})
}

func (c caller) group(tx store.Tx, given string) (*lift.GameServerGroup, error) {
	return find(c, tx, store.GameServerGroups, store.InRegion(c.Region, c.name(given, "gameservergroup")), given, func(*lift.GameServerGroup) bool { return true })
}

func groupShape(g *lift.GameServerGroup) *api.GameServerGroup {
	out := &api.GameServerGroup{
		GameServerGroupName: opt(g.Name), GameServerGroupArn: opt(g.ARN()), RoleArn: opt(g.RoleARN), BalancingStrategy: opt(g.Balancing),
		GameServerProtectionPolicy: opt(g.Protection), Status: opt(g.Status), StatusReason: new(groupReason),
		CreationTime: g.CreatedAt, LastUpdatedTime: g.UpdatedAt, InstanceDefinitions: make([]api.InstanceDefinition, len(g.Types)),
	}
	for i, t := range g.Types {
		out.InstanceDefinitions[i] = api.InstanceDefinition{InstanceType: t.Type, WeightedCapacity: opt(t.Weight)}
	}
	if g.Suspended {
		out.SuspendedActions = []string{replaceTypes}
	}
	return out
}
