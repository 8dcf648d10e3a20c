package agent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/archive/inspect"
	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// Limits of the launcher.
const (
	// drainOutput is how long the output of an ended process is waited for: its
	// children may hold it open.
	drainOutput = 500 * time.Millisecond
	// lookWithin is how soon after its launch an exit makes us look for a cause
	// in the executable.
	lookWithin = 10 * time.Second
	// logsKept is how many logs of ended processes stay on the disk.
	logsKept = 20
)

// launcher starts and ends the server processes of an instance.
type launcher struct {
	place  place
	reaper *reaper
	post   func(Event)
	ship   func(*capture)
	log    *slog.Logger

	jobs  chan Launch
	ports ports // owned by run
	done  chan lift.ProcessID

	mu      sync.Mutex // guards what follows
	running map[lift.ProcessID]*child
	ended   []*capture
}

// place is where and as what an instance's processes run.
type place struct {
	game string   // the folder of the build
	logs string   // the folder of captured output
	env  []string // without the Server SDK's variables
	sdk  func(lift.ProcessID) []string
}

// child is a running server process.
type child struct {
	cmd  *exec.Cmd
	tree tree // how to end it with all that it started
	out  *capture
}

func newLauncher(p place, r *reaper, post func(Event), ship func(*capture), log *slog.Logger) *launcher {
	return &launcher{
		place: p, reaper: r, post: post, ship: ship, log: log,
		// Never more than MaxProcesses exist, so neither channel ever blocks.
		jobs:    make(chan Launch, fleet.MaxProcesses),
		done:    make(chan lift.ProcessID, fleet.MaxProcesses),
		ports:   ports{taken: make(map[int]lift.ProcessID)},
		running: make(map[lift.ProcessID]*child),
	}
}

// launch queues a start.
func (l *launcher) launch(a Launch) { l.jobs <- a }

// run starts what is queued until stop is closed.
func (l *launcher) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case a := <-l.jobs:
			l.start(a)
		case id := <-l.done:
			l.ports.release(id)
		}
	}
}

// start launches one process, or says why not.
func (l *launcher) start(a Launch) {
	path := localPath(l.place.game, a.Entry.LaunchPath)
	fail := func(code lift.EventCode, format string, args ...any) {
		l.ports.release(a.ProcessID)
		l.post(LaunchFailed{ProcessID: a.ProcessID, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		fail(lift.ProcessInvalidPath, "The launch path cannot be executed: %s.", inspect.Target(path, inspect.Place{Folder: l.place.game}).Sentence)
		return
	}
	l.ports.allowed = a.Ports
	parameters, err := l.ports.fill(a.Entry.Parameters, a.ProcessID)
	if err != nil {
		fail(lift.GenericEvent, "The server process was not launched: %v.", err)
		return
	}
	parameters = localParameters(l.place.game, parameters)

	out, err := newCapture(string(a.ProcessID), filepath.Join(l.place.logs, string(a.ProcessID)+".log"))
	if err != nil {
		l.log.Warn("output is not kept", "process", a.ProcessID, "error", err)
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		out.discard(false)
		fail(lift.GenericEvent, "The server process was not launched: %v.", err)
		return
	}
	cmd := exec.Command(path, splitParameters(parameters)...)
	cmd.Dir = l.place.game
	cmd.Env = append(append([]string(nil), l.place.env...), l.place.sdk(a.ProcessID)...)
	cmd.Stdout, cmd.Stderr = pw, pw
	started := time.Now()
	err = l.reaper.launch(cmd)
	pw.Close()
	if err != nil {
		pr.Close()
		out.discard(false)
		sentence := fmt.Sprintf("the system says: %v", plain(err))
		if f := inspect.Target(path, inspect.Place{Folder: l.place.game}); f.Problem != inspect.None {
			sentence = f.Sentence
		}
		fail(lift.ProcessInvalidPath, "The launch path cannot be executed: %s.", sentence)
		return
	}
	c := &child{cmd: cmd, tree: newTree(cmd), out: out}
	l.mu.Lock()
	l.running[a.ProcessID] = c
	l.mu.Unlock()
	l.post(Launched{ProcessID: a.ProcessID, OSPID: cmd.Process.Pid, Parameters: parameters, Log: out.key})
	l.ship(out)
	go l.watch(a.ProcessID, c, path, pr, started)
}

// watch stays with a process to its end.
func (l *launcher) watch(id lift.ProcessID, c *child, path string, output *os.File, started time.Time) {
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		io.CopyBuffer(c.out, writerOnly{output}, make([]byte, 4<<10))
	}()
	err := c.cmd.Wait()
	lived := time.Since(started)
	c.tree.kill() // what it left behind
	killStrays(id)
	l.reaper.waited(c.cmd.Process.Pid)
	timer := time.AfterFunc(drainOutput, func() { output.Close() })
	<-copied
	timer.Stop()
	output.Close()
	c.out.end()

	status, code := describeExit(c.cmd.ProcessState, err)
	ev := Exited{ProcessID: id, Status: status, ExitCode: code, Output: c.out.last()}
	if code != 0 && lived < lookWithin {
		ev.Cause = inspect.Target(path, inspect.Place{Folder: l.place.game}).Sentence
	}
	l.mu.Lock()
	delete(l.running, id)
	l.ended = append(l.ended, c.out)
	var oldest *capture
	if len(l.ended) > logsKept {
		oldest, l.ended = l.ended[0], l.ended[1:]
	}
	l.mu.Unlock()
	if oldest != nil {
		oldest.discard(false)
	}
	l.done <- id
	l.post(ev)
}

// kill ends a process and what it started, now. Its exit is reported as any other.
func (l *launcher) kill(id lift.ProcessID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.running[id]; c != nil {
		c.tree.kill()
	}
}

// writerOnly hides what would make io.CopyBuffer not use its buffer.
type writerOnly struct{ io.Reader }

// describeExit spells how a process ended, and the exit code a shell would see.
func describeExit(s *os.ProcessState, err error) (string, int) {
	if s == nil {
		return fmt.Sprintf("an end that could not be seen (%v)", err), -1
	}
	if name, number := endingSignal(s); number != 0 {
		return "signal: " + name, 128 + number
	}
	return fmt.Sprintf("exit code %d", s.ExitCode()), s.ExitCode()
}

// plain drops what os and exec put around the reason.
func plain(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
