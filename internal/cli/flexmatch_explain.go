package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/match"
)

// FlexmatchExplainCmd says why tickets of a scenario are unmatched.
type FlexmatchExplainCmd struct {
	File   string `arg:"" help:"A scenario file: a rule set and tickets."`
	Ticket string `help:"Only this ticket; default every ticket that waits."`
	At     int    `help:"At this second; default when the scenario ends." default:"-1"`
	Format string `help:"text or json (one object a line)." enum:"text,json" default:"text"`
}

// Run plays the scenario up to the moment and explains.
func (c *FlexmatchExplainCmd) Run(w *World) error {
	s, err := readScenario(c.File)
	if err != nil {
		return err
	}
	at := c.At
	if at < 0 {
		at = s.RunUntilSeconds
	}
	tr, err := s.play(at, nil)
	if err != nil {
		return err
	}
	var ids []match.TicketID
	for id := range tr.tickets {
		if c.Ticket == "" && tr.pool.Status(id) != "" || string(id) == c.Ticket {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if c.Ticket != "" && len(ids) == 0 {
		return fmt.Errorf("the scenario has no ticket %q by second %d", c.Ticket, at)
	}
	if len(ids) == 0 {
		w.Printf("at second %d no ticket waits\n", at)
		return nil
	}
	for _, id := range ids {
		x, err := tr.pool.Explain(scenarioTime(at), id)
		if unknown, ok := errors.AsType[*match.TicketError](err); ok && unknown.Ticket == id {
			printEnded(w, tr, id)
			continue
		} else if err != nil {
			return err
		}
		if c.Format == "json" {
			printJSON(w.Out, explanationJSON(x))
		} else {
			printExplanation(w, x)
		}
	}
	return nil
}

// printEnded tells of a ticket that waits no more.
func printEnded(w *World, tr *trace, id match.TicketID) {
	m := tr.matchOf(string(id))
	list := tr.statuses[id]
	switch {
	case m != nil:
		w.Printf("%s was matched at second %d, with %v\n", id, m.second, m.Tickets)
	case len(list) > 0:
		last := list[len(list)-1]
		w.Printf("%s is %s since second %d. %s\n", id, last.change.To, last.second, last.change.Message)
	}
	for _, e := range tr.events {
		if e.note != "" && slices.Contains(e.Tickets, id) {
			w.Printf("%s was refused: %s\n", id, e.note)
		}
	}
}

func printExplanation(w *World, x match.Explanation) {
	w.Printf("%s is %s for %s\n", x.Ticket, x.Status, x.Age.Round(time.Millisecond))
	for _, line := range x.Summary {
		w.Printf("  %s\n", line)
	}
	if len(x.Near) > 0 {
		w.Printf("  nearest tickets:\n")
	}
	for _, n := range x.Near {
		state := "fits"
		if !n.Fits {
			state = fmt.Sprintf("%s: %s", n.Rule, n.Why)
			if n.FitsIn >= 0 {
				state += fmt.Sprintf(" (fits in %s)", n.FitsIn.Round(100*time.Millisecond))
			}
		}
		w.Printf("    %-12s %d player(s), waits %-6s %s\n", n.Ticket, n.Players, n.Age.Round(time.Second), state)
	}
}

func explanationJSON(x match.Explanation) map[string]any {
	near := []map[string]any{}
	for _, n := range x.Near {
		m := map[string]any{"ticketId": n.Ticket, "players": n.Players, "ageSeconds": n.Age.Seconds(), "fits": n.Fits}
		if !n.Fits {
			m["rule"], m["why"] = n.Rule, n.Why
			if n.FitsIn >= 0 {
				m["fitsInSeconds"] = n.FitsIn.Seconds()
			}
		}
		near = append(near, m)
	}
	helps := []map[string]any{}
	for _, h := range x.Helps {
		helps = append(helps, map[string]any{"inSeconds": h.In.Seconds(), "what": h.What})
	}
	out := map[string]any{
		"ticketId": x.Ticket, "status": x.Status, "ageSeconds": x.Age.Seconds(), "expansionLevel": x.Level,
		"never": append([]string{}, x.Never...), "undecided": x.Undecided, "playersWithin": x.Within, "playersNeeded": x.Needed,
		"seats": x.Seats, "nearest": near, "expansions": helps, "summary": x.Summary,
	}
	if x.Attempt != nil {
		out["attempt"] = map[string]any{"tickets": x.Attempt.Tickets, "rule": x.Attempt.Rule, "why": x.Attempt.Why}
	}
	return out
}
