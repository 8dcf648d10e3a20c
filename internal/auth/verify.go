package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// MaxSkew is how far the time of a request may be from ours.
const MaxSkew = 5 * time.Minute

// A Verifier checks the signatures of requests. The zero value knows no key.
// It may be used by many goroutines.
type Verifier struct {
	Keys KeySource
	// Temporary, if not nil, accepts the temporary credentials it minted.
	Temporary *Temporary

	mu   sync.Mutex
	days map[dayID][32]byte // derived keys
}

// A dayID names a derived key. The secret is part of it: one that was replaced
// must not live on in the cache.
type dayID struct {
	secret string
	scope  scope
}

// maxDays bounds the derived keys kept; beyond it the cache starts anew.
const maxDays = 1024

func (v *Verifier) dayKey(secret string, s scope) [32]byte {
	id := dayID{secret, s}
	v.mu.Lock()
	key, ok := v.days[id]
	v.mu.Unlock()
	if ok {
		return key
	}
	key = dayKey(secret, s)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.days == nil || len(v.days) >= maxDays {
		v.days = make(map[dayID][32]byte)
	}
	v.days[id] = key
	return key
}

// Verify checks the signature of r, whose whole body is given, and returns who
// sent it. An error is an [*Error], or the key source's when it cannot tell.
func (v *Verifier) Verify(ctx context.Context, r *http.Request, body []byte, now time.Time) (Caller, error) {
	s, err := ParseSignature(r)
	if err != nil {
		return Caller{}, err
	}
	return v.VerifySignature(ctx, r, s, body, now)
}

// VerifySignature is [Verifier.Verify] for a request whose signature was parsed
// already, as a door does before it reads a body.
func (v *Verifier) VerifySignature(ctx context.Context, r *http.Request, s *Signature, body []byte, now time.Time) (Caller, error) {
	// A request whose operation is not signed could be turned into another one.
	if r.Header.Get("X-Amz-Target") != "" && !s.signs("x-amz-target") {
		return Caller{}, refuse(Malformed, "SignedHeaders must name x-amz-target.")
	}
	hash := hashHex(body)
	if claimed := r.Header.Get("X-Amz-Content-Sha256"); claimed != "" && claimed != hash {
		if claimed != unsignedPayload || s.Service != "s3" {
			return Caller{}, refuse(Mismatch, "X-Amz-Content-Sha256 is not the hash of the body.")
		}
		hash = claimed
	}
	caller, _, err := v.verify(ctx, r, s, hash, now)
	return caller, err
}

// verify checks s over r with the given hash of the body, and returns the derived
// key as well, which signs the chunks of a streamed body.
func (v *Verifier) verify(ctx context.Context, r *http.Request, s *Signature, payloadHash string, now time.Time) (Caller, [32]byte, error) {
	var none [32]byte
	if err := s.inTime(now); err != nil {
		return Caller{}, none, err
	}
	key, err := v.key(ctx, s, now)
	if err != nil {
		return Caller{}, none, err
	}
	day := v.dayKey(key.Secret, s.scope())
	want := sign(day, stringToSign(r, s.headers, payloadHash, s.Time, s.scope()))
	if subtle.ConstantTimeCompare([]byte(want), []byte(s.value)) != 1 {
		return Caller{}, none, refuse(Mismatch, "The signature does not match the one calculated for key %s. Check the secret access key and that nothing between client and service changes the request.", key.AccessKeyID)
	}
	return Caller{
		Account:      key.Account,
		Principal:    key.Principal,
		AccessKeyID:  key.AccessKeyID,
		Region:       s.Region,
		Service:      s.Service,
		InvocationID: r.Header.Get("Amz-Sdk-Invocation-Id"),
		BodyHash:     payloadHash,
		policy:       key.Policy,
	}, day, nil
}

// inTime compares the request's time with ours. The texts carry our time, as
// those of the hosted service do.
func (s *Signature) inTime(now time.Time) error {
	now = now.UTC()
	if s.Time.After(now.Add(MaxSkew)) {
		return refuse(Skewed, "Signature not yet current: %s is still later than %s (%s + 5 min.). Set the clock of the client.", clock(s.Time), clock(now.Add(MaxSkew)), clock(now))
	}
	if s.Presigned {
		if end := s.Time.Add(s.Expires); now.After(end) {
			return refuse(Expired, "The request has expired: it was valid until %s, now it is %s.", clock(end), clock(now))
		}
		return nil
	}
	if s.Time.Before(now.Add(-MaxSkew)) {
		return refuse(Skewed, "Signature expired: %s is now earlier than %s (%s - 5 min.). Set the clock of the client.", clock(s.Time), clock(now.Add(-MaxSkew)), clock(now))
	}
	return nil
}

func clock(t time.Time) string { return t.Format(timeFormat) }

// key finds the key that s names.
func (v *Verifier) key(ctx context.Context, s *Signature, now time.Time) (Key, error) {
	unknown := func() *Error {
		return refuse(UnknownKey, "The access key %.128q is not known here. chairlift env prints one that is.", s.AccessKeyID)
	}
	if s.Token != "" {
		if v.Temporary == nil {
			return Key{}, refuse(InvalidToken, "The session token is not valid here.")
		}
		return v.Temporary.Key(s.AccessKeyID, s.Token, now)
	}
	if v.Keys == nil {
		return Key{}, unknown()
	}
	key, err := v.Keys.Key(ctx, s.AccessKeyID, now)
	if refused, ok := errors.AsType[*Error](err); ok {
		return Key{}, refused
	}
	switch {
	case errors.Is(err, ErrUnknownKey):
		return Key{}, unknown()
	case err != nil:
		return Key{}, fmt.Errorf("looking up access key %s: %w", s.AccessKeyID, err)
	case key.Disabled:
		return Key{}, refuse(UnknownKey, "The access key %s is disabled.", key.AccessKeyID)
	case !key.Expires.IsZero() && !now.Before(key.Expires):
		return Key{}, refuse(UnknownKey, "The access key %s expired at %s.", key.AccessKeyID, key.Expires.UTC().Format(time.RFC3339))
	case key.Secret == "":
		return Key{}, unknown()
	}
	return key, nil
}
