//go:build unix

package agent_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/serversdk"
)

// TestMain makes a game server of this program when its first argument says so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-game" {
		os.Exit(game(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// game is a small game server. Game properties tell a session how to end: by
// itself ("end"), in a crash ("crash"), or not at all.
func game(args []string) int {
	flags := flag.NewFlagSet("game", flag.ExitOnError)
	port := flags.Int("port", 0, "where players connect, with UDP")
	mode := flags.String("mode", "", "crash: at once; deaf: ignores the request to end; stray: leaves a process behind")
	flags.String("note", "", "appears in the log")
	_ = flags.Parse(args)
	ctx := context.Background()
	switch *mode {
	case "crash":
		fmt.Println("loading the map")
		fmt.Println("panic: there is no map")
		return 3
	case "stray":
		stray := exec.Command("sleep", "1000")
		stray.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := stray.Start(); err != nil {
			fmt.Println(err)
		}
		fmt.Printf("stray %d\n", stray.Process.Pid)
	case "deaf":
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
	}
	players, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		fmt.Println(err)
		return 4
	}
	defer players.Close()
	server, err := serversdk.Init(ctx, serversdk.Params{})
	if err != nil {
		fmt.Println(err)
		return 5
	}
	over := make(chan int, 1)
	finish := func() {
		if err := server.ProcessEnding(ctx); err != nil {
			fmt.Println(err)
		}
		over <- 0
	}
	err = server.ProcessReady(ctx, serversdk.ProcessParameters{
		Port:          players.LocalAddr().(*net.UDPAddr).Port,
		OnHealthCheck: func() bool { return true },
		OnStartGameSession: func(s serversdk.GameSession) {
			if err := server.ActivateGameSession(ctx); err != nil {
				fmt.Println("activate:", err)
				return
			}
			if id := s.GameProperties["accept"]; id != "" {
				fmt.Println("accept:", server.AcceptPlayerSession(ctx, id))
			}
			switch s.GameProperties["then"] {
			case "end":
				finish()
			case "crash":
				fmt.Println("oops")
				over <- 7
			}
		},
		OnProcessTerminate: func() {
			if *mode != "deaf" {
				finish()
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return 6
	}
	fmt.Println("ready with", strings.Join(args, " "))
	select {
	case code := <-over:
		server.Close()
		return code
	case <-time.After(time.Minute): // a test that went wrong
		return 9
	}
}
