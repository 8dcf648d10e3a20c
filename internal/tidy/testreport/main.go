// Testreport reads `go test -json` and prints what a person wants: a line a
// package, the output of what failed, and at the end everything that was
// skipped with the reason, so that a skip is never silent, and what failed with
// the first lines it logged.
//
//	go test -json ./... | go run ./internal/tidy/testreport
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

func main() {
	if !report(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// report copies what matters and reports whether everything passed.
func report(in io.Reader, out io.Writer) bool {
	output := map[string][]string{} // by package and test
	var skipped, failed []string
	tests, packages := 0, 0
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // not from the test runner: show it
			continue
		}
		if e.Package == "" {
			e.Package = e.ImportPath
		}
		key := e.Package + "\x00" + e.Test
		switch e.Action {
		case "output", "build-output":
			output[key] = append(output[key], e.Output)
		case "build-fail":
			fmt.Fprintf(out, "FAIL  %s\n%s", e.Package, strings.Join(output[key], ""))
			failed = append(failed, e.Package+" (build)")
		case "pass":
			if e.Test == "" {
				packages++
				fmt.Fprintf(out, "ok    %-60s %7.2fs\n", short(e.Package), e.Elapsed)
			} else {
				tests++
			}
			delete(output, key)
		case "skip":
			if e.Test != "" {
				skipped = append(skipped, fmt.Sprintf("%s %s: %s", short(e.Package), e.Test, reason(output[key])))
			}
			delete(output, key)
		case "fail":
			fmt.Fprintf(out, "FAIL  %s %s\n%s", short(e.Package), e.Test, strings.Join(output[key], ""))
			failed = append(failed, short(e.Package)+" "+e.Test+said(output[key]))
			delete(output, key)
		}
	}
	fmt.Fprintf(out, "\n%d tests passed in %d packages\n", tests, packages)
	list(out, "skipped", skipped)
	list(out, "FAILED", failed)
	return len(failed) == 0 && packages > 0
}

func list(out io.Writer, what string, names []string) {
	if len(names) == 0 {
		return
	}
	sort.Strings(names)
	fmt.Fprintf(out, "%d %s:\n", len(names), what)
	for _, n := range names {
		fmt.Fprintln(out, "  "+n)
	}
}

// said returns the first lines that a failed test logged, for the end of the
// report: the whole output may be long, and often only its end is kept.
func said(lines []string) string {
	const most, longest = 8, 300
	var b strings.Builder
	n := 0
	for _, l := range lines {
		l = strings.TrimSpace(l)
		file, _, ok := strings.Cut(l, ".go:")
		if !ok || strings.ContainsAny(file, " /=") {
			continue
		}
		if n++; n > most {
			break
		}
		if len(l) > longest {
			l = l[:longest] + " ..."
		}
		b.WriteString("\n      " + l)
	}
	return b.String()
}

// reason finds the text given to Skip among a test's output.
func reason(lines []string) string {
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if _, text, ok := strings.Cut(l, ".go:"); ok && !strings.HasPrefix(l, "---") {
			_, text, _ = strings.Cut(text, ": ")
			return text
		}
	}
	return "no reason given"
}

func short(pkg string) string {
	return strings.TrimPrefix(strings.TrimPrefix(pkg, "github.com/chairlift-games/chairlift"), "/")
}
