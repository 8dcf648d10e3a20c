package lift

import "time"

// Event is what an agent tells the service. Exactly one of the pointers is
// set. Events of one agent are numbered and handled in order, each once.
type Event struct {
	At time.Time // by the agent's clock; for people, never for deciding

	Stage            *StageReached     `json:",omitempty"`
	Failed           *InstanceFailed   `json:",omitempty"`
	Notice           *Notice           `json:",omitempty"`
	ProcessStarted   *ProcessStarted   `json:",omitempty"`
	ProcessConnected *ProcessConnected `json:",omitempty"`
	ProcessReady     *ProcessReady     `json:",omitempty"`
	ProcessHealth    *ProcessHealth    `json:",omitempty"`
	ProcessEnding    *ProcessEnding    `json:",omitempty"`
	ProcessExited    *ProcessExited    `json:",omitempty"`
	Stopped          *Stopped          `json:",omitempty"`

	// These and the question are answered with a Reply.
	ActivateSession *ActivateSession `json:",omitempty"`
	AcceptPlayer    *AcceptPlayer    `json:",omitempty"`
	RemovePlayer    *RemovePlayer    `json:",omitempty"`
	PlayerPolicy    *SetPlayerPolicy `json:",omitempty"`
	StartBackfill   *StartBackfill   `json:",omitempty"`
	StopBackfill    *StopBackfill    `json:",omitempty"`
	DescribePlayers *DescribePlayers `json:",omitempty"`
}

// WantsReply reports whether a game server waits for the outcome of e.
func (e *Event) WantsReply() bool {
	return e.ActivateSession != nil || e.AcceptPlayer != nil || e.RemovePlayer != nil ||
		e.PlayerPolicy != nil || e.StartBackfill != nil || e.StopBackfill != nil || e.DescribePlayers != nil
}

// Process is the process that e is about, or empty.
func (e *Event) Process() ProcessID {
	switch {
	case e.ProcessStarted != nil:
		return e.ProcessStarted.ProcessID
	case e.ProcessConnected != nil:
		return e.ProcessConnected.ProcessID
	case e.ProcessReady != nil:
		return e.ProcessReady.ProcessID
	case e.ProcessHealth != nil:
		return e.ProcessHealth.ProcessID
	case e.ProcessEnding != nil:
		return e.ProcessEnding.ProcessID
	case e.ProcessExited != nil:
		return e.ProcessExited.ProcessID
	case e.ActivateSession != nil:
		return e.ActivateSession.ProcessID
	case e.AcceptPlayer != nil:
		return e.AcceptPlayer.ProcessID
	case e.RemovePlayer != nil:
		return e.RemovePlayer.ProcessID
	case e.PlayerPolicy != nil:
		return e.PlayerPolicy.ProcessID
	case e.StartBackfill != nil:
		return e.StartBackfill.ProcessID
	case e.StopBackfill != nil:
		return e.StopBackfill.ProcessID
	case e.DescribePlayers != nil:
		return e.DescribePlayers.ProcessID
	}
	return ""
}

// Stage is how far the preparation of an instance came (behaviour 2.3).
type Stage string

const (
	StageDownloading     Stage = "DOWNLOADING"      // fetching the archive
	StageExtracting      Stage = "EXTRACTING"       // unpacking it; the message tells what was in it
	StageInstalling      Stage = "INSTALLING"       // running the install script
	StageInstalled       Stage = "INSTALLED"        // the script ended well; Log holds its output
	StageValidating      Stage = "VALIDATING"       // looking at the files
	StageValidatingPaths Stage = "VALIDATING_PATHS" // looking up every launch path; the message says what was found
	StageBuilding        Stage = "BUILDING"         // finishing the instance
	StageActivating      Stage = "ACTIVATING"       // launching processes
	StageActive          Stage = "ACTIVE"           // set by the service at the first ready process
)

// StageReached says that an instance entered a stage.
type StageReached struct {
	Stage   Stage
	Message string `json:",omitempty"`
	Log     string `json:",omitempty"` // key of the stage's log
	Address string `json:",omitempty"` // the instance's own, told with the first stage
}

// InstanceFailed says that an instance cannot be prepared. The agent then
// waits for its end.
type InstanceFailed struct {
	Code    EventCode
	Message string // exit code, last output lines, the cause found by looking
	Log     string `json:",omitempty"`
}

// Notice is a fleet event that changes nothing else.
type Notice struct {
	Code    EventCode
	Message string
	Log     string `json:",omitempty"`
}

// ProcessStarted says that a process was launched.
type ProcessStarted struct {
	ProcessID  ProcessID
	LaunchPath string
	Parameters string `json:",omitempty"`
	OSPID      int
}

// ProcessConnected says that a process called InitSDK.
type ProcessConnected struct {
	ProcessID   ProcessID
	SDKVersion  string `json:",omitempty"`
	SDKLanguage string `json:",omitempty"`
}

// ProcessReady says that a process waits for a game session.
type ProcessReady struct {
	ProcessID ProcessID
	Port      int
	LogPaths  []string `json:",omitempty"`
}

// ProcessHealth says that the health of a process changed.
type ProcessHealth struct {
	ProcessID ProcessID
	Healthy   bool
}

// ProcessEnding says that a process announced its end.
type ProcessEnding struct{ ProcessID ProcessID }

// ProcessExited says that a process is gone.
type ProcessExited struct {
	ProcessID ProcessID
	Code      EventCode `json:",omitempty"` // empty for an orderly end
	Message   string    `json:",omitempty"` // launchPath(...), exit code, last output lines
	ExitCode  int
	Log       string `json:",omitempty"`
}

// Stopped is the last word of an agent: everything it launched is gone.
type Stopped struct{ Reason string }

// ActivateSession says that a game server is ready for players.
type ActivateSession struct {
	ProcessID ProcessID
	SessionID GameSessionID
}

// AcceptPlayer asks whether a player may come in.
type AcceptPlayer struct {
	ProcessID ProcessID
	SessionID GameSessionID
	PlayerID  PlayerSessionID
}

// RemovePlayer says that a player left.
type RemovePlayer struct {
	ProcessID ProcessID
	SessionID GameSessionID
	PlayerID  PlayerSessionID
}

// SetPlayerPolicy opens or closes a game session for new players.
type SetPlayerPolicy struct {
	ProcessID ProcessID
	SessionID GameSessionID
	Policy    PlayerPolicy
}

// StartBackfill asks for more players for the match that a process hosts.
type StartBackfill struct {
	ProcessID     ProcessID
	SessionID     GameSessionID
	Configuration string   // the matchmaker's ARN
	TicketID      TicketID `json:",omitempty"` // "" has one made
	Players       []TicketPlayer
}

// StopBackfill takes a StartBackfill back.
type StopBackfill struct {
	ProcessID     ProcessID
	SessionID     GameSessionID
	Configuration string
	TicketID      TicketID
}

// DescribePlayers asks for player sessions by exactly one of the three ids.
type DescribePlayers struct {
	ProcessID       ProcessID
	GameSessionID   GameSessionID   `json:",omitempty"`
	PlayerSessionID PlayerSessionID `json:",omitempty"`
	PlayerID        string          `json:",omitempty"`
	Status          string          `json:",omitempty"`
	NextToken       string          `json:",omitempty"`
	Limit           int             `json:",omitempty"`
}

// Reply answers a game server's request. Status is 200 or one of the codes of
// the Server SDK protocol (server-sdk A.2).
type Reply struct {
	Status    int
	Message   string          `json:",omitempty"`
	Players   []PlayerSession `json:",omitempty"`
	NextToken string          `json:",omitempty"`
	TicketID  TicketID        `json:",omitempty"` // of StartBackfill
}
