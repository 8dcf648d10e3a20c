package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/chairlift-games/chairlift/internal/golden"
)

// TestFlexmatchDocs runs every command of docs/flexmatch.md as a user would and
// compares its output with what the page shows.
func TestFlexmatchDocs(t *testing.T) {
	t.Chdir("../..")
	const page = "docs/flexmatch.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	ran := 0
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i])
		if i < len(lines)-1 {
			out.WriteByte('\n')
		}
		command, ok := strings.CutPrefix(lines[i], "$ chairlift ")
		if !ok {
			continue
		}
		ran++
		for i++; i < len(lines) && lines[i] != "```"; i++ { // what the page shows
		}
		out.WriteString(runCommand(t, strings.Fields(command)) + "```\n")
	}
	if ran < 5 {
		t.Errorf("%s has only %d commands", page, ran)
	}
	golden.File(t, page, out.String())
}

// runCommand parses a command line and runs it; an error is shown as the
// program shows it.
func runCommand(t *testing.T, args []string) string {
	t.Helper()
	var program struct {
		Flexmatch FlexmatchCmd `cmd:""`
	}
	parser, err := kong.New(&program, kong.DefaultEnvars("CHAIRLIFT"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	var out bytes.Buffer
	if err := parsed.Run(&World{Ctx: t.Context(), Out: &out, Err: &out, Getenv: func(string) string { return "" }}); err != nil {
		out.WriteString("chairlift: " + Explain(err) + "\n")
	}
	return out.String()
}

// TestExampleRuleSets validates every example and plays it with a small crowd.
func TestExampleRuleSets(t *testing.T) {
	files, err := filepath.Glob("../../examples/rulesets/*.json")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := baseName(file)
		if strings.HasSuffix(name, "-scenario") || name == "broken" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			args := []string{"flexmatch", "simulate", file, "--for=1m", "--rate=4", "--format=json"}
			if name == "monster" {
				args = append(args, "--attribute=wantsMonster=choice:0*3,1")
			}
			if name == "either-or" {
				args = append(args, "--attribute=league=uniform:1,4", "--attribute=map=choice:ice,sand")
			}
			if out := runCommand(t, args); strings.Contains(out, `"matches":0,`) || !strings.Contains(out, `"waitSeconds"`) {
				t.Errorf("nothing matched: %s", out)
			}
		})
	}
}

// A party that no team can hold is told so, instead of a share of nothing.
func TestSimulatePartiesTooLarge(t *testing.T) {
	out := runCommand(t, []string{"flexmatch", "simulate", "../../examples/rulesets/duel.json", "--for=1m", "--parties=1*3,2"})
	if !regexp.MustCompile(`party of 2 +larger than any team`).MatchString(out) || strings.Count(out, "larger") != 1 {
		t.Error(out)
	}
}

func TestReadable(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.12345: "0.12", 2.75: "2.8", 56.6667: "56.7", 201.333: "201", 12013.4: "12013", -3.14: "-3.1"} {
		if got := readable(x); got != want {
			t.Errorf("%g reads %s, want %s", x, got, want)
		}
	}
}

// TestExplainVectors keeps the explanations of well-known situations.
func TestExplainVectors(t *testing.T) {
	var got strings.Builder
	for _, args := range []string{
		"D03-hunters-vs-boss.json --at 5", "D04-hunters-shrink.json --at 15 --ticket h2", "D05-team-limits-and-latency.json --at 5 --ticket a",
		"D06-no-latency-data.json --at 10", "D09-same-mode-different-hero.json --at 5", "D10-block-list.json --at 5", "D11-compound-or-of-ands.json --at 25",
		"D12-batch-distance.json --at 3", "D13-parties.json --at 3", "D15-reject-acceptance.json --at 3", "D17-large-single-team.json --at 5 --ticket t03",
		"D17-large-single-team.json --at 5 --ticket lag", "D02-balance-needs-assignment.json --at 10 --ticket lo1",
	} {
		got.WriteString("$ explain " + args + "\n" + runCommand(t, append([]string{"flexmatch", "explain"}, strings.Fields(vectors+"/"+args)...)) + "\n")
	}
	golden.File(t, "testdata/flexmatch-explain.txt", got.String())
}
