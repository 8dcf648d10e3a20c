package ops

import (
	"context"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

func (s *Service) CreateAlias(ctx context.Context, in *api.CreateAliasInput) (*api.CreateAliasOutput, error) {
	c := s.caller(ctx)
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateAliasOutput, error) {
		a := &lift.Alias{
			ID: lift.AliasID("alias-" + tx.NewID()), Region: c.Region, Account: c.Account,
			Name: in.Name, Description: or(in.Description, ""), CreatedAt: tx.Now, UpdatedAt: tx.Now, Tags: tags,
		}
		if err := c.route(tx, a, in.RoutingStrategy); err != nil {
			return nil, err
		}
		if err := under(tx, s.rules.Aliases, store.Aliases, "region", c.Region+"/"); err != nil {
			return nil, err
		}
		return &api.CreateAliasOutput{Alias: aliasShape(a)}, store.Aliases.Put(tx, a)
	})
}

func (s *Service) DescribeAlias(ctx context.Context, in *api.DescribeAliasInput) (*api.DescribeAliasOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeAliasOutput, error) {
		a, err := c.alias(tx, in.AliasId)
		if err != nil {
			return nil, err
		}
		return &api.DescribeAliasOutput{Alias: aliasShape(a)}, nil
	})
}

func (s *Service) UpdateAlias(ctx context.Context, in *api.UpdateAliasInput) (*api.UpdateAliasOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateAliasOutput, error) {
		a, err := c.alias(tx, in.AliasId)
		if err != nil {
			return nil, err
		}
		a.Name, a.Description, a.UpdatedAt = or(in.Name, a.Name), or(in.Description, a.Description), tx.Now
		if in.RoutingStrategy != nil {
			if err := c.route(tx, a, in.RoutingStrategy); err != nil {
				return nil, err
			}
		}
		return &api.UpdateAliasOutput{Alias: aliasShape(a)}, store.Aliases.Put(tx, a)
	})
}

func (s *Service) DeleteAlias(ctx context.Context, in *api.DeleteAliasInput) (*api.DeleteAliasOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteAliasOutput, error) {
		a, err := c.alias(tx, in.AliasId)
		if err != nil {
			return nil, err
		}
		return &api.DeleteAliasOutput{}, store.Aliases.Delete(tx, string(a.ID))
	})
}

func (s *Service) ListAliases(ctx context.Context, in *api.ListAliasesInput) (*api.ListAliasesOutput, error) {
	c := s.caller(ctx)
	name, routing := or(in.Name, ""), lift.RoutingType(or(in.RoutingStrategyType, ""))
	p, err := s.page(c, in.Limit, in.NextToken, "ListAliases", name, string(routing))
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListAliasesOutput, error) {
		as, next, err := list(tx, p, store.Aliases, "region", c.Region+"/", func(a *lift.Alias) bool {
			return (name == "" || a.Name == name) && (routing == "" || a.Routing == routing)
		})
		return &api.ListAliasesOutput{Aliases: shapes(as, aliasShape), NextToken: next}, err
	})
}

func (s *Service) ResolveAlias(ctx context.Context, in *api.ResolveAliasInput) (*api.ResolveAliasOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.ResolveAliasOutput, error) {
		id, err := c.resolve(tx, in.AliasId)
		if err != nil {
			return nil, err
		}
		return &api.ResolveAliasOutput{FleetId: opt(id), FleetArn: opt(lift.FleetARN(c.Region, id))}, nil
	})
}

// route gives a its routing strategy. The fleet must exist and need not be
// ACTIVE (behaviour 6).
func (c caller) route(tx store.Tx, a *lift.Alias, r *api.RoutingStrategy) error {
	if r == nil {
		return invalid("RoutingStrategy is required")
	}
	switch lift.RoutingType(or(r.Type, "")) {
	case lift.RoutingSimple:
		if r.FleetId == nil || r.Message != nil {
			return invalid("a SIMPLE routing strategy has a FleetId and no Message")
		}
		f, err := c.fleet(tx, *r.FleetId)
		if isKind(err, lift.NotFound) {
			return invalid("RoutingStrategy.FleetId: %v", err)
		}
		if err != nil {
			return err
		}
		a.Routing, a.FleetID, a.Message = lift.RoutingSimple, f.ID, ""
	case lift.RoutingTerminal:
		if r.Message == nil || *r.Message == "" || r.FleetId != nil {
			return invalid("a TERMINAL routing strategy has a Message and no FleetId")
		}
		a.Routing, a.FleetID, a.Message = lift.RoutingTerminal, "", *r.Message
	default:
		return invalid("RoutingStrategy.Type must be SIMPLE or TERMINAL")
	}
	return nil
}

// resolve returns the fleet an alias leads to, whether or not it exists still.
func (c caller) resolve(tx store.Tx, given string) (lift.FleetID, error) {
	a, err := c.alias(tx, given)
	if err != nil {
		return "", err
	}
	if a.Routing == lift.RoutingTerminal {
		return "", lift.Errorf(lift.TerminalRoutingStrategy, "%s", a.Message)
	}
	return a.FleetID, nil
}

// fleetOrAlias finds the fleet that a request names in one of two ways.
func (c caller) fleetOrAlias(tx store.Tx, fleet, alias *string) (*lift.Fleet, error) {
	if alias == nil {
		return c.fleet(tx, *fleet)
	}
	id, err := c.resolve(tx, *alias)
	if err != nil {
		return nil, err
	}
	f, err := c.fleet(tx, string(id))
	if isKind(err, lift.NotFound) {
		return nil, lift.Errorf(lift.NotFound, "alias %s leads to fleet %s, which does not exist any more; point it at another one with UpdateAlias", *alias, id)
	}
	return f, err
}

func aliasShape(a *lift.Alias) *api.Alias {
	return &api.Alias{
		AliasId: opt(a.ID), AliasArn: opt(lift.AliasARN(a.Region, a.ID)), Name: opt(a.Name), Description: opt(a.Description),
		RoutingStrategy: &api.RoutingStrategy{Type: opt(a.Routing), FleetId: opt(a.FleetID), Message: opt(a.Message)},
		CreationTime:    a.CreatedAt, LastUpdatedTime: a.UpdatedAt,
	}
}
