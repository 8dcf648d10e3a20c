package lift

import (
	"strings"
	"time"
)

// FleetStatus is a state of behaviour 2.1.
type FleetStatus string

const (
	FleetNew         FleetStatus = "NEW"
	FleetDownloading FleetStatus = "DOWNLOADING"
	FleetValidating  FleetStatus = "VALIDATING"
	FleetBuilding    FleetStatus = "BUILDING"
	FleetActivating  FleetStatus = "ACTIVATING"
	FleetActive      FleetStatus = "ACTIVE"
	FleetError       FleetStatus = "ERROR"
	FleetDeleting    FleetStatus = "DELETING"
	FleetTerminated  FleetStatus = "TERMINATED"
)

// Preparing reports whether the first instance is still being prepared.
func (s FleetStatus) Preparing() bool {
	switch s {
	case FleetNew, FleetDownloading, FleetValidating, FleetBuilding, FleetActivating:
		return true
	}
	return false
}

// Protection says whether scaling down may end a game session.
type Protection string

const (
	NoProtection   Protection = "NoProtection"
	FullProtection Protection = "FullProtection"
)

// Fleet is a group of instances that run one build.
type Fleet struct {
	ID              FleetID
	Region          string
	Account         string
	Name            string
	Description     string
	BuildID         BuildID
	OperatingSystem string
	InstanceType    string
	FleetType       string // ON_DEMAND, SPOT
	Status          FleetStatus
	Reason          string // why ERROR, as the last failure event says
	Protection      Protection
	CreatorLimit    CreatorLimit
	Runtime         RuntimeConfiguration
	InboundPorts    []PortPermission `json:",omitempty"`
	Revision        int              `json:",omitempty"` // counts the changes of these two
	MetricGroups    []string         `json:",omitempty"`
	LogPaths        []string         `json:",omitempty"`
	LaunchPath      string           // the legacy ServerLaunchPath, as given
	LaunchParams    string           // the legacy ServerLaunchParameters
	InstanceRoleARN string
	Capacity        Capacity
	ScalingStopped  bool // its scaling policies rest (behaviour 2.18)
	CreatedAt       time.Time
	ActivateBy      time.Time // a fleet still preparing then fails
	TerminatedAt    time.Time
	RetryAt         time.Time         // instances that failed are replaced no earlier
	EarlyExits      int               // processes that ended before the first one was ready
	Retries         int               // consecutive failures of instances of an ACTIVE fleet
	LookAt          time.Time         // when fleet.Plan wants to be asked again; zero: only when something happens
	Tags            map[string]string `json:",omitempty"`
}

// ARN returns the fleet's ARN.
func (f *Fleet) ARN() string { return FleetARN(f.Region, f.ID) }

// Reconfigure returns what its instances are told of changes.
func (f *Fleet) Reconfigure() Reconfigure {
	return Reconfigure{Revision: f.Revision, Runtime: f.Runtime, InboundPorts: f.InboundPorts}
}

// Windows reports whether the fleet's build names a Windows system.
func (f *Fleet) Windows() bool { return strings.HasPrefix(f.OperatingSystem, "WINDOWS") }

// Capacity is how many instances a fleet may, must and should have.
type Capacity struct {
	Desired, Min, Max int
}

// CreatorLimit allows a creator Sessions game sessions in each window of
// Minutes (behaviour 2.16). The zero value limits nobody.
type CreatorLimit struct {
	Sessions int
	Minutes  int
}

// PortPermission opens ports FromPort to ToPort, both included.
type PortPermission struct {
	FromPort, ToPort int
	IPRange          string
	Protocol         string
}

// RuntimeConfiguration says which server processes each instance runs
// (behaviour 2.5).
type RuntimeConfiguration struct {
	ServerProcesses []ServerProcess
	// MaxActivations caps the game sessions in ACTIVATING on one instance; 0: no cap.
	MaxActivations int `json:",omitempty"`
	// ActivationTimeoutSeconds is 0 if not set; see ActivationTimeout.
	ActivationTimeoutSeconds int `json:",omitempty"`
}

// ServerProcess is one entry of a runtime configuration.
type ServerProcess struct {
	LaunchPath string
	Parameters string `json:",omitempty"`
	Count      int    // processes to keep running, 1..50
}

// DefaultActivationTimeout holds when a runtime configuration names none
// (behaviour 2.5, a choice).
const DefaultActivationTimeout = 300 * time.Second

// ActivationTimeout is how long a game session may stay ACTIVATING.
func (r RuntimeConfiguration) ActivationTimeout() time.Duration {
	if r.ActivationTimeoutSeconds == 0 {
		return DefaultActivationTimeout
	}
	return time.Duration(r.ActivationTimeoutSeconds) * time.Second
}

// Total is the number of processes an instance should run.
func (r RuntimeConfiguration) Total() int {
	n := 0
	for _, p := range r.ServerProcesses {
		n += p.Count
	}
	return n
}

// InstanceStatus is a state of behaviour 2.7, and TERMINATED for one that is
// gone but remembered for a while.
type InstanceStatus string

const (
	InstancePending     InstanceStatus = "PENDING"
	InstanceActive      InstanceStatus = "ACTIVE"
	InstanceTerminating InstanceStatus = "TERMINATING"
	InstanceTerminated  InstanceStatus = "TERMINATED"
)

// Instance is one agent and what it launched.
type Instance struct {
	ID        InstanceID
	FleetID   FleetID
	Region    string
	Location  string
	Type      string
	Status    InstanceStatus
	Stage     Stage  // how far its preparation came
	Address   string // where players reach it; empty until its host says
	DNSName   string
	TokenHash string // hex SHA-256 of the secret its agent presents
	Host      string `json:",omitempty"` // the name of the host it is on, where there are several
	// Activating counts its game sessions in ACTIVATING. It is kept only when
	// the fleet sets a cap, which it then guards.
	Activating int
	CreatedAt  time.Time
	ReadyAt    time.Time // when it became ACTIVE
	StopBy     time.Time // a TERMINATING instance is ended by force then
	EndedAt    time.Time
	Reason     string // why it ended
}

// FleetEvent is an entry of a fleet's event log (behaviour 2.4).
type FleetEvent struct {
	ID      EventID
	FleetID FleetID
	Region  string
	Code    EventCode
	Message string
	Log     string // key of a stored log, if there is one
	Count   int
	At      time.Time
}

// EventCode names a fleet event; the full list is in the API's model.
type EventCode string

const (
	GenericEvent              EventCode = "GENERIC_EVENT"
	FleetCreated              EventCode = "FLEET_CREATED"
	FleetDeleted              EventCode = "FLEET_DELETED"
	FleetScaling              EventCode = "FLEET_SCALING_EVENT"
	FleetProtectionUpdated    EventCode = "FLEET_NEW_GAME_SESSION_PROTECTION_POLICY_UPDATED"
	FleetInitializationFailed EventCode = "FLEET_INITIALIZATION_FAILED"
	FleetDownloadFailed       EventCode = "FLEET_BINARY_DOWNLOAD_FAILED"
	FleetExtractingBuild      EventCode = "FLEET_CREATION_EXTRACTING_BUILD"
	FleetRunningInstaller     EventCode = "FLEET_CREATION_RUNNING_INSTALLER"
	FleetCompletedInstaller   EventCode = "FLEET_CREATION_COMPLETED_INSTALLER"
	FleetFailedInstaller      EventCode = "FLEET_CREATION_FAILED_INSTALLER"
	FleetValidatingRuntime    EventCode = "FLEET_CREATION_VALIDATING_RUNTIME_CONFIG"
	FleetLaunchPathNotFound   EventCode = "FLEET_VALIDATION_LAUNCH_PATH_NOT_FOUND"
	FleetExecutableFailure    EventCode = "FLEET_VALIDATION_EXECUTABLE_RUNTIME_FAILURE"
	FleetActivationFailed     EventCode = "FLEET_ACTIVATION_FAILED"
	FleetNoInstances          EventCode = "FLEET_ACTIVATION_FAILED_NO_INSTANCES"
	FleetStateError           EventCode = "FLEET_STATE_ERROR"
	PeeringSucceeded          EventCode = "FLEET_VPC_PEERING_SUCCEEDED"
	PeeringFailedEvent        EventCode = "FLEET_VPC_PEERING_FAILED"
	PeeringDeleted            EventCode = "FLEET_VPC_PEERING_DELETED"
	InstanceReplaced          EventCode = "INSTANCE_REPLACED_UNHEALTHY"
	ProcessInvalidPath        EventCode = "SERVER_PROCESS_INVALID_PATH"
	ProcessInitTimeout        EventCode = "SERVER_PROCESS_SDK_INITIALIZATION_TIMEOUT"
	ProcessReadyTimeout       EventCode = "SERVER_PROCESS_PROCESS_READY_TIMEOUT"
	ProcessCrashed            EventCode = "SERVER_PROCESS_CRASHED"
	ProcessUnhealthy          EventCode = "SERVER_PROCESS_TERMINATED_UNHEALTHY"
	ProcessForceTerminated    EventCode = "SERVER_PROCESS_FORCE_TERMINATED"
	ProcessExitTimeout        EventCode = "SERVER_PROCESS_PROCESS_EXIT_TIMEOUT"
	SessionActivationTimeout  EventCode = "GAME_SESSION_ACTIVATION_TIMEOUT"
)

// StateEvent is the event that tells that a fleet reached s.
func StateEvent(s FleetStatus) EventCode { return EventCode("FLEET_STATE_" + string(s)) }
