package sqldb_test

import (
	"path/filepath"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
	"github.com/chairlift-games/chairlift/internal/store/storetest"
)

func openFile(tb testing.TB, path string, kinds []store.Kind) *sqldb.Store {
	tb.Helper()
	s, err := sqldb.OpenSQLite(path, sqldb.Options{Kinds: kinds})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, kinds []store.Kind) store.Store {
		return openFile(t, filepath.Join(t.TempDir(), "test.db"), kinds)
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B, kinds []store.Kind) store.Store {
		return openFile(b, filepath.Join(b.TempDir(), "bench.db"), kinds)
	})
}
