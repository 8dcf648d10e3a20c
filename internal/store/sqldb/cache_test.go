package sqldb

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
)

// TestCache compares a cache with a map of everything: what it returns is
// never old, what was used lately is there, and it does not outgrow its limit.
func TestCache(t *testing.T) {
	const limit = 40_000
	c := newCache(limit)
	all := map[ref]*doc{}
	hits := 0
	for i := range 20_000 {
		r := ref{id: strconv.Itoa(rand.IntN(100))}
		switch rand.IntN(4) {
		case 0:
			d := &doc{row: store.Row{ID: r.id, Body: make([]byte, rand.IntN(2*limit/16))}} // some are too large
			all[r] = d
			c.put(r, d)
			if got := c.get(r); got != nil && got != d || got == nil && d.size() <= limit/16 {
				t.Fatalf("step %d: just put, and got %v", i, got)
			}
		case 1:
			delete(all, r)
			c.remove(r)
		default:
			got := c.get(r)
			if got != nil && got != all[r] {
				t.Fatalf("step %d: got an old doc", i)
			}
			if got != nil {
				hits++
			}
		}
		size := 0
		for _, generation := range []map[ref]*doc{c.young, c.old} {
			for _, d := range generation {
				size += d.size()
			}
		}
		if size > limit+limit/16 {
			t.Fatalf("step %d: holds %d bytes", i, size)
		}
	}
	if hits == 0 {
		t.Error("nothing was ever found")
	}
	c.clear()
	for r := range all {
		if c.get(r) != nil {
			t.Error("not cleared")
		}
	}
}
