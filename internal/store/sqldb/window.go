package sqldb

import (
	"slices"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Variables, so that tests can make them small.
var (
	windowMax       = 512 // entries that a window keeps
	windowFill      = 64  // entries that it reads ahead
	windowsPerIndex = 8
)

// recentStarts is how many scans are remembered to find out what is read often.
const recentStarts = 4

// A window is a stretch of an index of which the writer knows every entry, so
// that a scan that is made again and again ("the first idle process of this
// fleet", "what is due next") asks the database only now and then.
type window struct {
	lo, hi  store.Cursor   // knows the entries after lo, up to and including hi
	entries []store.Cursor // in order
}

func (w *window) knows(c store.Cursor) bool {
	return compare(c, w.lo) > 0 && compare(c, w.hi) <= 0
}

func (w *window) add(c store.Cursor) {
	if !w.knows(c) {
		return
	}
	i, found := slices.BinarySearchFunc(w.entries, c, compare)
	if found {
		return
	}
	w.entries = slices.Insert(w.entries, i, c)
	if len(w.entries) > windowMax {
		w.entries = w.entries[:windowMax/2]
		w.hi = w.entries[len(w.entries)-1]
	}
}

func (w *window) remove(c store.Cursor) {
	if i, found := slices.BinarySearchFunc(w.entries, c, compare); found {
		w.entries = slices.Delete(w.entries, i, i+1)
	}
}

// after returns the known entries after from and before to.
func (w *window) after(from, to store.Cursor) []store.Cursor {
	i, found := slices.BinarySearchFunc(w.entries, from, compare)
	if found {
		i++
	}
	j, _ := slices.BinarySearchFunc(w.entries[i:], to, compare)
	return w.entries[i : i+j]
}

// extend adds entries read after hi; more says whether there may be others
// before to. Entries up to from, where the reader is, make room.
func (w *window) extend(from, to store.Cursor, entries []store.Cursor, more bool) {
	if len(w.entries)+len(entries) > windowMax {
		i, found := slices.BinarySearchFunc(w.entries, from, compare)
		if found {
			i++
		}
		w.entries = slices.Delete(w.entries, 0, i)
		w.lo = from
	}
	w.entries = append(w.entries, entries...)
	switch {
	case !more:
		w.hi = to
	case len(entries) > 0:
		w.hi = entries[len(entries)-1]
	}
}

// A windowList holds those of one index, the one used last in front.
type windowList struct {
	list   []*window
	recent [recentStarts]store.Cursor // starts of scans that no window knew
	next   int                        // place in recent to write next
}

// find returns the window that knows what comes after from, or nil.
func (ws *windowList) find(from store.Cursor) *window {
	for i, w := range ws.list {
		if compare(w.lo, from) <= 0 && compare(from, w.hi) < 0 {
			copy(ws.list[1:i+1], ws.list[:i])
			ws.list[0] = w
			return w
		}
	}
	return nil
}

// frequent reports whether a scan from here was made lately, and remembers it.
func (ws *windowList) frequent(from store.Cursor) bool {
	if slices.Contains(ws.recent[:], from) {
		return true
	}
	ws.recent[ws.next] = from
	ws.next = (ws.next + 1) % recentStarts
	return false
}

// open adds an empty window that starts at from and forgets the one that was
// used least lately.
func (ws *windowList) open(from store.Cursor) *window {
	w := &window{lo: from, hi: from}
	ws.list = slices.Insert(ws.list, 0, w)
	if len(ws.list) > windowsPerIndex {
		ws.list = ws.list[:windowsPerIndex]
	}
	return w
}
