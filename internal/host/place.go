package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// What a host tells an agent, as environment variables. The token is in a file
// only its owner reads: environments are seen by others and inherited.
const (
	EnvID        = "CHAIRLIFT_INSTANCE_ID"
	EnvDir       = "CHAIRLIFT_INSTANCE_DIR"
	EnvAddress   = "CHAIRLIFT_INSTANCE_ADDRESS"
	EnvIsolated  = "CHAIRLIFT_INSTANCE_ISOLATED" // "1" or absent
	EnvServer    = "CHAIRLIFT_AGENT_SERVER"
	EnvTokenFile = "CHAIRLIFT_AGENT_TOKEN_FILE"

	// envStage makes the process the init of an instance instead of its agent.
	envStage = "CHAIRLIFT_HOST_STAGE"
)

// Names in an instance's folder.
const (
	LockName    = "agent.lock"  // held by the anchor while the instance lives
	SocketName  = "agent.sock"  // where the anchor says who it is
	TokenName   = "token"       // mode 0600
	LogName     = "agent.log"   // stdout and stderr of the agent
	GameName    = "game"        // /local/game of an isolated instance
	MetaName    = "metadata"    // /local/gamemetadata of an isolated instance
	planName    = "plan.json"   // what the init is to build
	startedName = "started"     // made when the agent was started
	exitName    = "exit.json"   // made when it ended, by who saw it
	groupsName  = "groups.json" // process groups to end later, where nothing better is known
)

// Place is where an agent finds itself: what its host told it.
type Place struct {
	ID     lift.InstanceID
	Server string // where the service is reached
	Token  string
	// Dir is the instance's folder, the agent's own to use.
	Dir string
	// Address is the IP at which its game servers are reached.
	Address string
	// Isolated says that the instance has a network, mounts and process ids of
	// its own: every port is free, and the build's folder is /local/game.
	Isolated bool
}

// GameDir is the folder for the build's files, as the game servers see it.
func (p Place) GameDir() string {
	if p.Isolated {
		return "/local/game"
	}
	return filepath.Join(p.Dir, GameName)
}

// MetadataDir is the folder of gamemetadata.json, as the game servers see it.
func (p Place) MetadataDir() string {
	if p.Isolated {
		return "/local/gamemetadata"
	}
	return filepath.Join(p.Dir, MetaName)
}

// FromEnv reads what the host said. Without a host there is nothing: the error
// says so.
func FromEnv(getenv func(string) string) (Place, error) {
	p := Place{
		ID: lift.InstanceID(getenv(EnvID)), Server: getenv(EnvServer), Dir: getenv(EnvDir),
		Address: getenv(EnvAddress), Isolated: getenv(EnvIsolated) == "1",
	}
	if p.ID == "" || p.Dir == "" {
		return Place{}, fmt.Errorf("%s and %s are not set: this process was not started by a host", EnvID, EnvDir)
	}
	if name := getenv(EnvTokenFile); name != "" {
		token, err := os.ReadFile(name)
		if err != nil {
			return Place{}, fmt.Errorf("reading the agent's token: %w", err)
		}
		p.Token = strings.TrimSpace(string(token))
	}
	return p, nil
}

// Env is p as a host writes it, for the folder's token file.
func (p Place) Env() []string {
	env := []string{
		EnvID + "=" + string(p.ID), EnvDir + "=" + p.Dir, EnvAddress + "=" + p.Address,
		EnvServer + "=" + p.Server, EnvTokenFile + "=" + filepath.Join(p.Dir, TokenName),
	}
	if p.Isolated {
		env = append(env, EnvIsolated+"=1")
	}
	return env
}

// socketMaxBytes keeps clear of the 104 to 108 bytes systems allow.
const socketMaxBytes = 100

// SocketPath is where the socket called name of folder dir lies: in it if the
// path is short enough for a socket, else in a folder of this user under the
// runtime folder. Everybody who asks gets the same answer; the folder is made.
func SocketPath(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	if len(path) <= socketMaxBytes {
		return path, nil
	}
	short, err := runtimeDir()
	if err != nil {
		return "", fmt.Errorf("the path of the socket %s is longer than the %d bytes allowed, and no short folder can be made: %w", path, socketMaxBytes, err)
	}
	sum := sha256.Sum256([]byte(path))
	// A folder for each, so that it can be shown to an instance alone.
	folder := filepath.Join(short, hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(folder, "s"), nil
}

// runtimeDir is a folder with a short name that belongs to this user alone.
func runtimeDir() (string, error) {
	candidates := []string{filepath.Join(os.TempDir(), fmt.Sprintf("chairlift-%d", os.Getuid()))}
	if os.Getuid() == 0 {
		candidates = append([]string{"/run/chairlift"}, candidates...)
	} else if run := os.Getenv("XDG_RUNTIME_DIR"); run != "" {
		candidates = append([]string{filepath.Join(run, "chairlift")}, candidates...)
	}
	// The usual place may be set to one as long as the path it is to replace.
	if os.PathSeparator == '/' {
		candidates = append(candidates, fmt.Sprintf("/tmp/chairlift-%d", os.Getuid()))
	}
	var errs []error
	for _, dir := range candidates {
		if len(dir) > 60 {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := ownedByUs(dir); err != nil {
			errs = append(errs, err)
			continue
		}
		return dir, nil
	}
	return "", errors.Join(errs...)
}
