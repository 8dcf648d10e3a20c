package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
)

// A Client makes the calls of a scenario, over AWS JSON 1.1, and repeats those
// that were not answered as AWS clients do: with the same invocation id.
type Client struct {
	URL         string
	Region      string
	Credentials auth.Credentials
	HTTP        http.RoundTripper
	Now         func() time.Time
	Sleep       func(time.Duration)

	calls int
}

// How often a call is tried, and the first and the longest wait between.
const (
	tries     = 200
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

// Call makes one call.
func (c *Client) Call(op string, in map[string]any) (any, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	c.calls++
	invocation := fmt.Sprintf("00000000-0000-4000-8000-%012d", c.calls)
	wait, unanswered := firstWait, false
	for range tries {
		var out any
		if out, err = c.try(op, invocation, body); err == nil {
			return out, nil
		}
		if refusal, ok := err.(*Refusal); ok {
			refusal.Doubtful = unanswered
			return nil, err
		}
		unanswered = true
		c.Sleep(wait)
		wait = min(2*wait, lastWait)
	}
	return nil, fmt.Errorf("not answered in %d tries: %w", tries, err)
}

func (c *Client) try(op, invocation string, body []byte) (any, error) {
	r, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(c.URL, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "GameLift."+op)
	r.Header.Set("Amz-Sdk-Invocation-Id", invocation)
	auth.Sign(r, body, c.Credentials, c.Region, "gamelift", c.Now())
	answer, err := c.HTTP.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 500 {
		return nil, fmt.Errorf("status %d: %s", answer.StatusCode, text)
	}
	if answer.StatusCode != http.StatusOK {
		var e struct {
			Type    string `json:"__type"`
			Message string
		}
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("status %d: %s", answer.StatusCode, text)
		}
		return nil, &Refusal{Code: e.Type[strings.LastIndexByte(e.Type, '#')+1:], Message: e.Message}
	}
	var out any
	if len(text) > 0 {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}
