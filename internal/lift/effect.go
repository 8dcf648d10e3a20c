package lift

import (
	"strings"
	"time"
)

// Effect is something a decision wants done outside the store. It is saved
// with the decision and sent after the commit, again and again until the
// receiver says that it has it; receivers remember the ID and act once. Exactly
// one of the pointers is set.
type Effect struct {
	ID EffectID
	To Receiver

	// for a host
	StartInstance *StartInstance `json:",omitempty"`
	StopInstance  *StopInstance  `json:",omitempty"`

	// for an agent
	Configure        *Configure        `json:",omitempty"`
	Reconfigure      *Reconfigure      `json:",omitempty"`
	StartSession     *StartSession     `json:",omitempty"`
	UpdateSession    *UpdateSession    `json:",omitempty"`
	TerminateProcess *TerminateProcess `json:",omitempty"`
	Drain            *Drain            `json:",omitempty"`

	// for a sink of events
	Publish *Publish `json:",omitempty"`
}

// Receiver is where an effect goes: ToHost, an agent, or a sink of events.
type Receiver string

// ToHost addresses the host that starts and stops instances.
const ToHost Receiver = "host"

// ToHostOf addresses the host of that name, of several; "" is whichever there is.
func ToHostOf(name string) Receiver {
	if name == "" {
		return ToHost
	}
	return ToHost + "/" + Receiver(name)
}

// Host returns the name of the host that r is, "" for whichever there is, and
// whether it is one.
func (r Receiver) Host() (string, bool) {
	if r == ToHost {
		return "", true
	}
	return strings.CutPrefix(string(r), string(ToHost)+"/")
}

// ToAgent addresses the agent of an instance.
func ToAgent(id InstanceID) Receiver { return Receiver("agent/" + id) }

// ToSink addresses a sink of events by its name in the configuration.
func ToSink(name string) Receiver { return Receiver(sinkPrefix + name) }

const sinkPrefix = "sink/"

// Sink returns the name of the sink that r is, and whether it is one.
func (r Receiver) Sink() (string, bool) { return strings.CutPrefix(string(r), sinkPrefix) }

// StartInstance asks the host for an instance.
type StartInstance struct {
	InstanceID InstanceID
	FleetID    FleetID
	Type       string
	Token      string // the secret its agent presents at the link
}

// StopInstance asks the host to end an instance and all it launched, now.
type StopInstance struct{ InstanceID InstanceID }

// Configure is the first command an agent gets: everything it needs to
// prepare its instance and run its processes.
type Configure struct {
	Fleet      Fleet
	Build      Build
	InstanceID InstanceID
	Region     string
	Location   string
}

// Reconfigure replaces the runtime configuration (behaviour 2.5) and the inbound
// permissions (2.8). Both are for the processes that are launched from then on;
// running ones are not touched. Two servers may tell an agent of two changes in
// the wrong order: the highest Revision counts.
type Reconfigure struct {
	Revision     int // of the fleet
	Runtime      RuntimeConfiguration
	InboundPorts []PortPermission `json:",omitempty"`
}

// StartSession gives a process its game session.
type StartSession struct{ Session GameSession }

// UpdateSession tells a process that its game session changed.
type UpdateSession struct {
	Session GameSession
	Reason  string // MATCHMAKING_DATA_UPDATED, BACKFILL_FAILED, ...
	Ticket  string `json:",omitempty"`
}

// TerminateProcess asks a process to end, and ends it by force after the
// grace period of behaviour 2.6.
type TerminateProcess struct {
	ProcessID ProcessID
	Reason    string
	Force     bool // at once, without asking
}

// Drain ends every process of an instance, then the agent: Stopped follows.
// Processes still there at By are ended by force.
type Drain struct {
	By     time.Time
	Reason string
}

// Publish tells a sink of an event (flexmatch 16, behaviour 8.6).
type Publish struct {
	Topic string `json:",omitempty"` // the ARN it was published to; "": to the event bus only
	// Subjects are the tickets or the placement it is about. Events of one
	// subject reach a sink in the order of At, which is after that of every
	// earlier one.
	Subjects []string
	At       time.Time
	Event    string // the envelope, in JSON
}
