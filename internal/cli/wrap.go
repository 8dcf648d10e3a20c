package cli

import (
	"errors"
	"time"

	"github.com/chairlift-games/chairlift/internal/wrap"
)

// WrapCmd hosts an executable without an SDK. It runs inside a fleet, started
// by an agent.
type WrapCmd struct {
	Port         int           `help:"Port players connect to, 1 to 60000; 0 takes a free one." default:"0"`
	Early        bool          `help:"Start the program at once instead of with the game session."`
	ReadyAfter   time.Duration `help:"How long after its start the program counts as ready where its port cannot be watched." default:"1s"`
	ReadyWithin  time.Duration `help:"How long the program may take to listen on its port." default:"1m"`
	StopWithin   time.Duration `help:"How long the program may take to end after the polite signal." default:"20s"`
	LeavePlayers bool          `help:"Let player reservations time out instead of accepting every reserved player."`
	Command      []string      `arg:"" passthrough:"partial" help:"The program and its arguments, after --. Placeholders: {port} {address} {session} {session.name} {session.data} {session.players} {property.KEY:default}."`
}

// Run speaks for the program until it has ended.
func (c *WrapCmd) Run(w *World) error {
	err := wrap.Run(w.Ctx, wrap.Options{
		Command: afterDashes(c.Command), Port: c.Port, Early: c.Early, ReadyAfter: c.ReadyAfter, ReadyWithin: c.ReadyWithin,
		StopWithin: c.StopWithin, LeavePlayers: c.LeavePlayers, Stdout: w.Out, Stderr: w.Err,
	})
	if e, ok := errors.AsType[*wrap.ExitError](err); ok {
		return &ExitCode{Code: e.Code, Err: e}
	}
	return err
}

// afterDashes drops the -- that parts a command from our own flags.
func afterDashes(command []string) []string {
	if len(command) > 0 && command[0] == "--" {
		return command[1:]
	}
	return command
}

// ExitCode is an error that ends the program with a certain code.
type ExitCode struct {
	Code int
	Err  error
}

func (e *ExitCode) Error() string { return e.Err.Error() }
func (e *ExitCode) Unwrap() error { return e.Err }
