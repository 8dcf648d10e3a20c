package api

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	long := strings.Repeat("é", 1025)
	for _, test := range []struct {
		name string
		in   Shape
		want string // findings joined, or empty
	}{
		{"nothing asked", &ListFleetsInput{}, ""},
		{"element in a list",
			&CreateFleetInput{Name: "f", RuntimeConfiguration: &RuntimeConfiguration{ServerProcesses: []ServerProcess{{LaunchPath: "/local/game/x"}}}},
			"RuntimeConfiguration.ServerProcesses[0].ConcurrentExecutions: must be at least 1, got 0"},
		{"too long, in characters", &UpdateAliasInput{AliasId: "alias-1", Description: &long}, "Description: must have at most 1024 characters, has 1025"},
		{"long enough, in characters", &UpdateAliasInput{AliasId: "alias-1", Description: new(long[2:])}, ""},
		{"too short", &UpdateAliasInput{AliasId: "alias-1", Description: new("")}, "Description: must have at least 1 character, has 0"},
		{"pattern", &UpdateAliasInput{AliasId: "fleet-1"}, `AliasId: must match ^alias-\S+|^arn:.*:alias/alias-\S+, got "fleet-1"`},
		{"pattern of an unanchored model is anchored", &CreateGameSessionQueueInput{Name: "no spaces"}, `Name: must match [a-zA-Z0-9-]+, got "no spaces"`},
		{"enum", &CreateFleetInput{Name: "f", FleetType: new("SPOTTY")}, `FleetType: must be one of ON_DEMAND, SPOT, got "SPOTTY"`},
		{"required structure", &CreateAliasInput{Name: "a"}, "RoutingStrategy: is required"},
		{"required list, size of list", &CreatePlayerSessionsInput{GameSessionId: "a", PlayerIds: []string{}}, "PlayerIds: must have at least 1 item, has 0"},
		{"required list", &CreatePlayerSessionsInput{GameSessionId: "a"}, "PlayerIds: is required"},
		{"secrets are not repeated", &CreateFleetInput{Name: "f", EC2InboundPermissions: []IpPermission{{FromPort: 70000, ToPort: 1, IpRange: "1 2", Protocol: "TCP"}}},
			`EC2InboundPermissions[0].FromPort: must be from 1 to 60000; EC2InboundPermissions[0].IpRange: must match [^\s]+`},
		{"value of a map", &StartMatchmakingInput{ConfigurationName: "c", Players: []Player{{LatencyInMs: map[string]int{"b": 0, "a": 5}}}},
			`Players[0].LatencyInMs["b"]: must be at least 1, got 0`},
		{"key of a map", &StartMatchmakingInput{ConfigurationName: "c", Players: []Player{{LatencyInMs: map[string]int{"": 1}}}},
			`Players[0].LatencyInMs[""]: the key must have at least 1 character, has 0`},
		{"number with a fraction", &CreateContainerGroupDefinitionInput{Name: "c", OperatingSystem: "AMAZON_LINUX_2023", TotalMemoryLimitMebibytes: 4, TotalVcpuLimit: 11},
			"TotalVcpuLimit: must be at most 10, got 11"},
		{"blob", &CreateScriptInput{ZipFile: make([]byte, 5_000_001)}, "ZipFile: must have at most 5000000 bytes, has 5000001"},
		{"an ARN for an id", &CreateAliasInput{Name: "a", RoutingStrategy: &RoutingStrategy{FleetId: new("arn:aws:gamelift:us-west-2::fleet/fleet-1")}}, ""},
	} {
		got := ""
		if err := Check(test.in); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestCheckStopsAtTen(t *testing.T) {
	in := &CreatePlayerSessionsInput{GameSessionId: "a", PlayerIds: make([]string, 25)}
	err := Check(in)
	if f, ok := err.(Findings); !ok || len(f) != maxFindings {
		t.Errorf("%v", err)
	}
}

// allPatterns are examples of every kind of pattern the model has.
func allPatterns() []*pattern {
	return []*pattern{
		ruleAliasIdOrArn.pattern, ruleArnStringModel.pattern, ruleBuildIdOrArn.pattern, ruleFleetIdOrArn.pattern,
		ruleIdStringModel.pattern, ruleLaunchTemplateId.pattern, ruleMatchmakingConfigurationName.pattern,
		ruleNonBlankAndLengthConstraintString.pattern, ruleQueueCustomEventData.pattern, ruleSnsArnStringModel.pattern,
		ruleLaunchParametersStringModel.pattern, rulePlayerSessionId.pattern, ruleWeightedCapacity.pattern,
	}
}

// TestCharsets: the fast way decides like the regular expression.
func TestCharsets(t *testing.T) {
	fast := 0
	for _, p := range allPatterns() {
		re := regexp.MustCompile(`\A(?s:` + p.src + `)\z`)
		for _, s := range []string{"", "a", "-", "é", "a b", "arn:aws:x/y", "alias-1", "a\nb", "\x00", "psess-1", "10", "~", "arn:aws:gamelift:us-west-2::alias/alias-7", "\U0001F600"} {
			if got, want := p.match(s), re.MatchString(s); got != want {
				t.Errorf("%s matches %q: %v, want %v", p.src, s, got, want)
			}
		}
		if p.set != nil {
			fast++
		}
	}
	if fast < 3 {
		t.Errorf("only %d of %d patterns became sets", fast, len(allPatterns()))
	}
	if charsetOf(parse(t, `[a-z]+x`)) != nil || charsetOf(parse(t, `[a-z]|[0-9]+`)) != nil || charsetOf(parse(t, `(ab)*`)) != nil {
		t.Error("a pattern that is more than a set was taken for one")
	}
}

func parse(t *testing.T, src string) *syntax.Regexp {
	tree, err := syntax.Parse(src, syntax.Perl|syntax.DotNL)
	if err != nil {
		t.Fatal(err)
	}
	return tree.Simplify()
}

func TestOperations(t *testing.T) {
	if len(Operations) < 120 {
		t.Fatalf("%d operations", len(Operations))
	}
	if !slices.IsSortedFunc(Operations[:], func(a, b Operation) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatal("Find needs the operations in order")
	}
	var gamelift, paged, void int
	for i := range Operations {
		op := &Operations[i]
		if Find(op.Name) != op {
			t.Errorf("Find(%q) finds another row", op.Name)
		}
		if !op.Declares(InternalServiceException) || !op.Declares(InvalidRequestException) {
			t.Errorf("%s does not declare the exceptions all others fall back to", op.Name)
		}
		if op.Service == "GameLift" {
			gamelift++
			if op.Items != "" {
				paged++
			}
			if !op.HasOutput {
				void++
			}
		}
		_, err := op.Call(t.Context(), struct{ Unimplemented }{}, op.NewInput())
		if _, ok := err.(*UnsupportedError); !ok || !strings.HasPrefix(err.Error(), op.Name+" is not supported") {
			t.Errorf("%s unimplemented answers %v", op.Name, err)
		}
	}
	// api/operations.tsv: 120 operations, 27 of them paged, 6 without an output.
	if gamelift != 120 || paged != 27 || void != 6 {
		t.Errorf("GameLift has %d operations, %d paged, %d void", gamelift, paged, void)
	}
	if Find("Nope") != nil {
		t.Error("Find finds what is not there")
	}
	if n := len(EnumValues("EC2InstanceType")); n < 200 {
		t.Errorf("%d instance types", n)
	}
}

func TestSubjects(t *testing.T) {
	var got []string
	collect := func(kind, name string) { got = append(got, kind+" "+name) }
	Find("CreateGameSession").Subjects(&CreateGameSessionInput{FleetId: new("fleet-1"), AliasId: new("alias-1")}, collect)
	if want := []string{"fleet fleet-1", "alias alias-1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if Find("ListFleets").Subjects == nil || Find("ListAliases").Subjects != nil {
		t.Error("ListFleets can name a build, ListAliases nothing")
	}
}
