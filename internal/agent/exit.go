package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// exited closes the book on a process and says how it ended.
func (c *Core) exited(now time.Time, ev Exited) {
	p := c.processes[ev.ProcessID]
	if p == nil {
		return
	}
	c.remove(p)
	for _, call := range slices.Sorted(maps.Keys(c.waiting)) {
		if c.waiting[call].process == p.id {
			delete(c.waiting, call)
			c.do(Answer{Call: call, Err: sdk.Errorf(400, "the process has ended")})
		}
	}
	c.do(Forget{p.id})

	code, text := classify(p, ev)
	out := lift.ProcessExited{ProcessID: p.id, Code: code, ExitCode: ev.ExitCode, Log: p.log, Message: c.exitMessage(p, ev, text)}
	c.remember(out)
	c.report(now, lift.Event{ProcessExited: &out})
	// An orderly end without a game session is a failure too: a server that does
	// nothing else would be started again and again.
	if !p.wanted && (code != "" || !p.served) {
		c.pacing = c.pacing.Failed(now, p.began, p.entry)
	}
}

// classify names an exit (behaviour 2.6). An end that we brought about has the
// verdict as its name; otherwise only ProcessEnding and exit code 0 together
// are an orderly one.
func classify(p *process, ev Exited) (lift.EventCode, string) {
	switch {
	case p.verdict != "":
		return p.verdict, p.reason
	case p.phase == killed:
		return "", fmt.Sprintf("The server process was ended before it called InitSDK: %s.", p.reason)
	case p.ended && ev.ExitCode == 0:
		return "", "The server process ended orderly."
	case p.ended:
		return lift.ProcessCrashed, fmt.Sprintf("The server process called ProcessEnding, but then ended with %s.", ev.Status)
	case p.phase == terminating:
		return lift.ProcessCrashed, fmt.Sprintf("The server process ended with %s and without ProcessEnding after it was asked to end (%s).", ev.Status, p.reason)
	}
	return lift.ProcessCrashed, fmt.Sprintf("The server process ended with %s and without ProcessEnding, %s.", ev.Status, p.howFar())
}

// howFar says where in its life a process was when it crashed.
func (p *process) howFar() string {
	switch {
	case p.session != nil:
		return "while it hosted a game session"
	case p.phase == ready:
		return "while it waited for a game session"
	case p.phase == activating:
		return "after InitSDK and before ProcessReady"
	}
	return "before InitSDK"
}

// exitMessage is the text of the event: what happened, the three things that
// tools look for (behaviour 2.4), the cause if looking found one, and the last
// words of the process itself.
func (c *Core) exitMessage(p *process, ev Exited, text string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, %s", text, c.describe(p), ev.Status)
	if ev.Cause != "" {
		fmt.Fprintf(&b, ". Cause: %s", ev.Cause)
	} else if hint := portClash(ev.Output); hint && p.verdict == "" {
		b.WriteString(". It seems that its port was taken. ")
		if c.o.Shared {
			b.WriteString("This instance shares the ports of its machine with everything else there: put {port} into the parameters, which becomes a free port")
		} else {
			b.WriteString("Give every process of an instance a port of its own: put {port} into the parameters, which becomes a free port")
		}
	}
	if ev.Output != "" {
		fmt.Fprintf(&b, ". Last output:\n%s", ev.Output)
	}
	return b.String()
}

// describe says which process of which instance, the way process events do
// (behaviour 2.4).
func (c *Core) describe(p *process) string {
	parameters := p.parameters
	if p.phase == launching {
		parameters = p.entry.Parameters
	}
	return fmt.Sprintf("launchPath(%s), arguments(%s), instanceId(%s)", p.entry.LaunchPath, parameters, c.o.Instance)
}

// portClash finds, in what a server said last, that it could not have its port.
func portClash(output string) bool {
	low := strings.ToLower(output)
	for _, sign := range []string{"address already in use", "eaddrinuse", "only one usage of each socket address", "address in use", "port is already in use", "wsaeaddrinuse"} {
		if strings.Contains(low, sign) {
			return true
		}
	}
	return false
}

// remember keeps how a process ended, for a game session still on its way to it.
func (c *Core) remember(out lift.ProcessExited) {
	c.gone[out.ProcessID] = out
	c.goneInOrder = append(c.goneInOrder, out.ProcessID)
	if len(c.goneInOrder) > gonersKept {
		delete(c.gone, c.goneInOrder[0])
		c.goneInOrder = c.goneInOrder[1:]
	}
}

// missing answers for a process that is not there: with the exit it had, or
// with the only explanation left.
func (c *Core) missing(now time.Time, id lift.ProcessID) {
	out, known := c.gone[id]
	if !known {
		out = lift.ProcessExited{ProcessID: id, Code: lift.ProcessCrashed, ExitCode: -1,
			Message: fmt.Sprintf("The server process is not on this instance. instanceId(%s)", c.o.Instance)}
	}
	c.report(now, lift.Event{ProcessExited: &out})
}
