package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
)

// logs is the part of a link that takes logs.
type logs struct {
	text  []byte
	away  chan struct{} // while not closed, the service is away
	fails error
}

func (l *logs) AppendLog(ctx context.Context, _ string, offset int64, r io.Reader) (int64, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-l.away:
	}
	if l.fails != nil {
		return 0, l.fails
	}
	rest, err := link.Tail(int64(len(l.text)), offset, r)
	if err != nil {
		return int64(len(l.text)), err
	}
	data, err := io.ReadAll(rest)
	l.text = append(l.text, data...)
	return int64(len(l.text)), err
}

func newTestCapture(t *testing.T) *capture {
	t.Helper()
	c, err := newCapture("p", filepath.Join(t.TempDir(), "p.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.discard(false) })
	return c
}

func TestCaptureShips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newTestCapture(t), &logs{away: make(chan struct{})}
		close(l.away)
		done := make(chan error, 1)
		go func() { done <- c.ship(t.Context(), l.AppendLog) }()
		c.printf("one")
		time.Sleep(time.Second)
		synctest.Wait()
		if string(l.text) != "one\n" {
			t.Errorf("a second later the service has %q", l.text)
		}
		c.printf("two")
		c.end()
		if err := <-done; err != nil || string(l.text) != "one\ntwo\n" {
			t.Errorf("at the end the service has %q, error %v", l.text, err)
		}
	})
}

// TestCaptureOutlastsTheService writes more than is kept while the service is away.
func TestCaptureOutlastsTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newTestCapture(t), &logs{away: make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- c.ship(t.Context(), l.AppendLog) }()
		c.printf("first")
		synctest.Wait() // the first chunk waits for the service
		time.Sleep(time.Second)
		synctest.Wait()
		line := strings.Repeat("x", 1<<10)
		for i := range 3 * captureHalfBytes >> 10 {
			c.printf("%6d %s", i, line)
		}
		c.printf("last")
		c.end()
		close(l.away)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		text := string(l.text)
		if !strings.HasPrefix(text, "first\n\n[") || !strings.Contains(text[:100], "bytes are missing: they were overwritten") || !strings.HasSuffix(text, "\nlast\n") {
			t.Errorf("the log begins with %q and ends with %q", text[:100], text[len(text)-20:])
		}
		if len(text) < captureHalfBytes || len(text) > 2*captureHalfBytes+(8<<10) {
			t.Errorf("%d bytes arrived, a capture keeps %d to twice as much", len(text), captureHalfBytes)
		}
	})
}

// TestCaptureServiceForgot goes back to what the service has.
func TestCaptureServiceForgot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newTestCapture(t), &logs{away: make(chan struct{})}
		close(l.away)
		done := make(chan error, 1)
		go func() { done <- c.ship(t.Context(), l.AppendLog) }()
		c.printf("one")
		time.Sleep(time.Second)
		synctest.Wait()
		l.text = l.text[:1]
		c.printf("two")
		c.end()
		if err := <-done; err != nil || string(l.text) != "one\ntwo\n" {
			t.Errorf("the service has %q, error %v", l.text, err)
		}
	})
}

func TestCaptureGivesUp(t *testing.T) {
	c, l := newTestCapture(t), &logs{away: make(chan struct{}), fails: errors.New("too large")}
	close(l.away)
	c.printf("one")
	if err := c.ship(t.Context(), l.AppendLog); err != l.fails {
		t.Errorf("ship ended with %v", err)
	}
	c.printf("two") // still no error
	if c.last() != "one\ntwo" {
		t.Errorf("last words %q", c.last())
	}
}

func TestLastLines(t *testing.T) {
	c := newTestCapture(t)
	for i := range 100 {
		fmt.Fprintf(c, "line %d\r\n", i)
	}
	lines := strings.Split(c.last(), "\n")
	if len(lines) != lastLines || lines[len(lines)-1] != "line 99" {
		t.Errorf("last lines %q", lines)
	}
	c.Write([]byte(strings.Repeat("y", 10*lastBytes)))
	if got := c.last(); len(got) != lastBytes {
		t.Errorf("%d bytes of a line without end", len(got))
	}
	c.Write([]byte("\xff\xfe\n"))
	if !strings.HasSuffix(c.last(), "�") {
		t.Errorf("bytes that are no text: %q", c.last()[len(c.last())-10:])
	}
	c.printf("\npanic: there is no map\n")
	for i := range 30 {
		c.printf("\tframe %d", i)
	}
	if got := c.last(); !strings.HasPrefix(got, "panic: there is no map\n…\n") || !strings.HasSuffix(got, "frame 29") {
		t.Errorf("the last lines of a stack trace: %q", got)
	}
}

func TestPorts(t *testing.T) {
	open := ports{taken: make(map[int]lift.ProcessID)}
	a, err := open.fill("-port {port} -query {port}", "a")
	if err != nil {
		t.Fatal(err)
	}
	var first, second int
	if _, err := fmt.Sscanf(a, "-port %d -query %d", &first, &second); err != nil || first != second || first < 1 || first > maxPort {
		t.Errorf("parameters become %q", a)
	}
	if same, err := open.fill("-port 7777", "b"); err != nil || same != "-port 7777" || len(open.taken) != 1 {
		t.Errorf("parameters without a mark become %q, error %v", same, err)
	}

	narrow := ports{allowed: []lift.PortPermission{{FromPort: first, ToPort: first}}, taken: make(map[int]lift.ProcessID)}
	if got, err := narrow.fill("{port}", "a"); err != nil || got != fmt.Sprint(first) {
		t.Errorf("the only port allowed becomes %q, error %v", got, err)
	}
	if _, err := narrow.fill("{port}", "b"); err == nil || !strings.Contains(err.Error(), "UpdateFleetPortSettings") {
		t.Errorf("a second process gets error %v", err)
	}
	narrow.release("a")
	if _, err := narrow.fill("{port}", "b"); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}

func TestOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowLink{open: make(chan struct{})}
		var marks []bool
		o := newOutbox(slow, func(full bool) { marks = append(marks, full) })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); o.run(ctx) }()
		for i := range congestedEvents + 1 {
			o.add(outgoing{event: lift.Event{Stopped: &lift.Stopped{Reason: fmt.Sprint(i)}}})
		}
		if full, crossed := o.pressure(); !full || !crossed {
			t.Error("an outbox with thousands of events is not congested")
		}
		close(slow.open)
		if err := o.drain(t.Context()); err != nil {
			t.Error(err)
		}
		if len(slow.got) != congestedEvents+1 || slow.got[0].Stopped.Reason != "0" || slow.got[congestedEvents].Stopped.Reason != fmt.Sprint(congestedEvents) {
			t.Errorf("%d events arrived", len(slow.got))
		}
		stop()
		<-done
		if len(marks) != 1 || marks[0] {
			t.Errorf("relief was told as %v", marks)
		}
	})
}

type slowLink struct {
	Link
	open chan struct{}
	got  []lift.Event
}

func (l *slowLink) Report(_ context.Context, ev lift.Event) error {
	<-l.open
	l.got = append(l.got, ev)
	return nil
}

// TestPlain keeps messages free of what os repeats.
func TestPlain(t *testing.T) {
	_, err := os.Open("/no/such/file")
	if got := plain(err); strings.Contains(got.Error(), "/no/such") {
		t.Errorf("plain(%v) = %v", err, got)
	}
}

// TestCaptureReachesTheLimit says where a log that is too long ends.
func TestCaptureReachesTheLimit(t *testing.T) {
	c := newTestCapture(t)
	c.printf("one")
	c.end()
	var sent []string
	err := c.ship(t.Context(), func(_ context.Context, _ string, offset int64, r io.Reader) (int64, error) {
		b, err := io.ReadAll(r)
		sent = append(sent, fmt.Sprintf("%d %s", offset, b))
		if len(sent) == 1 {
			c.closed = false // there is more
			c.printf("two")
			c.end()
		}
		return shippedBytes, err
	})
	want := fmt.Sprintf("0 one\n|%d \n[what follows is not kept: the log has reached its limit]\n", shippedBytes)
	if got := strings.Join(sent, "|"); err != nil || got != want {
		t.Errorf("sent %q, error %v; want %q", got, err, want)
	}
}
