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

// CreateLocation names a place for computes of one's own. The model has the
// form of the name (behaviour 2.13).
func (s *Service) CreateLocation(ctx context.Context, in *api.CreateLocationInput) (*api.CreateLocationOutput, error) {
	c := s.caller(ctx)
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateLocationOutput, error) {
		l := &lift.Location{Name: in.LocationName, Region: c.Region, Account: c.Account, CreatedAt: tx.Now, Tags: tags}
		if _, exists, err := store.Locations.Get(tx, store.InRegion(l.Region, l.Name)); err != nil || exists {
			return nil, cmp.Or(err, error(lift.Errorf(lift.Conflict, "there is a location %s already", l.Name)))
		}
		return &api.CreateLocationOutput{Location: locationShape(l)}, store.Locations.Put(tx, l)
	})
}

func (s *Service) DeleteLocation(ctx context.Context, in *api.DeleteLocationInput) (*api.DeleteLocationOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteLocationOutput, error) {
		l, err := c.location(tx, in.LocationName)
		if err != nil {
			return nil, err
		}
		return &api.DeleteLocationOutput{}, store.Locations.Delete(tx, store.InRegion(l.Region, l.Name))
	})
}

// ListLocations lists the region itself, the one place where this service has
// hosts for the region's fleets, and then the places that callers named.
func (s *Service) ListLocations(ctx context.Context, in *api.ListLocationsInput) (*api.ListLocationsOutput, error) {
	c := s.caller(ctx)
	wants := func(filter string) bool { return in.Filters == nil || slices.Contains(in.Filters, filter) }
	p, err := s.page(c, in.Limit, in.NextToken, append([]string{"ListLocations"}, in.Filters...)...)
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListLocationsOutput, error) {
		out := &api.ListLocationsOutput{Locations: []api.LocationModel{}}
		p := p
		if wants("AWS") && in.NextToken == nil {
			out.Locations = append(out.Locations, api.LocationModel{LocationName: &c.Region})
			p.limit--
		}
		if !wants("CUSTOM") {
			return out, nil
		}
		if p.limit == 0 { // the region filled the page
			some, _, err := store.Locations.Scan(tx, "", c.Region+"/", p.after, 1)
			if len(some) > 0 {
				out.NextToken = p.token(p.after)
			}
			return out, err
		}
		ls, next, err := list(tx, p, store.Locations, "", c.Region+"/", nil)
		out.Locations, out.NextToken = append(out.Locations, shapes(ls, locationShape)...), next
		return out, err
	})
}

func locationShape(l *lift.Location) *api.LocationModel {
	return &api.LocationModel{LocationName: opt(l.Name), LocationArn: opt(l.ARN())}
}

// CreateFleetLocations refuses every location: the fleets of this release have
// hosts in their home region, which they have from the beginning.
func (s *Service) CreateFleetLocations(ctx context.Context, in *api.CreateFleetLocationsInput) (*api.CreateFleetLocationsOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.CreateFleetLocationsOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if err := changeable(f); err != nil {
			return nil, err
		}
		for _, l := range in.Locations {
			if l.Location == f.Region {
				return nil, invalid("%s is the home region of fleet %s and one of its locations already", l.Location, f.ID)
			}
		}
		return nil, invalid("fleets with remote locations are not built yet: the hosts of this service serve the home region of a fleet, here %s; create a fleet in region %s instead", f.Region, in.Locations[0].Location)
	})
}

// DeleteFleetLocations refuses to take a fleet its only location.
func (s *Service) DeleteFleetLocations(ctx context.Context, in *api.DeleteFleetLocationsInput) (*api.DeleteFleetLocationsOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DeleteFleetLocationsOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		for _, l := range in.Locations {
			if err := home(f, &l); err != nil {
				return nil, err
			}
		}
		return nil, invalid("%s is the home region of fleet %s and stays as long as the fleet; DeleteFleet ends both", f.Region, f.ID)
	})
}

// DescribeFleetLocationAttributes lists the home region with the others, of
// which there are none yet.
func (s *Service) DescribeFleetLocationAttributes(ctx context.Context, in *api.DescribeFleetLocationAttributesInput) (*api.DescribeFleetLocationAttributesOutput, error) {
	c := s.caller(ctx)
	if _, err := s.page(c, in.Limit, in.NextToken, append([]string{"DescribeFleetLocationAttributes", c.name(in.FleetId, "fleet")}, in.Locations...)...); err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeFleetLocationAttributesOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		for _, l := range in.Locations {
			if err := home(f, &l); err != nil {
				return nil, err
			}
		}
		return &api.DescribeFleetLocationAttributesOutput{
			FleetId: opt(f.ID), FleetArn: opt(f.ARN()),
			LocationAttributes: []api.LocationAttributes{{LocationState: homeState(f), StoppedActions: stoppedActions(f)}},
		}, nil
	})
}

// homeState is the state of a fleet's home region: the fleet's own.
func homeState(f *lift.Fleet) *api.LocationState {
	return &api.LocationState{Location: opt(f.Region), Status: opt(f.Status), PlayerGatewayStatus: new(noGateway)}
}

func (s *Service) DescribeFleetLocationCapacity(ctx context.Context, in *api.DescribeFleetLocationCapacityInput) (*api.DescribeFleetLocationCapacityOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeFleetLocationCapacityOutput, error) {
		f, err := c.fleetAt(tx, in.FleetId, in.Location)
		if err != nil {
			return nil, err
		}
		capacity, err := capacityShape(tx, f)
		return &api.DescribeFleetLocationCapacityOutput{FleetCapacity: capacity}, err
	})
}

func (s *Service) DescribeFleetLocationUtilization(ctx context.Context, in *api.DescribeFleetLocationUtilizationInput) (*api.DescribeFleetLocationUtilizationOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeFleetLocationUtilizationOutput, error) {
		f, err := c.fleetAt(tx, in.FleetId, in.Location)
		if err != nil {
			return nil, err
		}
		u, err := utilization(tx, f)
		return &api.DescribeFleetLocationUtilizationOutput{FleetUtilization: u}, err
	})
}

// fleetAt finds a fleet that has the location.
func (c caller) fleetAt(tx store.Tx, id, location string) (*lift.Fleet, error) {
	f, err := c.fleet(tx, id)
	if err == nil {
		err = home(f, &location)
	}
	return f, err
}
