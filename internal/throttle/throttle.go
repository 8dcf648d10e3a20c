// Package throttle counts calls against rates: token buckets, filled by the time
// that callers hand in. It knows no operation and no caller, only names of
// buckets, and reads no clock.
//
//	var b throttle.Buckets
//	if !b.Take(now, throttle.Want{Bucket: "account", Rate: throttle.Rate{Burst: 500, PerSecond: 500}}) {
//		return errors.New("Rate exceeded")
//	}
//
// Buckets live in memory: a restart fills them, and several servers count each
// for itself.
package throttle

import (
	"sync"
	"time"
)

// A Rate is how many calls may come at once, and how many each second for long.
// The zero Rate is no limit.
type Rate struct {
	Burst     float64
	PerSecond float64
}

// A Want is one call's claim on a bucket.
type Want struct {
	Bucket string
	Rate   Rate
}

// maxBuckets bounds the buckets kept; beyond it those that are full again go.
const maxBuckets = 100_000

// Buckets is a set of token buckets, each full at its first use. The zero value
// is ready. It may be used by many goroutines.
type Buckets struct {
	mu  sync.Mutex
	all map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time // when it held them
	rate   Rate
}

// holds is how many tokens there are at now. A clock that goes back fills nothing.
func (b bucket) holds(now time.Time) float64 {
	since := max(now.Sub(b.at), 0)
	return min(b.tokens+since.Seconds()*b.rate.PerSecond, b.rate.Burst)
}

// Take takes a token from every bucket wanted, or none and false if one of them
// has none.
func (b *Buckets) Take(now time.Time, wants ...Want) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[string]bucket{}
	}
	for _, w := range wants {
		if w.Rate != (Rate{}) && b.look(now, w).tokens < 1 {
			return false
		}
	}
	for _, w := range wants {
		if w.Rate != (Rate{}) {
			left := b.look(now, w)
			left.tokens--
			b.all[w.Bucket] = left
		}
	}
	if len(b.all) > maxBuckets {
		b.forget(now)
	}
	return true
}

// look returns the bucket as it is at now.
func (b *Buckets) look(now time.Time, w Want) bucket {
	k, ok := b.all[w.Bucket]
	if !ok {
		return bucket{w.Rate.Burst, now, w.Rate}
	}
	k.rate = w.Rate
	if k.tokens = k.holds(now); now.After(k.at) {
		k.at = now
	}
	return k
}

// forget drops the buckets that are full, which are as good as new, and if that
// are too few, all.
func (b *Buckets) forget(now time.Time) {
	for name, k := range b.all {
		if k.holds(now) >= k.rate.Burst {
			delete(b.all, name)
		}
	}
	if len(b.all) > maxBuckets/2 {
		clear(b.all)
	}
}
