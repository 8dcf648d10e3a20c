package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A site is a place where the code can be broken.
type site struct {
	id   int
	file string // from the root of the tree
	line int
	fn   string // the function it is in
	what string // what is turned off, as it is written
	how  string // "never" or "no matter"
	nth  int    // of those that are spelled alike in the function, from 1
}

// key names a site for as long as its function is not rewritten.
func (s site) key() string {
	k := fmt.Sprintf("%s %s: %s: %s", s.file, s.fn, s.how, s.what)
	if s.nth > 1 {
		k += fmt.Sprintf(" (%d)", s.nth)
	}
	return k
}

func (s site) dir() string { return path.Dir(s.file) }

func (s site) String() string {
	return fmt.Sprintf("%s:%d %s: %s: %s", s.file, s.line, s.fn, s.how, s.what)
}

// An edit puts text into a file before the byte at offset.
type edit struct {
	offset int
	text   string
}

// finder collects the sites of a tree and the edits that make them switches.
type finder struct {
	root  string
	sites []site
	edits map[string][]edit // by file
	names map[string]string // of packages, by directory
}

func newFinder(root string) *finder {
	return &finder{root: root, edits: map[string][]edit{}, names: map[string]string{}}
}

// find adds the sites in a directory.
func (f *finder) find(dir string) error {
	paths, err := filepath.Glob(filepath.Join(f.root, dir, "*.go"))
	if err != nil {
		return err
	}
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(filepath.Join(dir, filepath.Base(p)))
		if err := f.file(name, text); err != nil {
			return err
		}
	}
	if f.names[dir] == "" {
		return fmt.Errorf("%s holds no Go files", dir)
	}
	return nil
}

func (f *finder) file(name string, text []byte) error {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f.names[path.Dir(name)] = tree.Name.Name
	for _, d := range tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			(&function{finder: f, set: set, file: name, text: text, name: nameOf(fn), seen: map[string]int{}}).visit(fn.Body)
		}
	}
	slices.SortStableFunc(f.edits[name], func(a, b edit) int { return cmp.Compare(a.offset, b.offset) })
	return nil
}

func nameOf(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	star := ""
	if p, ok := t.(*ast.StarExpr); ok {
		t, star = p.X, "*"
	}
	switch g := t.(type) {
	case *ast.IndexExpr:
		t = g.X
	case *ast.IndexListExpr:
		t = g.X
	}
	return fmt.Sprintf("(%s%s).%s", star, t, fn.Name.Name)
}

// function looks for sites in one function.
type function struct {
	*finder
	set  *token.FileSet
	file string
	text []byte
	name string
	seen map[string]int
}

func (f *function) visit(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			f.never(n.Cond)
		case *ast.SwitchStmt:
			if n.Tag != nil {
				break
			}
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					f.never(e)
				}
			}
		case *ast.BinaryExpr:
			f.operands(n)
		}
		return true
	})
}

// never makes a condition that can be switched to false.
func (f *function) never(cond ast.Expr) { f.add(cond, "never", "mutantNever(%d, ", ")") }

// operands does so with the operands of && and ||, of which one that does not
// count is true in the one and false in the other.
func (f *function) operands(n *ast.BinaryExpr) {
	if n.Op != token.LAND && n.Op != token.LOR {
		return
	}
	for _, x := range []ast.Expr{n.X, n.Y} {
		if inner, ok := x.(*ast.BinaryExpr); ok && inner.Op == n.Op {
			continue // a chain: its own operands are visited
		}
		if n.Op == token.LAND {
			f.add(x, "no matter", "mutantAlways(%d, ", ")")
		} else {
			f.add(x, "never", "mutantNever(%d, ", ")")
		}
	}
}

func (f *function) add(x ast.Expr, how, before, after string) {
	from, to := f.set.Position(x.Pos()), f.set.Position(x.End())
	what := strings.Join(strings.Fields(string(f.text[from.Offset:to.Offset])), " ")
	f.seen[how+what]++
	s := site{len(f.sites) + 1, f.file, from.Line, f.name, what, how, f.seen[how+what]}
	f.sites = append(f.sites, s)
	// What opens later lies further inside, as a node is visited before those
	// in it; so at one offset later ones go after what was opened before them,
	// and before what was closed.
	f.edits[f.file] = append(f.edits[f.file], edit{from.Offset, fmt.Sprintf(before, s.id)})
	f.edits[f.file] = slices.Insert(f.edits[f.file], 0, edit{to.Offset, after})
}

// apply returns a file with its edits.
func apply(text []byte, edits []edit) []byte {
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, text[at:e.offset]...), e.text...)
		at = e.offset
	}
	return append(out, text[at:]...)
}
