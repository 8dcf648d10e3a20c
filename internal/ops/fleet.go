package ops

import (
	"cmp"
	"context"
	"fmt"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// CreateFleet makes a fleet that wants one instance. A turn of the engine
// requests it (behaviour 2.2 and 2.3).
func (s *Service) CreateFleet(ctx context.Context, in *api.CreateFleetInput) (*api.CreateFleetOutput, error) {
	c := s.caller(ctx)
	if err := checkKindOfFleet(c, in); err != nil {
		return nil, err
	}
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateFleetOutput, error) {
		b, err := c.build(tx, *in.BuildId)
		if err != nil {
			return nil, err
		}
		if err := usable(b); err != nil {
			return nil, err
		}
		f := &lift.Fleet{
			ID: lift.FleetID("fleet-" + tx.NewID()), Region: c.Region, Account: c.Account,
			Name: in.Name, Description: or(in.Description, ""), BuildID: b.ID, OperatingSystem: b.OperatingSystem,
			InstanceType: *in.EC2InstanceType, FleetType: or(in.FleetType, "ON_DEMAND"), Status: lift.FleetNew,
			Protection:   lift.Protection(or(in.NewGameSessionProtectionPolicy, string(lift.NoProtection))),
			CreatorLimit: creatorLimit(in.ResourceCreationLimitPolicy), MetricGroups: []string{"default"}, LogPaths: in.LogPaths,
			LaunchPath: or(in.ServerLaunchPath, ""), LaunchParams: or(in.ServerLaunchParameters, ""),
			InstanceRoleARN: or(in.InstanceRoleArn, ""),
			Capacity:        lift.Capacity{Desired: 1, Min: 0, Max: 1}, CreatedAt: tx.Now, ActivateBy: tx.Now.Add(fleet.ActivationLimit),
			LookAt: tx.Now, Tags: tags,
		}
		if in.MetricGroups != nil {
			f.MetricGroups = in.MetricGroups
		}
		if f.Runtime, err = s.firstRuntime(f, in.RuntimeConfiguration); err != nil {
			return nil, err
		}
		if f.InboundPorts, err = ports(nil, in.EC2InboundPermissions); err != nil {
			return nil, err
		}
		if err := under(tx, s.rules.Fleets, store.Fleets, "region", c.Region+"/"); err != nil {
			return nil, err
		}
		if err := store.Fleets.Put(tx, f); err != nil {
			return nil, err
		}
		if in.PeerVpcId != nil {
			p := newPeering(tx, f, *in.PeerVpcAwsAccountId, *in.PeerVpcId)
			p.WithFleet = true
			if err := store.Peerings.Put(tx, p); err != nil {
				return nil, err
			}
		}
		// Written unchanged, so that a DeleteBuild at the same time notices.
		if err := store.Builds.Put(tx, b); err != nil {
			return nil, err
		}
		return &api.CreateFleetOutput{
			FleetAttributes: s.fleetShape(f),
			LocationStates:  []api.LocationState{*homeState(f)},
		}, tx.Log(f, lift.Notice{Code: lift.FleetCreated, Message: fmt.Sprintf("fleet %s of build %s", f.ID, b.ID)})
	})
}

// checkKindOfFleet lets pass what this release can make a fleet of.
func checkKindOfFleet(c caller, in *api.CreateFleetInput) error {
	switch {
	case or(in.ComputeType, "EC2") != "EC2":
		return invalid("ComputeType %s is not built yet; leave it out for a fleet whose instances Chairlift starts itself", *in.ComputeType)
	case in.AnywhereConfiguration != nil:
		return invalid("AnywhereConfiguration belongs to fleets of ComputeType ANYWHERE, which are not built yet")
	case in.EC2InstanceType == nil:
		return invalid("EC2InstanceType is required")
	case (in.BuildId == nil) == (in.ScriptId == nil):
		return invalid("give exactly one of BuildId and ScriptId")
	case in.ScriptId != nil:
		return invalid("ScriptId: fleets of Realtime scripts are not built yet; create a build and give its BuildId")
	case (in.PeerVpcId == nil) != (in.PeerVpcAwsAccountId == nil):
		return invalid("PeerVpcId and PeerVpcAwsAccountId go together")
	case in.CertificateConfiguration != nil && in.CertificateConfiguration.CertificateType != "DISABLED":
		return invalid("CertificateConfiguration: TLS certificates of fleets are not built yet; leave it out, or give CertificateType DISABLED")
	case in.InstanceRoleCredentialsProvider != nil:
		return invalid("InstanceRoleCredentialsProvider: this service has no credentials of AWS to give to game servers; leave it out, and give them theirs in the build or by the launch parameters")
	case or(in.PlayerGatewayMode, noGateway) != noGateway || in.PlayerGatewayConfiguration != nil:
		return invalid("the player gateway is not built yet; leave PlayerGatewayMode and PlayerGatewayConfiguration out")
	}
	for _, l := range in.Locations {
		if l.Location != c.Region {
			return invalid("Locations: fleets with remote locations are not built yet; %s is not the home region %s", l.Location, c.Region)
		}
	}
	return nil
}

// usable refuses a build that is not READY, and says why it is not.
func usable(b *lift.Build) error {
	switch {
	case b.Status == lift.BuildReady:
		return nil
	case b.Status == lift.BuildFailed:
		return invalid("build %s is FAILED: %s; upload another build", b.ID, b.Reason)
	case !b.ReceivedAt.IsZero():
		return invalid("build %s is not READY: its files are being checked; try again in a moment", b.ID)
	}
	return invalid("build %s is not READY: its files have not arrived; upload them to %s/%s as aws gamelift upload-build does", b.ID, b.Bucket, b.Key)
}

func creatorLimit(p *api.ResourceCreationLimitPolicy) lift.CreatorLimit {
	if p == nil {
		return lift.CreatorLimit{}
	}
	return lift.CreatorLimit{Sessions: or(p.NewGameSessionsPerCreator, 0), Minutes: or(p.PolicyPeriodInMinutes, 0)}
}

func (s *Service) ListFleets(ctx context.Context, in *api.ListFleetsInput) (*api.ListFleetsOutput, error) {
	c := s.caller(ctx)
	build := lift.BuildID(c.name(or(in.BuildId, ""), "build"))
	script := or(in.ScriptId, "")
	if build != "" && script != "" {
		return nil, invalid("give BuildId or ScriptId, not both")
	}
	p, err := s.page(c, in.Limit, in.NextToken, "ListFleets", string(build), script)
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListFleetsOutput, error) {
		fs, next, err := list(tx, p, store.Fleets, "region", c.Region+"/", func(f *lift.Fleet) bool {
			return script == "" && (build == "" || f.BuildID == build)
		})
		ids := make([]string, len(fs))
		for i, f := range fs {
			ids[i] = string(f.ID)
		}
		return &api.ListFleetsOutput{FleetIds: ids, NextToken: next}, err
	})
}

// DeleteFleet begins the end of a fleet; its instances drain, then it is gone
// with its game and player sessions (behaviour 2.14).
func (s *Service) DeleteFleet(ctx context.Context, in *api.DeleteFleetInput) (*api.DeleteFleetOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteFleetOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if f.Status != lift.FleetActive && f.Status != lift.FleetError {
			return nil, lift.Errorf(lift.InvalidFleetStatus, "fleet %s is %s; a fleet can be deleted when it is ACTIVE or in ERROR", f.ID, f.Status)
		}
		if s.rules.StrictDelete {
			if err := empty(tx, f); err != nil {
				return nil, err
			}
		}
		if err := unpeered(tx, f); err != nil {
			return nil, err
		}
		f.Status, f.LookAt = lift.FleetDeleting, tx.Now
		if err := store.Fleets.Put(tx, f); err != nil {
			return nil, err
		}
		return &api.DeleteFleetOutput{}, tx.Log(f, lift.Notice{Code: lift.FleetDeleted, Message: fmt.Sprintf("fleet %s is being deleted", f.ID)})
	})
}

// empty is the condition of 2019 for deleting a fleet.
func empty(tx store.Tx, f *lift.Fleet) error {
	is, err := store.Instances.All(tx, "fleet", string(f.ID)+"/")
	if err != nil {
		return err
	}
	active := 0
	for _, i := range is {
		if i.Status == lift.InstanceActive {
			active++
		}
	}
	if f.Status == lift.FleetActive && f.Capacity.Desired > 0 || active > 0 {
		return lift.Errorf(lift.InvalidFleetStatus, "fleet %s wants %d instances and has %d active ones; set its desired capacity to 0 with UpdateFleetCapacity and wait for them to go", f.ID, f.Capacity.Desired, active)
	}
	return nil
}

func (s *Service) fleetShape(f *lift.Fleet) *api.FleetAttributes {
	a := &api.FleetAttributes{
		FleetId: opt(f.ID), FleetArn: opt(f.ARN()), FleetType: opt(f.FleetType), InstanceType: opt(f.InstanceType),
		Name: opt(f.Name), Description: opt(f.Description), CreationTime: f.CreatedAt, TerminationTime: f.TerminatedAt,
		Status: opt(f.Status), BuildId: opt(f.BuildID), BuildArn: opt(lift.BuildARN(f.Region, f.Account, f.BuildID)),
		ServerLaunchPath: opt(f.LaunchPath), ServerLaunchParameters: opt(f.LaunchParams), LogPaths: f.LogPaths,
		NewGameSessionProtectionPolicy: opt(f.Protection), OperatingSystem: opt(f.OperatingSystem), MetricGroups: f.MetricGroups,
		InstanceRoleArn: opt(f.InstanceRoleARN), CertificateConfiguration: &api.CertificateConfiguration{CertificateType: "DISABLED"},
		ComputeType: new("EC2"), PlayerGatewayMode: new(noGateway), StoppedActions: stoppedActions(f),
	}
	if f.CreatorLimit != (lift.CreatorLimit{}) {
		a.ResourceCreationLimitPolicy = &api.ResourceCreationLimitPolicy{
			NewGameSessionsPerCreator: new(f.CreatorLimit.Sessions), PolicyPeriodInMinutes: new(f.CreatorLimit.Minutes),
		}
	}
	return a
}

// changeable refuses to change a fleet that is on its way out (behaviour 2.21).
func changeable(f *lift.Fleet) error {
	if f.Status == lift.FleetDeleting {
		return lift.Errorf(lift.InvalidFleetStatus, "fleet %s is being deleted", f.ID)
	}
	return nil
}

func (s *Service) UpdateFleetAttributes(ctx context.Context, in *api.UpdateFleetAttributesInput) (*api.UpdateFleetAttributesOutput, error) {
	c := s.caller(ctx)
	if in.AnywhereConfiguration != nil {
		return nil, invalid("AnywhereConfiguration belongs to fleets of ComputeType ANYWHERE")
	}
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateFleetAttributesOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if err := changeable(f); err != nil {
			return nil, err
		}
		f.Name, f.Description = cmp.Or(or(in.Name, ""), f.Name), or(in.Description, f.Description)
		if in.ResourceCreationLimitPolicy != nil {
			f.CreatorLimit = creatorLimit(in.ResourceCreationLimitPolicy)
		}
		if in.MetricGroups != nil {
			f.MetricGroups = in.MetricGroups
		}
		if p := lift.Protection(or(in.NewGameSessionProtectionPolicy, string(f.Protection))); p != f.Protection {
			was := f.Protection
			f.Protection = p
			if err := tx.Log(f, lift.Notice{Code: lift.FleetProtectionUpdated, Message: fmt.Sprintf("protection of new game sessions was %s, is %s", was, p)}); err != nil {
				return nil, err
			}
		}
		return &api.UpdateFleetAttributesOutput{FleetId: opt(f.ID), FleetArn: opt(f.ARN())}, store.Fleets.Put(tx, f)
	})
}
