package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"
)

// seat is what a player needs to knock at a game server.
type seat struct {
	playerID        string
	playerSessionID string
	address         string // host:port
	gameSession     string // ARN, if known
	at              time.Time
	team            string // if a match gave one
}

// lift is the part of the GameLift client that bots use.
type lift interface {
	CreatePlayerSession(context.Context, *gamelift.CreatePlayerSessionInput, ...func(*gamelift.Options)) (*gamelift.CreatePlayerSessionOutput, error)
	StartGameSessionPlacement(context.Context, *gamelift.StartGameSessionPlacementInput, ...func(*gamelift.Options)) (*gamelift.StartGameSessionPlacementOutput, error)
	DescribeGameSessionPlacement(context.Context, *gamelift.DescribeGameSessionPlacementInput, ...func(*gamelift.Options)) (*gamelift.DescribeGameSessionPlacementOutput, error)
	StartMatchmaking(context.Context, *gamelift.StartMatchmakingInput, ...func(*gamelift.Options)) (*gamelift.StartMatchmakingOutput, error)
	DescribeMatchmaking(context.Context, *gamelift.DescribeMatchmakingInput, ...func(*gamelift.Options)) (*gamelift.DescribeMatchmakingOutput, error)
	AcceptMatch(context.Context, *gamelift.AcceptMatchInput, ...func(*gamelift.Options)) (*gamelift.AcceptMatchOutput, error)
}

// bySession takes a seat in a game session that exists.
func bySession(ctx context.Context, api lift, arn, playerID string) (seat, error) {
	out, err := api.CreatePlayerSession(ctx, &gamelift.CreatePlayerSessionInput{GameSessionId: &arn, PlayerId: &playerID})
	if err != nil {
		return seat{playerID: playerID}, err
	}
	p := out.PlayerSession
	return seat{playerID, text(p.PlayerSessionId), address(p.IpAddress, p.Port), arn, time.Now(), ""}, nil
}

// traits are what a matchmaker or a queue may want to know of a player.
type traits struct {
	attributes map[string]types.AttributeValue
	spread     map[string][2]float64 // of the first party and of the last
	latency    map[string]int32      // region to milliseconds
}

// of returns the traits of one of n parties.
func (t traits) of(i, n int) traits {
	if len(t.spread) == 0 {
		return t
	}
	mine := traits{attributes: maps.Clone(t.attributes), latency: t.latency}
	for name, s := range t.spread {
		mine.set(name, types.AttributeValue{N: new(s[0] + (s[1]-s[0])*float64(i)/float64(max(n-1, 1)))})
	}
	return mine
}

func (t *traits) set(name string, a types.AttributeValue) {
	if t.attributes == nil {
		t.attributes = make(map[string]types.AttributeValue)
	}
	t.attributes[name] = a
}

// parseTraits reads "skill=12.5,mode=ctf,level=1..9" and
// "us-west-2=30,eu-west-1=110". An attribute that looks like a number is one.
func parseTraits(attributes, latency string) (traits, error) {
	t := traits{}
	err := pairs(attributes, func(name, value string) error {
		first, last, _ := strings.Cut(value, "..")
		lo, err := strconv.ParseFloat(first, 64)
		hi, errHi := strconv.ParseFloat(last, 64)
		switch {
		case err == nil && errHi == nil:
			if t.spread == nil {
				t.spread = make(map[string][2]float64)
			}
			t.spread[name] = [2]float64{lo, hi}
		case err == nil && last == "":
			t.set(name, types.AttributeValue{N: &lo})
		default:
			t.set(name, types.AttributeValue{S: &value})
		}
		return nil
	})
	if err != nil {
		return t, fmt.Errorf("-attributes: %w", err)
	}
	err = pairs(latency, func(region, value string) error {
		ms, err := strconv.ParseInt(value, 10, 32)
		if err != nil || ms < 0 {
			return fmt.Errorf("%q is not a number of milliseconds", value)
		}
		if t.latency == nil {
			t.latency = make(map[string]int32)
		}
		t.latency[region] = int32(ms)
		return nil
	})
	if err != nil {
		return t, fmt.Errorf("-latency: %w", err)
	}
	return t, nil
}

func pairs(list string, each func(name, value string) error) error {
	if list == "" {
		return nil
	}
	for pair := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || value == "" {
			return fmt.Errorf("%q is not name=value", pair)
		}
		if err := each(name, value); err != nil {
			return err
		}
	}
	return nil
}

// byQueue has one game session placed for all players, and waits for it.
func byQueue(ctx context.Context, api lift, queue string, playerIDs []string, seats int, t traits) ([]seat, error) {
	id := "bot-" + strings.ToLower(rand.Text())
	in := &gamelift.StartGameSessionPlacementInput{
		GameSessionQueueName: &queue, PlacementId: &id, MaximumPlayerSessionCount: new(int32(max(seats, len(playerIDs)))),
	}
	for _, p := range playerIDs {
		in.DesiredPlayerSessions = append(in.DesiredPlayerSessions, types.DesiredPlayerSession{PlayerId: &p})
		for region, ms := range t.latency {
			in.PlayerLatencies = append(in.PlayerLatencies, types.PlayerLatency{PlayerId: &p, RegionIdentifier: &region, LatencyInMilliseconds: new(float32(ms))})
		}
	}
	started, err := api.StartGameSessionPlacement(ctx, in)
	if err != nil {
		return nil, err
	}
	placement := started.GameSessionPlacement
	for wait := newWait(); placement.Status == types.GameSessionPlacementStatePending; {
		if err := wait.next(ctx); err != nil {
			return nil, fmt.Errorf("placement %s is still %s: %w", id, placement.Status, err)
		}
		now, err := api.DescribeGameSessionPlacement(ctx, &gamelift.DescribeGameSessionPlacementInput{PlacementId: &id})
		if err != nil {
			return nil, err
		}
		placement = now.GameSessionPlacement
	}
	if placement.Status != types.GameSessionPlacementStateFulfilled {
		return nil, fmt.Errorf("placement %s ended %s", id, placement.Status)
	}
	var got []seat
	for _, p := range placement.PlacedPlayerSessions {
		got = append(got, seat{text(p.PlayerId), text(p.PlayerSessionId), address(placement.IpAddress, placement.Port), text(placement.GameSessionArn), time.Now(), ""})
	}
	if len(got) != len(playerIDs) {
		return got, fmt.Errorf("placement %s has seats for %d of %d players", id, len(got), len(playerIDs))
	}
	return got, nil
}

// byMatchmaker asks for a match for players who want to be together, accepts it
// if need be, and waits until it is placed.
func byMatchmaker(ctx context.Context, api lift, configuration string, playerIDs []string, t traits) ([]seat, error) {
	in := &gamelift.StartMatchmakingInput{ConfigurationName: &configuration}
	for _, p := range playerIDs {
		in.Players = append(in.Players, types.Player{PlayerId: &p, PlayerAttributes: t.attributes, LatencyInMs: t.latency})
	}
	started, err := api.StartMatchmaking(ctx, in)
	if err != nil {
		return nil, err
	}
	ticket := *started.MatchmakingTicket
	accepted := false
	for wait := newWait(); ; {
		switch ticket.Status {
		case types.MatchmakingConfigurationStatusCompleted:
			game := ticket.GameSessionConnectionInfo
			team := make(map[string]string)
			for _, p := range ticket.Players {
				team[text(p.PlayerId)] = text(p.Team)
			}
			var got []seat
			for _, p := range game.MatchedPlayerSessions {
				got = append(got, seat{text(p.PlayerId), text(p.PlayerSessionId), address(game.IpAddress, game.Port), text(game.GameSessionArn), time.Now(), team[text(p.PlayerId)]})
			}
			if len(got) != len(playerIDs) {
				return got, fmt.Errorf("ticket %s is completed with seats for %d of its %d players", text(ticket.TicketId), len(got), len(playerIDs))
			}
			return got, nil
		case types.MatchmakingConfigurationStatusFailed, types.MatchmakingConfigurationStatusTimedOut, types.MatchmakingConfigurationStatusCancelled:
			return nil, fmt.Errorf("ticket %s ended %s: %s", text(ticket.TicketId), ticket.Status, text(ticket.StatusMessage))
		case types.MatchmakingConfigurationStatusRequiresAcceptance:
			if accepted {
				break
			}
			_, err := api.AcceptMatch(ctx, &gamelift.AcceptMatchInput{
				TicketId: ticket.TicketId, PlayerIds: playerIDs, AcceptanceType: types.AcceptanceTypeAccept,
			})
			if err != nil {
				return nil, err
			}
			accepted = true
		}
		if err := wait.next(ctx); err != nil {
			return nil, fmt.Errorf("ticket %s is still %s: %w", text(ticket.TicketId), ticket.Status, err)
		}
		now, err := api.DescribeMatchmaking(ctx, &gamelift.DescribeMatchmakingInput{TicketIds: []string{text(ticket.TicketId)}})
		if err != nil {
			return nil, err
		}
		if len(now.TicketList) != 1 {
			return nil, fmt.Errorf("ticket %s is gone", text(ticket.TicketId))
		}
		ticket = now.TicketList[0]
	}
}

// wait paces the questions whether something is done: eager at first.
type wait struct{ pause time.Duration }

func newWait() *wait { return &wait{50 * time.Millisecond} }

func (w *wait) next(ctx context.Context) error {
	timer := time.NewTimer(w.pause)
	defer timer.Stop()
	w.pause = min(w.pause*3/2, time.Second)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func address(host *string, port *int32) string {
	if port == nil {
		return text(host)
	}
	return net.JoinHostPort(text(host), strconv.Itoa(int(*port)))
}
