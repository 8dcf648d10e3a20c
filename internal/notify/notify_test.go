package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/internal/golden"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

// receivers are what listens at the addresses of webhooks, by host name.
type receivers map[string]func(*http.Request, string) int

func (rs receivers) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	code := rs[r.URL.Host](r, string(b))
	if code == 0 {
		<-r.Context().Done() // it does not answer
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: code, Status: fmt.Sprint(code, " ", http.StatusText(code)), Body: io.NopCloser(strings.NewReader("as it is")), Request: r, Header: http.Header{}}, nil
}

// inbox notes what arrived.
type inbox struct {
	mu  sync.Mutex
	got []string
}

func (i *inbox) add(s string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got = append(i.got, s)
}

func (i *inbox) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.got)
}

func newStore(t *testing.T) store.Store {
	t.Helper()
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// event is the envelope of the nth event.
func event(n int) string {
	return fmt.Sprintf(`{"id":"e%d","account":"123456789012","region":"us-west-2","detail":{"type":"MatchmakingSearching"}}`, n)
}

// save puts the nth event into the outbox of sinks, as the engine does.
func save(t *testing.T, s store.Store, n int, subject string, sinks ...string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		for _, sink := range sinks {
			o := &store.Outbox{SentAt: time.Now().UTC(), Effect: lift.Effect{
				ID: lift.EffectID(fmt.Sprintf("%s-%d", sink, n)), To: lift.ToSink(sink),
				Publish: &lift.Publish{Topic: "arn:aws:sns:us-west-2:1:t", Subjects: []string{subject}, At: time.Now().UTC().Add(time.Duration(n) * time.Microsecond), Event: event(n)},
			}}
			if err := store.Effects.Put(tx, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// left counts the outbox, and returns the dead letters.
func left(t *testing.T, s store.Store) (waiting int, dead []*store.DeadLetter) {
	t.Helper()
	err := s.View(t.Context(), func(tx store.Tx) error {
		all, err := store.Effects.All(tx, "", "")
		if err != nil {
			return err
		}
		waiting = len(all)
		dead, err = store.DeadLetters.All(tx, "", "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return waiting, dead
}

func start(t *testing.T, s store.Store, rs receivers, sinks ...Sink) (n *Notifier, stop func()) {
	t.Helper()
	ready, err := Sinks(sinks).Ready()
	if err != nil {
		t.Fatal(err)
	}
	if n, err = New(Options{Store: s, Sinks: ready, HTTP: rs}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.Run(ctx) }()
	return n, func() { cancel(); <-done; n.Close() }
}

func hook(name string) Sink { return Sink{Name: name, URL: "http://" + name + "/"} }

func idOf(body string) string {
	var ev struct{ ID string }
	_ = json.Unmarshal([]byte(body), &ev)
	return ev.ID
}

// A sink that is gone and one that never answers delay no other. What waits
// for the first is delivered in order when it comes back; the second's become
// dead letters.
func TestNoSinkDelaysAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		var well, late inbox
		var up atomic.Bool
		n, stop := start(t, db, receivers{
			"well": func(_ *http.Request, b string) int { well.add(idOf(b)); return 200 },
			"late": func(_ *http.Request, b string) int {
				if !up.Load() {
					return 503
				}
				late.add(idOf(b))
				return 204
			},
			"mute": func(*http.Request, string) int { return 0 },
		}, hook("well"), hook("late"), hook("mute"))
		defer stop()
		for i := range 20 {
			save(t, db, i, "ticket/a", "well", "late", "mute")
		}
		for _, s := range []string{"well", "late", "mute", "nobody"} {
			n.Wake(s)
		}
		begun := time.Now()
		synctest.Wait()
		if got := well.all(); len(got) != 20 || time.Since(begun) != 0 {
			t.Errorf("the sink that is well has %d events after %s", len(got), time.Since(begun))
		}
		time.Sleep(10 * time.Minute)
		up.Store(true)
		time.Sleep(2 * time.Minute)
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprint("e", i))
		}
		if got := late.all(); !slices.Equal(got, want) {
			t.Errorf("the sink that came back got %q", got)
		}
		if waiting, dead := left(t, db); waiting != 20 || len(dead) != 0 {
			t.Errorf("%d wait, %d are dead", waiting, len(dead))
		}
		time.Sleep(2 * time.Hour)
		waiting, dead := left(t, db)
		if waiting != 0 || len(dead) != 20 {
			t.Fatalf("after two hours %d wait, %d are dead", waiting, len(dead))
		}
		d := dead[0]
		if d.Sink != "mute" || d.Account != "123456789012" || d.Type != "MatchmakingSearching" || d.Attempts == 0 || !strings.Contains(d.Reason, "exceeded") {
			t.Errorf("got %+v", d)
		}
	})
}

// A receiver that refuses one event gets all others, and an operator the one.
func TestRefusedEventsAreDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		var in inbox
		n, stop := start(t, db, receivers{"h": func(_ *http.Request, b string) int {
			if idOf(b) == "e3" {
				return 422
			}
			in.add(idOf(b))
			return 200
		}}, hook("h"))
		defer stop()
		for i := range 6 {
			save(t, db, i, "ticket/"+[]string{"a", "b"}[i%2], "h")
		}
		n.Wake("h")
		synctest.Wait()
		if got := in.all(); slices.Contains(got, "e5") || !slices.Contains(got, "e4") {
			t.Errorf("e5 overtook e3 of the same ticket, or e4 waited: %q", got)
		}
		time.Sleep(20 * time.Second)
		if got := in.all(); len(got) != 5 {
			t.Errorf("arrived: %q", got)
		}
		waiting, dead := left(t, db)
		if waiting != 0 || len(dead) != 1 || dead[0].Attempts != refusals || dead[0].Reason != "it answered 422 Unprocessable Entity: as it is" {
			t.Errorf("%d wait; dead: %+v", waiting, dead)
		}
	})
}

// However often it is stopped in the midst, every event arrives, those of one
// ticket in order.
func TestRestartsLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 300
		db := newStore(t)
		var in inbox
		rs := receivers{"h": func(_ *http.Request, b string) int {
			time.Sleep(30 * time.Millisecond)
			in.add(idOf(b))
			return 200
		}}
		for i := range events {
			save(t, db, i, fmt.Sprint("ticket/", i%7), "h", "old")
		}
		for range 5 {
			_, stop := start(t, db, rs, hook("h"))
			time.Sleep(100 * time.Millisecond)
			stop()
		}
		_, stop := start(t, db, rs, hook("h"))
		time.Sleep(time.Minute)
		stop()
		last := map[int]int{}
		seen := map[int]bool{}
		for _, id := range in.all() {
			var i int
			_, _ = fmt.Sscanf(id, "e%d", &i)
			if !seen[i] && i < last[i%7] {
				t.Errorf("%s came after e%d", id, last[i%7])
			}
			seen[i], last[i%7] = true, max(i, last[i%7])
		}
		waiting, dead := left(t, db)
		if len(seen) != events || waiting != 0 {
			t.Errorf("%d of %d arrived, %d wait", len(seen), events, waiting)
		}
		if len(dead) != events || !strings.Contains(dead[0].Reason, "no sink of this name") {
			t.Errorf("%d dead letters of the sink that is gone", len(dead))
		}
	})
}

// What goes over the wire, and how a receiver makes sure of it.
func TestWebhookForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		var out strings.Builder
		say := func(r *http.Request, b string) int {
			fmt.Fprintf(&out, "%s %s\n", r.Method, r.URL)
			for _, h := range slices.Sorted(func(yield func(string) bool) {
				for k := range r.Header {
					if !yield(k) {
						return
					}
				}
			}) {
				fmt.Fprintf(&out, "%s: %s\n", h, r.Header.Get(h))
			}
			fmt.Fprintf(&out, "\n%s\n\n", b)
			if s := r.Header.Get(SignatureHeader); s != Sign("hush", time.Now(), []byte(b)) || s == Sign("hush", time.Now(), []byte(b+" ")) {
				t.Errorf("signature %s", s)
			}
			return 200
		}
		sns, bus := hook("sns"), hook("bus")
		sns.Topics, sns.Secret, bus.Secret = []string{"arn:aws:sns:*:*:t"}, "hush", "hush"
		n, stop := start(t, db, receivers{"sns": say, "bus": say}, sns, bus)
		defer stop()
		for _, s := range []string{"sns", "bus"} {
			save(t, db, 1, "ticket/a", s)
			n.Wake(s)
			synctest.Wait()
		}
		golden.File(t, "testdata/webhooks.txt", out.String())
	})
}

func TestFileSinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		_, stop := start(t, db, nil, Sink{Name: "f", File: path})
		for i := range 3 {
			save(t, db, i, "ticket/a", "f")
		}
		time.Sleep(lookEvery) // found without a wake-up
		synctest.Wait()
		stop()
	})
	b, err := os.ReadFile(path)
	if want := event(0) + "\n" + event(1) + "\n" + event(2) + "\n"; err != nil || string(b) != want {
		t.Errorf("got %s, %v", b, err)
	}
	if _, err := New(Options{Sinks: Sinks{{Name: "f", File: filepath.Join(path, "below")}}}); err == nil || !strings.Contains(err.Error(), "sink f") {
		t.Errorf("a file that cannot be: %v", err)
	}
}
