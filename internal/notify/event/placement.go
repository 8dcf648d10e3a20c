package event

import (
	"strconv"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// PlacementDetail is the detail of a queue placement event. The members from
// Port on are those of PlacementFulfilled.
type PlacementDetail struct {
	Type            string         `json:"type"`
	ID              string         `json:"placementId"`
	StartTime       string         `json:"startTime"`
	EndTime         string         `json:"endTime"`
	Port            string         `json:"port,omitempty"` // a text, as published
	GameSession     string         `json:"gameSessionArn,omitempty"`
	Address         string         `json:"ipAddress,omitempty"`
	DNSName         string         `json:"dnsName,omitempty"`
	Region          string         `json:"gameSessionRegion,omitempty"`
	Players         []PlacedPlayer `json:"placedPlayerSessions,omitempty"`
	CustomEventData string         `json:"customEventData,omitempty"`
}

// PlacedPlayer is the slot that a player got.
type PlacedPlayer struct {
	PlayerID        string `json:"playerId"`
	PlayerSessionID string `json:"playerSessionId"`
}

var placementTypes = map[lift.PlacementStatus]string{
	lift.PlacementFulfilled: "PlacementFulfilled",
	lift.PlacementCancelled: "PlacementCancelled",
	lift.PlacementTimedOut:  "PlacementTimedOut",
	lift.PlacementFailed:    "PlacementFailed",
}

// PlacementEnded says how a placement of queue q ended.
func PlacementEnded(q *lift.Queue, p *lift.Placement, id string, at time.Time) Event {
	d := PlacementDetail{
		Type: placementTypes[p.Status], ID: string(p.ID), StartTime: Time(p.StartedAt), EndTime: Time(p.EndedAt), CustomEventData: q.CustomEventData,
	}
	if p.Status == lift.PlacementFulfilled {
		d.Port, d.GameSession, d.Address, d.DNSName = strconv.Itoa(p.Port), string(p.SessionID), p.Address, p.DNSName
		d.Region = lift.ARNRegion(string(p.SessionID))
		for _, pl := range p.Placed {
			d.Players = append(d.Players, PlacedPlayer{PlayerID: pl.PlayerID, PlayerSessionID: string(pl.PlayerSessionID)})
		}
	}
	return envelope(Placement, id, q.Account, seconds(at), q.Region, q.ARN(), d)
}
