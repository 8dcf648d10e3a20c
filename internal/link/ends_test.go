package link

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// next returns the next frame of an end as text, "" for none.
func next(t *testing.T, end interface {
	Next(time.Time) ([]byte, time.Time, error)
}, now time.Time) string {
	t.Helper()
	data, _, err := end.Next(now)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// met returns an agent that was welcomed, and has said and heard nothing else.
func met(t *testing.T) *AgentEnd {
	t.Helper()
	a := NewAgentEnd("i-1")
	welcomed(t, a, `{"welcome":{"version":1,"lastEvent":0}}`)
	return a
}

func welcomed(t *testing.T, a *AgentEnd, frame string) {
	t.Helper()
	a.Close()
	a.Open(noon)
	next(t, a, noon)
	if err := a.Receive(noon, []byte(frame)); err != nil {
		t.Fatal(err)
	}
}

func exited(p string) lift.Event {
	return lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: lift.ProcessID(p)}}
}

func health(p string, healthy bool) lift.Event {
	return lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: lift.ProcessID(p), Healthy: healthy}}
}

func notice(code lift.EventCode, text string) lift.Event {
	return lift.Event{Notice: &lift.Notice{Code: code, Message: text}}
}

// TestTranscript holds the bytes of a conversation: agents of the release
// before speak them, and must be understood.
func TestTranscript(t *testing.T) {
	want, err := os.ReadFile("testdata/version1.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	a, s := NewAgentEnd("i-1"), NewServiceEnd(noon, "i-1")
	exchange := func() {
		t.Helper()
		for {
			up := next(t, a, noon)
			if up != "" {
				fmt.Fprintf(&got, "agent:   %s\n", up)
				if err := s.Receive(noon, []byte(up)); err != nil {
					t.Fatal(err)
				}
			}
			if s.Greeted() {
				s.Resume(0, []lift.Effect{{ID: "c1", To: "agent/i-1", TerminateProcess: &lift.TerminateProcess{ProcessID: "p", Reason: "why"}}})
			}
			down := next(t, s, noon)
			if down != "" {
				fmt.Fprintf(&got, "service: %s\n", down)
				if err := a.Receive(noon, []byte(down)); err != nil {
					t.Fatal(err)
				}
			}
			if up == "" && down == "" {
				return
			}
		}
	}
	a.Open(noon)
	exchange()
	a.Report(lift.Event{At: noon, ProcessReady: &lift.ProcessReady{ProcessID: "p", Port: 7777}})
	a.Report(lift.Event{At: noon, AcceptPlayer: &lift.AcceptPlayer{ProcessID: "p", SessionID: "s", PlayerID: "q"}})
	a.Took("c1")
	exchange()
	if _, ok := s.Batch(); !ok {
		t.Fatal("no batch")
	}
	if _, err := s.Handled(Ack{UpTo: 2, Replies: []NumberedReply{{2, lift.Reply{Status: 200}}}}); err != nil {
		t.Fatal(err)
	}
	exchange()
	a.Report(lift.Event{At: noon, ProcessEnding: &lift.ProcessEnding{ProcessID: "p"}})
	exchange()
	noon := noon.Add(beatEvery)
	fmt.Fprintf(&got, "agent:   %s\nservice: %s\n", next(t, a, noon), next(t, s, noon))
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the bytes on the wire changed (-want +got):\n%s", diff)
	}
}

func TestNewerReleaseIsUnderstood(t *testing.T) {
	s := NewServiceEnd(noon, "i-1")
	for _, frame := range []string{
		`{"hello":{"version":2,"oldest":1,"instance":"i-1","colour":"blue"},"news":{}}`,
		`{"events":[{"seq":1,"event":{"FromTheFuture":{"X":1}}},{"seq":2,"ask":true,"event":{"AskedInFuture":{}}}],"read":0}`,
	} {
		if err := s.Receive(noon, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		if s.Greeted() {
			s.Resume(0, nil)
			if got := next(t, s, noon); !strings.Contains(got, `"version":1`) {
				t.Fatalf("welcome %s, want version 1", got)
			}
		}
	}
	b, _ := s.Batch()
	if len(b.Events) != 2 || b.Events[0].Event.WantsReply() {
		t.Fatalf("got %+v", b)
	}
	// Nobody here knows the question, but its asker must not wait for ever.
	unanswered, err := s.Handled(Ack{UpTo: 2})
	if err != nil || !cmp.Equal(unanswered, []uint64{2}) {
		t.Fatalf("unanswered %v, %v", unanswered, err)
	}
	if got := next(t, s, noon); !strings.Contains(got, `{"seq":2,"reply":{"Status":500`) {
		t.Errorf("got %s", got)
	}
}

func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		name, hello string
		want        error
	}{
		{"same", `{"version":1,"oldest":1,"instance":"i-1"}`, nil},
		{"oldest left out", `{"version":1,"instance":"i-1"}`, nil},
		{"newer that speaks ours", `{"version":2,"oldest":1,"instance":"i-1"}`, nil},
		{"too new", `{"version":3,"oldest":2,"instance":"i-1"}`, ErrVersion},
		{"too new, oldest left out", `{"version":2,"instance":"i-1"}`, ErrVersion},
		{"too old", `{"version":0,"instance":"i-1"}`, ErrVersion},
		{"another instance", `{"version":1,"instance":"i-2"}`, ErrProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := NewServiceEnd(noon, "i-1")
			if err := s.Receive(noon, []byte(`{"hello":`+tt.hello+`}`)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	a := NewAgentEnd("i-1")
	a.Open(noon)
	next(t, a, noon)
	if err := a.Receive(noon, []byte(`{"welcome":{"version":2,"lastEvent":0}}`)); !errors.Is(err, ErrVersion) {
		t.Errorf("welcome to version 2: got %v", err)
	}
}

func TestWelcome(t *testing.T) {
	a := NewAgentEnd("i-1")
	a.Open(noon)
	next(t, a, noon)
	if err := a.Receive(noon, []byte(`{"welcome":{"version":1,"lastEvent":3}}`)); !errors.Is(err, ErrOtherLife) {
		t.Errorf("first welcome knows events: got %v", err)
	}

	a = met(t)
	a.Report(exited("p"))
	a.Report(exited("q"))
	next(t, a, noon)
	if err := a.Receive(noon, []byte(`{"ack":{"upTo":2}}`)); err != nil {
		t.Fatal(err)
	}
	for last, want := range map[int]error{1: ErrForgotten, 2: nil, 3: ErrOtherLife} {
		a.Close()
		a.Open(noon)
		next(t, a, noon)
		if err := a.Receive(noon, fmt.Appendf(nil, `{"welcome":{"version":1,"lastEvent":%d}}`, last)); !errors.Is(err, want) {
			t.Errorf("welcome at %d: got %v, want %v", last, err, want)
		}
	}
}

func TestProtocolErrors(t *testing.T) {
	for _, tt := range []string{
		`{`, `[]`, `{"events":{}}`,
		`{"events":[{"seq":0,"event":{}}]}`,
		`{"events":[{"seq":2,"event":{}}]}`,
		`{"events":[{"seq":1,"event":{}},{"seq":1,"event":{}}]}`,
		`{"hello":{"version":1,"instance":"i-1"}}`,
	} {
		s := NewServiceEnd(noon, "i-1")
		s.Receive(noon, []byte(`{"hello":{"version":1,"instance":"i-1"}}`))
		s.Resume(0, nil)
		next(t, s, noon)
		if err := s.Receive(noon, []byte(tt)); !errors.Is(err, ErrProtocol) {
			t.Errorf("service took %s: %v", tt, err)
		}
	}
	for _, tt := range []string{
		`{`, `{"ack":{"upTo":1}}`, `{"commands":[{}]}`, `{"welcome":{"version":1}}`,
	} {
		if err := met(t).Receive(noon, []byte(tt)); !errors.Is(err, ErrProtocol) {
			t.Errorf("agent took %s: %v", tt, err)
		}
	}
	a := NewAgentEnd("i-1")
	a.Open(noon)
	next(t, a, noon)
	if err := a.Receive(noon, []byte(`{"ack":{}}`)); !errors.Is(err, ErrProtocol) {
		t.Errorf("agent took an answer before the welcome: %v", err)
	}
	a = NewAgentEnd("i-1")
	if err := a.Receive(noon, []byte(`{}`)); !errors.Is(err, ErrProtocol) {
		t.Errorf("agent took a frame without a connection: %v", err)
	}
	a.Open(noon)
	if err := a.Receive(noon, []byte(`{"welcome":{"version":1}}`)); !errors.Is(err, ErrProtocol) {
		t.Errorf("agent took a welcome before its hello: %v", err)
	}
	next(t, a, noon)
	if err := a.Receive(noon, []byte(`{"welcome":{"version":0}}`)); !errors.Is(err, ErrVersion) {
		t.Errorf("agent took a welcome of no version: %v", err)
	}
	s := NewServiceEnd(noon, "i-1")
	s.Receive(noon, []byte(`{"hello":{"version":1,"instance":"i-1"}}`))
	if err := s.Receive(noon, []byte(`{"events":[{"seq":1,"event":{}}]}`)); !errors.Is(err, ErrProtocol) {
		t.Errorf("service took an event before the welcome: %v", err)
	}
}

// Neither end takes more than the other may have sent.
func TestTooMuch(t *testing.T) {
	s := greeted(t)
	s.windowEvents = 1
	var events []string
	for n := 1; n <= 2+frameEvents; n++ {
		events = append(events, fmt.Sprintf(`{"seq":%d,"event":{}}`, n))
	}
	if err := s.Receive(noon, []byte(`{"events":[`+strings.Join(events, ",")+`]}`)); err != nil {
		t.Errorf("as many events as may be: %v", err)
	}
	if err := s.Receive(noon, fmt.Appendf(nil, `{"events":[{"seq":%d,"event":{}}]}`, len(events)+1)); !errors.Is(err, ErrProtocol) {
		t.Errorf("one more event: %v", err)
	}
	s = greeted(t)
	if err := s.Receive(noon, []byte(`{"got":["c"`+strings.Repeat(`,"c"`, 2*queueCommands-1)+`]}`)); err != nil {
		t.Errorf("as many commands as may be: %v", err)
	}
	if err := s.Receive(noon, []byte(`{"got":["c"]}`)); !errors.Is(err, ErrProtocol) {
		t.Errorf("one more command: %v", err)
	}
	in := newInbox(1)
	for n := range waitingCommands {
		if err := in.receive([]lift.Effect{{ID: lift.EffectID(fmt.Sprint(n))}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.receive([]lift.Effect{{ID: "more"}}); !errors.Is(err, ErrProtocol) {
		t.Errorf("one more command to the agent: %v", err)
	}
}

// A command is taken once and in its turn, whatever is confirmed meanwhile.
func TestInbox(t *testing.T) {
	in := newInbox(0)
	in.took("nothing")
	for range 2 {
		if err := in.receive([]lift.Effect{{ID: "a"}, {ID: "b"}}); err != nil {
			t.Fatal(err)
		}
		in.confirm([]lift.EffectID{"a", "unknown"}) // out of turn
		in.took("b")                                // out of turn
	}
	if len(in.waiting) != 2 || in.waiting[0].ID != "a" {
		t.Errorf("waiting: %+v", in.waiting)
	}
}

// TestHeartbeats: an idle end speaks every 5 seconds, and gives up on the
// other after 15.
func TestHeartbeats(t *testing.T) {
	s := NewServiceEnd(noon, "i-1")
	s.Receive(noon, []byte(`{"hello":{"version":1,"instance":"i-1"}}`))
	s.Resume(0, nil)
	next(t, s, noon)
	for name, end := range map[string]interface {
		Next(time.Time) ([]byte, time.Time, error)
		Receive(time.Time, []byte) error
	}{"agent": met(t), "service": s} {
		now := noon
		beats := 0
		for {
			data, due, err := end.Next(now)
			if errors.Is(err, ErrSilent) {
				break
			}
			if err != nil {
				t.Fatal(name, err)
			}
			if data != nil {
				beats++
				if string(data) != "{}" {
					t.Errorf("%s: an idle end says %s", name, data)
				}
				continue
			}
			if now.Sub(noon) == 10*time.Second {
				if err := end.Receive(now, []byte("{}")); err != nil { // the last word of the other end
					t.Fatal(name, err)
				}
			}
			if !due.After(now) {
				t.Fatalf("%s: due %v at %v", name, due, now)
			}
			now = due
		}
		if got := now.Sub(noon); got != 25*time.Second || beats != 4 {
			t.Errorf("%s: gave up after %v and %d beats, want 25s and 4", name, got, beats)
		}
		if b, ok := end.(*ServiceEnd); ok {
			if _, ok := b.Batch(); ok {
				t.Error("a heartbeat made a batch")
			}
		}
	}
}

// An end that has just spoken asks to be called when the other one's silence
// is too long, not when it has to speak again.
func TestSilenceIsDue(t *testing.T) {
	a := met(t)
	now := noon.Add(12 * time.Second)
	if got := next(t, a, now); got != "{}" {
		t.Fatalf("said %s", got)
	}
	if _, due, err := a.Next(now); err != nil || !due.Equal(noon.Add(silence)) {
		t.Errorf("due %v, %v", due, err)
	}
}
