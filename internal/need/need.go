// Package need says what a test wants of the machine it runs on, and builds what
// it wants of us. A test that cannot run is skipped with the way to get what is
// missing; with CHAIRLIFT_TEST_ALL=1, as in CI, it fails instead.
//
//	need.Program(t, "teeworlds-server", "the Debian package teeworlds-server")
package need

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// Build builds programs into a new folder, which is the caller's to remove: it
// is for TestMain. Each package, as seen from the test's own, stands under the
// name its program gets.
func Build(packages map[string]string) (dir string, err error) {
	dir, err = os.MkdirTemp("", "chairlift-bin-")
	if err != nil {
		return "", err
	}
	for name, pkg := range packages {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			os.RemoveAll(dir)
			return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
}
