package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
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
	n    *network
	next int
}

func (s *slowly) Write(b []byte) (int, error) {
	if s.Len() >= s.next {
		s.next = s.Len() + 1<<20
		s.n.cut()
	}
	return s.Buffer.Write(b)
}

func TestFetchBuild(t *testing.T) {
	bubble(t, func(t *testing.T, svc *service, hub *Hub, n *network) {
		svc.build = randomBytes(5 << 20)
		svc.set(only("Build", 2, errors.New("the store is away")))
		a := n.agent("i-1")
		defer a.client.CloseIdleConnections()
		w := &slowly{n: n, next: 1000}
		size, err := a.FetchBuild(t.Context(), w)
		if err != nil || size != int64(len(svc.build)) || !bytes.Equal(w.Bytes(), svc.build) {
			t.Errorf("got %d bytes, %v", size, err)
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
	part := func(from, to string, status int) http.HandlerFunc { // the first answer breaks off after 4 bytes
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				w.Header().Set("Content-Length", "8")
				_, _ = w.Write([]byte("abcd"))
				w.(http.Flusher).Flush()
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
		{"from nowhere", part("bytes", "efgh", 206), "abcd", "asked for bytes from 4"},
		{"of another build", part("bytes 4-8/9", "efghi", 206), "abcd", "had 8 bytes and now has 9"},
		{"of no known size", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("ab"))
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("cd"))
		}, "abcd", ""},
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
			if got.String() != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
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
		text := randomBytes(3<<20 + 17)
		// The answer to every second piece is lost after it was written.
		var calls atomic.Int32
		svc.set(func(_ context.Context, method string) error {
			if method == "Appended" && calls.Add(1)%2 == 1 {
				return errors.New("lost")
			}
			return nil
		})
		size, err := a.AppendLog(t.Context(), "p/server.log", 0, bytes.NewReader(text[:2<<20]))
		if err != nil || size != 2<<20 {
			t.Fatalf("got %d, %v", size, err)
		}
		// The second half again, and the rest.
		size, err = a.AppendLog(t.Context(), "p/server.log", 1<<20, bytes.NewReader(text[1<<20:]))
		if err != nil || size != int64(len(text)) {
			t.Fatalf("got %d, %v", size, err)
		}
		if got := svc.logs["i-1/p/server.log"]; !bytes.Equal(got, text) {
			t.Errorf("the log has %d bytes of %d, or others", len(got), len(text))
		}
		// A gap.
		size, err = a.AppendLog(t.Context(), "p/server.log", size+1, strings.NewReader("x"))
		if !errors.Is(err, ErrOffset) || size != int64(len(text)) {
			t.Errorf("behind the end: %d, %v", size, err)
		}
		// Nothing to say is a question for the size.
		if size, err = a.AppendLog(t.Context(), "empty", 0, strings.NewReader("")); err != nil || size != 0 {
			t.Errorf("got %d, %v", size, err)
		}
		if _, err = a.AppendLog(t.Context(), "../x", 0, strings.NewReader("")); err == nil {
			t.Error("took a key that leads elsewhere")
		}
	})
}

func TestLogPiecesAreBounded(t *testing.T) {
	svc := newService()
	hub := NewHub(HubOptions{Service: svc})
	w := answer(t, hub, "POST", "/agent/logs/a?instance=i-1&offset=0", "Bearer token of i-1", bytes.NewReader(make([]byte, logRequestBytes+1)))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", w.Code)
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
}
