package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

func TestRefuses(t *testing.T) {
	for body, want := range map[string]bool{
		`return nil, invalid("no")`:                                                              true,
		`return &Out{}, nil`:                                                                     false,
		`if ok { return out, nil }; return nil, invalid("no")`:                                   false,
		`return s.describe(ctx)`:                                                                 false,
		`return nil, s.view(func(tx Tx) error { return invalid("no") })`:                         true,
		`return read(s, func(tx Tx) (*Out, error) { return nil, invalid("no") })`:                true,
		`return read(s, func(tx Tx) (*Out, error) { return &Out{}, nil })`:                       false,
		`out, err := f(func() (int, error) { return nil, err }); return out, err`:                false,
		`defer func() { return }(); return nil, s.view(func(tx Tx) { use(tx); })`:                true,
		`for { if x { return nil, invalid("no") } else { return make(s), nil } }`:                false,
		`return once(s, func(tx Tx) (*Out, error) { if a { return o, nil } ; return nil, err })`: false,
		`out, err = f(); return`:                                                                 false,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc (s *S) M(ctx C, in *In) (*Out, error) {"+body+"}", 0)
		if err != nil {
			t.Fatal(body, err)
		}
		if got := refuses(f.Decls[0].(*ast.FuncDecl)); got != want {
			t.Errorf("%s: only refuses: %v, want %v", body, got, want)
		}
	}
}
