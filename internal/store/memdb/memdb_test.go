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
