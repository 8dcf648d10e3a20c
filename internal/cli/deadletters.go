package cli

import (
	"errors"

	"github.com/chairlift-games/chairlift/api"
)

// DeadLettersCmd is about events that a sink did not take.
type DeadLettersCmd struct {
	List  DeadLettersListCmd  `cmd:"" help:"List the events that sinks did not take, and why."`
	Retry DeadLettersRetryCmd `cmd:"" help:"Send events again: the given ones, or all of a sink."`
}

// DeadLettersListCmd lists them.
type DeadLettersListCmd struct {
	Connection
	Sink   string `help:"Only those of this sink."`
	Events bool   `help:"Print the events themselves, one a line, and nothing else."`
}

// Run prints a line for each dead letter.
func (c *DeadLettersListCmd) Run(w *World) error {
	cl, err := c.client(w)
	if err != nil {
		return err
	}
	in := &api.ListDeadLettersInput{}
	if c.Sink != "" {
		in.Sink = &c.Sink
	}
	n := 0
	for {
		out, err := cl.ListDeadLetters(w.Ctx, in)
		if err != nil {
			return err
		}
		for _, d := range out.DeadLetters {
			n++
			if c.Events {
				w.Printf("%s\n", deref(d.Event))
				continue
			}
			w.Printf("%s %s %s of %s, %d attempts: %s\n", deref(d.DeadLetterId), deref(d.Sink), deref(d.Type), d.EventTime.Local().Format("2006-01-02 15:04:05"), deref(d.Attempts), indented(deref(d.Reason)))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if n == 0 && !c.Events {
		w.Printf("there are no dead letters\n")
	}
	return nil
}

// DeadLettersRetryCmd sends them again.
type DeadLettersRetryCmd struct {
	Connection
	Sink string   `help:"All of this sink."`
	ID   []string `arg:"" optional:"" help:"Their ids, as list prints them."`
}

// Run says how many are on their way.
func (c *DeadLettersRetryCmd) Run(w *World) error {
	if (c.Sink == "") == (len(c.ID) == 0) {
		return errors.New("name the dead letters to send again by their ids, or all of a sink with --sink")
	}
	cl, err := c.client(w)
	if err != nil {
		return err
	}
	in := &api.RetryDeadLettersInput{DeadLetterIds: c.ID}
	if c.Sink != "" {
		in.Sink = &c.Sink
	}
	out, err := cl.RetryDeadLetters(w.Ctx, in)
	if err != nil {
		return err
	}
	w.Printf("%d on their way again\n", deref(out.Retried))
	return nil
}
