package ops

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// call is the context of one call of a client, the same for its retries.
func (w *world) call(invocation string, edit ...func(*auth.Caller)) context.Context {
	c := auth.Caller{
		Account: "123456789012", Region: "us-west-2", Principal: "arn:aws:iam::123456789012:user/dev", AccessKeyID: "AKID",
		InvocationID: invocation, Operation: "GameLift.X", BodyHash: "body",
	}
	for _, e := range edit {
		e(&c)
	}
	return auth.WithCaller(w.t.Context(), c)
}

// Every operation that makes something new answers a retry with what the first
// try made, and makes nothing.
func TestRetriesMakeNothingNew(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(4) })
	session := *must(w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 8}))(t).GameSession.GameSessionId
	w.activate(session)
	build := w.linuxBuild()
	const rules = `{"name":"r","ruleLanguageVersion":"1.0","teams":[{"name":"all","minPlayers":1,"maxPlayers":2}]}`
	must(w.CreateMatchmakingRuleSet(w.ctx, &api.CreateMatchmakingRuleSetInput{Name: "first", RuleSetBody: rules}))(t)
	must(w.CreateMatchmakingConfiguration(w.ctx, &api.CreateMatchmakingConfigurationInput{Name: "first", RuleSetName: "first", RequestTimeoutSeconds: 60, FlexMatchMode: new("STANDALONE")}))(t)
	zip := archiveOf(t)
	w.newGroup("first")
	w.register("first", "one", "two")

	creations := map[string]func(context.Context) (any, error){
		"CreateAlias": func(ctx context.Context) (any, error) {
			out, err := w.CreateAlias(ctx, &api.CreateAliasInput{Name: "a", RoutingStrategy: &api.RoutingStrategy{Type: new("SIMPLE"), FleetId: &fleet}})
			return out, err
		},
		"CreateBuild": func(ctx context.Context) (any, error) {
			out, err := w.CreateBuild(ctx, &api.CreateBuildInput{})
			if err == nil { // credentials are new each time
				out.UploadCredentials = nil
			}
			return out, err
		},
		"CreateScript": func(ctx context.Context) (any, error) {
			out, err := w.CreateScript(ctx, &api.CreateScriptInput{ZipFile: zip})
			return out, err
		},
		"CreateFleet": func(ctx context.Context) (any, error) {
			out, err := w.CreateFleet(ctx, &api.CreateFleetInput{Name: "f", BuildId: &build, EC2InstanceType: new("c5.large"), RuntimeConfiguration: launching(1)})
			return out, err
		},
		"CreateGameSession": func(ctx context.Context) (any, error) {
			out, err := w.CreateGameSession(ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1})
			return out, err
		},
		"CreatePlayerSession": func(ctx context.Context) (any, error) {
			out, err := w.CreatePlayerSession(ctx, &api.CreatePlayerSessionInput{GameSessionId: session, PlayerId: "p"})
			return out, err
		},
		"CreatePlayerSessions": func(ctx context.Context) (any, error) {
			out, err := w.CreatePlayerSessions(ctx, &api.CreatePlayerSessionsInput{GameSessionId: session, PlayerIds: []string{"p", "q"}})
			return out, err
		},
		"CreateGameSessionQueue": func(ctx context.Context) (any, error) {
			out, err := w.CreateGameSessionQueue(ctx, &api.CreateGameSessionQueueInput{Name: "q"})
			return out, err
		},
		"CreateMatchmakingRuleSet": func(ctx context.Context) (any, error) {
			out, err := w.CreateMatchmakingRuleSet(ctx, &api.CreateMatchmakingRuleSetInput{Name: "r", RuleSetBody: rules})
			return out, err
		},
		"CreateMatchmakingConfiguration": func(ctx context.Context) (any, error) {
			out, err := w.CreateMatchmakingConfiguration(ctx, &api.CreateMatchmakingConfigurationInput{Name: "c", RuleSetName: "first", RequestTimeoutSeconds: 60, FlexMatchMode: new("STANDALONE")})
			return out, err
		},
		"StartMatchmaking": func(ctx context.Context) (any, error) {
			out, err := w.StartMatchmaking(ctx, &api.StartMatchmakingInput{ConfigurationName: "first", Players: []api.Player{{PlayerId: new("p")}}})
			return out, err
		},
		"CreateKey": func(ctx context.Context) (any, error) {
			out, err := w.CreateKey(ctx, &api.CreateKeyInput{PolicyName: new("admin")})
			return out, err
		},
		"CreateVpcPeeringAuthorization": func(ctx context.Context) (any, error) {
			out, err := w.CreateVpcPeeringAuthorization(ctx, &api.CreateVpcPeeringAuthorizationInput{GameLiftAwsAccountId: "123456789012", PeerVpcId: "vpc-1"})
			return out, err
		},
		"CreateVpcPeeringConnection": func(ctx context.Context) (any, error) {
			out, err := w.CreateVpcPeeringConnection(ctx, &api.CreateVpcPeeringConnectionInput{FleetId: fleet, PeerVpcAwsAccountId: "123456789012", PeerVpcId: "vpc-2"})
			return out, err
		},
		"CreateGameServerGroup": func(ctx context.Context) (any, error) {
			out, err := w.CreateGameServerGroup(ctx, groupIn("g"))
			return out, err
		},
		"RegisterGameServer": func(ctx context.Context) (any, error) {
			out, err := w.RegisterGameServer(ctx, &api.RegisterGameServerInput{GameServerGroupName: "first", GameServerId: "new", InstanceId: "i-00000000000000001"})
			return out, err
		},
		"ClaimGameServer": func(ctx context.Context) (any, error) {
			out, err := w.ClaimGameServer(ctx, &api.ClaimGameServerInput{GameServerGroupName: "first"})
			return out, err
		},
		"CreateLocation": func(ctx context.Context) (any, error) {
			out, err := w.CreateLocation(ctx, &api.CreateLocationInput{LocationName: "custom-here"})
			return out, err
		},
	}
	for _, op := range api.Operations {
		makesNothing := op.Name == "CreateFleetLocations" // as yet
		if !strings.HasPrefix(op.Name, "Create") || creations[op.Name] != nil || makesNothing {
			continue
		}
		_, err := op.Call(w.ctx, w.Service, op.NewInput())
		if _, unbuilt := errors.AsType[*api.UnsupportedError](err); !unbuilt {
			t.Errorf("%s is built; let it use once instead of change, and give it a line here", op.Name)
		}
	}
	for name, create := range creations {
		t.Run(name, func(t *testing.T) {
			ctx := w.call("invocation of " + name)
			first, err := create(ctx)
			if err != nil {
				t.Fatal(err)
			}
			w.pass(time.Second)
			before := w.counts()
			again, err := create(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := digestOf(t, first), digestOf(t, again); a != b {
				t.Errorf("the retry got\n%s, the first try\n%s", b, a)
			}
			for kind, n := range w.counts() {
				if n != before[kind] && kind != store.Effects.Kind.Name {
					t.Errorf("%d rows of kind %s, before the retry %d", n, kind, before[kind])
				}
			}
		})
	}
}

func digestOf(t *testing.T, v any) string {
	t.Helper()
	return must(digest(v))(t)
}

// counts says how many rows are stored, by kind.
func (w *world) counts() map[string]int {
	w.t.Helper()
	n := map[string]int{}
	err := w.engine.View(w.ctx, func(tx store.Tx) error {
		for _, k := range store.Kinds() {
			rows, err := tx.Scan(k.Name, "", "", store.Cursor{}, 1000)
			if err != nil {
				return err
			}
			n[k.Name] = len(rows)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// A call differs from another by any of what names it; a refused one is carried
// out again; and after a while nothing is remembered.
func TestWhatIsARetry(t *testing.T) {
	w := newWorld(t)
	create := func(ctx context.Context) string {
		t.Helper()
		return *must(w.CreateBuild(ctx, &api.CreateBuildInput{}))(t).Build.BuildId
	}
	seen := map[string]string{}
	for name, ctx := range map[string]context.Context{
		"the first":          w.call("1"),
		"another call":       w.call("2"),
		"another key":        w.call("1", func(c *auth.Caller) { c.AccessKeyID = "AKIDOTHER" }),
		"another region":     w.call("1", func(c *auth.Caller) { c.Region = "eu-west-1" }),
		"another operation":  w.call("1", func(c *auth.Caller) { c.Operation = "GameLift.Y" }),
		"another body":       w.call("1", func(c *auth.Caller) { c.BodyHash = "other" }),
		"no invocation id":   w.call(""),
		"none this time too": w.call(""),
	} {
		id := create(ctx)
		if other, ok := seen[id]; ok {
			t.Errorf("%s is taken for a retry of %s", name, other)
		}
		seen[id] = name
	}

	session := func() error {
		_, err := w.CreateGameSession(w.call("late"), &api.CreateGameSessionInput{FleetId: new("fleet-none"), MaximumPlayerSessionCount: 1})
		return err
	}
	refused(t, session(), lift.NotFound)
	if n := w.counts()[store.Answers.Kind.Name]; n != 6 {
		t.Errorf("%d answers are kept after a refusal, want those of the 6 calls that can be recognised", n)
	}

	first := create(w.call("1"))
	w.pass(retryWindow - time.Millisecond)
	if id := create(w.call("1")); id != first {
		t.Error("forgotten before the window ended")
	}
	w.pass(time.Millisecond)
	if id := create(w.call("1")); id == first {
		t.Error("a call is taken for a retry of one long ago")
	}
}

// A script that is sent again leaves one file.
func TestRetriedScriptLeavesOneFile(t *testing.T) {
	w := newWorld(t)
	files := &counted{Store: w.files}
	w.Service.o.Files = files
	for range 2 {
		must(w.CreateScript(w.call("1"), &api.CreateScriptInput{ZipFile: archiveOf(t)}))(t)
	}
	if files.n != 1 {
		t.Errorf("%d files", files.n)
	}
}

// counted counts the files there are.
type counted struct {
	blob.Store
	n int
}

func (c *counted) Put(ctx context.Context, key string, r io.Reader) (blob.Info, error) {
	c.n++
	return c.Store.Put(ctx, key, r)
}

func (c *counted) Delete(ctx context.Context, key string) error {
	c.n--
	return c.Store.Delete(ctx, key)
}
