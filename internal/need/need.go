// Package need says what a test wants of the machine it runs on. A test that
// cannot run is skipped with the way to get what is missing; with
// CHAIRLIFT_TEST_ALL=1, as in CI, it fails instead.
//
//	need.Program(t, "teeworlds-server", "the Debian package teeworlds-server")
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program, or skips t.
func Program(t testing.TB, name, how string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, "%s is not installed; get it with %s", name, how)
	}
	return path
}

// Skip skips t for a reason that says how to mend it, or fails it when every
// test has to run.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CHAIRLIFT_TEST_ALL") == "1" {
		t.Fatalf("CHAIRLIFT_TEST_ALL is set and this test cannot run: "+format, args...)
	}
	t.Skipf(format, args...)
}
