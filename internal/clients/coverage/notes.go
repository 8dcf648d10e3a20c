package main

import (
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
)

//go:embed notes.txt
var notesText string

// A note says what a journey cannot show of a member, and why.
type note struct {
	kind string // part, rule, absent or idle: notes.txt tells
	text string
}

// pathIn names a member of one operation's input or output, at any depth.
func pathIn(s api.Shape, m member) string { return reflect.TypeOf(s).Elem().Name() + "." + m.path }

// readNotes reads notes by the field they are about. Errors name the line.
func readNotes(text string) (map[string]note, error) {
	fields := map[string]bool{}
	for i := range api.Operations {
		for _, shape := range []api.Shape{api.Operations[i].NewInput(), api.Operations[i].NewOutput()} {
			for _, m := range memberPaths(shape) {
				fields[m.field] = true
				fields[pathIn(shape, m)] = true
			}
		}
	}
	notes := map[string]note{}
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(words) < 3 || !slices.Contains([]string{"part", "rule", "absent", "idle"}, words[0]) {
			return nil, fmt.Errorf("line %d: expected part, rule, absent or idle, a field, and words", n+1)
		}
		if field := words[1]; !fields[field] || notes[field] != (note{}) {
			return nil, fmt.Errorf("line %d: %s is no field of the API, or stands here twice", n+1, field)
		}
		notes[words[1]] = note{words[0], strings.Join(words[2:], " ")}
	}
	return notes, nil
}
