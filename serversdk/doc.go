// Package serversdk lets a game server written in Go be hosted by Chairlift, or
// by any service that speaks generation 5 of the GameLift Server SDK protocol.
//
// A game server connects with [Init], says what it can do with
// [Server.ProcessReady], and is then given one game session:
//
//	server, err := serversdk.Init(ctx, serversdk.Params{}) // the environment says where and who
//	...
//	err = server.ProcessReady(ctx, serversdk.ProcessParameters{
//		Port: 7777,
//		OnStartGameSession: func(s serversdk.GameSession) {
//			loadMap(s.GameProperties["map"])
//			server.ActivateGameSession(ctx)
//		},
//		OnProcessTerminate: func() { stopGame() },
//	})
//
// When a player connects and shows a player session id, the game server asks
// [Server.AcceptPlayerSession]; when the player leaves it says
// [Server.RemovePlayerSession]; when the game is over, [Server.ProcessEnding],
// and exits.
//
// The package keeps the connection: it reconnects for as long as it takes,
// repeats calls whose answer was lost, sends heartbeats, and follows the service
// to a new address. A game goes on while the service is away; only calls wait.
//
// It depends on nothing else of Chairlift, so a game server may use it with
// whatever hosts it.
package serversdk
