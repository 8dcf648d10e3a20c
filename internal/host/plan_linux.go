package host

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Fence says what keeps the processes of an instance together.
type Fence string

const (
	// FenceIsolated: namespaces for process ids, mounts, network, names and
	// IPC. The kernel ends everything with the init.
	FenceIsolated Fence = "isolated"
	// FenceProcesses: a namespace for process ids, by way of a user namespace
	// if need be. The kernel ends everything with the init.
	FenceProcesses Fence = "processes"
	// FencePlain: none. The init adopts what loses its parent and ends it with
	// the agent; a parent-death signal ends the agent and what it launched if
	// the init is killed.
	FencePlain Fence = "plain"
)

// A Plan is what the init of an instance is to build.
type Plan struct {
	ID    lift.InstanceID
	Dir   string
	Exe   string   // the agent's program
	Args  []string // with its name first
	Fence Fence

	// The rest is for FenceIsolated.

	Show     []string // folders and files of the host that stay as they are, writable
	Hide     []string // folders of the host that appear empty
	Resolv   string   // content of resolv.conf; empty: the host's
	Hostname string
}

// Write puts the plan into the instance's folder.
func (p Plan) Write() error {
	text, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.Dir, planName), text, 0o600)
}

// ReadPlan reads the plan of the folder.
func ReadPlan(dir string) (p Plan, err error) {
	text, err := os.ReadFile(filepath.Join(dir, planName))
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}

// InitEnv makes a process that calls Enter the init of the instance in dir.
// Its file descriptor 3 must be one end of a socket pair: the init says "held"
// when it has the folder, waits for "go", and says "running" when the agent
// was started, each with a line end; or a sentence why not. If the other end
// closes before "go", the init ends.
func InitEnv(dir string) []string { return []string{envStage + "=init", EnvDir + "=" + dir} }

// ProbeEnv makes a process that calls Enter try what an init with this fence
// does before it starts the agent. It exits with 0, or says on stderr why the
// fence cannot be built. On stdout it says ProbeReadOnly if an instance could
// not write to the system's folders.
func ProbeEnv(dir string) []string { return []string{envStage + "=probe", EnvDir + "=" + dir} }

// What a probe says: of a system that cannot layer folders, and last of all
// that the fence could be built. The kernel takes longer to clear an isolated
// probe away than it took to run, so who hears ProbeHolds need not wait.
const (
	ProbeReadOnly = "system folders are read-only"
	ProbeHolds    = "the fence holds"
)
