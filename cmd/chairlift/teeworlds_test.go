package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/gamelift"

	"github.com/chairlift-games/chairlift/internal/need"
)

// TestTeeworlds hosts a real game server that knows nothing of GameLift, four
// times on one instance: a session on each, the game asked for its server info
// at the address the API returned, from outside the instance; and silence once
// that process is killed.
func TestTeeworlds(t *testing.T) {
	program := "/usr/games/teeworlds-server"
	if !exists(program) {
		program = need.Program(t, "teeworlds-server", "the Debian package teeworlds-server")
	}
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			s := serve(t, mode)
			ours := fmt.Sprintf("game-%d-%s", os.Getpid(), mode)
			// Never register at public servers; bind to the instance's address.
			fleet := s.up("--wrap", "--processes", "4", "--", program,
				"sv_register 0", "sv_port {port}", "bindaddr {address}", "sv_name {session.name}", "sv_map dm1")
			ctx := context.Background()
			gl := s.client()
			eventually(t, 20*time.Second, "four processes are ready", func() bool {
				u, err := gl.DescribeFleetUtilization(ctx, &gamelift.DescribeFleetUtilizationInput{FleetIds: []string{fleet}})
				return err == nil && len(u.FleetUtilization) == 1 && *u.FleetUtilization[0].ActiveServerProcessCount == 4
			})
			addresses := map[string]bool{}
			for n := range 4 {
				name := fmt.Sprintf("%s-%d", ours, n)
				address := openSession(t, gl, fleet, name)
				addresses[address] = true
				info, err := teeworldsInfo(address, 5*time.Second)
				if err != nil || !strings.Contains(info, name) {
					t.Fatalf("%s at %s answered %q, %v", name, address, info, err)
				}
			}
			if len(addresses) != 4 {
				t.Errorf("four sessions share addresses: %v", addresses)
			}
			// Kill one, and it answers no more; its port says which it is.
			for address := range addresses {
				_, port, _ := strings.Cut(address, ":")
				pid := pidOf(t, "sv_port "+port+" .*"+ours)
				if p, err := os.FindProcess(pid); err != nil || p.Kill() != nil {
					t.Fatalf("cannot kill %d: %v", pid, err)
				}
				eventually(t, 10*time.Second, "the killed game is silent", func() bool {
					_, err := teeworldsInfo(address, 200*time.Millisecond)
					return err != nil
				})
				break
			}
			if out, err := s.run("why", "fleet", fleet); err != nil || !strings.Contains(out, "SERVER_PROCESS_CRASHED") {
				t.Errorf("%v\n%s", err, out)
			}
			if _, err := gl.DeleteFleet(ctx, &gamelift.DeleteFleetInput{FleetId: &fleet}); err != nil {
				t.Fatal(err)
			}
			eventually(t, 40*time.Second, "nothing is left of the fleet", func() bool { return len(s.processes()) == 0 })
			if left, _ := exec.Command("pgrep", "-f", "sv_name "+ours).Output(); len(bytes.TrimSpace(left)) > 0 {
				t.Errorf("games are left: %s", left)
			}
		})
	}
}

// openSession creates a game session and returns the address of its game once
// it is ACTIVE.
func openSession(t *testing.T, gl *gamelift.Client, fleet, name string) string {
	t.Helper()
	ctx := context.Background()
	made, err := gl.CreateGameSession(ctx, &gamelift.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: new(int32(4)), Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GameSession.GameSessionId
	var address string
	eventually(t, 20*time.Second, "the session is ACTIVE", func() bool {
		d, err := gl.DescribeGameSessions(ctx, &gamelift.DescribeGameSessionsInput{GameSessionId: id})
		if err != nil || len(d.GameSessions) != 1 || d.GameSessions[0].Status != "ACTIVE" {
			return false
		}
		address = net.JoinHostPort(*d.GameSessions[0].IpAddress, strconv.Itoa(int(*d.GameSessions[0].Port)))
		return true
	})
	return address
}

// pidOf finds the process with this argument.
func pidOf(t *testing.T, argument string) int {
	t.Helper()
	out, err := exec.Command("pgrep", "-f", "^[^ ]*teeworlds.*"+argument).Output()
	if err != nil {
		t.Fatalf("no process has %q: %v", argument, err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(out))[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// teeworldsInfo asks a Teeworlds 0.7 server for its info, as the game's server
// browser does: first for a token, then for the info with it.
func teeworldsInfo(address string, patience time.Duration) (string, error) {
	c, err := net.Dial("udp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	const ours = 0x01020304
	deadline := time.Now().Add(patience)
	ask := func(packet []byte, answer func([]byte) bool) error {
		buf := make([]byte, 2048)
		for time.Now().Before(deadline) {
			if _, err := c.Write(packet); err != nil {
				return err
			}
			c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			n, err := c.Read(buf)
			if err == nil && answer(buf[:n]) {
				return nil
			}
			if err != nil {
				time.Sleep(20 * time.Millisecond) // a refused port answers at once
			}
		}
		return fmt.Errorf("no answer from %s within %s", address, patience)
	}

	// A control packet (flag 1, shifted by two) with no token yet: message 5
	// asks for one, and is padded so that it cannot be used to amplify.
	hello := append([]byte{0x04, 0, 0, 0xff, 0xff, 0xff, 0xff, 5}, binary.BigEndian.AppendUint32(nil, ours)...)
	hello = append(hello, make([]byte, 512)...)
	var token []byte
	err = ask(hello, func(b []byte) bool {
		if len(b) < 12 || b[7] != 5 || binary.BigEndian.Uint32(b[3:]) != ours {
			return false
		}
		token = bytes.Clone(b[8:12])
		return true
	})
	if err != nil {
		return "", err
	}
	// A connectionless packet (flag 8, version 1) with both tokens.
	request := append([]byte{0x21}, token...)
	request = binary.BigEndian.AppendUint32(request, ours)
	request = append(request, "\xff\xff\xff\xffgie3\x01"...)
	var info string
	err = ask(request, func(b []byte) bool {
		i := bytes.Index(b, []byte("\xff\xff\xff\xffinf3"))
		if i >= 0 {
			info = string(b[i+8:])
		}
		return i >= 0
	})
	return info, err
}
