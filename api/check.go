package api

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Check compares x with the bounds the model gives: sizes, ranges, patterns,
// enums, and required structures, lists and maps. (Required scalars cannot be
// told from zero here; [DecodeInput] sees them missing.) The error is nil or of
// type [Findings].
func Check(x Shape) error {
	var c checker
	x.check(&c)
	return c.err()
}

// maxFindings is how many violations are reported at once.
const maxFindings = 10

// Findings are the violations of the model found in an input, at most ten.
type Findings []Finding

// A Finding is one violation: RuntimeConfiguration.ServerProcesses[0].ConcurrentExecutions,
// must be at least 1, got 0.
type Finding struct{ Path, Problem string }

func (f Finding) String() string { return f.Path + ": " + f.Problem }

func (f Findings) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "; ")
}

const problemMissing = "is required"

// A checker walks a structure and collects findings.
type checker struct {
	path     path
	findings Findings
	missing  int // how many of findings came from decoding
}

func (c *checker) err() error {
	if len(c.findings) == 0 {
		return nil
	}
	return c.findings
}

func (c *checker) enter(name string)    { c.path = append(c.path, step{name, isMember}) }
func (c *checker) enterIndex(i int)     { c.path = append(c.path, step{"", i}) }
func (c *checker) enterKey(name string) { c.path = append(c.path, step{name, isEntry}) }
func (c *checker) leave()               { c.path = c.path[:len(c.path)-1] }

// at reports a problem of the current value.
func (c *checker) at(format string, args ...any) {
	if len(c.findings) >= maxFindings {
		return
	}
	p := c.path.String()
	if slices.ContainsFunc(c.findings[:c.missing], func(f Finding) bool { return f.Path == p }) {
		return // a zero value that stands for a missing member
	}
	c.findings = append(c.findings, Finding{p, fmt.Sprintf(format, args...)})
}

// member reports a problem of a member of the current structure, or without a
// name of the current value.
func (c *checker) member(name, format string, args ...any) {
	if name == "" {
		c.at(format, args...)
		return
	}
	c.enter(name)
	c.at(format, args...)
	c.leave()
}

func (c *checker) need(name string) { c.member(name, problemMissing) }

// Rules are static data: nothing is built before the first use.

type stringRule struct {
	min, max int // characters; max 0: no bound
	enum     []string
	pattern  *pattern
	secret   bool
}

type intRule struct {
	min, max int64
	secret   bool
}

type floatRule struct{ min, max float64 }

func (c *checker) string(name, v string, r *stringRule) {
	if problem := r.problem(v); problem != "" {
		c.member(name, "%s", problem)
	}
}

func (c *checker) strings(name string, v []string, r *stringRule) {
	for i, s := range v {
		if problem := r.problem(s); problem != "" {
			c.enter(name)
			c.enterIndex(i)
			c.at("%s", problem)
			c.leave()
			c.leave()
		}
	}
}

// key checks the key of the entry the walk is in.
func (c *checker) key(v string, r *stringRule) {
	if problem := r.problem(v); problem != "" {
		c.at("the key %s", problem)
	}
}

func (r *stringRule) problem(v string) string {
	got := ""
	if !r.secret {
		got = ", got " + quote(v)
	}
	if r.enum != nil {
		if slices.Contains(r.enum, v) {
			return ""
		}
		const shown = 24
		if len(r.enum) > shown {
			return "is not one of the " + strconv.Itoa(len(r.enum)) + " known values (" + strings.Join(r.enum[:8], ", ") + ", …)" + got
		}
		return "must be one of " + strings.Join(r.enum, ", ") + got
	}
	if n := len(v); n < r.min || (r.max > 0 && n > r.max) { // bytes: a quick look first
		n = utf8.RuneCountInString(v)
		if n < r.min {
			return fmt.Sprintf("must have at least %s, has %d", count(r.min, "character"), n)
		}
		if r.max > 0 && n > r.max {
			return fmt.Sprintf("must have at most %s, has %d", count(r.max, "character"), n)
		}
	}
	if r.min > 1 && len(v) < r.min*utf8.UTFMax { // many bytes, perhaps few characters
		if n := utf8.RuneCountInString(v); n < r.min {
			return fmt.Sprintf("must have at least %s, has %d", count(r.min, "character"), n)
		}
	}
	if r.pattern != nil && !r.pattern.match(v) {
		return "must match " + r.pattern.src + got
	}
	return ""
}

func (c *checker) int(name string, v int64, r *intRule) {
	switch {
	case v >= r.min && v <= r.max:
	case r.secret:
		c.member(name, "must be from %d to %d", r.min, r.max)
	case v < r.min:
		c.member(name, "must be at least %d, got %d", r.min, v)
	default:
		c.member(name, "must be at most %d, got %d", r.max, v)
	}
}

func (c *checker) float(name string, v float64, r *floatRule) {
	switch {
	case v < r.min:
		c.member(name, "must be at least %v, got %v", r.min, v)
	case v > r.max:
		c.member(name, "must be at most %v, got %v", r.max, v)
	}
}

// size checks the length of a list, a map or a blob; max 0 is no bound.
func (c *checker) size(name string, n, min, max int, unit string) {
	switch {
	case n < min:
		c.member(name, "must have at least %s, has %d", count(min, unit), n)
	case max > 0 && n > max:
		c.member(name, "must have at most %s, has %d", count(max, unit), n)
	}
}

// sorted ranges over m in the order of its keys, so that findings come in order.
func sorted[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}
