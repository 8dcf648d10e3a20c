package link

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLog asks for a piece of a log to be kept under any name: it is kept below
// the folder that such names are in, or refused.
func FuzzLog(f *testing.F) {
	f.Add("proc-1/server.log", "offset=0")
	f.Add("a/%2e%2e/b", "offset=9223372036854775808")
	f.Add("..", "offset=-1&offset=%zz")
	f.Fuzz(func(t *testing.T, key, query string) {
		svc := newService()
		hub := NewHub(HubOptions{Service: svc})
		r := httptest.NewRequest(http.MethodPost, "http://h/", strings.NewReader("text"))
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		hub.serveLog(w, r, "i-1", key)
		if w.Code >= 500 {
			t.Fatalf("answered %d %s", w.Code, w.Body)
		}
		for name := range svc.logs {
			if rest, ok := strings.CutPrefix(name, "i-1/"); !ok || !filepath.IsLocal(filepath.FromSlash(rest)) {
				t.Fatalf("%q was kept", name)
			}
		}
	})
}
