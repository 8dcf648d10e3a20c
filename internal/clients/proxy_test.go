package clients

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A proxy stands between a client and the service and breaks one call at a time.
type proxy struct {
	url string

	mu     sync.Mutex
	refuse string           // the operation whose next try is answered by a fault of the service
	wrong  time.Duration    // how wrong the date of the next answer is
	tries  map[string][]int // by operation: the statuses answered since the last forget
}

func newProxy(t *testing.T, addr string) *proxy {
	p := &proxy{tries: map[string][]int{}}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: p.answered,
		Transport:      &http.Transport{DisableCompression: true},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.refused(operation(r)) {
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			w.Header().Set("x-amzn-RequestId", "11111111-2222-3333-4444-555555555555")
			if cbor := r.Header.Get("Smithy-Protocol"); cbor != "" {
				w.Header().Set("Smithy-Protocol", cbor)
				w.WriteHeader(http.StatusInternalServerError)
				// The map {"__type": "InternalServiceException", "message": "broken"}.
				_, _ = w.Write([]byte("\xa2\x66__type\x78\x18InternalServiceException\x67message\x66broken"))
				return
			}
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"__type": "InternalServiceException", "message": "broken"}`))
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// operation is the API operation that a request is for; empty for another.
func operation(r *http.Request) string {
	if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return op
	}
	_, op, _ := strings.Cut(r.URL.Path, "/operation/")
	return op
}

func (p *proxy) refused(op string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if op == "" || p.refuse != op {
		return false
	}
	p.refuse = ""
	p.tries[op] = append(p.tries[op], http.StatusInternalServerError)
	return true
}

func (p *proxy) answered(r *http.Response) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	op := operation(r.Request)
	p.tries[op] = append(p.tries[op], r.StatusCode)
	if p.wrong != 0 {
		r.Header.Set("Date", time.Now().Add(p.wrong).UTC().Format(http.TimeFormat))
		p.wrong = 0
	}
	return nil
}

// refuseNext answers the next try of an operation by status 500, unheard.
func (p *proxy) refuseNext(op string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = op
}

// wrongDate gives the next answer a date that is wrong by d.
func (p *proxy) wrongDate(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong = d
}

// forget forgets the tries and returns those of op so far.
func (p *proxy) forget(op string) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.tries[op]
	p.tries = map[string][]int{}
	return was
}
