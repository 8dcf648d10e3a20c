package ops

import (
	"context"
	"slices"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

const maxProperties = 16 // of one game session (behaviour 3.2)

func (s *Service) DescribeGameSessions(ctx context.Context, in *api.DescribeGameSessionsInput) (*api.DescribeGameSessionsOutput, error) {
	found, next, err := s.sessions(ctx, "DescribeGameSessions", sessionQuery(*in))
	if err != nil {
		return nil, err
	}
	return &api.DescribeGameSessionsOutput{GameSessions: shapes(found, sessionShape), NextToken: next}, nil
}

func (s *Service) DescribeGameSessionDetails(ctx context.Context, in *api.DescribeGameSessionDetailsInput) (*api.DescribeGameSessionDetailsOutput, error) {
	found, next, err := s.sessions(ctx, "DescribeGameSessionDetails", sessionQuery(*in))
	if err != nil {
		return nil, err
	}
	return &api.DescribeGameSessionDetailsOutput{NextToken: next, GameSessionDetails: shapes(found, func(gs *lift.GameSession) *api.GameSessionDetail {
		return &api.GameSessionDetail{GameSession: sessionShape(gs), ProtectionPolicy: opt(gs.Protection)}
	})}, nil
}

// sessionQuery is what both operations ask.
type sessionQuery api.DescribeGameSessionsInput

// sessions finds game sessions by exactly one of id, fleet and alias
// (behaviour 3.4).
func (s *Service) sessions(ctx context.Context, op string, q sessionQuery) ([]*lift.GameSession, *string, error) {
	c := s.caller(ctx)
	if given(q.GameSessionId)+given(q.FleetId)+given(q.AliasId) != 1 {
		return nil, nil, invalid("give exactly one of GameSessionId, FleetId and AliasId")
	}
	status := lift.GameSessionStatus(or(q.StatusFilter, ""))
	switch status {
	case "", lift.SessionActive, lift.SessionActivating, lift.SessionTerminated, lift.SessionTerminating:
	default:
		return nil, nil, invalid("StatusFilter must be ACTIVE, ACTIVATING, TERMINATING or TERMINATED, got %.40q", status)
	}
	p, err := s.page(c, q.Limit, q.NextToken, op, c.name(or(q.FleetId, ""), "fleet"), c.name(or(q.AliasId, ""), "alias"), string(status), or(q.Location, ""))
	if err != nil {
		return nil, nil, err
	}
	var next *string
	found, err := read(ctx, s, func(tx store.Tx) (found []*lift.GameSession, err error) {
		if q.GameSessionId != nil {
			next = nil
			gs, err := c.session(tx, *q.GameSessionId)
			if err != nil || status != "" && gs.Status != status {
				return nil, err
			}
			return []*lift.GameSession{gs}, nil
		}
		f, err := c.fleetOrAlias(tx, q.FleetId, q.AliasId)
		if err != nil {
			return nil, err
		}
		if err := home(f, q.Location); err != nil {
			return nil, err
		}
		switch {
		case status == "":
			found, next, err = list(tx, p, store.Sessions, "fleet", string(f.ID)+"/", nil)
		case status.Live():
			found, next, err = list(tx, p, store.Sessions, "live", string(f.ID)+"/"+string(status), nil)
		default:
			found, next, err = list(tx, p, store.Sessions, "fleet", string(f.ID)+"/", func(gs *lift.GameSession) bool { return gs.Status == status })
		}
		return found, err
	})
	return found, next, err
}

// given counts an optional member as 0 or 1.
func given[T any](p *T) int {
	if p == nil {
		return 0
	}
	return 1
}

// UpdateGameSession changes a session that lives. Its process is not told:
// the Server SDK has no message for it (server-sdk A.4 lists the pushes).
func (s *Service) UpdateGameSession(ctx context.Context, in *api.UpdateGameSessionInput) (*api.UpdateGameSessionOutput, error) {
	c := s.caller(ctx)
	if err := s.checkPlayers(or(in.MaximumPlayerSessionCount, 0)); err != nil {
		return nil, err
	}
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateGameSessionOutput, error) {
		gs, err := c.session(tx, in.GameSessionId)
		if err != nil {
			return nil, err
		}
		if gs.Status != lift.SessionActive && gs.Status != lift.SessionActivating {
			return nil, lift.Errorf(lift.InvalidGameSessionStatus, "game session %s is %s; one that is ACTIVE or ACTIVATING can be changed", gs.ID, gs.Status)
		}
		gs.MaxPlayers, gs.Name = or(in.MaximumPlayerSessionCount, gs.MaxPlayers), or(in.Name, gs.Name)
		gs.Policy = lift.PlayerPolicy(or(in.PlayerSessionCreationPolicy, string(gs.Policy)))
		gs.Protection = lift.Protection(or(in.ProtectionPolicy, string(gs.Protection)))
		if gs.Properties = merge(gs.Properties, in.GameProperties); len(gs.Properties) > maxProperties {
			return nil, invalid("a game session has at most %d game properties, this would make %d", maxProperties, len(gs.Properties))
		}
		if err := tx.SaveSession(gs); err != nil {
			return nil, err
		}
		return &api.UpdateGameSessionOutput{GameSession: sessionShape(gs)}, nil
	})
}

// merge adds properties, or overwrites those with the same key.
func merge(have []lift.Property, changes []api.GameProperty) []lift.Property {
	have = slices.Clone(have)
	for _, p := range properties(changes) {
		i := slices.IndexFunc(have, func(h lift.Property) bool { return h.Key == p.Key })
		if i < 0 {
			have = append(have, p)
		} else {
			have[i] = p
		}
	}
	return have
}

// TerminateGameSession begins the end of a session together with its process,
// which is asked to end or ended by force. A session that has ended is answered
// as it is (behaviour 3.4).
func (s *Service) TerminateGameSession(ctx context.Context, in *api.TerminateGameSessionInput) (*api.TerminateGameSessionOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.TerminateGameSessionOutput, error) {
		gs, err := c.session(tx, in.GameSessionId)
		if err != nil {
			return nil, err
		}
		if gs.Status == lift.SessionError {
			return nil, lift.Errorf(lift.InvalidGameSessionStatus, "game session %s is in ERROR and has no process to terminate", gs.ID)
		}
		if gs.Status.Live() {
			if gs, err = tx.Terminate(gs, in.TerminationMode == "FORCE_TERMINATE"); err != nil {
				return nil, err
			}
		}
		return &api.TerminateGameSessionOutput{GameSession: sessionShape(gs)}, nil
	})
}

func sessionShape(gs *lift.GameSession) *api.GameSession {
	return &api.GameSession{
		GameSessionId: opt(gs.ID), Name: opt(gs.Name), FleetId: opt(gs.FleetID), FleetArn: opt(lift.FleetARN(gs.Region, gs.FleetID)),
		CreationTime: gs.CreatedAt, TerminationTime: gs.EndedAt,
		CurrentPlayerSessionCount: new(gs.PlayerCount), MaximumPlayerSessionCount: new(gs.MaxPlayers),
		Status: opt(gs.Status), StatusReason: opt(gs.StatusReason), GameProperties: propertyShapes(gs.Properties),
		IpAddress: opt(gs.Address), DnsName: opt(gs.DNSName), Port: positive(gs.Port),
		PlayerSessionCreationPolicy: opt(gs.Policy), CreatorId: opt(gs.CreatorID),
		GameSessionData: opt(gs.Data), MatchmakerData: opt(gs.MatchmakerData), Location: opt(gs.Location), ComputeName: opt(gs.InstanceID),
		PlayerGatewayStatus: new(noGateway),
	}
}
