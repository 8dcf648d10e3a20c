package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/link"
)

// Limits of captured output.
const (
	captureHalfBytes = 4 << 20   // a capture keeps between one and two of these on disk
	shippedBytes     = 200 << 20 // of one log go to the service (behaviour 3.5)
	chunkBytes       = 64 << 10  // of a log go at a time
	shipPause        = 100 * time.Millisecond
	lastLines        = 12
	lastBytes        = 2 << 10
	tailBytes        = 8 << 10 // are searched for the line that says it all
)

// capture is the output of a process or a stage. It is written to a bounded
// file in the instance's folder and shipped to the service as it grows; the
// last lines are at hand for the event that tells of the end. When the service
// is away for so long that output is overwritten before it was shipped, the log
// says how much is missing.
type capture struct {
	key   string    // of the log at the service
	names [2]string // of the files of the two halves, the newer one's first

	mu       sync.Mutex
	file     *os.File // the newer half; nil if it could not be made
	fileFrom int64    // where it begins, counted from the first byte ever
	old      *os.File // the half before, if there is one
	oldFrom  int64
	size     int64 // bytes ever written
	tail     []byte
	closed   bool

	news chan struct{} // cap 1
}

// newCapture begins a log. A file that cannot be made costs the log, never the process.
func newCapture(key, path string) (*capture, error) {
	c := &capture{key: key, names: [2]string{path, path + ".1"}, news: make(chan struct{}, 1)}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return c, fmt.Errorf("keeping the output: %w", err)
	}
	c.file = file
	return c, nil
}

// Write never fails: output that cannot be kept is lost.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail = append(c.tail, p[max(0, len(p)-tailBytes):]...)
	if over := len(c.tail) - tailBytes; over > 0 {
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	if c.file != nil {
		if c.size-c.fileFrom >= captureHalfBytes {
			c.turnOver()
		}
		if n, err := c.file.WriteAt(p, c.size-c.fileFrom); err == nil {
			c.size += int64(n)
		}
	}
	c.wake()
	return len(p), nil
}

func (c *capture) printf(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

// turnOver makes the newer half the older one; mu is held.
func (c *capture) turnOver() {
	if c.old != nil {
		c.old.Close()
	}
	c.old, c.oldFrom = c.file, c.fileFrom
	c.names[0], c.names[1] = c.names[1], c.names[0]
	file, err := os.OpenFile(c.names[0], os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		file = nil
	}
	c.file, c.fileFrom = file, c.size
}

// end says that nothing more will be written.
func (c *capture) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake()
}

func (c *capture) wake() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// last returns the last lines. A stack trace hides what happened above it:
// where one does, the line that began it comes first.
func (c *capture) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := strings.ToValidUTF8(string(bytes.TrimRight(c.tail, "\r\n")), "�")
	lines := strings.Split(text, "\n")
	if len(c.tail) == tailBytes && len(lines) > 1 {
		lines = lines[1:] // it may lack its beginning
	}
	above, lines := lines[:max(0, len(lines)-lastLines)], lines[max(0, len(lines)-lastLines):]
	text = strings.Join(lines, "\n")
	if over := len(text) - lastBytes; over > 0 {
		text = strings.ToValidUTF8(text[over:], "")
	}
	for i := len(above) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(above[i]); len(line) < lastBytes && slices.ContainsFunc(traceBeginnings, func(b string) bool { return strings.HasPrefix(line, b) }) {
			return line + "\n…\n" + text
		}
	}
	return text
}

// traceBeginnings begin the line above a stack trace, in the languages game
// servers are written in.
var traceBeginnings = []string{
	"panic: ", "fatal error: ", // Go
	"thread '",                                                           // Rust
	"terminate called", "Assertion failed", "Fatal error: ", "Signal 11", // C++, Unreal
	"Unhandled exception", "Unhandled Exception", "Caught fatal signal", // C#, Unity
	"Exception in thread",               // Java
	"Traceback (most recent call last)", // Python
	"Uncaught ",                         // Node
}

// read fills p from offset on, or from the first byte that is still there. It
// returns that place and how much it read.
func (c *capture) read(p []byte, offset int64) (from int64, n int, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest, half, halfFrom := c.fileFrom, c.file, c.fileFrom
	if c.old != nil {
		oldest = c.oldFrom
		if offset < c.fileFrom {
			half, halfFrom = c.old, c.oldFrom
			p = p[:min(int64(len(p)), c.fileFrom-max(offset, oldest))]
		}
	}
	from = max(offset, oldest)
	if half == nil || from >= c.size {
		return from, 0, c.closed
	}
	n, _ = half.ReadAt(p, from-halfFrom) // io.EOF with what there is
	return from, n, c.closed && n == 0
}

// appendLog is Link.AppendLog.
type appendLog func(ctx context.Context, key string, offset int64, r io.Reader) (size int64, err error)

// ship sends the log to the service until it has ended and all is sent, or ctx
// ends. It returns why it gave up.
func (c *capture) ship(ctx context.Context, send appendLog) error {
	var read, sent int64 // by our count, and by the service's
	for {
		buf := chunks.Get().(*[]byte)
		from, n, ended := c.read(*buf, read)
		chunk := (*buf)[:n]
		switch {
		case n == 0 && ended:
			chunks.Put(buf)
			return nil
		case n == 0:
			chunks.Put(buf)
			if err := c.wait(ctx); err != nil {
				return err
			}
			continue
		case sent >= shippedBytes:
			chunks.Put(buf)
			_, err := send(ctx, c.key, sent, strings.NewReader("\n[what follows is not kept: the log has reached its limit]\n"))
			return err
		case from > read:
			chunk = append(fmt.Appendf(nil, "\n[%d bytes are missing: they were overwritten while the service was away]\n", from-read), chunk...)
		}
		size, err := send(ctx, c.key, sent, bytes.NewReader(chunk))
		chunks.Put(buf)
		switch {
		case errors.Is(err, link.ErrOffset) && size < sent:
			read, sent = max(0, from-(sent-size)), size
		case err != nil:
			return err
		default:
			read, sent = from+int64(n), size
		}
	}
}

// wait waits for news, and then a little for more.
func (c *capture) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.news:
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		c.wake() // nothing else will
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(shipPause):
		return nil
	}
}

// discard closes the files, and removes them unless keep.
func (c *capture) discard(keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range []*os.File{c.file, c.old} {
		if f != nil {
			f.Close()
		}
	}
	c.file, c.old = nil, nil
	if !keep {
		os.Remove(c.names[0])
		os.Remove(c.names[1])
	}
}

var chunks = sync.Pool{New: func() any { b := make([]byte, chunkBytes); return &b }}
