package notify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Form is how a webhook gets an event.
type Form string

const (
	// SNS wraps the event into a notification, as a topic's HTTPS subscribers
	// get it.
	SNS Form = "sns"
	// EventBridge sends the event as it is.
	EventBridge Form = "eventbridge"
)

// Sink is one place where events go: a webhook or a file. Exactly one of URL and
// File is set.
type Sink struct {
	// Name is how the outbox, dead letters and metrics call it: 1 to 64 small
	// letters, digits and hyphens.
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
	File string `yaml:"file"` // one event a line; "-" is standard output

	// Topics are the ARNs whose events it gets, as NotificationTarget names
	// them; a * stands for any text. Without any it gets every event, as the
	// account's event bus does.
	Topics []string `yaml:"topics"`
	// Form is that of a webhook: by default SNS with topics, else EventBridge.
	Form Form `yaml:"form"`
	// Secret signs what a webhook gets; SecretFile holds it instead.
	Secret     string `yaml:"secret"`
	SecretFile string `yaml:"secret-file"`
	// Timeout is how long a webhook may take to answer, from a second to a
	// minute; default 10 s.
	Timeout time.Duration `yaml:"timeout"`
	// GiveUp is how long an event is tried before it becomes a dead letter, at
	// most a week; default an hour.
	GiveUp time.Duration `yaml:"give-up"`
}

// Sinks are all sinks of a service.
type Sinks []Sink

const (
	defaultTimeout = 10 * time.Second
	defaultGiveUp  = time.Hour
	longestGiveUp  = 7 * 24 * time.Hour
)

var nameForm = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// UnmarshalText reads sinks from YAML, of which JSON is a part.
func (s *Sinks) UnmarshalText(text []byte) error {
	var read []Sink
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&read); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the sinks are no list of sinks: %w", err)
	}
	*s = read
	return nil
}

// Ready checks the sinks and fills in what they leave open, secrets among it.
// An error says what to change.
func (s Sinks) Ready() (Sinks, error) {
	s = slices.Clone(s)
	for i := range s {
		if err := s[i].ready(); err != nil {
			return nil, fmt.Errorf("sink %d (%s): %w", i+1, s[i].Name, err)
		}
		for _, other := range s[:i] {
			if other.Name == s[i].Name {
				return nil, fmt.Errorf("two sinks are called %s; events that wait for one would go to the other", other.Name)
			}
		}
	}
	return s, nil
}

func (s *Sink) ready() error {
	switch {
	case !nameForm.MatchString(s.Name):
		return errors.New("its name must be 1 to 64 small letters, digits and hyphens")
	case (s.URL == "") == (s.File == ""):
		return errors.New("give it either a url or a file")
	case s.File != "" && (s.Form != "" || s.Secret != "" || s.SecretFile != ""):
		return errors.New("form and secret are for webhooks; a file gets one event a line")
	case s.Secret != "" && s.SecretFile != "":
		return errors.New("give it either a secret or a secret-file")
	case s.Timeout != 0 && (s.Timeout < time.Second || s.Timeout > time.Minute):
		return fmt.Errorf("its timeout must be from 1s to 1m, got %s", s.Timeout)
	case s.GiveUp < 0 || s.GiveUp > longestGiveUp:
		return fmt.Errorf("its give-up must be at most %s, got %s", longestGiveUp, s.GiveUp)
	}
	if s.URL != "" {
		u, err := url.Parse(s.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return errors.New("its url must begin with http:// or https:// and name a host")
		}
	}
	for _, t := range s.Topics {
		if _, err := path.Match(t, ""); err != nil || t == "" {
			return fmt.Errorf("the topic %q is no ARN, nor one with * in it", t)
		}
	}
	if s.SecretFile != "" {
		b, err := os.ReadFile(s.SecretFile)
		if err != nil {
			return fmt.Errorf("its secret cannot be read: %w", err)
		}
		s.Secret = strings.TrimSpace(string(b))
		if s.Secret == "" {
			return fmt.Errorf("its secret-file %s is empty", s.SecretFile)
		}
	}
	switch {
	case s.File != "":
	case s.Form == "" && len(s.Topics) > 0:
		s.Form = SNS
	case s.Form == "":
		s.Form = EventBridge
	case s.Form != SNS && s.Form != EventBridge:
		return fmt.Errorf("its form must be %s or %s, got %q", SNS, EventBridge, s.Form)
	}
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.GiveUp == 0 {
		s.GiveUp = defaultGiveUp
	}
	return nil
}

// For names the sinks of an event that was published to the topic, "" if it
// was to none.
func (s Sinks) For(topic string) []string {
	var names []string
	for _, sink := range s {
		if sink.wants(topic) {
			names = append(names, sink.Name)
		}
	}
	return names
}

func (s *Sink) wants(topic string) bool {
	if len(s.Topics) == 0 {
		return true
	}
	return topic != "" && slices.ContainsFunc(s.Topics, func(pattern string) bool {
		ok, err := path.Match(pattern, topic)
		return ok && err == nil
	})
}

// Listens reports whether a topic of its own leads anywhere.
func (s Sinks) Listens(topic string) bool {
	return slices.ContainsFunc(s, func(sink Sink) bool { return len(sink.Topics) > 0 && sink.wants(topic) })
}
