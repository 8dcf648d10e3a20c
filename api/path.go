package api

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A path leads from an operation's structure to the value being read or checked.
type path []step

// A step is a member of a structure, an element of a list or an entry of a map.
type step struct {
	name  string // of the member, or the key of the entry
	index int    // of the element, or one of the two below
}

const (
	isMember = -1
	isEntry  = -2
)

// String spells p the way a Go programmer would:
// RuntimeConfiguration.ServerProcesses[0].Parameters, LatencyInMs["us-west-2"].
func (p path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch s.index {
		case isMember:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		case isEntry:
			b.WriteByte('[')
			b.WriteString(quote(s.name))
			b.WriteByte(']')
		default:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.index))
			b.WriteByte(']')
		}
	}
	return b.String()
}

// quote quotes s for a message and shortens it to a length a person reads.
func quote(s string) string {
	const longest = 80
	if len(s) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return strconv.Quote(s[:cut]) + "…"
	}
	return strconv.Quote(s)
}
