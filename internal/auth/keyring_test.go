package auth

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

// ring is a keyring over an empty store, and a way to write its rows.
func ring(t *testing.T) (*Keyring, store.Store, func(k lift.AccessKey)) {
	t.Helper()
	db, err := memdb.New(store.Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	r := NewKeyring(db, []byte("master"))
	return r, db, func(k lift.AccessKey) {
		t.Helper()
		err := db.Update(t.Context(), func(tx store.Tx) error {
			if _, _, err := store.Keys.Get(tx, k.ID); err != nil {
				return err
			}
			return store.Keys.Put(tx, &k)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeyring(t *testing.T) {
	r, db, put := ring(t)
	v := &Verifier{Keys: Sources{Keys{}, r}}
	send := func(secret string, at time.Time) (Caller, error) {
		req, _ := http.NewRequest("POST", "http://h/", nil)
		Sign(req, nil, Credentials{AccessKeyID: testID, SecretAccessKey: secret}, "us-west-2", "gamelift", at)
		return v.Verify(t.Context(), received(t, req, nil), nil, at)
	}
	if _, err := send(testSecret, noon); reason(t, err) != UnknownKey {
		t.Errorf("before it is made: %v", err)
	}
	k := lift.AccessKey{ID: testID, Account: "123456789012", Name: "ci", PolicyName: "build-upload", Sealed: r.Seal(testID, testSecret), CreatedAt: noon}
	if bytes.Contains(k.Sealed, []byte(testSecret)) {
		t.Error("the sealed secret tells the secret")
	}
	put(k)
	c, err := send(testSecret, noon)
	if err != nil {
		t.Fatal(err)
	}
	if c.Account != "123456789012" || c.Principal != "arn:aws:iam::123456789012:user/ci" {
		t.Errorf("caller %+v", c)
	}
	if c.Check("gamelift:CreateBuild", "*") != nil || reason(t, c.Check("gamelift:CreateFleet", "*")) != Denied {
		t.Error("the policy is not the one of its name")
	}
	if _, err := send("another", noon); reason(t, err) != Mismatch {
		t.Errorf("another secret: %v", err)
	}

	// Revoked elsewhere: seen when what was read is old. Revoked here: at once.
	k.RevokedAt = noon
	put(k)
	if _, err := send(testSecret, noon.Add(KeyAge-1)); err != nil {
		t.Errorf("nothing is cached: %v", err)
	}
	if _, err := send(testSecret, noon.Add(KeyAge)); reason(t, err) != UnknownKey || !strings.Contains(err.Error(), "was revoked at 2019-09-03") {
		t.Errorf("revoked elsewhere: %v", err)
	}
	k.RevokedAt = time.Time{}
	put(k)
	if _, err := send(testSecret, noon); err != nil {
		t.Fatal(err)
	}
	k.RevokedAt = noon
	put(k)
	r.Forget(testID)
	if _, err := send(testSecret, noon); reason(t, err) != UnknownKey {
		t.Errorf("revoked here: %v", err)
	}

	// A server with another master secret cannot open it, and says so in its log.
	k.RevokedAt = time.Time{}
	put(k)
	_, err = NewKeyring(db, []byte("other")).Key(t.Context(), testID, noon)
	if _, refused := errors.AsType[*Error](err); err == nil || refused || !strings.Contains(err.Error(), "master.key") {
		t.Errorf("another master secret: %v", err)
	}
	// A sealed secret belongs to its key.
	if _, err := r.Unseal("AKIDOTHER", k.Sealed); err == nil {
		t.Error("a secret was opened for another key")
	}
	for _, cut := range [][]byte{nil, k.Sealed[:5], k.Sealed[:20]} {
		if _, err := r.Unseal(testID, cut); err == nil {
			t.Errorf("%d bytes were opened", len(cut))
		}
	}
}

// A read that began before a key was revoked must not bring it back.
func TestKeyringForgetsReadsUnderWay(t *testing.T) {
	r, db, put := ring(t)
	k := lift.AccessKey{ID: testID, Name: "x", PolicyName: "admin", Sealed: r.Seal(testID, testSecret)}
	put(k)
	r.store = viewing{db, func() { r.Forget(testID) }}
	if _, err := r.Key(t.Context(), testID, noon); err != nil {
		t.Fatal(err)
	}
	if len(r.cached) != 0 {
		t.Error("what was read before Forget is kept")
	}
}

func TestKeyringIsBounded(t *testing.T) {
	r, _, put := ring(t)
	put(lift.AccessKey{ID: testID, Name: "x", PolicyName: "admin", Sealed: r.Seal(testID, testSecret)})
	for range maxCachedKeys {
		r.cached[rand16()] = cachedKey{}
	}
	if _, err := r.Key(t.Context(), testID, noon); err != nil || len(r.cached) > maxCachedKeys {
		t.Errorf("%d keys kept, %v", len(r.cached), err)
	}
}

func TestStoredPolicies(t *testing.T) {
	for _, test := range []struct {
		key  lift.AccessKey
		want string
	}{
		{lift.AccessKey{PolicyName: "admin"}, ""},
		{lift.AccessKey{Policy: `{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}`}, ""},
		{lift.AccessKey{PolicyName: "of-a-later-release"}, "knows no policy"},
		{lift.AccessKey{}, "reading the policy"},
	} {
		if _, err := PolicyOf(&test.key); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.key, err, test.want)
		}
	}
}

// viewing is a store that does something after each View.
type viewing struct {
	store.Store
	after func()
}

func (v viewing) View(ctx context.Context, f func(store.Tx) error) error {
	err := v.Store.View(ctx, f)
	v.after()
	return err
}
