package auth

import (
	"crypto/hmac"
	"encoding/binary"
	"strings"
	"time"
)

// ComputeTokenLife is how long a compute's token holds (GetComputeAuthToken).
const ComputeTokenLife = 3 * time.Hour

// computePrefix marks the tokens of this form.
const computePrefix = "ct1."

// ComputeTokens mints and verifies the tokens with which the game servers of a
// compute introduce themselves. Nothing is stored; a token is bound to its fleet
// and compute, uses only letters, digits and . _ ~ -, and is at most 64
// characters long, as some server SDKs demand.
type ComputeTokens struct {
	master []byte
}

// NewComputeTokens returns a minter. The master secret should have 32 random bytes.
func NewComputeTokens(master []byte) *ComputeTokens {
	sum := mac(master, "chairlift compute tokens 1")
	return &ComputeTokens{sum[:]}
}

func (t *ComputeTokens) seal(fleet, compute string, expires []byte) []byte {
	// The length keeps (a, bc) and (ab, c) apart.
	text := binary.AppendUvarint(nil, uint64(len(fleet)))
	text = append(text, fleet...)
	text = append(text, compute...)
	sum := mac(t.master, string(append(text, expires...)))
	return sum[:24]
}

// Mint returns a token for a compute of a fleet and when it expires.
func (t *ComputeTokens) Mint(fleet, compute string, now time.Time) (token string, expires time.Time) {
	expires = now.Add(ComputeTokenLife).UTC().Truncate(time.Second)
	raw := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))[3:] // five bytes last 34,000 years
	raw = append(raw, t.seal(fleet, compute, raw)...)
	return computePrefix + base64Token.EncodeToString(raw), expires
}

// Verify returns nil if token was minted for this compute of this fleet and has
// not expired, else an [*Error].
func (t *ComputeTokens) Verify(token, fleet, compute string, now time.Time) error {
	encoded, ok := strings.CutPrefix(token, computePrefix)
	raw, err := base64Token.DecodeString(encoded)
	if !ok || err != nil || len(raw) != 5+24 || !hmac.Equal(raw[5:], t.seal(fleet, compute, raw[:5])) {
		return refuse(InvalidToken, "The auth token is not one for compute %.128q of fleet %.128q; ask GetComputeAuthToken for one.", compute, fleet)
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(append(make([]byte, 3, 8), raw[:5]...))), 0)
	if !now.Before(expires) {
		return refuse(ExpiredToken, "The auth token expired at %s; ask GetComputeAuthToken for a new one.", expires.UTC().Format(time.RFC3339))
	}
	return nil
}
