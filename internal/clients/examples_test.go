package clients

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/need"
	"github.com/chairlift-games/chairlift/internal/scenario"
)

// An example is one command that the CLI's own manual shows.
type example struct {
	name    string // file and number
	command string
	files   map[string]string // that the command names, by their names
	output  any               // what it shows as output; nil: nothing that is JSON
}

// exampleFaults are examples that cannot work as they are printed, with the
// reason. Everything else must.
var exampleFaults = map[string]string{
	"upload-build":              "the manual's line lacks a backslash, and asks for an option that this CLI is too old for",
	"create-game-session-queue": "the manual shows what describe-game-session-queues prints, and makes one name twice",
	"list-builds 3":             "there is no FAILED build here to show",
	"create-build":              "the file of the first is no JSON, and the second has an operating system that this CLI is too old for",
}

// unpromised are members that the manual shows and that are not always there.
var unpromised = map[string]bool{
	"NextToken":              true,                           // more pages
	"PreSignedLogUrl":        true,                           // some events
	"ServerLaunchParameters": true, "ServerLaunchPath": true, // fleets made in the form of before 2016
	"InstanceRoleArn": true, "ScriptId": true, "TerminationTime": true, // if given
	"PlayerLatencyPolicies": true,
}

// TestExamplesOfTheCLI runs the commands of the CLI's own manual, as installed
// with it, and looks for every member that the manual shows in the output.
func TestExamplesOfTheCLI(t *testing.T) {
	c := all[0]
	c.command(t, c) // skips the test if it is not there
	out, err := exec.Command(debianPython, "-c", "import awscli, os; print(os.path.dirname(awscli.__file__))").Output()
	if err != nil {
		t.Fatal(err)
	}
	pages, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "examples/gamelift/*.rst"))
	if len(pages) == 0 {
		need.Skip(t, "this awscli has no examples; Debian's package has")
	}
	addr, data := serve(t)

	d := drive(t, c, "http://"+addr, data)
	root, _ := game(t)
	if err := os.Remove(filepath.Join(root, "assets.pak")); err != nil {
		t.Fatal(err)
	}
	w := newExampleWorld(t, d, root)
	ran := 0
	slices.SortStableFunc(pages, func(a, b string) int { return deletes(a) - deletes(b) })
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		topic := strings.TrimSuffix(filepath.Base(page), ".rst")
		for i, e := range examples(strings.ReplaceAll(string(text), "\r", "")) {
			e.name = fmt.Sprintf("%s %d", topic, i+1)
			if why := cmp.Or(exampleFaults[topic], exampleFaults[e.name]); why != "" {
				t.Logf("%s: left out: %s", e.name, why)
				continue
			}
			if w.run(e) {
				ran++
			}
		}
	}
	t.Logf("%d examples of the manual ran with every member they show", ran)
	if ran < 20 {
		t.Errorf("only %d examples were found and ran", ran)
	}
}

// deletes is 1 for pages that take away what others need.
func deletes(page string) int {
	if strings.HasPrefix(filepath.Base(page), "delete-") {
		return 1
	}
	return 0
}

// examples finds the commands of a page of the manual. A block that ends a
// paragraph with :: is a command, a file, or the output.
func examples(text string) []example {
	var all []example
	blocks := regexp.MustCompile(`(?m)^(.*)::[ \t]*\n((?:[ \t]*\n|[ \t]+.*\n?)+)`)
	file := regexp.MustCompile("Contents of ``(.*?)``")
	for _, m := range blocks.FindAllStringSubmatch(text, -1) {
		body := strings.TrimSpace(m[2])
		switch {
		case strings.HasPrefix(body, "aws gamelift "):
			body = regexp.MustCompile(`\\?[ \t]*\n[ \t]*`).ReplaceAllString(body, " ")
			all = append(all, example{command: strings.ReplaceAll(body, "\\ ", " "), files: map[string]string{}})
		case len(all) == 0:
		case file.MatchString(m[1]):
			all[len(all)-1].files[file.FindStringSubmatch(m[1])[1]] = body
		case strings.HasPrefix(strings.TrimSpace(m[1]), "Output"):
			_ = json.Unmarshal([]byte(body), &all[len(all)-1].output)
		}
	}
	return all
}

// An exampleWorld has what the examples speak of.
type exampleWorld struct {
	t      *testing.T
	driver *driver
	dir    string
	linux  string // the id of a build
	window string
	empty  string // one whose files have not come
	fleets []string
	alias  string
}

func newExampleWorld(t *testing.T, d *driver, root string) *exampleWorld {
	w := &exampleWorld{t: t, driver: d, dir: t.TempDir()}
	call := func(op string, in map[string]any) any {
		t.Helper()
		a, err := d.ask(map[string]any{"op": op, "in": in})
		if err != nil || a.Out == nil {
			t.Fatalf("%s: %v %+v", op, err, a.Error)
		}
		return a.Out
	}
	text := func(v any, path string) string {
		s, _ := scenario.At(v, path)
		return fmt.Sprint(s)
	}
	build := func(system string) string {
		id := text(call("UploadBuild", map[string]any{"Name": "MegaFrogRace", "Version": "1", "OperatingSystem": system, "Root": root}), "BuildId")
		for began := time.Now(); text(call("DescribeBuild", map[string]any{"BuildId": id}), "Build.Status") != "READY"; {
			if time.Since(began) > 20*time.Second {
				t.Fatal("the build is not READY")
			}
		}
		return id
	}
	w.linux, w.window = build("AMAZON_LINUX_2"), build("WINDOWS_2012")
	for _, name := range []string{"one", "two"} {
		f := call("CreateFleet", map[string]any{"Name": name, "Description": "hosts frogs", "MetricGroups": []any{"default"}, "BuildId": w.linux, "EC2InstanceType": "c5.large",
			"EC2InboundPermissions": []any{map[string]any{"FromPort": 33400, "ToPort": 33500, "IpRange": "0.0.0.0/0", "Protocol": "UDP"}}, "RuntimeConfiguration": map[string]any{
				"ServerProcesses": []any{map[string]any{"LaunchPath": "/local/game/arena", "Parameters": "-port {port}", "ConcurrentExecutions": 1}}}})
		w.fleets = append(w.fleets, text(f, "FleetAttributes.FleetId"))
	}
	for _, id := range w.fleets {
		for began := time.Now(); text(call("DescribeFleetAttributes", map[string]any{"FleetIds": []any{id}}), "FleetAttributes.0.Status") != "ACTIVE"; {
			if time.Since(began) > 30*time.Second {
				t.Fatal("the fleet is not ACTIVE")
			}
		}
	}
	w.alias = text(call("CreateAlias", map[string]any{"Name": "frogs", "RoutingStrategy": map[string]any{"Type": "SIMPLE", "FleetId": w.fleets[0]}}), "Alias.AliasId")
	w.empty = text(call("CreateBuild", map[string]any{"Name": "empty", "OperatingSystem": "AMAZON_LINUX_2"}), "Build.BuildId")
	for _, name := range []string{"MegaFrogRace-NA", "MegaFrogRace-EU"} {
		call("CreateGameSessionQueue", map[string]any{"Name": name, "TimeoutInSeconds": 600,
			"Destinations":          []any{map[string]any{"DestinationArn": "arn:aws:gamelift:us-west-2::fleet/" + w.fleets[0]}},
			"PlayerLatencyPolicies": []any{map[string]any{"MaximumIndividualPlayerLatencyMilliseconds": 100, "PolicyDurationSeconds": 60}, map[string]any{"MaximumIndividualPlayerLatencyMilliseconds": 200}},
			"FilterConfiguration":   map[string]any{"AllowedLocations": []any{"us-west-2"}},
			"PriorityConfiguration": map[string]any{"PriorityOrder": []any{"LOCATION"}, "LocationOrder": []any{"us-west-2"}},
		})
	}
	return w
}

var (
	exampleBuild = regexp.MustCompile(`build-[0-9a-f]+(-[0-9a-zA-Z]+)*`)
	exampleFleet = regexp.MustCompile(`fleet-[0-9a-f]{8}(-[0-9a-zA-Z]+)+`)
	exampleAlias = regexp.MustCompile(`alias-[0-9a-f]{8}(-[0-9a-zA-Z]+)+`)
	exampleTime  = regexp.MustCompile(`--(start|end)-time \d+`)
	exampleToken = regexp.MustCompile(`--next-token \S+`)
)

// fit puts the ids of this world into the manual's text.
func (w *exampleWorld) fit(s string) string {
	build := w.linux
	switch {
	case strings.Contains(s, `C:\`):
		build = w.window
	case strings.Contains(s, "request-upload-credentials"):
		build = w.empty
	}
	s = exampleBuild.ReplaceAllString(s, build)
	n := -1
	s = exampleFleet.ReplaceAllStringFunc(s, func(string) string { n++; return w.fleets[n%len(w.fleets)] })
	s = exampleAlias.ReplaceAllString(s, w.alias)
	for _, region := range []string{"us-west-1", "us-east-1"} {
		s = strings.ReplaceAll(s, region, "us-west-2")
	}
	s = exampleTime.ReplaceAllStringFunc(s, func(m string) string {
		end := 0
		if strings.HasPrefix(m, "--end") {
			end = 7200
		}
		return fmt.Sprintf("%s %d", strings.Fields(m)[0], time.Now().Unix()-3600+int64(end))
	})
	return exampleToken.ReplaceAllString(s, "")
}

// run runs an example. It says no if Chairlift does not have it yet.
func (w *exampleWorld) run(e example) bool {
	w.t.Helper()
	for name, content := range e.files {
		// The manual wraps lists into the objects of whole inputs.
		var wrapped map[string]json.RawMessage
		if json.Unmarshal([]byte(content), &wrapped) == nil && len(wrapped) == 1 {
			for _, list := range wrapped {
				content = string(list)
			}
		}
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(w.fit(content)), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	args, err := words(strings.ReplaceAll(w.fit(e.command), "file://", "file://"+w.dir+"/"))
	if err != nil {
		w.t.Errorf("%s: %v", e.name, err)
		return false
	}
	a, err := w.driver.ask(map[string]any{"args": append(args[1:], "--output", "json")})
	if err != nil {
		w.t.Fatal(err)
	}
	result, _ := a.Out.(map[string]any)
	stderr := fmt.Sprint(result["Stderr"])
	if result["Code"] != 0.0 {
		if strings.Contains(stderr, "not built yet") || strings.Contains(stderr, "not supported by this release") {
			w.t.Logf("%s: not yet: %s", e.name, strings.TrimSpace(stderr))
			return false
		}
		w.t.Errorf("%s: %v\n%s", e.name, args, stderr)
		return false
	}
	if e.output == nil {
		return true
	}
	var got any
	if err := json.Unmarshal([]byte(fmt.Sprint(result["Stdout"])), &got); err != nil {
		w.t.Errorf("%s: %v prints %v", e.name, args, result["Stdout"])
		return false
	}
	shown, there := map[string]bool{}, map[string]bool{}
	Members(e.output, shown)
	Members(got, there)
	ok := true
	for path := range shown {
		if last := path[strings.LastIndexByte(path, '.')+1:]; !there[path] && !unpromised[last] {
			w.t.Errorf("%s: %v: the manual shows %s, we do not", e.name, args, path)
			ok = false
		}
	}
	return ok
}

// words splits a command line as a shell does, as far as the manual needs it.
func words(line string) ([]string, error) {
	out, err := exec.Command("sh", "-c", `printf '%s\n' `+strings.ReplaceAll(line, "\\", "\\\\")).Output()
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), err
}

// TestSmokeOfGo1 makes the calls that the makers of Go's first SDK try theirs
// with, as the module has them.
func TestSmokeOfGo1(t *testing.T) {
	c := all[slices.IndexFunc(all, func(c *client) bool { return strings.HasPrefix(c.name, "aws-sdk-go 1") })]
	c.command(t, c) // skips the test if it is not there
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go")
	cmd.Dir = "golang"
	dir, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "models/apis/gamelift/2015-10-01/smoke.json"))
	if err != nil {
		t.Fatal(err)
	}
	var smoke struct {
		TestCases []struct {
			OperationName            string
			Input                    map[string]any
			ErrorExpectedFromService bool
		}
	}
	if err := json.Unmarshal(text, &smoke); err != nil || len(smoke.TestCases) == 0 {
		t.Fatalf("%v: no cases in %s", err, text)
	}
	addr, data := serve(t)
	d := drive(t, c, "http://"+addr, data)
	for _, s := range smoke.TestCases {
		a, err := d.ask(map[string]any{"op": s.OperationName, "in": s.Input})
		if err != nil || (a.Error != nil) != s.ErrorExpectedFromService {
			t.Errorf("%s %v: %v, %+v", s.OperationName, s.Input, err, a)
		}
	}
}
