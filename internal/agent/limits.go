package agent

import (
	"cmp"
	"time"
)

// Limits are the clocks an agent keeps (design section 5). A zero field takes
// its default. Every one of them counts from the latest of the moment it began
// and the end of the last gap in the agent's own clock, so a machine that slept
// kills nobody when it wakes.
type Limits struct {
	Install time.Duration // for the install script; 10 min, a choice

	InitSDK time.Duration // from launch to InitSDK; 5 min (behaviour 2.6)
	Ready   time.Duration // from InitSDK to ProcessReady; 5 min (behaviour 2.6)

	// Silent is how old the last healthy word may be before the process counts
	// as unhealthy and gets no game session: 120 s, an interval of 60 s and as
	// much for the answer. Unhealthy is when it is asked to end: 180 s
	// (behaviour 2.6).
	Silent    time.Duration
	Unhealthy time.Duration

	// Terminate is how long a process may take to end after it was asked to:
	// 5 min. It is told Margin less, 30 s, which makes the 270 s of behaviour 2.6.
	Terminate time.Duration
	Margin    time.Duration
	Exit      time.Duration // from ProcessEnding to exit; 30 s (behaviour 2.6)
	Rekill    time.Duration // a killed process that is still there is killed again; 5 s

	// Interrupt is how long the processes have when the agent itself is told to
	// end by the machine it runs on: 20 s, less than most machines give.
	Interrupt time.Duration

	// Pulse is how often the core wants to be stepped while processes run, 10 s,
	// and Gap the pause between two steps that means that the machine slept: 30 s.
	Pulse time.Duration
	Gap   time.Duration
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Install:   cmp.Or(l.Install, 10*time.Minute),
		InitSDK:   cmp.Or(l.InitSDK, 5*time.Minute),
		Ready:     cmp.Or(l.Ready, 5*time.Minute),
		Silent:    cmp.Or(l.Silent, 120*time.Second),
		Unhealthy: cmp.Or(l.Unhealthy, 180*time.Second),
		Terminate: cmp.Or(l.Terminate, 5*time.Minute),
		Margin:    cmp.Or(l.Margin, 30*time.Second),
		Exit:      cmp.Or(l.Exit, 30*time.Second),
		Rekill:    cmp.Or(l.Rekill, 5*time.Second),
		Interrupt: cmp.Or(l.Interrupt, 20*time.Second),
		Pulse:     cmp.Or(l.Pulse, 10*time.Second),
		Gap:       cmp.Or(l.Gap, 30*time.Second),
	}
}
