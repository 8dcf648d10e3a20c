package link

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/lift"
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

// FuzzAgentReceives lets an agent hear anything, frame after frame: it may refuse
// it, but what it counts stays possible and what it says stays JSON.
func FuzzAgentReceives(f *testing.F) {
	for _, s := range []string{
		`{"welcome":{"version":1,"lastEvent":0,"windowEvents":3,"windowBytes":300}}`,
		`{"ack":{"upTo":2,"replies":[{"seq":2,"reply":{"Status":200}}],"got":["c1"]}}`,
		`{"commands":[{"ID":"c1","To":"agent/i-1","Drain":{"By":"2026-03-01T12:00:00Z","Reason":"x"}}]}`,
		`{"welcome":{"version":1,"windowEvents":-1}}|{"ack":{"upTo":18446744073709551615}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, frames string) {
		a := NewAgentEnd("i-1")
		for range 5 {
			a.Report(exited("p"))
			a.Report(lift.Event{AcceptPlayer: &lift.AcceptPlayer{}})
		}
		a.Open(noon)
		for frame := range strings.SplitSeq(frames, "|") {
			for {
				data, _, err := a.Next(noon)
				if err != nil {
					t.Fatal(err)
				}
				if data == nil {
					break
				}
				if _, err := decode(data); err != nil {
					t.Fatalf("%v: %s", err, data)
				}
			}
			if a.Receive(noon, []byte(frame)) != nil {
				a.Close()
				a.Open(noon)
			}
			if ef, ok := a.Command(); ok {
				a.Took(ef.ID)
			}
			if o := a.events; o.count < 0 || o.bytes < 0 || o.flight < 0 || o.acked > o.last || o.next > len(o.sent) {
				t.Fatalf("impossible: %+v", o)
			}
		}
	})
}

// FuzzServiceReceives is the same for the service's end; what it hands on is in
// order and without a gap.
func FuzzServiceReceives(f *testing.F) {
	for _, s := range []string{
		`{"hello":{"version":1,"oldest":1,"instance":"i-1"}}|{"events":[{"seq":4,"event":{"Stopped":{"Reason":"x"}}}],"got":["c1"],"read":3}`,
		`{"hello":{"version":1,"instance":"i-1"}}|{"events":[{"seq":2,"ask":true,"event":{}},{"seq":4,"event":{}}],"read":18446744073709551615}`,
		`{}|{"got":["c1","c1"]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, frames string) {
		s := NewServiceEnd(noon, "i-1")
		last := uint64(3)
		for frame := range strings.SplitSeq(frames, "|") {
			if s.Receive(noon, []byte(frame)) != nil {
				return
			}
			if s.Greeted() {
				s.Resume(last, []lift.Effect{{ID: "c1"}, {ID: "c2"}})
			}
			if b, ok := s.Batch(); ok {
				for _, ev := range b.Events {
					if ev.Seq > last+1 {
						t.Fatalf("event %d after %d", ev.Seq, last)
					}
					last = max(last, ev.Seq)
				}
				if _, err := s.Handled(Ack{UpTo: last}); err != nil {
					t.Fatal(err)
				}
			}
			data, _, err := s.Next(noon)
			if err != nil {
				t.Fatal(err)
			}
			if data != nil {
				if _, err := decode(data); err != nil {
					t.Fatalf("%v: %s", err, data)
				}
			}
			if s.sent < 0 {
				t.Fatal("fewer than no commands under way")
			}
		}
	})
}
