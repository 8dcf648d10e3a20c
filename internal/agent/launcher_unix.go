//go:build unix

package agent

import (
	"os"
	"os/exec"
	"syscall"
)

// tree is a process with everything it started and that did not leave its group.
type tree struct{ pid int }

func newTree(cmd *exec.Cmd) tree { return tree{cmd.Process.Pid} }

// kill ends the whole group, also after its leader is gone.
func (t tree) kill() { _ = syscall.Kill(-t.pid, syscall.SIGKILL) } // ESRCH: nobody left

func endingSignal(s *os.ProcessState) (name string, number int) {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return w.Signal().String(), int(w.Signal())
	}
	return "", 0
}

// setAttributes puts a process into a session of its own, whose group can be
// ended as a whole.
func setAttributes(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
