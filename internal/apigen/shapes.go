package main

import "fmt"

// goType is the Go type of a value of shape s that is certainly there.
func (m *model) goType(name string) string {
	switch s := m.shapes[name]; s.kind {
	case "struct":
		return s.name
	case "list":
		return "[]" + m.goType(s.elem)
	case "map":
		return "map[string]" + m.goType(s.elem)
	case "int":
		return "int"
	case "long":
		return "int64"
	case "double":
		return "float64"
	case "float":
		return "float32"
	case "bool":
		return "bool"
	case "blob":
		return "[]byte"
	case "time":
		return "time.Time"
	default:
		return "string"
	}
}

// pointer says whether a member is held by a pointer: structures always,
// scalars when they may be absent. Lists, maps, blobs and times have an absent
// value of their own.
func (m *model) pointer(f member) bool {
	switch m.shapes[f.shape].kind {
	case "list", "map", "blob", "time":
		return false
	case "struct":
		return true
	}
	return !f.required
}

func emitShapes(p *printer, m *model) {
	p.f("import \"time\"\n\n")
	ops := map[string]string{}
	for _, o := range m.ops {
		ops[o.input()] = fmt.Sprintf("%s is what %s asks.", o.input(), o.name)
		ops[o.output()] = fmt.Sprintf("%s is what %s answers.", o.output(), o.name)
		if o.void {
			ops[o.output()] = fmt.Sprintf("%s is empty: %s answers nothing.", o.output(), o.name)
		}
	}
	for _, s := range m.structs() {
		doc := ops[s.name]
		if doc == "" {
			doc = s.name + " is a structure of the API."
		}
		p.f("// %s\ntype %s struct {\n", doc, s.name)
		for _, f := range s.members {
			t := m.goType(f.shape)
			if m.pointer(f) {
				t = "*" + t
			}
			note := ""
			if f.required {
				note = " // required"
			}
			p.f("\t%s %s%s\n", f.name, t, note)
		}
		p.f("}\n\n")
	}
}

func emitEnums(p *printer, m *model) {
	p.f("// The exceptions operations declare.\nconst (\n")
	for _, e := range m.exceptions {
		p.f("\t%s = %q\n", e.name, e.name)
	}
	p.f(")\n\n")
	enums := m.sorted(func(s *shape) bool { return s.kind == "enum" })
	for _, s := range enums {
		p.f("var enum%s = []string{\n", s.name)
		for _, v := range s.values {
			p.f("\t%q,\n", v)
		}
		p.f("}\n\n")
	}
	p.f("// EnumValues returns the values of the named enum of the model, in the model's\n// order, or nil when there is no such enum. The caller must not change them.\n")
	p.f("func EnumValues(enum string) []string {\n\tswitch enum {\n")
	for _, s := range enums {
		p.f("\tcase %q:\n\t\treturn enum%s\n", s.name, s.name)
	}
	p.f("\t}\n\treturn nil\n}\n")
}
