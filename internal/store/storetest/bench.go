package storetest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// BenchKinds are the kinds that Bench uses.
var BenchKinds = []store.Kind{
	{Name: "process", Indexes: []string{"status", "instance"}},
	{Name: "session", Indexes: []string{"fleet", "process"}},
	{Name: "player", Indexes: []string{"session", "player"}},
}

// Bench measures what a service does most: taking an idle process, making a
// session on it and reserving slots for four players, all in one transaction;
// and reading it back.
func Bench(b *testing.B, open func(b *testing.B, kinds []store.Kind) store.Store) {
	for _, callers := range []int{1, 64} {
		for _, byPlayer := range []bool{false, true} {
			name := fmt.Sprintf("StartSession/callers=%d", callers)
			if byPlayer { // another index, and its values are random: each entry goes to a page of its own
				name += "/by-player"
			}
			b.Run(name, func(b *testing.B) {
				s := open(b, BenchKinds)
				defer s.Close()
				fillProcesses(b, s, b.N) // each run takes one: so the number has to be known, and this is no b.Loop
				var n atomic.Int64
				b.ReportAllocs()
				cpu := cpuTime()
				b.ResetTimer()
				took := make([]time.Duration, b.N)
				start := func() {
					i, began := int(n.Add(1)), time.Now()
					startSession(b, s, i, byPlayer)
					took[i-1] = time.Since(began)
				}
				if callers == 1 {
					for range b.N {
						start()
					}
				} else {
					b.SetParallelism(callers / runtime.GOMAXPROCS(0))
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							start()
						}
					})
				}
				slices.Sort(took)
				b.ReportMetric(took[b.N/2].Seconds()*1000, "p50-ms")
				b.ReportMetric(took[b.N*99/100].Seconds()*1000, "p99-ms")
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
				b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}

	s := open(b, BenchKinds)
	defer s.Close()
	const rows = 20_000
	fillProcesses(b, s, rows)
	b.Run("ViewGet", func(b *testing.B) {
		for b.Loop() {
			id := benchID("process", rand.IntN(rows))
			err := s.View(b.Context(), func(tx store.Tx) error {
				_, ok, err := tx.Get("process", id)
				if err == nil && !ok {
					err = fmt.Errorf("no %s", id)
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ViewScan100", func(b *testing.B) {
		for b.Loop() {
			from := store.Cursor{Value: "idle/fleet-1/", ID: benchID("process", rand.IntN(rows-101))}
			err := s.View(b.Context(), func(tx store.Tx) error {
				found, err := tx.Scan("process", "status", "idle/", from, 100)
				if err == nil && len(found) != 100 {
					err = fmt.Errorf("%d rows", len(found))
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("UpdateIdle", func(b *testing.B) { // a turn of an engine that finds nothing to do
		for b.Loop() {
			err := s.Update(b.Context(), func(tx store.Tx) error {
				for _, k := range BenchKinds {
					if rows, err := tx.Claim(k.Name, "server", epoch, at(1), 100); err != nil || len(rows) > 0 {
						return fmt.Errorf("%d are due: %v", len(rows), err)
					}
					if _, _, err := tx.NextDue(k.Name); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchID returns an id that grows with n, as those of the service do with time.
func benchID(kind string, n int) string {
	return fmt.Sprintf("%s-%012x-7%03x-8%015x", kind, n, uint64(n)*2654435761%4096, uint64(n)*0x9E3779B97F4A7C15>>4)
}

var benchProcess, benchSession, benchPlayer = benchBody(550), benchBody(700), benchBody(250)

func benchBody(bytes int) []byte {
	body := []byte(`{"FleetId":"fleet-2f0c7a52","Location":"us-west-2","CreationTime":1772366400.123,"Pad":"`)
	for len(body) < bytes-2 {
		body = append(body, byte('a'+len(body)%26))
	}
	return append(body, `"}`...)
}

func fillProcesses(b *testing.B, s store.Store, n int) {
	for from := 0; from < n; from += 2000 {
		err := s.Update(b.Context(), func(tx store.Tx) error {
			for i := from; i < min(n, from+2000); i++ {
				err := tx.Put("process", store.Row{
					ID:   benchID("process", i),
					Body: benchProcess,
					Keys: map[string]string{"status": "idle/fleet-1/", "instance": fmt.Sprintf("i-%06d", i/50)},
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func startSession(b *testing.B, s store.Store, n int, byPlayer bool) {
	err := s.Update(b.Context(), func(tx store.Tx) error {
		idle, err := tx.Scan("process", "status", "idle/fleet-1/", store.Cursor{}, 1)
		if err != nil {
			return err
		}
		if len(idle) == 0 {
			return fmt.Errorf("no idle process for session %d", n)
		}
		p := idle[0]
		p.Body = benchProcess
		p.Keys = map[string]string{"status": "busy/fleet-1/", "instance": p.Keys["instance"]}
		if err := tx.Put("process", p); err != nil {
			return err
		}
		session := benchID("session", n)
		err = tx.Put("session", store.Row{
			ID: session, Body: benchSession, Due: at(n/1000 + 300),
			Keys: map[string]string{"fleet": "ACTIVATING/fleet-1/", "process": p.ID},
		})
		if err != nil {
			return err
		}
		for i := range 4 {
			keys := map[string]string{"session": session}
			if byPlayer {
				keys["player"] = fmt.Sprintf("player-%x", uint32(4*n+i)*2654435761)
			}
			err := tx.Put("player", store.Row{
				ID: benchID("player", 4*n+i), Body: benchPlayer, Due: at(n/1000 + 60), Keys: keys,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
