package throttle

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestTake(t *testing.T) {
	var b Buckets
	slow := Want{"slow", Rate{Burst: 4, PerSecond: 1}}
	taken := func(at time.Duration, tries int) (n int) {
		for range tries {
			if b.Take(noon.Add(at), slow) {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		at          time.Duration
		tries, want int
	}{
		{0, 10, 4},                             // the burst
		{999 * time.Millisecond, 1, 0},         // not yet
		{time.Second, 5, 1},                    // one each second
		{3500 * time.Millisecond, 5, 2},        // the half stays
		{4 * time.Second, 5, 1},                // and is used
		{time.Hour, 10, 4},                     // never more than the burst
		{time.Minute, 10, 0},                   // the clock went back: nothing is filled
		{time.Hour + 2*time.Second, 10, 2},     // and nothing is filled twice
		{time.Hour + 2*time.Second + 1, 10, 0}, //
		{100 * 365 * 24 * time.Hour, 1000, 4},  // a century is no surprise
	} {
		if got := taken(step.at, step.tries); got != step.want {
			t.Errorf("at %v: %d of %d taken, want %d", step.at, got, step.tries, step.want)
		}
	}
}

// A call that one bucket refuses costs nothing in the others.
func TestTakeAllOrNone(t *testing.T) {
	var b Buckets
	wide, narrow := Want{"wide", Rate{Burst: 3}}, Want{"narrow", Rate{Burst: 1}}
	if !b.Take(noon, wide, narrow) || b.Take(noon, wide, narrow) {
		t.Fatal("the narrow bucket has one token")
	}
	left := 0
	for b.Take(noon, wide) {
		left++
	}
	if left != 2 {
		t.Errorf("the wide bucket had %d more, want 2", left)
	}
	for range 1000 {
		if !b.Take(noon, Want{Bucket: "free"}) {
			t.Fatal("no rate is no limit")
		}
	}
}

func TestBucketsAreBounded(t *testing.T) {
	var b Buckets
	for i := range maxBuckets + 10 {
		b.Take(noon.Add(time.Duration(i)*time.Microsecond), Want{fmt.Sprint(i), Rate{Burst: 2, PerSecond: 0.001}})
	}
	if len(b.all) > maxBuckets {
		t.Errorf("%d buckets", len(b.all))
	}
}

func BenchmarkTake(b *testing.B) {
	var all Buckets
	account, op := Want{"a", Rate{1e9, 1e9}}, Want{"a/o", Rate{1e9, 1e9}}
	b.ReportAllocs()
	for b.Loop() {
		all.Take(noon, account, op)
	}
}
