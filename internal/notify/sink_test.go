package notify

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, text string) (Sinks, error) {
	t.Helper()
	var s Sinks
	if err := s.UnmarshalText([]byte(text)); err != nil {
		return nil, err
	}
	return s.Ready()
}

func TestSinksAreReadAndCompleted(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := parse(t, `
- name: backend
  url: https://backend.example/hook
  topics: ["arn:aws:sns:us-west-2:000000000000:matches", "arn:aws:sns:*:*:all-*"]
  secret-file: `+secret+`
  timeout: 3s
- {name: bus, url: "http://127.0.0.1:1/x", give-up: 2h}
- {"name": "log", "file": "-"}
`)
	if err != nil {
		t.Fatal(err)
	}
	if b := s[0]; b.Form != SNS || b.Secret != "hush" || b.Timeout != 3*time.Second || b.GiveUp != time.Hour {
		t.Errorf("got %+v", b)
	}
	if b := s[1]; b.Form != EventBridge || b.Secret != "" || b.Timeout != 10*time.Second || b.GiveUp != 2*time.Hour {
		t.Errorf("got %+v", b)
	}
	for topic, want := range map[string][]string{
		"": {"bus", "log"},
		"arn:aws:sns:us-west-2:000000000000:matches": {"backend", "bus", "log"},
		"arn:aws:sns:us-west-2:000000000000:match":   {"bus", "log"},
		"arn:aws:sns:eu-west-1:1:all-of-it":          {"backend", "bus", "log"},
	} {
		if got := s.For(topic); !slices.Equal(got, want) {
			t.Errorf("topic %q goes to %q, want %q", topic, got, want)
		}
		if got := s.Listens(topic); got != slices.Contains(want, "backend") {
			t.Errorf("topic %q is listened to: %v", topic, got)
		}
	}
	if s, err := parse(t, ""); err != nil || len(s) != 0 {
		t.Errorf("nothing: %v, %v", s, err)
	}
}

func TestMistakesInSinksAreExplained(t *testing.T) {
	for text, want := range map[string]string{
		`- {name: a, url: "http://h", tpoics: []}`: "tpoics",
		`name: a`:                                                     "list of sinks",
		`- {name: A, url: "http://h"}`:                                "small letters",
		`- {name: a}`:                                                 "either a url or a file",
		`- {name: a, url: "http://h", file: f}`:                       "either a url or a file",
		`- {name: a, url: "ftp://h"}`:                                 "http://",
		`- {name: a, url: "http:/h"}`:                                 "host",
		`- {name: a, file: f, secret: s}`:                             "webhooks",
		`- {name: a, url: "http://h", form: soap}`:                    "soap",
		`- {name: a, url: "http://h", timeout: 10ms}`:                 "1s to 1m",
		`- {name: a, url: "http://h", give-up: 1000h}`:                "168h",
		`- {name: a, url: "http://h", topics: ["["]}`:                 "no ARN",
		`- {name: a, url: "http://h", secret-file: /none}`:            "cannot be read",
		`- {name: a, url: "http://h", secret: x, secret-file: /none}`: "either a secret",
		`[{name: a, file: f}, {name: a, file: g}]`:                    "two sinks",
	} {
		if _, err := parse(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}

func FuzzSinks(f *testing.F) {
	f.Add("- {name: a, url: \"http://h\", timeout: 3s}")
	f.Add("[")
	f.Fuzz(func(t *testing.T, text string) {
		var s Sinks
		if strings.Contains(text, "secret-file") || s.UnmarshalText([]byte(text)) != nil {
			return
		}
		ready, err := s.Ready()
		if err != nil {
			return
		}
		for _, sink := range ready {
			if sink.Timeout == 0 || sink.GiveUp == 0 || sink.File == "" && sink.Form == "" {
				t.Errorf("not complete: %+v", sink)
			}
		}
	})
}
