package server

import (
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/throttle"
)

// The rates of the hosted service, for each account and region (behaviour 10):
// of all calls together, and of some operations besides.
var (
	accountRate = throttle.Rate{Burst: 500, PerSecond: 500}
	hostedRates = map[string]throttle.Rate{
		"AcceptMatch":                   {Burst: 100, PerSecond: 100},
		"ClaimGameServer":               {Burst: 40, PerSecond: 20},
		"CreateAlias":                   {Burst: 4, PerSecond: 1},
		"CreateBuild":                   {Burst: 10, PerSecond: 1},
		"CreateFleet":                   {Burst: 4, PerSecond: 1},
		"CreateGameSession":             {Burst: 50, PerSecond: 50},
		"CreateGameSessionQueue":        {Burst: 4, PerSecond: 1},
		"CreatePlayerSession":           {Burst: 50, PerSecond: 50},
		"CreatePlayerSessions":          {Burst: 150, PerSecond: 150},
		"CreateScript":                  {Burst: 10, PerSecond: 1},
		"CreateVpcPeeringAuthorization": {Burst: 1, PerSecond: 0.1},
		"CreateVpcPeeringConnection":    {Burst: 1, PerSecond: 0.1},
		"DeleteVpcPeeringAuthorization": {Burst: 1, PerSecond: 0.1},
		"DeleteVpcPeeringConnection":    {Burst: 1, PerSecond: 0.1},
		"SearchGameSessions":            {Burst: 10, PerSecond: 5},
	}
	// pollRate is how often one thing may be asked for. That there is such a rate is
	// known, how high it is not (behaviour 10): we take that of the Server SDK's
	// questions.
	pollRate = throttle.Rate{Burst: 10, PerSecond: 5}
)

// hostedThrottle refuses what the hosted service would. Our own operations are
// never throttled: they are for those who look after the service.
func hostedThrottle() func(auth.Caller, *api.Operation, api.Shape, time.Time) error {
	var buckets throttle.Buckets
	return func(c auth.Caller, op *api.Operation, in api.Shape, now time.Time) error {
		if op.Service != "GameLift" {
			return nil
		}
		account := c.Account + "/" + c.Region
		wants := []throttle.Want{{Bucket: account, Rate: accountRate}, {Bucket: account + "/" + op.Name, Rate: hostedRates[op.Name]}}
		if what := polled(in); what != "" {
			wants = append(wants, throttle.Want{Bucket: account + "/" + op.Name + "/" + what, Rate: pollRate})
		}
		if buckets.Take(now, wants...) {
			return nil
		}
		return lift.Errorf(lift.Throttling, "Rate exceeded. The profile hosted imitates the rates of the hosted service for %s; call less often, or serve with --profile standard", op.Name)
	}
}

// polled names the one thing that a question is about, for the questions that
// are throttled by it.
func polled(in api.Shape) string {
	first := func(names ...*string) string {
		for _, n := range names {
			if n != nil {
				return *n
			}
		}
		return ""
	}
	switch in := in.(type) {
	case *api.DescribeGameSessionPlacementInput:
		return in.PlacementId
	case *api.DescribeGameSessionsInput:
		return first(in.GameSessionId, in.AliasId, in.FleetId)
	case *api.DescribePlayerSessionsInput:
		return first(in.PlayerSessionId, in.GameSessionId, in.PlayerId)
	case *api.DescribeMatchmakingInput:
		return strings.Join(in.TicketIds, ",")
	}
	return ""
}

// codesOf returns what event codes were called in the profile's era: that of a
// failed install script came later (behaviour 2.3).
func codesOf(profile string) map[lift.EventCode]lift.EventCode {
	if profile != "2019" {
		return nil
	}
	return map[lift.EventCode]lift.EventCode{lift.FleetFailedInstaller: lift.FleetInitializationFailed}
}
