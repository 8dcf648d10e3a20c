package agent

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestReap takes the exit of a child nobody waits for, and leaves its own alone.
func TestReap(t *testing.T) {
	r := newReaper(nil)
	own := exec.Command("true")
	if err := r.launch(own); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := syscall.ForkExec(path, []string{"true"}, &syscall.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	exists := func(pid int) bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		return err == nil
	}
	for range 500 {
		if r.reap(); !exists(orphan) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if exists(orphan) {
		t.Error("the orphan was not reaped")
	}
	if err := own.Wait(); err != nil {
		t.Errorf("the exit of a process of our own was taken: %v", err)
	}
	r.waited(own.Process.Pid)
}
