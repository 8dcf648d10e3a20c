// Package wrap hosts a game server that knows nothing of GameLift: it speaks
// the Server SDK in its place, starts it when a game session comes, with
// arguments made from the session, calls it healthy while it runs, and ends it
// when told to.
//
// It must not know the service: it is an ordinary game server on serversdk.
//
//	err := wrap.Run(ctx, wrap.Options{Command: []string{"teeworlds_srv", "sv_port {port}"}})
package wrap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/chairlift-games/chairlift/serversdk"
)

// Options say what to run and how to deal with it.
type Options struct {
	Command []string // program and arguments, with placeholders; see Expand
	Port    int      // where players connect; 0 takes a free one
	Address string   // {address}; default CHAIRLIFT_INSTANCE_ADDRESS, else 0.0.0.0

	// Early starts the program at once and says ready when it listens, instead
	// of waiting for a game session. Its arguments then hold nothing of one.
	Early bool

	// ReadyAfter is how long to wait after the start where it cannot be seen
	// that the program listens on its port; default 1 s.
	ReadyAfter time.Duration
	// ReadyWithin is how long it may take to listen; default 60 s.
	ReadyWithin time.Duration
	// StopWithin is how long it may take to end after the polite signal;
	// default 20 s. Then it is killed.
	StopWithin time.Duration

	// LeavePlayers lets reservations time out. By default every reserved player
	// is accepted, since the program cannot do that itself.
	LeavePlayers bool
	AcceptEvery  time.Duration // how often to look for reserved players; default 2 s

	Stdout, Stderr io.Writer // the program's; default those of this process
}

func (o Options) withDefaults() (Options, error) {
	if len(o.Command) == 0 {
		return o, errors.New("nothing to wrap: put the game server's command after --")
	}
	if o.Port == 0 {
		port, err := freePort()
		if err != nil {
			return o, err
		}
		o.Port = port
	}
	o.Address = cmp.Or(o.Address, os.Getenv("CHAIRLIFT_INSTANCE_ADDRESS"), "0.0.0.0")
	o.ReadyAfter = cmp.Or(o.ReadyAfter, time.Second)
	o.ReadyWithin = cmp.Or(o.ReadyWithin, time.Minute)
	o.StopWithin = cmp.Or(o.StopWithin, 20*time.Second)
	o.AcceptEvery = cmp.Or(o.AcceptEvery, 2*time.Second)
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	return o, nil
}

// ExitError says that the program ended by itself with a failure; the wrapper
// then exits with the same code and without ProcessEnding, so that the end
// counts as the crash it is.
type ExitError struct {
	Program string
	Code    int
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("%s ended with exit code %d", e.Program, e.Code)
}

// Run speaks for the program until it has ended or ctx has. It returns nil
// after an orderly end.
func Run(ctx context.Context, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	server, err := serversdk.Init(ctx, serversdk.Params{ToolName: "chairlift-wrap"})
	if err != nil {
		return fmt.Errorf("no connection to the agent: %w", err)
	}
	defer server.Close()

	var child *child
	exited := func() <-chan int { // nil, so never ready, while there is no program
		if child == nil {
			return nil
		}
		return child.exited
	}
	sessions := make(chan serversdk.GameSession, 1)
	terminate := make(chan struct{}, 1)
	if o.Early {
		if child, err = launch(ctx, o, serversdk.GameSession{}); err != nil {
			return err
		}
	}
	err = server.ProcessReady(ctx, serversdk.ProcessParameters{
		Port:               o.Port,
		OnStartGameSession: func(s serversdk.GameSession) { sessions <- s },
		OnProcessTerminate: func() {
			select {
			case terminate <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		if child != nil {
			child.stop(o.StopWithin)
		}
		return fmt.Errorf("ProcessReady: %w", err)
	}
	accept := time.NewTicker(o.AcceptEvery)
	defer accept.Stop()
	playing := false
	for {
		select {
		case s := <-sessions:
			if child == nil {
				if child, err = launch(ctx, o, s); err != nil {
					return err
				}
			}
			if err := server.ActivateGameSession(ctx); err != nil {
				child.stop(o.StopWithin)
				return fmt.Errorf("ActivateGameSession: %w", err)
			}
			playing = true
		case <-accept.C:
			if playing && !o.LeavePlayers {
				acceptReserved(ctx, server)
			}
		case code := <-exited():
			if code != 0 {
				return &ExitError{Program: o.Command[0], Code: code}
			}
			return server.ProcessEnding(ctx)
		case <-terminate:
			if child != nil {
				child.stop(o.StopWithin)
			}
			return server.ProcessEnding(ctx)
		case <-ctx.Done():
			if child != nil {
				child.stop(o.StopWithin)
			}
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return server.ProcessEnding(end)
		}
	}
}

// launch starts the program and waits until it listens.
func launch(ctx context.Context, o Options, s serversdk.GameSession) (*child, error) {
	args, err := Expand(o.Command, Values{Port: o.Port, Address: o.Address, Session: s})
	if err != nil {
		return nil, err
	}
	c, err := start(args, o.Stdout, o.Stderr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be started: %w", args[0], err)
	}
	deadline := time.Now().Add(o.ReadyWithin)
	settled := time.Now().Add(o.ReadyAfter)
	for {
		up, known := listens(o.Port)
		if up || !known && time.Now().After(settled) {
			return c, nil
		}
		if time.Now().After(deadline) {
			c.stop(o.StopWithin)
			return nil, fmt.Errorf("%s did not listen on port %d within %s; does its command use {port}?", args[0], o.Port, o.ReadyWithin)
		}
		select {
		case code := <-c.exited:
			return nil, &ExitError{Program: args[0], Code: code}
		case <-ctx.Done():
			c.stop(o.StopWithin)
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// acceptReserved lets in everybody who holds a reservation. A failure is not
// worth ending a game for: the next round tries again.
func acceptReserved(ctx context.Context, server *serversdk.Server) {
	s, ok := server.GameSession()
	if !ok {
		return
	}
	found, err := server.DescribePlayerSessions(ctx, serversdk.DescribePlayerSessionsRequest{GameSessionID: s.GameSessionID, StatusFilter: "RESERVED"})
	if err != nil {
		return
	}
	for _, p := range found.Sessions {
		_ = server.AcceptPlayerSession(ctx, p.PlayerSessionID)
	}
}

// freePort finds a port that is free for UDP and for TCP. GameLift knows ports
// up to 60000.
func freePort() (int, error) {
	for range 200 {
		tcp, err := net.Listen("tcp", ":0")
		if err != nil {
			return 0, fmt.Errorf("no port is free: %w", err)
		}
		port := tcp.Addr().(*net.TCPAddr).Port
		udp, err := net.ListenPacket("udp", ":"+strconv.Itoa(port))
		tcp.Close()
		if err != nil {
			continue
		}
		udp.Close()
		if port <= 60000 {
			return port, nil
		}
	}
	return 0, errors.New("no port up to 60000 is free for UDP and TCP; name one with --port")
}
