package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const oneFleet = "fleet-01234567-89ab-cdef-0123-456789abcdef"

// Both forms of times that CLIs print, members of no use, and what names its
// fleet in different ways.
func TestReadAccount(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"fleets.json":                 `{"FleetAttributes": [{"FleetId": "` + oneFleet + `", "Name": "one", "BuildId": "build-1", "CreationTime": 1599510000.5}]} {"FleetAttributes": [{"FleetId": "fleet-2"}]}`,
		"runtime-" + oneFleet + ".js": `not read: no .json`,
		oneFleet + "-runtime.json":    `{"RuntimeConfiguration": {"ServerProcesses": [{"LaunchPath": "/local/game/a", "ConcurrentExecutions": 3}]}}`,
		"ports.json":                  `{"FleetId": "fleet-2", "FleetArn": "x", "InboundPermissions": [{"FromPort": 1, "ToPort": 2, "IpRange": "10.0.0.0/8", "Protocol": "UDP"}]}`,
		"lost.json":                   `{"RuntimeConfiguration": {}}`,
		"more.json": `{"Aliases": [{"AliasId": "alias-b", "LastUpdatedTime": "2020-09-07T20:20:00+00:00"}, {"AliasId": "alias-a", "RoutingStrategy": {"Type": "SIMPLE", "FleetId": "fleet-2"}}],
			"FleetCapacity": [{"FleetId": "fleet-2", "InstanceCounts": {"DESIRED": 4}}], "Builds": [{"BuildId": "build-1"}], "NextToken": "x", "GameSessions": []}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a, err := readAccount([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.fleets) != 2 || deref(a.fleets[0].Name) != "one" {
		t.Errorf("fleets: %+v", a.fleets)
	}
	if c := a.runtimes[oneFleet]; len(c.ServerProcesses) != 1 || c.ServerProcesses[0].ConcurrentExecutions != 3 {
		t.Errorf("runtime configuration: %+v", c)
	}
	if p := a.ports["fleet-2"]; len(p) != 1 || p[0].Protocol != "UDP" {
		t.Errorf("ports: %+v", p)
	}
	if len(a.aliases) != 2 || deref(a.aliases[0].AliasId) != "alias-a" || deref(a.capacities["fleet-2"].DESIRED) != 4 || len(a.builds) != 1 {
		t.Errorf("%+v", a)
	}
	text := strings.Join(a.unread, "\n")
	for _, want := range []string{"more.json: there were more pages", "more.json: GameSessions live on the game servers there", "names no fleet"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told in:\n%s", want, text)
		}
	}
}

// With one fleet there is no question whose a runtime configuration is.
func TestTheOnlyFleet(t *testing.T) {
	a := newAccount()
	for name, text := range map[string]string{"f": `{"FleetAttributes": [{"FleetId": "fleet-2"}]}`, "r": `{"RuntimeConfiguration": {"MaxConcurrentGameSessionActivations": 7}}`} {
		if err := a.read(name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	a.settle()
	if deref(a.runtimes["fleet-2"].MaxConcurrentGameSessionActivations) != 7 || len(a.unread) > 0 {
		t.Errorf("%+v", a)
	}
}

func TestReadAccountRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "is empty",
		"[]":                             "is not JSON as the AWS CLI prints it",
		"{}x":                            "is not JSON as the AWS CLI prints it",
		`{"Builds": [{"BuildId": 5}]}`:   "Builds: [0]: ",
		`{"Aliases": 5}`:                 "Aliases: [0]: ",
		`{"FleetId": [], "Builds": []}`:  "FleetId: ",
		`{"RuntimeConfiguration": null}`: "",
	} {
		err := newAccount().read("file", strings.NewReader(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "file")) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	if _, err := readAccount([]string{t.TempDir()}); err == nil || !strings.Contains(err.Error(), "there is no *.json") {
		t.Errorf("an empty folder: %v", err)
	}
}

func FuzzReadAccount(f *testing.F) {
	f.Add(oneFleet, `{"RuntimeConfiguration": {"ServerProcesses": [{"LaunchPath": "a", "ConcurrentExecutions": 1}]}}`)
	f.Add("x", `{"FleetAttributes": [{"FleetId": "fleet-2", "CreationTime": 1}], "NextToken": null}`)
	f.Add("x", `{"ScalingPolicies": [{"Threshold": 1e3}], "RuleSets": {"RuleSetBody": "{}"}, "Configurations": [], "GameSessionQueues": [null]}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		a := newAccount()
		if err := a.read(name, strings.NewReader(text)); err != nil {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		a.settle()
		if _, ok := a.runtimes[""]; ok {
			t.Error("a runtime configuration of no fleet is left")
		}
	})
}
