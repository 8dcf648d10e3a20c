package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/ops"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

// service is the real operations behind the real wire, and a test that plays
// the agents.
type service struct {
	*door
	*ops.Service
	m      *model
	db     store.Store
	engine *engine.Engine
	files  *blob.Dir
	sent   []lift.Effect
	seq    uint64
	names  map[string]string // what stands for $NAME
}

func (s *service) Send(effects []lift.Effect) { s.sent = append(s.sent, effects...) }

func newService(t *testing.T, m *model) *service {
	t.Helper()
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	files, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	s := &service{door: newDoor(t), m: m, db: db, files: files, names: map[string]string{}}
	s.engine = engine.New(engine.Options{Store: db, Sender: s, Now: s.clock, IDs: rand.NewChaCha8([32]byte{})})
	s.Service, err = ops.New(t.Context(), ops.Options{Engine: s.engine, Files: files, Credentials: auth.NewTemporary([]byte("m")), Keys: auth.NewKeyring(db, []byte("m"))})
	if err != nil {
		t.Fatal(err)
	}
	s.serve(s.Service)
	return s
}

// fill makes one of everything.
func (s *service) fill() {
	s.t.Helper()
	s.names["zip"] = base64.StdEncoding.EncodeToString(archiveOf(s.t))
	build := s.make("CreateBuild", `{"Name":"game","OperatingSystem":"AMAZON_LINUX_2023"}`)
	s.names["build"] = text(build, "Build", "BuildId")
	s.upload(text(build, "StorageLocation", "Bucket"), text(build, "StorageLocation", "Key"), archiveOf(s.t))

	const permissions = `"EC2InboundPermissions":[{"FromPort":7000,"ToPort":7001,"IpRange":"0.0.0.0/0","Protocol":"TCP"}]`
	fleet := s.make("CreateFleet", `{"Name":"f","BuildId":"$build","EC2InstanceType":"c5.large","RuntimeConfiguration":{"ServerProcesses":[{"LaunchPath":"/local/game/server","ConcurrentExecutions":3}]},`+permissions+`,"Tags":[{"Key":"a","Value":"b"}]}`)
	s.names["fleet"], s.names["fleetARN"] = text(fleet, "FleetAttributes", "FleetId"), text(fleet, "FleetAttributes", "FleetArn")
	s.turn()
	s.startInstance()
	s.make("UpdateFleetCapacity", `{"FleetId":"$fleet","MaxSize":2}`)

	alias := s.make("CreateAlias", `{"Name":"a","RoutingStrategy":{"Type":"SIMPLE","FleetId":"$fleet"},"Tags":[{"Key":"a","Value":"b"}]}`)
	s.names["alias"], s.names["aliasARN"] = text(alias, "Alias", "AliasId"), text(alias, "Alias", "AliasArn")
	s.names["session"] = text(s.make("CreateGameSession", `{"FleetId":"$fleet","MaximumPlayerSessionCount":4}`), "GameSession", "GameSessionId")
	s.activate(s.names["session"])
	s.make("CreatePlayerSessions", `{"GameSessionId":"$session","PlayerIds":["p1","p2"]}`)

	s.names["queue"] = "q"
	s.names["queueARN"] = text(s.make("CreateGameSessionQueue", `{"Name":"$queue","Destinations":[{"DestinationArn":"$fleetARN"}]}`), "GameSessionQueue", "GameSessionQueueArn")
	s.names["placement"] = "done"
	s.make("StartGameSessionPlacement", `{"PlacementId":"$placement","GameSessionQueueName":"$queue","MaximumPlayerSessionCount":2}`)
	s.turn()
	s.activate(text(s.make("ExplainPlacement", `{"PlacementId":"$placement"}`), "GameSessionId"))
	s.names["waiting"] = "waiting"
	s.make("StartGameSessionPlacement", `{"PlacementId":"$waiting","GameSessionQueueName":"$queue","MaximumPlayerSessionCount":2}`)

	s.names["ruleSet"], s.names["configuration"], s.names["ticket"] = "rules", "duel", "ticket-1"
	s.make("CreateMatchmakingRuleSet", `{"Name":"$ruleSet","RuleSetBody":"{\"name\":\"r\",\"ruleLanguageVersion\":\"1.0\",\"playerAttributes\":[{\"name\":\"skill\",\"type\":\"number\"},{\"name\":\"maps\",\"type\":\"string_number_map\"}],\"teams\":[{\"name\":\"all\",\"minPlayers\":1,\"maxPlayers\":2}]}"}`)
	s.make("CreateMatchmakingConfiguration", `{"Name":"$configuration","RuleSetName":"$ruleSet","RequestTimeoutSeconds":60,"AcceptanceRequired":false,"GameSessionQueueArns":["$queueARN"]}`)
	s.make("StartMatchmaking", `{"TicketId":"$ticket","ConfigurationName":"$configuration","Players":[{"PlayerId":"p1","PlayerAttributes":{"skill":{"N":1}}}]}`)

	s.names["script"] = text(s.make("CreateScript", `{"Name":"s","ZipFile":"$zip"}`), "Script", "ScriptId")
	s.names["location"] = text(s.make("CreateLocation", `{"LocationName":"custom-here"}`), "Location", "LocationName")
	s.names["policy"] = text(s.make("PutScalingPolicy", `{"Name":"grow","FleetId":"$fleet","MetricName":"ActiveGameSessions","ComparisonOperator":"GreaterThanThreshold","Threshold":1,"EvaluationPeriods":2,"ScalingAdjustmentType":"ChangeInCapacity","ScalingAdjustment":1}`), "Name")
	s.names["group"], s.names["server"] = "g", "one"
	s.make("CreateGameServerGroup", `{"GameServerGroupName":"$group","RoleArn":"arn:aws:iam::123456789012:role/r","MinSize":0,"MaxSize":2,"LaunchTemplate":{"LaunchTemplateName":"template"},"InstanceDefinitions":[{"InstanceType":"c5.large"},{"InstanceType":"m5.large"}]}`)
	s.make("RegisterGameServer", `{"GameServerGroupName":"$group","GameServerId":"$server","InstanceId":"i-00000000000000001","ConnectionInfo":"10.0.0.1:7777"}`)
	s.make("CreateVpcPeeringAuthorization", `{"GameLiftAwsAccountId":"000000000000","PeerVpcId":"vpc-1"}`)
	s.make("CreateVpcPeeringConnection", `{"FleetId":"$fleet","PeerVpcAwsAccountId":"000000000000","PeerVpcId":"vpc-1"}`)
	peerings := s.make("DescribeVpcPeeringConnections", `{"FleetId":"$fleet"}`)["VpcPeeringConnections"].([]any)
	s.names["peering"] = text(peerings[0].(object), "VpcPeeringConnectionId")
	s.names["key"] = text(s.make("CreateKey", `{"Name":"k","PolicyName":"admin"}`), "Key", "AccessKeyId")
}

// requests reads testdata/requests.txt: what to send for each operation, and
// which of them are refused.
func (s *service) requests() (inputs map[string]object, refused map[string]bool) {
	s.t.Helper()
	file, err := os.ReadFile("testdata/requests.txt")
	if err != nil {
		s.t.Fatal(err)
	}
	inputs, refused = map[string]object{}, map[string]bool{}
	for line := range strings.Lines(string(file)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, body, _ := strings.Cut(line, " ")
		name, no := strings.CutPrefix(name, "~")
		refused[name] = no
		inputs[name] = s.read(name, body)
	}
	return inputs, refused
}

// read makes an input of its text.
func (s *service) read(operation, body string) object {
	s.t.Helper()
	for name, value := range s.names {
		body = strings.ReplaceAll(body, `"$`+name+`"`, `"`+value+`"`)
	}
	if at := strings.Index(body, `"$`); at >= 0 {
		s.t.Fatalf("%s: nothing is called %.20s", operation, body[at:])
	}
	shape := s.m.shapes[operation+"Input"]
	if shape == nil {
		s.t.Fatalf("no operation %s", operation)
	}
	return s.m.unmarshal(s.t, "json", shape, []byte(body)).(object)
}

// make carries a request out, which must succeed.
func (s *service) make(operation, body string) object {
	s.t.Helper()
	o := s.m.op(operation)
	status, answer := s.post(o, "json", marshal(s.t, "json", s.read(operation, body)))
	if status != http.StatusOK {
		s.t.Fatalf("%s: answered %d %s", operation, status, answer)
	}
	out := object{}
	if err := json.Unmarshal(answer, &out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (m *model) op(name string) *op {
	for _, o := range m.ops {
		if o.name == name {
			return o
		}
	}
	return nil
}

// text follows names into an answer.
func text(v object, path ...string) string {
	for _, name := range path[:len(path)-1] {
		v, _ = v[name].(object)
	}
	found, _ := v[path[len(path)-1]].(string)
	return found
}

func archiveOf(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("server")
	if err == nil {
		_, err = f.Write([]byte("#!/bin/sh\n"))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload stores a file as the door to the files does.
func (s *service) upload(bucket, key string, content []byte) {
	s.t.Helper()
	ctx := auth.WithCaller(s.t.Context(), auth.Caller{Account: "000000000000", Region: "us-west-2", Principal: "root"}.Under(auth.Everything()))
	err := s.MayWrite(ctx, bucket, key)
	if err == nil {
		_, err = s.files.Put(ctx, ops.FileKey(bucket, key), bytes.NewReader(content))
	}
	if err == nil {
		err = s.Finished(ctx, bucket, key, int64(len(content)))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) turn() {
	s.t.Helper()
	if _, err := s.engine.Turn(s.t.Context(), s.now); err != nil {
		s.t.Fatal(err)
	}
}

// startInstance plays the agent of the one instance, whose processes get ready.
func (s *service) startInstance() {
	s.t.Helper()
	for _, e := range s.sent {
		if e.StartInstance != nil {
			s.names["instance"] = string(e.StartInstance.InstanceID)
		}
	}
	for _, stage := range []lift.Stage{lift.StageDownloading, lift.StageExtracting, lift.StageValidating, lift.StageBuilding, lift.StageActivating} {
		s.tell(lift.Event{Stage: &lift.StageReached{Stage: stage, Address: "10.0.0.7"}})
	}
	for n := range 3 {
		id := lift.ProcessID(fmt.Sprintf("proc-%s-p%d", s.names["instance"], n))
		s.names["process"] = string(id)
		s.tell(
			lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: id, LaunchPath: "/local/game/server", OSPID: 100}},
			lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: id, SDKVersion: "5.4.0", SDKLanguage: "Go"}},
			lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: id, Port: 7000 + n}})
	}
}

// activate answers for the game server that its session is ready.
func (s *service) activate(session string) {
	s.t.Helper()
	var process lift.ProcessID
	err := s.db.View(s.t.Context(), func(tx store.Tx) error {
		gs, err := store.Sessions.Find(tx, session)
		if err == nil {
			process = gs.ProcessID
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.tell(lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: process, SessionID: lift.GameSessionID(session)}})
}

// tell hands events of the instance's agent to the engine.
func (s *service) tell(events ...lift.Event) {
	s.t.Helper()
	var b engine.Batch
	for _, ev := range events {
		s.seq++
		b.Events = append(b.Events, engine.Numbered{Seq: s.seq, Event: ev})
	}
	if _, _, err := s.engine.Handle(s.t.Context(), lift.InstanceID(s.names["instance"]), b); err != nil {
		s.t.Fatal(err)
	}
}

// rows returns everything that is stored.
func (s *service) rows() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	err := s.db.View(s.t.Context(), func(tx store.Tx) error {
		for _, k := range store.Kinds() {
			rows, err := tx.Scan(k.Name, "", "", store.Cursor{}, 1000)
			if err != nil {
				return err
			}
			for _, r := range rows {
				all[k.Name+" "+r.ID] = string(r.Body)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestFilledService proves that the requests which the bad ones are made of are
// good: without it, a bad input that is refused might have been refused anyway.
func TestFilledService(t *testing.T) {
	m := wholeModel(t)
	s := newService(t, m)
	s.fill()
	inputs, refused := s.requests()
	before := s.rows()
	for _, o := range m.ops {
		no, ok := refused[o.name]
		if !ok {
			if !strings.Contains(o.name, "Container") && !strings.Contains(o.name, "FleetDeployment") {
				t.Errorf("testdata/requests.txt has no request for %s", o.name)
			}
			continue
		}
		if !maps.Equal(s.rows(), before) {
			s = newService(t, m)
			s.fill()
			inputs, _ = s.requests()
			before = s.rows()
		}
		status, answer := s.post(o, "json", marshal(t, "json", inputs[o.name]))
		if (status == http.StatusOK) == no {
			t.Errorf("%s: answered %d %s", o.name, status, answer)
		}
	}
}
