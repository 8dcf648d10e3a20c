package sdk

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/golden"
)

// The stories of testdata/core are read top to bottom. A line is an event; the
// indented lines below it are what the core wants done.
//
//	knock SOCKET PROCESS [TOKEN [IDEMPOTENCYTOKEN]]
//	admitted SOCKET [STATUS]         Games.Connect said yes, or no
//	opened SOCKET · closed SOCKET
//	in SOCKET PROCESS ...            knock, admitted and opened at once, untold
//	hear SOCKET REQUESTID ACTION [ARG]
//	answer PROCESS CALL [STATUS|SESSIONS]
//	push PROCESS create|update|terminate|refresh ARG
//	confirmed SOCKET NUMBER [no]
//	told PROCESS · forget PROCESS
//	wait DURATION                    time passes, with a tick when one is due
func TestStories(t *testing.T) {
	golden.Stories(t, "testdata/core/*.txt", tell)
}

// tell plays a story and returns it with what really happened.
func tell(t *testing.T, story string) string {
	var out bytes.Buffer
	c := NewCore()
	start := time.Unix(1_800_000_000, 0)
	now := start
	show := func(actions []Action) {
		for _, a := range actions {
			fmt.Fprintf(&out, "    %s\n", describe(a, start))
		}
	}
	for line := range strings.Lines(story) {
		if strings.HasPrefix(line, "    ") {
			continue
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "wait":
			d, err := time.ParseDuration(words[1])
			if err != nil {
				t.Fatal(line, err)
			}
			until := now.Add(d)
			for due := c.Due(); !due.IsZero() && !due.After(until); due = c.Due() {
				now = due
				show(c.Step(now, Tick{}))
			}
			now = until
		case "in":
			knock := parseEvent(t, "knock "+strings.Join(words[1:], " "))
			id := knock.(Knock).Socket
			c.Step(now, knock)
			c.Step(now, Admitted{Socket: id})
			show(c.Step(now, Opened{Socket: id}))
		default:
			show(c.Step(now, parseEvent(t, line)))
		}
	}
	return out.String()
}

func parseEvent(t *testing.T, line string) Event {
	words := append(strings.Fields(line), "", "", "")
	number := func(i int) uint64 {
		n, err := strconv.ParseUint(words[i], 10, 64)
		if err != nil {
			t.Fatalf("%s: word %d is not a number", line, i)
		}
		return n
	}
	failed := func(word string) *Error {
		if status, err := strconv.Atoi(word); err == nil && status >= 400 {
			return Errorf(status, "no")
		}
		return nil
	}
	process := func(word string) Process { return Process{Fleet: "f", Compute: "c", ID: word} }
	switch words[0] {
	case "knock":
		return Knock{SocketID(number(1)), Hello{Process: process(words[2]), Token: words[3], IdempotencyToken: words[4]}}
	case "admitted":
		if e := failed(words[2]); e != nil {
			return Admitted{SocketID(number(1)), refuse(e.StatusCode, "no")}
		}
		return Admitted{Socket: SocketID(number(1))}
	case "opened":
		return Opened{SocketID(number(1))}
	case "closed":
		return Closed{SocketID(number(1))}
	case "hear":
		got := DecodeFrame5([]byte(fmt.Sprintf(`{"RequestId":%q,"Action":%q,"GameSessionId":%q,"HealthStatus":true}`, words[2], words[3], words[4])))
		got.Socket = SocketID(number(1))
		return got
	case "answer":
		a := Answered{Process: process(words[1]), Call: number(2), Err: failed(words[3])}
		if strings.HasPrefix(words[3], "sessions=") {
			n, _ := strconv.Atoi(strings.TrimPrefix(words[3], "sessions="))
			a.Reply = PlayerSessions{Sessions: make([]PlayerSession, n)}
		}
		return a
	case "push":
		return Pushed{process(words[1]), map[string]Push{
			"create":    CreateGameSession{GameSessionID: words[3]},
			"update":    UpdateGameSession{BackfillTicketID: words[3]},
			"terminate": TerminateProcess{},
			"refresh":   RefreshConnection{Token: words[3]},
		}[words[2]]}
	case "confirmed":
		return Confirmed{SocketID(number(1)), number(2), words[3] != "no"}
	case "told":
		return Told{process(words[1])}
	case "forget":
		return Forgotten{process(words[1])}
	}
	t.Fatalf("unknown event: %s", line)
	return nil
}

func describe(a Action, start time.Time) string {
	switch a := a.(type) {
	case Ask:
		return fmt.Sprintf("ask about socket %d again=%t", a.Socket, a.Hello.Again)
	case Admit:
		return fmt.Sprintf("admit %d", a.Socket)
	case Refuse:
		return fmt.Sprintf("refuse %d: %d %s", a.Socket, a.Refusal.status(), a.Refusal.Reason)
	case Call:
		return fmt.Sprintf("call %d %s of %s", a.Call, a.Request.Action(), a.Process.ID)
	case SendReply:
		status := http.StatusOK
		if a.Err != nil {
			status = a.Err.StatusCode
		}
		return fmt.Sprintf("reply on %d (number %d): %s %s %d", a.Socket, a.Number, a.RequestID, a.Action, status)
	case SendPush:
		arg := ""
		switch p := a.Push.(type) {
		case CreateGameSession:
			arg = " " + p.GameSessionID
		case UpdateGameSession:
			arg = " " + p.BackfillTicketID
		case RefreshConnection:
			arg = " " + p.Token
		}
		return fmt.Sprintf("push on %d (number %d): %s%s", a.Socket, a.Number, a.Push.push(), arg)
	case Drop:
		return fmt.Sprintf("drop %d: %d %s", a.Socket, a.Code, a.Reason)
	case Lost:
		return fmt.Sprintf("lost %s after %v", a.Process.ID, a.At.Sub(start))
	case Note:
		return fmt.Sprintf("note %s: %s", a.Process.ID, a.Text)
	}
	return fmt.Sprintf("%#v", a)
}
