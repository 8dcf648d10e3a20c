package ops

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/archive"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// FileKey is where the object of a bucket lies among the files.
func FileKey(bucket, key string) string { return bucket + "/" + key }

// MayWrite refuses with a *lift.Error when a location does not exist or takes
// no files (any more). The door to the files asks before an upload and when its
// last byte has come, one upload of a location at a time.
func (s *Service) MayWrite(ctx context.Context, bucket, key string) error {
	if !reserved(bucket) {
		return checkBucket(bucket)
	}
	return s.engine.View(ctx, func(tx store.Tx) error {
		b, err := buildAt(tx, bucket, key)
		if err != nil {
			return err
		}
		return uploadable(b)
	})
}

// Finished is told when a file has arrived. If it is that of a build, it returns
// when the build is READY, or FAILED with the reason. The check of the archive can take
// a while and runs outside of any transaction; a caller who goes away does not
// end it. If the service does, Run repeats it.
func (s *Service) Finished(ctx context.Context, bucket, key string, sizeBytes int64) error {
	if !reserved(bucket) {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	b, err := change(ctx, s, func(tx *engine.Tx) (*lift.Build, error) {
		b, err := buildAt(tx, bucket, key)
		if err != nil {
			return nil, err
		}
		if err := uploadable(b); err != nil {
			return nil, err
		}
		b.ReceivedAt = tx.Now
		return b, store.Builds.Put(tx, b)
	})
	if err != nil {
		return err
	}
	return s.examine(ctx, b)
}

// tidyEvery is how soon the files of a deleted build go after its last fleet.
const tidyEvery = time.Minute

// Run finishes what an end of the service interrupted, then tidies up now and
// then, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	if err := s.checkUploads(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("builds whose files arrived were not checked", "err", err)
	}
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := s.tidy(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("files of deleted builds stay for now", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// checkUploads examines builds whose files arrived before the service ended.
func (s *Service) checkUploads(ctx context.Context) error {
	waiting, err := read(ctx, s, func(tx store.Tx) ([]*lift.Build, error) {
		return store.Builds.All(tx, "received", "")
	})
	for _, b := range waiting {
		err = errors.Join(err, s.examine(ctx, b))
	}
	return err
}

// settled examines a new build whose files a bucket holds, and returns it as it
// is then. A caller who goes away does not end it.
func (s *Service) settled(ctx context.Context, b *lift.Build) (*lift.Build, error) {
	ctx = context.WithoutCancel(ctx)
	if err := s.examine(ctx, b); err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*lift.Build, error) { return store.Builds.Find(tx, string(b.ID)) })
}

// examine looks into the archive of b and settles its status.
func (s *Service) examine(ctx context.Context, b *lift.Build) error {
	size, reason, err := s.inspect(ctx, b)
	if errors.Is(err, blob.ErrElsewhere) {
		reason, err = err.Error(), nil
	}
	if err != nil {
		return err
	}
	return s.engine.Update(ctx, func(tx *engine.Tx) error {
		b, ok, err := store.Builds.Get(tx, string(b.ID))
		if err != nil || !ok || b.Status != lift.BuildInitialized {
			return err
		}
		b.Status, b.SizeBytes = lift.BuildReady, size
		if reason != "" {
			b.Status, b.SizeBytes, b.Reason = lift.BuildFailed, 0, reason
		}
		if b.Source != nil {
			b.SizeBytes = 0 // behaviour 1.2
		}
		return store.Builds.Put(tx, b)
	})
}

// inspect gets the archive of b if it lies in a bucket, and returns its size, or
// why it cannot be used.
func (s *Service) inspect(ctx context.Context, b *lift.Build) (sizeBytes int64, reason string, err error) {
	if b.Source != nil {
		if err := s.fetch(ctx, b); err != nil {
			return 0, "", err
		}
	}
	f, err := s.o.Files.Open(ctx, FileKey(b.Bucket, b.Key))
	if errors.Is(err, blob.ErrNotFound) {
		return 0, "its files are gone", nil
	}
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	limits := archive.DefaultLimits
	limits.FoldCase = strings.HasPrefix(b.OperatingSystem, "WINDOWS")
	_, err = archive.Check(f, f.Info().SizeBytes, limits)
	if refused, ok := errors.AsType[*archive.Refused](err); ok {
		return 0, refused.Error(), nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("checking the files of %s: %w", b.ID, err)
	}
	return f.Info().SizeBytes, "", nil
}

// buildAt finds the build whose files belong at a location.
func buildAt(tx store.Tx, bucket, key string) (*lift.Build, error) {
	b, ok, err := store.Builds.Get(tx, path.Base(key))
	if err == nil && (!ok || b.Deleted || b.Bucket != bucket || b.Key != key) {
		err = lift.Errorf(lift.NotFound, "nothing may be uploaded to %s/%s; CreateBuild names a location", bucket, key)
	}
	return b, err
}

// uploadable refuses a build that takes no files: a location takes them once.
func uploadable(b *lift.Build) error {
	switch {
	case b.Status != lift.BuildInitialized:
		return invalid("build %s is %s and takes no files; create another build", b.ID, b.Status)
	case !b.ReceivedAt.IsZero():
		return invalid("the files of build %s have arrived and are being checked; create another build for other files", b.ID)
	}
	return nil
}

// tidy removes the files of deleted builds that no fleet needs any more.
func (s *Service) tidy(ctx context.Context) error {
	deleted, err := read(ctx, s, func(tx store.Tx) ([]*lift.Build, error) {
		return store.Builds.All(tx, "deleted", "")
	})
	for _, b := range deleted {
		err = errors.Join(err, s.dropBuild(ctx, b))
	}
	return err
}

// dropBuild removes the files of a deleted build, then the build, unless a
// fleet may still start instances of it. No fleet can be made of it meanwhile.
func (s *Service) dropBuild(ctx context.Context, b *lift.Build) error {
	needed, err := read(ctx, s, func(tx store.Tx) (bool, error) {
		fs, _, err := store.Fleets.Scan(tx, "build", string(b.ID), store.Cursor{}, 1)
		return len(fs) > 0, err
	})
	if err != nil || needed {
		return err
	}
	if err := s.o.Files.Delete(ctx, FileKey(b.Bucket, b.Key)); err != nil {
		return fmt.Errorf("deleting the files of %s: %w", b.ID, err)
	}
	return s.engine.Update(ctx, func(tx *engine.Tx) error { return store.Builds.Delete(tx, string(b.ID)) })
}
