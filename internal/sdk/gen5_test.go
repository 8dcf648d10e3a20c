package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chairlift-games/chairlift/internal/golden"
)

// clientFrames returns the frames of testdata/clients.txt.
func clientFrames(t testing.TB) (lines []string) {
	text, err := os.ReadFile("testdata/clients.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "    ") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func TestDecodeFrames(t *testing.T) {
	var out bytes.Buffer
	for _, line := range clientFrames(t) {
		fmt.Fprintln(&out, line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		switch got := DecodeFrame5([]byte(line)); {
		case got.RequestID == "":
			fmt.Fprintln(&out, "    nobody to answer")
		case got.Err != nil:
			fmt.Fprintf(&out, "    %v\n", got.Err)
		default:
			fmt.Fprintf(&out, "    %#v\n", got.Request)
		}
	}
	golden.File(t, "testdata/clients.txt", out.String())
}

// Everything the door says, as it goes over the wire.
func TestEncodeFrames(t *testing.T) {
	at := time.UnixMilli(1_795_539_069_080)
	var out bytes.Buffer
	for _, r := range []SendReply{
		{RequestID: "r1", Action: "AcceptPlayerSession"},
		{RequestID: "r2", Action: "AcceptPlayerSession", Err: Errorf(http.StatusNotFound, "no player session %q & <no> other", "x")},
		{RequestID: "r3", Action: "AcceptPlayerSession", Err: &Error{StatusCode: 409}},
		{RequestID: "r4", Action: "AcceptPlayerSession", Err: &Error{StatusCode: 200, Message: "an error is never a success"}},
		{RequestID: "r5", Action: "GetComputeCertificate", Reply: ComputeCertificate{}},
		{RequestID: "r6", Action: "DescribePlayerSessions", Reply: PlayerSessions{}},
		{RequestID: "r7", Action: "DescribePlayerSessions", Reply: PlayerSessions{NextToken: "next", Sessions: []PlayerSession{
			{PlayerSessionID: "psess-1", PlayerID: "ada", GameSessionID: "gs", FleetID: "f", PlayerData: "d", IPAddress: "10.0.0.1", DNSName: "h", Port: 7777, CreationTime: at, Status: "ACTIVE"},
			{PlayerSessionID: "psess-2", CreationTime: at, TerminationTime: at.Add(time.Second + 400*time.Microsecond), Status: "COMPLETED"},
		}}},
		{RequestID: "r8", Action: "StartMatchBackfill", Reply: BackfillTicket{TicketID: "t"}},
	} {
		fmt.Fprintf(&out, "%s\n", EncodeReply5(r))
	}
	for _, p := range []Push{
		CreateGameSession{GameSessionID: "gs", GameSessionName: "n", GameSessionData: "d", MaximumPlayerSessionCount: 4, IPAddress: "10.0.0.1", DNSName: "h", Port: 7777, MatchmakerData: `{"matchId":"m"}`, GameProperties: map[string]string{"b": "2", "a": "1"}},
		CreateGameSession{GameSessionID: "gs"},
		UpdateGameSession{GameSession: GameSession{GameSessionID: "gs", Name: "n", FleetID: "f", Location: "l", GameProperties: map[string]string{"a": "1"}, Status: "ACTIVE"}, UpdateReason: "BACKFILL_FAILED", BackfillTicketID: "t"},
		UpdateGameSession{},
		TerminateProcess{TerminationTime: at},
		RefreshConnection{Endpoint: "ws://127.0.0.1:9080/server-sdk", Token: "t"},
	} {
		fmt.Fprintf(&out, "%s\n", EncodePush5(p))
	}
	golden.File(t, "testdata/door.txt", out.String())
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// The largest push there is fits (server-sdk A.0 rule 3).
func TestLargePush(t *testing.T) {
	frame := EncodePush5(CreateGameSession{MatchmakerData: strings.Repeat(`"`, 390_000), GameSessionData: strings.Repeat("é", 262_144)})
	var back struct{ MatchmakerData, GameSessionData string }
	if err := json.Unmarshal(frame, &back); err != nil || len(back.MatchmakerData) != 390_000 || len(back.GameSessionData) != 2*262_144 {
		t.Errorf("%v, %d and %d bytes", err, len(back.MatchmakerData), len(back.GameSessionData))
	}
}

func FuzzDecodeFrame5(f *testing.F) {
	for _, line := range clientFrames(f) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		got := DecodeFrame5(frame)
		if (got.Request == nil) == (got.Err == nil) {
			t.Fatalf("request %v, error %v", got.Request, got.Err)
		}
		if got.RequestID == "" {
			return
		}
		if got.Request != nil && got.Request.Action() != got.Action {
			t.Fatalf("%q was read as %q", got.Action, got.Request.Action())
		}
		// Whatever was asked, the answer says which question it is for.
		var head struct {
			Action, RequestID string
			StatusCode        int
		}
		reply := EncodeReply5(SendReply{RequestID: got.RequestID, Action: got.Action, Err: got.Err})
		if err := json.Unmarshal(reply, &struct {
			Action     *string
			RequestID  *string `json:"RequestId"`
			StatusCode *int
		}{&head.Action, &head.RequestID, &head.StatusCode}); err != nil {
			t.Fatalf("the answer %s: %v", reply, err)
		}
		if utf8.ValidString(got.RequestID) && head.RequestID != got.RequestID || (head.StatusCode == 200) != (got.Err == nil) {
			t.Fatalf("the answer to %q is %s", frame, reply)
		}
	})
}
