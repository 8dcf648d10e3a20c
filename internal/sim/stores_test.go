package sim

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
)

var storeSeeds = flag.Int("store-seeds", defaultStoreSeeds, "how many worlds TestStores plays on each store")

// stores are those in which a world must go as it goes in memory.
var stores = []struct {
	name string
	open func(t *testing.T) func(servers int) ([]store.Store, error)
}{
	{"SQLite", func(t *testing.T) func(int) ([]store.Store, error) { return openSQLite(t, 0) }},
	{"SQLite that forgets", func(t *testing.T) func(int) ([]store.Store, error) { return openSQLite(t, 20_000) }},
	{"PostgreSQL", openPostgres},
}

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// openSQLite opens a database that the servers share within this process, as
// they never do elsewhere.
func openSQLite(t *testing.T, cacheBytes int) func(int) ([]store.Store, error) {
	n := 0
	dir := t.TempDir()
	return func(servers int) ([]store.Store, error) {
		n++
		db, err := sqldb.OpenSQLite(filepath.Join(dir, fmt.Sprint(n, ".db")), sqldb.Options{Kinds: store.Kinds(), CacheBytes: cacheBytes, Views: 1})
		return slices.Repeat([]store.Store{db}, servers), err
	}
}

// openPostgres opens a database once for each server.
func openPostgres(t *testing.T) func(int) ([]store.Store, error) {
	pgtest.Shared(t) // or skip
	return func(servers int) (all []store.Store, err error) {
		url := pgtest.URL(t)
		for range servers {
			db, err := sqldb.OpenPostgres(url, sqldb.Options{Kinds: store.Kinds(), Views: 1})
			if err != nil {
				return nil, err
			}
			all = append(all, db)
		}
		return all, nil
	}
}

// TestStores plays worlds on every store there is. They go the same way on all
// of them: whatever a world does proves a store.
func TestStores(t *testing.T) {
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			open := s.open(t)
			for n := range *storeSeeds {
				seed := uint64(n)
				if *seedFlag >= 0 {
					seed = uint64(*seedFlag)
				}
				same(t, seed, s.name, open, func(o Options) Outcome { return Run(seed, o) })
				if *seedFlag >= 0 {
					break
				}
			}
		})
	}
}

// TestScenariosOnStores does the same with scenarios, with faults.
func TestScenariosOnStores(t *testing.T) {
	texts := scenarios(t)
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			open := s.open(t)
			for n, name := range sortedKeys(texts) {
				seed := uint64(n)
				out := same(t, seed, name+" on "+s.name, open, func(o Options) Outcome {
					o.Plan = scenarioFaults
					return Play(seed, texts[name], o)
				})
				if out.Err != nil {
					t.Errorf("%s: %v", name, out.Err)
				}
			}
		})
	}
}

// same fails the test if a world goes another way on a store than in memory.
func same(t *testing.T, seed uint64, name string, open func(int) ([]store.Store, error), run func(Options) Outcome) Outcome {
	t.Helper()
	out := run(Options{})
	if out.Hash != run(Options{Open: open}).Hash {
		part(t, seed, run, Options{}, Options{Open: open}, name)
	}
	return out
}

// part fails the test for a world that goes two ways. It writes both stories
// and says where they part.
func part(t *testing.T, seed uint64, run func(Options) Outcome, a, b Options, other string) {
	t.Helper()
	story := func(name string, o Options) *bufio.Scanner {
		path := filepath.Join(t.ArtifactDir(), fmt.Sprintf("seed-%d-%s.txt", seed, name))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		o.Trace = f
		run(o)
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		t.Logf("a story of it is in %s (kept with -artifacts)", path)
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 16<<20)
		return lines
	}
	first, second := story("first", a), story(other, b)
	for n := 1; ; n++ {
		if one, two := first.Scan(), second.Scan(); one && two && first.Text() == second.Text() {
			continue
		} else if !one && !two {
			t.Errorf("the world of seed %d went two ways, and does not do it again", seed)
		} else {
			t.Errorf("the world of seed %d goes two ways, from line %d of its story:\n\t%.300s\n\t%.300s", seed, n, first.Text(), second.Text())
		}
		return
	}
}
