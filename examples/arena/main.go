// Arena is a small real-time game server, hosted by Chairlift through the
// GameLift Server SDK: players chase a spark, twenty ticks a second, over UDP.
// It is an example to read and to start from, and what our own demo and crash
// tests host.
//
//	arena -port 7777                 a launch path and its parameters
//	arena -port 0 -journal j.jsonl   any free port; write down what the service says
//
// One process plays one game session. A player's first datagram carries the
// player session id the service gave out; the service is asked whether it is
// good. When everybody has left, the process says ProcessEnding and exits 0.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/chairlift-games/chairlift/serversdk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "arena:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var (
		flags   = flag.NewFlagSet("arena", flag.ContinueOnError)
		port    = flags.Int("port", 7777, "UDP `port` for players; 0 takes a free one")
		bind    = flags.String("bind", "", "`address` to listen on; empty for all")
		tick    = flags.Int("tick", 20, "game steps a second, 1 to 100")
		silence = flags.Duration("silence", 10*time.Second, "a player who says nothing for so long has left")
		wait    = flags.Duration("wait", 5*time.Minute, "end if nobody came for so long")
		linger  = flags.Duration("linger", 3*time.Second, "end when everybody has been gone for so long")
		file    = flags.String("journal", "", "append what the hosting service says to this `file`, as JSON lines")
	)
	flags.SetOutput(stdout)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *tick < 1 || *tick > 100 {
		return fmt.Errorf("-tick %d: give a number from 1 to 100", *tick)
	}
	l := log.New(stdout, "", log.LstdFlags|log.Lmicroseconds)
	var j *journal
	if *file != "" {
		f, err := os.OpenFile(*file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		j = &journal{process: os.Getenv("GAMELIFT_SDK_PROCESS_ID"), w: f}
	}
	conn, err := listen(*bind, *port)
	if err != nil {
		return err
	}
	defer conn.Close()
	g := &game{settings: settings{*tick, *silence, *wait, *linger}, conn: conn, log: l, journal: j}
	return g.play(ctx)
}

// maxPort is the highest port a game server may report (server-sdk A.1); the
// systems we run on hand out higher ones too.
const maxPort = 60000

func listen(bind string, port int) (*net.UDPConn, error) {
	addr, err := net.ResolveUDPAddr("udp", net.JoinHostPort(bind, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("cannot listen for players: %w", err)
	}
	for range 100 {
		conn, err := net.ListenUDP("udp", addr)
		if err != nil {
			return nil, fmt.Errorf("cannot listen for players: %w", err)
		}
		if portOf(conn) <= maxPort {
			return conn, nil
		}
		conn.Close()
		if port != 0 {
			break
		}
	}
	return nil, fmt.Errorf("no free port up to %d, the highest a game server may have", maxPort)
}

func portOf(conn *net.UDPConn) int { return conn.LocalAddr().(*net.UDPAddr).Port }

// game is the process: its life with the hosting service, around one match.
type game struct {
	settings
	conn    *net.UDPConn
	log     *log.Logger
	journal *journal
	server  *serversdk.Server
}

// play is the whole life. It ends when the game does, when the service wants
// the process gone, or with ctx.
func (g *game) play(ctx context.Context) error {
	g.log.Printf("arena listens on UDP %s", g.conn.LocalAddr())
	start := time.Now()
	server, err := serversdk.Init(ctx, serversdk.Params{})
	g.journal.answer("InitSDK", start, "", err)
	if err != nil {
		return err
	}
	defer server.Close()
	g.server = server

	m := newMatch(g.settings, server, g.conn, g.log, g.journal)
	playing := make(chan struct{})
	var begin sync.Once
	start = time.Now()
	err = server.ProcessReady(ctx, serversdk.ProcessParameters{
		Port: portOf(g.conn),
		OnStartGameSession: func(s serversdk.GameSession) {
			g.journal.callback("OnStartGameSession", s.GameSessionID, s)
			g.log.Printf("game session %s %q for %d players", s.GameSessionID, s.Name, s.MaximumPlayerSessionCount)
			begin.Do(func() { m.beat.at(time.Now()); close(playing) })
			start := time.Now()
			err := server.ActivateGameSession(context.Background())
			g.journal.answer("ActivateGameSession", start, "", err)
			if err != nil {
				m.end("the service did not activate the game session: " + err.Error())
			}
		},
		OnUpdateGameSession: func(u serversdk.GameSessionUpdate) {
			g.journal.callback("OnUpdateGameSession", u.GameSession.GameSessionID, u)
			g.log.Printf("game session updated: %s", u.UpdateReason)
		},
		OnProcessTerminate: func() {
			until, _ := server.TerminationTime()
			g.journal.callback("OnProcessTerminate", "", map[string]time.Time{"terminationTime": until})
			g.log.Printf("asked to end by %s", until.UTC().Format(time.RFC3339))
			m.end("the service ends this process")
		},
		OnHealthCheck: func() bool {
			healthy := true
			select {
			case <-playing:
				healthy = m.beat.within(10 * time.Second)
			default: // idle
			}
			g.journal.callback("OnHealthCheck", "", healthy)
			return healthy
		},
	})
	g.journal.answer("ProcessReady", start, "", err)
	if err != nil {
		return err
	}
	g.log.Printf("ready for a game session")
	defer context.AfterFunc(ctx, func() { m.end("interrupted") })()

	var why string
	select {
	case why = <-m.stop: // no game was ever given to us
	case <-playing:
		why = m.run()
	}
	g.log.Printf("over: %s", why)
	start = time.Now()
	last, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	err = server.ProcessEnding(last)
	g.journal.answer("ProcessEnding", start, "", err)
	return err
}
