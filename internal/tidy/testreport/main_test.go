package main

import (
	"strings"
	"testing"
)

// TestReport says at the end why a test failed, although its output is longer.
func TestReport(t *testing.T) {
	const input = `{"Action":"output","Package":"p","Test":"TestFine","Output":"    a_test.go:1: all is well\n"}
{"Action":"pass","Package":"p","Test":"TestFine"}
{"Action":"output","Package":"p","Test":"TestGone","Output":"    a_test.go:3: no program\n"}
{"Action":"skip","Package":"p","Test":"TestGone"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    a_test.go:7: 2, expected 3\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    a_test.go:9: the log:\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"        level=WARN source=engine/turn.go:12: late\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"--- FAIL: TestBad (0.1s)\n"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"fail","Package":"p"}
`
	const end = `
1 tests passed in 0 packages
1 skipped:
  p TestGone: no program
2 FAILED:
  p 
  p TestBad
      a_test.go:7: 2, expected 3
      a_test.go:9: the log:
`
	var b strings.Builder
	if report(strings.NewReader(input), &b) {
		t.Error("a failure counts as success")
	}
	if !strings.HasSuffix(b.String(), end) {
		t.Errorf("the report is\n%s\nand should end in\n%s", b.String(), end)
	}
	if report(strings.NewReader(""), &b) {
		t.Error("nothing at all counts as success")
	}
}
