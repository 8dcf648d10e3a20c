// Package event puts what became of tickets, matches and placements into the
// words of matchmaking and queue placement events, as clients parse them
// (flexmatch 16 and 17, behaviour 8.6).
//
// It is pure: nouns in, an envelope out. It must not know who hears of an event
// nor how.
//
//	ev := event.News{Configuration: c, ID: id, At: now}.Searching(ticket)
//	body, err := json.Marshal(ev)
package event

import "time"

// Event is the envelope of an event bus, which topics carry too. The members
// of Detail that an event has not are left out.
type Event struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     any      `json:"detail"`
}

// The values of Event.DetailType.
const (
	Matchmaking = "GameLift Matchmaking Event"
	Placement   = "GameLift Queue Placement Event"
)

// Time spells a time as events do: UTC with milliseconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// seconds is how the published placement events spell the time of the envelope,
// and only that.
func seconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func envelope(kind, id, account, at, region, resource string, detail any) Event {
	return Event{
		Version: "0", ID: id, DetailType: kind, Source: "aws.gamelift", Account: account, Time: at, Region: region,
		Resources: []string{resource}, Detail: detail,
	}
}
