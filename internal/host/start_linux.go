package host

import (
	"os/exec"
	"runtime"
	"syscall"
)

// A starter starts processes from one thread that never ends. The kernel sends
// the parent-death signal when the thread that started a process ends, and Go
// ends threads as it sees fit. Where the instance has a process id namespace
// the signal is one safety more; where not, it is the one there is for
// processes, and the init ends what they leave behind.
type starter struct{ jobs chan startJob }

type startJob struct {
	cmd  *exec.Cmd
	done chan error
}

func (s *starter) init(string) error {
	s.jobs = make(chan startJob)
	go func() {
		runtime.LockOSThread() // never unlocked, never returns
		for job := range s.jobs {
			job.done <- job.cmd.Start()
		}
		select {}
	}()
	return nil
}

func (s *starter) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if !cmd.SysProcAttr.Setsid {
		cmd.SysProcAttr.Setpgid = true
	}
	job := startJob{cmd, make(chan error, 1)}
	s.jobs <- job
	return <-job.done
}
