package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

var (
	seed  = flag.Int64("seed", -1, "play the world of this seed only, and tell its story")
	once  = flag.Bool("once", false, "play each world once only")
	seeds = flag.Int("seeds", defaultSeeds, "how many worlds TestSim plays, each twice")
)

// TestSim plays worlds, each twice: a world that goes two ways has a choice in
// it that the seed does not make.
func TestSim(t *testing.T) {
	if *seed >= 0 {
		tell(t, uint64(*seed), Run(uint64(*seed), nil))
		return
	}
	var (
		mu    sync.Mutex
		next  int
		total Tally
		all   sync.WaitGroup
		began = time.Now()
	)
	// A world is small and gone soon, and the default would clean up after it
	// some hundred times a second.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	events := 0
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				stop := n >= *seeds || t.Failed()
				mu.Unlock()
				if stop {
					return
				}
				out := Run(uint64(n), nil)
				again := out
				if !*once {
					again = Run(uint64(n), nil)
				}
				mu.Lock()
				switch {
				case out.Err != nil:
					tell(t, uint64(n), out)
				case out.Hash != again.Hash:
					t.Errorf("the world of seed %d goes two ways; replay it with\n\tgo test ./internal/sim -run Sim -seed %d", n, n)
				}
				events += out.Events
				if !*once {
					events += again.Events
				}
				total.Add(out.Tally)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t.Logf("%d worlds, %d events, %d a second: %+v", next-runtime.GOMAXPROCS(0), events, int(float64(events)/time.Since(began).Seconds()), total)
}

// tell writes the story of a world to a file and says how to play it again.
func tell(t *testing.T, seed uint64, out Outcome) {
	t.Helper()
	if out.Err == nil {
		t.Logf("seed %d: %d events in %s, %+v", seed, out.Events, out.Lasted, out.Tally)
	} else {
		t.Errorf("%v\n\tgo test ./internal/sim -run Sim -seed %d", out.Err, seed)
	}
	if out.Err == nil && !testing.Verbose() {
		return
	}
	path := filepath.Join(t.ArtifactDir(), fmt.Sprintf("seed-%d.txt", seed))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	Run(seed, f)
	t.Logf("its story is in %s (kept with -artifacts)", path)
}
