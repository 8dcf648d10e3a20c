package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// scalar names the reader method, the Encoder method and the conversion to the
// type the latter takes.
var scalar = map[string]struct{ read, write, as string }{
	"string": {"string", "String", "%s"},
	"enum":   {"string", "String", "%s"},
	"int":    {"int", "Int", "int64(%s)"},
	"long":   {"int64", "Int", "%s"},
	"double": {"float64", "Float", "%s"},
	"float":  {"float32", "Float32", "%s"},
	"bool":   {"bool", "Bool", "%s"},
	"blob":   {"blob", "Blob", "%s"},
	"time":   {"time", "Time", "%s"},
}

func emitDecoders(p *printer, m *model) {
	for _, s := range m.structs() {
		p.f("func (x *%s) decode(r *reader) {\n\to := r.object()\n\tfor o.next() {\n\t\tswitch string(o.name) {\n", s.name)
		for i, f := range s.members {
			p.f("\t\tcase %q:\n\t\t\tif o.field(%d, %q) {\n", f.name, i, f.name)
			switch t := m.shapes[f.shape]; {
			case t.kind == "struct":
				p.f("x.%s = new(%s)\nx.%s.decode(r)\n", f.name, t.name, f.name)
			case m.pointer(f):
				p.f("x.%s = new(%s)\n", f.name, m.read(t))
			default:
				p.f("x.%s = %s\n", f.name, m.read(t))
			}
			p.f("}\n")
		}
		p.f("default:\no.skip()\n}\n}\n")
		for i, f := range s.members {
			if f.required {
				p.f("o.need(%d, %q)\n", i, f.name)
			}
		}
		p.f("}\n\n")
	}
	for _, s := range m.sorted(func(s *shape) bool { return s.kind == "list" || s.kind == "map" }) {
		e := m.shapes[s.elem]
		switch {
		case s.kind == "list" && e.kind == "struct":
			p.f("func read%s(r *reader) []%s {\nv := []%s{}\nfor l := r.list(); l.next(); {\nv = append(v, %s{})\nv[len(v)-1].decode(r)\n}\nreturn v\n}\n\n", s.name, e.name, e.name, e.name)
		case s.kind == "map" && e.kind == "struct":
			p.f("func read%s(r *reader) map[string]%s {\nreturn readMap(r, func(r *reader) (v %s) {\nv.decode(r)\nreturn v\n})\n}\n\n", s.name, e.name, e.name)
		case s.kind == "list":
			p.f("func read%s(r *reader) []%s {\nreturn readList(r, (*reader).%s)\n}\n\n", s.name, m.goType(e.name), scalar[e.kind].read)
		default:
			p.f("func read%s(r *reader) map[string]%s {\nreturn readMap(r, (*reader).%s)\n}\n\n", s.name, m.goType(e.name), scalar[e.kind].read)
		}
	}
}

// read is the expression that reads a value of shape t, which is no structure.
func (m *model) read(t *shape) string {
	if t.kind == "list" || t.kind == "map" {
		return "read" + t.name + "(r)"
	}
	return "r." + scalar[t.kind].read + "()"
}

func emitEncoders(p *printer, m *model) {
	for _, s := range m.structs() {
		p.f("func (x *%s) encode(e Encoder) {\n\te.Object()\n", s.name)
		for _, f := range s.members {
			t := m.shapes[f.shape]
			v := "x." + f.name
			switch {
			case m.pointer(f):
				p.f("if %s != nil {\n", v)
				if t.kind != "struct" {
					v = "*" + v
				}
			case t.kind == "time":
				p.f("if !%s.IsZero() {\n", v)
			case f.required && scalar[t.kind].read != "" && t.kind != "blob":
				p.f("{\n")
			default:
				p.f("if %s != nil {\n", v)
			}
			p.f("e.Key(%q)\n", f.name)
			p.f("%s}\n", m.write(t, v))
		}
		p.f("e.End()\n}\n\n")
	}
	for _, s := range m.sorted(func(s *shape) bool { return s.kind == "list" || s.kind == "map" }) {
		e := m.shapes[s.elem]
		switch {
		case s.kind == "list" && e.kind == "struct":
			p.f("func write%s(e Encoder, v []%s) {\ne.List(len(v))\nfor i := range v {\nv[i].encode(e)\n}\ne.End()\n}\n\n", s.name, e.name)
		case s.kind == "list" && m.goType(e.name) != "string":
			p.f("func write%s(e Encoder, v []%s) {\ne.List(len(v))\nfor _, v := range v {\n%s}\ne.End()\n}\n\n", s.name, m.goType(e.name), m.write(e, "v"))
		case s.kind == "map":
			p.f("func write%s(e Encoder, v map[string]%s) {\nwriteMap(e, v, func(e Encoder, v %s) {\n%s})\n}\n\n", s.name, m.goType(e.name), m.goType(e.name), m.write(e, "v"))
		}
	}
}

// write is the statement that writes v, a value of shape t.
func (m *model) write(t *shape, v string) string {
	p := &printer{}
	switch {
	case t.kind == "struct":
		p.f("%s.encode(e)\n", v)
	case t.kind == "list" && m.goType(t.elem) == "string":
		p.f("writeStrings(e, %s)\n", v)
	case t.kind == "list" || t.kind == "map":
		p.f("write%s(e, %s)\n", t.name, v)
	default:
		p.f("e."+scalar[t.kind].write+"("+scalar[t.kind].as+")\n", v)
	}
	return p.String()
}

func emitChecks(p *printer, m *model) {
	p.f("import \"math\"\n\n")
	reached := m.reach()
	b := bounds{m, map[string]bool{}}
	roots := map[string]bool{}
	for _, o := range m.ops {
		roots[o.input()], roots[o.output()] = true, true
	}
	for _, s := range m.structs() {
		if !reached[s.name] || !b.any(s.name) {
			if roots[s.name] {
				p.f("func (x *%s) check(c *checker) {}\n\n", s.name)
			}
			continue
		}
		p.f("func (x *%s) check(c *checker) {\n", s.name)
		for _, f := range s.members {
			b.member(p, f)
		}
		p.f("}\n\n")
	}
	for _, s := range m.sorted(func(s *shape) bool { return reached[s.name] && b.rule(s) }) {
		emitRule(p, s)
	}
}

// bounds emits the checks of members. done remembers which structures have any.
type bounds struct {
	*model
	done map[string]bool
}

// rule says whether a scalar shape has bounds of its own.
func (b bounds) rule(s *shape) bool {
	return slices.Contains([]string{"string", "enum", "int", "long", "double"}, s.kind) &&
		(s.min != "" || s.max != "" || s.pattern != "" || s.kind == "enum")
}

// any says whether there is anything to check in a value of the named shape.
func (b bounds) any(name string) bool {
	if known, ok := b.done[name]; ok {
		return known
	}
	b.done[name] = false // for shapes that contain themselves
	s := b.shapes[name]
	found := b.rule(s)
	switch s.kind {
	case "list", "map", "blob":
		found = s.min != "" || s.max != ""
	}
	for _, n := range []string{s.key, s.elem} {
		found = found || (n != "" && b.any(n))
	}
	for _, f := range s.members {
		found = found || b.any(f.shape) || (f.required && (b.pointer(f) || slices.Contains([]string{"list", "map", "blob", "struct"}, b.shapes[f.shape].kind)))
	}
	b.done[name] = found
	return found
}

func (b bounds) member(p *printer, f member) {
	s := b.shapes[f.shape]
	v := "x." + f.name
	nilable := b.pointer(f) || s.kind == "list" || s.kind == "map" || s.kind == "blob"
	if !b.any(f.shape) && (!f.required || !nilable) {
		return
	}
	if nilable && f.required {
		p.f("if %s == nil {\nc.need(%q)\n}", v, f.name)
		if !b.any(f.shape) {
			p.f("\n")
			return
		}
		p.f(" else {\n")
	} else if nilable {
		p.f("if %s != nil {\n", v)
	}
	if b.pointer(f) && s.kind != "struct" {
		v = "*" + v
	}
	switch s.kind {
	case "struct":
		p.f("c.enter(%q)\n%s.check(c)\nc.leave()\n", f.name, v)
	case "list", "map", "blob":
		unit := map[string]string{"list": "item", "map": "entry", "blob": "byte"}[s.kind]
		if s.min != "" || s.max != "" {
			p.f("c.size(%q, len(%s), %s, %s, %q)\n", f.name, v, or(s.min, "0"), or(s.max, "0"), unit)
		}
		switch {
		case s.kind == "list" && b.any(s.elem):
			b.elements(p, f.name, v, b.shapes[s.elem])
		case s.kind == "map" && (b.any(s.elem) || b.any(s.key)):
			b.entries(p, f.name, v, s)
		}
	default:
		b.scalar(p, f.name, v, s)
	}
	if nilable {
		p.f("}\n")
	}
}

func (b bounds) elements(p *printer, name, v string, e *shape) {
	if e.kind != "struct" {
		if b.goType(e.name) != "string" {
			panic("apigen: checks for lists of " + e.kind + " are not written yet")
		}
		p.f("c.strings(%q, %s, &rule%s)\n", name, v, e.name)
		return
	}
	p.f("c.enter(%q)\nfor i := range %s {\nc.enterIndex(i)\n%s[i].check(c)\nc.leave()\n}\nc.leave()\n", name, v, v)
}

func (b bounds) entries(p *printer, name, v string, s *shape) {
	p.f("c.enter(%q)\nfor key, v := range sorted(%s) {\nc.enterKey(key)\n", name, v)
	if b.any(s.key) {
		p.f("c.key(key, &rule%s)\n", s.key)
	}
	switch e := b.shapes[s.elem]; {
	case !b.any(e.name):
		p.f("_ = v\n")
	case e.kind == "struct":
		p.f("v.check(c)\n")
	default:
		b.scalar(p, "", "v", e)
	}
	p.f("c.leave()\n}\nc.leave()\n")
}

func (b bounds) scalar(p *printer, name, v string, s *shape) {
	switch s.kind {
	case "int", "long":
		if s.kind == "int" {
			v = "int64(" + v + ")"
		}
		p.f("c.int(%q, %s, &rule%s)\n", name, v, s.name)
	case "double":
		p.f("c.float(%q, %s, &rule%s)\n", name, v, s.name)
	default:
		p.f("c.string(%q, %s, &rule%s)\n", name, v, s.name)
	}
}

func emitRule(p *printer, s *shape) {
	var rule string
	var fields []string
	field := func(name, value string) {
		if value != "" {
			fields = append(fields, name+": "+value)
		}
	}
	switch s.kind {
	case "int", "long":
		rule = "intRule"
		field("min", or(s.min, "math.MinInt64"))
		field("max", or(s.max, "math.MaxInt64"))
	case "double":
		rule = "floatRule"
		field("min", or(s.min, "-math.MaxFloat64"))
		field("max", or(s.max, "math.MaxFloat64"))
	case "enum":
		rule = "stringRule"
		field("enum", "enum"+s.name)
	default:
		rule = "stringRule"
		field("min", s.min)
		field("max", s.max)
		if s.pattern != "" {
			field("pattern", "&pattern{src: "+goPattern(s.pattern)+"}")
		}
	}
	if s.secret {
		field("secret", "true")
	}
	p.f("var rule%s = %s{%s}\n", s.name, rule, strings.Join(fields, ", "))
}

// goPattern spells a pattern of the model, whose dialect counts in UTF-16, as a
// Go literal.
func goPattern(src string) string {
	src = strings.ReplaceAll(src, `\uD800\uDC00-\uDBFF\uDFFF`, `\x{10000}-\x{10FFFF}`)
	src = regexp.MustCompile(`\\u([0-9A-F]{4})`).ReplaceAllString(src, `\x{$1}`)
	src = strings.ReplaceAll(src, `\/`, `/`)
	if strings.Contains(src, "`") {
		return strconv.Quote(src)
	}
	return "`" + src + "`"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
