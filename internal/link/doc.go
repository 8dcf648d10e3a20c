// Package link is the resumable conversation between an agent and the
// service. Either side may lose the connection, or its whole process, and go
// on: events are numbered and handled once, in order; a command is handed out
// once; a question is answered once. docs/link.md describes the protocol.
//
// Two cores decide everything and touch no socket, clock or goroutine:
// [AgentEnd], which lives as long as its agent, and [ServiceEnd], which lives
// as long as one connection. Two thin shells move their bytes: [Agent] dials,
// [Hub] is an http.Handler. The room knows what an event and an effect look
// like, and nothing of what they do; what must survive a crash of the service
// is kept by the [Service] behind the hub, in its own transactions.
//
//	a, err := link.NewAgent(link.Options{Server: "unix:/run/chairlift.sock", Instance: id, Token: token})
//	go a.Run(ctx)
//	reply, err := a.Ask(ctx, lift.Event{AcceptPlayer: &lift.AcceptPlayer{...}})
package link
