package sqldb

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/chairlift-games/chairlift/internal/store"
)

// end is after every entry of every index: no UTF-8 text and no instant starts
// with this byte.
var end = store.Cursor{Value: "\xff"}

// span returns the stretch of an index that a scan reads: entries after from
// and before to.
func span(index int, prefix string, after store.Cursor) (from, to store.Cursor) {
	if index == byID {
		after.Value = after.ID
	}
	from = store.Cursor{Value: prefix} // ids are not empty, so this is before the first
	if compare(after, from) > 0 {
		from = after
	}
	return from, store.Cursor{Value: successor(prefix)}
}

// successor returns the first text that is after all texts with the prefix. It
// is valid UTF-8 too, as PostgreSQL wants it, except for the end of all texts.
func successor(prefix string) string {
	for prefix != "" {
		r, n := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-n]
		switch {
		case r == utf8.MaxRune:
			continue
		case r == 0xD7FF: // the surrogates are no characters
			r = 0xE000
		default:
			r++
		}
		return prefix + string(r)
	}
	return end.Value
}

func compare(a, b store.Cursor) int {
	return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.ID, b.ID))
}

// in reports whether c is in the stretch after from and before to.
func in(c, from, to store.Cursor) bool {
	return compare(c, from) > 0 && compare(c, to) < 0
}

// A layer is what lies over a lower source of entries: docs that replace those
// with the same id, or hide them if nil.
type layer interface {
	// covers reports whether the layer has its own word on an id.
	covers(id string) bool
	// entries returns the layer's docs in the stretch, in any order.
	entries(index int, from, to store.Cursor) []store.Cursor
}

// A source returns up to n entries of a stretch in order, and whether there
// may be more of them after the last.
type source func(from store.Cursor, n int) (entries []store.Cursor, more bool, err error)

// merge returns up to limit entries of the stretch, in order, as seen through
// the layer, and whether there may be more.
func merge(over layer, under source, index int, from, to store.Cursor, limit int) (out []store.Cursor, more bool, err error) {
	upper := over.entries(index, from, to)
	slices.SortFunc(upper, compare)
	for {
		lower, more, err := under(from, limit-len(out))
		if err != nil {
			return nil, false, err
		}
		for _, c := range lower {
			if over.covers(c.ID) {
				continue
			}
			for len(upper) > 0 && compare(upper[0], c) < 0 {
				out, upper = append(out, upper[0]), upper[1:]
			}
			out = append(out, c)
		}
		if !more {
			out = append(out, upper...)
		} else if len(lower) > 0 {
			from = lower[len(lower)-1]
		}
		if len(out) > limit {
			return out[:limit], true, nil
		}
		if len(out) == limit || !more {
			return out, more, nil
		}
	}
}
