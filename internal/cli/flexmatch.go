package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// FlexmatchCmd is the matchmaker at the desk: it needs no service.
type FlexmatchCmd struct {
	Validate FlexmatchValidateCmd `cmd:"" help:"Check a rule set and print every finding with its place."`
	Replay   FlexmatchReplayCmd   `cmd:"" help:"Play scenario files in virtual time and check what they expect."`
	Simulate FlexmatchSimulateCmd `cmd:"" help:"Let a crowd of players meet a rule set, or two, and measure waits and matches."`
	Explain  FlexmatchExplainCmd  `cmd:"" help:"Say why tickets of a scenario are unmatched."`
}

// FlexmatchValidateCmd checks rule sets.
type FlexmatchValidateCmd struct {
	Rules   []string `arg:"" help:"Rule set files; - is standard input."`
	Format  string   `help:"text or json." enum:"text,json" default:"text"`
	Lenient bool     `help:"Let members that the language does not know pass with a warning."`
}

// Run prints all findings. It errs if a rule set is invalid.
func (c *FlexmatchValidateCmd) Run(w *World) error {
	invalid := 0
	for _, path := range c.Rules {
		body, err := readText(path)
		if err != nil {
			return err
		}
		set, findings := rules.Options{UnknownMembers: c.Lenient}.Parse(body)
		if set == nil {
			invalid++
		}
		if c.Format == "json" {
			printFindingsJSON(w.Out, path, set != nil, findings)
			continue
		}
		for _, f := range findings {
			kind := "error"
			if f.Warning {
				kind = "warning"
			}
			w.Printf("%s:%d:%d: %s: %s\n", path, f.Line, f.Column, kind, f)
		}
		if set != nil {
			w.Printf("%s: valid, %s\n", path, describeSet(set))
		}
	}
	switch {
	case invalid == 0:
		return nil
	case len(c.Rules) == 1:
		return errors.New("the rule set is not valid")
	}
	return fmt.Errorf("%d of %d rule sets are not valid", invalid, len(c.Rules))
}

func printFindingsJSON(out io.Writer, path string, valid bool, findings rules.Findings) {
	type finding struct {
		Path     string `json:"path"`
		Line     int    `json:"line"`
		Column   int    `json:"column"`
		Severity string `json:"severity"`
		What     string `json:"what"`
		Fix      string `json:"fix,omitempty"`
	}
	list := []finding{}
	for _, f := range findings {
		severity := "error"
		if f.Warning {
			severity = "warning"
		}
		list = append(list, finding{f.Path, f.Line, f.Column, severity, f.What, f.Fix})
	}
	printJSON(out, map[string]any{"file": path, "valid": valid, "findings": list})
}

// printJSON writes one object on one line.
func printJSON(out io.Writer, v any) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the values are ours and encode; a broken pipe ends the program anyway
}

// describeSet is a rule set in a clause: "2 teams for 4–10 players, 3 rules, expansions at 5s and 15s".
func describeSet(set *rules.Set) string {
	least := 0
	for t := range set.Teams {
		least += set.Size(0, t).Min
	}
	s := fmt.Sprintf("%s for %d–%d players, %s", plural(len(set.Teams), "team"), max(least, 1), set.Seats(0), plural(len(set.Rules), "rule"))
	var ages []string
	for _, l := range set.Levels[1:] {
		ages = append(ages, l.Age.String())
	}
	if len(ages) > 0 {
		s += ", expansions at " + strings.Join(ages, ", ")
	}
	if set.Large {
		s += ", a large match"
	}
	return s
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "ch") {
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func readText(path string) (string, error) {
	if path == "-" {
		b, err := io.ReadAll(os.Stdin)
		return string(b), err
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// readRules reads and parses a rule set; an invalid one is an error that lists
// its findings.
func readRules(path string) (*rules.Set, error) {
	body, err := readText(path)
	if err != nil {
		return nil, err
	}
	set, findings := rules.Parse(body)
	if set == nil {
		return nil, fmt.Errorf("%s is not a valid rule set:\n%s", path, findings.Error())
	}
	return set, nil
}
