package main

import "strings"

func emitOperations(p *printer, m *model) {
	p.f("import \"context\"\n\n")
	p.f("// Operations lists every operation of every service in the order of names.\nvar Operations = [...]Operation{\n")
	for _, o := range m.ops {
		p.f("\t{\n\t\tService: %q,\n\t\tName: %q,\n", o.service, o.name)
		if !o.void {
			p.f("\t\tHasOutput: true,\n")
		}
		if o.page != "" {
			p.f("\t\tItems: %q,\n", o.page)
		}
		p.f("\t\tErrors: []string{%s},\n", strings.Join(o.errors, ", "))
		p.f("\t\tNewInput: func() Shape { return new(%s) },\n", o.input())
		p.f("\t\tNewOutput: func() Shape { return new(%s) },\n", o.output())
		p.f("\t\tCall: func(ctx context.Context, s Service, in Shape) (Shape, error) {\n\t\t\treturn answer(s.%s(ctx, in.(*%s)))\n\t\t},\n", o.name, o.input())
		m.emitSubjects(p, o)
		p.f("\t},\n")
	}
	p.f("}\n")
}

// kinds tells of which kind of resource the value of a shape is the name.
var kinds = map[string]string{
	"AliasIdOrArn":                      "alias",
	"BuildIdOrArn":                      "build",
	"ContainerGroupDefinitionNameOrArn": "containergroupdefinition",
	"CustomLocationNameOrArnModel":      "location",
	"FleetIdOrArn":                      "fleet",
	"GameServerGroupNameOrArn":          "gameservergroup",
	"GameSessionQueueNameOrArn":         "gamesessionqueue",
	"MatchmakingConfigurationName":      "matchmakingconfiguration",
	"MatchmakingRuleSetName":            "matchmakingruleset",
	"ScriptIdOrArn":                     "script",
	"AmazonResourceName":                "arn",
	"ArnStringModel":                    "arn",
}

// emitSubjects writes the function that tells which resources an input names.
func (m *model) emitSubjects(p *printer, o *op) {
	head := false
	for _, f := range m.shapes[o.input()].members {
		kind := kinds[f.shape]
		if kind == "" || m.goType(f.shape) != "string" {
			continue
		}
		if !head {
			p.f("Subjects: func(in Shape, each func(kind, name string)) {\nx := in.(*%s)\n", o.input())
			head = true
		}
		if m.pointer(f) {
			p.f("if x.%s != nil {\neach(%q, *x.%s)\n}\n", f.name, kind, f.name)
		} else {
			p.f("each(%q, x.%s)\n", kind, f.name)
		}
	}
	if head {
		p.f("},\n")
	}
}

func emitServices(p *printer, m *model) {
	p.f("import \"context\"\n\n")
	for _, service := range m.services {
		p.f("// %s is every operation of the %s service.\ntype %s interface {\n", service, service, service)
		for _, o := range m.ops {
			if o.service == service {
				p.f("\t%s(context.Context, *%s) (*%s, error)\n", o.name, o.input(), o.output())
			}
		}
		p.f("}\n\n")
	}
	for _, o := range m.ops {
		p.f("func (Unimplemented) %s(context.Context, *%s) (*%s, error) {\n\treturn nil, &UnsupportedError{%q}\n}\n\n", o.name, o.input(), o.output(), o.name)
	}
	for _, o := range m.ops {
		p.f("func (c Client) %s(ctx context.Context, in *%s) (*%s, error) {\n\treturn invoke(ctx, c, %q, in, new(%s))\n}\n\n", o.name, o.input(), o.output(), o.name, o.output())
	}
}
