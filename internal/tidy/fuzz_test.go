package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestContributingNamesEveryFuzzTarget keeps the table of CONTRIBUTING.md whole:
// each target stands in the line of its room, and nothing stands there that is
// no target.
func TestContributingNamesEveryFuzzTarget(t *testing.T) {
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{} // the targets' cell by room
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) == 4 && strings.Contains(line, "`Fuzz") {
			told[strings.Trim(cells[1], " `")] = cells[2]
		}
	}
	for _, p := range packages(t) {
		files, err := filepath.Glob(filepath.Join(p.Dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(f.Name.Name, "Fuzz") {
					continue
				}
				found++
				if !strings.Contains(told[p.ImportPath], "`"+f.Name.Name+"`") {
					t.Errorf("CONTRIBUTING.md does not name %s of %s", f.Name.Name, p.ImportPath)
				}
			}
		}
		if n := strings.Count(told[p.ImportPath], "`Fuzz"); n > found {
			t.Errorf("CONTRIBUTING.md names %d fuzz targets of %s, which has %d", n, p.ImportPath, found)
		}
	}
}
