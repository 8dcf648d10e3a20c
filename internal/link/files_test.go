package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// answer serves one request without a network.
func answer(t *testing.T, h http.Handler, method, url, auth string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, url, body)
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// slowly is a Writer that breaks the network now and then, after much has
// passed.
type slowly struct {
	bytes.Buffer
	n      *network
	next   int
	breaks int
}

func (s *slowly) Write(b []byte) (int, error) {
	if s.Len() >= s.next {
		s.next = s.Len() + 1<<20
		s.n.cut()
		s.breaks++
	}
	return s.Buffer.Write(b)
}

func TestFetchBuild(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		svc.build = randomBytes(5 << 20)
		a := n.agent("i-1")
		defer a.client.CloseIdleConnections()
		w := &slowly{n: n, next: 1000}
		began := time.Now()
		size, err := a.FetchBuild(t.Context(), w)
		if err != nil || size != int64(len(svc.build)) || !bytes.Equal(w.Bytes(), svc.build) {
			t.Errorf("got %d bytes, %v", size, err)
		}
		// Each break came after something had moved, so no pause grew.
		if took := time.Since(began); w.breaks < 5 || took > time.Duration(w.breaks)*firstPause {
			t.Errorf("%d breaks took %v", w.breaks, took)
		}
		svc.set(only("Build", 2, errors.New("the store is away")))
		if _, err := a.FetchBuild(t.Context(), io.Discard); err != nil {
			t.Error(err)
		}
	})
}

func TestFetchBuildGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		svc.set(only("Build", 1, lift.Errorf(lift.NotFound, "build-1 was deleted. Upload it again")))
		a := n.agent("i-1")
		defer a.client.CloseIdleConnections()
		if _, err := a.FetchBuild(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "Upload it again") {
			t.Errorf("got %v", err)
		}
		n.down()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := a.FetchBuild(ctx, io.Discard); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v", err)
		}
	})
}

// A service that changed its mind about the build ends the download; one that
// is in trouble does not.
func TestFetchBuildFrom(t *testing.T) {
	begin := func(w http.ResponseWriter) { // 4 of 8 bytes
		w.Header().Set("Content-Length", "8")
		_, _ = w.Write([]byte("abcd"))
		w.(http.Flusher).Flush()
	}
	part := func(from, to string, status int) http.HandlerFunc { // the first answer breaks off
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				begin(w)
				panic(http.ErrAbortHandler)
			}
			if from != "" {
				w.Header().Set("Content-Range", from)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(to))
		}
	}
	for _, tt := range []struct {
		name    string
		service http.HandlerFunc
		want    string
		err     string // a part of it
	}{
		{"the rest", part("bytes 4-7/8", "efgh", 206), "abcdefgh", ""},
		{"all of it again", part("", "abcdefgh", 200), "abcd", "does not resume"},
		{"from elsewhere", part("bytes 3-7/8", "defgh", 206), "abcd", "asked for bytes from 4"},
		{"from nowhere", part("bytes", "efgh", 206), "abcd", "without its place"},
		{"of another build", part("bytes 4-8/9", "efghi", 206), "abcd", "had 8 bytes and now has 9"},
		{"of no known size", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("ab"))
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("cd"))
		}, "abcd", ""},
		{"piece by piece", func(w http.ResponseWriter, r *http.Request) {
			from := 0
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/8", from, from+2))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write([]byte("abcdefgh")[from:min(from+3, 8)])
		}, "abcdefgh", ""},
		{"that stands still", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				begin(w)
				<-r.Context().Done() // the agent gives up first
				return
			}
			part("bytes 4-7/8", "efgh", 206)(w, r)
		}, "abcdefgh", ""},
		{"not given out", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no build", http.StatusForbidden)
		}, "", "the service answered 403: no build"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.serve(tt.service)
			defer n.down()
			a := n.agent("i-1")
			defer a.client.CloseIdleConnections()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			var got bytes.Buffer
			_, err := a.FetchBuild(ctx, &got)
			if got.String() != tt.want || ctx.Err() != nil || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %q, %v", tt.name, got.String(), err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.serve(part("bytes 4-7/8", "efgh", 206))
		defer n.down()
		a := n.agent("i-1")
		defer a.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		full := errors.New("the disk is full")
		if _, err := a.FetchBuild(ctx, writeFails{full}); !errors.Is(err, full) || ctx.Err() != nil {
			t.Errorf("into a writer that fails: %v", err)
		}
	})
}

// Where an agent asks, for each way to name a service.
func TestURL(t *testing.T) {
	for server, want := range map[string]string{
		"unix:/run/s":               "http://service/agent/build?a=b&instance=i%261",
		"http://h:1/ignored?x=y":    "http://h:1/agent/build?a=b&instance=i%261",
		"https://[fe80::1%25en0]:1": "https://[fe80::1%25en0]:1/agent/build?a=b&instance=i%261",
	} {
		a, err := NewAgent(Options{Server: server, Instance: "i&1", Token: "t"})
		if err != nil {
			t.Error(err)
			continue
		}
		if got := a.url("/agent/build", "a=b").String(); got != want {
			t.Errorf("at %s: %s, want %s", server, got, want)
		}
	}
}

type writeFails struct{ err error }

func (w writeFails) Write([]byte) (int, error) { return 0, w.err }

func TestFinal(t *testing.T) {
	for status, want := range map[int]bool{200: false, 304: false, 400: true, 401: false, 404: true, 408: false, 413: true, 429: false, 499: true, 500: false, 503: false} {
		if final(status) != want {
			t.Errorf("%d: final is %v", status, !want)
		}
	}
}

func TestValidKey(t *testing.T) {
	for key, want := range map[string]bool{
		"a": true, "az/AZ/09/._-": false, "az/AZ/09/a._-": true, "p/server.log": true,
		"": false, "/": false, "a/": false, "/a": false, "a//b": false, ".": false, "a/..": false, ".a": false,
		"a b": false, "a{": false, "a`": false, "a[": false, "a@": false, "a:": false, "ä": false, "a\\b": false,
		strings.Repeat("k", logKeyBytes): true, strings.Repeat("k", logKeyBytes+1): false,
	} {
		if validKey(key) != want {
			t.Errorf("%q: valid is %v", key, !want)
		}
	}
}

func TestTruncate(t *testing.T) {
	for _, tt := range []struct {
		text string
		max  int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aäö", 3, "aä"}, {"aäö", 4, "aä"}, {"a\xff", 9, "a?"}, {"ä", 1, ""}, {"ä", 0, ""}} {
		if got := truncate(tt.text, tt.max); got != tt.want {
			t.Errorf("%q to %d bytes: %q, want %q", tt.text, tt.max, got, tt.want)
		}
	}
}

func TestAppendLog(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		a := n.agent("i-1")
		defer a.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		text := randomBytes(3<<20 + 17)
		// The answer to every second piece is lost after it was written.
		var calls atomic.Int32
		svc.set(func(_ context.Context, method string) error {
			if method == "Appended" && calls.Add(1)%2 == 1 {
				return errors.New("lost")
			}
			return nil
		})
		size, err := a.AppendLog(ctx, "p/server.log", 0, bytes.NewReader(text[:2<<20]))
		if err != nil || size != 2<<20 {
			t.Fatalf("got %d, %v", size, err)
		}
		// The second half again, and the rest.
		size, err = a.AppendLog(ctx, "p/server.log", 1<<20, bytes.NewReader(text[1<<20:]))
		if err != nil || size != int64(len(text)) {
			t.Fatalf("got %d, %v", size, err)
		}
		if got := svc.logs["i-1/p/server.log"]; !bytes.Equal(got, text) {
			t.Errorf("the log has %d bytes of %d, or others", len(got), len(text))
		}
		// A gap.
		size, err = a.AppendLog(ctx, "p/server.log", size+1, strings.NewReader("x"))
		if !errors.Is(err, ErrOffset) || size != int64(len(text)) {
			t.Errorf("behind the end: %d, %v", size, err)
		}
		// Nothing to say is a question for the size.
		if size, err = a.AppendLog(ctx, "empty", 0, strings.NewReader("")); err != nil || size != 0 {
			t.Errorf("got %d, %v", size, err)
		}
		if _, err = a.AppendLog(ctx, "../x", 0, strings.NewReader("")); err == nil {
			t.Error("took a key that leads elsewhere")
		}
		// What was read of a log before it failed is kept.
		torn := errors.New("the disk is torn")
		size, err = a.AppendLog(ctx, "torn", 0, io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(torn)))
		if err != torn || size != 3 {
			t.Errorf("of a log that cannot be read: %d, %v", size, err)
		}
		if ctx.Err() != nil {
			t.Error("it took more than an hour")
		}
	})
}

// A service that is in trouble gets the piece again; one that does not want it
// does not.
func TestAppendLogTo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first http.HandlerFunc // answers the first time, then the service is well
		err   string           // a part of it
	}{
		{"one that breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ""},
		{"a proxy's page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>back soon") }, ""},
		{"one that cannot now", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) }, ""},
		{"one that never can", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}, "the service answered 413: too large"},
	} {
		synctest.Test(t, func(t *testing.T) {
			svc := newService()
			hub := NewHub(HubOptions{Service: svc})
			var calls atomic.Int32
			n := newNetwork(t)
			n.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == 1 {
					tt.first(w, r)
					return
				}
				hub.ServeHTTP(w, r)
			}))
			defer n.down()
			a := n.agent("i-1")
			defer a.client.CloseIdleConnections()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			size, err := a.AppendLog(ctx, "a", 0, strings.NewReader("text"))
			switch {
			case ctx.Err() != nil:
				t.Errorf("%s: still tried after an hour: %v", tt.name, err)
			case tt.err == "" && (err != nil || size != 4):
				t.Errorf("%s: %d bytes, %v", tt.name, size, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("%s: %v", tt.name, err)
			}
		})
	}
}

func TestLogPiecesAreBounded(t *testing.T) {
	svc := newService()
	hub := NewHub(HubOptions{Service: svc})
	w := answer(t, hub, "POST", "/agent/logs/a?instance=i-1&offset=0", "Bearer token of i-1", bytes.NewReader(make([]byte, logRequestBytes+1)))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", w.Code)
	}
}

// TestServiceCannot: what the service cannot do is answered so that the agent
// knows whether to ask again, and reads what a person can do about it.
func TestServiceCannot(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		text   string
	}{
		{errors.New("disk full at /var"), http.StatusServiceUnavailable, "the service cannot do this now; try again"},
		{lift.Errorf(lift.NotFound, "build-1 was deleted"), http.StatusNotFound, "build-1 was deleted"},
		{lift.Errorf(lift.LimitExceeded, "too much"), http.StatusRequestEntityTooLarge, "too much"},
		{lift.Errorf(lift.Throttling, "too often"), http.StatusServiceUnavailable, "too often"},
		{lift.Errorf(lift.InvalidRequest, "no"), http.StatusBadRequest, "no"},
	} {
		svc := newService()
		svc.set(func(_ context.Context, method string) error {
			if method == "Authenticate" {
				return nil
			}
			return tt.err
		})
		hub := NewHub(HubOptions{Service: svc})
		for what, w := range map[string]*httptest.ResponseRecorder{
			"build": answer(t, hub, "GET", "/agent/build?instance=i-1", "Bearer token of i-1", nil),
			"log":   answer(t, hub, "POST", "/agent/logs/a?instance=i-1&offset=0", "Bearer token of i-1", strings.NewReader("x")),
		} {
			if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || got != tt.text {
				t.Errorf("%v: a %s is answered %d %q, want %d %q", tt.err, what, w.Code, got, tt.status, tt.text)
			}
		}
	}
}

func TestTail(t *testing.T) {
	for _, tt := range []struct {
		size, offset int64
		want         string
		err          error
	}{
		{0, 0, "abc", nil}, {5, 5, "abc", nil}, {6, 5, "bc", nil}, {8, 5, "", nil}, {9, 5, "", nil}, {4, 5, "", ErrOffset},
	} {
		r, err := Tail(tt.size, tt.offset, strings.NewReader("abc"))
		if err != tt.err {
			t.Errorf("size %d: %v", tt.size, err)
			continue
		}
		if err == nil {
			if got, _ := io.ReadAll(r); string(got) != tt.want {
				t.Errorf("size %d, offset %d: %q, want %q", tt.size, tt.offset, got, tt.want)
			}
		}
	}
	torn := errors.New("the network is torn")
	if _, err := Tail(5, 0, iotest.ErrReader(torn)); err != torn {
		t.Errorf("of a piece that cannot be read: %v", err)
	}
}
