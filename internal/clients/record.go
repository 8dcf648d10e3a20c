package clients

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A Recording says what real clients did with each operation, by its name.
type Recording map[string]*Record

// A Record is what calls that succeeded set and read, and which members of the
// input the service refuses, in its words.
type Record struct {
	Clients map[string]bool
	In, Out map[string]bool // paths as [Members] names them
	Refused map[string]string
}

func (r Recording) of(op string) *Record {
	if r[op] == nil {
		r[op] = &Record{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]string{}}
	}
	return r[op]
}

// Add notes one call that succeeded.
func (r Recording) Add(client, op string, in map[string]any, out any) {
	rec := r.of(op)
	rec.Clients[strings.ReplaceAll(client, " ", "-")] = true
	Members(in, rec.In)
	Members(out, rec.Out)
}

// index is that of a list's element in a path.
var index = regexp.MustCompile(`\.[0-9]+\b`)

// Refuse notes the words that a member of an operation's input was refused by.
func (r Recording) Refuse(op, member, words string) {
	member = index.ReplaceAllString(member, "")
	r.of(op).Refused[member] = ids.ReplaceAllString(words, "…")
}

const recordingHead = "# What real clients set (in) and read (out), and what they were refused, from `make record-clients`. Do not edit.\n"

// String is the recording as a text that [ParseRecording] reads.
func (r Recording) String() string {
	var b strings.Builder
	b.WriteString(recordingHead)
	list := func(what string, set map[string]bool) {
		fmt.Fprintf(&b, "  %s %s\n", what, strings.Join(slices.Sorted(maps.Keys(set)), " "))
	}
	for _, op := range slices.Sorted(maps.Keys(r)) {
		b.WriteString(op + "\n")
		list("by", r[op].Clients)
		list("in", r[op].In)
		list("out", r[op].Out)
		for _, member := range slices.Sorted(maps.Keys(r[op].Refused)) {
			fmt.Fprintf(&b, "  refused %s %s\n", member, r[op].Refused[member])
		}
	}
	return b.String()
}

// ParseRecording reads what String wrote.
func ParseRecording(text string) (Recording, error) {
	r := Recording{}
	var rec *Record
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, " ") && len(words) == 1:
			rec = r.of(words[0])
		case rec != nil && words[0] == "refused" && len(words) > 2:
			rec.Refused[words[1]] = strings.Join(words[2:], " ")
		case rec != nil:
			set, ok := map[string]map[string]bool{"by": rec.Clients, "in": rec.In, "out": rec.Out}[words[0]]
			if !ok {
				return nil, fmt.Errorf("line %d: %q is not by, in, out or refused", n+1, words[0])
			}
			for _, w := range words[1:] {
				set[w] = true
			}
		default:
			return nil, fmt.Errorf("line %d: expected an operation", n+1)
		}
	}
	return r, nil
}
