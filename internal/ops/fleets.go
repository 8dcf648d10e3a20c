package ops

import (
	"context"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// What can be asked of several fleets, and of the instances and events of one.

const maxFleetIDs = 25 // in one request (behaviour 2.21)

// LogLinkLifetime is how long a link to a log works (behaviour 2.3).
const LogLinkLifetime = 15 * time.Minute

// fleetPage reads the paging members of a request that may name fleets; then
// they do not count.
func (s *Service) fleetPage(c caller, op string, ids []string, limit *int, token *string) (page, error) {
	if len(ids) > maxFleetIDs {
		return page{}, invalid("FleetIds may name at most %d fleets, got %d", maxFleetIDs, len(ids))
	}
	if ids != nil {
		return page{}, nil
	}
	return s.page(c, limit, token, op)
}

// fleets returns those named, without those that do not exist, or a page of all.
func (c caller) fleets(tx store.Tx, p page, ids []string) ([]*lift.Fleet, *string, error) {
	if ids == nil {
		return list(tx, p, store.Fleets, "region", c.Region+"/", nil)
	}
	var fs []*lift.Fleet
	for _, id := range ids {
		f, err := c.fleet(tx, id)
		if isKind(err, lift.NotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		fs = append(fs, f)
	}
	return fs, nil, nil
}

func (s *Service) DescribeFleetAttributes(ctx context.Context, in *api.DescribeFleetAttributesInput) (*api.DescribeFleetAttributesOutput, error) {
	c := s.caller(ctx)
	p, err := s.fleetPage(c, "DescribeFleetAttributes", in.FleetIds, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeFleetAttributesOutput, error) {
		fs, next, err := c.fleets(tx, p, in.FleetIds)
		return &api.DescribeFleetAttributesOutput{FleetAttributes: shapes(fs, s.fleetShape), NextToken: next}, err
	})
}

func (s *Service) DescribeFleetUtilization(ctx context.Context, in *api.DescribeFleetUtilizationInput) (*api.DescribeFleetUtilizationOutput, error) {
	c := s.caller(ctx)
	p, err := s.fleetPage(c, "DescribeFleetUtilization", in.FleetIds, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeFleetUtilizationOutput, error) {
		fs, next, err := c.fleets(tx, p, in.FleetIds)
		if err != nil {
			return nil, err
		}
		out := &api.DescribeFleetUtilizationOutput{FleetUtilization: make([]api.FleetUtilization, len(fs)), NextToken: next}
		for i, f := range fs {
			u, err := utilization(tx, f)
			if err != nil {
				return nil, err
			}
			out.FleetUtilization[i] = *u
		}
		return out, nil
	})
}

// utilization counts what a fleet is doing (behaviour 2.15).
func utilization(tx store.Tx, f *lift.Fleet) (*api.FleetUtilization, error) {
	ps, err := store.Processes.All(tx, "fleet", string(f.ID)+"/")
	if err != nil {
		return nil, err
	}
	ready := 0
	for _, p := range ps {
		if p.State == lift.ProcessIdle || p.State == lift.ProcessHosting {
			ready++
		}
	}
	active, err := store.Sessions.All(tx, "live", string(f.ID)+"/"+string(lift.SessionActive))
	if err != nil {
		return nil, err
	}
	players, most := 0, 0
	for _, s := range active {
		players += s.PlayerCount
		most += s.MaxPlayers
	}
	return &api.FleetUtilization{
		FleetId: opt(f.ID), FleetArn: opt(f.ARN()), Location: opt(f.Region), ActiveServerProcessCount: &ready,
		ActiveGameSessionCount: new(len(active)), CurrentPlayerSessionCount: &players, MaximumPlayerSessionCount: &most,
	}, nil
}

// DescribeFleetEvents lists the events of a fleet from the first to the last,
// also of one that is gone but remembered (behaviour 2.4).
func (s *Service) DescribeFleetEvents(ctx context.Context, in *api.DescribeFleetEventsInput) (*api.DescribeFleetEventsOutput, error) {
	c := s.caller(ctx)
	id := lift.FleetID(c.name(in.FleetId, "fleet"))
	p, err := s.page(c, in.Limit, in.NextToken, "DescribeFleetEvents", string(id), in.StartTime.UTC().String(), in.EndTime.UTC().String())
	if err != nil {
		return nil, err
	}
	if in.NextToken == nil && !in.StartTime.IsZero() {
		p.after = store.FleetEventsFrom(id, in.StartTime)
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeFleetEventsOutput, error) {
		if _, err := c.lateFleet(tx, in.FleetId); err != nil {
			return nil, err
		}
		evs, next, err := list(tx, p, store.Events, "fleet", string(id)+"/", func(ev *lift.FleetEvent) bool {
			return in.EndTime.IsZero() || !ev.At.After(in.EndTime)
		})
		return &api.DescribeFleetEventsOutput{
			Events:    shapes(evs, func(ev *lift.FleetEvent) *api.Event { return s.eventShape(c, ev) }),
			NextToken: next,
		}, err
	})
}

func (s *Service) eventShape(c caller, ev *lift.FleetEvent) *api.Event {
	out := &api.Event{
		EventId: opt(ev.ID), ResourceId: opt(ev.FleetID), EventCode: opt(ev.Code), Message: opt(ev.Message),
		EventTime: ev.At, Count: new(int64(ev.Count)),
	}
	if ev.Log != "" && s.o.LogURL != nil {
		out.PreSignedLogUrl = opt(s.o.LogURL(c.Caller, ev.Log))
	}
	return out
}

func (s *Service) DescribeInstances(ctx context.Context, in *api.DescribeInstancesInput) (*api.DescribeInstancesOutput, error) {
	c := s.caller(ctx)
	only := or(in.InstanceId, "")
	p, err := s.page(c, in.Limit, in.NextToken, "DescribeInstances", c.name(in.FleetId, "fleet"), only, or(in.Location, ""))
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeInstancesOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if err := home(f, in.Location); err != nil {
			return nil, err
		}
		shape := func(i *lift.Instance) *api.Instance { return instanceShape(f, i) }
		if only != "" {
			i, ok, err := store.Instances.Get(tx, only)
			if err == nil && (!ok || i.FleetID != f.ID || i.Status == lift.InstanceTerminated) {
				err = lift.Errorf(lift.NotFound, "fleet %s has no instance %s", f.ID, strings.ToValidUTF8(only, "?"))
			}
			if err != nil {
				return nil, err
			}
			return &api.DescribeInstancesOutput{Instances: shapes([]*lift.Instance{i}, shape)}, nil
		}
		is, next, err := list(tx, p, store.Instances, "fleet", string(f.ID)+"/", nil)
		return &api.DescribeInstancesOutput{Instances: shapes(is, shape), NextToken: next}, err
	})
}

func instanceShape(f *lift.Fleet, i *lift.Instance) *api.Instance {
	return &api.Instance{
		FleetId: opt(f.ID), FleetArn: opt(f.ARN()), InstanceId: opt(i.ID), IpAddress: opt(i.Address), DnsName: opt(i.DNSName),
		OperatingSystem: opt(f.OperatingSystem), Type: opt(i.Type), Status: opt(i.Status), CreationTime: i.CreatedAt, Location: opt(i.Location),
	}
}
