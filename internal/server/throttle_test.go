package server

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"
	"github.com/aws/smithy-go"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
)

func TestHostedThrottle(t *testing.T) {
	for name := range hostedRates {
		if op := api.Find(name); op == nil || op.Service != "GameLift" {
			t.Errorf("there is no operation %s", name)
		}
	}
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	admit := hostedThrottle()
	here := auth.Caller{Account: "123456789012", Region: "us-west-2", AccessKeyID: "A"}
	there := auth.Caller{Account: "123456789012", Region: "eu-west-1", AccessKeyID: "A"}
	calls := func(c auth.Caller, in api.Shape, op string, at time.Duration, tries int) (n int) {
		for range tries {
			if admit(c, api.Find(op), in, noon.Add(at)) == nil {
				n++
			}
		}
		return n
	}
	placement := func(id string) api.Shape { return &api.DescribeGameSessionPlacementInput{PlacementId: id} }
	for _, step := range []struct {
		name        string
		caller      auth.Caller
		op          string
		in          api.Shape
		at          time.Duration
		tries, want int
	}{
		{"a burst", here, "CreateFleet", nil, 0, 10, 4},
		{"another region", there, "CreateFleet", nil, 0, 10, 4},
		{"another key of the account", auth.Caller{Account: here.Account, Region: here.Region, AccessKeyID: "B"}, "CreateFleet", nil, 0, 10, 0},
		{"another account", auth.Caller{Account: "999999999999", Region: here.Region}, "CreateFleet", nil, 0, 10, 4},
		{"two seconds later", here, "CreateFleet", nil, 2 * time.Second, 10, 2},
		{"peering", here, "CreateVpcPeeringConnection", nil, 3 * time.Second, 10, 1},
		{"peering, soon", here, "CreateVpcPeeringConnection", nil, 12 * time.Second, 10, 0},
		{"peering, later", here, "CreateVpcPeeringConnection", nil, 13 * time.Second, 10, 1},
		{"search", here, "SearchGameSessions", nil, 20 * time.Second, 100, 10},
		{"one placement", here, "DescribeGameSessionPlacement", placement("a"), 30 * time.Second, 100, 10},
		{"another placement", here, "DescribeGameSessionPlacement", placement("b"), 30 * time.Second, 100, 10},
		{"the account", here, "ListFleets", nil, 60 * time.Second, 1000, 500},
		{"the account is used up", here, "DescribeAlias", nil, 60 * time.Second, 10, 0},
		{"our own operations", here, "ExplainFleet", nil, 60 * time.Second, 1000, 1000},
	} {
		if got := calls(step.caller, step.in, step.op, step.at, step.tries); got != step.want {
			t.Errorf("%s: %d of %d calls got through, want %d", step.name, got, step.tries, step.want)
		}
	}
}

// TestProfiles serves each profile to the stock SDK.
func TestProfiles(t *testing.T) {
	client := func(profile string) *gamelift.Client {
		dir := t.TempDir()
		s := open(t, Options{Data: dir, Profile: profile})
		c, err := auth.ReadCredentials(filepath.Join(dir, "credentials"))
		if err != nil {
			t.Fatal(err)
		}
		return gamelift.NewFromConfig(aws.Config{Region: "us-west-2", BaseEndpoint: new(s.URL()), Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, "")},
			func(o *gamelift.Options) { o.RetryMaxAttempts = 1 })
	}
	ctx := context.Background()
	alias := func(gl *gamelift.Client) error {
		_, err := gl.CreateAlias(ctx, &gamelift.CreateAliasInput{Name: new("a"), RoutingStrategy: &types.RoutingStrategy{Type: types.RoutingStrategyTypeTerminal, Message: new("m")}})
		return err
	}
	queue := func(gl *gamelift.Client) error {
		_, err := gl.CreateGameSessionQueue(ctx, &gamelift.CreateGameSessionQueueInput{Name: new("q"), TimeoutInSeconds: new(int32(5))})
		return err
	}

	standard := client("standard")
	for range 25 {
		if err := alias(standard); err != nil {
			t.Fatalf("standard: %v", err)
		}
	}
	if err := queue(standard); err == nil {
		t.Error("standard: a queue may wait 5 s, which later rules refuse")
	}
	hosted := client("hosted")
	var err error
	for range 5 {
		err = alias(hosted)
	}
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "ThrottlingException" || !strings.HasPrefix(e.ErrorMessage(), "Rate exceeded") {
		t.Errorf("hosted: the fifth alias at once: %v", err)
	}
	if err := queue(client("2019")); err != nil {
		t.Errorf("2019: a queue that waits 5 s: %v", err)
	}
	if _, err := Open(ctx, Options{Data: t.TempDir(), Profile: "1999"}); err == nil || !strings.Contains(err.Error(), "standard, hosted and 2019") {
		t.Errorf("an unknown profile: %v", err)
	}
}
