package ops

import (
	"context"
	"errors"
	"slices"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/search"
	"github.com/chairlift-games/chairlift/internal/store"
)

// searchMax is the size of a page of SearchGameSessions, whatever larger one is
// asked for (behaviour 5).
const searchMax = 20

// SearchGameSessions finds ACTIVE game sessions of one fleet. It looks at all of
// them: the language can ask for anything, and their number is that of the
// fleet's busy processes.
func (s *Service) SearchGameSessions(ctx context.Context, in *api.SearchGameSessionsInput) (*api.SearchGameSessionsOutput, error) {
	c := s.caller(ctx)
	if given(in.FleetId)+given(in.AliasId) != 1 {
		return nil, invalid("give exactly one of FleetId and AliasId")
	}
	filter, order, err := expressions(in)
	if err != nil {
		return nil, err
	}
	p, err := s.page(c, new(min(or(in.Limit, searchMax), searchMax)), in.NextToken, "SearchGameSessions",
		c.name(or(in.FleetId, ""), "fleet"), c.name(or(in.AliasId, ""), "alias"), or(in.Location, ""), or(in.FilterExpression, ""), or(in.SortExpression, ""))
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.SearchGameSessionsOutput, error) {
		f, err := c.fleetOrAlias(tx, in.FleetId, in.AliasId)
		if err != nil {
			return nil, err
		}
		if err := home(f, in.Location); err != nil {
			return nil, err
		}
		active, err := store.Sessions.All(tx, "live", string(f.ID)+"/"+string(lift.SessionActive))
		if err != nil {
			return nil, err
		}
		found, next := p.search(active, filter, order)
		return &api.SearchGameSessionsOutput{GameSessions: shapes(found, sessionShape), NextToken: next}, nil
	})
}

// expressions reads what is wanted, and in which order. Without an order it is
// that of creation.
func expressions(in *api.SearchGameSessionsInput) (filter search.Filter, order search.Order, err error) {
	if in.FilterExpression != nil {
		if filter, err = search.ParseFilter(*in.FilterExpression); err != nil {
			return filter, order, inExpression(err, "FilterExpression")
		}
	}
	if in.SortExpression != nil {
		order, err = search.ParseSort(*in.SortExpression)
	}
	return filter, order, inExpression(err, "SortExpression")
}

func inExpression(err error, member string) error {
	if wrong, ok := errors.AsType[*search.Error](err); ok {
		return invalid("%s, %v", member, wrong)
	}
	return err
}

// search returns the page of those that filter wants. A token holds the place of
// the last one: its id, then its key, which may be any text. Of all it looks at
// it keeps no more than a page.
func (p page) search(among []*lift.GameSession, filter search.Filter, order search.Order) ([]*lift.GameSession, *string) {
	last := search.Place{Key: p.after.ID, ID: lift.GameSessionID(p.after.Value)}
	places := make([]search.Place, 0, p.limit+2) // of the first found, and one more to know whether there is one
	found := make([]*lift.GameSession, 0, p.limit+2)
	for _, gs := range among {
		at := order.Place(gs)
		if last.ID != "" && order.Compare(at, last) <= 0 || !filter.Matches(gs) {
			continue
		}
		if i, _ := slices.BinarySearchFunc(places, at, order.Compare); i <= p.limit {
			places, found = slices.Insert(places, i, at), slices.Insert(found, i, gs)
			places, found = places[:min(len(places), p.limit+1)], found[:min(len(found), p.limit+1)]
		}
	}
	if len(found) <= p.limit {
		return found, nil
	}
	at := places[p.limit-1]
	return found[:p.limit], p.token(store.Cursor{Value: string(at.ID), ID: at.Key})
}
