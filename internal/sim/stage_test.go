package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/scenario"
)

// TestScenarios plays every scenario in some worlds without faults and in some
// where connections break, the service dies and the store refuses. What must
// come of it is the same.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../scenario/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios found, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := scenario.Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			const faults = "cut=true,crash=true,slow=true,hostLate=true,storeFails=true,storeStops=true,storeAgain=true,storeDoubt=true"
			for seed := range uint64(10) {
				o := Options{}
				if seed%2 == 1 {
					o.Plan = faults
				}
				if *seedFlag >= 0 && seed != uint64(*seedFlag) {
					continue
				}
				out := Play(seed, steps, o)
				if out.Err == nil && out.Hash == Play(seed, steps, o).Hash {
					continue
				}
				path := filepath.Join(t.ArtifactDir(), fmt.Sprintf("scenario-%d.txt", seed))
				if f, err := os.Create(path); err == nil {
					o.Trace = f
					Play(seed, steps, o)
					f.Close()
				}
				t.Fatalf("seed %d: %v\nits story is in %s (kept with -artifacts)", seed, out.Err, path)
			}
		})
	}
}
