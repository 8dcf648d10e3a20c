package ops

import (
	"context"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

func TestKeys(t *testing.T) {
	w := newWorld(t)
	made := must(w.CreateKey(w.ctx, &api.CreateKeyInput{Name: new("ci"), PolicyName: new("build-upload")}))(t)
	secret, id := *made.SecretAccessKey, *made.Key.AccessKeyId
	if len(secret) != 40 || *made.Key.Principal != "arn:aws:iam::123456789012:user/ci" || *made.Key.Status != "ACTIVE" || *made.Key.CreatedBy != "arn:aws:iam::123456789012:user/dev" {
		t.Errorf("%+v", made.Key)
	}
	own := `{"Statement":{"Effect":"Allow","Action":"gamelift:ListFleets","Resource":"*"}}`
	w.pass(time.Minute)
	if k := must(w.CreateKey(w.ctx, &api.CreateKeyInput{Policy: &own}))(t).Key; *k.Name != "custom" || *k.Policy != own {
		t.Errorf("%+v", k)
	}

	list := must(w.ListKeys(w.ctx, &api.ListKeysInput{Limit: new(1)}))(t)
	if len(list.Keys) != 1 || *list.Keys[0].AccessKeyId != id || list.NextToken == nil {
		t.Fatalf("%+v", list)
	}
	list = must(w.ListKeys(w.ctx, &api.ListKeysInput{NextToken: list.NextToken}))(t)
	if len(list.Keys) != 1 || *list.Keys[0].Name != "custom" || list.NextToken != nil {
		t.Fatalf("%+v", list)
	}
	var row string
	if err := w.engine.View(w.ctx, func(tx store.Tx) error {
		r, _, err := tx.Get(store.Keys.Kind.Name, id)
		row = string(r.Body)
		return err
	}); err != nil || row == "" || strings.Contains(row, secret) {
		t.Errorf("stored as %s, %v", row, err)
	}

	// Another account neither sees nor revokes it.
	other := auth.WithCaller(context.Background(), auth.Caller{Account: "999999999999", Region: "us-west-2"})
	if ks := must(w.ListKeys(other, &api.ListKeysInput{}))(t).Keys; len(ks) != 0 {
		t.Errorf("another account sees %+v", ks)
	}
	_, err := w.RevokeKey(other, &api.RevokeKeyInput{AccessKeyId: id})
	refused(t, err, lift.NotFound, "root key")

	gone := must(w.RevokeKey(w.ctx, &api.RevokeKeyInput{AccessKeyId: id}))(t).Key
	w.pass(time.Hour)
	again := must(w.RevokeKey(w.ctx, &api.RevokeKeyInput{AccessKeyId: id}))(t).Key
	if *gone.Status != "REVOKED" || !again.RevocationTime.Equal(gone.RevocationTime) {
		t.Errorf("%+v, then %+v", gone, again)
	}
	w.pass(keepRevoked)
	_, err = w.RevokeKey(w.ctx, &api.RevokeKeyInput{AccessKeyId: id})
	refused(t, err, lift.NotFound)
}

func TestKeysThatCannotBeMade(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		in   api.CreateKeyInput
		want string
	}{
		{api.CreateKeyInput{}, "exactly one of PolicyName and Policy"},
		{api.CreateKeyInput{PolicyName: new("admin"), Policy: new("{}")}, "exactly one of PolicyName and Policy"},
		{api.CreateKeyInput{Policy: new(`{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{}}}`)}, "Policy: reading the policy: the element Condition is not supported"},
	} {
		_, err := w.CreateKey(w.ctx, &test.in)
		refused(t, err, lift.InvalidRequest, test.want)
	}
	w.Service.o.Keys = nil
	_, err := w.CreateKey(w.ctx, &api.CreateKeyInput{PolicyName: new("admin")})
	refused(t, err, lift.NotSupported)
}

// The ready-made policies are those that the model names, and name operations
// that exist: a misspelled one would allow nothing and nobody would see it.
func TestReadyMadePolicies(t *testing.T) {
	for _, name := range api.EnumValues("KeyPolicyName") {
		p, ok := auth.ReadyMade(name)
		if !ok {
			t.Errorf("there is no policy %s", name)
			continue
		}
		for _, pattern := range p.Statements[0].Action {
			found := pattern == "*"
			for _, op := range api.Operations {
				match, err := path.Match(pattern, strings.ToLower(op.Service)+":"+op.Name)
				found = found || match && err == nil
			}
			if !found {
				t.Errorf("policy %s: no operation is %s", name, pattern)
			}
		}
	}
	for _, test := range []struct {
		policy, action string
		want           bool
	}{
		{"admin", "chairlift:CreateKey", true},
		{"read-only", "gamelift:DescribeFleetEvents", true},
		{"read-only", "gamelift:CreateFleet", false},
		{"read-only", "gamelift:GetInstanceAccess", false},
		{"read-only", "gamelift:GetComputeAuthToken", false},
		{"read-only", "chairlift:CreateKey", false},
		{"game-backend", "gamelift:StartMatchmaking", true},
		{"game-backend", "gamelift:CreateFleet", false},
		{"game-backend", "gamelift:CreateBuild", false},
		{"build-upload", "gamelift:RequestUploadCredentials", true},
		{"build-upload", "gamelift:DeleteBuild", false},
	} {
		p, _ := auth.ReadyMade(test.policy)
		if got := p.Allowed(test.action, "*").Allowed; got != test.want {
			t.Errorf("%s allows %s: %v", test.policy, test.action, got)
		}
	}
}
