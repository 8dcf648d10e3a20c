package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// SignatureHeader carries the signature of what a webhook gets:
//
//	Chairlift-Signature: t=1767323045,v1=5257a869…
//
// v1 is the HMAC-SHA256, in hex, with the sink's secret as the key, of t, a full
// stop and the body. t is the time of the attempt in Unix seconds; who wants no
// repeats of old requests refuses one that is far from now.
const SignatureHeader = "Chairlift-Signature"

// Sign makes the value of SignatureHeader.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t + "."))
	h.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(h.Sum(nil))
}

// notification is what a topic sends to its HTTPS subscribers. There is no
// certificate of Amazon's behind ours, so its own signature is empty: see
// SignatureHeader.
type notification struct {
	Type             string
	MessageID        string `json:"MessageId"`
	TopicARN         string `json:"TopicArn"`
	Message          string
	Timestamp        string
	SignatureVersion string
	Signature        string
	SigningCertURL   string
	UnsubscribeURL   string
}

// webhook sends events to an address.
type webhook struct {
	sink   Sink
	client *http.Client
	now    func() time.Time
}

func newWebhook(s Sink, t http.RoundTripper, now func() time.Time) *webhook {
	return &webhook{sink: s, now: now, client: &http.Client{
		Transport: t, Timeout: s.Timeout,
		// An address that moved is for the configuration to follow.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// deliver makes one attempt.
func (h *webhook) deliver(ctx context.Context, p *lift.Publish) (refused bool, err error) {
	r, err := h.request(ctx, p)
	if err != nil {
		return true, err
	}
	a, err := h.client.Do(r)
	if err != nil {
		return false, err
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(a.Body, 200))
	_, _ = io.CopyN(io.Discard, a.Body, 64<<10) // so that the connection can be used again
	switch code := a.StatusCode; {
	case code >= 200 && code < 300:
		return false, nil
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests || code >= 500:
		return false, fmt.Errorf("it answered %s: %s", a.Status, text)
	case code >= 300 && code < 400:
		return true, fmt.Errorf("it answered %s to %s; put the new address into the configuration", a.Status, a.Header.Get("Location"))
	default:
		return true, fmt.Errorf("it answered %s: %s", a.Status, text)
	}
}

func (h *webhook) request(ctx context.Context, p *lift.Publish) (*http.Request, error) {
	body, contentType := []byte(p.Event), "application/json"
	var id struct{ ID string }
	if err := json.Unmarshal([]byte(p.Event), &id); err != nil {
		return nil, fmt.Errorf("the event is not readable: %w", err)
	}
	if h.sink.Form == SNS {
		var err error
		body, err = json.Marshal(notification{
			Type: "Notification", MessageID: id.ID, TopicARN: p.Topic, Message: p.Event,
			Timestamp: p.At.UTC().Format("2006-01-02T15:04:05.000Z"), SignatureVersion: "1",
		})
		if err != nil {
			return nil, err
		}
		contentType = "text/plain; charset=UTF-8"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.sink.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "Chairlift")
	if h.sink.Form == SNS {
		r.Header.Set("X-Amz-Sns-Message-Type", "Notification")
		r.Header.Set("X-Amz-Sns-Message-Id", id.ID)
		r.Header.Set("X-Amz-Sns-Topic-Arn", p.Topic)
	}
	if h.sink.Secret != "" {
		r.Header.Set(SignatureHeader, Sign(h.sink.Secret, h.now(), body))
	}
	return r, nil
}

// file appends events to a file, one a line.
type file struct {
	out io.Writer
}

func (f *file) deliver(_ context.Context, p *lift.Publish) (refused bool, err error) {
	var line bytes.Buffer
	if err := json.Compact(&line, []byte(p.Event)); err != nil {
		return true, fmt.Errorf("the event is not readable: %w", err)
	}
	line.WriteByte('\n')
	n, err := f.out.Write(line.Bytes())
	if err == nil && n < line.Len() {
		err = errors.New("the line was not written whole")
	}
	return false, err
}
