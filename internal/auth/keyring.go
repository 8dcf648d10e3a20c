package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// KeyAge is how long a keyring believes what it read: a key that was revoked at
// another server opens nothing here after it.
const KeyAge = time.Second

// maxCachedKeys bounds the keys kept in memory; beyond it the cache starts anew.
const maxCachedKeys = 4096

// A Keyring is a [KeySource] of the keys in the store. Secrets are stored sealed
// with the master secret, which servers on one store share; where it is a file, a
// copy of the database alone opens nothing.
//
// What it read is kept for KeyAge. Ids that are unknown are looked up each time,
// so a new key opens at once wherever it was made.
type Keyring struct {
	store store.Store
	aead  cipher.AEAD

	mu      sync.Mutex
	cached  map[string]cachedKey
	forgets uint64 // calls of Forget, so that a read that began before one is not kept
}

type cachedKey struct {
	key Key
	at  time.Time
}

// NewKeyring returns the keys of s. The master secret should have 32 random bytes.
func NewKeyring(s store.Store, master []byte) *Keyring {
	sum := mac(master, "chairlift stored keys 1")
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		panic("auth: " + err.Error()) // 32 bytes always are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("auth: " + err.Error())
	}
	return &Keyring{store: s, aead: aead, cached: map[string]cachedKey{}}
}

// Seal makes of the secret of a key what the store keeps of it.
func (r *Keyring) Seal(id, secret string) []byte {
	nonce := make([]byte, r.aead.NonceSize(), r.aead.NonceSize()+len(secret)+r.aead.Overhead())
	rand.Read(nonce)
	return r.aead.Seal(nonce, nonce, []byte(secret), []byte(id))
}

// Unseal returns the secret that was sealed for the key.
func (r *Keyring) Unseal(id string, sealed []byte) (string, error) {
	n := r.aead.NonceSize()
	if len(sealed) < n {
		return "", errors.New("the sealed secret is cut short")
	}
	secret, err := r.aead.Open(nil, sealed[:n], sealed[n:], []byte(id))
	if err != nil {
		return "", errors.New("its secret was sealed with another master secret than master.key in the data folder holds; put back the one that the store was used with")
	}
	return string(secret), nil
}

// Forget makes the next request with the key look at the store.
func (r *Keyring) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cached, id)
	r.forgets++
}

// Key implements [KeySource].
func (r *Keyring) Key(ctx context.Context, id string, now time.Time) (Key, error) {
	r.mu.Lock()
	kept, ok := r.cached[id]
	forgets := r.forgets
	r.mu.Unlock()
	if age := now.Sub(kept.at); ok && age >= 0 && age < KeyAge {
		return kept.key, nil
	}
	var row *lift.AccessKey
	err := r.store.View(ctx, func(tx store.Tx) (err error) {
		row, ok, err = store.Keys.Get(tx, id)
		return err
	})
	switch {
	case err != nil:
		return Key{}, err
	case !ok:
		return Key{}, ErrUnknownKey
	case row.Revoked():
		return Key{}, refuse(UnknownKey, "The access key %s of %s was revoked at %s. chairlift key create makes another.", id, row.Principal(), row.RevokedAt.UTC().Format(time.RFC3339))
	}
	key, err := r.open(row)
	if err != nil {
		return Key{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forgets == forgets {
		if len(r.cached) >= maxCachedKeys {
			clear(r.cached)
		}
		r.cached[id] = cachedKey{key, now}
	}
	return key, nil
}

func (r *Keyring) open(row *lift.AccessKey) (Key, error) {
	policy, err := PolicyOf(row)
	if err != nil {
		return Key{}, fmt.Errorf("the policy of the stored key: %w", err)
	}
	secret, err := r.Unseal(row.ID, row.Sealed)
	if err != nil {
		return Key{}, err
	}
	return Key{AccessKeyID: row.ID, Secret: secret, Account: row.Account, Principal: row.Principal(), Policy: policy}, nil
}

// PolicyOf returns what a stored key may do.
func PolicyOf(k *lift.AccessKey) (Policy, error) {
	if k.PolicyName == "" {
		return ParsePolicy([]byte(k.Policy))
	}
	p, ok := ReadyMade(k.PolicyName)
	if !ok {
		return Policy{}, fmt.Errorf("this release knows no policy named %q", k.PolicyName)
	}
	return p, nil
}
