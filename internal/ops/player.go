package ops

import (
	"context"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

func (s *Service) CreatePlayerSession(ctx context.Context, in *api.CreatePlayerSessionInput) (*api.CreatePlayerSessionOutput, error) {
	players, err := s.admit(ctx, in.GameSessionId, []session.Seat{{PlayerID: in.PlayerId, Data: or(in.PlayerData, "")}})
	if err != nil {
		return nil, err
	}
	return &api.CreatePlayerSessionOutput{PlayerSession: playerShape(&players[0])}, nil
}

// CreatePlayerSessions reserves a slot for every player, or for none. Data of
// players who are not named is ignored (behaviour 4).
func (s *Service) CreatePlayerSessions(ctx context.Context, in *api.CreatePlayerSessionsInput) (*api.CreatePlayerSessionsOutput, error) {
	seats := make([]session.Seat, len(in.PlayerIds))
	twice := map[string]bool{}
	for i, id := range in.PlayerIds {
		if twice[id] {
			return nil, invalid("PlayerIds names one player twice")
		}
		twice[id] = true
		seats[i] = session.Seat{PlayerID: id, Data: in.PlayerDataMap[id]}
	}
	players, err := s.admit(ctx, in.GameSessionId, seats)
	if err != nil {
		return nil, err
	}
	out := &api.CreatePlayerSessionsOutput{PlayerSessions: make([]api.PlayerSession, len(players))}
	for i := range players {
		out.PlayerSessions[i] = *playerShape(&players[i])
	}
	return out, nil
}

// admit gives every seat a slot of the game session, whose row guards them.
func (s *Service) admit(ctx context.Context, id string, seats []session.Seat) ([]lift.PlayerSession, error) {
	c := s.caller(ctx)
	return once(ctx, s, func(tx *engine.Tx) ([]lift.PlayerSession, error) {
		gs, err := c.session(tx, id)
		if err != nil {
			return nil, err
		}
		for i := range seats {
			seats[i].ID = lift.PlayerSessionID("psess-" + tx.NewID())
		}
		next, players, err := session.Admit(tx.Now, *gs, seats)
		if err != nil {
			return nil, err
		}
		for i := range players {
			if err := store.Players.Put(tx, &players[i]); err != nil {
				return nil, err
			}
		}
		return players, store.Sessions.Put(tx, &next)
	})
}

func (s *Service) DescribePlayerSessions(ctx context.Context, in *api.DescribePlayerSessionsInput) (*api.DescribePlayerSessionsOutput, error) {
	c := s.caller(ctx)
	q := engine.PlayerQuery{
		ID: lift.PlayerSessionID(or(in.PlayerSessionId, "")), Player: or(in.PlayerId, ""),
		Status: lift.PlayerSessionStatus(or(in.PlayerSessionStatusFilter, "")),
	}
	if given(in.PlayerSessionId)+given(in.GameSessionId)+given(in.PlayerId) != 1 {
		return nil, invalid("give exactly one of PlayerSessionId, GameSessionId and PlayerId")
	}
	switch q.Status {
	case "", lift.PlayerReserved, lift.PlayerActive, lift.PlayerCompleted, lift.PlayerTimedOut:
	default:
		return nil, invalid("PlayerSessionStatusFilter must be RESERVED, ACTIVE, COMPLETED or TIMEDOUT, got %.40q", q.Status)
	}
	var p page
	if in.PlayerSessionId == nil {
		var err error
		if p, err = s.page(c, in.Limit, in.NextToken, "DescribePlayerSessions", or(in.GameSessionId, ""), q.Player, string(q.Status)); err != nil {
			return nil, err
		}
	}
	q.After, q.Limit = p.after.ID, p.limit
	return read(ctx, s, func(tx store.Tx) (*api.DescribePlayerSessionsOutput, error) {
		q := q
		if in.GameSessionId != nil {
			gs, err := c.session(tx, *in.GameSessionId)
			if err != nil {
				return nil, err
			}
			q.Session = gs.ID
		}
		found, after, err := engine.FindPlayers(tx, c.Region, q)
		if err != nil {
			return nil, err
		}
		out := &api.DescribePlayerSessionsOutput{PlayerSessions: make([]api.PlayerSession, len(found))}
		for i := range found {
			out.PlayerSessions[i] = *playerShape(&found[i])
		}
		if after != "" {
			out.NextToken = p.token(store.Cursor{ID: after})
		}
		return out, nil
	})
}

func playerShape(p *lift.PlayerSession) *api.PlayerSession {
	return &api.PlayerSession{
		PlayerSessionId: opt(p.ID), PlayerId: opt(p.PlayerID), GameSessionId: opt(p.GameSessionID),
		FleetId: opt(p.FleetID), FleetArn: opt(lift.FleetARN(p.Region, p.FleetID)),
		CreationTime: p.CreatedAt, TerminationTime: p.EndedAt, Status: opt(p.Status),
		IpAddress: opt(p.Address), DnsName: opt(p.DNSName), Port: positive(p.Port), PlayerData: opt(p.Data),
	}
}
