package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/golden"
	"github.com/chairlift-games/chairlift/internal/lift"
)

var testCredentials = auth.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

// fake is a small service whose operations show every way to answer.
type fake struct {
	api.Unimplemented
	calls   int
	invoked []string // invocation ids
}

func (f *fake) ListFleets(ctx context.Context, in *api.ListFleetsInput) (*api.ListFleetsOutput, error) {
	f.calls++
	f.invoked = append(f.invoked, auth.CallerFrom(ctx).InvocationID)
	return &api.ListFleetsOutput{FleetIds: []string{"fleet-1", "fleet-2"}, NextToken: new("next")}, nil
}

func (f *fake) CreatePlayerSession(ctx context.Context, in *api.CreatePlayerSessionInput) (*api.CreatePlayerSessionOutput, error) {
	return &api.CreatePlayerSessionOutput{PlayerSession: &api.PlayerSession{
		PlayerSessionId: new("psess-00000000-0000-4000-8000-000000000001"),
		PlayerId:        new(in.PlayerId),
		PlayerData:      in.PlayerData,
		GameSessionId:   new(in.GameSessionId),
		FleetId:         new("fleet-1"),
		CreationTime:    time.UnixMilli(1567512000123).UTC(),
		Status:          new("RESERVED"),
		IpAddress:       new("10.0.0.2"),
		Port:            new(7777),
	}}, nil
}

func (f *fake) CreatePlayerSessions(context.Context, *api.CreatePlayerSessionsInput) (*api.CreatePlayerSessionsOutput, error) {
	return nil, lift.Errorf(lift.GameSessionFull, "The game session has no free slot.")
}

// ListAliases answers an error it does not declare.
func (f *fake) ListAliases(context.Context, *api.ListAliasesInput) (*api.ListAliasesOutput, error) {
	return nil, lift.Errorf(lift.GameSessionFull, "Full.")
}

func (f *fake) ListBuilds(context.Context, *api.ListBuildsInput) (*api.ListBuildsOutput, error) {
	panic("a slip")
}

func (f *fake) ListScripts(context.Context, *api.ListScriptsInput) (*api.ListScriptsOutput, error) {
	return nil, errors.New("disk on fire at /secret/path")
}

func (f *fake) ListLocations(context.Context, *api.ListLocationsInput) (*api.ListLocationsOutput, error) {
	return nil, nil
}

func (f *fake) DeleteAlias(context.Context, *api.DeleteAliasInput) (*api.DeleteAliasOutput, error) {
	return nil, nil
}

func (f *fake) SearchGameSessions(context.Context, *api.SearchGameSessionsInput) (*api.SearchGameSessionsOutput, error) {
	return nil, lift.Errorf(lift.Throttling, "Rate exceeded")
}

func (f *fake) DescribeScript(ctx context.Context, in *api.DescribeScriptInput) (*api.DescribeScriptOutput, error) {
	return nil, auth.Caller{Principal: "somebody"}.Check("gamelift:Other", "*")
}

func (f *fake) DescribeScalingPolicies(context.Context, *api.DescribeScalingPoliciesInput) (*api.DescribeScalingPoliciesOutput, error) {
	return &api.DescribeScalingPoliciesOutput{ScalingPolicies: []api.ScalingPolicy{{Threshold: new(23.0), EvaluationPeriods: new(1)}}}, nil
}

func (f *fake) ReadLogs(ctx context.Context, in *api.ReadLogsInput) (*api.ReadLogsOutput, error) {
	c := auth.CallerFrom(ctx)
	return &api.ReadLogsOutput{Lines: []api.LogLine{{Text: new(c.Account + " " + c.Region), Stream: new("STDOUT")}}}, nil
}

type harness struct {
	*fake
	front *Front
	log   bytes.Buffer
	calls []Call
	now   time.Time
}

func newHarness(t testing.TB) *harness {
	h := &harness{fake: &fake{}, now: time.Date(2019, 9, 3, 12, 0, 0, 0, time.UTC)}
	key := func(id string, policy auth.Policy) auth.Key {
		return auth.Key{AccessKeyID: id, Secret: testCredentials.SecretAccessKey, Account: "123456789012", Principal: "arn:aws:iam::123456789012:user/" + id, Policy: policy}
	}
	narrow, err := auth.ParsePolicy([]byte(`{"Statement":{"Effect":"Allow","Action":["gamelift:List*","gamelift:DeleteAlias","gamelift:CreateGameSession"],"Resource":["arn:aws:gamelift:*::alias/alias-mine","*:none/*"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	h.front = &Front{API: NewHandler(Options{
		Service: h.fake,
		Verifier: &auth.Verifier{Keys: auth.Keys{
			"AKIDEXAMPLE": key("AKIDEXAMPLE", auth.Everything()),
			"AKIDNARROW":  key("AKIDNARROW", narrow),
		}},
		Now:     func() time.Time { return h.now },
		Log:     slog.New(slog.NewTextHandler(&h.log, nil)),
		Observe: func(c Call) { h.calls = append(h.calls, c) },
	})}
	return h
}

// jsonRequest makes a signed call of JSON 1.1.
func (h *harness) jsonRequest(target, body string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:9080/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	auth.Sign(r, []byte(body), testCredentials, "us-west-2", "gamelift", h.now)
	return r
}

func (h *harness) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.front.ServeHTTP(w, r)
	return w
}

func (h *harness) cborRequest(op string, body []byte) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:9080/service/GameLift/operation/"+op, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/cbor")
	r.Header.Set("Accept", "application/cbor")
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	auth.Sign(r, body, testCredentials, "us-west-2", "gamelift", h.now)
	return r
}

// TestGoldens compares whole answers, status and protocol headers included, with
// the files in testdata. Run with -rewrite to accept new ones.
func TestGoldens(t *testing.T) {
	for _, test := range []struct{ name, target, body string }{
		{"success", "GameLift.CreatePlayerSession", `{"GameSessionId": "arn:aws:gamelift:us-west-2::gamesession/fleet-1/gsess-1", "PlayerId": "p\u00e9", "PlayerData": "\"data\""}`},
		{"list", "GameLift.ListFleets", `{}`},
		{"empty-body", "GameLift.ListFleets", ``},
		{"doubles", "GameLift.DescribeScalingPolicies", `{"FleetId":"fleet-1"}`},
		{"void", "GameLift.DeleteAlias", `{"AliasId":"alias-1"}`},
		{"own-operation", "Chairlift.ReadLogs", `{"ResourceId":"fleet-1"}`},
		{"modelled-error", "GameLift.CreatePlayerSessions", `{"GameSessionId":"arn:x","PlayerIds":["p"]}`},
		{"undeclared-error", "GameLift.ListAliases", `{}`},
		{"throttled", "GameLift.SearchGameSessions", `{"FleetId":"fleet-1"}`},
		{"unsupported", "GameLift.CreateBuild", `{}`},
		{"denied-inside", "GameLift.DescribeScript", `{"ScriptId":"script-1"}`},
		{"violations", "GameLift.CreateFleet", `{"RuntimeConfiguration":{"ServerProcesses":[{"LaunchPath":"/local/game/x","ConcurrentExecutions":0}]},"FleetType":"SPOTTY"}`},
		{"unreadable", "GameLift.CreateFleet", `{"Name":5}`},
		{"no-json", "GameLift.CreateFleet", `Name=x`},
		{"unknown-operation", "GameLift.MakeCoffee", `{}`},
		{"other-service", "DynamoDB_20120810.ListTables", `{}`},
		{"wrong-prefix", "Chairlift.ListFleets", `{}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHarness(t)
			answers(t, test.name, h.do(h.jsonRequest(test.target, test.body)))
		})
	}
	for _, test := range []struct {
		name   string
		change func(*http.Request)
	}{
		{"unsigned", func(r *http.Request) { r.Header.Del("Authorization") }},
		{"unknown-key", func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "AKIDEXAMPLE", "AKIDNOBODY", 1))
		}},
		{"bad-signature", func(r *http.Request) { r.Host = "other" }},
		{"wrong-scope", func(r *http.Request) {
			auth.Sign(r, []byte("{}"), testCredentials, "us-west-2", "dynamodb", time.Date(2019, 9, 3, 12, 0, 0, 0, time.UTC))
		}},
		{"skewed", func(r *http.Request) {
			auth.Sign(r, []byte("{}"), testCredentials, "us-west-2", "gamelift", time.Date(2019, 9, 3, 11, 0, 0, 0, time.UTC))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHarness(t)
			r := h.jsonRequest("GameLift.ListFleets", "{}")
			test.change(r)
			answers(t, test.name, h.do(r))
			if h.fake.calls != 0 {
				t.Error("the operation ran")
			}
		})
	}
}

// requestID reads the header as it is spelled; Get would look for Go's spelling.
func requestID(w *httptest.ResponseRecorder) string {
	for name, values := range w.Header() {
		if name == requestIDHeader {
			return values[0]
		}
	}
	return ""
}

func answers(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	id := requestID(w)
	if len(id) != 36 {
		t.Fatalf("request id %q", id)
	}
	if d := w.Header().Get("Date"); d != "Tue, 03 Sep 2019 12:00:00 GMT" {
		t.Errorf("Date is %q", d)
	}
	got := fmt.Sprintf("%d\nContent-Type: %s\n\n%s\n", w.Code, w.Header().Get("Content-Type"), strings.ReplaceAll(w.Body.String(), id, "REQUEST-ID"))
	golden.File(t, filepath.Join("testdata", name+".txt"), got)
}

// TestCBORAnswersAlike: the other protocol says the same.
func TestCBORAnswersAlike(t *testing.T) {
	h := newHarness(t)
	for _, test := range []struct {
		op, body string
		status   int
		want     string // the answer as JSON
	}{
		{"ListFleets", "\xa0", 200, `{"FleetIds":["fleet-1","fleet-2"],"NextToken":"next"}`},
		{"DeleteAlias", "\xa1\x67AliasId\x67alias-1", 200, `{}`},
		{"CreatePlayerSessions", "\xa2\x6dGameSessionId\x65arn:x\x69PlayerIds\x81\x61p", 400,
			`{"Message":"The game session has no free slot.","__type":"GameSessionFullException","message":"The game session has no free slot."}`},
		{"MakeCoffee", "\xa0", 400, `{"Message":"GameLift has no operation \"MakeCoffee\".","__type":"UnknownOperationException","message":"GameLift has no operation \"MakeCoffee\"."}`},
	} {
		w := h.do(h.cborRequest(test.op, []byte(test.body)))
		var v map[string]any
		if err := strictCBOR.Unmarshal(w.Body.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v in %x", test.op, err, w.Body)
		}
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if w.Code != test.status || string(got) != test.want {
			t.Errorf("%s: %d %s, want %d %s", test.op, w.Code, got, test.status, test.want)
		}
		if w.Header().Get("Smithy-Protocol") != "rpc-v2-cbor" || w.Header().Get("Content-Type") != "application/cbor" {
			t.Errorf("%s: headers %v", test.op, w.Header())
		}
	}
}

// TestInternalFailures: the client hears nothing of the reason, the log all.
func TestInternalFailures(t *testing.T) {
	for target, reason := range map[string]string{
		"GameLift.ListScripts":   "disk on fire",
		"GameLift.ListBuilds":    "panic: a slip",
		"GameLift.ListLocations": "neither output nor error",
	} {
		h := newHarness(t)
		w := h.do(h.jsonRequest(target, "{}"))
		id := requestID(w)
		if w.Code != 500 || !strings.Contains(w.Body.String(), `"__type":"InternalServiceException"`) || !strings.Contains(w.Body.String(), id) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), reason) {
			t.Errorf("%s tells the client %s", target, reason)
		}
		if log := h.log.String(); !strings.Contains(log, reason) || !strings.Contains(log, id) || strings.Count(log, "level=ERROR") != 1 {
			t.Errorf("%s: log %s", target, log)
		}
		if c := h.calls[0]; c.Code != api.InternalServiceException || c.Status != 500 || c.Region != "us-west-2" {
			t.Errorf("%s: observed %+v", target, c)
		}
	}
}

// TestAbandoned: a caller who goes away is no failure.
func TestAbandoned(t *testing.T) {
	h := newHarness(t)
	ctx, cancel := context.WithCancel(t.Context())
	h.front.API.(*Handler).o.Admit = func(auth.Caller, *api.Operation, api.Shape, time.Time) error {
		cancel()
		return ctx.Err()
	}
	h.do(h.jsonRequest("GameLift.ListFleets", "{}").WithContext(ctx))
	if h.log.Len() > 0 {
		t.Errorf("logged: %s", &h.log)
	}
}

func TestPolicies(t *testing.T) {
	h := newHarness(t)
	for _, test := range []struct {
		target, body string
		missing      string // action and resource; empty: allowed
	}{
		{"GameLift.DeleteAlias", `{"AliasId":"alias-mine"}`, ""},
		{"GameLift.DeleteAlias", `{"AliasId":"arn:aws:gamelift:us-west-2::alias/alias-mine"}`, ""},
		{"GameLift.DeleteAlias", `{"AliasId":"alias-yours"}`, "gamelift:DeleteAlias on arn:aws:gamelift:us-west-2::alias/alias-yours:"},
		{"GameLift.DeleteFleet", `{"FleetId":"fleet-1"}`, "gamelift:DeleteFleet on arn:aws:gamelift:us-west-2::fleet/fleet-1:"},
		{"GameLift.ListFleets", `{}`, "gamelift:ListFleets on *:"}, // on no single resource: needs *
		{"GameLift.DeleteAlias", `{}`, "gamelift:DeleteAlias on "},
		{"GameLift.AcceptMatch", `{"TicketId":"t","PlayerIds":["p"],"AcceptanceType":"ACCEPT"}`, "gamelift:AcceptMatch on *:"},
		{"GameLift.CreateGameSession", `{"AliasId":"alias-mine","MaximumPlayerSessionCount":1}`, ""},
		{"GameLift.CreateGameSession", `{"FleetId":"fleet-1","AliasId":"alias-mine","MaximumPlayerSessionCount":1}`, "gamelift:CreateGameSession on arn:aws:gamelift:us-west-2::fleet/fleet-1:"},
	} {
		r := h.jsonRequest(test.target, test.body)
		auth.Sign(r, []byte(test.body), auth.Credentials{AccessKeyID: "AKIDNARROW", SecretAccessKey: testCredentials.SecretAccessKey}, "us-west-2", "gamelift", h.now)
		w := h.do(r)
		code := "UnauthorizedException" // of the operations that declare it (behaviour 7)
		if test.target == "GameLift.AcceptMatch" {
			code = accessDenied
		}
		denied := strings.Contains(w.Body.String(), `"__type":"`+code+`"`)
		if denied != (test.missing != "") || !strings.Contains(w.Body.String(), test.missing) {
			t.Errorf("%s %s: %d %s", test.target, test.body, w.Code, w.Body)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	h := newHarness(t)
	zip := `{"ZipFile":"` + strings.Repeat("A", 6_666_664) + `"}`
	if w := h.do(h.jsonRequest("GameLift.CreateScript", zip)); !strings.Contains(w.Body.String(), "not supported by this release") {
		t.Errorf("the largest script: %d %s", w.Code, w.Body)
	}
	r := h.jsonRequest("GameLift.CreateScript", strings.Repeat(" ", MaxBodyBytes+1))
	r.ContentLength = -1
	if w := h.do(r); w.Code != 413 || !strings.Contains(w.Body.String(), requestTooLarge) {
		t.Errorf("too large without saying so: %d %s", w.Code, w.Body)
	}
	r = h.jsonRequest("GameLift.CreateScript", "{}")
	r.ContentLength = MaxBodyBytes + 1
	r.Body = io.NopCloser(unread{t})
	if w := h.do(r); w.Code != 413 {
		t.Errorf("too large: %d", w.Code)
	}
	r = h.jsonRequest("GameLift.CreateScript", "{}")
	r.Header.Del("Authorization")
	r.Body = io.NopCloser(unread{t})
	if w := h.do(r); w.Code != 400 {
		t.Errorf("unsigned: %d", w.Code)
	}
}

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a hopeless request was read")
	return 0, io.EOF
}

func TestFront(t *testing.T) {
	h := newHarness(t)
	door := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Door", name) })
	}
	h.front.API, h.front.S3, h.front.ServerSDK, h.front.Agent, h.front.Web = door("api"), door("s3"), door("sdk"), door("agent"), door("web")
	const amz = "AWS4-HMAC-SHA256 Credential=K/20190903/r/"
	for _, test := range []struct {
		method, target string
		header         []string
		want           string
	}{
		{"GET", "/server-sdk/?pID=1", []string{"Upgrade", "websocket"}, "sdk"},
		{"GET", "/server-sdk", []string{"Upgrade", "WebSocket"}, "sdk"},
		{"GET", "/server-sdk/", nil, ""},
		{"GET", "/server-sdkx", []string{"Upgrade", "websocket"}, ""},
		{"GET", "/agent", []string{"Upgrade", "websocket"}, "agent"},
		{"POST", "/", []string{"X-Amz-Target", "GameLift.X"}, "api"},
		{"POST", "/service/GameLift/operation/X", []string{"Smithy-Protocol", "rpc-v2-cbor"}, "api"},
		{"PUT", "/b//k", []string{"Authorization", amz + "s3/aws4_request, x"}, "s3"},
		{"PUT", "/console/k", []string{"Authorization", amz + "s3/aws4_request, x"}, "s3"},
		{"GET", "/b/k?X-Amz-Algorithm=A&X-Amz-Credential=K%2F20190903%2Fr%2Fs3%2Faws4_request", nil, "s3"},
		{"POST", "/", []string{"Authorization", amz + "sts/aws4_request, x"}, "api"},
		{"POST", "/", []string{"Authorization", amz + "gamelift/aws4_request, x"}, "api"},
		{"POST", "/", []string{"Content-Type", "application/x-amz-json-1.1"}, "api"},
		{"POST", "/", []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}, "api"},
		{"GET", "/healthz", nil, "web"},
		{"GET", "/console/fleets", nil, "web"},
		{"GET", "/metricsx", nil, ""},
		{"GET", "/b/k", nil, ""},
		{"DELETE", "/b/k", nil, ""},
	} {
		r := httptest.NewRequest(test.method, test.target, nil)
		for i := 0; i < len(test.header); i += 2 {
			r.Header.Set(test.header[i], test.header[i+1])
		}
		w := h.do(r)
		if got := w.Header().Get("Door"); got != test.want {
			t.Errorf("%s %s %v: door %q, want %q", test.method, test.target, test.header, got, test.want)
		}
		if test.want == "" && (w.Code != 403 || !strings.Contains(w.Body.String(), "<Code>AccessDenied</Code>")) {
			t.Errorf("%s %s: %d %s", test.method, test.target, w.Code, w.Body)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "text/html,*/*")
	if w := h.do(r); w.Code != 302 || w.Header().Get("Location") != "/console/" {
		t.Errorf("a browser gets %d", w.Code)
	}
}

func TestOwnClient(t *testing.T) {
	h := newHarness(t)
	h.now = time.Now()
	h.front.API.(*Handler).o.Now = time.Now
	server := httptest.NewServer(h.front)
	defer server.Close()
	client := api.Client{Invoker: &Client{URL: server.URL, Region: "eu-west-1", Credentials: testCredentials}}

	logs, err := client.ReadLogs(t.Context(), &api.ReadLogsInput{ResourceId: "fleet-1"})
	if err != nil || *logs.Lines[0].Text != "123456789012 eu-west-1" {
		t.Fatalf("%+v, %v", logs, err)
	}
	if _, err := client.DeleteAlias(t.Context(), &api.DeleteAliasInput{AliasId: "alias-1"}); err != nil {
		t.Error(err)
	}
	_, err = client.ListAliases(t.Context(), &api.ListAliasesInput{})
	if e, ok := errors.AsType[*APIError](err); !ok || e.Code != "InvalidRequestException" || e.Message != "Full." || e.Status != 400 || len(e.RequestID) != 36 {
		t.Errorf("%#v", err)
	}
	server.Config.Handler = http.NotFoundHandler()
	if _, err := client.ListAliases(t.Context(), &api.ListAliasesInput{}); err == nil || !strings.Contains(err.Error(), "is the address right?") {
		t.Error(err)
	}
}

// BenchmarkCreatePlayerSession is a whole call without the socket, in each
// protocol: verify, decode, check, call, encode.
func BenchmarkCreatePlayerSession(b *testing.B) {
	const game, player = "arn:aws:gamelift:us-west-2::gamesession/fleet-00000000-0000-4000-8000-000000000001/gsess-00000000-0000-4000-8000-000000000002", "player-1"
	in := &api.CreatePlayerSessionInput{GameSessionId: game, PlayerId: player}
	for name, c := range map[string]*codec{"json": jsonCodec, "cbor": cborCodec} {
		b.Run(name, func(b *testing.B) {
			h := newHarness(b)
			h.front.API.(*Handler).o.Observe = nil
			body := c.encode(nil, func(e api.Encoder) { api.Encode(e, in) })
			r := h.jsonRequest("GameLift.CreatePlayerSession", string(body))
			if c == cborCodec {
				r = h.cborRequest("CreatePlayerSession", body)
			}
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(body))
				clear(w.header)
				h.front.ServeHTTP(w, r)
				if w.status != 200 {
					b.Fatal(w.status)
				}
			}
		})
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"GameSessionId": "arn:aws:gamelift:us-west-2::gamesession/fleet-00000000-0000-4000-8000-000000000001/gsess-00000000-0000-4000-8000-000000000002", "PlayerId": "player-1"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := jsonCodec.decodeInput(body, new(api.CreatePlayerSessionInput)); err != nil {
			b.Fatal(err)
		}
	}
}
