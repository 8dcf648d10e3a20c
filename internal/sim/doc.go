// Package sim is a world in a box: the real engine and operations on a store in
// memory, the real cores of agents and of the link, and around them a network,
// a host, game servers and clients that behave badly. Everything happens in
// one goroutine and in the world's own time, in an order that the seed decides.
//
// The seed also chooses how large a world is and which faults there are at
// all. Checks look at every commit; some time later the faults stop, and the
// world has to come to rest. The room knows every other but those that face
// people; nothing knows it.
//
//	out := sim.Run(7, sim.Options{})
//	if out.Err != nil { … } // sim.Run(7, sim.Options{Trace: os.Stdout}) tells the story
package sim
