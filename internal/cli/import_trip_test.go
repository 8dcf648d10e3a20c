package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/ops"
	"github.com/chairlift-games/chairlift/internal/s3door"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// place is a service without machines: the test plays every instance, which is
// ready at once.
type place struct {
	*api.Client
	t      *testing.T
	notice Notice
	creds  auth.Credentials
	engine *engine.Engine
	start  chan lift.InstanceID
}

func newPlace(t *testing.T, region string) *place {
	t.Helper()
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	files, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, creds: auth.NewCredentials(), start: make(chan lift.InstanceID, 16)}
	p.engine = engine.New(engine.Options{Store: db, Sender: p, Now: time.Now, IDs: rand.Reader})
	o, err := ops.New(t.Context(), ops.Options{Engine: p.engine, Files: files, Credentials: auth.NewTemporary([]byte("m")), Region: region})
	if err != nil {
		t.Fatal(err)
	}
	key := auth.Key{AccessKeyID: p.creds.AccessKeyID, Secret: p.creds.SecretAccessKey, Account: "000000000000", Principal: "root", Policy: auth.Everything()}
	v := &auth.Verifier{Keys: auth.Keys{key.AccessKeyID: key}, Temporary: auth.NewTemporary([]byte("m"))}
	server := httptest.NewServer(&wire.Front{API: wire.NewHandler(wire.Options{Service: o, Verifier: v}), S3: s3door.New(s3door.Options{Verifier: v, Files: files, Uploads: o})})
	p.notice = Notice{URL: server.URL, Region: region, Account: "000000000000"}
	p.Client = &api.Client{Invoker: &wire.Client{URL: server.URL, Region: region, Credentials: p.creds}}

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() { p.engine.Run(ctx); ended <- struct{}{} }()
	go func() { p.play(ctx); ended <- struct{}{} }()
	t.Cleanup(func() {
		stop()
		<-ended
		<-ended
		server.Close()
		files.Close()
	})
	return p
}

func (p *place) Send(effects []lift.Effect) {
	for _, e := range effects {
		if e.StartInstance != nil {
			p.start <- e.StartInstance.InstanceID
		}
	}
}

// play is the agents.
func (p *place) play(ctx context.Context) {
	for {
		var id lift.InstanceID
		select {
		case id = <-p.start:
		case <-ctx.Done():
			return
		}
		b := engine.Batch{}
		say := func(ev lift.Event) {
			b.Events = append(b.Events, engine.Numbered{Seq: uint64(len(b.Events) + 1), Event: ev})
		}
		for _, stage := range []lift.Stage{lift.StageDownloading, lift.StageExtracting, lift.StageValidating, lift.StageBuilding, lift.StageActivating} {
			say(lift.Event{Stage: &lift.StageReached{Stage: stage, Address: "10.0.0.7"}})
		}
		process := lift.ProcessID("proc-" + id)
		say(lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: process, LaunchPath: "/local/game/server", OSPID: 100}})
		say(lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: process, SDKVersion: "5.4.0", SDKLanguage: "Go"}})
		say(lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: process, Port: 7000}})
		if _, _, err := p.engine.Handle(ctx, id, b); err != nil && ctx.Err() == nil {
			p.t.Errorf("instance %s: %v", id, err)
		}
	}
}

// ask makes a call as the AWS CLI does, and returns what that would print.
func (p *place) ask(operation, in string) []byte {
	p.t.Helper()
	r, err := http.NewRequest("POST", p.notice.URL+"/", strings.NewReader(in))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "GameLift."+operation)
	auth.Sign(r, []byte(in), p.creds, p.notice.Region, "gamelift", time.Now())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s %s %v", operation, answer.Status, text, err)
	}
	return text
}

var anID = regexp.MustCompile(`"(?:BuildId|FleetId|AliasId)": ?"([^"]+)"`)

// idOf is the id of what was made.
func idOf(answer []byte) string { return string(anID.FindSubmatch(answer)[1]) }

// write writes down everything about the account, in the files of docs/moving.md.
func (p *place) write(dir string, edit func(string) string) {
	p.t.Helper()
	keep := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(edit(string(text))), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, operation := range []string{"ListBuilds", "ListLocations", "DescribeFleetAttributes", "DescribeFleetCapacity", "ListAliases", "DescribeGameSessionQueues", "DescribeMatchmakingRuleSets", "DescribeMatchmakingConfigurations"} {
		keep(operation, p.ask(operation, "{}"))
	}
	fleets, err := p.ListFleets(p.t.Context(), &api.ListFleetsInput{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, id := range fleets.FleetIds {
		in := fmt.Sprintf(`{"FleetId":%q}`, id)
		for _, operation := range []string{"DescribeRuntimeConfiguration", "DescribeFleetPortSettings", "DescribeScalingPolicies", "DescribeFleetLocationAttributes"} {
			keep(edit(operation+"-"+id), p.ask(operation, in))
		}
		in = fmt.Sprintf(`{"FleetId":%q,"Location":%q}`, id, p.notice.Region)
		keep(edit("DescribeFleetLocationCapacity-"+id), p.ask("DescribeFleetLocationCapacity", in))
	}
}

// TestImportRoundTrip carries everything that can be over from one service to
// another, where it then says the same of itself.
func TestImportRoundTrip(t *testing.T) {
	there, here := newPlace(t, "eu-west-1"), newPlace(t, "us-west-2")
	game := t.TempDir()
	if err := os.WriteFile(filepath.Join(game, "server"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	silent := &World{Ctx: t.Context(), Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }}
	files, err := Files(game)
	if err != nil {
		t.Fatal(err)
	}
	build, err := Upload(t.Context(), silent, there.Client, there.notice, "game", "AMAZON_LINUX_2023", files)
	if err != nil {
		t.Fatal(err)
	}
	fleet := idOf(there.ask("CreateFleet", fmt.Sprintf(`{"Name":"one","Description":"d","BuildId":%q,"EC2InstanceType":"c5.large","NewGameSessionProtectionPolicy":"FullProtection",
		"RuntimeConfiguration":{"ServerProcesses":[{"LaunchPath":"/local/game/server","Parameters":"-p","ConcurrentExecutions":3}],"MaxConcurrentGameSessionActivations":2,"GameSessionActivationTimeoutSeconds":60},
		"EC2InboundPermissions":[{"FromPort":7000,"ToPort":7010,"IpRange":"0.0.0.0/0","Protocol":"UDP"},{"FromPort":80,"ToPort":80,"IpRange":"10.0.0.0/8","Protocol":"TCP"}],
		"ResourceCreationLimitPolicy":{"NewGameSessionsPerCreator":3,"PolicyPeriodInMinutes":15},"MetricGroups":["m"]}`, build)))
	if err := FollowFleet(t.Context(), silent, there.Client, fleet); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("FLEET", fleet)
	for _, call := range [][2]string{
		{"UpdateFleetCapacity", `{"FleetId":"FLEET","MinSize":1,"MaxSize":4,"DesiredInstances":2}`},
		{"PutScalingPolicy", `{"FleetId":"FLEET","Name":"grow","MetricName":"ActiveGameSessions","ComparisonOperator":"GreaterThanThreshold","Threshold":2.5,"EvaluationPeriods":3,"ScalingAdjustmentType":"ChangeInCapacity","ScalingAdjustment":1}`},
		{"PutScalingPolicy", `{"FleetId":"FLEET","Name":"aim","MetricName":"PercentAvailableGameSessions","PolicyType":"TargetBased","TargetConfiguration":{"TargetValue":20}}`},
		{"StopFleetActions", `{"FleetId":"FLEET","Actions":["AUTO_SCALING"]}`},
		{"CreateLocation", `{"LocationName":"custom-cellar"}`},
		{"CreateAlias", `{"Name":"live","Description":"d","RoutingStrategy":{"Type":"SIMPLE","FleetId":"FLEET"}}`},
		{"CreateAlias", `{"Name":"old","RoutingStrategy":{"Type":"TERMINAL","Message":"get the new version"}}`},
		{"CreateGameSessionQueue", `{"Name":"q","TimeoutInSeconds":61,"Destinations":[{"DestinationArn":"arn:aws:gamelift:eu-west-1::fleet/FLEET"}],"PlayerLatencyPolicies":[{"MaximumIndividualPlayerLatencyMilliseconds":100,"PolicyDurationSeconds":5},{"MaximumIndividualPlayerLatencyMilliseconds":200}],"CustomEventData":"e"}`},
		{"CreateMatchmakingRuleSet", `{"Name":"pairs","RuleSetBody":"{\"name\":\"r\",\"ruleLanguageVersion\":\"1.0\",\"teams\":[{\"name\":\"all\",\"minPlayers\":1,\"maxPlayers\":2}]}"}`},
		{"CreateMatchmakingConfiguration", `{"Name":"duel","Description":"d","RuleSetName":"pairs","RequestTimeoutSeconds":60,"AcceptanceRequired":true,"AcceptanceTimeoutSeconds":20,"GameSessionQueueArns":["arn:aws:gamelift:eu-west-1:000000000000:gamesessionqueue/q"],"AdditionalPlayerCount":1,"BackfillMode":"AUTOMATIC","GameProperties":[{"Key":"a","Value":"b"}],"GameSessionData":"g","CustomEventData":"c"}`},
		{"CreateMatchmakingConfiguration", `{"Name":"alone","RuleSetName":"pairs","RequestTimeoutSeconds":60,"AcceptanceRequired":false,"FlexMatchMode":"STANDALONE"}`},
	} {
		there.ask(call[0], fill.Replace(call[1]))
	}

	folder := t.TempDir()
	there.write(folder, func(s string) string { return s })
	bring := func(dry bool) (*importer, string) {
		a, err := readAccount([]string{folder})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.unread) > 0 {
			t.Errorf("not understood: %q", a.unread)
		}
		var out bytes.Buffer
		m := &importer{World: &World{Ctx: t.Context(), Out: &out, Err: &out, Getenv: silent.Getenv}, api: here.Client, notice: here.notice, account: a, builds: map[string]string{build: game}, dry: dry, now: map[string]string{}}
		if err := m.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m.refused > 0 {
			t.Errorf("some was refused:\n%s", &out)
		}
		return m, out.String()
	}
	planned, plan := bring(true)
	for _, want := range []string{"location custom-cellar", "scaling policy grow", "scaling policy aim", "stop of AUTO_SCALING", "capacity of fleet one", "alias old", "matchmaking configuration alone"} {
		if !strings.Contains(plan, "would make: "+want) {
			t.Errorf("the dry run does not say %q:\n%s", want, plan)
		}
	}
	done, _ := bring(false)
	if done.made != planned.made {
		t.Errorf("made %d, planned %d:\n%s", done.made, planned.made, plan)
	}
	again, said := bring(false)
	if again.made != 0 {
		t.Errorf("a second time %d were made:\n%s", again.made, said)
	}

	// Here everything has new ids, and another region.
	var back []string
	for was, is := range done.now {
		if !strings.Contains(was, " ") { // others go by their names
			back = append(back, is, was)
		}
	}
	undo := strings.NewReplacer(append(back, "us-west-2", "eu-west-1")...)
	copied := t.TempDir()
	here.write(copied, undo.Replace)
	want, err := readAccount([]string{folder})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAccount([]string{copied})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*account{want, got} { // instances come and go
		for id, c := range a.capacities {
			a.capacities[id] = api.EC2InstanceCounts{DESIRED: c.DESIRED, MINIMUM: c.MINIMUM, MAXIMUM: c.MAXIMUM}
		}
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(*want)); d != "" {
		t.Errorf("there -, here +\n%s", d)
	}
}

// Everything that stays there is told before anything is made.
func TestImportTellsWhatStays(t *testing.T) {
	here := newPlace(t, "us-west-2")
	a := newAccount()
	for name, text := range map[string]string{
		"fleets": `{"FleetAttributes": [
			{"FleetId": "fleet-1", "Name": "one", "BuildId": "build-1", "FleetArn": "arn:aws:gamelift:eu-west-1::fleet/fleet-1", "CertificateConfiguration": {"CertificateType": "GENERATED"}, "PlayerGatewayMode": "ENABLED"},
			{"FleetId": "fleet-2", "Name": "two", "ScriptId": "script-1"},
			{"FleetId": "fleet-3", "Name": "three", "ComputeType": "ANYWHERE"},
			{"FleetId": "fleet-4", "Name": "four", "BuildId": "build-1", "Status": "ERROR"},
			{"FleetId": "fleet-5", "Name": "five", "BuildId": "build-2"}]}`,
		"locations": `{"FleetId": "fleet-1", "FleetArn": "arn:aws:gamelift:eu-west-1::fleet/fleet-1", "LocationAttributes": [{"LocationState": {"Location": "eu-west-1"}}, {"LocationState": {"Location": "eu-north-1"}}]}`,
		"capacity":  `{"FleetCapacity": {"FleetId": "fleet-1", "FleetArn": "arn:aws:gamelift:eu-west-1::fleet/fleet-1", "Location": "ap-south-1", "InstanceCounts": {"DESIRED": 9}}}`,
		"configs":   `{"Configurations": [{"Name": "lost", "RuleSetName": "nowhere", "RequestTimeoutSeconds": 5, "AcceptanceRequired": false}]}`,
		"queues":    `{"GameSessionQueues": [{"Name": "q", "Destinations": [{"DestinationArn": "arn:aws:gamelift:eu-west-1::fleet/fleet-9"}]}]}`,
		"policies":  `{"ScalingPolicies": [{"FleetId": "fleet-9", "Name": "p"}]}`,
		"scripts":   `{"Scripts": [{"ScriptId": "script-1"}]}`,
	} {
		if err := a.read(name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	a.settle()
	var out bytes.Buffer
	m := &importer{World: &World{Ctx: t.Context(), Out: &out, Err: &out}, api: here.Client, notice: here.notice, account: a, builds: map[string]string{"build-1": t.TempDir()}, dry: true, now: map[string]string{}}
	if err := m.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := out.String() + strings.Join(a.unread, "\n")
	for _, want := range []string{
		"the TLS certificate of fleet one", "the player gateway of fleet one", "location eu-north-1 of fleet one", "location ap-south-1 of fleet one",
		"fleet two (fleet-2): it runs the Realtime script script-1", "fleet three (fleet-3): its computes are of the kind ANYWHERE", "fleet four (fleet-4): it is ERROR",
		"fleet five (fleet-5): its build build-2 is not here", "matchmaking configuration lost: its rule set nowhere", "fleet-9 of queue q: it is not here",
		"something is said of fleet fleet-9", "scripts: Scripts cannot be carried over: the service never gives",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not told in:\n%s", want, said)
		}
	}
	if len(a.capacities) > 0 {
		t.Errorf("the capacity of a remote location was taken for that of the fleet: %+v", a.capacities)
	}
	if strings.Contains(said, "location eu-west-1 of") {
		t.Error("the region's own location is told as if it stayed there")
	}
}
