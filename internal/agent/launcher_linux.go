package agent

import (
	"os/exec"
	"syscall"
)

// setAttributes puts a process into a session of its own, and ends it with the
// thread that starts it.
func setAttributes(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}
