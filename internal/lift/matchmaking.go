package lift

import "time"

// RuleSet is a FlexMatch rule set by the name callers gave it. It never
// changes (flexmatch 1).
type RuleSet struct {
	Name      string
	Region    string
	Account   string
	Body      string // valid when it was made
	CreatedAt time.Time
	Tags      map[string]string `json:",omitempty"`
}

// ARN returns the rule set's ARN.
func (r *RuleSet) ARN() string {
	return "arn:aws:gamelift:" + r.Region + ":" + r.Account + ":matchmakingruleset/" + r.Name
}

// FlexMatchMode says what becomes of a match.
type FlexMatchMode string

const (
	WithQueue  FlexMatchMode = "WITH_QUEUE" // it is placed through a queue
	Standalone FlexMatchMode = "STANDALONE" // its players are told, nothing else
)

// BackfillMode says who asks for players when a match has open seats.
type BackfillMode string

const (
	BackfillManual    BackfillMode = "MANUAL" // the game does
	BackfillAutomatic BackfillMode = "AUTOMATIC"
)

// MatchmakingConfiguration says how tickets become matches, and what becomes of
// those (flexmatch 10.3).
type MatchmakingConfiguration struct {
	Name                     string
	Region                   string
	Account                  string
	Description              string
	RuleSet                  string // its name
	Mode                     FlexMatchMode
	Queues                   []string `json:",omitempty"` // ARNs, with WITH_QUEUE
	RequestTimeoutSeconds    int
	AcceptanceRequired       bool
	AcceptanceTimeoutSeconds int // 0: never given
	Backfill                 BackfillMode
	AdditionalPlayers        int        // seats that stay free in every match
	Properties               []Property `json:",omitempty"` // of the game session of a match
	Data                     string     // likewise
	CustomEventData          string
	NotificationTarget       string
	CreatedAt                time.Time
	Tags                     map[string]string `json:",omitempty"`
}

// ARN returns the configuration's ARN.
func (m *MatchmakingConfiguration) ARN() string {
	return "arn:aws:gamelift:" + m.Region + ":" + m.Account + ":matchmakingconfiguration/" + m.Name
}
