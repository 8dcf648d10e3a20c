package cli

import (
	"fmt"
	"strings"

	"github.com/chairlift-games/chairlift/api"
)

// WhyCmd says why something is as it is.
type WhyCmd struct {
	Connection
	Kind string `arg:"" help:"fleet, process, placement, session or ticket." enum:"fleet,process,placement,session,ticket"`
	ID   string `arg:"" help:"Its id."`
}

// Run prints what it is, why, and what to do next.
func (c *WhyCmd) Run(w *World) error {
	gl, err := c.client(w)
	if err != nil {
		return err
	}
	switch c.Kind {
	case "fleet":
		return c.fleet(w, gl)
	case "process":
		return c.process(w, gl)
	case "placement":
		return c.placement(w, gl)
	case "session":
		return c.session(w, gl)
	}
	return c.ticket(w, gl)
}

func (c *WhyCmd) fleet(w *World, gl *api.Client) error {
	out, err := gl.ExplainFleet(w.Ctx, &api.ExplainFleetInput{FleetId: c.ID})
	if err != nil {
		return err
	}
	w.Printf("fleet %s is %s\n", deref(out.FleetId), deref(out.Status))
	reasons(w, out.Reasons, out.Next)
	if p := deref(out.Processes); p != "" {
		w.Printf("\nserver processes: %s\n", p)
	}
	for _, i := range out.Instances {
		w.Printf("instance %s %s (%s) %s: %s\n", deref(i.InstanceId), deref(i.Status), deref(i.Stage), deref(i.IpAddress), deref(i.Processes))
	}
	if len(out.Events) > 0 {
		w.Printf("\nlast events:\n")
	}
	for _, e := range out.Events {
		w.Printf("  %s %-45s %s\n", e.EventTime.Local().Format("15:04:05.000"), deref(e.EventCode), indented(deref(e.Message)))
	}
	return nil
}

func (c *WhyCmd) process(w *World, gl *api.Client) error {
	out, err := gl.ExplainProcess(w.Ctx, &api.ExplainProcessInput{ProcessId: c.ID})
	if err != nil {
		return err
	}
	w.Printf("process %s is %s\n", deref(out.ProcessId), deref(out.State))
	reasons(w, out.Reasons, out.Next)
	if len(out.Lines) > 0 {
		w.Printf("\nits last lines:\n")
	}
	for _, l := range out.Lines {
		w.Printf("  %s\n", deref(l.Text))
	}
	return nil
}

func (c *WhyCmd) placement(w *World, gl *api.Client) error {
	out, err := gl.ExplainPlacement(w.Ctx, &api.ExplainPlacementInput{PlacementId: c.ID})
	if err != nil {
		return err
	}
	w.Printf("placement %s in queue %s is %s after %d attempts\n", deref(out.PlacementId), deref(out.GameSessionQueueName), deref(out.Status), deref(out.Attempts))
	reasons(w, out.Reasons, out.Next)
	for _, s := range out.Skipped {
		w.Printf("  passed over %s: %s", deref(s.Place), deref(s.Reason))
		if d := deref(s.Detail); d != "" {
			w.Printf(" (%s)", d)
		}
		w.Printf("\n")
	}
	return nil
}

func (c *WhyCmd) session(w *World, gl *api.Client) error {
	out, err := gl.ExplainSession(w.Ctx, &api.ExplainSessionInput{GameSessionId: c.ID})
	if err != nil {
		return err
	}
	w.Printf("game session %s is %s\n", deref(out.GameSessionId), deref(out.Status))
	reasons(w, out.Reasons, out.Next)
	return nil
}

func (c *WhyCmd) ticket(w *World, gl *api.Client) error {
	out, err := gl.ExplainTicket(w.Ctx, &api.ExplainTicketInput{TicketId: c.ID})
	if err != nil {
		return err
	}
	w.Printf("matchmaking ticket %s of %s is %s\n", deref(out.TicketId), deref(out.ConfigurationName), deref(out.Status))
	reasons(w, out.Reasons, out.Next)
	return nil
}

// reasons prints why, and what can be done about it.
func reasons(w *World, why, next []string) {
	for _, r := range why {
		w.Printf("  %s\n", indented(r))
	}
	for _, n := range next {
		w.Printf("  → %s\n", indented(n))
	}
}

// indented keeps the lines of a text below its first.
func indented(s string) string {
	return strings.ReplaceAll(fmt.Sprint(s), "\n", "\n      ")
}
