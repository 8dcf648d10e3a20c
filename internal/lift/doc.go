// Package lift holds the nouns of the service: builds, fleets, instances,
// server processes, game and player sessions, queues and placements; their
// states; the events that agents report; the effects that decisions want
// carried out; and the kinds of error a user can be told.
//
// It knows nothing of storage, the wire, clocks or sockets, and imports none
// of our rooms. Times are handed in; identifiers are made from a time and a
// source of random bytes that the caller owns:
//
//	id := lift.FleetID("fleet-" + lift.UUID(now, ids))
package lift
