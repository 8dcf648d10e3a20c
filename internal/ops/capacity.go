package ops

import (
	"context"
	"fmt"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// UpdateFleetCapacity changes how many instances a fleet should have
// (behaviour 2.15).
func (s *Service) UpdateFleetCapacity(ctx context.Context, in *api.UpdateFleetCapacityInput) (*api.UpdateFleetCapacityOutput, error) {
	c := s.caller(ctx)
	switch m := in.ManagedCapacityConfiguration; {
	case m != nil && or(m.ZeroCapacityStrategy, manual) != manual:
		return nil, invalid("ZeroCapacityStrategy %s is not built yet; %s is what there is", *m.ZeroCapacityStrategy, manual)
	case m != nil && m.ScaleInAfterInactivityMinutes != nil:
		return nil, invalid("ScaleInAfterInactivityMinutes belongs to the ZeroCapacityStrategy SCALE_TO_AND_FROM_ZERO, which is not built yet; leave it out")
	}
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateFleetCapacityOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if err := home(f, in.Location); err != nil {
			return nil, err
		}
		if f.Status != lift.FleetActive {
			return nil, lift.Errorf(lift.InvalidFleetStatus, "fleet %s is %s; its capacity can be changed when it is ACTIVE", f.ID, f.Status)
		}
		was := f.Capacity
		if f.Capacity, err = s.resize(was, in); err != nil {
			return nil, err
		}
		if f.Capacity != was {
			f.LookAt = tx.Now
			message := fmt.Sprintf("capacity changed by request: desired %d, minimum %d, maximum %d (was %d, %d, %d)",
				f.Capacity.Desired, f.Capacity.Min, f.Capacity.Max, was.Desired, was.Min, was.Max)
			if err := tx.Log(f, lift.Notice{Code: lift.FleetScaling, Message: message}); err != nil {
				return nil, err
			}
		}
		return &api.UpdateFleetCapacityOutput{
			FleetId: opt(f.ID), FleetArn: opt(f.ARN()), Location: opt(f.Region), ManagedCapacityConfiguration: managedCapacity(),
		}, store.Fleets.Put(tx, f)
	})
}

// resize is the capacity that a request asks for. What it leaves out stays.
func (s *Service) resize(now lift.Capacity, in *api.UpdateFleetCapacityInput) (lift.Capacity, error) {
	next := lift.Capacity{Desired: or(in.DesiredInstances, now.Desired), Min: or(in.MinSize, now.Min), Max: or(in.MaxSize, now.Max)}
	switch {
	case next.Min < 0 || next.Max < 0 || next.Desired < 0:
		return now, invalid("capacities cannot be negative")
	case next.Min > next.Max:
		return now, invalid("MinSize %d is above MaxSize %d", next.Min, next.Max)
	case (next.Desired < next.Min || next.Desired > next.Max) && in.DesiredInstances == nil:
		return now, invalid("the fleet's desired capacity of %d lies outside of %d to %d; change DesiredInstances with them", next.Desired, next.Min, next.Max)
	case next.Desired < next.Min || next.Desired > next.Max:
		return now, invalid("DesiredInstances %d lies outside of %d to %d; change MinSize or MaxSize with it", next.Desired, next.Min, next.Max)
	case s.rules.Instances > 0 && next.Desired > s.rules.Instances:
		return now, lift.Errorf(lift.LimitExceeded, "DesiredInstances %d is above the limit of %d instances", next.Desired, s.rules.Instances)
	}
	return next, nil
}

func (s *Service) DescribeFleetCapacity(ctx context.Context, in *api.DescribeFleetCapacityInput) (*api.DescribeFleetCapacityOutput, error) {
	c := s.caller(ctx)
	p, err := s.fleetPage(c, "DescribeFleetCapacity", in.FleetIds, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeFleetCapacityOutput, error) {
		fs, next, err := c.fleets(tx, p, in.FleetIds)
		if err != nil {
			return nil, err
		}
		out := &api.DescribeFleetCapacityOutput{FleetCapacity: make([]api.FleetCapacity, len(fs)), NextToken: next}
		for i, f := range fs {
			capacity, err := capacityShape(tx, f)
			if err != nil {
				return nil, err
			}
			out.FleetCapacity[i] = *capacity
		}
		return out, nil
	})
}

func capacityShape(tx store.Tx, f *lift.Fleet) (*api.FleetCapacity, error) {
	counts, err := countInstances(tx, f)
	return &api.FleetCapacity{
		FleetId: opt(f.ID), FleetArn: opt(f.ARN()), InstanceType: opt(f.InstanceType), Location: opt(f.Region), InstanceCounts: counts,
		ManagedCapacityConfiguration: managedCapacity(),
	}, err
}

// manual is the ZeroCapacityStrategy of every fleet: nobody but a caller takes
// its last instance away.
const manual = "MANUAL"

func managedCapacity() *api.ManagedCapacityConfiguration {
	return &api.ManagedCapacityConfiguration{ZeroCapacityStrategy: new(manual)}
}

func countInstances(tx store.Tx, f *lift.Fleet) (*api.EC2InstanceCounts, error) {
	is, err := store.Instances.All(tx, "fleet", string(f.ID)+"/")
	if err != nil {
		return nil, err
	}
	live, err := store.Sessions.All(tx, "live", string(f.ID)+"/")
	if err != nil {
		return nil, err
	}
	busy := map[lift.InstanceID]bool{}
	for _, s := range live {
		busy[s.InstanceID] = true
	}
	var pending, active, idle, terminating int
	for _, i := range is {
		switch i.Status {
		case lift.InstancePending:
			pending++
		case lift.InstanceTerminating:
			terminating++
		case lift.InstanceActive:
			active++
			if !busy[i.ID] {
				idle++
			}
		}
	}
	return &api.EC2InstanceCounts{
		DESIRED: new(f.Capacity.Desired), MINIMUM: new(f.Capacity.Min), MAXIMUM: new(f.Capacity.Max),
		PENDING: &pending, ACTIVE: &active, IDLE: &idle, TERMINATING: &terminating,
	}, nil
}
