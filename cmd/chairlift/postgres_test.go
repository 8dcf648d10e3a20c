package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/gamelift"

	"github.com/chairlift-games/chairlift/internal/store/pgtest"
)

// TestOnPostgres takes a fleet to ACTIVE, a session and a player on PostgreSQL,
// across a restart that finds everything again.
func TestOnPostgres(t *testing.T) {
	s := serve(t, "shared", "--store", pgtest.URL(t))
	fleet := s.up(filepath.Join(bin, "arena"), "--params=-port {port}")
	gl := s.client()
	address := openSession(t, gl, fleet, "first")
	s.kill()
	s.start()
	sessions, err := gl.DescribeGameSessions(context.Background(), &gamelift.DescribeGameSessionsInput{FleetId: &fleet})
	if err != nil || len(sessions.GameSessions) != 1 || *sessions.GameSessions[0].Name != "first" {
		t.Fatalf("after a restart: %v, %v", sessions, err)
	}
	player, err := gl.CreatePlayerSession(context.Background(), &gamelift.CreatePlayerSessionInput{
		GameSessionId: sessions.GameSessions[0].GameSessionId, PlayerId: new("alice"),
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(bin, "arena-bot"), "-address", address, "-player-session", *player.PlayerSession.PlayerSessionId, "-play", "300ms").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"in":true`) {
		t.Fatalf("the player did not get in: %v\n%s", err, out)
	}
	if found, _ := filepath.Glob(filepath.Join(s.data, "*.db")); len(found) > 0 {
		t.Errorf("it keeps a database of its own, too: %v", found)
	}
}

// TestStoreIsExplained starts the service with stores it cannot use.
func TestStoreIsExplained(t *testing.T) {
	for store, want := range map[string]string{
		"postgres://a:hunter2@127.0.0.1:1/x": "127.0.0.1:1 cannot be reached: start it, or correct --store",
		"mysql://a:hunter2@127.0.0.1/x":      "postgres://USER:PASSWORD@HOST/DATABASE",
	} {
		out, err := exec.Command(filepath.Join(bin, "chairlift"), "serve", "--addr", "127.0.0.1:0", "--host", "none", "--data", t.TempDir(), "--store", store).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "hunter2") {
			t.Errorf("%s: %v\n%s", store, err, out)
		}
	}
}
