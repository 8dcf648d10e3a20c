package lift

import "time"

// BuildStatus is a state of behaviour 1.1.
type BuildStatus string

const (
	BuildInitialized BuildStatus = "INITIALIZED"
	BuildReady       BuildStatus = "READY"
	BuildFailed      BuildStatus = "FAILED"
)

// Build is a set of game server files.
type Build struct {
	ID               BuildID
	Region           string
	Account          string
	Name             string
	Version          string
	OperatingSystem  string // AMAZON_LINUX_2023, WINDOWS_2016, ...
	ServerSDKVersion string
	Status           BuildStatus
	Reason           string  // why FAILED
	SizeBytes        int64   // of the archive; 0 until READY
	Bucket, Key      string  // where the archive lies
	Source           *Object `json:",omitempty"` // what the archive is a copy of; nil: it was uploaded
	CreatedAt        time.Time
	UploadBy         time.Time         // INITIALIZED builds fail then
	ReceivedAt       time.Time         // when its files had arrived; while INITIALIZED they are being checked
	Deleted          bool              // gone for callers; the files stay until no fleet needs them (behaviour 1.4)
	Tags             map[string]string `json:",omitempty"`
}

// Object is a file in a bucket that callers fill themselves.
type Object struct {
	Bucket, Key string
	Version     string `json:",omitempty"` // empty: the latest there is
	RoleARN     string `json:",omitempty"` // as given; nothing is read with it
}

// RoutingType tells the two routing strategies of an alias apart.
type RoutingType string

const (
	RoutingSimple   RoutingType = "SIMPLE"
	RoutingTerminal RoutingType = "TERMINAL"
)

// Alias is a name that leads to a fleet, or to a message that ends the way
// (behaviour 6).
type Alias struct {
	ID          AliasID
	Region      string
	Account     string
	Name        string
	Description string
	Routing     RoutingType
	FleetID     FleetID // SIMPLE
	Message     string  // TERMINAL
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Tags        map[string]string `json:",omitempty"`
}
