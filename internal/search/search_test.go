package search

import (
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

var rewrite = flag.Bool("rewrite", false, "accept what the code says as the expected results")

// The game sessions that the cases of testdata search among. All but the last
// part of their ids is the same.
var sessions = func() []*lift.GameSession {
	at := time.UnixMilli(1_700_000_000_000)
	make1 := func(id, name string, most, players int, props ...lift.Property) *lift.GameSession {
		at = at.Add(time.Second)
		return &lift.GameSession{
			ID: lift.GameSessionARN("us-west-2", "fleet-1", id), Name: name, Status: lift.SessionActive,
			MaxPlayers: most, PlayerCount: players, CreatedAt: at, Properties: props,
		}
	}
	return []*lift.GameSession{
		make1("alps", "Alps", 10, 0, lift.Property{Key: "map", Value: "river"}, lift.Property{Key: "mode", Value: "ctf"}),
		make1("bear", "Bear's den", 10, 10, lift.Property{Key: "map", Value: "cave"}),
		make1("cable", "", 16, 3),
		make1("dune", `back\slash`, 4, 2, lift.Property{Key: "map", Value: `a "b" 'c'`}, lift.Property{Key: "größe", Value: "ü"}),
		make1("echo", "alps", 0, 0, lift.Property{Key: "map", Value: "river"}, lift.Property{Key: "a.b", Value: "x"}),
	}
}()

// Each case of testdata is an expression and, on the next line, the sessions it
// finds in order, or what is wrong with it. Those that begin with "sort " are
// sort expressions.
func TestExpressions(t *testing.T) {
	const file = "testdata/expressions.txt"
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var is strings.Builder
	for line := range strings.Lines(string(was)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue
		}
		is.WriteString(line + "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			is.WriteString("\t" + outcome(line) + "\n")
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(is.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, got := strings.Split(string(was), "\n"), strings.Split(is.String(), "\n")
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want) || i >= len(got):
			t.Fatalf("%d lines, want %d; -rewrite adds what is missing", len(got), len(want))
		case want[i] != got[i]:
			t.Fatalf("line %d:\n got %q\nwant %q", i+1, got[i], want[i])
		}
	}
}

func outcome(line string) string {
	var f Filter
	var o Order
	var err error
	if sort, ok := strings.CutPrefix(line, "sort "); ok {
		o, err = ParseSort(sort)
	} else {
		f, err = ParseFilter(line)
	}
	if err != nil {
		return "error " + err.Error()
	}
	var found []Place
	for _, s := range sessions {
		if f.Matches(s) {
			found = append(found, o.Place(s))
		}
	}
	slices.SortFunc(found, o.Compare)
	names := []string{"finds"}
	for _, p := range found {
		names = append(names, string(p.ID[strings.LastIndex(string(p.ID), "/")+1:]))
	}
	return strings.Join(names, " ")
}

func TestTheZeroFilterWantsAll(t *testing.T) {
	for _, s := range sessions {
		if !(Filter{}).Matches(s) {
			t.Errorf("%s is not wanted", s.ID)
		}
	}
}

// Long texts are cut, so that a place fits in a page token.
func TestPlacesAreShort(t *testing.T) {
	o, err := ParseSort("gameSessionName ASC")
	if err != nil {
		t.Fatal(err)
	}
	if p := o.Place(&lift.GameSession{Name: strings.Repeat("n", 1024)}); len(p.Key) != maxKeyBytes {
		t.Errorf("a key of %d bytes", len(p.Key))
	}
}

// Whatever is given for an expression is understood or refused with a place
// inside of it, and means the same with spaces around it.
func FuzzFilter(f *testing.F) {
	cases, err := os.ReadFile("testdata/expressions.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(cases)) {
		f.Add(strings.TrimSuffix(line, "\n"))
	}
	f.Fuzz(func(t *testing.T, expression string) {
		if len(expression) > 4096 {
			return
		}
		filter, err := ParseFilter(expression)
		spaced, errSpaced := ParseFilter(" " + expression + " ")
		not, errNot := ParseFilter("NOT (" + expression + ")")
		checkError(t, expression, err)
		if (err == nil) != (errSpaced == nil) {
			t.Fatalf("%q: %v, but with spaces %v", expression, err, errSpaced)
		}
		if err == nil && errNot != nil {
			t.Fatalf("%q is fine, but not its opposite: %v", expression, errNot)
		}
		for _, s := range sessions {
			if err == nil && filter.Matches(s) != spaced.Matches(s) {
				t.Fatalf("%q finds others with spaces around it", expression)
			}
			// A filter on properties and its opposite both leave some out.
			if err == nil && !filter.properties && filter.Matches(s) == not.Matches(s) {
				t.Fatalf("%q finds the same as its opposite", expression)
			}
		}
	})
}

func FuzzSort(f *testing.F) {
	for _, s := range []string{"gameSessionName ASC", "maximumSessions desc", "gameSessionProperties.map DESC", "x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		o, err := ParseSort(expression)
		checkError(t, expression, err)
		if err != nil {
			return
		}
		for _, a := range sessions {
			for _, b := range sessions {
				if ab, ba := o.Compare(o.Place(a), o.Place(b)), o.Compare(o.Place(b), o.Place(a)); ab != -ba || (ab == 0) != (a == b) {
					t.Fatalf("%q puts %s and %s in no order: %d, %d", expression, a.ID, b.ID, ab, ba)
				}
			}
		}
	})
}

func checkError(t *testing.T, expression string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.At < 1 || e.At > len([]rune(expression))+1 || e.Msg == "" {
		t.Fatalf("%q: the error is %#v", expression, err)
	}
}
