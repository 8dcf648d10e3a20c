package sdk

import (
	"fmt"
	"testing"
	"time"
)

// in lets a socket of a process in.
func in(c *Core, now time.Time, id SocketID, p Process, token string) {
	c.Step(now, Knock{id, Hello{Process: p, Token: token}})
	c.Step(now, Admitted{Socket: id})
	c.Step(now, Opened{id})
}

func heartbeat(id SocketID, requestID string) Received {
	return Received{Socket: id, RequestID: requestID, Action: "HeartbeatServerProcess", Request: HeartbeatServerProcess{}}
}

// Nothing a process does makes the core keep more than so much of it.
func TestLimits(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a := Process{"f", "c", "A"}

	t.Run("calls in progress", func(t *testing.T) {
		c := NewCore()
		in(c, now, 1, a, "t")
		for i := range maxCallsInProgress {
			if _, ok := c.Step(now, heartbeat(1, fmt.Sprint(i)))[0].(Call); !ok {
				t.Fatalf("request %d is not carried out", i)
			}
		}
		reply, ok := c.Step(now, heartbeat(1, "more"))[0].(SendReply)
		if !ok || reply.Err == nil || reply.Err.StatusCode != 429 {
			t.Errorf("one more: %+v", reply)
		}
	})

	t.Run("answers", func(t *testing.T) {
		c := NewCore()
		in(c, now, 1, a, "t")
		ask := func(id string, sessions int) {
			call := c.Step(now, Received{Socket: 1, RequestID: id, Action: "DescribePlayerSessions", Request: DescribePlayerSessions{}})[0].(Call)
			c.Step(now, Answered{Process: a, Call: call.Call, Reply: PlayerSessions{Sessions: make([]PlayerSession, sessions)}})
		}
		for i := range 3 * maxAnswersKept {
			ask(fmt.Sprint(i), 0)
		}
		p := c.processes[a]
		if len(p.kept) != maxAnswersKept || len(p.answers) != maxAnswersKept {
			t.Errorf("%d and %d answers are kept", len(p.kept), len(p.answers))
		}
		for i := range 10 {
			ask(fmt.Sprint("large", i), 1024)
		}
		if p.weight > maxSessionsKept || len(p.kept) != 2 || len(p.answers) != 2 {
			t.Errorf("%d player sessions in %d answers are kept", p.weight, len(p.kept))
		}
		ask("huge", 10*maxSessionsKept)
		if len(p.kept) != 1 {
			t.Errorf("a huge answer is kept among %d", len(p.kept))
		}
	})

	t.Run("pushes", func(t *testing.T) {
		c := NewCore()
		for range 2 * maxQueuedPushes {
			c.Step(now, Pushed{a, TerminateProcess{}})
		}
		if n := len(c.processes[a].queue); n != maxQueuedPushes {
			t.Errorf("%d pushes wait", n)
		}
	})

	t.Run("admissions", func(t *testing.T) {
		c := NewCore()
		for i := range SocketID(3 * maxAdmissionsKept) {
			in(c, now, i+1, a, fmt.Sprint("token", i))
			c.Step(now, Closed{i + 1})
			c.Step(now, Told{a})
		}
		if n := len(c.processes[a].admitted); n != maxAdmissionsKept {
			t.Errorf("%d admissions are kept", n)
		}
	})

	t.Run("processes", func(t *testing.T) {
		c := NewCore()
		for i := range SocketID(maxEndedKept + 500) {
			p := Process{"f", "c", fmt.Sprint(i)}
			in(c, now, i+1, p, "t")
			c.Step(now, Forgotten{p})
			c.Step(now, Closed{i + 1})
			// Nor does one that is not let in leave anything.
			c.Step(now, Knock{1 << 32, Hello{Process: a}})
			c.Step(now, Admitted{Socket: 1 << 32, Refusal: refuse(403, "no")})
		}
		if len(c.ended) != maxEndedKept || len(c.processes) != 0 || len(c.sockets) != 0 || len(c.due) != 0 {
			t.Errorf("%d ended, %d processes, %d sockets, %d due", len(c.ended), len(c.processes), len(c.sockets), len(c.due))
		}
	})
}

// A client that reads nothing fills one outbox and no more.
func TestOutboxLimit(t *testing.T) {
	w := &wire{wake: make(chan struct{}, 1)}
	for range 3 * maxOutboxItems {
		w.send(outgoing{reply: &SendReply{}})
	}
	if n := len(w.outbox); n != maxOutboxItems+1 || w.outbox[n-1].drop == nil {
		t.Errorf("%d frames wait, the last %+v", n, w.outbox[n-1])
	}
}

// BenchmarkCall is one request through the core: heard, carried out, answered,
// confirmed.
func BenchmarkCall(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	a := Process{"f", "c", "A"}
	c := NewCore()
	in(c, now, 1, a, "t")
	n := 0
	for b.Loop() {
		n++
		call := c.Step(now, heartbeat(1, fmt.Sprint(n)))[0].(Call)
		reply := c.Step(now, Answered{Process: a, Call: call.Call})[0].(SendReply)
		c.Step(now, Confirmed{Socket: 1, Number: reply.Number, OK: true})
	}
}

func BenchmarkFrame(b *testing.B) {
	frame := []byte(`{"Action":"AcceptPlayerSession","RequestId":"5059a5eb-5585-4dfc-900e-f9050eb8bc5b","GameSessionId":"arn:aws:gamelift:us-west-2::gamesession/fleet-6b1bd9f9-d1aa-4d6d-9f0c-000000000000/gsess-1","PlayerSessionId":"psess-00000001-0000-4000-8000-000000000000"}`)
	for b.Loop() {
		got := DecodeFrame5(frame)
		EncodeReply5(SendReply{RequestID: got.RequestID, Action: got.Action})
	}
}
