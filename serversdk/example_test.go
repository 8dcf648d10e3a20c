package serversdk_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/sdk/sdktest"
	"github.com/chairlift-games/chairlift/serversdk"
)

// A whole game server, as it is hosted: it finds its host in its environment,
// gets a game session, lets one player in and out, and ends.
func Example() {
	player, stop := hosted()
	defer stop()
	ctx := context.Background()

	server, err := serversdk.Init(ctx, serversdk.Params{ /* the environment has all of it */ })
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	started := make(chan serversdk.GameSession)
	err = server.ProcessReady(ctx, serversdk.ProcessParameters{
		Port:               7777,
		OnStartGameSession: func(s serversdk.GameSession) { started <- s },
		OnProcessTerminate: func() { /* end the game, then server.ProcessEnding */ },
	})
	if err != nil {
		log.Fatal(err)
	}

	session := <-started
	fmt.Println("playing on", session.GameProperties["map"])
	if err := server.ActivateGameSession(ctx); err != nil {
		log.Fatal(err)
	}

	// A player connects and shows a player session id.
	if err := server.AcceptPlayerSession(ctx, player); err != nil {
		log.Fatal(err)
	}
	fmt.Println("one player is in")
	if err := server.RemovePlayerSession(ctx, player); err != nil {
		log.Fatal(err)
	}

	if err := server.ProcessEnding(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("over")
	// Output:
	// playing on forest
	// one player is in
	// over
}

// The service says no with a status code and a sentence.
func ExampleServer_AcceptPlayerSession() {
	_, stop := hosted()
	defer stop()
	ctx := context.Background()
	server, started := readyServer(ctx)
	defer server.Close()
	<-started

	err := server.AcceptPlayerSession(ctx, "psess-made-up")
	if answer, ok := errors.AsType[*serversdk.Error](err); ok && answer.StatusCode == 404 {
		fmt.Println("turn the player away:", answer.Message)
	}
	// Output:
	// turn the player away: no player session "psess-made-up" in this game session
}

// What the service knows of a player, for example the PlayerData the matchmaker
// or the game backend attached.
func ExampleServer_DescribePlayerSessions() {
	player, stop := hosted()
	defer stop()
	ctx := context.Background()
	server, started := readyServer(ctx)
	defer server.Close()
	<-started

	page, err := server.DescribePlayerSessions(ctx, serversdk.DescribePlayerSessionsRequest{PlayerSessionID: player})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range page.Sessions {
		fmt.Println(s.PlayerID, "is", s.Status)
	}
	// Output:
	// ada is RESERVED
}

func readyServer(ctx context.Context) (*serversdk.Server, <-chan serversdk.GameSession) {
	server, err := serversdk.Init(ctx, serversdk.Params{})
	if err != nil {
		log.Fatal(err)
	}
	started := make(chan serversdk.GameSession, 1)
	err = server.ProcessReady(ctx, serversdk.ProcessParameters{
		Port:               7777,
		OnStartGameSession: func(s serversdk.GameSession) { started <- s },
	})
	if err != nil {
		log.Fatal(err)
	}
	return server, started
}

// hosted sets the environment up as a host does, with a player who waits to be
// let in, and returns the player's session.
func hosted() (playerSession string, stop func()) {
	var t setting
	host := sdktest.Start(&t)
	t.set(host.Environment(process))
	player := host.Reserve(session, "ada")
	host.Create(process, sdk.CreateGameSession{GameSessionID: session, Port: 7777, GameProperties: map[string]string{"map": "forest"}})
	return player, t.end
}

// setting stands in for the test that an example does not have.
type setting struct {
	testing.TB
	ends []func()
}

func (s *setting) Helper()                      {}
func (s *setting) Cleanup(f func())             { s.ends = append(s.ends, f) }
func (s *setting) Fatal(args ...any)            { log.Fatal(args...) }
func (s *setting) Fatalf(f string, args ...any) { log.Fatalf(f, args...) }
func (s *setting) Errorf(f string, args ...any) { log.Printf(f, args...) }

func (s *setting) set(environment []string) {
	for _, e := range environment {
		name, value, _ := strings.Cut(e, "=")
		os.Setenv(name, value)
		s.Cleanup(func() { os.Unsetenv(name) })
	}
}

func (s *setting) end() {
	for _, f := range slices.Backward(s.ends) {
		f()
	}
}
