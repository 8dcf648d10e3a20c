package main

import (
	"fmt"
	"go/types"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/clients"
)

// A judge of a world where ListBuilds had a Status and a Limit in 2019, and
// knows what the recording says.
func TestJudge(t *testing.T) {
	const shape = "Builds Builds.BuildId Builds.BuildArn Builds.Name Builds.Version Builds.Status Builds.SizeOnDisk Builds.OperatingSystem Builds.CreationTime"
	const all = "  in Status Limit NextToken\n  out " + shape + " Builds.ServerSdkVersion NextToken\n"
	for _, test := range []struct {
		name, recording, notes string
		old, newest            string
		found                  string
	}{
		{"nobody calls it", "", "", "partly", "partly", "*"},
		{"everything", "ListBuilds\n  by c\n" + all, "", "works", "works", ""},
		{"nothing newer", "ListBuilds\n  by c\n  in Status Limit NextToken\n  out " + shape + " NextToken", "", "works", "partly", "Not shown, output: Builds.ServerSdkVersion (newer)"},
		{"an input", "ListBuilds\n  by c\n" + strings.Replace(all, "Limit ", "", 1), "", "partly", "partly", "Not shown, input: Limit"},
		{"by another operation", "ListBuilds\n  by c\n" + strings.Replace(all, "Builds.Version ", "", 1) + "DescribeBuild\n  by c\n  out Build Build.Version", "",
			"works", "works", "Shown by other operations only: Builds.Version"},
		{"a part", "ListBuilds\n  by c\n" + strings.Replace(all, "Builds.Version ", "", 1), "part Build.Version versions", "works but for versions", "works but for versions",
			"Absent: Builds.Version"},
		{"no answer", "ListBuilds\n  by c\n" + strings.Replace(all, "Builds.Version ", "", 1), "absent Build.Version nobody counts", "works", "works", "Absent: Builds.Version"},
		{"refused", "ListBuilds\n  by c\n" + strings.Replace(all, "Status ", "", 1) + "  refused Status no, thank you", "part ListBuildsInput.Status states", "works but for states", "works but for states",
			"Refused: Status"},
		{"refused in part", "ListBuilds\n  by c\n" + all + "  refused Status no, thank you", "part ListBuildsInput.Status states", "works but for states", "works but for states",
			"Some values refused: Status"},
		{"refused as a rule", "ListBuilds\n  by c\n" + strings.Replace(all, "Status ", "", 1) + "  refused Status no, thank you", "rule ListBuildsInput.Status why", "works", "works",
			"Refused, as on the hosted service: Status"},
		{"no answer here", "ListBuilds\n  by c\n" + strings.Replace(all, "Builds.Version ", "", 1), "absent ListBuildsOutput.Builds.Version nobody counts", "works", "works", "Absent: Builds.Version"},
		{"a part that is not refused", "ListBuilds\n  by c\n" + strings.Replace(all, "Status ", "", 1), "part ListBuildsInput.Status states", "partly", "partly", "Not shown, input: Status"},
		{"refused, and nobody says why", "ListBuilds\n  by c\n" + strings.Replace(all, "Status ", "", 1) + "  refused Status no, thank you", "", "partly", "partly", "Refused: Status"},
		{"without effect", "ListBuilds\n  by c\n" + all, "idle ListBuildsInput.Status nothing has one", "works", "works", "Without effect: Status"},
	} {
		t.Run(test.name, func(t *testing.T) {
			old, err := clients.ParseRecording("ListBuilds\n  in Status Limit NextToken\n  out " + shape + " NextToken")
			if err != nil {
				t.Fatal(err)
			}
			recording, err := clients.ParseRecording(test.recording)
			if err != nil {
				t.Fatal(err)
			}
			notes, err := readNotes(test.notes)
			if err != nil {
				t.Fatal(err)
			}
			// Both operations shape builds by the same function.
			list, describe, shapes := types.NewFunc(0, nil, "ListBuilds", nil), types.NewFunc(0, nil, "DescribeBuild", nil), types.NewFunc(0, nil, "buildShape", nil)
			use := &usage{
				methods: map[string]bool{"ListBuilds": true, "DescribeBuild": true}, read: map[string]bool{}, filled: map[string]bool{},
				ops:   map[string]types.Object{"ListBuilds": list, "DescribeBuild": describe},
				calls: map[types.Object]map[types.Object]bool{list: {shapes: true}, describe: {shapes: true}},
				by:    map[string]map[types.Object]bool{"Build.Version": {shapes: true}},
			}
			for _, m := range []string{"Status", "Limit", "NextToken"} {
				use.read["ListBuildsInput."+m] = true
			}
			for _, m := range strings.Fields("ListBuildsOutput.Builds ListBuildsOutput.NextToken " + strings.ReplaceAll(shape+" Builds.ServerSdkVersion", "Builds.", "Build.")) {
				use.filled[m] = true
			}
			j := &judge{recording: recording, old: old, use: use, notes: notes}
			for _, v := range j.all() {
				if v.op == "DescribeBuild" {
					continue
				}
				if v.op != "ListBuilds" {
					if v.newest.name != notYet || v.old.name != "" {
						t.Errorf("%s is %s and was %s; there is no method", v.op, v.newest, v.old)
					}
					continue
				}
				var found []string
				for _, f := range v.found {
					text := f.what + ": " + f.path
					if f.newer {
						text += " (newer)"
					}
					found = append(found, text)
				}
				if got := strings.Join(found, "; "); v.old.String() != test.old || v.newest.String() != test.newest || got != test.found && test.found != "*" {
					t.Errorf("got %s, %s: %s\nwant %s, %s: %s", v.old, v.newest, got, test.old, test.newest, test.found)
				}
			}
		})
	}
}

func TestNotes(t *testing.T) {
	if _, err := readNotes(notesText); err != nil {
		t.Errorf("notes.txt: %v", err)
	}
	for i, text := range []string{"part Build.Nothing x", "part Build.Name", "why Build.Name x", "part Build.Name x\nidle Build.Name x"} {
		if _, err := readNotes(text); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d:", 1+i/3)) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestLines(t *testing.T) {
	got := linesOf([]finding{{what: absent, path: "A", words: "gone"}, {what: unset, path: "B"}, {what: absent, path: "C", words: "gone", newer: true}, {what: absent, path: "D"}}, absent)
	if want := "[`A`, *`C`* — gone `D`]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
