package memdb_test

import (
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
	"github.com/chairlift-games/chairlift/internal/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, kinds []store.Kind) store.Store {
		s, err := memdb.New(kinds...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B, kinds []store.Kind) store.Store {
		s, err := memdb.New(kinds...)
		if err != nil {
			b.Fatal(err)
		}
		return s
	})
}
