package link

import (
	"slices"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// inbox hands each command of the service to the agent's owner once, however
// often it arrives.
//
// An id is remembered until the service has confirmed that it will not send
// the command again, and a good while longer: a copy may have been on its way
// to the socket when the confirmation overtook it.
type inbox struct {
	waiting     []lift.Effect          // not taken yet, in the order of their arrival
	known       map[lift.EffectID]bool // true: taken
	unconfirmed []lift.EffectID        // taken, in that order
	confirmed   []lift.EffectID        // the oldest first
	remember    int                    // how many confirmed ones are kept
	say         []lift.EffectID        // to acknowledge on this connection, each once
}

func newInbox(remember int) inbox {
	return inbox{remember: remember, known: map[lift.EffectID]bool{}}
}

// receive takes commands as they arrive.
func (i *inbox) receive(effects []lift.Effect) error {
	for _, ef := range effects {
		taken, known := i.known[ef.ID]
		switch {
		case ef.ID == "":
			return protocol("a command without an id")
		case taken:
			// The service counts a copy as under way until it is acknowledged.
			if !slices.Contains(i.say, ef.ID) {
				i.say = append(i.say, ef.ID)
			}
		case known:
		case len(i.waiting) >= waitingCommands:
			return protocol("more than %d commands", waitingCommands)
		default:
			i.known[ef.ID] = false
			i.waiting = append(i.waiting, ef)
		}
	}
	return nil
}

func (i *inbox) took(id lift.EffectID) {
	if len(i.waiting) == 0 || i.waiting[0].ID != id {
		return
	}
	i.waiting[0] = lift.Effect{}
	i.waiting = i.waiting[1:]
	i.known[id] = true
	i.unconfirmed = append(i.unconfirmed, id)
	i.say = append(i.say, id)
}

// confirm says that the service has forgotten these commands.
func (i *inbox) confirm(ids []lift.EffectID) {
	for _, id := range ids {
		at := slices.Index(i.unconfirmed, id)
		if at < 0 {
			continue // not taken, or confirmed before
		}
		i.unconfirmed = slices.Delete(i.unconfirmed, at, at+1)
		i.confirmed = append(i.confirmed, id)
	}
	n := max(0, len(i.confirmed)-i.remember)
	for _, id := range i.confirmed[:n] {
		delete(i.known, id)
	}
	i.confirmed = i.confirmed[n:]
}

// resume begins a connection: what the last one may have lost is said again.
func (i *inbox) resume() { i.say = slices.Clone(i.unconfirmed) }

func (i *inbox) compose(c *composer) {
	if len(i.say) == 0 {
		return
	}
	n := min(len(i.say), frameGot)
	c.value("got", i.say[:n])
	i.say = i.say[n:]
}
