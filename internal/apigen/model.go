package main

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// A model is everything the model files say: services, operations, shapes.
type model struct {
	services   []string
	ops        []*op
	exceptions []exception
	shapes     map[string]*shape
}

// An op is one operation of a service.
type op struct {
	service string
	name    string
	errors  []string
	page    string // the output member that holds the items, empty when not paged
	void    bool   // answers without a body
}

func (o *op) input() string  { return o.name + "Input" }
func (o *op) output() string { return o.name + "Output" }

// An exception is an error shape; all of them have one member, Message.
type exception struct {
	name  string
	fault bool // the service is to blame, not the caller
}

// A shape is a type of the model. Which fields matter depends on kind.
type shape struct {
	kind     string // struct, list, map, enum, string, int, long, double, float, bool, blob, time
	name     string
	min, max string // as written; empty when there is no bound
	pattern  string
	secret   bool     // its values may not be shown in errors
	values   []string // enum
	key      string   // map
	elem     string   // list, map
	members  []member // struct
}

type member struct {
	name     string
	shape    string
	required bool
}

// structs returns the structures in the order of their names.
func (m *model) structs() []*shape {
	return m.sorted(func(s *shape) bool { return s.kind == "struct" })
}

func (m *model) sorted(keep func(*shape) bool) []*shape {
	var out []*shape
	for _, s := range m.shapes {
		if keep(s) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *shape) int { return strings.Compare(a.name, b.name) })
	return out
}

// reach returns the shapes that can occur inside the inputs of operations.
// Only those are ever checked: what the service says itself needs no check.
func (m *model) reach() map[string]bool {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(name string) {
		if name == "" || seen[name] {
			return
		}
		seen[name] = true
		s := m.shapes[name]
		walk(s.key)
		walk(s.elem)
		for _, f := range s.members {
			walk(f.shape)
		}
	}
	for _, o := range m.ops {
		walk(o.input())
	}
	return seen
}

// parse reads model files into one model and checks that every name resolves.
// The form is explained at the top of model/gamelift.model.
func parse(files ...[]byte) (*model, error) {
	m := &model{shapes: map[string]*shape{}}
	for _, file := range files {
		if err := m.parseFile(file); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(m.ops, func(a, b *op) int { return strings.Compare(a.name, b.name) })
	return m, m.resolve()
}

func (m *model) parseFile(file []byte) error {
	var (
		indented func(words []string) // what an indented line adds to
		service  string
		lineno   int
	)
	lines := bufio.NewScanner(bytes.NewReader(file))
	for lines.Scan() {
		lineno++
		line := lines.Text()
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line, pattern, _ := strings.Cut(line, " ~ ")
		words := strings.Fields(line)
		if line[0] == '\t' {
			if indented == nil {
				return fmt.Errorf("line %d: indented below something that has no lines: %s", lineno, line)
			}
			indented(words)
			continue
		}
		if len(words) < 2 {
			return fmt.Errorf("line %d: a word is missing: %s", lineno, line)
		}
		indented = nil
		kind, name, rest := words[0], words[1], words[2:]
		switch kind {
		case "service":
			service = name
			m.services = append(m.services, name)
		case "op":
			o := &op{service: service, name: name}
			for len(rest) > 0 {
				switch {
				case rest[0] == "void":
					o.void, rest = true, rest[1:]
				case rest[0] == "page" && len(rest) > 1:
					o.page, rest = rest[1], rest[2:]
				default:
					return fmt.Errorf("line %d: %q is not page or void", lineno, rest[0])
				}
			}
			m.ops = append(m.ops, o)
			indented = func(w []string) { o.errors = append(o.errors, w...) }
		case "error", "fault":
			m.exceptions = append(m.exceptions, exception{name, kind == "fault"})
		default:
			s := &shape{kind: kind, name: name, pattern: pattern}
			if m.shapes[name] != nil {
				return fmt.Errorf("line %d: shape %s is declared twice", lineno, name)
			}
			m.shapes[name] = s
			switch {
			case kind == "list" && len(rest) >= 1:
				s.elem, rest = rest[0], rest[1:]
			case kind == "map" && len(rest) >= 2:
				s.key, s.elem, rest = rest[0], rest[1], rest[2:]
			case kind == "enum":
				indented = func(w []string) { s.values = append(s.values, w...) }
			case kind == "struct":
				indented = func(w []string) {
					name, required := strings.CutSuffix(w[0], "!")
					s.members = append(s.members, member{name, w[1], required})
				}
			case !slices.Contains([]string{"string", "int", "long", "double", "float", "bool", "blob", "time"}, kind):
				return fmt.Errorf("line %d: unknown kind %s", lineno, kind)
			}
			for _, w := range rest {
				if min, max, ok := strings.Cut(w, ".."); ok {
					s.min, s.max = min, max
				} else if w == "secret" {
					s.secret = true
				} else {
					return fmt.Errorf("line %d: %q is neither a range nor secret", lineno, w)
				}
			}
		}
	}
	return lines.Err()
}

// resolve reports names that lead nowhere, and adds the empty outputs of
// operations that answer nothing, so that every operation has the same form.
func (m *model) resolve() error {
	for _, o := range m.ops {
		if o.void {
			m.shapes[o.output()] = &shape{kind: "struct", name: o.output()}
		}
		for _, n := range []string{o.input(), o.output()} {
			if m.shapes[n] == nil {
				return fmt.Errorf("operation %s: no shape %s", o.name, n)
			}
		}
		for _, e := range o.errors {
			if !slices.ContainsFunc(m.exceptions, func(x exception) bool { return x.name == e }) {
				return fmt.Errorf("operation %s: no exception %s", o.name, e)
			}
		}
	}
	for _, s := range m.shapes {
		names := []string{}
		for _, n := range []string{s.key, s.elem} {
			if n != "" {
				names = append(names, n)
			}
		}
		for _, f := range s.members {
			names = append(names, f.shape)
		}
		for _, n := range names {
			if m.shapes[n] == nil {
				return fmt.Errorf("shape %s: no shape %s", s.name, n)
			}
		}
		if len(s.members) > 64 {
			return fmt.Errorf("shape %s: more than the 64 members a walker can track", s.name)
		}
	}
	return nil
}
