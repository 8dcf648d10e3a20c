package link

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/google/go-cmp/cmp"
)

// greeted returns a service's end that has welcomed its agent.
func greeted(t *testing.T) *ServiceEnd {
	t.Helper()
	s := NewServiceEnd(noon, "i-1")
	if err := s.Receive(noon, []byte(`{"hello":{"version":1,"instance":"i-1"}}`)); err != nil {
		t.Fatal(err)
	}
	s.Resume(0, nil)
	next(t, s, noon)
	return s
}

func TestBatches(t *testing.T) {
	s := greeted(t)
	if _, err := s.Handled(Ack{UpTo: 1}); !errors.Is(err, ErrProtocol) {
		t.Errorf("handled without a batch: %v", err)
	}
	// An agent of old does not say which events are questions.
	for _, frame := range []string{`{"events":[{"seq":1,"event":{"AcceptPlayer":{}}}]}`, `{"events":[{"seq":2,"event":{}}]}`} {
		if err := s.Receive(noon, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		if b, ok := s.Batch(); ok && b.Events[0].Seq != 1 {
			t.Errorf("another batch before the first was handled: %+v", b)
		}
	}
	if unanswered, err := s.Handled(Ack{UpTo: 1}); err != nil || len(unanswered) != 1 {
		t.Errorf("a question that nobody answered: %v, %v", unanswered, err)
	}
}

// A crowd of commands may come at once, and then no more before it has left.
func TestCrowd(t *testing.T) {
	s := greeted(t)
	s.room, s.queueCommands = 2, 2
	if err := s.Send([]lift.Effect{{ID: "a"}, {ID: "b"}, {ID: "c"}}); err != nil {
		t.Errorf("at once: %v", err)
	}
	if err := s.Send([]lift.Effect{{ID: "d"}}); !errors.Is(err, ErrBehind) {
		t.Errorf("one more: %v", err)
	}
	next(t, s, noon)
	for _, id := range []lift.EffectID{"d", "e"} {
		if err := s.Send([]lift.Effect{{ID: id}}); err != nil {
			t.Errorf("%s, when it has left: %v", id, err)
		}
	}
	s = greeted(t)
	if err := s.Send([]lift.Effect{{ID: "a", Drain: &lift.Drain{By: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}}); err != nil {
		t.Fatal(err)
	}
	if frame, _, err := s.Next(noon); err == nil {
		t.Errorf("a command of the year 10000 was sent: %s", frame)
	}
}

// TestLargeReplies: replies too large for one frame come in several, and the
// last one closes their events.
func TestLargeReplies(t *testing.T) {
	a, s := met(t), NewServiceEnd(noon, "i-1")
	s.Receive(noon, []byte(`{"hello":{"version":1,"instance":"i-1"}}`))
	s.Resume(0, nil)
	next(t, s, noon)
	var ack Ack
	for i := range 5 {
		a.Report(lift.Event{DescribePlayers: &lift.DescribePlayers{PlayerID: "x"}})
		ack.UpTo++
		ack.Replies = append(ack.Replies, NumberedReply{ack.UpTo, lift.Reply{Status: 200 + i, Message: strings.Repeat("x", 300_000)}})
	}
	if err := s.Receive(noon, []byte(next(t, a, noon))); err != nil {
		t.Fatal(err)
	}
	s.Batch()
	if _, err := s.Handled(ack); err != nil {
		t.Fatal(err)
	}
	var got []int
	for {
		frame := next(t, s, noon)
		if frame == "" {
			break
		}
		if a.Settled() {
			t.Error("settled before the last reply")
		}
		if err := a.Receive(noon, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range a.Replies() {
			if r.Reply.Status != 199+int(r.Ticket) {
				t.Errorf("reply %d for ticket %d", r.Reply.Status, r.Ticket)
			}
			n++
		}
		got = append(got, n)
	}
	if !cmp.Equal(got, []int{2, 2, 1}) || !a.Settled() {
		t.Errorf("replies by frame %v, settled %v", got, a.Settled())
	}
}

func TestHandledChecksTheService(t *testing.T) {
	s := NewServiceEnd(noon, "i-1")
	s.Receive(noon, []byte(`{"hello":{"version":1,"instance":"i-1"}}`))
	s.Resume(4, nil)
	next(t, s, noon)
	s.Receive(noon, []byte(`{"events":[{"seq":5,"event":{}},{"seq":6,"event":{}}]}`))
	s.Batch()
	if _, err := s.Handled(Ack{UpTo: 5}); err == nil {
		t.Error("half a batch passes for a whole one")
	}
}

func TestBehind(t *testing.T) {
	s := NewServiceEnd(noon, "i-1")
	one := func(i int) []lift.Effect { return []lift.Effect{{ID: lift.EffectID(fmt.Sprint(i))}} }
	for i := range queueCommands {
		if err := s.Send(one(i)); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := s.Send(one(-1)); !errors.Is(err, ErrBehind) {
		t.Errorf("got %v, want ErrBehind", err)
	}
}

// TestLargeCommands: a frame is closed beyond 512 KiB, and the rest comes in
// the next.
func TestLargeCommands(t *testing.T) {
	s := greeted(t)
	for n := range 5 {
		ef := lift.Effect{ID: lift.EffectID(fmt.Sprint(n)), TerminateProcess: &lift.TerminateProcess{Reason: strings.Repeat("x", 300_000)}}
		if err := s.Send([]lift.Effect{ef}); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for frame := next(t, s, noon); frame != ""; frame = next(t, s, noon) {
		got = append(got, strings.Count(frame, `"ID":`))
	}
	if !cmp.Equal(got, []int{2, 2, 1}) {
		t.Errorf("commands by frame: %v", got)
	}
}

// A command that an earlier connection carried, and that the agent has taken,
// is not sent on this one.
func TestTakenBeforeItIsSent(t *testing.T) {
	s := NewServiceEnd(noon, "i-1")
	s.windowCommands = 1
	if err := s.Receive(noon, []byte(`{"hello":{"version":1,"instance":"i-1"}}`)); err != nil {
		t.Fatal(err)
	}
	s.Resume(0, []lift.Effect{{ID: "a"}, {ID: "b"}, {ID: "c"}})
	if got := next(t, s, noon); !strings.Contains(got, `"ID":"a"`) || strings.Contains(got, `"ID":"b"`) {
		t.Errorf("first %s", got)
	}
	if err := s.Receive(noon, []byte(`{"got":["a","b"]}`)); err != nil {
		t.Fatal(err)
	}
	if got := next(t, s, noon); !strings.Contains(got, `"ID":"c"`) || strings.Contains(got, `"ID":"b"`) {
		t.Errorf("then %s", got)
	}
}
