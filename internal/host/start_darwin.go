package host

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A starter writes down the process groups it starts, with the time each
// began, so that they can be ended after an agent that could not do it itself.
type starter struct {
	mu     sync.Mutex
	path   string
	groups []group
}

type group struct {
	ID      int
	Started int64 // of its leader, microseconds of the epoch
}

func (s *starter) init(dir string) error {
	s.path = filepath.Join(dir, groupsName)
	EndGroups(dir) // of an agent that had the folder before
	return s.write()
}

func (s *starter) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if !cmd.SysProcAttr.Setsid {
		cmd.SysProcAttr.Setpgid = true
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	alive := s.groups[:0]
	for _, g := range s.groups {
		if unix.Kill(-g.ID, 0) == nil {
			alive = append(alive, g)
		}
	}
	s.groups = append(alive, group{cmd.Process.Pid, startedAt(cmd.Process.Pid)})
	return s.write()
}

func (s *starter) write() error {
	text, err := json.Marshal(s.groups)
	if err != nil {
		return err
	}
	temp := s.path + ".tmp"
	if err := os.WriteFile(temp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, s.path)
}

func startedAt(pid int) int64 {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0
	}
	return info.Proc.P_starttime.Nano() / 1000
}

// EndGroups ends the process groups that the dead agent of a folder left. A
// group whose leader is not the one that was written down is left alone.
func EndGroups(dir string) {
	var groups []group
	text, err := os.ReadFile(filepath.Join(dir, groupsName))
	if err != nil || json.Unmarshal(text, &groups) != nil {
		return
	}
	for _, g := range groups {
		if g.ID > 1 && g.Started != 0 && startedAt(g.ID) == g.Started {
			unix.Kill(-g.ID, unix.SIGKILL)
		}
	}
}
