package lift

import "time"

// PeeringAuthorization lets fleets of one account be connected with a network
// of another, for a day (behaviour 2.19).
type PeeringAuthorization struct {
	Region      string
	FleetOwner  string // the account whose fleets may be connected
	PeerAccount string // the account that owns the network, and gave the authorization
	PeerNetwork string // vpc-…
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// PeeringStatus is a state of a Peering.
type PeeringStatus string

const (
	PeeringInitiating PeeringStatus = "initiating-request"
	PeeringActive     PeeringStatus = "active"
	PeeringFailed     PeeringStatus = "failed"
)

// Peering connects the network of a fleet with another one.
type Peering struct {
	ID          PeeringID
	FleetID     FleetID
	Region      string
	Account     string // the fleet's
	PeerAccount string
	PeerNetwork string
	Status      PeeringStatus
	Message     string
	WithFleet   bool // asked for at the fleet's creation: the fleet fails with it (behaviour 2.3)
	CreatedAt   time.Time
}
