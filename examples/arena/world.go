package main

import (
	"slices"

	"github.com/chairlift-games/chairlift/examples/arena/arenaproto"
)

// Rules of the game, in arena units and ticks.
const (
	stepPerTick = 400  // a player at full speed crosses the arena in 8 s at 20 Hz
	touching    = 1500 // how near the spark a player scores
	edge        = arenaproto.ArenaSize - 1
)

// world is the game itself: who is where, and where the spark is. It knows
// nothing of time, sockets or sessions; the same inputs make the same game.
type world struct {
	tick    uint32
	spark   place
	seed    uint64
	players []*avatar // by number
}

type place struct{ x, y int }

type avatar struct {
	number uint8
	at     place
	dx, dy int // last input, -127 to 127
	seq    uint32
	score  uint8
}

func newWorld(seed uint64) *world {
	w := &world{seed: seed}
	w.spark = w.somewhere()
	return w
}

// join adds a player under the lowest free number; nil if the arena is full.
func (w *world) join() *avatar {
	if len(w.players) >= arenaproto.MaxPlayers {
		return nil
	}
	number := uint8(1)
	for _, a := range w.players {
		if a.number != number {
			break
		}
		number++
	}
	a := &avatar{number: number, at: w.somewhere()}
	w.players = slices.Insert(w.players, int(number)-1, a)
	return a
}

func (w *world) leave(a *avatar) {
	w.players = slices.DeleteFunc(w.players, func(o *avatar) bool { return o == a })
}

// steer takes an input unless a newer one was there before it.
func (a *avatar) steer(in arenaproto.Input) {
	if int32(in.Seq-a.seq) <= 0 {
		return
	}
	a.seq, a.dx, a.dy = in.Seq, max(-127, int(in.DX)), max(-127, int(in.DY))
}

// step advances the game by one tick. The first player to touch the spark, in
// the order of their numbers, scores and sends it elsewhere.
func (w *world) step() {
	w.tick++
	for _, a := range w.players {
		a.at.x = min(max(a.at.x+a.dx*stepPerTick/127, 0), edge)
		a.at.y = min(max(a.at.y+a.dy*stepPerTick/127, 0), edge)
	}
	for _, a := range w.players {
		if dx, dy := a.at.x-w.spark.x, a.at.y-w.spark.y; dx*dx+dy*dy <= touching*touching {
			if a.score < 255 {
				a.score++
			}
			w.spark = w.somewhere()
		}
	}
}

func (w *world) snapshot() arenaproto.Snapshot {
	s := arenaproto.Snapshot{Tick: w.tick, SparkX: uint16(w.spark.x), SparkY: uint16(w.spark.y)}
	for _, a := range w.players {
		s.Players = append(s.Players, arenaproto.PlayerState{Number: a.number, X: uint16(a.at.x), Y: uint16(a.at.y), Score: a.score})
	}
	return s
}

// somewhere is a place by chance (splitmix64).
func (w *world) somewhere() place {
	w.seed += 0x9e3779b97f4a7c15
	z := w.seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return place{int(z & edge), int(z >> 16 & edge)}
}
