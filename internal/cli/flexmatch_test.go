package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vectors are the project's scenarios for the matchmaker.
const vectors = "../match/testdata/vectors"

// TestVectors replays every scenario through the command, in both formats.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob(vectors + "/D*.json")
	if err != nil || len(files) < 19 {
		t.Fatalf("%d scenarios found, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			var text, lines bytes.Buffer
			if err := (&FlexmatchReplayCmd{Files: []string{file}, Format: "text"}).Run(&World{Out: &text}); err != nil {
				t.Errorf("%v\n%s", err, text.String())
			}
			if strings.Contains(text.String(), "goal missed") {
				t.Errorf("a goal is missed:\n%s", text.String())
			}
			if err := (&FlexmatchReplayCmd{Files: []string{file}, Format: "json"}).Run(&World{Out: &lines}); err != nil {
				t.Error(err)
			}
			checkLines(t, file, lines.String())
		})
	}
}

// checkLines checks the form of the JSON lines that scripts depend on.
func checkLines(t *testing.T, file, lines string) {
	t.Helper()
	kinds := map[string]int{}
	list := strings.Split(strings.TrimSpace(lines), "\n")
	for i, line := range list {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		if m["file"] != file {
			t.Errorf("line %d has file %v", i, m["file"])
		}
		kind, _ := m["kind"].(string)
		kinds[kind]++
		want := map[string][]string{
			"match": {"t", "matchId", "tickets"}, "status": {"t", "ticketId", "status"},
			"event": {"t", "type", "tickets", "detail"}, "verdict": {"ok", "failures"},
		}[kind]
		if want == nil {
			t.Errorf("line %d has kind %q", i, kind)
		}
		for _, k := range want {
			if _, ok := m[k]; !ok {
				t.Errorf("line %d (%s) lacks %q", i, kind, k)
			}
		}
	}
	if kinds["verdict"] != 1 || !strings.Contains(list[len(list)-1], `"kind":"verdict"`) {
		t.Errorf("%d verdicts; the last line is %s", kinds["verdict"], list[len(list)-1])
	}
}

// TestReplayNoticesFailures breaks every expectation of a scenario in turn.
func TestReplayNoticesFailures(t *testing.T) {
	text, err := os.ReadFile(vectors + "/D15-reject-acceptance.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, breakage := range [][2]string{
		{`"status": "REQUIRES_ACCEPTANCE"`, `"status": "PLACING"`},
		{`"status": "SEARCHING"`, `"status": "CANCELLED"`},
		{`"bySeconds": 18`, `"bySeconds": 15`},
		{`"type": "AcceptMatchCompleted"`, `"type": "MatchmakingFailed"`},
		{`"type": "everyMatchValid"`, `"type": "everyMatchVallid"`},
	} {
		broken := strings.Replace(string(text), breakage[0], breakage[1], 1)
		if broken == string(text) {
			t.Fatalf("%s is not in the scenario", breakage[0])
		}
		path := filepath.Join(t.TempDir(), "broken.json")
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := (&FlexmatchReplayCmd{Files: []string{path}, Format: "text"}).Run(&World{Out: &out}); err == nil {
			t.Errorf("%v passed:\n%s", breakage, out.String())
		}
	}
}

func TestValidateCommand(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.json"), filepath.Join(dir, "bad.json")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good, `{"ruleLanguageVersion":"1.0","teams":[{"name":"a","minPlayers":1,"maxPlayers":2}]}`)
	write(bad, "{\"ruleLanguageVersion\":\"1.0\",\n\"teams\":[{\"name\":\"a\",\"minPlayers\":3,\"maxPlayers\":2}],\"rule\":[]}")
	var out bytes.Buffer
	if err := (&FlexmatchValidateCmd{Rules: []string{good}, Format: "text"}).Run(&World{Out: &out}); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	out.Reset()
	if err := (&FlexmatchValidateCmd{Rules: []string{bad}, Format: "text"}).Run(&World{Out: &out}); err == nil {
		t.Error("an invalid rule set passed")
	}
	for _, want := range []string{bad + ":2:10: error: teams[0].minPlayers: 3 is above maxPlayers 2", `rule: unknown member; did you mean "rules"?`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}
