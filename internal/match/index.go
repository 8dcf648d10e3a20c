package match

import (
	"math"
	"sort"
)

// An index keeps entries sorted by a key, ties by arrival. It is a list of
// short sorted chunks: inserting and removing move a few kilobytes, walking is
// a walk over memory.
type index struct {
	chunks [][]slot
	n      int
}

type slot struct {
	key uint64
	e   *entry
}

const chunkSlots = 256

// numberKey maps numbers to keys of the same order. -0 equals 0.
func numberKey(f float64) uint64 {
	b := math.Float64bits(f + 0)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// keyNumber is the inverse of numberKey.
func keyNumber(k uint64) float64 {
	if k>>63 == 0 {
		return math.Float64frombits(^k)
	}
	return math.Float64frombits(k &^ (1 << 63))
}

// timeKey maps nanoseconds to keys of the same order.
func timeKey(ns int64) uint64 { return uint64(ns) ^ 1<<63 }

func (s slot) less(o slot) bool {
	return s.key < o.key || s.key == o.key && s.e.seq < o.e.seq
}

// A cursor is a place in an index.
type cursor struct{ chunk, i int }

// find returns the place of the first slot that is not less than s.
func (x *index) find(s slot) cursor {
	c := sort.Search(len(x.chunks), func(i int) bool {
		chunk := x.chunks[i]
		return !chunk[len(chunk)-1].less(s)
	})
	if c == len(x.chunks) {
		return cursor{c, 0}
	}
	chunk := x.chunks[c]
	return cursor{c, sort.Search(len(chunk), func(i int) bool { return !chunk[i].less(s) })}
}

// seek returns the place of the first slot with at least key.
func (x *index) seek(key uint64) cursor {
	c := sort.Search(len(x.chunks), func(i int) bool {
		chunk := x.chunks[i]
		return chunk[len(chunk)-1].key >= key
	})
	if c == len(x.chunks) {
		return cursor{c, 0}
	}
	chunk := x.chunks[c]
	return cursor{c, sort.Search(len(chunk), func(i int) bool { return chunk[i].key >= key })}
}

func (x *index) insert(key uint64, e *entry) {
	s := slot{key, e}
	x.n++
	if len(x.chunks) == 0 {
		x.chunks = append(x.chunks, append(make([]slot, 0, 16), s))
		return
	}
	at := x.find(s)
	if at.chunk == len(x.chunks) {
		at = cursor{at.chunk - 1, len(x.chunks[at.chunk-1])}
	}
	chunk := append(x.chunks[at.chunk], slot{})
	copy(chunk[at.i+1:], chunk[at.i:])
	chunk[at.i] = s
	x.chunks[at.chunk] = chunk
	if len(chunk) <= chunkSlots {
		return
	}
	// Appending at the end is the common case of the age index: then the
	// first half keeps most of the chunk.
	cut := len(chunk) / 2
	if at.i == len(chunk)-1 && at.chunk == len(x.chunks)-1 {
		cut = len(chunk) - 8
	}
	rest := append(make([]slot, 0, chunkSlots+1), chunk[cut:]...)
	clear(chunk[cut:])
	x.chunks[at.chunk] = chunk[:cut]
	x.chunks = append(x.chunks, nil)
	copy(x.chunks[at.chunk+2:], x.chunks[at.chunk+1:])
	x.chunks[at.chunk+1] = rest
}

func (x *index) remove(key uint64, e *entry) {
	at := x.find(slot{key, e})
	if at.chunk == len(x.chunks) {
		return
	}
	chunk := x.chunks[at.chunk]
	if at.i == len(chunk) || chunk[at.i].e != e {
		return
	}
	x.n--
	copy(chunk[at.i:], chunk[at.i+1:])
	chunk[len(chunk)-1] = slot{}
	chunk = chunk[:len(chunk)-1]
	x.chunks[at.chunk] = chunk
	if len(chunk) == 0 {
		x.chunks = append(x.chunks[:at.chunk], x.chunks[at.chunk+1:]...)
	}
}

// next moves c to the slot it stands on and past it.
func (x *index) next(c *cursor) (slot, bool) {
	if c.chunk >= len(x.chunks) {
		return slot{}, false
	}
	chunk := x.chunks[c.chunk]
	s := chunk[c.i]
	if c.i++; c.i == len(chunk) {
		c.chunk, c.i = c.chunk+1, 0
	}
	return s, true
}

// prev moves c to the slot before it.
func (x *index) prev(c *cursor) (slot, bool) {
	if c.i == 0 {
		if c.chunk == 0 {
			return slot{}, false
		}
		c.chunk--
		c.i = len(x.chunks[c.chunk])
	}
	c.i--
	return x.chunks[c.chunk][c.i], true
}
