package lift

import "time"

// AccessKey is a key made through the API. The root key, which makes the first
// of them, lives in a file and is none.
type AccessKey struct {
	ID      string // public: AKIA…
	Account string
	Name    string // of whom it is for; several keys may have one name, while one replaces another
	// PolicyName names a ready-made policy; without one Policy is an IAM
	// document. A ready-made one may learn operations in later releases.
	PolicyName string `json:",omitempty"`
	Policy     string `json:",omitempty"`
	Sealed     []byte // its secret, sealed with the master secret
	CreatedBy  string // ARN
	CreatedAt  time.Time
	RevokedAt  time.Time // zero: it holds
	KeepUntil  time.Time // when a revoked key is forgotten
}

// Revoked reports whether k no longer opens anything.
func (k *AccessKey) Revoked() bool { return !k.RevokedAt.IsZero() }

// Principal is the ARN of whom the key belongs to.
func (k *AccessKey) Principal() string { return "arn:aws:iam::" + k.Account + ":user/" + k.Name }
