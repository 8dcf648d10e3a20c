package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The switches, added to each package that is broken. No mutant has the number
// 0. While nothing is switched on they can write down which of them would have
// changed something.
const switchFile = `package %s

import (
	"fmt"
	"os"
	"strconv"
	"sync"
)

var (
	mutantSwitched = func() int { n, _ := strconv.Atoi(os.Getenv("CHAIRLIFT_MUTANT")); return n }()
	mutantReached  = os.Getenv("CHAIRLIFT_MUTANTS_REACHED")
	mutantSeen     sync.Map
)

func mutantNever[B ~bool](id int, x B) B { return x && mutantTells(id, B(false), x) }

func mutantAlways[B ~bool](id int, x B) B { return x || mutantTells(id, B(true), x) }

// mutantTells returns what a mutant would have x be if that is switched on,
// else x.
func mutantTells[B ~bool](id int, mutant, x B) B {
	if id == mutantSwitched {
		return mutant
	}
	if mutantReached != "" {
		if _, seen := mutantSeen.LoadOrStore(id, true); !seen {
			if f, err := os.OpenFile(mutantReached, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
				fmt.Fprintln(f, id)
				f.Close()
			}
		}
	}
	return x
}
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
	name    string // as the report calls it
	dir     string // where it runs
	path    string
	args    []string
	reached map[int][]string         // the tests in which a mutant would change something
	took    map[string]time.Duration // by each test with nothing broken
}

// build compiles the tests of a directory.
func (f *finder) build(ctx context.Context, list, dir, to string) (*suite, error) {
	s := &suite{name: strings.TrimPrefix(dir, "internal/"), dir: filepath.Join(f.root, dir)}
	s.path = filepath.Join(to, strings.ReplaceAll(dir, "/", "_")+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", list, "-o", s.path, "./"+dir)
	cmd.Dir = f.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return s, fmt.Errorf("building the tests of %s: %w\n%s", dir, err, out)
	}
	return s, nil
}

// try runs each test of a suite with nothing broken, which must pass, and notes
// how long that takes and which mutants would have changed something.
func (s *suite) try(ctx context.Context, tests []string, tmp string, limit time.Duration) error {
	s.reached, s.took = map[int][]string{}, map[string]time.Duration{}
	for _, test := range tests {
		to := filepath.Join(tmp, "reached")
		began := time.Now()
		if by := s.run(ctx, []string{test}, limit, "CHAIRLIFT_MUTANTS_REACHED="+to); by != "" {
			return fmt.Errorf("%s with nothing broken: %s", test, by)
		}
		s.took[test] = time.Since(began)
		body, err := os.ReadFile(to)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for line := range strings.Lines(string(body)) {
			id, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				return fmt.Errorf("%s: %w", to, err)
			}
			s.reached[id] = append(s.reached[id], test)
		}
		os.Remove(to)
	}
	return nil
}

// tests lists those of a suite.
func (s *suite) tests(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, s.path, "-test.list=^Test")
	cmd.Dir = s.dir
	out, err := cmd.Output()
	return strings.Fields(string(out)), err
}

// time is how long the tests take in which a mutant would change something.
func (s *suite) time(id int) (d time.Duration) {
	for _, t := range s.reached[id] {
		d += s.took[t]
	}
	return d
}

// breaks runs those tests with the mutant switched on and returns what noticed
// it, or "". An endless loop is noticed by the time it takes.
func (s *suite) breaks(ctx context.Context, id int, limit time.Duration) string {
	tests := s.reached[id]
	if len(tests) == 0 {
		return ""
	}
	return s.run(ctx, tests, min(limit, 20*time.Second+10*s.time(id)), fmt.Sprint("CHAIRLIFT_MUTANT=", id))
}

func (s *suite) run(ctx context.Context, tests []string, limit time.Duration, env string) string {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	run := "-test.run=^(" + strings.Join(tests, "|") + ")$"
	cmd := exec.CommandContext(ctx, s.path, append([]string{"-test.failfast", "-test.timeout=0", run}, s.args...)...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), env)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("%s did not end within %s", s.name, limit.Round(time.Second))
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
