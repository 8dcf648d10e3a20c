package ops

import (
	"context"
	"math"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// noLimit stands for the number of instances where nothing limits it: clients
// subtract what is used, and need a number.
const noLimit = math.MaxInt32

// DescribeEC2InstanceLimits counts the instances of each type in the region, or
// of one. The limit is what one fleet may want.
func (s *Service) DescribeEC2InstanceLimits(ctx context.Context, in *api.DescribeEC2InstanceLimitsInput) (*api.DescribeEC2InstanceLimitsOutput, error) {
	c := s.caller(ctx)
	if l := or(in.Location, c.Region); l != c.Region {
		return nil, invalid("this service has no hosts in %s for fleets of region %s; leave Location out", l, c.Region)
	}
	types := api.EnumValues("EC2InstanceType")
	if in.EC2InstanceType != nil {
		types = []string{*in.EC2InstanceType}
	}
	limit := noLimit
	if s.rules.Instances > 0 {
		limit = s.rules.Instances
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeEC2InstanceLimitsOutput, error) {
		fs, err := store.Fleets.All(tx, "region", c.Region+"/")
		if err != nil {
			return nil, err
		}
		counts := map[string]int{}
		for _, f := range fs {
			is, err := store.Instances.All(tx, "fleet", string(f.ID)+"/")
			if err != nil {
				return nil, err
			}
			counts[f.InstanceType] += len(is)
		}
		out := &api.DescribeEC2InstanceLimitsOutput{EC2InstanceLimits: make([]api.EC2InstanceLimit, len(types))}
		for i, t := range types {
			out.EC2InstanceLimits[i] = api.EC2InstanceLimit{EC2InstanceType: &t, CurrentInstances: new(counts[t]), InstanceLimit: &limit, Location: &c.Region}
		}
		return out, nil
	})
}

// GetInstanceAccess finds the instance and refuses: shells in instances are off,
// and there is no way to turn them on yet (behaviour 2.20).
func (s *Service) GetInstanceAccess(ctx context.Context, in *api.GetInstanceAccessInput) (*api.GetInstanceAccessOutput, error) {
	return nil, s.noAccess(ctx, in.FleetId, in.InstanceId)
}

// GetComputeAccess is GetInstanceAccess by the newer name of an instance.
func (s *Service) GetComputeAccess(ctx context.Context, in *api.GetComputeAccessInput) (*api.GetComputeAccessOutput, error) {
	return nil, s.noAccess(ctx, in.FleetId, in.ComputeName)
}

func (s *Service) noAccess(ctx context.Context, fleet, instance string) error {
	c := s.caller(ctx)
	return s.engine.View(ctx, func(tx store.Tx) error {
		f, err := c.fleet(tx, fleet)
		if err != nil {
			return err
		}
		i, ok, err := store.Instances.Get(tx, instance)
		if err != nil {
			return err
		}
		if !ok || i.FleetID != f.ID || i.Status == lift.InstanceTerminated {
			return lift.Errorf(lift.NotFound, "fleet %s has no instance %s", f.ID, instance)
		}
		return invalid("remote access to instances is not built yet; chairlift logs %s shows what its game servers wrote, and chairlift why fleet %s what happened to it", i.ID, f.ID)
	})
}
