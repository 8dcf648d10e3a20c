package local

import (
	"syscall"

	"github.com/chairlift-games/chairlift/internal/host"
)

var systemMissing = []string{
	"If an agent is killed by force, its server processes end when the service stops the instance or starts next, not at once: macOS cannot tie them together.",
}

func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// endRest ends what the dead agent of a folder left.
func endRest(dir string) { host.EndGroups(dir) }
