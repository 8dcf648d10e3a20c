package lift

import "time"

// GroupStatus is a state of a GameServerGroup.
type GroupStatus string

const (
	GroupActive          GroupStatus = "ACTIVE"
	GroupDeleteScheduled GroupStatus = "DELETE_SCHEDULED" // it goes when none of its servers is UTILIZED
	GroupDeleting        GroupStatus = "DELETING"
)

// GameServerGroup is a set of game servers that callers run themselves
// (behaviour 11). Chairlift starts no instances for it.
type GameServerGroup struct {
	Name       string
	Region     string
	Account    string
	RoleARN    string
	Types      []InstanceDefinition
	Balancing  string
	Protection string
	Suspended  bool // REPLACE_INSTANCE_TYPES is suspended
	Status     GroupStatus
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LookAt     time.Time         // when its deletion goes on
	Tags       map[string]string `json:",omitempty"`
}

// ARN returns the group's ARN.
func (g *GameServerGroup) ARN() string {
	return "arn:aws:gamelift:" + g.Region + ":" + g.Account + ":gameservergroup/" + g.Name
}

// InstanceDefinition is a type of instance a group may have.
type InstanceDefinition struct {
	Type   string
	Weight string `json:",omitempty"`
}

// GameServer is one that somebody registered, and says so again every minute.
type GameServer struct {
	ID             string
	Group          string
	Region         string
	Account        string
	InstanceID     InstanceID // where it runs, as it says
	ConnectionInfo string
	Data           string
	Utilized       bool      // never again available
	ClaimedUntil   time.Time // zero unless claimed
	RegisteredAt   time.Time
	ClaimedAt      time.Time
	HealthyAt      time.Time // when it last said that it is
	LookAt         time.Time // when its silence is judged
}

// Claimed reports whether somebody holds the server at now.
func (s *GameServer) Claimed(now time.Time) bool { return now.Before(s.ClaimedUntil) }
