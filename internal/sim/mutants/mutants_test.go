package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const before = `package p

func (t *T[K]) f(a, b, c bool) error {
	if a || b && c {
		return nil
	}
	switch {
	case !b, c:
		return nil
	}
	if err := g(); err != nil {
		return err
	}
	return h(a && b)
}
`

const after = `package p

func (t *T[K]) f(a, b, c bool) error {
	if mutantNever(1, mutantNever(2, a) || mutantNever(3, mutantAlways(4, b) && mutantAlways(5, c))) {
		return nil
	}
	switch {
	case mutantNever(6, !b), mutantNever(7, c):
		return nil
	}
	if err := g(); mutantNever(8, err != nil) {
		return err
	}
	return h(mutantAlways(9, a) && mutantAlways(10, b))
}
`

// Every condition has a switch, and with none switched the code is as it was.
func TestSites(t *testing.T) {
	f := newFinder("")
	if err := f.file("p/f.go", []byte(before)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(after, string(apply([]byte(before), f.edits["p/f.go"]))); d != "" {
		t.Error(d)
	}
	var keys []string
	for _, s := range f.sites {
		keys = append(keys, strings.TrimPrefix(s.key(), "p/f.go (*T).f: "))
	}
	want := []string{
		"never: a || b && c", "never: a", "never: b && c", "no matter: b", "no matter: c",
		"never: !b", "never: c", "never: err != nil", "no matter: a", "no matter: b (2)",
	}
	if d := cmp.Diff(want, keys); d != "" {
		t.Error(d)
	}
}

// The list of those that change nothing names only what is there.
func TestEquivalent(t *testing.T) {
	f, err := findAll()
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := equivalents(f.root)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.sites {
		delete(reasons, s.key())
	}
	for key := range reasons {
		t.Errorf("%s lists a mutant that there is not, or not any more: %s", list, key)
	}
}

func TestReadEquivalent(t *testing.T) {
	got, err := readEquivalent(strings.NewReader("# why\n\na f: never: x\n\tbecause\n\tof y\nb\nc\n\tlikewise\n"))
	if d := cmp.Diff(map[string]string{"a f: never: x": "because of y", "b": "likewise", "c": "likewise"}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, bad := range []string{"a\n", "\tbecause\n", "a\n\tx\na\n\ty\n"} {
		if got, err := readEquivalent(strings.NewReader(bad)); err == nil {
			t.Errorf("%q gave %v", bad, got)
		}
	}
}
