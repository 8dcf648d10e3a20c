// Package tidy holds tests about the repository itself: who may import whom,
// and that every package says what it is for.
package tidy

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/chairlift-games/chairlift/"

// rooms says what each room may import of our own. A room that is missing here
// may import nothing of ours. "a/" allows everything below a.
var rooms = map[string]string{
	"internal/lift":             "",
	"internal/archive":          "internal/archive/",
	"internal/archive/inspect":  "",
	"internal/session":          "internal/lift",
	"internal/fleet":            "internal/lift",
	"internal/placement":        "internal/lift",
	"internal/match":            "internal/lift internal/match/",
	"internal/match/rules":      "internal/lift",
	"internal/search":           "internal/lift",
	"internal/store":            "internal/lift",
	"internal/store/memdb":      "internal/store",
	"internal/store/sqldb":      "internal/store internal/store/",
	"internal/store/pgtest":     "internal/need",
	"internal/store/stumble":    "internal/store",
	"internal/store/storetest":  "internal/store internal/store/memdb",
	"internal/blob":             "internal/lift",
	"internal/blob/bucket":      "internal/blob internal/auth",
	"internal/host":             "internal/lift",
	"internal/host/hosttest":    "internal/host internal/lift",
	"internal/host/local":       "internal/host internal/host/ internal/lift",
	"internal/auth":             "internal/lift internal/store",
	"internal/metrics":          "internal/lift internal/store",
	"internal/notify":           "internal/lift internal/store",
	"internal/notify/event":     "internal/lift",
	"internal/throttle":         "",
	"internal/sdk":              "internal/lift internal/auth",
	"internal/sdk/sdktest":      "internal/sdk",
	"internal/link":             "internal/lift internal/auth",
	"internal/engine":           "internal/lift internal/session internal/fleet internal/placement internal/match/rules internal/store internal/notify/event", // match/rules: a ticket is checked as it arrives
	"internal/engine/matcher":   "internal/engine internal/match internal/match/rules internal/lift internal/store",
	"internal/ops":              "api internal/lift internal/session internal/fleet internal/placement internal/match/rules internal/search internal/store internal/engine internal/engine/matcher internal/blob internal/archive internal/archive/ internal/auth", // match/rules: a rule set is checked as it arrives; matcher: why a ticket waits
	"internal/wire":             "api internal/auth internal/lift",
	"internal/s3door":           "internal/lift internal/auth internal/blob internal/engine",
	"internal/agent":            "internal/lift internal/session internal/fleet internal/sdk internal/link internal/archive internal/archive/ internal/blob internal/host",
	"internal/server":           "api internal/",
	"internal/cli":              "api internal/wire internal/auth internal/match internal/match/ internal/wrap",
	"internal/sim":              "api internal/",
	"internal/sim/mutants":      "",
	"internal/demo":             "api internal/server internal/wire internal/auth internal/cli examples/",
	"internal/wrap":             "serversdk",
	"internal/apigen":           "",
	"internal/clients":          "internal/scenario",
	"internal/clients/coverage": "api internal/clients",
	"internal/scenario":         "internal/auth",
	"internal/need":             "",
	"internal/golden":           "",
	"internal/tidy":             "",
	"internal/tidy/testreport":  "",
	"api":                       "",
	"serversdk":                 "",
	"chairlifttest":             "internal/server serversdk",
	"examples/arena":            "serversdk examples/arena/",
	"examples/arena/bot":        "examples/arena/",
	"examples/arena/player":     "examples/arena/",
	"examples/arena/arenaproto": "",
	"cmd/chairlift":             "internal/",
}

// pure lists rooms that decide. They may not reach the world outside.
var pure = []string{"internal/lift", "internal/session", "internal/fleet", "internal/placement", "internal/match", "internal/match/rules", "internal/search", "internal/notify/event"}

var worldly = []string{"context", "sync", "os", "net", "log", "crypto", "math/rand"}

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
	return all
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module); ok && !allowed(p.ImportPath, ours) {
				t.Errorf("%s imports %s; the table in this test and ARCHITECTURE.md say what it may import (pass data up front, do not call back)", p.ImportPath, ours)
			}
			if slices.Contains(pure, p.ImportPath) {
				if why := impure(i); why != "" {
					t.Errorf("%s imports %s: %s", p.ImportPath, i, why)
				}
			}
		}
	}
}

func allowed(from, to string) bool {
	list, known := rooms[from]
	if !known {
		return false
	}
	for _, a := range strings.Fields(list) {
		if a == to || strings.HasSuffix(a, "/") && strings.HasPrefix(to, a) {
			return true
		}
	}
	return false
}

func impure(path string) string {
	for _, w := range worldly {
		if path == w || strings.HasPrefix(path, w+"/") {
			return fmt.Sprintf("a room that decides knows nothing of %s", w)
		}
	}
	if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && !strings.HasPrefix(path, module) {
		return "a room that decides needs no other module"
	}
	return ""
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		found := false
		for _, f := range p.GoFiles {
			ast, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			found = found || ast.Doc != nil
		}
		if !found && len(p.GoFiles) > 0 {
			t.Errorf("package %s has no package comment; say what the room is for, what it must not know, and show one use", p.ImportPath)
		}
	}
}

func TestTheTableNamesEveryRoom(t *testing.T) {
	for _, p := range packages(t) {
		if _, ok := rooms[p.ImportPath]; !ok && len(p.GoFiles) > 0 {
			t.Errorf("package %s is not in the table of rooms", p.ImportPath)
		}
	}
}
