package ops

import (
	"cmp"
	"context"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// keepRevoked is how long a revoked key is remembered, so that whoever still
// uses it hears why it fails.
const keepRevoked = 30 * 24 * time.Hour

// CreateKey makes an access key. Its secret is in this answer and, sealed, in
// the store, and nowhere else.
func (s *Service) CreateKey(ctx context.Context, in *api.CreateKeyInput) (*api.CreateKeyOutput, error) {
	c := s.caller(ctx)
	if s.o.Keys == nil {
		return nil, lift.Errorf(lift.NotSupported, "this service keeps no access keys")
	}
	if (in.PolicyName == nil) == (in.Policy == nil) {
		return nil, invalid("give exactly one of PolicyName and Policy, to say what the key may do")
	}
	if in.Policy != nil {
		if _, err := auth.ParsePolicy([]byte(*in.Policy)); err != nil {
			return nil, invalid("Policy: %v", err)
		}
	}
	made := auth.NewCredentials()
	sealed := s.o.Keys.Seal(made.AccessKeyID, made.SecretAccessKey)
	k, err := once(ctx, s, func(tx *engine.Tx) (*lift.AccessKey, error) {
		k := &lift.AccessKey{
			ID: made.AccessKeyID, Sealed: sealed, Account: c.Account, Name: cmp.Or(or(in.Name, ""), or(in.PolicyName, "custom")),
			PolicyName: or(in.PolicyName, ""), Policy: or(in.Policy, ""), CreatedBy: c.Principal, CreatedAt: tx.Now,
		}
		return k, store.Keys.Put(tx, k)
	})
	if err != nil {
		return nil, err
	}
	secret, err := s.o.Keys.Unseal(k.ID, k.Sealed)
	if err != nil {
		return nil, err
	}
	return &api.CreateKeyOutput{Key: keyShape(k), SecretAccessKey: &secret}, nil
}

// ListKeys lists the keys of the account, the oldest first, but the root key,
// which is not in the store.
func (s *Service) ListKeys(ctx context.Context, in *api.ListKeysInput) (*api.ListKeysOutput, error) {
	c := s.caller(ctx)
	p, err := s.page(c, in.Limit, in.NextToken, "ListKeys", c.Account)
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListKeysOutput, error) {
		ks, next, err := list(tx, p, store.Keys, "account", c.Account+"/", nil)
		return &api.ListKeysOutput{Keys: shapes(ks, keyShape), NextToken: next}, err
	})
}

// RevokeKey makes a key open nothing any more: here at once, at other servers
// within auth.KeyAge. A key that is revoked already stays as it is.
func (s *Service) RevokeKey(ctx context.Context, in *api.RevokeKeyInput) (*api.RevokeKeyOutput, error) {
	c := s.caller(ctx)
	k, err := change(ctx, s, func(tx *engine.Tx) (*lift.AccessKey, error) {
		k, ok, err := store.Keys.Get(tx, in.AccessKeyId)
		switch {
		case err != nil:
			return nil, err
		case !ok || k.Account != c.Account:
			return nil, lift.Errorf(lift.NotFound, "access key %s not found; chairlift key list shows those there are. The root key cannot be revoked: stop the service, delete the file credentials in its data folder, and the next start makes another", in.AccessKeyId)
		case k.Revoked():
			return k, nil
		}
		k.RevokedAt, k.KeepUntil = tx.Now, tx.Now.Add(keepRevoked)
		return k, store.Keys.Put(tx, k)
	})
	if err != nil {
		return nil, err
	}
	if s.o.Keys != nil {
		s.o.Keys.Forget(k.ID)
	}
	return &api.RevokeKeyOutput{Key: keyShape(k)}, nil
}

func keyShape(k *lift.AccessKey) *api.AccessKey {
	status := "ACTIVE"
	if k.Revoked() {
		status = "REVOKED"
	}
	return &api.AccessKey{
		AccessKeyId: opt(k.ID), Name: opt(k.Name), Principal: opt(k.Principal()), PolicyName: opt(k.PolicyName), Policy: opt(k.Policy),
		Status: &status, CreatedBy: opt(k.CreatedBy), CreationTime: k.CreatedAt, RevocationTime: k.RevokedAt,
	}
}
