package auth

import (
	"context"
	"errors"
	"strings"
	"time"
)

// A Key is an access key and what it stands for.
type Key struct {
	AccessKeyID string // public
	Secret      string
	Account     string // twelve digits
	Principal   string // the ARN of whom the key belongs to
	Policy      Policy // what it may do; the zero policy allows nothing
	Expires     time.Time
	Disabled    bool
}

// ErrUnknownKey is what a [KeySource] answers for a key it does not have.
var ErrUnknownKey = errors.New("auth: unknown access key")

// A KeySource finds keys by their id. An unknown id is [ErrUnknownKey], a key
// that no longer holds an [*Error] that says so; any other error means that the
// source cannot tell now.
type KeySource interface {
	Key(ctx context.Context, accessKeyID string, now time.Time) (Key, error)
}

// Keys is a [KeySource] of fixed keys by access key id.
type Keys map[string]Key

func (k Keys) Key(_ context.Context, id string, _ time.Time) (Key, error) {
	if key, ok := k[id]; ok {
		return key, nil
	}
	return Key{}, ErrUnknownKey
}

// Sources asks one source after the other.
type Sources []KeySource

func (s Sources) Key(ctx context.Context, id string, now time.Time) (Key, error) {
	for _, source := range s {
		key, err := source.Key(ctx, id, now)
		if !errors.Is(err, ErrUnknownKey) {
			return key, err
		}
	}
	return Key{}, ErrUnknownKey
}

// A Caller is who sent a request, as established by its signature, and which
// request it is.
type Caller struct {
	Account     string
	Principal   string // ARN
	AccessKeyID string
	Region      string // from the credential scope: the namespace of the call
	Service     string // from the credential scope: gamelift, s3, sts
	RequestID   string // ours, one for each request
	// InvocationID is the caller's name for one call over all its retries
	// (amz-sdk-invocation-id), or empty: the only handle to recognise a retry.
	InvocationID string
	Operation    string // GameLift.CreateFleet; empty before it is known
	BodyHash     string // SHA-256 of the request body, hexadecimal

	policy Policy
}

// CallID names one call over all its retries: it is the same for the same key,
// region, operation, invocation id and body. It is empty if the client sent no
// invocation id, so that its retries cannot be told from new calls.
func (c Caller) CallID() string {
	if c.InvocationID == "" {
		return ""
	}
	return hashHex([]byte(strings.Join([]string{c.AccessKeyID, c.Region, c.Operation, c.BodyHash, c.InvocationID}, "\x00")))[:32]
}

// Under returns c with this policy, which otherwise comes with the signature.
func (c Caller) Under(p Policy) Caller {
	c.policy = p
	return c
}

// Check returns nil if the caller's policy allows the action on the resource
// (an ARN, or * for actions that concern no single resource), else an [*Error]
// that says what is missing.
func (c Caller) Check(action, resource string) error {
	d := c.policy.Allowed(action, resource)
	if d.Allowed {
		return nil
	}
	return refuse(Denied, "%s may not perform %s on %s: %s", c.Principal, action, resource, d.Reason)
}

type callerKey struct{}

// WithCaller returns a context that carries c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller whom [WithCaller] put into ctx, or the zero Caller,
// which may do nothing.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
