package auth

import (
	"crypto/hmac"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// Temporary mints temporary credentials and recognises them again without
// storing anything: the session token carries, sealed with the master secret,
// whom the credentials belong to, what they may do and until when. Servers that
// share the master secret accept each other's credentials.
type Temporary struct {
	master []byte
}

// NewTemporary returns a minter. The master secret should have 32 random bytes.
func NewTemporary(master []byte) *Temporary {
	sum := mac(master, "chairlift temporary credentials 1")
	return &Temporary{sum[:]}
}

// A Grant is what temporary credentials stand for.
type Grant struct {
	Account   string    `json:"a"`
	Principal string    `json:"p"` // ARN
	Policy    Policy    `json:"y"`
	Expires   time.Time `json:"e"` // to the second
}

// PutObject is the policy to upload one object, in one piece or in parts.
func PutObject(bucket, key string) Policy {
	return Policy{Statements: []Statement{{
		Effect:   Allow,
		Action:   Patterns{"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
		Resource: Patterns{literal("arn:aws:s3:::" + bucket + "/" + key)},
	}}}
}

// GetObject is the policy to read one object.
func GetObject(bucket, key string) Policy {
	return Policy{Statements: []Statement{{
		Effect:   Allow,
		Action:   Patterns{"s3:GetObject"},
		Resource: Patterns{literal("arn:aws:s3:::" + bucket + "/" + key)},
	}}}
}

// literal makes a pattern that matches only s. Wildcards cannot be quoted in a
// policy, so a name that has some matches nothing.
func literal(s string) string {
	if strings.ContainsAny(s, "*?") {
		return ""
	}
	return s
}

var (
	base32ID    = base32.StdEncoding.WithPadding(base32.NoPadding)
	base64Token = base64.RawURLEncoding
)

// Mint returns credentials for g.
func (t *Temporary) Mint(g Grant) Credentials {
	g.Expires = g.Expires.UTC().Truncate(time.Second)
	payload, err := json.Marshal(g)
	if err != nil {
		panic("auth: a grant that cannot be written: " + err.Error()) // strings and a time always can
	}
	seal := mac(t.master, "token "+string(payload))
	c := t.derive(string(payload))
	c.SessionToken = base64Token.EncodeToString(append(seal[:], payload...))
	return c
}

// derive returns key id and secret that belong to a payload.
func (t *Temporary) derive(payload string) Credentials {
	id := mac(t.master, "id "+payload)
	secret := mac(t.master, "secret "+payload)
	return Credentials{
		AccessKeyID:     "ASIA" + base32ID.EncodeToString(id[:])[:16],
		SecretAccessKey: base64Token.EncodeToString(secret[:])[:40],
	}
}

// maxToken bounds the session tokens looked at.
const maxToken = 8 << 10

// Key returns the key of credentials minted here, if they are and still hold.
func (t *Temporary) Key(accessKeyID, token string, now time.Time) (Key, error) {
	invalid := refuse(InvalidToken, "The session token is not valid here.")
	if len(token) > maxToken {
		return Key{}, invalid
	}
	raw, err := base64Token.DecodeString(token)
	if err != nil || len(raw) < 32 {
		return Key{}, invalid
	}
	payload := string(raw[32:])
	seal := mac(t.master, "token "+payload)
	c := t.derive(payload)
	if !hmac.Equal(seal[:], raw[:32]) || c.AccessKeyID != accessKeyID {
		return Key{}, invalid
	}
	var g Grant
	if err := json.Unmarshal(raw[32:], &g); err != nil {
		return Key{}, invalid
	}
	if !now.Before(g.Expires) {
		return Key{}, refuse(ExpiredToken, "The temporary credentials expired at %s; ask for new ones.", g.Expires.Format(time.RFC3339))
	}
	return Key{
		AccessKeyID: c.AccessKeyID,
		Secret:      c.SecretAccessKey,
		Account:     g.Account,
		Principal:   g.Principal,
		Policy:      g.Policy,
		Expires:     g.Expires,
	}, nil
}
