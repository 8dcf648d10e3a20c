package ops

import (
	"context"
	"net/netip"
	"slices"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

const maxPorts = 50 // entries of one fleet (behaviour 2.8)

// DescribeFleetPortSettings answers for a fleet that is gone with an empty list.
func (s *Service) DescribeFleetPortSettings(ctx context.Context, in *api.DescribeFleetPortSettingsInput) (*api.DescribeFleetPortSettingsOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeFleetPortSettingsOutput, error) {
		f, err := c.lateFleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if err := home(f, in.Location); err != nil {
			return nil, err
		}
		if f.Status == lift.FleetTerminated {
			f.InboundPorts = nil
		}
		out := &api.DescribeFleetPortSettingsOutput{
			FleetId: opt(f.ID), FleetArn: opt(f.ARN()), Location: opt(f.Region),
			InboundPermissions: make([]api.IpPermission, len(f.InboundPorts)),
		}
		for i, p := range f.InboundPorts {
			out.InboundPermissions[i] = api.IpPermission{FromPort: p.FromPort, ToPort: p.ToPort, IpRange: p.IPRange, Protocol: p.Protocol}
		}
		return out, nil
	})
}

// UpdateFleetPortSettings changes the permissions and tells every instance, whose
// next processes get their ports from them (behaviour 2.8).
func (s *Service) UpdateFleetPortSettings(ctx context.Context, in *api.UpdateFleetPortSettingsInput) (*api.UpdateFleetPortSettingsOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateFleetPortSettingsOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if err := changeable(f); err != nil {
			return nil, err
		}
		before := f.InboundPorts
		kept, err := revoke(f.InboundPorts, in.InboundPermissionRevocations)
		if err != nil {
			return nil, err
		}
		if f.InboundPorts, err = ports(kept, in.InboundPermissionAuthorizations); err != nil {
			return nil, err
		}
		if n := len(f.InboundPorts); n > maxPorts {
			return nil, lift.Errorf(lift.LimitExceeded, "a fleet has at most %d port permissions, this would make %d", maxPorts, n)
		}
		if !slices.Equal(before, f.InboundPorts) {
			if err := reconfigure(tx, f); err != nil {
				return nil, err
			}
		}
		return &api.UpdateFleetPortSettingsOutput{FleetId: opt(f.ID), FleetArn: opt(f.ARN())}, nil
	})
}

// ports adds permissions; one that is there already changes nothing.
func ports(have []lift.PortPermission, add []api.IpPermission) ([]lift.PortPermission, error) {
	have = slices.Clone(have)
	for _, in := range add {
		p := port(in)
		if p.FromPort > p.ToPort {
			return nil, invalid("a port permission goes from FromPort up to ToPort, got %d to %d", p.FromPort, p.ToPort)
		}
		if _, err := netip.ParsePrefix(p.IPRange); err != nil {
			return nil, invalid("IpRange %q is no range of addresses; write it as 0.0.0.0/0 or 10.24.34.0/23", p.IPRange)
		}
		if !slices.Contains(have, p) {
			have = append(have, p)
		}
	}
	return have, nil
}

func revoke(have []lift.PortPermission, gone []api.IpPermission) ([]lift.PortPermission, error) {
	have = slices.Clone(have)
	for _, in := range gone {
		i := slices.Index(have, port(in))
		if i < 0 {
			return nil, invalid("there is no permission %s %d to %d from %s to revoke; DescribeFleetPortSettings lists those there are", in.Protocol, in.FromPort, in.ToPort, in.IpRange)
		}
		have = slices.Delete(have, i, i+1)
	}
	return have, nil
}

func port(in api.IpPermission) lift.PortPermission {
	return lift.PortPermission{FromPort: in.FromPort, ToPort: in.ToPort, IPRange: in.IpRange, Protocol: in.Protocol}
}
