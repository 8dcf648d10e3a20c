package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGeneratedFilesAreCurrent fails when api/ is not what the model says, or
// when the generator does not write the same every time.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", "..", "api", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("api/%s is not what the generator writes (%v); run make gen", name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ model, want string }{
		{"\tX Y\n", "indented below something"},
		{"struct A\n\tB C\n", "no shape C"},
		{"list A B\n", "no shape B"},
		{"string A\nstring A\n", "declared twice"},
		{"service S\nop A\n", "no shape AInput"},
		{"service S\nop A void\n\tNoException\nstruct AInput\n", "no exception NoException"},
		{"op A sometimes\n", "is not page or void"},
		{"strang A\n", "unknown kind strang"},
		{"string A big\n", "neither a range nor secret"},
		{"string\n", "a word is missing"},
	} {
		_, err := parse([]byte(test.model))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %s", test.model, err, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	m, err := parse([]byte(`# a comment
service S
op Make page Items
	BadException
error BadException
struct MakeInput secret
	Name! Name
	Tags Tags
struct MakeOutput
	Items Names
string Name 1..5 secret ~ a b ~ c
list Names Name ..3
map Tags Name Name
`))
	if err != nil {
		t.Fatal(err)
	}
	if o := m.ops[0]; o.page != "Items" || o.service != "S" || len(o.errors) != 1 {
		t.Errorf("%+v", o)
	}
	if s := m.shapes["Name"]; s.min != "1" || s.max != "5" || !s.secret || s.pattern != "a b ~ c" {
		t.Errorf("%+v", s)
	}
	if s := m.shapes["Names"]; s.elem != "Name" || s.min != "" || s.max != "3" {
		t.Errorf("%+v", s)
	}
	if s := m.shapes["MakeInput"]; !s.members[0].required || s.members[1].required {
		t.Errorf("%+v", s)
	}
	if got := goPattern(`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\/]`); got != "`[\\x{0020}-\\x{D7FF}\\x{E000}-\\x{FFFD}\\x{10000}-\\x{10FFFF}/]`" {
		t.Error(got)
	}
}
