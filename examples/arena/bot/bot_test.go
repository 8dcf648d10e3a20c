package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"

	"github.com/chairlift-games/chairlift/examples/arena/arenaproto"
)

// gameServer lets in who shows a session that starts with "good".
func gameServer(t *testing.T) (host string, port int32) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 2000)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			switch m, _ := arenaproto.Parse(b[:n]); m := m.(type) {
			case arenaproto.Hello:
				var answer arenaproto.Message = arenaproto.Welcome{Number: 1, TickHz: 20}
				if !strings.HasPrefix(m.PlayerSessionID, "good") {
					answer = arenaproto.Denied{Reason: "unknown"}
				}
				conn.WriteToUDPAddrPort(arenaproto.Append(nil, answer), from)
			case arenaproto.Input:
				conn.WriteToUDPAddrPort(arenaproto.Append(nil, arenaproto.Snapshot{Players: []arenaproto.PlayerState{{Number: 1, Score: 7}}}), from)
			}
		}
	}()
	return "127.0.0.1", int32(conn.LocalAddr().(*net.UDPAddr).Port)
}

// service is a GameLift API with just enough behind it. Everything is done at
// the third question.
type service struct {
	host   string
	port   int32
	status types.GameSessionPlacementState // how placements end
	ticket types.MatchmakingConfigurationStatus

	mu       sync.Mutex
	asked    int
	accepted int
	players  []types.DesiredPlayerSession
	ids      map[string][]string // players of a ticket
}

func (s *service) CreatePlayerSession(_ context.Context, in *gamelift.CreatePlayerSessionInput, _ ...func(*gamelift.Options)) (*gamelift.CreatePlayerSessionOutput, error) {
	if *in.GameSessionId != "arn" {
		return nil, &types.NotFoundException{Message: new("no such session")}
	}
	return &gamelift.CreatePlayerSessionOutput{PlayerSession: &types.PlayerSession{
		PlayerSessionId: new("good-" + *in.PlayerId), PlayerId: in.PlayerId, IpAddress: &s.host, Port: &s.port,
	}}, nil
}

func (s *service) StartGameSessionPlacement(_ context.Context, in *gamelift.StartGameSessionPlacementInput, _ ...func(*gamelift.Options)) (*gamelift.StartGameSessionPlacementOutput, error) {
	s.players = in.DesiredPlayerSessions
	return &gamelift.StartGameSessionPlacementOutput{GameSessionPlacement: &types.GameSessionPlacement{PlacementId: in.PlacementId, Status: "PENDING"}}, nil
}

func (s *service) DescribeGameSessionPlacement(_ context.Context, in *gamelift.DescribeGameSessionPlacementInput, _ ...func(*gamelift.Options)) (*gamelift.DescribeGameSessionPlacementOutput, error) {
	p := &types.GameSessionPlacement{PlacementId: in.PlacementId, Status: "PENDING"}
	if s.asked++; s.asked == 3 {
		p.Status, p.IpAddress, p.Port, p.GameSessionArn = s.status, &s.host, &s.port, new("arn")
		for _, d := range s.players {
			p.PlacedPlayerSessions = append(p.PlacedPlayerSessions, types.PlacedPlayerSession{PlayerId: d.PlayerId, PlayerSessionId: new("good-" + *d.PlayerId)})
		}
	}
	return &gamelift.DescribeGameSessionPlacementOutput{GameSessionPlacement: p}, nil
}

func (s *service) StartMatchmaking(_ context.Context, in *gamelift.StartMatchmakingInput, _ ...func(*gamelift.Options)) (*gamelift.StartMatchmakingOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := "ticket-" + *in.Players[0].PlayerId
	for _, p := range in.Players {
		s.ids[id] = append(s.ids[id], *p.PlayerId)
	}
	return &gamelift.StartMatchmakingOutput{MatchmakingTicket: &types.MatchmakingTicket{TicketId: &id, Status: "QUEUED"}}, nil
}

func (s *service) DescribeMatchmaking(_ context.Context, in *gamelift.DescribeMatchmakingInput, _ ...func(*gamelift.Options)) (*gamelift.DescribeMatchmakingOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := types.MatchmakingTicket{TicketId: &in.TicketIds[0], Status: "REQUIRES_ACCEPTANCE"}
	if s.accepted == len(s.ids) {
		t.Status, t.GameSessionConnectionInfo = s.ticket, &types.GameSessionConnectionInfo{IpAddress: &s.host, Port: &s.port, GameSessionArn: new("arn")}
		for _, p := range s.ids[in.TicketIds[0]] {
			t.Players = append(t.Players, types.Player{PlayerId: &p, Team: new("red")})
			t.GameSessionConnectionInfo.MatchedPlayerSessions = append(t.GameSessionConnectionInfo.MatchedPlayerSessions, types.MatchedPlayerSession{PlayerId: &p, PlayerSessionId: new("good-" + p)})
		}
	}
	return &gamelift.DescribeMatchmakingOutput{TicketList: []types.MatchmakingTicket{t}}, nil
}

func (s *service) AcceptMatch(_ context.Context, in *gamelift.AcceptMatchInput, _ ...func(*gamelift.Options)) (*gamelift.AcceptMatchOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(in.PlayerIds, s.ids[*in.TicketId]) {
		s.accepted++
	}
	return &gamelift.AcceptMatchOutput{}, nil
}

func TestWaysIn(t *testing.T) {
	host, port := gameServer(t)
	direct := address(&host, &port)
	for _, test := range []struct {
		name string
		args string
		in   int
	}{
		{"address", "-address " + direct + " -player-session good-1", 1},
		{"denied", "-address " + direct + " -player-session bad-1", 0},
		{"session", "-session arn -players 3", 3},
		{"no such session", "-session other -players 2", 0},
		{"queue", "-queue q -players 3 -seats 8", 3},
		{"matchmaker", "-matchmaker m -players 2", 2},
		{"parties", "-matchmaker m -players 5 -party 2", 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := parse(strings.Fields(test.args+" -play 200ms -patience 3s -name p"), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			b.api = &service{host: host, port: port, status: "FULFILLED", ticket: "COMPLETED", ids: make(map[string][]string)}
			var out bytes.Buffer
			err = b.run(t.Context(), &out)
			if (err == nil) != (test.in == b.players) {
				t.Errorf("%d of %d in, but: %v", test.in, b.players, err)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(lines) != b.players+1 {
				t.Fatalf("printed:\n%s", out.String())
			}
			for _, text := range lines[:b.players] {
				var l line
				if err := json.Unmarshal([]byte(text), &l); err != nil {
					t.Fatal(err)
				}
				inOrder := l.RequestToSeatMS <= l.RequestToFirstPacketMS && l.RequestToFirstPacketMS <= l.RequestToWelcomeMS
				if l.In != (test.in > 0) || l.In == (l.Error != "") || l.In && (!inOrder || l.Snapshots == 0 || l.Score != 7) {
					t.Error(text)
				}
			}
			var s summary
			if err := json.Unmarshal([]byte(lines[b.players]), &s); err != nil || s.In != test.in || s.Players != b.players {
				t.Error(lines[b.players])
			}
		})
	}
}

func TestNoSeat(t *testing.T) {
	b := &bots{queue: "q", players: 2, timeout: time.Second, api: &service{status: "TIMED_OUT"}}
	var out bytes.Buffer
	if err := b.run(t.Context(), &out); err == nil || strings.Count(out.String(), "ended TIMED_OUT") != 2 {
		t.Errorf("%v\n%s", err, out.String())
	}
	b = &bots{matchmaker: "m", players: 1, timeout: time.Second, api: &service{ticket: "FAILED", ids: make(map[string][]string)}}
	out.Reset()
	if err := b.run(t.Context(), &out); err == nil || !strings.Contains(out.String(), "ended FAILED") {
		t.Errorf("%v\n%s", err, out.String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := byQueue(ctx, &service{asked: 5}, "q", []string{"p"}, 0, traits{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a placement that stays PENDING: %v", err)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range []string{"", "-queue q -session s", "-address a:1", "-player-session p -queue q", "-address a:1 -player-session p -players 2", "-queue q -players 0", "-queue q -party 2", "-matchmaker m -party 0", "-queue q -start yesterday", "-queue q -latency us-west-2", "-queue q -latency us-west-2=-1", "-queue q -attributes =1"} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	b, err := parse([]string{"-queue", "q", "-start", "1700000000123"}, io.Discard)
	if err != nil || b.start.UnixMilli() != 1_700_000_000_123 {
		t.Errorf("%v, %v", b, err)
	}
	b, err = parse([]string{"-queue", "q", "-start", "2026-11-24T16:00:00.5Z"}, io.Discard)
	if err != nil || b.start.Nanosecond() != 500_000_000 {
		t.Errorf("%v, %v", b, err)
	}
}

func TestSpread(t *testing.T) {
	all, err := parseTraits("skill=30..70,mode=ctf", "")
	for i, want := range []float64{30, 50, 70} {
		if got := all.of(i, 3); err != nil || *got.attributes["skill"].N != want || *got.attributes["mode"].S != "ctf" {
			t.Errorf("party %d: %+v, %v", i, got, err)
		}
	}
	if got := all.of(0, 1); *got.attributes["skill"].N != 30 {
		t.Errorf("alone: %+v", got)
	}
}

func TestTraits(t *testing.T) {
	got, err := parseTraits("skill=12.5,mode=ctf", "us-west-2=30,eu-west-1=110")
	if err != nil || *got.attributes["skill"].N != 12.5 || *got.attributes["mode"].S != "ctf" || got.latency["us-west-2"] != 30 || got.latency["eu-west-1"] != 110 {
		t.Errorf("%+v, %v", got, err)
	}
}
