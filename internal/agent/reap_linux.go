package agent

import (
	"bytes"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// run reaps until stop is closed, if that is our task.
func (r *reaper) run(stop <-chan struct{}) {
	if os.Getpid() != 1 {
		return
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	for {
		select {
		case <-stop:
			return
		case <-ended:
			r.reap()
		}
	}
}

func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid, stat := range processes("stat") {
		// pid (name) state ppid …, where the name may hold anything.
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(f) > 1 && string(f[0]) == "Z" && string(f[1]) == strconv.Itoa(os.Getpid()) && !r.known[pid] {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// killStrays ends what a dead server process started and that left its group:
// the environment they inherited tells whose they are.
func killStrays(id lift.ProcessID) {
	mark := []byte("GAMELIFT_SDK_PROCESS_ID=" + string(id) + "\x00")
	for pid, env := range processes("environ") {
		if bytes.Contains(env, mark) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// processes reads a file of /proc of every process but this one. Those that may
// not be read are left out.
func processes(file string) map[int][]byte {
	found := make(map[int][]byte)
	paths, _ := filepath.Glob("/proc/[0-9]*/" + file)
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if data, err := os.ReadFile(path); err == nil {
			found[pid] = data
		}
	}
	return found
}
