package lift

import "time"

// Location is a place that callers named themselves, for computes of their own
// (behaviour 2.13). The other locations are the regions.
type Location struct {
	Name      string // custom-…
	Region    string // whose namespace it belongs to
	Account   string
	CreatedAt time.Time
	Tags      map[string]string `json:",omitempty"`
}

// ARN returns the location's ARN.
func (l *Location) ARN() string { return "arn:aws:gamelift:" + l.Region + "::location/" + l.Name }
