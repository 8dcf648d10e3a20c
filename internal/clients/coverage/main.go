// Coverage writes docs/coverage.md: for each operation of the API whether it
// works here, works in part and in which, or is not built yet.
//
// It judges by two things. The recording testdata/coverage.txt says which
// members real clients set and read in calls that succeeded. The source of
// package ops, read with its types, says which operations have a method, which
// members of inputs no line looks at, and which members of outputs no line
// fills. It cannot see whether what is looked at is also obeyed: tests say that.
//
//	go run ./internal/clients/coverage     # or: make coverage
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/clients"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("coverage: ")
	record := flag.String("record", "internal/clients/testdata/coverage.txt", "the recording")
	source := flag.String("source", "./internal/ops", "the package that implements the operations")
	out := flag.String("out", "docs/coverage.md", "the page to write")
	flag.Parse()
	text, err := os.ReadFile(*record)
	if err != nil {
		log.Fatal(err)
	}
	recording, err := clients.ParseRecording(string(text))
	if err != nil {
		log.Fatalf("%s: %v", *record, err)
	}
	use, err := look(*source)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, []byte(page(judge(recording, use))), 0o644); err != nil {
		log.Fatal(err)
	}
}

// The states of an operation.
const (
	works  = "works"
	partly = "partly"
	notYet = "not yet"
)

// A verdict is what is known of one operation.
type verdict struct {
	op      string
	state   string
	clients int

	ignored    []string // input members that no line looks at
	unset      []string // input members that no client was seen to set
	unanswered []string // output members that no line fills
	unread     []string // output members that no client was seen to read
}

// judge goes through the operations of the model in order of their names.
func judge(recording clients.Recording, use *usage) []verdict {
	var all []verdict
	seen := shown(recording, use)
	for i := range api.Operations {
		op := &api.Operations[i]
		if op.Service != "GameLift" {
			continue
		}
		v := verdict{op: op.Name, state: notYet}
		if use.methods[op.Name] {
			rec := recording[op.Name]
			if rec == nil {
				rec = &clients.Record{}
			}
			v.clients = len(rec.Clients)
			v.ignored, v.unset = split(memberPaths(op.NewInput()), use.read, func(m member) bool { return has(rec.In, m.path) })
			v.unanswered, v.unread = split(memberPaths(op.NewOutput()), use.filled, func(m member) bool {
				return has(rec.Out, m.path) || len(rec.Clients) > 0 && seen.by(op.Name, m.field)
			})
			v.state = works
			if v.clients == 0 || len(v.ignored)+len(v.unset)+len(v.unanswered)+len(v.unread) > 0 {
				v.state = partly
			}
		}
		all = append(all, v)
	}
	return all
}

// elsewhere knows of each field of outputs which operations showed it to a client.
type elsewhere struct {
	use *usage
	ops map[string][]string // by field
}

func shown(recording clients.Recording, use *usage) *elsewhere {
	e := &elsewhere{use, map[string][]string{}}
	for i := range api.Operations {
		op := &api.Operations[i]
		rec := recording[op.Name]
		if op.Service != "GameLift" || rec == nil || !use.methods[op.Name] {
			continue
		}
		for _, m := range memberPaths(op.NewOutput()) {
			if has(rec.Out, m.path) {
				e.ops[m.field] = append(e.ops[m.field], op.Name)
			}
		}
	}
	return e
}

// by says whether an operation fills a field by the same functions, and no
// others, as one that showed it. A ticket that was just made has no end, which
// no client can read in the answer to StartMatchmaking; but
// DescribeMatchmaking, which shows tickets by the same lines, told it.
func (e *elsewhere) by(op, field string) bool {
	mine := e.use.fillers(op, field)
	return len(mine) > 0 && slices.ContainsFunc(e.ops[field], func(other string) bool {
		return other != op && maps.Equal(mine, e.use.fillers(other, field))
	})
}

// split sorts out the members that the source does not touch, and those that
// it does but no client showed. What lies below a member that is in either
// list is not listed.
func split(members []member, touched map[string]bool, shown func(member) bool) (untouched, missing []string) {
	for _, m := range members {
		below := func(p string) bool { return strings.HasPrefix(m.path, p+".") }
		switch {
		case slices.ContainsFunc(untouched, below) || slices.ContainsFunc(missing, below):
		case !touched[m.field]:
			untouched = append(untouched, m.path)
		case !shown(m):
			missing = append(missing, m.path)
		}
	}
	return untouched, missing
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

// page is the document.
func page(all []verdict) string {
	var b strings.Builder
	count := map[string]int{}
	for _, v := range all {
		count[v.state]++
	}
	fmt.Fprintf(&b, `# What of the API works

Of the %d operations of the newest model, %d work, %d work in part, %d are not built yet and answer an error that says so. Written by
`+"`make coverage`"+` from the source and from the journeys of real clients that [testing.md](testing.md#real-clients) describes; do not edit.

- **works**: in those journeys real clients set every member of its input, and read every member of its output or were told the same by another
  operation, whose answers the same lines write.
- **partly**: it answers, but some members are *ignored* (accepted, and no line looks at them), *never answered* (no line fills them), or
  *not shown* (the source has them, but no journey set or read them: they may work, or be refused with a sentence that says they are not built).
- **not yet**: every call is answered by an error that says so.

| Operation | | Clients |
|---|---|---|
`, len(all), count[works], count[partly], count[notYet])
	for _, v := range all {
		name, seen := v.op, ""
		if v.state == partly {
			name = "[" + v.op + "](#" + strings.ToLower(v.op) + ")"
		}
		if v.clients > 0 {
			seen = fmt.Sprint(v.clients)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, v.state, seen)
	}
	b.WriteString("\n## What is missing in those that work in part\n")
	for _, v := range all {
		if v.state != partly {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", v.op)
		for _, l := range []struct {
			what  string
			paths []string
		}{
			{"Ignored", v.ignored}, {"Never answered", v.unanswered}, {"Not shown, input", v.unset}, {"Not shown, output", v.unread},
		} {
			if len(l.paths) > 0 {
				fmt.Fprintf(&b, "- %s: `%s`\n", l.what, strings.Join(l.paths, "`, `"))
			}
		}
		if v.clients == 0 {
			b.WriteString("- No journey calls it.\n")
		}
	}
	return b.String()
}
