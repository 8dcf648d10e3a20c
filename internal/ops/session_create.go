package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

// CreateGameSession opens a game session on an idle process of one fleet, or
// says why none could take it. The checks come in the order of behaviour 3.2.
func (s *Service) CreateGameSession(ctx context.Context, in *api.CreateGameSessionInput) (*api.CreateGameSessionOutput, error) {
	c := s.caller(ctx)
	token, err := idempotencyToken(in)
	if err != nil {
		return nil, err
	}
	if (in.FleetId == nil) == (in.AliasId == nil) {
		return nil, invalid("give exactly one of FleetId and AliasId")
	}
	// Which fleet is meant is part of the session's id; how it was named does
	// not matter.
	request := *in
	request.FleetId, request.AliasId, request.GameSessionId, request.IdempotencyToken = nil, nil, nil, nil
	mark, err := digest(request)
	if err != nil {
		return nil, err
	}
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateGameSessionOutput, error) {
		f, err := c.fleetOrAlias(tx, in.FleetId, in.AliasId)
		if err != nil {
			return nil, err
		}
		w := session.Want{
			Name: or(in.Name, ""), MaxPlayers: in.MaximumPlayerSessionCount, CreatorID: or(in.CreatorId, ""),
			Properties: properties(in.GameProperties), Data: or(in.GameSessionData, ""), Request: mark,
		}
		if token == "" {
			w.ID = lift.GameSessionARN(f.Region, f.ID, "gsess-"+tx.NewID())
		} else {
			w.ID = lift.GameSessionARN(f.Region, f.ID, token)
			before, seen, err := store.Sessions.Get(tx, string(w.ID))
			if err != nil {
				return nil, err
			}
			if seen && before.Request == mark {
				return &api.CreateGameSessionOutput{GameSession: sessionShape(before)}, nil
			}
			if seen {
				return nil, lift.Errorf(lift.IdempotentParameterMismatch, "IdempotencyToken %s was used on fleet %s with other parameters; choose another token for another game session", token, f.ID)
			}
		}
		gs, err := s.openSession(tx, f, in.Location, w)
		if err != nil {
			return nil, err
		}
		return &api.CreateGameSessionOutput{GameSession: sessionShape(gs)}, nil
	})
}

// openSession does what comes after the idempotency token.
func (s *Service) openSession(tx *engine.Tx, f *lift.Fleet, location *string, w session.Want) (*lift.GameSession, error) {
	if f.Status != lift.FleetActive {
		return nil, lift.Errorf(lift.InvalidFleetStatus, "fleet %s is %s; game sessions need an ACTIVE fleet (chairlift why fleet %s tells more)", f.ID, f.Status, f.ID)
	}
	if err := home(f, location); err != nil {
		return nil, err
	}
	if err := s.checkPlayers(w.MaxPlayers); err != nil {
		return nil, err
	}
	if err := s.countCreation(tx, f, w.CreatorID); err != nil {
		return nil, err
	}
	gs, skips, err := tx.Open(f, w)
	if err == nil && gs == nil {
		err = noProcess(tx, f, skips)
	}
	return gs, err
}

// idempotencyToken returns the caller's token, which older clients give as
// GameSessionId.
func idempotencyToken(in *api.CreateGameSessionInput) (string, error) {
	if in.IdempotencyToken != nil && in.GameSessionId != nil && *in.IdempotencyToken != *in.GameSessionId {
		return "", invalid("GameSessionId is the older name of IdempotencyToken; the two are given and differ")
	}
	return or(in.IdempotencyToken, or(in.GameSessionId, "")), nil
}

func (s *Service) checkPlayers(most int) error {
	if most < 0 || s.rules.Players > 0 && most > s.rules.Players {
		return invalid("MaximumPlayerSessionCount must be from 0 to %d, got %d", s.rules.Players, most)
	}
	return nil
}

// countCreation counts one more game session of the creator, in a row that two
// calls at the same time cannot both write (behaviour 2.16): against the limit
// of the fleet, or if it has none against the pause that the profile asks.
func (s *Service) countCreation(tx *engine.Tx, f *lift.Fleet, creator string) error {
	limited := session.Limits(f.CreatorLimit)
	if !limited && (creator == "" || s.rules.CreatorPause == 0) {
		return nil
	}
	if creator == "" {
		return invalid("fleet %s limits how many game sessions one creator may make, so CreatorId is required", f.ID)
	}
	row, ok, err := store.Creators.Get(tx, store.CreatorKey(f.ID, creator))
	if err != nil {
		return err
	}
	if !ok {
		row = &lift.Creator{FleetID: f.ID, CreatorID: creator}
	}
	var next lift.Creator
	if limited {
		next, err = session.Created(tx.Now, f.CreatorLimit, *row)
	} else {
		next, err = session.Paced(tx.Now, s.rules.CreatorPause, *row)
	}
	if err != nil {
		return err
	}
	return store.Creators.Put(tx, &next)
}

// noProcess says that no process of the fleet could be reserved, and what they
// are doing instead.
func noProcess(tx store.Tx, f *lift.Fleet, skips []lift.Skip) error {
	doing, err := engine.Census(tx, f.ID)
	if err != nil {
		return err
	}
	reasons := []string{doing}
	for _, r := range countSkips(skips) {
		reasons = append(reasons, "passed over: "+r)
	}
	return lift.Errorf(lift.FleetCapacityExceeded, "Unable to reserve a process on fleet %s: %s", f.ID, strings.Join(reasons, "; "))
}

// countSkips sums up reasons: "3 times no idle process".
func countSkips(skips []lift.Skip) []string {
	counts := map[string]int{}
	for _, s := range skips {
		counts[s.Reason]++
	}
	var out []string
	for reason, n := range counts {
		out = append(out, fmt.Sprintf("%d × %s", n, reason))
	}
	slices.Sort(out)
	return out
}
