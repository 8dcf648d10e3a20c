package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The switch, added to each package that is broken. No mutant has the number
// 0.
const switchFile = `package %s

import (
	"os"
	"strconv"
)

var mutantSwitched = func() int { n, _ := strconv.Atoi(os.Getenv("CHAIRLIFT_MUTANT")); return n }()

func mutantOn(id int) bool { return id == mutantSwitched }
`

// overlay writes the files with their switches below dir, and the list that
// tells the go command to take them for those of the tree.
func (f *finder) overlay(dir string) (list string, err error) {
	replace := map[string]string{}
	put := func(name string, text []byte) error {
		to := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		replace[filepath.Join(f.root, name)] = to
		return os.WriteFile(to, text, 0o600)
	}
	for name, edits := range f.edits {
		text, err := os.ReadFile(filepath.Join(f.root, name))
		if err != nil {
			return "", err
		}
		if err := put(name, apply(text, edits)); err != nil {
			return "", err
		}
	}
	for in, name := range f.names {
		if err := put(in+"/zz_mutant.go", fmt.Appendf(nil, switchFile, name)); err != nil {
			return "", err
		}
	}
	body, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list = filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, body, 0o600)
}

// A suite is a test binary with the mutants in it.
type suite struct {
	name string // as the report calls it
	dir  string // where it runs
	path string
	args []string
}

// build compiles the tests of a directory.
func (f *finder) build(ctx context.Context, list, dir, to string) (suite, error) {
	s := suite{name: strings.TrimPrefix(dir, "internal/"), dir: filepath.Join(f.root, dir)}
	s.path = filepath.Join(to, strings.ReplaceAll(dir, "/", "_")+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", list, "-o", s.path, "./"+dir)
	cmd.Dir = f.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return s, fmt.Errorf("building the tests of %s: %w\n%s", dir, err, out)
	}
	return s, nil
}

// run runs a suite with a mutant switched on, 0 for none. It returns what
// noticed it, or "".
func (s suite) run(ctx context.Context, id int, limit time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.path, append([]string{"-test.failfast", "-test.timeout=0"}, s.args...)...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), fmt.Sprint("CHAIRLIFT_MUTANT=", id))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("%s did not end within %s", s.name, limit)
	case err != nil:
		return s.name + ": " + firstComplaint(out.String())
	}
	return ""
}

// complaint finds what a test run says about a failure.
var complaint = regexp.MustCompile(`(?m)^(?:panic: |fatal error: |\s+\S+\.go:\d+: )(.*)$`)

func firstComplaint(out string) string {
	m := complaint.FindString(out)
	if m == "" {
		m = out
	}
	m = strings.Join(strings.Fields(m), " ")
	return m[:min(len(m), 160)]
}
