package match

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestIndex compares the index with a sorted slice over random operations.
func TestIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x index
	var plain []slot
	compare := func(a, b slot) int {
		if a.less(b) {
			return -1
		}
		return 1
	}
	for step := range 20_000 {
		if len(plain) == 0 || r.IntN(5) < 3 && step < 15_000 || r.IntN(5) < 2 {
			s := slot{uint64(r.IntN(500)), &entry{seq: uint64(step)}}
			if r.IntN(3) == 0 {
				s.key = uint64(1000 + step) // at the end, as ages arrive
			}
			x.insert(s.key, s.e)
			i, _ := slices.BinarySearchFunc(plain, s, compare)
			plain = slices.Insert(plain, i, s)
		} else {
			i := r.IntN(len(plain))
			x.remove(plain[i].key, plain[i].e)
			plain = slices.Delete(plain, i, i+1)
		}
		if step%500 != 0 {
			continue
		}
		key := uint64(r.IntN(600))
		c := x.seek(key)
		back := c
		i, _ := slices.BinarySearchFunc(plain, key, func(s slot, k uint64) int {
			if s.key < k {
				return -1
			}
			return 1
		})
		for k := i; ; k++ {
			s, ok := x.next(&c)
			if ok != (k < len(plain)) || ok && s != plain[k] {
				t.Fatalf("step %d: slot %d forward is %v", step, k, s)
			}
			if !ok {
				break
			}
		}
		for k := i - 1; ; k-- {
			s, ok := x.prev(&back)
			if ok != (k >= 0) || ok && s != plain[k] {
				t.Fatalf("step %d: slot %d backward is %v", step, k, s)
			}
			if !ok {
				break
			}
		}
		if x.n != len(plain) {
			t.Fatalf("step %d: %d slots, want %d", step, x.n, len(plain))
		}
	}
}

func TestNumberKeysKeepTheirOrder(t *testing.T) {
	list := []float64{math.Inf(-1), -1e300, -2, -1, -1e-300, 0, 1e-300, 1, 1.5, 2, 1e300, math.Inf(1)}
	for i, f := range list {
		if keyNumber(numberKey(f)) != f {
			t.Errorf("%g does not come back", f)
		}
		if i > 0 && numberKey(list[i-1]) >= numberKey(f) {
			t.Errorf("%g and %g lose their order", list[i-1], f)
		}
	}
	if numberKey(math.Copysign(0, -1)) != numberKey(0) {
		t.Error("-0 is not 0")
	}
}
