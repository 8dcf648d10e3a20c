package ops

import (
	"context"
	"maps"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/engine/matcher"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

const describeTickets = 10 // flexmatch 1

// StartMatchmaking notes the wish for a match; the matcher of the configuration
// looks for it. A ticket that can never match is taken all the same and times
// out (flexmatch 10.2); ExplainTicket says so at once.
func (s *Service) StartMatchmaking(ctx context.Context, in *api.StartMatchmakingInput) (*api.StartMatchmakingOutput, error) {
	t, err := s.ask(ctx, in.ConfigurationName, in.TicketId, in.Players, engine.Wish{})
	if err != nil {
		return nil, err
	}
	return &api.StartMatchmakingOutput{MatchmakingTicket: ticketShape(t)}, nil
}

// StartMatchBackfill notes that a match that runs wants more players
// (flexmatch 14).
func (s *Service) StartMatchBackfill(ctx context.Context, in *api.StartMatchBackfillInput) (*api.StartMatchBackfillOutput, error) {
	t, err := s.ask(ctx, in.ConfigurationName, in.TicketId, in.Players, engine.Wish{Backfill: true, Session: sessionID(or(in.GameSessionArn, ""))})
	if err != nil {
		return nil, err
	}
	return &api.StartMatchBackfillOutput{MatchmakingTicket: ticketShape(t)}, nil
}

// ask turns a request into a ticket. What the request alone shows to be wrong
// is refused before the transaction.
func (s *Service) ask(ctx context.Context, configuration string, id *string, players []api.Player, w engine.Wish) (*lift.Ticket, error) {
	c := s.caller(ctx)
	if id != nil && *id == "" {
		return nil, invalid("TicketId must not be empty; leave it out to have one made")
	}
	w.ID, w.Players = lift.TicketID(or(id, "")), ticketPlayersOf(players)
	if err := engine.CheckPlayers(w.Players, w.Backfill); err != nil {
		return nil, err
	}
	return once(ctx, s, func(tx *engine.Tx) (*lift.Ticket, error) {
		m, err := c.configuration(tx, configuration)
		if err != nil {
			return nil, err
		}
		return tx.Ask(m, w)
	})
}

// ticketPlayersOf reads the players of a new ticket.
func ticketPlayersOf(in []api.Player) []lift.TicketPlayer {
	out := make([]lift.TicketPlayer, len(in))
	for i, p := range in {
		out[i] = lift.TicketPlayer{ID: or(p.PlayerId, ""), Team: or(p.Team, ""), LatencyMS: maps.Clone(p.LatencyInMs)}
		for name, v := range p.PlayerAttributes {
			if out[i].Attributes == nil {
				out[i].Attributes = map[string]lift.Attribute{}
			}
			out[i].Attributes[name] = lift.Attribute{N: v.N, S: v.S, SL: v.SL, SDM: v.SDM}
		}
	}
	return out
}

func (c caller) ticket(tx store.Tx, given string) (*lift.Ticket, error) {
	return find(c, tx, store.Tickets, store.InRegion(c.Region, given), given, func(*lift.Ticket) bool { return true })
}

// DescribeMatchmaking shows the tickets that exist; unknown ids are left out.
func (s *Service) DescribeMatchmaking(ctx context.Context, in *api.DescribeMatchmakingInput) (*api.DescribeMatchmakingOutput, error) {
	c := s.caller(ctx)
	if n := len(in.TicketIds); n < 1 || n > describeTickets {
		return nil, invalid("TicketIds names 1 to %d tickets, got %d", describeTickets, n)
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeMatchmakingOutput, error) {
		var ts []*lift.Ticket
		for _, id := range in.TicketIds {
			t, err := c.ticket(tx, id)
			switch {
			case err == nil:
				ts = append(ts, t)
			case !isKind(err, lift.NotFound):
				return nil, err
			}
		}
		return &api.DescribeMatchmakingOutput{TicketList: shapes(ts, ticketShape)}, nil
	})
}

func (s *Service) StopMatchmaking(ctx context.Context, in *api.StopMatchmakingInput) (*api.StopMatchmakingOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.StopMatchmakingOutput, error) {
		t, err := c.ticket(tx, in.TicketId)
		if err != nil {
			return nil, err
		}
		return &api.StopMatchmakingOutput{}, tx.StopTicket(t, "", "")
	})
}

func (s *Service) AcceptMatch(ctx context.Context, in *api.AcceptMatchInput) (*api.AcceptMatchOutput, error) {
	c := s.caller(ctx)
	if len(in.PlayerIds) == 0 {
		return nil, invalid("PlayerIds must name a player")
	}
	return change(ctx, s, func(tx *engine.Tx) (*api.AcceptMatchOutput, error) {
		t, err := c.ticket(tx, in.TicketId)
		if err != nil {
			return nil, err
		}
		return &api.AcceptMatchOutput{}, tx.AnswerMatch(t, in.PlayerIds, in.AcceptanceType == "ACCEPT")
	})
}

// ExplainTicket says why a ticket is in its status: of one that waits, what
// keeps it from the tickets nearest to it.
func (s *Service) ExplainTicket(ctx context.Context, in *api.ExplainTicketInput) (*api.ExplainTicketOutput, error) {
	c := s.caller(ctx)
	now := s.engine.Now()
	return read(ctx, s, func(tx store.Tx) (*api.ExplainTicketOutput, error) {
		t, err := c.ticket(tx, in.TicketId)
		if err != nil {
			return nil, err
		}
		a, err := explainTicket(tx, now, t)
		if err != nil {
			return nil, err
		}
		out := &api.ExplainTicketOutput{TicketId: opt(t.ID), ConfigurationName: opt(t.Configuration), Status: opt(t.Status), Reasons: a.reasons, Next: a.next}
		if t.Session != nil {
			out.GameSessionId = opt(t.Session.SessionID)
		}
		return out, nil
	})
}

func explainTicket(tx store.Tx, now time.Time, t *lift.Ticket) (account, error) {
	var a account
	took := t.EndedAt.Sub(t.StartedAt).Round(time.Millisecond)
	switch t.Status {
	case lift.TicketQueued, lift.TicketSearching:
		if t.Message != "" {
			a.because("it searches again: %s", t.Message)
		}
		why, err := matcher.Explain(tx, now, t)
		if err != nil {
			return a, err
		}
		a.reasons = append(a.reasons, why...)
		a.because("it times out in %s", t.Deadline.Sub(now).Round(time.Second))
	case lift.TicketRequiresAcceptance:
		m, err := store.Matches.Find(tx, store.InRegion(t.Region, string(t.Match)))
		if err != nil {
			return a, err
		}
		for _, seat := range m.Seats {
			if seat.Accepted == nil && seat.Ticket != m.Backfill {
				a.because("player %s of ticket %s has not answered the proposed match", seat.PlayerID, seat.Ticket)
			}
		}
		a.because("the match is dropped in %s if somebody has not accepted", m.AnswerBy.Sub(now).Round(time.Second))
		a.advise("each player's client must call AcceptMatch")
	case lift.TicketPlacing:
		a.because("its match %s waits for a game session", t.Match)
		a.advise("chairlift why placement %s", t.Match)
	case lift.TicketCompleted:
		if t.Backfill != nil {
			a.because("players were found for its match after %s", took)
			break
		}
		a.because("it was matched after %s, in match %s", took, t.Match)
	default:
		a.because("it ended after %s: %s", took, t.Message)
		if t.Status == lift.TicketTimedOut {
			a.advise("raise RequestTimeoutSeconds, or relax the rules with expansions: `chairlift flexmatch explain` tries rule sets at the desk")
		}
	}
	return a, nil
}

// ticketShape shows a ticket. Only one that is COMPLETED says where to play.
func ticketShape(t *lift.Ticket) *api.MatchmakingTicket {
	m := lift.MatchmakingConfiguration{Name: t.Configuration, Region: t.Region, Account: t.Account}
	out := &api.MatchmakingTicket{
		TicketId: opt(t.ID), ConfigurationName: opt(m.Name), ConfigurationArn: opt(m.ARN()), Status: opt(t.Status),
		StatusReason: opt(t.Reason), StatusMessage: opt(t.Message), StartTime: t.StartedAt, EndTime: t.EndedAt,
		EstimatedWaitTime: positive(t.EstimatedWaitSeconds), Players: make([]api.Player, len(t.Players)),
	}
	for i, p := range t.Players {
		sp := &out.Players[i]
		*sp = api.Player{PlayerId: opt(p.ID), Team: opt(p.Team), LatencyInMs: p.LatencyMS}
		for name, a := range p.Attributes {
			if sp.PlayerAttributes == nil {
				sp.PlayerAttributes = map[string]api.AttributeValue{}
			}
			sp.PlayerAttributes[name] = api.AttributeValue{S: a.S, N: a.N, SL: a.SL, SDM: a.SDM}
		}
	}
	if s := t.Session; s != nil {
		info := &api.GameSessionConnectionInfo{
			GameSessionArn: opt(s.SessionID), IpAddress: opt(s.Address), DnsName: opt(s.DNSName), Port: positive(s.Port),
			MatchedPlayerSessions: make([]api.MatchedPlayerSession, len(s.Placed)),
			PlayerGatewayStatus:   new("DISABLED"), // there is no player gateway: clients connect to the server itself
		}
		for i, pl := range s.Placed {
			info.MatchedPlayerSessions[i] = api.MatchedPlayerSession{PlayerId: opt(pl.PlayerID), PlayerSessionId: opt(pl.PlayerSessionID)}
		}
		out.GameSessionConnectionInfo = info
	}
	return out
}
