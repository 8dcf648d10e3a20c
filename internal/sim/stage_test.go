package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/scenario"
)

// scenarioFaults change nothing that a scenario awaits: all of them pass.
const scenarioFaults = "cut=true,crash=true,slow=true,hostLate=true,storeFails=true,storeStops=true,storeAgain=true,storeDoubt=true"

// scenarios are those that are played on a real service, too.
func scenarios(t *testing.T) map[string][]scenario.Step {
	t.Helper()
	files, err := filepath.Glob("../scenario/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios found, %v", len(files), err)
	}
	all := map[string][]scenario.Step{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := scenario.Parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txt")] = steps
	}
	return all
}

// severalServers has a scenario played with several servers, of which others may
// answer its calls than hold its game servers.
const severalServers = "servers=3,clocks=true,deaf=true"

// TestScenarios plays every scenario in some worlds without faults and in some
// with, in some with several servers, each twice. What must come of it is the
// same.
func TestScenarios(t *testing.T) {
	for name, steps := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(14) {
				if *seedFlag >= 0 && seed != uint64(*seedFlag) {
					continue
				}
				run := func(o Options) Outcome {
					var plan []string
					if seed%2 == 1 {
						plan = append(plan, scenarioFaults)
					}
					if seed >= 10 {
						plan = append(plan, severalServers)
					}
					o.Plan = strings.Join(plan, ",")
					return Play(seed, steps, o)
				}
				out := run(Options{})
				if out.Err != nil {
					path := filepath.Join(t.ArtifactDir(), fmt.Sprintf("seed-%d.txt", seed))
					f, err := os.Create(path)
					if err != nil {
						t.Fatal(err)
					}
					run(Options{Trace: f})
					f.Close()
					t.Fatalf("%v\n\tgo test ./internal/sim -run '%s' -seed %d\n\tits story is in %s (kept with -artifacts)", out.Err, t.Name(), seed, path)
				}
				if out.Hash != run(Options{}).Hash {
					part(t, seed, run, Options{}, Options{}, "again")
				}
			}
		})
	}
}
