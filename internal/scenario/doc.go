// Package scenario reads and plays texts that say what somebody does with a
// service and what must come of it: calls of the API, and acts of those around
// it, such as a player who joins or a game server that dies.
//
//	session = CreateGameSession {"FleetId": "${fleet.FleetAttributes.FleetId}", "MaximumPlayerSessionCount": 2}
//	seat = CreatePlayerSession {"GameSessionId": "${session.GameSession.GameSessionId}", "PlayerId": "ann"}
//	PlayerJoins {"PlayerSessionId": "${seat.PlayerSession.PlayerSessionId}"}
//
// [Parse] says how they are written, [Play] which acts there are. The texts in
// testdata are played in the simulation, many times and with faults, and on a
// real service with real game servers, which have to agree with them and so with
// each other. Package clients has one more, for AWS clients.
//
// The package knows nothing of how a service works, and the shapes of its API
// only as JSON.
package scenario
