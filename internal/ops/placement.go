package ops

import (
	"context"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Strategies for when none of a placement's own locations has a place.
const (
	fallbackToQueue = "DEFAULT_AFTER_SINGLE_PASS"
	fallbackNone    = "NONE"
)

// StartGameSessionPlacement notes the wish for a game session; a turn of the
// engine looks for the place. A request that is repeated while its placement is
// remembered gets that one, unless it was cancelled or timed out, which frees
// the id (behaviour 8.3).
func (s *Service) StartGameSessionPlacement(ctx context.Context, in *api.StartGameSessionPlacementInput) (*api.StartGameSessionPlacementOutput, error) {
	c := s.caller(ctx)
	if err := s.checkPlacement(in); err != nil {
		return nil, err
	}
	request := *in
	request.GameSessionQueueName = c.name(in.GameSessionQueueName, "gamesessionqueue")
	mark, err := digest(request)
	if err != nil {
		return nil, err
	}
	return change(ctx, s, func(tx *engine.Tx) (*api.StartGameSessionPlacementOutput, error) {
		q, err := c.queue(tx, in.GameSessionQueueName)
		if err != nil {
			return nil, err
		}
		if in.PriorityConfigurationOverride != nil && (len(q.PriorityOrder) == 0 || q.PriorityOrder[0] != lift.ByLocation) {
			return nil, invalid("PriorityConfigurationOverride needs a queue whose PriorityConfiguration puts LOCATION first; queue %s does not", q.Name)
		}
		before, taken, err := store.Placements.Get(tx, store.InRegion(c.Region, in.PlacementId))
		if err != nil {
			return nil, err
		}
		if taken && before.Status != lift.PlacementCancelled && before.Status != lift.PlacementTimedOut {
			if before.Request != mark {
				return nil, invalid("PlacementId %s names another placement, which is %s; choose another id", in.PlacementId, before.Status)
			}
			return &api.StartGameSessionPlacementOutput{GameSessionPlacement: placementShape(before)}, nil
		}
		p := newPlacement(in)
		p.Region, p.Account, p.Queue, p.Request = c.Region, c.Account, q.Name, mark
		p.StartedAt, p.TryAt = tx.Now, tx.Now
		if taken {
			p.NotedAt = before.NotedAt
		}
		p.Deadline = tx.Now.Add(time.Duration(q.TimeoutSeconds) * time.Second)
		tx.CountPlacement("PlacementsStarted", p)
		return &api.StartGameSessionPlacementOutput{GameSessionPlacement: placementShape(p)}, store.Placements.Put(tx, p)
	})
}

func (s *Service) checkPlacement(in *api.StartGameSessionPlacementInput) error {
	if err := s.checkPlayers(in.MaximumPlayerSessionCount); err != nil {
		return err
	}
	if n := len(in.DesiredPlayerSessions); n > in.MaximumPlayerSessionCount {
		return invalid("DesiredPlayerSessions asks for %d slots, MaximumPlayerSessionCount is %d", n, in.MaximumPlayerSessionCount)
	}
	if in.PriorityConfigurationOverride != nil && len(in.PlayerLatencies) > 0 {
		return invalid("PlayerLatencies and PriorityConfigurationOverride exclude each other")
	}
	for i, d := range in.DesiredPlayerSessions {
		if d.PlayerId == nil {
			return invalid("DesiredPlayerSessions[%d].PlayerId is required", i)
		}
	}
	for i, l := range in.PlayerLatencies {
		if l.PlayerId == nil || l.RegionIdentifier == nil || l.LatencyInMilliseconds == nil {
			return invalid("PlayerLatencies[%d] needs PlayerId, RegionIdentifier and LatencyInMilliseconds", i)
		}
	}
	return nil
}

func newPlacement(in *api.StartGameSessionPlacementInput) *lift.Placement {
	p := &lift.Placement{
		ID: lift.PlacementID(in.PlacementId), Status: lift.PlacementPending, Name: or(in.GameSessionName, ""),
		MaxPlayers: in.MaximumPlayerSessionCount, Properties: properties(in.GameProperties), Data: or(in.GameSessionData, ""),
	}
	if o := in.PriorityConfigurationOverride; o != nil {
		p.Locations, p.OnlyThose = o.LocationOrder, or(o.PlacementFallbackStrategy, fallbackToQueue) == fallbackNone
	}
	for _, d := range in.DesiredPlayerSessions {
		p.Players = append(p.Players, lift.DesiredPlayer{PlayerID: *d.PlayerId, Data: or(d.PlayerData, "")})
	}
	for _, l := range in.PlayerLatencies {
		p.Latencies = append(p.Latencies, lift.PlayerLatency{PlayerID: *l.PlayerId, Region: *l.RegionIdentifier, MS: float64(*l.LatencyInMilliseconds)})
	}
	return p
}

func (s *Service) DescribeGameSessionPlacement(ctx context.Context, in *api.DescribeGameSessionPlacementInput) (*api.DescribeGameSessionPlacementOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeGameSessionPlacementOutput, error) {
		p, err := c.placement(tx, in.PlacementId)
		if err != nil {
			return nil, err
		}
		return &api.DescribeGameSessionPlacementOutput{GameSessionPlacement: placementShape(p)}, nil
	})
}

func (s *Service) StopGameSessionPlacement(ctx context.Context, in *api.StopGameSessionPlacementInput) (*api.StopGameSessionPlacementOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.StopGameSessionPlacementOutput, error) {
		p, err := c.placement(tx, in.PlacementId)
		if err != nil {
			return nil, err
		}
		switch {
		case p.Status != lift.PlacementPending:
			return nil, invalid("placement %s is %s; only a PENDING one can be stopped", p.ID, p.Status)
		case p.SessionID != "":
			return nil, invalid("game session %s is being activated for placement %s, which can no longer be stopped", p.SessionID, p.ID)
		}
		ended := placement.Cancelled(tx.Now, *p)
		return &api.StopGameSessionPlacementOutput{GameSessionPlacement: placementShape(&ended)}, tx.EndPlacement(p, ended)
	})
}

// placementShape shows the game session only of a FULFILLED placement, since
// attempts come and go before (behaviour 8.3).
func placementShape(p *lift.Placement) *api.GameSessionPlacement {
	out := &api.GameSessionPlacement{
		PlacementId: opt(p.ID), GameSessionQueueName: opt(p.Queue), Status: opt(p.Status), GameSessionName: opt(p.Name),
		GameProperties: propertyShapes(p.Properties), MaximumPlayerSessionCount: new(p.MaxPlayers),
		StartTime: p.StartedAt, EndTime: p.EndedAt, GameSessionData: opt(p.Data), MatchmakerData: opt(p.MatchmakerData),
		PlayerGatewayStatus: new(noGateway),
	}
	for _, l := range p.Latencies {
		out.PlayerLatencies = append(out.PlayerLatencies, api.PlayerLatency{PlayerId: opt(l.PlayerID), RegionIdentifier: opt(l.Region), LatencyInMilliseconds: new(float32(l.MS))})
	}
	if p.Locations != nil {
		out.PriorityConfigurationOverride = &api.PriorityConfigurationOverride{LocationOrder: p.Locations, PlacementFallbackStrategy: new(fallbackToQueue)}
		if p.OnlyThose {
			out.PriorityConfigurationOverride.PlacementFallbackStrategy = new(fallbackNone)
		}
	}
	if p.Status == lift.PlacementFulfilled {
		out.GameSessionId, out.GameSessionArn, out.GameSessionRegion = opt(p.SessionID), opt(p.SessionID), opt(lift.ARNRegion(string(p.SessionID)))
		out.IpAddress, out.DnsName, out.Port = opt(p.Address), opt(p.DNSName), positive(p.Port)
		out.PlacedPlayerSessions = make([]api.PlacedPlayerSession, len(p.Placed))
		for i, pl := range p.Placed {
			out.PlacedPlayerSessions[i] = api.PlacedPlayerSession{PlayerId: opt(pl.PlayerID), PlayerSessionId: opt(pl.PlayerSessionID)}
		}
	}
	return out
}
