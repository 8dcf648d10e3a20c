package agent

import (
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// secretPrefixes begin the variables of our own environment that no server
// process inherits: our secrets, the keys of whoever started us, and what
// belongs to another process.
var secretPrefixes = []string{"CHAIRLIFT_", "AWS_", "GAMELIFT_SDK_"}

// cleanEnvironment is env without the variables that are nobody's business.
func cleanEnvironment(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return slices.ContainsFunc(secretPrefixes, func(prefix string) bool {
			return strings.HasPrefix(strings.ToUpper(v), prefix)
		})
	})
}

// sdkEnvironment is what InitSDK reads (server-sdk A.1).
func sdkEnvironment(url string, fleet lift.FleetID, instance lift.InstanceID, process lift.ProcessID, token string) []string {
	return []string{
		"GAMELIFT_SDK_WEBSOCKET_URL=" + url,
		"GAMELIFT_SDK_FLEET_ID=" + string(fleet),
		"GAMELIFT_SDK_HOST_ID=" + string(instance),
		"GAMELIFT_SDK_PROCESS_ID=" + string(process),
		"GAMELIFT_SDK_AUTH_TOKEN=" + token,
	}
}
