package ops

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// Callers may keep files in buckets of their own, which come into being by the
// first upload, and name them as the StorageLocation of builds and scripts.
// Chairlift's own buckets have names that begin alike.

func reserved(bucket string) bool { return strings.HasPrefix(bucket, "chairlift-") }

// bucketForm has no dot: GameLift refuses buckets with one (behaviour 1.2).
var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

func checkBucket(name string) error {
	if !bucketForm.MatchString(name) {
		return invalid("a bucket name has 3 to 63 lower case letters, digits and hyphens, and no dot; got %.80q", name)
	}
	return nil
}

// source reads a StorageLocation. Its object must be there, and be one that the
// caller may read: RoleArn grants nothing here.
func (s *Service) source(ctx context.Context, c caller, in *api.S3Location) (*lift.Object, error) {
	if in == nil {
		return nil, nil
	}
	o := &lift.Object{Bucket: or(in.Bucket, ""), Key: or(in.Key, ""), Version: or(in.ObjectVersion, ""), RoleARN: or(in.RoleArn, "")}
	if o.Bucket == "" || o.Key == "" {
		return nil, invalid("StorageLocation needs a Bucket and a Key")
	}
	if err := checkBucket(o.Bucket); err != nil {
		return nil, inMember(err, "StorageLocation.Bucket")
	}
	action := "s3:GetObject"
	if o.Version != "" {
		action = "s3:GetObjectVersion"
	}
	if err := c.Check(action, "arn:aws:s3:::"+FileKey(o.Bucket, o.Key)); err != nil {
		return nil, err
	}
	switch err := s.there(ctx, o); {
	case errors.Is(err, blob.ErrNotFound) && o.Version != "":
		return nil, invalid("StorageLocation: there is no version %.80q of an object s3://%s/%s; buckets filled through this service keep one, which is %q", o.Version, o.Bucket, o.Key, blob.NoVersion)
	case errors.Is(err, blob.ErrNotFound):
		return nil, invalid("StorageLocation: there is no object s3://%s/%s here; upload it to this service first, as with aws s3 cp", o.Bucket, o.Key)
	case errors.Is(err, blob.ErrElsewhere):
		return nil, invalid("StorageLocation: s3://%s/%s: %v", o.Bucket, o.Key, err)
	case err != nil:
		return nil, err
	}
	return o, nil
}

// there says whether an object can be opened, and opens it only if it must.
func (s *Service) there(ctx context.Context, o *lift.Object) error {
	if o.Version == "" {
		_, err := s.o.Files.Stat(ctx, FileKey(o.Bucket, o.Key))
		return err
	}
	f, err := s.open(ctx, o)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *Service) open(ctx context.Context, o *lift.Object) (blob.File, error) {
	return blob.OpenVersion(ctx, s.o.Files, FileKey(o.Bucket, o.Key), o.Version)
}

// fetch copies the source of b to where the files of builds lie, so that what
// becomes of it later does not matter.
func (s *Service) fetch(ctx context.Context, b *lift.Build) error {
	f, err := s.open(ctx, b.Source)
	if errors.Is(err, blob.ErrNotFound) {
		return nil // it went a moment ago; the check finds no files and says so
	}
	if err == nil {
		defer f.Close()
		_, err = s.o.Files.Put(ctx, FileKey(b.Bucket, b.Key), blob.Reader(f))
	}
	if err != nil {
		return fmt.Errorf("copying the files of %s: %w", b.ID, err)
	}
	return nil
}

func sourceShape(o *lift.Object) *api.S3Location {
	return &api.S3Location{Bucket: opt(o.Bucket), Key: opt(o.Key), ObjectVersion: opt(o.Version), RoleArn: opt(o.RoleARN)}
}
