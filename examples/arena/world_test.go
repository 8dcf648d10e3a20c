package main

import (
	"testing"

	"github.com/chairlift-games/chairlift/examples/arena/arenaproto"
)

func TestNumbersAreReused(t *testing.T) {
	w := newWorld(1)
	a, b, c := w.join(), w.join(), w.join()
	if a.number != 1 || b.number != 2 || c.number != 3 {
		t.Fatal(a.number, b.number, c.number)
	}
	w.leave(b)
	if d := w.join(); d.number != 2 {
		t.Errorf("the free number is 2, not %d", d.number)
	}
	for len(w.players) < arenaproto.MaxPlayers {
		w.join()
	}
	if w.join() != nil {
		t.Error("more players than the arena holds")
	}
	for i, p := range w.snapshot().Players {
		if int(p.Number) != i+1 {
			t.Fatalf("player %d of the snapshot has number %d", i, p.Number)
		}
	}
}

func TestSteerIgnoresWhatIsOld(t *testing.T) {
	a := newWorld(1).join()
	a.steer(arenaproto.Input{Seq: 5, DX: 127})
	a.steer(arenaproto.Input{Seq: 4, DX: -127})
	a.steer(arenaproto.Input{Seq: 5, DX: 1})
	if a.dx != 127 {
		t.Errorf("dx is %d", a.dx)
	}
	a.seq = 1<<32 - 1
	a.steer(arenaproto.Input{Seq: 2, DX: -128})
	if a.dx != -127 {
		t.Errorf("after the sequence wrapped dx is %d", a.dx)
	}
}

func TestTouchingTheSparkScores(t *testing.T) {
	w := newWorld(7)
	a, b := w.join(), w.join()
	a.at, b.at = w.spark, w.spark
	before := w.spark
	w.step()
	if a.score != 1 || b.score != 0 || w.spark == before {
		t.Errorf("scores %d and %d, spark at %v after %v", a.score, b.score, w.spark, before)
	}
	a.at, a.dx, a.dy = place{0, edge}, -127, 127
	w.step()
	if a.at != (place{0, edge}) {
		t.Errorf("left the arena at %v", a.at)
	}
}

func TestSameInputsSameGame(t *testing.T) {
	play := func() arenaproto.Snapshot {
		w := newWorld(42)
		a, b := w.join(), w.join()
		for i := range uint32(1000) {
			a.steer(arenaproto.Input{Seq: i + 1, DX: int8(i), DY: int8(-i)})
			b.steer(arenaproto.Input{Seq: i + 1, DX: int8(3 * i), DY: 90})
			w.step()
		}
		return w.snapshot()
	}
	one, two := play(), play()
	if one.Tick != two.Tick || one.SparkX != two.SparkX || one.Players[0] != two.Players[0] || one.Players[1] != two.Players[1] {
		t.Errorf("%+v and %+v", one, two)
	}
}
