package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"
)

// The following two functions are shown in docs/events.md.

// genuine reports whether a request comes from a Chairlift that knows the
// secret.
func genuine(r *http.Request, body []byte, secret string) bool {
	t, v1, ok := strings.Cut(r.Header.Get("Chairlift-Signature"), ",v1=")
	t, dated := strings.CutPrefix(t, "t=")
	want, err := hex.DecodeString(v1)
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t + "."))
	h.Write(body)
	return ok && dated && err == nil && hmac.Equal(h.Sum(nil), want)
}

// receive is a webhook that hears of matches.
func receive(secret string, matched func(event, ticket string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || !genuine(r, body, secret) {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		var notification struct{ Message string }
		var event struct {
			Detail struct {
				Type    string
				Tickets []struct{ TicketID string }
			}
		}
		if json.Unmarshal(body, &notification) != nil || json.Unmarshal([]byte(notification.Message), &event) != nil {
			http.Error(w, "what is that?", http.StatusBadRequest)
			return
		}
		for _, t := range event.Detail.Tickets {
			matched(event.Detail.Type, t.TicketID) // may come again: remember the event's id
		}
	}
}

// eventsPage returns a fenced block of docs/events.md that begins with a line.
func eventsPage(t *testing.T, first string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(text), "\n"+first+"\n")
	block, _, ended := strings.Cut(block, "```")
	if !ok || !ended {
		t.Fatalf("docs/events.md has no block that begins with %q", first)
	}
	return first + "\n" + block
}

func TestEventsPageShowsTheReceiver(t *testing.T) {
	source, err := os.ReadFile("events_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if block := eventsPage(t, "// genuine reports whether a request comes from a Chairlift that knows the"); !strings.Contains(string(source), block) {
		t.Error("the receiver in docs/events.md is not the one that is tested")
	}
}

// duel asks for matches of a STANDALONE matchmaker that pairs anybody.
func duel(t *testing.T, s *service, topic string) func(ids ...string) {
	t.Helper()
	ctx, c := t.Context(), s.client()
	_, err := c.CreateMatchmakingRuleSet(ctx, &gamelift.CreateMatchmakingRuleSetInput{
		Name: aws.String("pairs"), RuleSetBody: aws.String(`{"ruleLanguageVersion":"1.0","teams":[{"name":"t","minPlayers":2,"maxPlayers":2}]}`),
	})
	if err == nil {
		_, err = c.CreateMatchmakingConfiguration(ctx, &gamelift.CreateMatchmakingConfigurationInput{
			Name: aws.String("pairs"), RuleSetName: aws.String("pairs"), FlexMatchMode: types.FlexMatchModeStandalone, RequestTimeoutSeconds: aws.Int32(60),
			AcceptanceRequired: aws.Bool(false), NotificationTarget: &topic,
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(ids ...string) {
		t.Helper()
		for _, id := range ids {
			_, err := s.client().StartMatchmaking(ctx, &gamelift.StartMatchmakingInput{
				ConfigurationName: aws.String("pairs"), TicketId: aws.String(id), Players: []types.Player{{PlayerId: aws.String("player-" + id)}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The configuration of docs/events.md, a receiver that is down at first, and a
// service that is killed meanwhile: every event arrives, those of a ticket in
// their order. What is refused becomes a dead letter that an operator sends
// again with the commands of the page.
func TestEventsArrive(t *testing.T) {
	const topic = "arn:aws:sns:us-west-2:000000000000:matches"
	var mu sync.Mutex
	heard := map[string][]string{}
	status := http.StatusServiceUnavailable
	hook := receive("between us", func(event, ticket string) {
		if h := heard[ticket]; len(h) == 0 || h[len(h)-1] != event {
			heard[ticket] = append(h, event)
		}
	})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if status != 0 {
			http.Error(w, "not now", status)
			return
		}
		hook(w, r)
	}))
	defer receiver.Close()
	answer := func(code int) { mu.Lock(); status = code; mu.Unlock() }
	all := []string{"MatchmakingSearching", "PotentialMatchCreated", "MatchmakingSucceeded"}
	complete := func(ids ...string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				if !slices.Equal(heard[id], all) {
					return false
				}
			}
			return true
		}
	}

	dir := shortDir(t)
	conf := eventsPage(t, "# chairlift.yaml")
	for from, to := range map[string]string{
		"https://backend.example/gamelift": receiver.URL,
		"/etc/chairlift/backend.secret":    filepath.Join(dir, "secret"),
		"https://analytics.example/events": receiver.URL + "/analytics",
		"/var/log/chairlift/events.jsonl":  filepath.Join(dir, "events.jsonl"),
	} {
		if !strings.Contains(conf, from) {
			t.Fatalf("the configuration in docs/events.md does not name %s", from)
		}
		conf = strings.ReplaceAll(conf, from, to)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("between us\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "chairlift.yaml"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "none", "--config", filepath.Join(dir, "chairlift.yaml"))
	ask := duel(t, s, topic)
	ask("a", "b")
	line := func() int { // written while the webhooks are down
		b, _ := os.ReadFile(filepath.Join(dir, "events.jsonl"))
		return bytes.Count(b, []byte("\n"))
	}
	eventually(t, 10*time.Second, "the file has the first match", func() bool { return line() >= 4 })
	s.kill()
	s.start()
	ask("c", "d")
	answer(0)
	eventually(t, 30*time.Second, "all events of a, b, c and d", complete("a", "b", "c", "d"))

	answer(http.StatusTeapot)
	ask("e", "f")
	list := strings.Fields(eventsCommand(t, "chairlift dead-letters list"))
	retry := strings.Fields(eventsCommand(t, "chairlift dead-letters retry --sink backend"))
	var out string
	eventually(t, 60*time.Second, "dead letters", func() bool {
		var err error
		if out, err = s.run(list...); err != nil {
			t.Fatal(out, err)
		}
		return strings.Count(out, " backend ") == 2
	})
	if strings.Count(out, "MatchmakingSearching") < 2 || !strings.Contains(out, "4 attempts: it answered 418") {
		t.Errorf("the list says\n%s", out)
	}
	answer(0)
	if out, err := s.run(retry...); err != nil || out != "2 on their way again\n" {
		t.Errorf("retry says %s, %v", out, err)
	}
	eventually(t, 20*time.Second, "the events sent again", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range []string{"e", "f"} {
			for _, event := range all {
				if !slices.Contains(heard[id], event) {
					return false
				}
			}
		}
		return true
	})
	if out, err := s.run("dead-letters", "retry", "none-such"); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("retry of nothing says %s", out)
	}
}

// eventsCommand is the part behind "chairlift" of a command that docs/events.md
// shows.
func eventsCommand(t *testing.T, command string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), command) {
		t.Fatalf("docs/events.md does not show %s", command)
	}
	return strings.TrimPrefix(command, "chairlift ")
}

// --events - prints every event behind the line that says where it serves.
func TestEventsOnStandardOutput(t *testing.T) {
	data := filepath.Join(shortDir(t), "data")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	done := make(chan string)
	go func() {
		var errOut bytes.Buffer
		args := append(strings.Fields(eventsCommand(t, "chairlift serve --events -")), "--addr", "127.0.0.1:0", "--host", "none", "--data", data)
		if code := run(ctx, args, w, &errOut); code != 0 {
			t.Errorf("exit %d: %s", code, errOut.String())
		}
		w.Close()
		done <- errOut.String()
	}()
	lines := json.NewDecoder(r)
	var ready [1 << 10]byte
	n, err := r.Read(ready[:])
	_, addr, ok := strings.Cut(string(ready[:n]), "addr=")
	if err != nil || !ok {
		t.Fatalf("got %q, %v", ready[:n], err)
	}
	addr, _, _ = strings.Cut(addr, " ")
	s := &service{t: t, data: data, addr: addr}
	duel(t, s, "arn:aws:sns:us-west-2:000000000000:elsewhere")("a", "b")
	var types []string
	for range 4 {
		var ev struct{ Detail struct{ Type string } }
		if err := lines.Decode(&ev); err != nil {
			t.Fatal(err)
		}
		types = append(types, ev.Detail.Type)
	}
	if got := fmt.Sprint(types); got != "[MatchmakingSearching MatchmakingSearching PotentialMatchCreated MatchmakingSucceeded]" {
		t.Errorf("got %s", got)
	}
	cancel()
	go io.Copy(io.Discard, r)
	if log := <-done; !strings.Contains(log, "no sink is configured for this NotificationTarget") {
		t.Errorf("the log does not say that the topic leads nowhere: %s", log)
	}
}
