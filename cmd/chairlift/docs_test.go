package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chairlift-games/chairlift/internal/need"
)

// TestDocs runs the commands of the user's pages as they stand there. A script
// in testdata/docs says what a page finds, and what it must print.
func TestDocs(t *testing.T) {
	if !exists("/usr/bin/aws") {
		need.Skip(t, "the pages use the AWS CLI; get it with the Debian package awscli")
	}
	docs, err := filepath.Abs("../../docs")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:         "testdata/docs",
		WorkdirRoot: shortDir(t),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+":/usr/bin:/bin")
			e.Setenv("AWS_PAGER", "")
			e.Setenv("CHAIRLIFT_ADDR", "127.0.0.1:0")
			e.Setenv("CHAIRLIFT_HOST", "shared")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// page NAME writes the commands of a page into the file page.sh.
			"page": func(ts *testscript.TestScript, _ bool, args []string) {
				text, err := os.ReadFile(filepath.Join(docs, args[0]))
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs("page.sh"), []byte(pageScript(string(text))), 0o644))
			},
		},
	})
}

// pageScript is a shell script of the ```sh blocks of a page. A command that
// fails ends it. It ends the services that the page starts, and waits for each to be
// ready, as a reader does without thinking of it.
func pageScript(text string) string {
	var b strings.Builder
	b.WriteString(`set -eu
finish() {
	code=$?
	for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done
	wait
	chairlift serve --stop-instances >stopped & stopping=$!
	for i in $(seq 200); do grep -q ready stopped && break; sleep 0.1; done
	kill $stopping; wait
	exit $code
}
trap finish EXIT
set -m
`)
	services := 0
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "```sh":
			inside = true
		case line == "```":
			inside = false
		case inside && strings.HasPrefix(line, "chairlift serve") && strings.HasSuffix(line, "&"):
			services++
			fmt.Fprintf(&b, "%s >ready%d &\n", strings.TrimSuffix(line, "&"), services)
			fmt.Fprintf(&b, "for i in $(seq 300); do grep -q ready ready%d && break; sleep 0.1; done\n", services)
			// The next start is on the same address, as with the one that people have.
			fmt.Fprintf(&b, "export CHAIRLIFT_ADDR=$(sed -n 's/.*addr=\\([^ ]*\\).*/\\1/p' ready%d)\n", services)
		case inside:
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
