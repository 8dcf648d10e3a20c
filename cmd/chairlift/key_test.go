package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"
	"github.com/aws/smithy-go"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/need"
)

// TestKeys lives through the life of access keys: made on the command line, used
// by unmodified clients, there after a crash, and dead once revoked.
func TestKeys(t *testing.T) {
	s := serve(t, "none")
	file := filepath.Join(t.TempDir(), "credentials")
	create := func(args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, "chairlift"), append([]string{"key", "create", "--data", s.data}, args...)...)
		profile, err := cmd.Output()
		if err != nil {
			t.Fatalf("chairlift key create %v: %v", args, err)
		}
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(profile); err != nil {
			t.Fatal(err)
		}
	}
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "gamelift:*", "Resource": "*"},
		{"Sid": "Keep", "Effect": "Deny", "Action": "gamelift:Delete*", "Resource": "*"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	create("--policy", "build-upload", "--name", "ci")
	create("--policy", policy, "--name", "ops")

	client := func(profile string) *gamelift.Client {
		t.Helper()
		cfg, err := config.LoadDefaultConfig(context.Background(), config.WithRegion("us-west-2"), config.WithBaseEndpoint("http://"+s.addr),
			config.WithSharedCredentialsFiles([]string{file}), config.WithSharedConfigFiles(nil), config.WithSharedConfigProfile(profile))
		if err != nil {
			t.Fatal(err)
		}
		return gamelift.NewFromConfig(cfg)
	}
	ci, ops := client("ci"), client("ops")
	ctx := t.Context()
	build, err := ci.CreateBuild(ctx, &gamelift.CreateBuildInput{})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(err error, words ...string) {
		t.Helper()
		e, ok := errors.AsType[*types.UnauthorizedException](err)
		for _, w := range words {
			if !ok || !strings.Contains(e.ErrorMessage(), w) {
				t.Errorf("got %v, want an UnauthorizedException with %q", err, w)
			}
		}
	}
	_, err = ci.DeleteBuild(ctx, &gamelift.DeleteBuildInput{BuildId: build.Build.BuildId})
	refused(err, "user/ci may not perform gamelift:DeleteBuild on arn:aws:gamelift:us-west-2:000000000000:build/"+*build.Build.BuildId)
	_, err = ops.DeleteBuild(ctx, &gamelift.DeleteBuildInput{BuildId: build.Build.BuildId})
	refused(err, "statement Keep of the key's policy denies it")

	// The key outlives the service.
	s.kill()
	s.start()
	if _, err := ci.DescribeBuild(ctx, &gamelift.DescribeBuildInput{BuildId: build.Build.BuildId}); err != nil {
		t.Errorf("after a crash: %v", err)
	}

	list, err := s.run("key", "list", "--policies")
	lines := strings.Split(strings.TrimSpace(list), "\n")
	if err != nil || len(lines) < 3 || !strings.Contains(lines[1], "build-upload") || !strings.Contains(lines[2], "ops") || !strings.Contains(list, `"Sid": "Keep"`) {
		t.Fatalf("%v\n%s", err, list)
	}
	id, _, _ := strings.Cut(lines[1], " ")
	if out, err := s.run("key", "revoke", id); err != nil || !strings.Contains(out, "is revoked") {
		t.Fatalf("%v\n%s", err, out)
	}
	_, err = ci.ListBuilds(ctx, &gamelift.ListBuildsInput{})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "UnrecognizedClientException" || !strings.Contains(e.ErrorMessage(), "was revoked at") {
		t.Errorf("a revoked key: %v", err)
	}

	for _, bad := range []struct {
		args []string
		want string
	}{
		{[]string{"key", "create", "--policy", "emperor"}, "neither one of the policies admin, read-only, game-backend, build-upload nor a file"},
		{[]string{"key", "create", "--policy", file}, "reading the policy"},
		{[]string{"key", "create", "--name", "with space"}, "Name: must match"},
		{[]string{"key", "revoke", "AKIA2222222222222222"}, "not found"},
	} {
		if out, err := s.run(bad.args...); err == nil || !strings.Contains(out, bad.want) {
			t.Errorf("chairlift %v: %v, %s", bad.args, err, out)
		}
	}

	cli := need.Program(t, "aws", "the Debian package awscli")
	if p := "/usr/bin/aws"; exists(p) {
		cli = p
	}
	cmd := exec.Command(cli, "--endpoint-url", "http://"+s.addr, "--region", "us-west-2", "--profile", "ops", "gamelift", "list-fleets")
	cmd.Env = append(os.Environ(), "AWS_SHARED_CREDENTIALS_FILE="+file, "AWS_PAGER=")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "FleetIds") {
		t.Errorf("the AWS CLI with the profile: %v\n%s", err, out)
	}

	// Temporary credentials, as the service mints them, and what they may not do.
	master, err := os.ReadFile(filepath.Join(s.data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	readOnly, _ := auth.ReadyMade("read-only")
	c := auth.NewTemporary(master).Mint(auth.Grant{Account: "000000000000", Principal: "arn:aws:sts::000000000000:assumed-role/a/b", Policy: readOnly, Expires: time.Now().Add(time.Hour)})
	for command, want := range map[string]string{"list-fleets": "FleetIds", "create-build": "UnauthorizedException"} {
		cmd := exec.Command(cli, "--endpoint-url", "http://"+s.addr, "--region", "us-west-2", "gamelift", command)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+c.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+c.SecretAccessKey, "AWS_SESSION_TOKEN="+c.SessionToken, "AWS_PAGER=")
		if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), want) {
			t.Errorf("the AWS CLI with a session token, %s:\n%s", command, out)
		}
	}
}
