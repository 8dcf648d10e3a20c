//go:build unix && !linux

package agent

import (
	"os/exec"
	"syscall"
)

// setAttributes puts a process into a session of its own. Its group stands in
// the agent's lock file, from which the next start ends what an agent left.
func setAttributes(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
