package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A Step is one call or act, with what must come of it.
type Step struct {
	Line   int    // in the text, from 1
	Name   string // under which later steps find the answer; empty: under none
	Op     string // an operation of the API, or an act
	In     map[string]any
	Fails  string   // the code of the error that must come; empty: none may
	Refuse []string // members of the input that the error must name as what it refuses
	Since  string   // year and month from which clients may know what it says
	Pages  string   // the member to collect over all pages
	Fault  string   // "500": the first try is refused so; "clock": the client's clock is wrong
	Until  []Want   // what is awaited; the last answer counts
	Is     []Want   // what the answer must hold
	Loose  []string // paths whose values may differ between clients
	Sorted []string // paths of lists whose order may differ between clients
}

// A Want is a value expected at a path of an answer, as [At] understands both.
type Want struct{ Path, Value string }

// something is the Value of a Want that any value meets but an empty one.
const something = "(something)"

// Parse reads a scenario. A step begins at the start of a line: an operation,
// its input as JSON on this and further lines, and under it indented lines of
// what is expected. Text after # at the start of a line is for people.
//
//	fleet = CreateFleet {"Name": "first", "BuildId": "${build.BuildId}"}
//	  is FleetAttributes.Status NEW
//	DescribeFleetAttributes {"FleetIds": ["${fleet.FleetAttributes.FleetId}"]}
//	  until FleetAttributes.0.Status ACTIVE
//	DeleteFleet {"FleetId": "fleet-of-nobody"}
//	  fails NotFoundException
//
// The other lines are "since 2022-12", "pages MEMBER", "count PATH N", "loose
// PATH", "sorted PATH", and "fault 500" or "fault clock"; "has PATH", for a value
// that must be there, whatever it is; and "refuses MEMBER", which is "fails
// InvalidRequestException" for a member that does not work here, and wants the
// message to name it. Errors name the line.
func Parse(text string) ([]Step, error) {
	var steps []Step
	names := map[string]bool{}
	line := 1
	for text != "" {
		first, rest, _ := strings.Cut(text, "\n")
		switch {
		case strings.TrimSpace(first) == "" || first[0] == '#':
			text, line = rest, line+1
			continue
		case first[0] == ' ':
			if len(steps) == 0 {
				return nil, fmt.Errorf("line %d: an expectation without a step", line)
			}
			if err := steps[len(steps)-1].expect(strings.TrimSpace(first)); err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			text, line = rest, line+1
			continue
		}
		s := Step{Line: line}
		head, _, found := strings.Cut(text, "{")
		if !found || strings.Contains(head, "\n") {
			return nil, fmt.Errorf("line %d: the step %q has no input", line, first)
		}
		if name, op, named := strings.Cut(head, "="); named {
			s.Name, head = strings.TrimSpace(name), op
			names[s.Name] = true
		}
		if s.Op = strings.TrimSpace(head); s.Op == "" || strings.ContainsAny(s.Op, " \t") {
			return nil, fmt.Errorf("line %d: %q is not the name of an operation", line, s.Op)
		}
		body := text[strings.Index(text, "{"):]
		dec := json.NewDecoder(strings.NewReader(body))
		if err := dec.Decode(&s.In); err != nil {
			if err == io.ErrUnexpectedEOF {
				err = fmt.Errorf("the input does not end")
			}
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		input := body[:dec.InputOffset()]
		line += strings.Count(input, "\n")
		after, rest, _ := strings.Cut(body[len(input):], "\n")
		if strings.TrimSpace(after) != "" {
			return nil, fmt.Errorf("line %d: %q stands after the input", line, strings.TrimSpace(after))
		}
		for _, name := range references(s.In) {
			if !names[name] || name == s.Name {
				return nil, fmt.Errorf("line %d: no step before is called %q", line, name)
			}
		}
		steps, text, line = append(steps, s), rest, line+1
	}
	return steps, nil
}

// expect takes one indented line.
func (s *Step) expect(text string) error {
	verb, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	path, value, both := strings.Cut(rest, " ")
	switch verb {
	case "is", "until", "count":
		if !both {
			return fmt.Errorf("%s wants a path and a value", verb)
		}
		if verb == "count" {
			path += ".#"
		}
		if verb == "until" {
			s.Until = append(s.Until, Want{path, value})
		} else {
			s.Is = append(s.Is, Want{path, value})
		}
	case "fails":
		s.Fails = rest
	case "refuses":
		s.Fails, s.Refuse = "InvalidRequestException", append(s.Refuse, rest)
	case "since":
		s.Since = rest
	case "pages":
		s.Pages = rest
	case "has":
		s.Is = append(s.Is, Want{rest, something})
	case "loose":
		s.Loose = append(s.Loose, rest)
	case "sorted":
		s.Sorted = append(s.Sorted, rest)
	case "fault":
		if rest != "500" && rest != "clock" {
			return fmt.Errorf("the fault %q is not known: 500 or clock", rest)
		}
		s.Fault = rest
	default:
		return fmt.Errorf("%q is not known", verb)
	}
	if rest == "" {
		return fmt.Errorf("%s says nothing", verb)
	}
	return nil
}

// references are the names that an input takes values from.
func references(v any) []string {
	var names []string
	walkStrings(v, func(s string) string {
		for rest := s; ; {
			_, after, found := strings.Cut(rest, "${")
			if !found {
				return s
			}
			ref, _, _ := strings.Cut(after, "}")
			name, _, _ := strings.Cut(ref, ".")
			if !slices.Contains(predefined, name) {
				names = append(names, name)
			}
			rest = after
		}
	})
	return names
}

// predefined are the names whose values are given from outside.
var predefined = []string{"machine"}

// Fill returns a copy of an input with every ${name.path} replaced by what the
// answers hold there. It fails with the first reference that leads nowhere.
func Fill(in map[string]any, answers map[string]any) (map[string]any, error) {
	var missing error
	out := walkStrings(in, func(s string) string {
		for {
			before, after, found := strings.Cut(s, "${")
			if !found {
				return s
			}
			ref, rest, _ := strings.Cut(after, "}")
			v, ok := At(answers, ref)
			if !ok {
				missing = fmt.Errorf("${%s} leads nowhere", ref)
				return ""
			}
			s = before + fmt.Sprint(v) + rest
		}
	})
	return out.(map[string]any), missing
}

// walkStrings returns a copy of a JSON value with every string passed through f.
func walkStrings(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = walkStrings(e, f)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = walkStrings(e, f)
		}
		return out
	}
	return v
}

// At returns what a JSON value holds at a path of member names and list
// indexes: FleetAttributes.0.Status. The index # is the length of a list; that
// of an absent list is 0. Into a text that holds JSON the path goes on:
// MatchmakerData.matchId.
func At(v any, path string) (any, bool) {
	for name := range strings.SplitSeq(path, ".") {
		if name == "#" {
			list, _ := v.([]any)
			return len(list), true
		}
		switch at := v.(type) {
		case string:
			var within map[string]any
			if json.Unmarshal([]byte(at), &within) != nil {
				return nil, false
			}
			v = within[name]
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			v = nil
		}
		if v == nil && !strings.HasSuffix(path, ".#") {
			return nil, false
		}
	}
	return v, true
}

// Refused checks that an error's message names the members that the step says
// are refused, and that its input has them.
func (s Step) Refused(message string) error {
	for _, member := range s.Refuse {
		if _, given := At(s.In, member); !given || !strings.Contains(message, member[strings.LastIndexByte(member, '.')+1:]) {
			return fmt.Errorf("%s is not what is refused by: %s", member, message)
		}
	}
	return nil
}

// Unmet says which of the expectations an answer does not meet first; empty if
// it meets all.
func Unmet(wants []Want, out any) string {
	for _, w := range wants {
		got, there := At(out, w.Path)
		text := fmt.Sprint(got)
		switch {
		case w.Value == something && (!there || text == ""):
			return w.Path + " holds nothing"
		case w.Value != something && text != w.Value:
			return fmt.Sprintf("%s is %s, not %s", w.Path, text, w.Value)
		}
	}
	return ""
}
