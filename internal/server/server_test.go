package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
)

// open serves in a temporary folder without a host until the test ends.
func open(t *testing.T, o Options) *Server {
	t.Helper()
	o.Addr = "127.0.0.1:0"
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestUnsignedRequestsAreAnsweredInTheirProtocol(t *testing.T) {
	s := open(t, Options{})
	for _, c := range []struct {
		name, method, path, target, body string
		status                           int
		want                             string
	}{
		{"a load balancer", "GET", "/healthz", "", "", 200, "ok"},
		{"an API client", "POST", "/", "GameLift.ListFleets", "{}", 400, "MissingAuthenticationTokenException"},
		{"an S3 client", "GET", "/bucket/key", "", "", 403, "<Code>AccessDenied</Code>"},
		{"a browser", "GET", "/console/", "", "", 501, "not built yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, s.URL()+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.target != "" {
				r.Header.Set("X-Amz-Target", c.target)
				r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			}
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Body.Close()
			body, err := io.ReadAll(a.Body)
			if err != nil || a.StatusCode != c.status || !strings.Contains(string(body), c.want) {
				t.Errorf("got %d %s, %v; want %d with %q", a.StatusCode, body, err, c.status, c.want)
			}
		})
	}
}

func TestOneFolderHasOneServer(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Data: dir})
	_, err := Open(context.Background(), Options{Addr: "127.0.0.1:0", Data: dir})
	if err == nil || !strings.Contains(err.Error(), "serves") && !strings.Contains(err.Error(), "use") {
		t.Errorf("a second server on the folder: %v", err)
	}
}

func TestKeysAreForTheOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Data: dir})
	for _, name := range []string{"credentials", "master.key", "server.json"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
}

func TestLogs(t *testing.T) {
	l := &logs{dir: t.TempDir()}
	ctx := context.Background()
	write := func(offset int64, text string) int64 {
		t.Helper()
		size, err := l.append("i-1", "p1", offset, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return size
	}
	write(0, "one\n")
	write(0, "one\n") // a repeat
	if size := write(2, "e\ntwo\n"); size != 8 {
		t.Errorf("after an overlap the log has %d bytes", size)
	}
	if size, err := l.append("i-1", "p1", 100, strings.NewReader("x")); !errors.Is(err, link.ErrOffset) || size != 8 {
		t.Errorf("behind its end: %d, %v", size, err)
	}
	b := make([]byte, 100)
	n, err := l.ReadAt(ctx, "i-1/p1", b, 0)
	if err != io.EOF || string(b[:n]) != "one\ntwo\n" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	if n, err := l.ReadAt(ctx, "i-1/none", b, 0); n != 0 || err != io.EOF {
		t.Errorf("a log that is not there: %d, %v", n, err)
	}
	for _, prefix := range []string{"", "i-1", "i-1/", "i-1/p"} {
		if names, err := l.List(ctx, prefix); err != nil || len(names) != 1 || names[0] != "i-1/p1" {
			t.Errorf("list %q: %v, %v", prefix, names, err)
		}
	}
	for size, want := range map[int64]int64{200 << 20: 200<<20 + 4, logLimitBytes - 1: logLimitBytes, logLimitBytes: logLimitBytes} {
		if err := os.Truncate(filepath.Join(l.dir, "i-1", "p1"), size); err != nil {
			t.Fatal(err)
		}
		if got := write(size, "end\n"); got != want {
			t.Errorf("of %d bytes the log grows to %d, want %d", size, got, want)
		}
	}
	if err := l.forget(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if names, _ := l.List(ctx, ""); len(names) != 1 {
		t.Errorf("a fresh log is gone: %v", names)
	}
	if err := l.forget(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if names, _ := l.List(ctx, ""); len(names) != 0 {
		t.Errorf("an old log is kept: %v", names)
	}
	for _, bad := range [][2]string{{"../i", "p"}, {"i-1", "../../etc/passwd"}, {"", "p"}, {"i-1", ".."}} {
		if _, err := l.append(lift.InstanceID(bad[0]), bad[1], 0, strings.NewReader("x")); err == nil {
			t.Errorf("wrote %v", bad)
		}
		if n, err := l.ReadAt(ctx, bad[0]+"/"+bad[1], b, 0); n != 0 || err == nil {
			t.Errorf("read %v", bad)
		}
	}
}
