package host

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func enterStage(stage string) {
	runtime.LockOSThread() // parent-death signals and mounts belong to this thread's life
	dir := os.Getenv(EnvDir)
	plan, err := ReadPlan(dir)
	if err == nil {
		switch stage {
		case "init":
			var code int
			if code, err = initInstance(plan); err == nil {
				os.Exit(code)
			}
		case "probe":
			if err = build(plan); err == nil {
				if plan.Fence == FenceIsolated && os.WriteFile("/usr/.chairlift-probe", nil, 0o600) != nil {
					fmt.Println(ProbeReadOnly)
				}
				fmt.Println(ProbeHolds)
				os.Exit(0)
			}
		default:
			err = fmt.Errorf("there is no stage %q", stage)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(111)
}

// initInstance is the life of an init: it builds the instance, starts the
// agent, reaps whatever ends, and takes everything with it when the agent has
// ended.
func initInstance(plan Plan) (code int, err error) {
	syscall.CloseOnExec(3)
	starter := os.NewFile(3, "starter")
	defer func() {
		if err != nil {
			fmt.Fprintln(starter, err)
		}
	}()
	a, err := drop(plan.Dir, plan.ID)
	if err != nil {
		return 0, err
	}
	fmt.Fprintln(starter, "held")
	// From here to "running" the starter may end us by closing its end.
	if word, err := bufio.NewReader(starter).ReadString('\n'); err != nil || word != "go\n" {
		return 0, errors.New("the host that started this instance went away")
	}

	if err := build(plan); err != nil {
		return 0, err
	}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)

	// The agent is not started by os/exec: waiting for everything that ends
	// and os/exec's waiting for its own would take each other's news.
	agent, err := syscall.ForkExec(plan.Exe, plan.Args, &syscall.ProcAttr{
		Dir:   plan.Dir,
		Env:   agentEnv(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("starting the agent %s: %w", plan.Exe, err)
	}
	if err := markStarted(plan.Dir); err != nil {
		return 0, err
	}
	fmt.Fprintln(starter, "running")
	starter.Close()
	go func() {
		<-ending
		unix.Kill(agent, unix.SIGKILL)
	}()

	status := reapUntil(agent)
	code, signalName := status.ExitStatus(), ""
	if status.Signaled() {
		code, signalName = 128+int(status.Signal()), unix.SignalName(status.Signal())
	}
	if err := WriteExit(plan.Dir, exitOf(code, signalName, time.Now().UTC())); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if plan.Fence == FencePlain {
		endOrphans()
	}
	runtime.KeepAlive(a)
	return code, nil // in a namespace of its own, the end of process 1 is the end of all
}

// agentEnv is this process's environment without what made it an init.
func agentEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, envStage+"=") })
	return append(env, envAnchored+"=1")
}

// reapUntil waits for every process that ends until pid has.
func reapUntil(pid int) unix.WaitStatus {
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		if err == nil && ended == pid {
			return status
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return status // no child is left, which cannot be
		}
	}
}

// endOrphans ends everything that lost its parent to us, level by level: the
// end of one makes its children ours.
func endOrphans() {
	for {
		for _, pid := range children() {
			unix.Kill(pid, unix.SIGKILL)
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(-1, &status, 0, nil); errors.Is(err, unix.ECHILD) {
			return
		}
	}
}

// children lists the processes whose parent is this one.
func children() (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	self := os.Getpid()
	for _, e := range entries {
		var pid, parent int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// "pid (name) state parent": the name may hold anything, even ")".
		after := string(text[strings.LastIndexByte(string(text), ')')+1:])
		var state string
		if _, err := fmt.Sscan(after, &state, &parent); err == nil && parent == self {
			pids = append(pids, pid)
		}
	}
	return pids
}
