package session

import "github.com/chairlift-games/chairlift/internal/lift"

// trigger is what moves a process from state to state.
type trigger string

const (
	onConnected  trigger = "InitSDK"
	onReady      trigger = "ProcessReady"
	onReserved   trigger = "session reserved"
	onTerminated trigger = "told to end"
	onEnding     trigger = "ProcessEnding"
	onExited     trigger = "exit"
)

// processMoves lists the legal moves of a process. A trigger that a state does
// not list is refused. testdata/moves.txt shows it as a diagram.
var processMoves = map[lift.ProcessState]map[trigger]lift.ProcessState{
	lift.ProcessInitializing: {
		onConnected:  lift.ProcessActivating,
		onReady:      lift.ProcessIdle,
		onTerminated: lift.ProcessTerminating,
		onEnding:     lift.ProcessTerminating,
		onExited:     lift.ProcessGone,
	},
	lift.ProcessActivating: {
		onConnected:  lift.ProcessActivating, // a reconnect
		onReady:      lift.ProcessIdle,
		onTerminated: lift.ProcessTerminating,
		onEnding:     lift.ProcessTerminating,
		onExited:     lift.ProcessGone,
	},
	lift.ProcessIdle: {
		onConnected:  lift.ProcessIdle,
		onReady:      lift.ProcessIdle, // said twice: the port may have changed
		onReserved:   lift.ProcessHosting,
		onTerminated: lift.ProcessTerminating,
		onEnding:     lift.ProcessTerminating,
		onExited:     lift.ProcessGone,
	},
	lift.ProcessHosting: {
		onConnected:  lift.ProcessHosting,
		onReady:      lift.ProcessIdle, // only after its session ended; see ready
		onTerminated: lift.ProcessTerminating,
		onEnding:     lift.ProcessTerminating,
		onExited:     lift.ProcessGone,
	},
	lift.ProcessUsed: {
		onConnected:  lift.ProcessUsed,
		onReady:      lift.ProcessIdle,
		onTerminated: lift.ProcessTerminating,
		onEnding:     lift.ProcessTerminating,
		onExited:     lift.ProcessGone,
	},
	lift.ProcessTerminating: {
		onConnected: lift.ProcessTerminating,
		onEnding:    lift.ProcessTerminating,
		onExited:    lift.ProcessGone,
	},
}

func move(p *lift.Process, t trigger) error {
	next, ok := processMoves[p.State][t]
	if !ok {
		return lift.Errorf(lift.Conflict, "server process %s is %s; %s makes no sense then", p.ID, p.State, t)
	}
	p.State = next
	return nil
}
