package rules

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/golden"
)

// TestGolden runs the cases in testdata/*.txt. A file is a list of commands,
// each with its input, a line of dashes, and the output that is expected up to
// the next empty line. testdata/README.md explains the language.
func TestGolden(t *testing.T) {
	golden.Stories(t, "testdata/*.txt", func(t *testing.T, text string) string {
		got, cases := runGolden(text)
		if cases == 0 {
			t.Error("the file holds no case")
		}
		return got
	})
}

// runGolden runs the commands of a file and returns it with their present
// output in place of the recorded one.
func runGolden(text string) (string, int) {
	var out strings.Builder
	g := caseRun{}
	lines := strings.Split(text, "\n")
	cases := 0
	for i := 0; i < len(lines); {
		line := lines[i]
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			out.WriteString(line)
			if i < len(lines)-1 {
				out.WriteByte('\n')
			}
			i++
			continue
		}
		var input []string
		for i < len(lines) && !strings.HasPrefix(lines[i], "----") {
			input = append(input, lines[i])
			i++
		}
		for i < len(lines) && strings.TrimSpace(lines[i]) != "" {
			i++
		}
		cases++
		fmt.Fprintf(&out, "%s\n----\n%s\n", strings.Join(input, "\n"), strings.TrimRight(g.run(input[0], input[1:]), "\n"))
	}
	return out.String(), cases
}

type caseRun struct {
	set *Set
}

func (g *caseRun) run(command string, input []string) string {
	words := strings.Fields(command)
	switch words[0] {
	case "ruleset":
		var findings Findings
		g.set, findings = Parse(strings.Join(input, "\n"))
		var b strings.Builder
		for _, f := range findings {
			kind := "error"
			if f.Warning {
				kind = "warning"
			}
			fmt.Fprintf(&b, "%d:%d %s %s\n", f.Line, f.Column, kind, f)
		}
		if g.set == nil {
			return b.String() + "invalid"
		}
		return b.String() + g.describe()
	case "match":
		if g.set == nil {
			return "there is no valid rule set"
		}
		return g.match(words[1:], input)
	case "expression":
		var b strings.Builder
		for _, line := range input {
			e, err := parseExpr(line)
			if err == nil && g.set != nil {
				err = e.resolve(g.set)
			}
			if err != nil {
				fmt.Fprintf(&b, "%s: %s\n", err.what, err.fix)
				continue
			}
			fmt.Fprintf(&b, "%s\n", e.Type)
		}
		return b.String()
	}
	return "unknown command " + words[0]
}

func (g *caseRun) describe() string {
	var names []string
	for i, t := range g.set.Teams {
		size := g.set.Size(0, i)
		names = append(names, fmt.Sprintf("%s %d–%d", t.Name, size.Min, size.Max))
	}
	s := "valid: " + strings.Join(names, ", ")
	for _, l := range g.set.Levels[1:] {
		s += fmt.Sprintf("; from %s", l.Age)
	}
	return s
}

func (g *caseRun) match(options, input []string) string {
	level := 0
	for _, o := range options {
		if age, ok := strings.CutPrefix(o, "age="); ok {
			d, err := time.ParseDuration(age)
			if err != nil {
				return err.Error()
			}
			level = g.set.LevelAt(d)
		}
	}
	roster := make(Roster, len(g.set.Teams))
	for _, line := range input {
		team, tickets, ok := strings.Cut(line, ":")
		t := g.set.TeamIndex(strings.TrimSpace(team))
		if !ok || t < 0 {
			return fmt.Sprintf("%q does not start with a team", line)
		}
		for _, ticket := range strings.Split(tickets, ";") {
			var party Party
			for _, p := range strings.Split(ticket, "+") {
				if strings.TrimSpace(p) == "" {
					continue
				}
				player, err := g.player(strings.Fields(p))
				if err != nil {
					return err.Error()
				}
				party = append(party, player)
			}
			if len(party) > 0 {
				roster[t] = append(roster[t], party)
			}
		}
	}
	judge := NewJudge(g.set)
	var b strings.Builder
	for _, v := range judge.Verdicts(level, roster) {
		word := "holds"
		if !v.Holds {
			word = "FAILS"
		}
		if !v.Required {
			word += " (not required)"
		}
		fmt.Fprintf(&b, "%s %s", v.Name, word)
		if v.Why != "" {
			fmt.Fprintf(&b, ": %s", v.Why)
		}
		b.WriteByte('\n')
	}
	switch ok, broken := judge.Holds(level, roster); {
	case ok:
		b.WriteString("a valid match")
	case broken.Team >= 0:
		fmt.Fprintf(&b, "no match: team %s has the wrong size", g.set.Teams[broken.Team].Name)
	default:
		fmt.Fprintf(&b, "no match: %s", g.set.Rules[broken.Rule].Name)
	}
	return b.String()
}

// player reads "name attribute=value @location=ms".
func (g *caseRun) player(words []string) (Player, error) {
	given := map[string]Value{}
	p := Player{ID: words[0]}
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return p, fmt.Errorf("%q is not attribute=value", w)
		}
		if location, ok := strings.CutPrefix(name, "@"); ok {
			ms, err := strconv.Atoi(value)
			if err != nil {
				return p, err
			}
			p.Latency = append(p.Latency, Latency{location, int32(ms)})
			continue
		}
		i := g.set.attribute(name)
		if i < 0 {
			return p, fmt.Errorf("attribute %q is not declared", name)
		}
		inside := strings.Trim(value, "[]{}")
		switch g.set.Attributes[i].Kind {
		case Number:
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return p, err
			}
			given[name] = N(f)
		case Text:
			given[name] = S(value)
		case TextList:
			given[name] = SL()
			if inside != "" {
				given[name] = SL(strings.Split(inside, ",")...)
			}
		case NumberMap:
			m := map[string]float64{}
			for _, pair := range strings.Split(inside, ",") {
				k, v, _ := strings.Cut(pair, ":")
				f, err := strconv.ParseFloat(v, 64)
				if err != nil {
					return p, err
				}
				m[k] = f
			}
			given[name] = SDM(m)
		}
	}
	var problems []AttributeProblem
	if p.Attributes, problems = g.set.LayOut(given); len(problems) > 0 {
		return p, fmt.Errorf("%s: %s", p.ID, problems[0])
	}
	return p, nil
}
