package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/chairlift-games/chairlift/internal/auth"
)

// sdkHarness serves over a real socket with the real clock, shifted by skew.
func sdkHarness(t *testing.T, skew time.Duration) (*harness, aws.Config) {
	t.Helper()
	h := newHarness(t)
	h.front.API.(*Handler).o.Now = func() time.Time { return time.Now().Add(skew) }
	server := httptest.NewServer(h.front)
	t.Cleanup(server.Close)
	return h, aws.Config{
		Region:       "us-west-2",
		BaseEndpoint: aws.String(server.URL),
		Credentials:  sdkCredentials,
		HTTPClient:   server.Client(),
	}
}

var sdkCredentials = aws.NewCredentialsCache(staticCredentials())

func staticCredentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "")
}

// TestStockSDK drives the stock AWS SDK for Go.
func TestStockSDK(t *testing.T) {
	h, config := sdkHarness(t, 0)
	client := gamelift.NewFromConfig(config, func(o *gamelift.Options) { o.RetryMaxAttempts = 1 })

	list, err := client.ListFleets(t.Context(), &gamelift.ListFleetsInput{Limit: aws.Int32(5)})
	if err != nil || strings.Join(list.FleetIds, " ") != "fleet-1 fleet-2" || *list.NextToken != "next" {
		t.Fatalf("%+v, %v", list, err)
	}
	if len(h.fake.invoked[0]) != 36 {
		t.Errorf("invocation id %q", h.fake.invoked)
	}

	session, err := client.CreatePlayerSession(t.Context(), &gamelift.CreatePlayerSessionInput{
		GameSessionId: aws.String("arn:aws:gamelift:us-west-2::gamesession/fleet-1/gsess-1"), PlayerId: aws.String("é\"\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := session.PlayerSession; *p.PlayerId != "é\"\n" || p.Status != types.PlayerSessionStatusReserved || *p.Port != 7777 || !p.CreationTime.Equal(time.UnixMilli(1567512000123)) {
		t.Errorf("%+v", p)
	}
	if _, err := client.DeleteAlias(t.Context(), &gamelift.DeleteAliasInput{AliasId: aws.String("alias-1")}); err != nil {
		t.Errorf("an operation without output: %v", err)
	}

	_, err = client.CreatePlayerSessions(t.Context(), &gamelift.CreatePlayerSessionsInput{GameSessionId: aws.String("arn:x"), PlayerIds: []string{"p"}})
	full, ok := errors.AsType[*types.GameSessionFullException](err)
	if !ok || aws.ToString(full.Message) != "The game session has no free slot." {
		t.Errorf("a declared exception arrives as %v", err)
	}

	_, err = client.ListAliases(t.Context(), &gamelift.ListAliasesInput{})
	if e, ok := errors.AsType[*types.InvalidRequestException](err); !ok || aws.ToString(e.Message) != "Full." {
		t.Errorf("an undeclared exception arrives as %v", err)
	}

	_, err = client.CreateFleet(t.Context(), &gamelift.CreateFleetInput{Name: aws.String("f"), FleetType: "SPOTTY"})
	if e, ok := errors.AsType[*types.InvalidRequestException](err); !ok || !strings.Contains(aws.ToString(e.Message), "FleetType: must be one of ON_DEMAND, SPOT") {
		t.Errorf("a violation arrives as %v", err)
	}

	config.Credentials = credentials.NewStaticCredentialsProvider("AKIDNOBODY", "x", "")
	_, err = gamelift.NewFromConfig(config).ListFleets(t.Context(), &gamelift.ListFleetsInput{})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "UnrecognizedClientException" || !strings.Contains(e.ErrorMessage(), "chairlift env") {
		t.Errorf("an unknown key arrives as %v", err)
	}
}

// TestStockSDKRetriesThrottling: with the right name the SDK tries again, under
// the same invocation id.
func TestStockSDKRetriesThrottling(t *testing.T) {
	h, config := sdkHarness(t, 0)
	client := gamelift.NewFromConfig(config, func(o *gamelift.Options) {
		o.RetryMaxAttempts = 2
	})
	_, err := client.SearchGameSessions(t.Context(), &gamelift.SearchGameSessionsInput{FleetId: aws.String("fleet-1")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != throttling {
		t.Errorf("%v", err)
	}
	if len(h.calls) != 2 {
		t.Errorf("%d attempts, want 2", len(h.calls))
	}
}

// TestStockSDKCorrectsItsClock: a client whose clock is wrong hears the time from
// us and gets through at the second attempt.
func TestStockSDKCorrectsItsClock(t *testing.T) {
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		h, config := sdkHarness(t, skew)
		client := gamelift.NewFromConfig(config)
		if _, err := client.ListFleets(t.Context(), &gamelift.ListFleetsInput{}); err != nil {
			t.Errorf("skew %v: %v", skew, err)
		}
		if len(h.calls) != 2 || h.calls[0].Code != invalidSignature {
			t.Errorf("skew %v: %+v", skew, h.calls)
		}
	}
}

func TestStockSTS(t *testing.T) {
	_, config := sdkHarness(t, 0)
	who, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != "123456789012" || *who.Arn != "arn:aws:iam::123456789012:user/AKIDEXAMPLE" || *who.UserId == "" {
		t.Errorf("%+v, %v", who, err)
	}
	config.Credentials = credentials.NewStaticCredentialsProvider("AKIDNOBODY", "x", "")
	_, err = sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidClientTokenId" {
		t.Errorf("%v", err)
	}
	_, err = sts.NewFromConfig(config).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() == "" {
		t.Errorf("%v", err)
	}
}

// TestStockPresigned: what the stock signer presigns is taken, in both protocols,
// with and without temporary credentials, and only as it was signed.
func TestStockPresigned(t *testing.T) {
	h, config := sdkHarness(t, 0)
	minter := auth.NewTemporary([]byte("master"))
	h.front.API.(*Handler).o.Verifier.Temporary = minter
	temporary := minter.Mint(auth.Grant{Account: "123456789012", Principal: "arn:aws:sts::123456789012:assumed-role/x/y", Policy: auth.Everything(), Expires: time.Now().Add(time.Hour)})

	whoami, err := sts.NewPresignClient(sts.NewFromConfig(config)).PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := config.HTTPClient.Do(must(http.NewRequest(whoami.Method, whoami.URL, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != 200 || !strings.Contains(string(text), "user/AKIDEXAMPLE") {
		t.Errorf("a presigned GetCallerIdentity: %d %s", answer.StatusCode, text)
	}

	for name, creds := range map[string]aws.Credentials{
		"a key":                 {AccessKeyID: testCredentials.AccessKeyID, SecretAccessKey: testCredentials.SecretAccessKey},
		"temporary credentials": {AccessKeyID: temporary.AccessKeyID, SecretAccessKey: temporary.SecretAccessKey, SessionToken: temporary.SessionToken},
	} {
		for _, request := range []struct{ path, body, header, value string }{
			{"/", `{"Limit": 5}`, "X-Amz-Target", "GameLift.ListFleets"},
			{"/service/GameLift/operation/ListFleets", "\xa0", "Smithy-Protocol", "rpc-v2-cbor"},
		} {
			send := func(age time.Duration, body string) (int, string) {
				r := must(http.NewRequest("POST", *config.BaseEndpoint+request.path+"?X-Amz-Expires=60", nil))
				r.Header.Set(request.header, request.value)
				hash := sha256.Sum256([]byte(request.body))
				url, header, err := v4.NewSigner().PresignHTTP(t.Context(), creds, r, hex.EncodeToString(hash[:]), "gamelift", "us-west-2", time.Now().Add(-age))
				if err != nil {
					t.Fatal(err)
				}
				r = must(http.NewRequest("POST", url, strings.NewReader(body)))
				maps.Copy(r.Header, header)
				answer, err := config.HTTPClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				text, err := io.ReadAll(answer.Body)
				if err != nil {
					t.Fatal(err)
				}
				return answer.StatusCode, string(text)
			}
			if status, text := send(0, request.body); status != 200 || !strings.Contains(text, "fleet-2") {
				t.Errorf("%s, %s: %d %s", name, request.path, status, text)
			}
			if status, text := send(2*time.Minute, request.body); status != 400 || !strings.Contains(text, "RequestExpired") {
				t.Errorf("%s, %s, expired: %d %s", name, request.path, status, text)
			}
			if status, text := send(-4*time.Minute, request.body); status != 200 {
				t.Errorf("%s, %s, signed by a clock a little fast: %d %s", name, request.path, status, text)
			}
			if status, text := send(-6*time.Minute, request.body); status != 400 || !strings.Contains(text, "not yet current") {
				t.Errorf("%s, %s, of the future: %d %s", name, request.path, status, text)
			}
			if status, text := send(0, " "+request.body); status != 400 || !strings.Contains(text, invalidSignature) {
				t.Errorf("%s, %s, another body: %d %s", name, request.path, status, text)
			}
		}
	}
}

// TestStockSDKWithSessionToken: temporary credentials work for the API as far
// as their policy goes, and until they end.
func TestStockSDKWithSessionToken(t *testing.T) {
	h, config := sdkHarness(t, 0)
	minter := auth.NewTemporary([]byte("master"))
	h.front.API.(*Handler).o.Verifier.Temporary = minter
	client := func(expires time.Time) *gamelift.Client {
		policy, _ := auth.ReadyMade("read-only")
		c := minter.Mint(auth.Grant{Account: "123456789012", Principal: "arn:aws:sts::123456789012:assumed-role/x/y", Policy: policy, Expires: expires})
		config.Credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
		return gamelift.NewFromConfig(config, func(o *gamelift.Options) { o.RetryMaxAttempts = 1 })
	}
	gl := client(time.Now().Add(time.Minute))
	if _, err := gl.ListFleets(t.Context(), &gamelift.ListFleetsInput{}); err != nil {
		t.Error(err)
	}
	_, err := gl.DeleteAlias(t.Context(), &gamelift.DeleteAliasInput{AliasId: aws.String("alias-1")})
	if e, ok := errors.AsType[*types.UnauthorizedException](err); !ok || !strings.Contains(e.ErrorMessage(), "gamelift:DeleteAlias on arn:aws:gamelift:us-west-2::alias/alias-1") {
		t.Errorf("beyond the policy: %v", err)
	}
	_, err = client(time.Now().Add(-time.Minute)).ListFleets(t.Context(), &gamelift.ListFleetsInput{})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "ExpiredTokenException" {
		t.Errorf("after their end: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
