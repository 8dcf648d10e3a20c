// Chairlift hosts multiplayer game servers behind the Amazon GameLift API. This
// is the program: it parses the command line and calls the room that does it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/chairlift-games/chairlift/internal/cli"
	"github.com/chairlift-games/chairlift/internal/demo"
)

// version is set when a release is built.
var version = "development"

type program struct {
	Config kong.ConfigFlag `help:"YAML file with flags: a line 'addr: 127.0.0.1:9080' stands for --addr." placeholder:"FILE"`

	Serve   serveCmd   `cmd:"" help:"Run the service."`
	Demo    demo.Cmd   `cmd:"" help:"Watch bots play on game servers that Chairlift starts: everything at once, in a temporary folder."`
	Agent   agentCmd   `cmd:"" help:"Be the agent of one instance. Hosts start it."`
	Version versionCmd `cmd:"" help:"Print version, commit and Go version."`
	cli.Commands
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	var p program
	exit := -1
	parser, err := kong.New(&p,
		kong.Name("chairlift"),
		kong.Description("Multiplayer game servers on your own machines, behind the Amazon GameLift API."),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { exit = code }),
		kong.DefaultEnvars("CHAIRLIFT"),
		kong.Configuration(readConfig),
	)
	if err != nil {
		fmt.Fprintln(errOut, "chairlift:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(errOut, "chairlift: %v\nRun chairlift --help for the commands, chairlift COMMAND --help for their flags.\n", err)
		return 2
	}
	for _, name := range unknownVariables(parser.Model, os.Environ()) {
		fmt.Fprintf(errOut, "chairlift: the variable %s is not known and has no effect; is it spelled right?\n", name)
	}
	err = parsed.Run(&cli.World{Ctx: ctx, Out: out, Err: errOut, Getenv: os.Getenv})
	if err == nil {
		return 0
	}
	code := 1
	if e, ok := errors.AsType[*cli.ExitCode](err); ok {
		code = e.Code
	}
	if text := cli.Explain(err); text != "" {
		fmt.Fprintln(errOut, "chairlift:", text)
	}
	return code
}

type versionCmd struct{}

func (versionCmd) Run(w *cli.World) error {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	w.Printf("chairlift %s\ncommit %s\n%s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
