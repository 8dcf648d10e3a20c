package wire

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
)

// A Client calls a Chairlift over HTTP: the [api.Invoker] of the command line and
// the console. It does not retry.
//
//	gl := api.Client{Invoker: &wire.Client{URL: "http://127.0.0.1:9080", Region: "us-west-2", Credentials: c}}
//	fleets, err := gl.ListFleets(ctx, &api.ListFleetsInput{})
type Client struct {
	URL         string // of the one address, without a path
	Region      string
	Credentials auth.Credentials
	HTTP        *http.Client // default http.DefaultClient
}

// An APIError is an error the service answered.
type APIError struct {
	Operation string
	Code      string // the exception's name
	Message   string
	Status    int // of HTTP
	RequestID string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("%s: %s (%s)", e.Operation, e.Message, e.Code)
}

// maxAnswerBytes bounds the answers a client reads.
const maxAnswerBytes = 64 << 20

// Invoke implements [api.Invoker]. An error the service answered is an [*APIError].
func (c *Client) Invoke(ctx context.Context, op *api.Operation, in, out api.Shape) error {
	body := jsonCodec.encode(nil, func(e api.Encoder) { api.Encode(e, in) })
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", jsonCodec.contentType)
	r.Header.Set("X-Amz-Target", op.Service+"."+op.Name)
	r.Header.Set("Amz-Sdk-Invocation-Id", newRequestID())
	auth.Sign(r, body, c.Credentials, c.Region, "gamelift", time.Now())

	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return fmt.Errorf("%s: reading the answer: %w", op.Name, err)
	}
	if answer.StatusCode != http.StatusOK {
		return apiError(op, answer, body)
	}
	if len(body) == 0 {
		return nil
	}
	err = jsonCodec.decode(body, func(d api.Decoder) error { return api.Decode(d, out) })
	if err != nil {
		return fmt.Errorf("%s: the answer cannot be read: %w", op.Name, err)
	}
	return nil
}

// apiError reads an error's body, which may come from something in between.
func apiError(op *api.Operation, answer *http.Response, body []byte) error {
	e := &APIError{Operation: op.Name, Status: answer.StatusCode, RequestID: answer.Header.Get("X-Amzn-Requestid")}
	d := &jsonDecoder{data: body}
	err := d.Object()
	for err == nil {
		var name []byte
		var more bool
		if name, more, err = d.Key(); err != nil || !more {
			break
		}
		switch string(name) {
		case "__type":
			e.Code, err = d.String()
		case "message":
			e.Message, err = d.String()
		default:
			err = d.Skip()
		}
	}
	if err != nil || e.Code == "" {
		return fmt.Errorf("%s: %s answered %s, which is not how Chairlift answers; is the address right?", op.Name, answer.Request.URL.Host, answer.Status)
	}
	return e
}
