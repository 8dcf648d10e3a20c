package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/gamelift/types"

	"github.com/chairlift-games/chairlift/internal/auth"
)

// TestBucketsElsewhere makes builds of what lies in a folder, and through it on
// another service, whose bucket that folder is.
func TestBucketsElsewhere(t *testing.T) {
	srv := t.TempDir()
	f, err := os.Create(filepath.Join(srv, "game.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	_, err = z.Create("server")
	if err := errors.Join(err, z.Close(), f.Close(), os.WriteFile(filepath.Join(srv, "no.zip"), []byte("this is no zip"), 0o644)); err != nil {
		t.Fatal(err)
	}
	far := serve(t, "none", "--buckets", fmt.Sprintf("[{name: builds, url: 'file://%s'}]", filepath.ToSlash(srv)))
	key, err := auth.ReadCredentials(filepath.Join(far.data, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	near := serve(t, "none", "--buckets",
		fmt.Sprintf("[{name: far, url: 'http://%s/builds', access-key-id: %s, secret-access-key: '%s'}]", far.addr, key.AccessKeyID, key.SecretAccessKey))

	for _, s := range []struct {
		*service
		bucket string
	}{{far, "builds"}, {near, "far"}} {
		create := func(object string) (*gamelift.CreateBuildOutput, error) {
			return s.client().CreateBuild(t.Context(), &gamelift.CreateBuildInput{
				Name: &object, OperatingSystem: types.OperatingSystemAmazonLinux2023, StorageLocation: &types.S3Location{Bucket: &s.bucket, Key: &object, RoleArn: new("arn:aws:iam::000000000000:role/r")},
			})
		}
		if out, err := create("game.zip"); err != nil || out.Build.Status != types.BuildStatusReady {
			t.Errorf("%s: %+v, %v", s.bucket, out, err)
		}
		if out, err := create("no.zip"); err != nil || out.Build.Status != types.BuildStatusFailed {
			t.Errorf("%s: what is no zip: %+v, %v", s.bucket, out, err)
		}
		if _, err := create("other.zip"); err == nil || !strings.Contains(err.Error(), "no object s3://"+s.bucket+"/other.zip") {
			t.Errorf("%s: an object that is not there: %v", s.bucket, err)
		}
	}
	far.kill()
	object := "game.zip"
	bucket := "far"
	_, err = near.client(func(o *gamelift.Options) { o.RetryMaxAttempts = 1 }).CreateBuild(t.Context(), &gamelift.CreateBuildInput{
		OperatingSystem: types.OperatingSystemAmazonLinux2023, StorageLocation: &types.S3Location{Bucket: &bucket, Key: &object, RoleArn: new("r")},
	})
	if refused, ok := errors.AsType[*types.InvalidRequestException](err); !ok || !strings.Contains(refused.ErrorMessage(), "cannot be read from") {
		t.Errorf("a bucket that is away: %v", err)
	}
}
