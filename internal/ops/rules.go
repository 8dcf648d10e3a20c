package ops

import (
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Rules are where the eras of the API differ, and what may be limited. A limit
// of zero is none.
type Rules struct {
	// StrictDelete asks that a fleet has no instances before it is deleted
	// (behaviour 2.14).
	StrictDelete bool
	// AnyQueueTimeout allows queue timeouts outside 10 to 600 seconds
	// (behaviour 8.1).
	AnyQueueTimeout bool
	// UnknownDestination is the error for a queue destination that does not
	// exist (behaviour 8.2).
	UnknownDestination lift.Kind

	Builds, Fleets, Aliases int // per region
	Matchmakers             int // matchmaking configurations per region
	Instances               int // that one fleet may want
	Destinations            int // of one queue
	Processes               int // on one instance
	Players                 int // in one game session

	// CreatorPause is how long after one game session a creator may make the
	// next on a fleet without a limit of its own (behaviour 2.16).
	CreatorPause time.Duration
}

// The profiles a service can be started with. The limits of Hosted are the
// published ones (behaviour 10).
var (
	Standard = Rules{UnknownDestination: lift.NotFound, Processes: 50, Players: 200}
	Hosted   = Rules{
		UnknownDestination: lift.NotFound, Processes: 50, Players: 200,
		Builds: 1000, Fleets: 20, Aliases: 20, Matchmakers: 100, Instances: 20, Destinations: 10, CreatorPause: time.Second,
	}
	Rules2019 = Rules{
		UnknownDestination: lift.InvalidRequest, Processes: 50, Players: 200,
		StrictDelete: true, AnyQueueTimeout: true,
	}
)

// RulesOf returns the rules of a profile by its name.
func RulesOf(profile string) (Rules, error) {
	switch profile {
	case "", "standard":
		return Standard, nil
	case "hosted":
		return Hosted, nil
	case "2019":
		return Rules2019, nil
	}
	return Rules{}, fmt.Errorf("there is no profile %q; the profiles are standard, hosted and 2019", profile)
}
