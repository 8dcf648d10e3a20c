package agent

import (
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// Event is what the shell tells the core; the types below are all there are.
type Event interface{ event() }

type (
	// Commanded: the service wants something. Each effect comes once.
	Commanded struct{ Effect lift.Effect }

	// Prepared: a Prepare is over.
	Prepared struct {
		Stage   lift.Stage
		Message string        // what was done
		Err     string        // why it failed, in a sentence; empty if it did not
		Log     string        // key of the stage's log, if it has one
		Notices []lift.Notice // what was assumed or repaired on the way
		// Installer is, after EXTRACTING, the name of the build's install script;
		// empty if it has none.
		Installer string
		// Paths are what VALIDATING_PATHS found, one for each launch path.
		Paths []PathCheck
	}

	// Launched: a Launch succeeded.
	Launched struct {
		ProcessID  lift.ProcessID
		OSPID      int
		Parameters string // with {port} filled in
		Log        string // key of its output
	}
	// LaunchFailed: it did not, and Exited will not follow.
	LaunchFailed struct {
		ProcessID lift.ProcessID
		Code      lift.EventCode
		Message   string
	}
	// Exited: a launched process is gone, for whatever reason.
	Exited struct {
		ProcessID lift.ProcessID
		Status    string // "exit code 3", "signal: segmentation fault"
		ExitCode  int    // 128 + signal for a process that a signal ended
		Output    string // its last lines
		Cause     string // what looking at the executable found, if that explains it
	}

	// Knocked: a process opens a socket at the door. Answered with Admit.
	Knocked struct {
		Call        Call
		ProcessID   lift.ProcessID
		SDKVersion  string
		SDKLanguage string
	}
	// Asked: a process wants something. Answered with Answer, at once or later.
	Asked struct {
		Call      Call
		ProcessID lift.ProcessID
		Request   sdk.Request
	}
	// Replied: the service's answer to an Ask.
	Replied struct {
		Call  Call
		Reply lift.Reply
	}

	// Congested: so many reports wait for the service that no new process should
	// add to them, or no longer.
	Congested struct{ Is bool }
	// Interrupted: the machine wants the agent to end.
	Interrupted struct{ Reason string }
	// Tick: nothing happened, but Due has come.
	Tick struct{}
)

// PathCheck is what looking at a launch path found.
type PathCheck struct {
	LaunchPath string
	Missing    bool   // there is no such file
	Unfit      bool   // there is, and it cannot be executed here
	Finding    string // a sentence; empty if all is well
}

// Call ties an answer to its question. The shell chooses it.
type Call uint64

func (Commanded) event()    {}
func (Prepared) event()     {}
func (Launched) event()     {}
func (LaunchFailed) event() {}
func (Exited) event()       {}
func (Knocked) event()      {}
func (Asked) event()        {}
func (Replied) event()      {}
func (Congested) event()    {}
func (Interrupted) event()  {}
func (Tick) event()         {}

// Action is what the core wants done, in order; the types below are all there
// are. None may block the goroutine that steps the core.
type Action interface{ action() }

type (
	// Report an event to the service, in order, each once.
	Report struct{ Event lift.Event }
	// Ask the service, and say Replied some time.
	Ask struct {
		Call  Call
		Event lift.Event
	}

	// Prepare carries out a stage of the preparation and says Prepared.
	Prepare struct{ Stage lift.Stage }
	// Abort ends the Prepare in progress, which still says Prepared.
	Abort struct{}

	// Launch starts a process and says Launched or LaunchFailed.
	Launch struct {
		ProcessID lift.ProcessID
		Entry     lift.ServerProcess
		Ports     []lift.PortPermission // of the fleet: {port} becomes one of them
	}
	// Kill ends a process and everything it started.
	Kill struct{ ProcessID lift.ProcessID }

	// Admit lets a process in that knocked, unless Refusal says why not.
	Admit struct {
		Call    Call
		Refusal *sdk.Refusal
	}
	// Answer a process.
	Answer struct {
		Call  Call
		Reply sdk.Reply
		Err   *sdk.Error
	}
	// Push tells a process something through the door.
	Push struct {
		ProcessID lift.ProcessID
		Push      sdk.Push
	}
	// Forget tells the door that a process is gone.
	Forget struct{ ProcessID lift.ProcessID }

	// Leave: everything is gone and reported; the agent ends.
	Leave struct{}
)

func (Report) action()  {}
func (Ask) action()     {}
func (Prepare) action() {}
func (Abort) action()   {}
func (Launch) action()  {}
func (Kill) action()    {}
func (Admit) action()   {}
func (Answer) action()  {}
func (Push) action()    {}
func (Forget) action()  {}
func (Leave) action()   {}
