package cli

import (
	"time"

	"github.com/chairlift-games/chairlift/api"
)

// LogsCmd shows output.
type LogsCmd struct {
	Connection
	Follow bool   `short:"f" help:"Go on as more is written, until interrupted."`
	ID     string `arg:"" help:"A fleet, instance, process or game session."`
}

// Run prints each line with the process it came from.
func (c *LogsCmd) Run(w *World) error {
	gl, err := c.client(w)
	if err != nil {
		return err
	}
	var after *string
	for {
		out, err := gl.ReadLogs(w.Ctx, &api.ReadLogsInput{ResourceId: c.ID, After: after})
		if err != nil {
			if w.Ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, l := range out.Lines {
			w.Printf("%s | %s\n", shortID(deref(l.ProcessId)), deref(l.Text))
		}
		after = out.Next
		switch {
		case len(out.Lines) > 0:
		case !c.Follow:
			return nil
		default:
			if pause(w.Ctx, 200*time.Millisecond) != nil {
				return nil
			}
		}
	}
}

// shortID is the end of an id, which is where ids made one after the other
// differ.
func shortID(id string) string {
	if len(id) > 12 {
		return id[len(id)-12:]
	}
	return id
}
