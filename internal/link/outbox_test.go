package link

import (
	"errors"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/google/go-cmp/cmp"
)

// TestResumeSendsWhatIsMissing: beyond the last event handled everything, and
// up to it only the question whose reply is not there.
func TestResumeSendsWhatIsMissing(t *testing.T) {
	a := met(t)
	for _, ev := range []lift.Event{exited("1"), accept("2"), accept("3"), exited("4"), exited("5")} {
		a.Report(ev)
	}
	next(t, a, noon)
	a.Receive(noon, []byte(`{"ack":{"upTo":2,"replies":[{"seq":2,"reply":{"Status":200}}]}}`))
	a.Report(exited("6"))
	welcomed(t, a, `{"welcome":{"version":1,"lastEvent":4}}`)
	f, err := decode([]byte(next(t, a, noon)))
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for _, n := range f.Events {
		got = append(got, n.Seq)
	}
	if diff := cmp.Diff([]uint64{3, 5, 6}, got); diff != "" || f.Read != 2 {
		t.Errorf("read %d, sent (-want +got):\n%s", f.Read, diff)
	}
}

// A reply to what was no question is nobody's.
func TestAnswerToNoQuestion(t *testing.T) {
	a := met(t)
	if _, err := a.Report(exited("p")); err != nil {
		t.Fatal(err)
	}
	next(t, a, noon)
	if err := a.Receive(noon, []byte(`{"ack":{"upTo":1,"replies":[{"seq":1,"reply":{"Status":200}}]}}`)); err != nil {
		t.Fatal(err)
	}
	if got := a.Replies(); got != nil {
		t.Errorf("got %+v", got)
	}
}

// TestReplaced: what a later event says too does not wait for the service.
func TestReplaced(t *testing.T) {
	for _, tt := range []struct {
		name   string
		max    int // of the outbox
		report []lift.Event
		want   []lift.Event
	}{
		{"health", 10,
			[]lift.Event{health("p", false), exited("x"), health("q", false), health("p", true)},
			[]lift.Event{exited("x"), health("q", false), health("p", true)}},
		{"same notice", 10,
			[]lift.Event{notice("A", "same"), exited("x"), notice("A", "same"), notice("B", "same")},
			[]lift.Event{exited("x"), notice("A", "same"), notice("B", "same")}},
		{"notices differ, with room", 10,
			[]lift.Event{notice("A", "1"), notice("A", "2")},
			[]lift.Event{notice("A", "1"), notice("A", "2")}},
		{"notices differ, without room", 3,
			[]lift.Event{notice("A", "1"), notice("A", "2"), exited("x"), notice("A", "3")},
			[]lift.Event{notice("A", "1"), exited("x"), notice("A", "3")}},
		{"health finds a place when full", 2,
			[]lift.Event{health("p", false), exited("x"), health("p", true)},
			[]lift.Event{exited("x"), health("p", true)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := NewAgentEnd("i-1")
			a.events.maxEvents = tt.max
			for _, ev := range tt.report {
				if _, err := a.Report(ev); err != nil {
					t.Fatal(err)
				}
			}
			welcomed(t, a, `{"welcome":{"version":1}}`)
			f, err := decode([]byte(next(t, a, noon)))
			if err != nil {
				t.Fatal(err)
			}
			var got []lift.Event
			for _, n := range f.Events {
				got = append(got, n.Event)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFull(t *testing.T) {
	a := NewAgentEnd("i-1")
	a.events.maxEvents = 3
	for range 3 {
		if _, err := a.Report(exited("p")); err != nil {
			t.Fatal(err)
		}
	}
	for _, ev := range []lift.Event{exited("p"), health("p", true), notice("A", "1")} {
		if _, err := a.Report(ev); !errors.Is(err, ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
	}
	welcomed(t, a, `{"welcome":{"version":1}}`)
	next(t, a, noon)
	a.Receive(noon, []byte(`{"ack":{"upTo":1}}`))
	if _, err := a.Report(exited("p")); err != nil {
		t.Errorf("after an acknowledgement: %v", err)
	}

	a = NewAgentEnd("i-1")
	a.events.maxBytes = 10
	if _, err := a.Report(exited("p")); err != nil {
		t.Errorf("one event always has a place: %v", err)
	}
	if _, err := a.Report(exited("p")); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if _, err := a.Report(exited(strings.Repeat("x", eventMaxBytes))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

// TestFrames: a frame ends after 256 events or 512 KiB, and the window closes
// after 1,024 events or 4 MiB.
func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		n, size int
		want    []int // events in each frame
	}{
		{2000, 100, []int{256, 256, 256, 256}},
		{30, 200_000, []int{3, 3, 3, 3, 3, 3, 2}},
	} {
		a := met(t)
		a.events.maxBytes = 1 << 30
		for range tt.n {
			if _, err := a.Report(exited(strings.Repeat("x", tt.size))); err != nil {
				t.Fatal(err)
			}
		}
		var got []int
		for {
			frame := next(t, a, noon)
			if frame == "" {
				break
			}
			if len(frame) > agentFrameBytes {
				t.Errorf("a frame of %d bytes", len(frame))
			}
			got = append(got, strings.Count(frame, `"seq":`))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("events of %d bytes (-want +got):\n%s", tt.size, diff)
		}
	}
}

// What the window does not let out yet can still be replaced.
func TestReplacedWhileTheWindowIsClosed(t *testing.T) {
	a := met(t)
	welcomed(t, a, `{"welcome":{"version":1,"windowEvents":1}}`)
	a.Report(exited("x"))
	a.Report(health("p", false))
	for want := range 2 {
		if got := strings.Count(next(t, a, noon), `"seq":`); got != 1-want {
			t.Errorf("%d events in frame %d", got, want+1)
		}
	}
	a.Report(health("p", true))
	if err := a.Receive(noon, []byte(`{"ack":{"upTo":1}}`)); err != nil {
		t.Fatal(err)
	}
	if got := next(t, a, noon); !strings.Contains(got, `"seq":2`) || !strings.Contains(got, `"Healthy":true`) {
		t.Errorf("then %s", got)
	}
	if err := a.Receive(noon, []byte(`{"ack":{"upTo":2}}`)); err != nil || !a.Settled() {
		t.Errorf("settled is %v, %v", a.Settled(), err)
	}
}
