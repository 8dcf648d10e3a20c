// Package sdk holds the doors game servers knock on with a Server SDK.
//
// A [Door] accepts the WebSocket of generation 5 (SDK 5.0 to 5.6, every
// language), asks its host whether the process may come in, carries the
// process's requests to the host and the host's pushes to the process. It keeps
// what belongs to the conversation and to nothing else: which sockets a process
// has, which push is still on its way, which request was answered how. A socket
// that drops is not the end of anything; pushes wait, answers are repeated, and
// the process goes on where it was (server-sdk A.6).
//
// What the door must not know: what a game session is, when a process is ready,
// healthy or late, who may be accepted. Its host, the [Games] implementation,
// decides that. The agent is one host; the service is another, for processes
// that run without an agent.
//
// [Core] is the part that decides: no goroutine, no clock, no socket. [Door] is
// the shell around it.
//
//	door := sdk.NewDoor(games, sdk.Options{Log: log})
//	ln, err := net.Listen("tcp", "127.0.0.1:0")
//	...
//	go door.Serve(ctx, ln) // ws:// and wss:// on the one port
//	door.Push(process, sdk.CreateGameSession{GameSessionID: arn, Port: 7777})
package sdk
