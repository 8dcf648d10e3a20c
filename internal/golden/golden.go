// Package golden compares what code does with files that people can read and
// write. A test run with -rewrite accepts what the code does now; the
// difference then shows in the commit.
//
//	golden.File(t, "testdata/moves.txt", table)
//	golden.Stories(t, "testdata/*.txt", func(t *testing.T, story string) string { … })
//
// For tests only. A package whose tests import it has the flag -rewrite.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "accept what the code does now as what the golden files say")

// File compares got with the file, and writes it there under -rewrite.
func File(t *testing.T, file, got string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v; go test -rewrite makes it", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is not what happens (-file +now; go test -rewrite accepts it):\n%s", file, diff)
	}
}

// Stories plays each file that matches the pattern in a subtest of its name. A
// story holds commands and what came of them; play carries the commands out
// and returns the story with what came of them this time.
func Stories(t *testing.T, pattern string, play func(t *testing.T, story string) string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file matches %s (%v)", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			File(t, file, play(t, string(text)))
		})
	}
}
