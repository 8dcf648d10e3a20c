package rules_test

import (
	"fmt"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

func ExampleParse() {
	_, findings := rules.Parse(`{
 "ruleLanguageVersion": "1.0",
 "teams": [{"name": "red", "minPlayers": 1, "maxPlayer": 5}]
}`)
	for _, f := range findings {
		fmt.Printf("%d:%d %s\n", f.Line, f.Column, f)
	}
	// Output:
	// 3:12 teams[0].maxPlayers: is missing; add it
	// 3:45 teams[0].maxPlayer: unknown member; did you mean "maxPlayers"?
}

func ExampleJudge() {
	set, _ := rules.Parse(`{
 "ruleLanguageVersion": "1.0",
 "playerAttributes": [{"name": "skill", "type": "number"}],
 "teams": [{"name": "red", "minPlayers": 1, "maxPlayers": 1}, {"name": "blue", "minPlayers": 1, "maxPlayers": 1}],
 "rules": [{"name": "Close", "type": "distance", "maxDistance": 100,
  "measurements": ["avg(teams[red].players.attributes[skill])"], "referenceValue": "avg(teams[blue].players.attributes[skill])"}]
}`)
	player := func(id string, skill float64) rules.Party {
		attributes, _ := set.LayOut(map[string]rules.Value{"skill": rules.N(skill)})
		return rules.Party{{ID: id, Attributes: attributes}}
	}
	judge := rules.NewJudge(set)
	roster := rules.Roster{{player("ann", 1500)}, {player("bob", 1800)}}
	for _, v := range judge.Verdicts(0, roster) {
		fmt.Println(v.Name, v.Holds, v.Why)
	}
	// Output:
	// Close false 1500 is 300 away from 1800, maxDistance is 100
}
