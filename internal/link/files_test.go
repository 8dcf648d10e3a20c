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
