package wrap

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// child is the program being wrapped.
type child struct {
	cmd    *exec.Cmd
	exited chan int // receives the exit code once; 128+n for signal n
}

// start runs the program so that it does not outlive this process. On Linux
// the kernel ties it to the thread that started it, so that thread stays.
func start(args []string, stdout, stderr io.Writer) (*child, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = ownGroup()
	c := &child{cmd: cmd, exited: make(chan int, 1)}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in ProcessState
			c.exited <- exitCode(cmd.ProcessState)
		}
	}()
	return c, <-started
}

// stop asks the program to end and kills it if it does not.
func (c *child) stop(within time.Duration) {
	ask(c.cmd)
	select {
	case <-c.exited:
		return
	case <-time.After(within):
	}
	kill(c.cmd)
	<-c.exited
}

func exitCode(s *os.ProcessState) int {
	if n := signalled(s); n != 0 {
		return 128 + n
	}
	return s.ExitCode()
}
