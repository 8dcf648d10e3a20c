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
	o := &lift.Object{Bucket: or(in.Bucket, ""), Key: or(in.Key, ""), RoleARN: or(in.RoleArn, "")}
	switch {
	case o.Bucket == "" || o.Key == "":
		return nil, invalid("StorageLocation needs a Bucket and a Key")
	case in.ObjectVersion != nil:
		return nil, invalid("StorageLocation.ObjectVersion must be left out: this store keeps the latest version of an object only")
	}
	if err := checkBucket(o.Bucket); err != nil {
		return nil, inMember(err, "StorageLocation.Bucket")
	}
	if err := c.Check("s3:GetObject", "arn:aws:s3:::"+FileKey(o.Bucket, o.Key)); err != nil {
		return nil, err
	}
	_, err := s.o.Files.Stat(ctx, FileKey(o.Bucket, o.Key))
	if errors.Is(err, blob.ErrNotFound) {
		return nil, invalid("StorageLocation: there is no object s3://%s/%s here; upload it to this service first, as with aws s3 cp", o.Bucket, o.Key)
	}
	if errors.Is(err, blob.ErrElsewhere) {
		return nil, invalid("StorageLocation: s3://%s/%s: %v", o.Bucket, o.Key, err)
	}
	return o, err
}

// fetch copies the source of b to where the files of builds lie, so that what
// becomes of it later does not matter.
func (s *Service) fetch(ctx context.Context, b *lift.Build) error {
	f, err := s.o.Files.Open(ctx, FileKey(b.Source.Bucket, b.Source.Key))
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
	return &api.S3Location{Bucket: opt(o.Bucket), Key: opt(o.Key), RoleArn: opt(o.RoleARN)}
}
