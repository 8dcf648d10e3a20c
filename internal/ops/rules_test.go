package ops

import (
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// Under hosted one creator makes one game session a second; under standard as
// many as there is room for.
func TestCreatorPause(t *testing.T) {
	for profile, want := range map[string]lift.Kind{"standard": "", "hosted": lift.Throttling} {
		rules, err := RulesOf(profile)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, rules)
		fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(5) })
		create := func(creator *string) error {
			_, err := w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, CreatorId: creator, MaximumPlayerSessionCount: 1})
			return err
		}
		if err := create(new("a")); err != nil {
			t.Fatal(err)
		}
		if err := create(new("a")); want == "" && err != nil || want != "" && !isKind(err, want) {
			t.Errorf("%s: at once again: %v", profile, err)
		}
		if err := create(new("b")); err != nil {
			t.Errorf("%s: another creator: %v", profile, err)
		}
		if err := create(nil); err != nil {
			t.Errorf("%s: nobody in particular: %v", profile, err)
		}
		w.pass(time.Second)
		if err := create(new("a")); err != nil {
			t.Errorf("%s: a second later: %v", profile, err)
		}
	}
}
