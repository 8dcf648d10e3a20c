package serversdk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Params say where the service is and who this process is. Each value that the
// environment has wins over the one given here, so a game server started by a
// service needs none, and one started by hand in a debugger can carry them.
type Params struct {
	WebSocketURL string // GAMELIFT_SDK_WEBSOCKET_URL, ws:// or wss://
	ProcessID    string // GAMELIFT_SDK_PROCESS_ID, new for every run; "ManagedResource" makes one up
	HostID       string // GAMELIFT_SDK_HOST_ID, the compute's name
	FleetID      string // GAMELIFT_SDK_FLEET_ID
	AuthToken    string // GAMELIFT_SDK_AUTH_TOKEN, from GetComputeAuthToken

	// ToolName and ToolVersion name a program that speaks for the game, if it is
	// not the game itself: GAMELIFT_SDK_TOOL_NAME, GAMELIFT_SDK_TOOL_VERSION.
	ToolName, ToolVersion string

	HTTPClient *http.Client // for the handshake; default http.DefaultClient
	Log        *slog.Logger // default: none; tokens are never logged
}

// ProcessParameters say what the process offers, once it is ready to host.
type ProcessParameters struct {
	// Port is where players will connect, 1 to 60000.
	Port int

	// LogPaths are files and folders to collect when the game session ends.
	LogPaths []string

	// OnStartGameSession is called when the process is given its game session.
	// It prepares the game and calls [Server.ActivateGameSession].
	OnStartGameSession func(GameSession)

	// OnUpdateGameSession is called when matchmaking changed the game session.
	// It and OnStartGameSession are called one after the other, never at once.
	OnUpdateGameSession func(GameSessionUpdate)

	// OnProcessTerminate is called when the service wants the process gone;
	// [Server.TerminationTime] says by when. It ends the game and calls
	// [Server.ProcessEnding]. It may be called while the other callbacks run.
	// Without it the package calls ProcessEnding and exits the process: with
	// status 0, or 1 if that failed.
	OnProcessTerminate func()

	// OnHealthCheck is asked about every 60 s and has 50 s to answer; no answer
	// counts as false. After three minutes without a true the service ends the
	// process. Without it the process is healthy for as long as it runs.
	OnHealthCheck func() bool
}

// Timing may be set by the environment, under the names that Amazon's Go SDK
// reads too: useful for tests of a host.
type timing struct {
	call      time.Duration // SERVICE_CALL_TIMEOUT
	heartbeat time.Duration // HEALTHCHECK_INTERVAL
	jitter    time.Duration // HEALTHCHECK_MAX_JITTER
	health    time.Duration // HEALTHCHECK_TIMEOUT
}

func (p Params) withEnvironment() (Params, timing, error) {
	for _, v := range [...]struct {
		name  string
		value *string
	}{
		{"GAMELIFT_SDK_WEBSOCKET_URL", &p.WebSocketURL},
		{"GAMELIFT_SDK_PROCESS_ID", &p.ProcessID},
		{"GAMELIFT_SDK_HOST_ID", &p.HostID},
		{"GAMELIFT_SDK_FLEET_ID", &p.FleetID},
		{"GAMELIFT_SDK_AUTH_TOKEN", &p.AuthToken},
		{"GAMELIFT_SDK_TOOL_NAME", &p.ToolName},
		{"GAMELIFT_SDK_TOOL_VERSION", &p.ToolVersion},
	} {
		if set := os.Getenv(v.name); set != "" {
			*v.value = set
		}
	}
	if p.ProcessID == "ManagedResource" {
		p.ProcessID = newID()
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	if p.HTTPClient == nil {
		p.HTTPClient = http.DefaultClient
	}
	t := timing{call: 20 * time.Second, heartbeat: 60 * time.Second, jitter: 10 * time.Second, health: 50 * time.Second}
	var wrong []error
	for _, v := range [...]struct {
		name  string
		value *time.Duration
	}{
		{"SERVICE_CALL_TIMEOUT", &t.call},
		{"HEALTHCHECK_INTERVAL", &t.heartbeat},
		{"HEALTHCHECK_MAX_JITTER", &t.jitter},
		{"HEALTHCHECK_TIMEOUT", &t.health},
	} {
		set := os.Getenv(v.name)
		if set == "" {
			continue
		}
		d, err := time.ParseDuration(set)
		if err != nil || d <= 0 {
			wrong = append(wrong, fmt.Errorf("%s=%s is not a positive Go duration such as 60s", v.name, set))
			continue
		}
		*v.value = d
	}
	t.jitter = min(t.jitter, t.heartbeat/2)
	return p, t, errors.Join(append(wrong, p.check())...)
}

func (p Params) check() error {
	var missing []string
	for _, need := range [...]struct{ value, name string }{
		{p.WebSocketURL, "GAMELIFT_SDK_WEBSOCKET_URL"}, {p.ProcessID, "GAMELIFT_SDK_PROCESS_ID"},
		{p.HostID, "GAMELIFT_SDK_HOST_ID"}, {p.FleetID, "GAMELIFT_SDK_FLEET_ID"}, {p.AuthToken, "GAMELIFT_SDK_AUTH_TOKEN"},
	} {
		if need.value == "" {
			missing = append(missing, need.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not set: %s; a hosted process finds them in its environment, else fill in Params", strings.Join(missing, ", "))
	}
	u, err := url.Parse(p.WebSocketURL)
	if err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return fmt.Errorf("the address %q is not a ws:// or wss:// URL", p.WebSocketURL)
	}
	return nil
}

// newID makes a random UUID (version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
