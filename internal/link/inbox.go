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
	waiting     []lift.Effect // not taken yet, in the order of their arrival
	known       map[lift.EffectID]*heardOf
	unconfirmed []lift.EffectID // taken, in that order
	confirmed   []lift.EffectID // the oldest first
	remember    int             // how many confirmed ones are kept
	say         []lift.EffectID // to acknowledge, on this connection
}

type heardOf struct {
	taken     bool
	confirmed bool
	saying    bool // in say
}

func newInbox(remember int) inbox {
	return inbox{remember: remember, known: map[lift.EffectID]*heardOf{}}
}

// receive takes commands as they arrive.
func (i *inbox) receive(effects []lift.Effect) error {
	for _, ef := range effects {
		if ef.ID == "" {
			return protocol("a command without an id")
		}
		if k := i.known[ef.ID]; k != nil {
			// The service counts a copy as under way until it is acknowledged.
			i.acknowledge(ef.ID, k)
			continue
		}
		if len(i.waiting) >= waitingCommands {
			return protocol("more than %d commands", waitingCommands)
		}
		i.known[ef.ID] = &heardOf{}
		i.waiting = append(i.waiting, ef)
	}
	return nil
}

func (i *inbox) took(id lift.EffectID) {
	if len(i.waiting) == 0 || i.waiting[0].ID != id {
		return
	}
	i.waiting[0] = lift.Effect{}
	i.waiting = i.waiting[1:]
	k := i.known[id]
	k.taken = true
	i.unconfirmed = append(i.unconfirmed, id)
	i.acknowledge(id, k)
}

func (i *inbox) acknowledge(id lift.EffectID, k *heardOf) {
	if k.taken && !k.saying {
		k.saying = true
		i.say = append(i.say, id)
	}
}

// confirm says that the service has forgotten these commands.
func (i *inbox) confirm(ids []lift.EffectID) {
	for _, id := range ids {
		k := i.known[id]
		if k == nil || !k.taken || k.confirmed {
			continue
		}
		k.confirmed = true
		i.confirmed = append(i.confirmed, id)
		if at := slices.Index(i.unconfirmed, id); at >= 0 {
			i.unconfirmed = slices.Delete(i.unconfirmed, at, at+1)
		}
	}
	if n := len(i.confirmed) - i.remember; n > 0 {
		for _, id := range i.confirmed[:n] {
			delete(i.known, id)
		}
		i.confirmed = i.confirmed[n:]
	}
}

// resume begins a connection: what the last one may have lost is said again.
func (i *inbox) resume() {
	for _, id := range i.say {
		if k := i.known[id]; k != nil {
			k.saying = false
		}
	}
	i.say = nil
	for _, id := range i.unconfirmed {
		i.acknowledge(id, i.known[id])
	}
}

func (i *inbox) compose(c *composer) {
	if len(i.say) == 0 {
		return
	}
	ids := i.say[:min(len(i.say), frameGot)]
	c.value("got", ids)
	for _, id := range ids {
		if k := i.known[id]; k != nil {
			k.saying = false
		}
	}
	i.say = i.say[len(ids):]
}
