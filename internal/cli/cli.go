// Package cli holds the commands of chairlift that are clients of a running
// service, and those that work at the desk with none. Each command is a struct
// with its flags and a Run method.
//
// They use the API like any other client: GameLift's operations and our own,
// signed with an access key. Nothing here reaches into the service.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// Commands are the subcommands of this package, for the program's parser.
type Commands struct {
	Env         EnvCmd         `cmd:"" help:"Print what a shell needs to point AWS clients at the service: eval \"$(chairlift env)\"."`
	Up          UpCmd          `cmd:"" help:"Upload a folder as a build, create a fleet on it, and follow it until it is ACTIVE or why not."`
	Why         WhyCmd         `cmd:"" help:"Say why a fleet, process, placement, session or ticket is as it is."`
	Logs        LogsCmd        `cmd:"" help:"Show what a fleet, instance, process or game session wrote."`
	Key         KeyCmd         `cmd:"" help:"Make, list and revoke access keys."`
	DeadLetters DeadLettersCmd `cmd:"" help:"Events that a sink did not take: look at them, send them again."`
	Wrap        WrapCmd        `cmd:"" help:"Host a game server that knows nothing of GameLift, as a server process."`
	Import      ImportCmd      `cmd:"" help:"Make here what the describe and list commands of the AWS CLI print of an account elsewhere."`
	Flexmatch   FlexmatchCmd   `cmd:"" help:"The matchmaker at the desk: check, replay, simulate and explain rule sets."`
}

// World is what a command may touch besides the service.
type World struct {
	Ctx    context.Context
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
}

// Printf writes to standard output.
func (w *World) Printf(format string, args ...any) { fmt.Fprintf(w.Out, format, args...) }

// Notice is what `serve` writes into its data folder, so that commands find it.
type Notice struct {
	URL     string
	Region  string
	Account string
}

// NoticeFile is its name there.
const NoticeFile = "server.json"

// Connection says which service a command talks to, and as whom.
type Connection struct {
	Data   string `help:"Data folder of the service, for its address and root key." default:"./chairlift-data" env:"CHAIRLIFT_DATA" type:"path"`
	URL    string `help:"Address of the service; default from AWS_ENDPOINT_URL or the data folder." env:"CHAIRLIFT_URL"`
	Region string `help:"Region; default from AWS_REGION or the data folder." env:"CHAIRLIFT_REGION"`
}

// resolve fills in what the flags leave open: the environment first, as AWS
// clients do, then the data folder.
func (c Connection) resolve(w *World) (Notice, auth.Credentials, error) {
	var n Notice
	noticed := readNotice(c.Data, &n)
	first(&n.URL, c.URL, w.Getenv("AWS_ENDPOINT_URL_GAMELIFT"), w.Getenv("AWS_ENDPOINT_URL"), n.URL)
	first(&n.Region, c.Region, w.Getenv("AWS_REGION"), w.Getenv("AWS_DEFAULT_REGION"), n.Region, "us-west-2")
	if n.URL == "" {
		return n, auth.Credentials{}, fmt.Errorf("no service is known: %w; start one with `chairlift serve`, or name its folder with --data or its address with --url", noticed)
	}
	creds := auth.Credentials{AccessKeyID: w.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: w.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: w.Getenv("AWS_SESSION_TOKEN")}
	if creds.AccessKeyID == "" {
		path := w.Getenv("AWS_SHARED_CREDENTIALS_FILE")
		first(&path, path, filepath.Join(c.Data, "credentials"))
		var err error
		if creds, err = auth.ReadCredentials(path); err != nil {
			return n, creds, fmt.Errorf("no access key: %w; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name the service's data folder with --data", err)
		}
	}
	return n, creds, nil
}

// client returns the API as this connection sees it.
func (c Connection) client(w *World) (*api.Client, error) {
	n, creds, err := c.resolve(w)
	if err != nil {
		return nil, err
	}
	return &api.Client{Invoker: &wire.Client{URL: n.URL, Region: n.Region, Credentials: creds}}, nil
}

func readNotice(dir string, n *Notice) error {
	b, err := os.ReadFile(filepath.Join(dir, NoticeFile))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, n)
}

// first sets *s to the first value that is not empty.
func first(s *string, values ...string) {
	for _, v := range values {
		if v != "" {
			*s = v
			return
		}
	}
}

// deref is the value of an optional member, zero if it is absent.
func deref[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

// Explain puts an error into words for the terminal.
func Explain(err error) string {
	if e, ok := errors.AsType[*wire.APIError](err); ok {
		return fmt.Sprintf("%s (%s)", strings.TrimSpace(e.Message), e.Code)
	}
	return err.Error()
}
