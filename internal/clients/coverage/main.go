// Coverage writes docs/coverage.md: for each operation of the API whether it
// works here, in the model of September 2019 and in the newest, what of it does
// not, and why.
//
// It judges by three things. The recording testdata/coverage.txt says which
// members real clients set and read in calls that succeeded, and which they were
// refused. The source of package ops, read with its types, says which operations
// have a method, which members of inputs no line looks at, and which members of
// outputs no line fills. notes.txt says why a journey cannot show a member. The
// command cannot see whether what is looked at is also obeyed: tests say that.
// What the API was in 2019 stands in testdata/members-2019.txt, as a client of
// that time has it.
//
//	go run ./internal/clients/coverage     # or: make coverage
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/internal/clients"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("coverage: ")
	record := flag.String("record", "internal/clients/testdata/coverage.txt", "the recording")
	old := flag.String("2019", "internal/clients/testdata/members-2019.txt", "the members of 2019")
	source := flag.String("source", "./internal/ops", "the package that implements the operations")
	out := flag.String("out", "docs/coverage.md", "the page to write")
	flag.Parse()
	notes, err := readNotes(notesText)
	if err != nil {
		log.Fatalf("notes.txt: %v", err)
	}
	use, err := look(*source)
	if err != nil {
		log.Fatal(err)
	}
	j := &judge{recording: parse(*record), old: parse(*old), use: use, notes: notes}
	verdicts := j.all()
	for field, n := range notes {
		if n.kind == "absent" && j.shown[field] != nil {
			log.Fatalf("notes.txt: a client was answered %s; take its line out", field)
		}
	}
	if err := os.WriteFile(*out, []byte(page(verdicts)), 0o644); err != nil {
		log.Fatal(err)
	}
}

func parse(file string) clients.Recording {
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	r, err := clients.ParseRecording(string(text))
	if err != nil {
		log.Fatalf("%s: %v", file, err)
	}
	return r
}

// page is the document.
func page(all []verdict) string {
	var b strings.Builder
	old, newest := map[string]int{}, map[string]int{}
	olds := 0
	for _, v := range all {
		newest[v.newest.name]++
		if v.old.name != "" {
			old[v.old.name]++
			olds++
		}
	}
	fmt.Fprintf(&b, `# What of the API works

Of the %d operations of September 2019, with the members they had then, %d work, %d work but for parts of the service that are not built, %d work in
part, %d are not built yet. Of the %d operations of the newest model, with all of theirs, %d work, %d work but for such parts, %d work in part, %d are not
built yet and answer an error that says so. Written by `+"`make coverage`"+` from the source and from the journeys of real clients that
[testing.md](testing.md#real-clients) describes; do not edit.

- **works**: in those journeys real clients set every member of its input and read every member of its output, or were told the same by another
  operation, whose answers the same lines write: nothing that was just made has a TerminationTime. Members that can have no answer here are *absent*, and
  those that are checked and change nothing *without effect*; both stand below with the reason.
- **works but for** a part: all the rest does. Inputs that belong to the part, or such values of them, are refused by an error that names them; outputs
  are absent.
- **partly**: some members are *ignored* (accepted, and no line looks at them), *never answered* (no line fills them), or *not shown* (the source has
  them, but no journey set or read them: they may work, or be refused with a sentence that says they are not built).
- **not yet**: every call is answered by an error that says so.

Clients of any age may call all of them; which members a client knows depends on its age, and every member was shown by some client at least. The last
column says how many of the nine called the operation.

| Operation | 2019 | newest | Clients |
|---|---|---|---|
`, olds, old[works], old[butFor], old[partly], old[notYet], len(all), newest[works], newest[butFor], newest[partly], newest[notYet])
	for _, v := range all {
		name, seen := v.op, ""
		if len(v.found) > 0 {
			name = "[" + v.op + "](#" + strings.ToLower(v.op) + ")"
		}
		if v.clients > 0 {
			seen = fmt.Sprint(v.clients)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, v.old, v.newest, seen)
	}
	b.WriteString("\n## Member by member\n\nWhat is newer than September 2019 stands *slanted*.\n")
	for _, v := range all {
		if len(v.found) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", v.op)
		for _, what := range order {
			for _, l := range linesOf(v.found, what) {
				fmt.Fprintf(&b, "- %s: %s\n", what, l)
			}
		}
		if v.clients == 0 {
			b.WriteString("- No journey calls it.\n")
		}
	}
	return b.String()
}

// linesOf puts findings of one kind together that have the same reason.
func linesOf(found []finding, what string) []string {
	var reasons []string
	members := map[string][]string{}
	for _, f := range found {
		if f.what != what {
			continue
		}
		if members[f.words] == nil {
			reasons = append(reasons, f.words)
		}
		name := "`" + f.path + "`"
		if f.newer {
			name = "*" + name + "*"
		}
		if !slices.Contains(members[f.words], name) { // as input and output
			members[f.words] = append(members[f.words], name)
		}
	}
	var lines []string
	for _, why := range reasons {
		line := strings.Join(members[why], ", ")
		if why != "" {
			line += " — " + why
		}
		lines = append(lines, line)
	}
	return lines
}
