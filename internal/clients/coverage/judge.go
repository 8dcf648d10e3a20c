package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/clients"
)

// The states of an operation.
const (
	works  = "works"
	butFor = "works but for" // parts that are not built
	partly = "partly"
	notYet = "not yet"
)

// A verdict is what is known of one operation.
type verdict struct {
	op      string
	old     state // with the members it had in 2019; zero if there was no such operation
	newest  state
	clients int
	found   []finding
}

// A state is how far an operation works, and without which parts.
type state struct {
	name  string
	parts []string
}

func (s state) String() string { return strings.TrimSpace(s.name + " " + strings.Join(s.parts, ", ")) }

// A finding is what a reader should know of a member.
type finding struct {
	what  string
	path  string
	part  string // that it waits for, if any
	words string // why, or the words of a refusal
	newer bool   // than 2019
}

// What there is to know, in the order in which it stands on the page.
const (
	refused    = "Refused"
	inPart     = "Some values refused"
	asRule     = "Refused, as on the hosted service"
	absent     = "Absent"
	idle       = "Without effect"
	ignored    = "Ignored"
	unanswered = "Never answered"
	unset      = "Not shown, input"
	unread     = "Not shown, output"
	elsewhere  = "Shown by other operations only"
)

var order = []string{refused, inPart, asRule, absent, idle, ignored, unanswered, unset, unread, elsewhere}

// A judge knows what verdicts are made of.
type judge struct {
	recording, old clients.Recording
	use            *usage
	notes          map[string]note
	shown          map[string][]string // the operations in whose answers a client read a field
}

// all goes through the operations of the model in order of their names.
func (j *judge) all() []verdict {
	j.shown = map[string][]string{}
	for _, op := range api.Operations {
		if rec := j.recording[op.Name]; rec != nil && j.use.methods[op.Name] {
			for _, m := range memberPaths(op.NewOutput()) {
				if has(rec.Out, m.path) {
					j.shown[m.field] = append(j.shown[m.field], op.Name)
				}
			}
		}
	}
	var all []verdict
	for _, op := range api.Operations {
		if op.Service != "GameLift" {
			continue
		}
		v := verdict{op: op.Name, newest: state{name: notYet}}
		if j.use.methods[op.Name] {
			if rec := j.recording[op.Name]; rec != nil {
				v.clients = len(rec.Clients)
			}
			v.found = append(j.inputs(&op), j.outputs(&op)...)
			v.newest = v.state(true)
		}
		if j.old[op.Name] != nil {
			if v.old = v.newest; v.newest.name != notYet {
				v.old = v.state(false)
			}
		}
		all = append(all, v)
	}
	return all
}

// state judges by the findings, with the members that are newer than 2019 or
// without.
func (v *verdict) state(newer bool) state {
	if v.clients == 0 {
		return state{name: partly}
	}
	var parts []string
	for _, f := range v.found {
		switch {
		case f.newer && !newer, f.what == absent && f.part == "", f.what == idle, f.what == asRule, f.what == elsewhere:
		case f.part == "":
			return state{name: partly}
		case !slices.Contains(parts, f.part):
			parts = append(parts, f.part)
		}
	}
	if parts != nil {
		return state{butFor, parts}
	}
	return state{name: works}
}

// inputs are the findings about an operation's input. What lies below a member
// that is one is not looked at.
func (j *judge) inputs(op *api.Operation) (found []finding) {
	rec := j.record(op)
	in := op.NewInput()
	for _, m := range memberPaths(in) {
		f := finding{path: m.path, newer: !j.was(op, m.path, true)}
		n, noted := j.note(in, m)
		switch words := rec.Refused[m.path]; {
		case below(found, m.path):
			continue
		case words != "":
			f.what, f.words = refused, words
			if has(rec.In, m.path) {
				f.what = inPart
			}
			switch n.kind {
			case "part":
				f.part = n.text
			case "rule":
				f.what = asRule
			}
		case noted && n.kind == "idle" && has(rec.In, m.path):
			f.what, f.words = idle, n.text
		case noted && n.kind == "absent":
			f.what, f.words = absent, n.text
		case !has(rec.In, m.path):
			f.what = unset
		case !j.use.read[m.field]:
			f.what = ignored
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// outputs are those about an operation's output.
func (j *judge) outputs(op *api.Operation) (found []finding) {
	rec := j.record(op)
	out := op.NewOutput()
	for _, m := range memberPaths(out) {
		f := finding{path: m.path, newer: !j.was(op, m.path, false)}
		n, noted := j.note(out, m)
		switch {
		case below(found, m.path) || has(rec.Out, m.path):
			continue
		case noted && n.kind == "part":
			f.what, f.part, f.words = absent, n.text, "comes with "+n.text
		case noted:
			f.what, f.words = absent, n.text
		case !j.use.filled[m.field]:
			f.what = unanswered
		case j.elsewhere(op.Name, m.field):
			f.what = elsewhere
		default:
			f.what = unread
		}
		found = append(found, f)
	}
	return found
}

// elsewhere says whether an operation fills a field by the same functions, and no
// others, as one that showed it. A ticket that was just made has no end, which
// no client can read in the answer to StartMatchmaking; but
// DescribeMatchmaking, which shows tickets by the same lines, told it.
func (j *judge) elsewhere(op, field string) bool {
	mine := j.use.fillers(op, field)
	return len(mine) > 0 && slices.ContainsFunc(j.shown[field], func(other string) bool {
		return other != op && maps.Equal(mine, j.use.fillers(other, field))
	})
}

// note is the one about a member of an operation, or else about its field wherever
// that is.
func (j *judge) note(s api.Shape, m member) (note, bool) {
	if n, ok := j.notes[pathIn(s, m)]; ok {
		return n, true
	}
	n, ok := j.notes[m.field]
	return n, ok
}

func (j *judge) record(op *api.Operation) *clients.Record {
	if rec := j.recording[op.Name]; rec != nil {
		return rec
	}
	return &clients.Record{}
}

// was says whether an operation had the member in 2019.
func (j *judge) was(op *api.Operation, path string, input bool) bool {
	rec := j.old[op.Name]
	switch {
	case rec == nil:
		return false
	case input:
		return rec.In[path]
	}
	return rec.Out[path]
}

func below(found []finding, path string) bool {
	return slices.ContainsFunc(found, func(f finding) bool { return strings.HasPrefix(path, f.path+".") })
}

// has says whether a path, whose * stand for the keys of maps, was recorded.
func has(recorded map[string]bool, path string) bool {
	if !strings.Contains(path, "*") {
		return recorded[path]
	}
	want := strings.Split(path, ".")
	for p := range maps.Keys(recorded) {
		got := strings.Split(p, ".")
		if len(got) == len(want) && !slices.ContainsFunc(slices.Collect(seq(len(got))), func(i int) bool { return want[i] != "*" && want[i] != got[i] }) {
			return true
		}
	}
	return false
}

func seq(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}
