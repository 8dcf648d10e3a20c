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

const (
	uploadWindow      = 24 * time.Hour   // behaviour 1.1
	uploadCredentials = 15 * time.Minute // behaviour 1.2
	defaultSystem     = "WINDOWS_2012"   // behaviour 1.3: what callers of 2019 rely on
	defaultSDK        = "4.0.2"
)

func (s *Service) CreateBuild(ctx context.Context, in *api.CreateBuildInput) (*api.CreateBuildOutput, error) {
	c := s.caller(ctx)
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	source, err := s.source(ctx, c, in.StorageLocation)
	if err != nil {
		return nil, err
	}
	b, err := once(ctx, s, func(tx *engine.Tx) (*lift.Build, error) {
		if err := under(tx, s.rules.Builds, store.Builds, "region", c.Region+"/"); err != nil {
			return nil, err
		}
		b := &lift.Build{
			ID: lift.BuildID("build-" + tx.NewID()), Region: c.Region, Account: c.Account,
			Name: or(in.Name, ""), Version: or(in.Version, ""),
			OperatingSystem:  cmp.Or(or(in.OperatingSystem, ""), defaultSystem),
			ServerSDKVersion: cmp.Or(or(in.ServerSdkVersion, ""), defaultSDK),
			Status:           lift.BuildInitialized, CreatedAt: tx.Now, UploadBy: tx.Now.Add(uploadWindow), Source: source, Tags: tags,
		}
		if source != nil {
			b.ReceivedAt = tx.Now
		}
		b.Bucket, b.Key = "chairlift-builds-"+c.Region, c.Account+"/"+string(b.ID)
		return b, store.Builds.Put(tx, b)
	})
	if err == nil && source != nil {
		b, err = s.settled(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	if source != nil {
		return &api.CreateBuildOutput{Build: buildShape(b), StorageLocation: location(b)}, nil
	}
	return &api.CreateBuildOutput{Build: buildShape(b), UploadCredentials: s.mint(c, b), StorageLocation: location(b)}, nil
}

func (s *Service) RequestUploadCredentials(ctx context.Context, in *api.RequestUploadCredentialsInput) (*api.RequestUploadCredentialsOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.RequestUploadCredentialsOutput, error) {
		b, err := c.build(tx, in.BuildId)
		if err != nil {
			return nil, err
		}
		if err := uploadable(b); err != nil {
			return nil, err
		}
		return &api.RequestUploadCredentialsOutput{UploadCredentials: s.mint(c, b), StorageLocation: location(b)}, nil
	})
}

func (s *Service) DescribeBuild(ctx context.Context, in *api.DescribeBuildInput) (*api.DescribeBuildOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeBuildOutput, error) {
		b, err := c.build(tx, in.BuildId)
		if err != nil {
			return nil, err
		}
		return &api.DescribeBuildOutput{Build: buildShape(b)}, nil
	})
}

func (s *Service) ListBuilds(ctx context.Context, in *api.ListBuildsInput) (*api.ListBuildsOutput, error) {
	c := s.caller(ctx)
	status := lift.BuildStatus(or(in.Status, ""))
	p, err := s.page(c, in.Limit, in.NextToken, "ListBuilds", string(status))
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListBuildsOutput, error) {
		bs, next, err := list(tx, p, store.Builds, "region", c.Region+"/", func(b *lift.Build) bool {
			return status == "" || b.Status == status
		})
		return &api.ListBuildsOutput{Builds: shapes(bs, buildShape), NextToken: next}, err
	})
}

func (s *Service) UpdateBuild(ctx context.Context, in *api.UpdateBuildInput) (*api.UpdateBuildOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateBuildOutput, error) {
		b, err := c.build(tx, in.BuildId)
		if err != nil {
			return nil, err
		}
		b.Name, b.Version = or(in.Name, b.Name), or(in.Version, b.Version)
		return &api.UpdateBuildOutput{Build: buildShape(b)}, store.Builds.Put(tx, b)
	})
}

// DeleteBuild makes a build unknown to callers. Its files go when the last
// fleet that may need them is gone, perhaps at once (behaviour 1.4).
func (s *Service) DeleteBuild(ctx context.Context, in *api.DeleteBuildInput) (*api.DeleteBuildOutput, error) {
	c := s.caller(ctx)
	b, err := change(ctx, s, func(tx *engine.Tx) (*lift.Build, error) {
		b, err := c.build(tx, in.BuildId)
		if err != nil {
			return nil, err
		}
		b.Deleted = true
		return b, store.Builds.Put(tx, b)
	})
	if err != nil {
		return nil, err
	}
	// The build is deleted; if its files resist, Run tries again.
	if err := s.dropBuild(ctx, b); err != nil {
		s.log.Warn("the files of a deleted build stay for now", "build", b.ID, "err", err)
	}
	return &api.DeleteBuildOutput{}, nil
}

// mint makes credentials that can upload the files of b and nothing else.
func (s *Service) mint(c caller, b *lift.Build) *api.AwsCredentials {
	m := s.o.Credentials.Mint(auth.Grant{
		Account: c.Account, Principal: c.Principal, Policy: auth.PutObject(b.Bucket, b.Key), Expires: s.expires(uploadCredentials),
	})
	return &api.AwsCredentials{AccessKeyId: opt(m.AccessKeyID), SecretAccessKey: opt(m.SecretAccessKey), SessionToken: opt(m.SessionToken)}
}

func location(b *lift.Build) *api.S3Location {
	if b.Source != nil {
		return sourceShape(b.Source)
	}
	return &api.S3Location{Bucket: opt(b.Bucket), Key: opt(b.Key)}
}

func buildShape(b *lift.Build) *api.Build {
	return &api.Build{
		BuildId: opt(b.ID), BuildArn: opt(lift.BuildARN(b.Region, b.Account, b.ID)), Name: opt(b.Name), Version: opt(b.Version),
		Status: opt(b.Status), SizeOnDisk: new(b.SizeBytes), OperatingSystem: opt(b.OperatingSystem),
		CreationTime: b.CreatedAt, ServerSdkVersion: opt(b.ServerSDKVersion),
	}
}
