package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// screen shows the steps as they happen: a line when a step begins and how it
// ended and when. On a terminal a long step shows its progress in place.
type screen struct {
	out  io.Writer
	live bool // a terminal

	mu    sync.Mutex
	step  string
	began time.Time
	start time.Time
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out, start: time.Now()}
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			s.live = true
		}
	}
	return s
}

// begin starts a step.
func (s *screen) begin(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step, s.began = fmt.Sprintf(format, args...), time.Now()
	if s.live {
		fmt.Fprintf(s.out, "  …  %s", s.step)
	} else {
		fmt.Fprintf(s.out, "  …  %s\n", s.step)
	}
}

// progress shows how far a step is.
func (s *screen) progress(done, of int, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const width = 20
	bar := strings.Repeat("█", width*done/of) + strings.Repeat("░", width-width*done/of)
	text := fmt.Sprintf(format, args...)
	if s.live {
		fmt.Fprintf(s.out, "\r\x1b[K  …  %s %s %s", s.step, bar, text)
	} else if done == of || done%max(of/5, 1) == 0 {
		fmt.Fprintf(s.out, "       %s %s\n", bar, text)
	}
}

// done ends the step well.
func (s *screen) done(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.out, "  ✓  %s: %s (%.2f s)\n", s.step, fmt.Sprintf(format, args...), time.Since(s.began).Seconds())
	s.step = ""
}

// abandon ends a step that did not come to its end.
func (s *screen) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.step != "" {
		s.clear()
		fmt.Fprintf(s.out, "  ✗  %s\n", s.step)
		s.step = ""
	}
}

func (s *screen) clear() {
	if s.live {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

// say writes a line.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// table ends the show.
func (s *screen) table(rows [][2]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.out)
	for _, r := range rows {
		fmt.Fprintf(s.out, "  %-30s %s\n", r[0], r[1])
	}
	fmt.Fprintf(s.out, "  %-30s %.1f s\n\n", "all of it took", time.Since(s.start).Seconds())
}

// detail takes the output of a step's parts: below the step on a pipe or
// file, nowhere on a terminal, where only the step's own line moves.
func (s *screen) detail() io.Writer {
	if s.live {
		return io.Discard
	}
	return indent{s}
}

type indent struct{ s *screen }

func (i indent) Write(b []byte) (int, error) {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	for line := range strings.Lines(string(b)) {
		fmt.Fprintf(i.s.out, "     %s", line)
	}
	return len(b), nil
}
