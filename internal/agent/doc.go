// Package agent is an instance: it prepares a machine for a build, keeps the
// configured server processes running, opens the Server SDK door for them, and
// tells the service what happens.
//
// [Core] decides: how far the preparation is, how long each process may take for
// what, what an exit means, what a game server may ask. It has no goroutine, no
// clock, no socket; it takes events with the time they happened at and returns
// actions. [Run] is the shell around it: one goroutine with a mailbox, the
// launcher, the stages of the preparation, the door, and the link to the service.
//
// The agent decides nothing that is the service's: which process gets a game
// session, who may join one, how many instances there are. It works while the
// service is away and reports later. It keeps nothing across its own end: what
// it launched ends with it, and the service replaces the instance.
//
//	err := agent.Run(ctx, agent.Config{InstanceID: id, …})
package agent
