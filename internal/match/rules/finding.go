package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Finding is one thing to say about a rule set.
type Finding struct {
	Path    string // member path, e.g. "rules[2].measurements[0]"; empty for the whole text
	Line    int    // from 1
	Column  int    // from 1, in characters
	What    string // what is wrong, as a clause
	Fix     string // what to do about it
	Warning bool   // worth knowing; the rule set is valid all the same
}

// String is "path: what; fix", the form the API reports (9).
func (f Finding) String() string {
	path := f.Path
	if path == "" {
		path = "rule set"
	}
	s := path + ": " + f.What
	if f.Fix != "" {
		s += "; " + f.Fix
	}
	return s
}

// Findings are in the order of their places in the text.
type Findings []Finding

// Errors counts the findings that make a rule set invalid.
func (fs Findings) Errors() int {
	n := 0
	for _, f := range fs {
		if !f.Warning {
			n++
		}
	}
	return n
}

// Error lists every finding that makes the rule set invalid, one a line, so
// that the author mends them in one go. Warnings are left out.
func (fs Findings) Error() string {
	var lines []string
	for _, f := range fs {
		if !f.Warning {
			lines = append(lines, f.String())
		}
	}
	return strings.Join(lines, "\n")
}

// place turns a byte offset into a line and column, both from 1.
func place(src string, offset int) (line, column int) {
	offset = min(offset, len(src))
	line = 1 + strings.Count(src[:offset], "\n")
	start := strings.LastIndexByte(src[:offset], '\n') + 1
	return line, 1 + utf8.RuneCountInString(src[start:offset])
}

// oneOf lists alternatives for a remedy: "use one of a, b or c".
func oneOf(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "use " + names[0]
	}
	return fmt.Sprintf("use one of %s or %s", strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
}

// nearest guesses which of names was meant by a misspelt one: the closest
// within two edits, or "".
func nearest(name string, names []string) string {
	// Of a short name little may be wrong: any other is near to one letter.
	best, bestCost := "", min(3, (len(name)+2)/2)
	for _, n := range names {
		if c := edits(strings.ToLower(name), strings.ToLower(n)); c < bestCost {
			best, bestCost = n, c
		}
	}
	return best
}

// edits is the Levenshtein distance; inputs are short names.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
