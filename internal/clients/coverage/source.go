package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"time"

	"github.com/chairlift-games/chairlift/api"
)

// A member is one of a shape, at any depth.
type member struct {
	path  string // from the input or output: Players.PlayerAttributes.*.S
	field string // as usage names it: AttributeValue.S
}

// memberPaths returns the members of a shape, parents before children.
func memberPaths(s api.Shape) []member {
	var all []member
	var walk func(t reflect.Type, path string, above []reflect.Type)
	walk = func(t reflect.Type, path string, above []reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(t.Elem(), path, above)
		case reflect.Map:
			walk(t.Elem(), path+".*", above)
		case reflect.Struct:
			for _, a := range above {
				if a == t {
					return
				}
			}
			if t == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range t.NumField() {
				f := t.Field(i)
				p := f.Name
				if path != "" {
					p = path + "." + f.Name
				}
				all = append(all, member{p, t.Name() + "." + f.Name})
				walk(f.Type, p, append(above, t))
			}
		}
	}
	walk(reflect.TypeOf(s), "", nil)
	return all
}

// usage is what a package does with the shapes of the API. Fields are named
// Struct.Field.
type usage struct {
	methods map[string]bool // of its type Service, but for those that only refuse
	read    map[string]bool // fields that some line reads
	filled  map[string]bool // fields that some line sets

	by    map[string]map[types.Object]bool       // the functions that set a field
	calls map[types.Object]map[types.Object]bool // the functions of the package that a function names
	ops   map[string]types.Object                // methods, by name
}

// fillers are the functions through which a method sets a field: it, or what it
// calls or hands on, to any depth.
func (u *usage) fillers(method, field string) map[types.Object]bool {
	found, seen := map[types.Object]bool{}, map[types.Object]bool{}
	var walk func(types.Object)
	walk = func(f types.Object) {
		if f == nil || seen[f] {
			return
		}
		seen[f] = true
		if u.by[field][f] {
			found[f] = true
		}
		for g := range u.calls[f] {
			walk(g)
		}
	}
	walk(u.ops[method])
	return found
}

// look reads a package with its types.
func look(pkg string) (*usage, error) {
	exports, dir, files, err := list(pkg)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range files {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, f)
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	checked, err := conf.Check(pkg, fset, parsed, info)
	if err != nil {
		return nil, err
	}
	u := &usage{
		methods: map[string]bool{}, read: map[string]bool{}, filled: map[string]bool{},
		by: map[string]map[types.Object]bool{}, calls: map[types.Object]map[types.Object]bool{}, ops: map[string]types.Object{},
	}
	service, ok := checked.Scope().Lookup("Service").(*types.TypeName)
	if !ok {
		return nil, fmt.Errorf("%s has no type Service", pkg)
	}
	named := service.Type().(*types.Named)
	for i := range named.NumMethods() {
		u.methods[named.Method(i).Name()] = true
		u.ops[named.Method(i).Name()] = named.Method(i)
	}
	for _, f := range parsed {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && refuses(fn) {
				delete(u.methods, fn.Name.Name)
			}
		}
	}
	names := fieldNames(checked)
	for _, f := range parsed {
		for _, d := range f.Decls {
			in := &inspector{info: info, names: names, read: u.read, filled: map[string]bool{}, named: map[types.Object]bool{}}
			ast.Inspect(d, in.node)
			fn, _ := d.(*ast.FuncDecl)
			for field := range in.filled {
				u.filled[field] = true
				if fn != nil {
					if u.by[field] == nil {
						u.by[field] = map[types.Object]bool{}
					}
					u.by[field][info.Defs[fn.Name]] = true
				}
			}
			if fn != nil {
				u.calls[info.Defs[fn.Name]] = in.named
			}
		}
	}
	return u, nil
}

// refuses says whether every answer a method with an output can give is nil
// and an error. An answer may be that of a function in the method's own text.
func refuses(fn *ast.FuncDecl) bool {
	answers := func(f *ast.FuncType) bool { return f.Results != nil && f.Results.NumFields() == 2 }
	if !answers(fn.Type) {
		return false
	}
	refused := true
	var walk func(body ast.Node)
	walk = func(body ast.Node) {
		ast.Inspect(body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				if answers(n.Type) {
					walk(n.Body)
				}
				return false
			case *ast.ReturnStmt:
				within := false
				for _, r := range n.Results {
					if c, ok := r.(*ast.CallExpr); ok {
						for _, a := range c.Args {
							f, ok := a.(*ast.FuncLit)
							within = within || ok && answers(f.Type)
						}
					}
				}
				if within {
					return true
				}
				if len(n.Results) == 0 {
					refused = false // named results, which may be anything
					return true
				}
				if first, ok := n.Results[0].(*ast.Ident); !ok || first.Name != "nil" {
					refused = false
				}
			}
			return true
		})
	}
	walk(fn.Body)
	return refused
}

// list asks the go command for a package's files and for the compiled form of
// everything it imports.
func list(pkg string) (exports map[string]string, dir string, files []string, err error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export,DepOnly", pkg).Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			err = fmt.Errorf("go list %s: %s", pkg, e.Stderr)
		}
		return nil, "", nil, err
	}
	exports = map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct {
			ImportPath, Dir, Export string
			GoFiles                 []string
			DepOnly                 bool
		}
		if err := dec.Decode(&p); err != nil {
			return nil, "", nil, err
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			dir, files = p.Dir, p.GoFiles
		}
	}
	return exports, dir, files, nil
}

// fieldNames names the fields of every struct of package api.
func fieldNames(p *types.Package) map[types.Object]string {
	names := map[types.Object]string{}
	for _, imported := range p.Imports() {
		if imported.Path() != reflect.TypeFor[api.Operation]().PkgPath() {
			continue
		}
		for _, name := range imported.Scope().Names() {
			if s, ok := imported.Scope().Lookup(name).Type().Underlying().(*types.Struct); ok {
				for f := range s.Fields() {
					names[f] = name + "." + f.Name()
				}
			}
		}
	}
	return names
}

// An inspector goes through a declaration's syntax and notes what it does to
// fields, and which functions it names.
type inspector struct {
	info         *types.Info
	names        map[types.Object]string
	read, filled map[string]bool
	named        map[types.Object]bool
}

func (in *inspector) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.Ident:
		if f, ok := in.info.Uses[n].(*types.Func); ok {
			in.named[f.Origin()] = true
		}
	case *ast.AssignStmt:
		for _, l := range n.Lhs {
			if sel, ok := l.(*ast.SelectorExpr); ok && n.Tok != token.DEFINE {
				if s := in.info.Selections[sel]; s != nil && in.names[s.Obj()] != "" {
					in.filled[in.names[s.Obj()]] = true
					ast.Inspect(sel.X, in.node)
					continue
				}
			}
			ast.Inspect(l, in.node)
		}
		for _, r := range n.Rhs {
			ast.Inspect(r, in.node)
		}
		return false
	case *ast.SelectorExpr:
		if s := in.info.Selections[n]; s != nil && in.names[s.Obj()] != "" {
			in.read[in.names[s.Obj()]] = true
		}
	case *ast.CompositeLit:
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && in.names[in.info.Uses[key]] != "" {
					in.filled[in.names[in.info.Uses[key]]] = true
				}
			} else {
				in.whole(in.info.Types[n].Type, in.filled) // by position
				break
			}
		}
	case *ast.CallExpr: // a conversion reads and fills every field
		if t := in.info.Types[n.Fun]; t.IsType() && len(n.Args) == 1 {
			in.whole(in.info.Types[n.Args[0]].Type, in.read)
			in.whole(t.Type, in.filled)
		}
	}
	return true
}

// whole notes all fields of a struct of package api.
func (in *inspector) whole(t types.Type, into map[string]bool) {
	if t == nil {
		return
	}
	if s, ok := t.Underlying().(*types.Struct); ok {
		for f := range s.Fields() {
			if name := in.names[f]; name != "" {
				into[name] = true
			}
		}
	}
}
