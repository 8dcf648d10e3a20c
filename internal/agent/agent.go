package agent

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
)

// Config says which instance an agent is, and where it lives.
type Config struct {
	Server   string // how to reach the service; see link.Options
	TLS      *tls.Config
	Instance lift.InstanceID
	Token    string // the secret it presents at the link

	Dir      string // the instance's own folder: archive and logs
	Game     string // where the build goes; default Dir/game
	Metadata string // where gamelift-metadata.json goes; default Dir/metadata
	Address  string // where players reach the instance
	Shared   bool   // it has the machine's own address, ports and files

	// Start starts a process so that it ends with the agent, as host.Lease
	// does. The default only starts it.
	Start func(*exec.Cmd) error

	Pace   fleet.Pace // default fleet.LocalPace
	Limits Limits
	Log    *slog.Logger // default: none
}

// gcPercent is how much garbage an agent lets gather, in percent of what lives.
// With it an agent of two processes measured 19 MB resident, 4.5 of them its own
// and the rest the program, which all agents of a machine share.
const gcPercent = 50

// ConfigFor is the configuration of an agent that a host started.
func ConfigFor(l *host.Lease) Config {
	p := l.Place
	return Config{
		Server: p.Server, Instance: p.ID, Token: p.Token,
		Dir: p.Dir, Game: p.GameDir(), Metadata: p.MetadataDir(),
		Address: p.Address, Shared: !p.Isolated, Start: l.Start,
	}
}

// Link is what an agent needs of its link to the service; *link.Agent is one.
type Link interface {
	Report(ctx context.Context, ev lift.Event) error
	Ask(ctx context.Context, ev lift.Event) (lift.Reply, error)
	Commands() <-chan lift.Effect
	Flush(ctx context.Context) error
	FetchBuild(ctx context.Context, w io.Writer) (int64, error)
	AppendLog(ctx context.Context, key string, offset int64, r io.Reader) (size int64, err error)
}

// Run is the life of an instance. It returns nil when the service drained it,
// or ctx ended and everything it launched is gone; an error when it could not
// begin, or the service does not know it any more. Either way nothing it
// launched is left.
func Run(ctx context.Context, cfg Config) error {
	// A machine runs many agents beside games that want its memory: collect
	// garbage earlier than a server would.
	debug.SetGCPercent(gcPercent)
	l, err := link.NewAgent(link.Options{Server: cfg.Server, Instance: cfg.Instance, Token: cfg.Token, TLS: cfg.TLS, Log: cfg.Log})
	if err != nil {
		return err
	}
	return runOver(ctx, cfg, l, l.Run)
}

// runOver runs the agent over a link that connected keeps alive until its
// context ends or there is no point any more.
func runOver(ctx context.Context, cfg Config, l Link, connected func(context.Context) error) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	s, err := newShell(cfg, l)
	if err != nil {
		return err
	}
	// The link outlives ctx: the end has to be reported.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, gctx := errgroup.WithContext(background)
	g.Go(func() error {
		err := connected(gctx)
		if gctx.Err() != nil {
			return nil
		}
		s.lost(err)
		return err
	})
	err = s.run(ctx, background)
	stop()
	return errors.Join(err, g.Wait())
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Instance == "":
		return c, errors.New("an agent needs the id of its instance; hosts set it in its environment")
	case c.Dir == "":
		return c, errors.New("an agent needs a folder for its instance; hosts set it in its environment")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, err
	}
	c.Dir = dir
	if c.Game == "" {
		c.Game = filepath.Join(dir, "game")
	}
	if c.Metadata == "" {
		c.Metadata = filepath.Join(dir, "metadata")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, folder := range []string{c.Game, c.Metadata, c.logs()} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return c, fmt.Errorf("making the folders of instance %s: %w", c.Instance, err)
		}
	}
	return c, nil
}

// logs is the folder of captured output.
func (c Config) logs() string { return filepath.Join(c.Dir, "logs") }

// newToken makes the secret by which server processes are let in at the door:
// letters and digits only, as some SDKs put it into a URL as it is.
func newToken() string { return rand.Text() }
