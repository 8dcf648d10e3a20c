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
	seedFlag  = flag.Int64("seed", -1, "play the world of this seed only, and tell its story")
	planFlag  = flag.String("plan", "", "with -seed: change what the seed chose, as in cut=false,clients=1")
	shrinking = flag.Bool("shrink", true, "look for a smaller world when one fails")
	once      = flag.Bool("once", false, "play each world once only")
	seeds     = flag.Int("seeds", defaultSeeds, "how many worlds TestSim plays, each twice")
)

// TestSim plays worlds, each twice: a world that goes two ways has a choice in
// it that the seed does not make.
func TestSim(t *testing.T) {
	if *seedFlag >= 0 {
		tell(t, uint64(*seedFlag), Run(uint64(*seedFlag), Options{Plan: *planFlag}))
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
	defer debug.SetGCPercent(debug.SetGCPercent(1600))
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
				out := Run(uint64(n), Options{})
				again := out
				if !*once {
					again = Run(uint64(n), Options{})
				}
				mu.Lock()
				switch {
				case out.Err != nil:
					tell(t, uint64(n), out)
				case out.Hash != again.Hash:
					part(t, uint64(n), func(o Options) Outcome { return Run(uint64(n), o) }, Options{}, Options{}, "again")
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

// tell writes the story of a world to a file and says how to play it again, and
// a smaller one that fails as well.
func tell(t *testing.T, seed uint64, out Outcome) {
	t.Helper()
	o := Options{Plan: *planFlag}
	if out.Err == nil {
		t.Logf("seed %d: %d events in %s, %+v\n\t%s", seed, out.Events, out.Lasted, out.Tally, out.Plan)
	} else {
		t.Errorf("%v\n\t%s", out.Err, replay(seed, o.Plan))
		if *shrinking && o.Plan == "" {
			if o.Plan = shrink(seed, o, time.Now().Add(time.Minute)); o.Plan != "" {
				t.Logf("a smaller world fails, too: %v\n\t%s", Run(seed, o).Err, replay(seed, o.Plan))
			}
		}
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
	o.Trace = f
	Run(seed, o)
	t.Logf("its story is in %s (kept with -artifacts)", path)
}

func replay(seed uint64, plan string) string {
	line := fmt.Sprint("go test ./internal/sim -run Sim -seed ", seed)
	if plan != "" {
		line += " -plan " + plan
	}
	return line
}
