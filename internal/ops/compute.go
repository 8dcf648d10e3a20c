package ops

import (
	"context"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// The computes of a fleet whose instances Chairlift starts are its instances,
// by their ids. Fleets of computes that callers run themselves (behaviour 2.13)
// are not built yet.

func (s *Service) DescribeCompute(ctx context.Context, in *api.DescribeComputeInput) (*api.DescribeComputeOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeComputeOutput, error) {
		f, i, err := c.compute(tx, in.FleetId, in.ComputeName)
		if err != nil {
			return nil, err
		}
		return &api.DescribeComputeOutput{Compute: computeShape(f, i)}, nil
	})
}

func (s *Service) ListCompute(ctx context.Context, in *api.ListComputeInput) (*api.ListComputeOutput, error) {
	c := s.caller(ctx)
	if in.ContainerGroupDefinitionName != nil {
		return nil, invalid("container fleets are not built yet; leave ContainerGroupDefinitionName out")
	}
	status := lift.InstanceStatus(or(in.ComputeStatus, ""))
	p, err := s.page(c, in.Limit, in.NextToken, "ListCompute", c.name(in.FleetId, "fleet"), or(in.Location, ""), string(status))
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListComputeOutput, error) {
		f, err := c.fleetAt(tx, in.FleetId, or(in.Location, c.Region))
		if err != nil {
			return nil, undeclared(err, lift.NotFound)
		}
		is, next, err := list(tx, p, store.Instances, "fleet", string(f.ID)+"/", func(i *lift.Instance) bool {
			return status == "" || i.Status == status
		})
		return &api.ListComputeOutput{
			ComputeList: shapes(is, func(i *lift.Instance) *api.Compute { return computeShape(f, i) }), NextToken: next,
		}, err
	})
}

func (s *Service) RegisterCompute(ctx context.Context, in *api.RegisterComputeInput) (*api.RegisterComputeOutput, error) {
	return nil, undeclared(s.noAnywhere(ctx, in.FleetId), lift.NotFound)
}

func (s *Service) DeregisterCompute(ctx context.Context, in *api.DeregisterComputeInput) (*api.DeregisterComputeOutput, error) {
	return nil, s.noAnywhere(ctx, in.FleetId)
}

// noAnywhere refuses what belongs to fleets of ComputeType ANYWHERE, since every
// fleet is of the other type.
func (s *Service) noAnywhere(ctx context.Context, fleet string) error {
	c := s.caller(ctx)
	return s.engine.View(ctx, func(tx store.Tx) error {
		f, err := c.fleet(tx, fleet)
		if err != nil {
			return err
		}
		return invalid("Chairlift starts and ends the computes of fleet %s itself, as UpdateFleetCapacity says; fleets of computes that you register (ComputeType ANYWHERE) are not built yet", f.ID)
	})
}

// GetComputeAuthToken finds the compute and refuses: the game servers of an
// instance are given what they connect with by its agent.
func (s *Service) GetComputeAuthToken(ctx context.Context, in *api.GetComputeAuthTokenInput) (*api.GetComputeAuthTokenOutput, error) {
	c := s.caller(ctx)
	return nil, s.engine.View(ctx, func(tx store.Tx) error {
		_, i, err := c.compute(tx, in.FleetId, in.ComputeName)
		if err != nil {
			return err
		}
		return invalid("game servers on %s need no token: its agent gives them, in their environment, all that InitSDK asks for. Tokens for computes that you register are not built yet", i.ID)
	})
}

// compute finds an instance that is not gone.
func (c caller) compute(tx store.Tx, fleet, name string) (*lift.Fleet, *lift.Instance, error) {
	f, err := c.fleet(tx, fleet)
	if err != nil {
		return nil, nil, err
	}
	i, ok, err := store.Instances.Get(tx, c.name(name, "compute"))
	if err == nil && (!ok || i.FleetID != f.ID || i.Status == lift.InstanceTerminated) {
		err = lift.Errorf(lift.NotFound, "fleet %s has no instance %s", f.ID, name)
	}
	return f, i, err
}

func computeShape(f *lift.Fleet, i *lift.Instance) *api.Compute {
	return &api.Compute{
		FleetId: opt(f.ID), FleetArn: opt(f.ARN()), ComputeName: opt(i.ID), ComputeArn: new("arn:aws:gamelift:" + i.Region + "::compute/" + string(i.ID)),
		IpAddress: opt(i.Address), DnsName: opt(i.DNSName), ComputeStatus: opt(i.Status), Location: opt(i.Location), CreationTime: i.CreatedAt,
		OperatingSystem: opt(f.OperatingSystem), Type: opt(i.Type), InstanceId: opt(i.ID),
	}
}
