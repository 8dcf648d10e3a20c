package link

import (
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// AgentEnd is the agent's end of the conversation, for the whole life of the
// agent and over all its connections. It is a core: its owner tells it what
// happened and asks it what to send. It is not safe for concurrent use.
//
//	end.Open(now)                        // a connection stands
//	frame, due, err := end.Next(now)     // send it; again until nil, then at due or after news
//	err = end.Receive(now, frame)        // a frame arrived: look for Replies and Command
//	end.Close()                          // the connection is lost
type AgentEnd struct {
	instance lift.InstanceID
	events   outbox
	commands inbox

	open    bool
	greeted bool // hello is sent, on this connection
	welcome bool // welcome has arrived, on this connection
	pulse   pulse
}

// NewAgentEnd begins the life of an agent.
func NewAgentEnd(id lift.InstanceID) *AgentEnd {
	return &AgentEnd{
		instance: id,
		events:   newOutbox(bufferEvents, bufferBytes),
		commands: newInbox(rememberCommands),
	}
}

// Open says that a new connection stands.
func (e *AgentEnd) Open(now time.Time) {
	e.open, e.greeted, e.welcome = true, false, false
	e.pulse = pulse{said: now, heard: now}
}

// Close says that the connection is lost.
func (e *AgentEnd) Close() { e.open, e.welcome = false, false }

// Welcomed reports whether the service has answered on this connection.
func (e *AgentEnd) Welcomed() bool { return e.welcome }

// Report takes an event to tell. The ticket names it in Replies. The error is
// ErrFull: try again after the next Receive; or ErrTooLarge.
func (e *AgentEnd) Report(ev lift.Event) (Ticket, error) { return e.events.add(ev) }

// Replies returns the replies that arrived since it was last called, each
// once in the life of the agent.
func (e *AgentEnd) Replies() []TicketReply {
	r := e.events.replies
	e.events.replies = nil
	return r
}

// Command returns the next command to hand to the agent's owner, the same one
// until it is Took; false if there is none.
func (e *AgentEnd) Command() (lift.Effect, bool) {
	if len(e.commands.waiting) == 0 {
		return lift.Effect{}, false
	}
	return e.commands.waiting[0], true
}

// Took says that the owner has taken the command that Command returned.
func (e *AgentEnd) Took(id lift.EffectID) { e.commands.took(id) }

// Settled reports whether the service has handled everything reported.
func (e *AgentEnd) Settled() bool { return e.events.settled() }

// Receive takes a frame from the service. ErrOtherLife and ErrForgotten end
// the link for good; after any other error the connection is to be dropped.
func (e *AgentEnd) Receive(now time.Time, data []byte) error {
	if !e.open {
		return protocol("a frame without a connection")
	}
	f, err := decode(data)
	if err != nil {
		return err
	}
	e.pulse.heard = now
	if f.Welcome != nil {
		if err := e.resume(f.Welcome); err != nil {
			return err
		}
	}
	if f.Ack == nil && len(f.Command) == 0 {
		return nil
	}
	if !e.welcome {
		return protocol("an answer before the welcome")
	}
	if f.Ack != nil {
		if err := e.events.acknowledge(f.Ack.UpTo, f.Ack.Replies); err != nil {
			return err
		}
		e.commands.confirm(f.Ack.Got)
	}
	return e.commands.receive(f.Command)
}

// resume begins where the service says it is. An agent sends no event before
// its first welcome, so there the service must know of none.
func (e *AgentEnd) resume(w *welcome) error {
	switch {
	case e.welcome || !e.greeted:
		return protocol("a welcome out of turn")
	case w.Version < oldestVersion || w.Version > version:
		return fmt.Errorf("%w: the service wants to speak %d, this agent speaks %d to %d", ErrVersion, w.Version, oldestVersion, version)
	case w.LastEvent > e.events.last:
		return fmt.Errorf("%w: the service has handled event %d, this agent has sent %d", ErrOtherLife, w.LastEvent, e.events.last)
	case w.LastEvent < e.events.acked:
		return fmt.Errorf("%w: it acknowledged event %d and now knows of %d", ErrForgotten, e.events.acked, w.LastEvent)
	}
	e.welcome = true
	e.events.resume(w.LastEvent, w.WindowEvents, w.WindowBytes)
	e.commands.resume()
	return nil
}

// Next returns the next frame to send, or nil and when to ask again if there
// is no news before. ErrSilent says that the connection is to be dropped.
func (e *AgentEnd) Next(now time.Time) (frame []byte, due time.Time, err error) {
	if !e.open {
		return nil, time.Time{}, nil
	}
	if e.pulse.silent(now) {
		return nil, time.Time{}, ErrSilent
	}
	var c composer
	switch {
	case !e.greeted:
		e.greeted = true
		c.value("hello", hello{Version: version, Oldest: oldestVersion, Instance: e.instance})
	case e.welcome:
		e.events.compose(&c)
		e.commands.compose(&c)
		if len(c.buf) > 0 {
			// Alone it would cost the service a transaction to forget a few
			// rows; so it travels only in company.
			if read := e.events.read(); read > 0 {
				c.value("read", read)
			}
		}
	}
	return e.pulse.next(now, &c)
}
