package ops

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

func (w *world) buildStatus(id string) string {
	w.t.Helper()
	return *must(w.DescribeBuild(w.ctx, &api.DescribeBuildInput{BuildId: id}))(w.t).Build.Status
}

func (w *world) stored(at *api.S3Location) bool {
	w.t.Helper()
	_, err := w.files.Stat(w.ctx, FileKey(*at.Bucket, *at.Key))
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		w.t.Fatal(err)
	}
	return err == nil
}

// The credentials of a build let it be uploaded, once, and nothing else.
func TestUpload(t *testing.T) {
	w := newWorld(t)
	out := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{Name: new("game"), Version: new("1"), OperatingSystem: new("AMAZON_LINUX_2023"), ServerSdkVersion: new("5.4.0")}))(t)
	id, at := *out.Build.BuildId, out.StorageLocation

	key, err := auth.NewTemporary([]byte("master")).Key(*out.UploadCredentials.AccessKeyId, *out.UploadCredentials.SessionToken, w.now)
	if err != nil {
		t.Fatal(err)
	}
	if !key.Expires.Equal(w.now.Add(15 * time.Minute)) {
		t.Errorf("the credentials expire at %s", key.Expires)
	}
	mine := "arn:aws:s3:::" + *at.Bucket + "/" + *at.Key
	for resource, want := range map[string]bool{mine: true, mine + "x": false, "arn:aws:s3:::" + *at.Bucket + "/other": false} {
		if got := key.Policy.Allowed("s3:PutObject", resource).Allowed; got != want {
			t.Errorf("may put %s: %v", resource, got)
		}
	}
	if key.Policy.Allowed("s3:GetObject", mine).Allowed || key.Policy.Allowed("gamelift:CreateFleet", "*").Allowed {
		t.Error("the credentials may do more than put")
	}

	w.pass(time.Minute)
	again := must(w.RequestUploadCredentials(w.ctx, &api.RequestUploadCredentialsInput{BuildId: id}))(t)
	if *again.StorageLocation.Key != *at.Key || *again.UploadCredentials.SessionToken == *out.UploadCredentials.SessionToken {
		t.Error("the second credentials are not new ones for the same location")
	}

	content := archiveOf(t)
	w.upload(at, content)
	b := must(w.DescribeBuild(w.ctx, &api.DescribeBuildInput{BuildId: id}))(t).Build
	if *b.Status != "READY" || *b.SizeOnDisk != int64(len(content)) || *b.Name != "game" || *b.Version != "1" || *b.ServerSdkVersion != "5.4.0" {
		t.Errorf("got %s of %d bytes", *b.Status, *b.SizeOnDisk)
	}
	refused(t, w.MayWrite(w.ctx, *at.Bucket, *at.Key), lift.InvalidRequest, "READY")
	refused(t, w.Finished(w.ctx, *at.Bucket, *at.Key, 1), lift.InvalidRequest, "READY")
	for _, key := range []string{"", "x", "123456789012/build-x", "123456789012/../" + id, id} {
		refused(t, w.MayWrite(w.ctx, *at.Bucket, key), lift.NotFound)
	}
	refused(t, w.MayWrite(w.ctx, "chairlift-builds-elsewhere", *at.Key), lift.NotFound)

	must(w.UpdateBuild(w.ctx, &api.UpdateBuildInput{BuildId: id, Version: new("2")}))(t)
	if b := must(w.DescribeBuild(w.ctx, &api.DescribeBuildInput{BuildId: id}))(t).Build; *b.Name != "game" || *b.Version != "2" {
		t.Errorf("after the update: %s %s", *b.Name, *b.Version)
	}
}

func TestUploadOfNoArchive(t *testing.T) {
	w := newWorld(t)
	out := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t)
	w.upload(out.StorageLocation, []byte("this is no zip"))
	if got := w.buildStatus(*out.Build.BuildId); got != "FAILED" {
		t.Errorf("the build is %s", got)
	}
	refused(t, w.MayWrite(w.ctx, *out.StorageLocation.Bucket, *out.StorageLocation.Key), lift.InvalidRequest, "FAILED")
}

func TestNoUpload(t *testing.T) {
	w := newWorld(t)
	out := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t)
	w.pass(24*time.Hour - time.Second)
	if got := w.buildStatus(*out.Build.BuildId); got != "INITIALIZED" {
		t.Errorf("within the window the build is %s", got)
	}
	w.pass(time.Second)
	if got := w.buildStatus(*out.Build.BuildId); got != "FAILED" {
		t.Errorf("after the window the build is %s", got)
	}
}

// blind is a file store that cannot be read, as when the service ends while it
// checks an archive.
type blind struct{ blob.Store }

func (blind) Open(context.Context, string) (blob.File, error) { return nil, errors.New("unplugged") }

// A build whose check was interrupted takes no other files and is checked at
// the next start.
func TestUploadAcrossARestart(t *testing.T) {
	w := newWorld(t)
	out := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t)
	at := out.StorageLocation
	if _, err := w.files.Put(w.ctx, FileKey(*at.Bucket, *at.Key), bytes.NewReader(archiveOf(t))); err != nil {
		t.Fatal(err)
	}
	w.Service.o.Files = blind{w.files}
	if err := w.Finished(w.ctx, *at.Bucket, *at.Key, 1); err == nil {
		t.Fatal("the check did not fail")
	}
	if got := w.buildStatus(*out.Build.BuildId); got != "INITIALIZED" {
		t.Fatalf("the build is %s", got)
	}
	refused(t, w.MayWrite(w.ctx, *at.Bucket, *at.Key), lift.InvalidRequest, "being checked")

	o := w.Service.o
	o.Files = w.files
	s, err := New(w.ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.ctx)
	stop()
	if err := s.checkUploads(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	if got := w.buildStatus(*out.Build.BuildId); got != "READY" {
		t.Errorf("the build is %s", got)
	}
}

// The files of a deleted build stay until its last fleet is gone.
func TestDeletedBuild(t *testing.T) {
	w := newWorld(t)
	lone := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t)
	w.upload(lone.StorageLocation, archiveOf(t))
	must(w.DeleteBuild(w.ctx, &api.DeleteBuildInput{BuildId: *lone.Build.BuildId}))(t)
	if w.stored(lone.StorageLocation) {
		t.Error("the files of a build without fleets stayed")
	}
	_, err := w.DeleteBuild(w.ctx, &api.DeleteBuildInput{BuildId: *lone.Build.BuildId})
	refused(t, err, lift.NotFound)

	fleet, inst := w.activeFleet()
	var b *lift.Build
	if err := w.engine.View(w.ctx, func(tx store.Tx) error {
		bs, err := store.Builds.All(tx, "region", "us-west-2/")
		if err == nil {
			b = bs[0]
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	at := location(b)
	must(w.DeleteBuild(w.ctx, &api.DeleteBuildInput{BuildId: string(b.ID)}))(t)
	if bs := must(w.ListBuilds(w.ctx, &api.ListBuildsInput{}))(t).Builds; len(bs) != 0 {
		t.Errorf("a deleted build is listed: %s", *bs[0].BuildId)
	}
	_, err = w.CreateFleet(w.ctx, &api.CreateFleetInput{Name: "f", BuildId: opt(b.ID), EC2InstanceType: new("c5.large"), RuntimeConfiguration: launching(1)})
	refused(t, err, lift.NotFound)

	// The fleet can still grow.
	w.take()
	must(w.UpdateFleetCapacity(w.ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, DesiredInstances: new(2), MaxSize: new(2)}))(t)
	w.turn()
	second := w.startInstance()
	if err := w.tidy(w.ctx); err != nil || !w.stored(at) {
		t.Fatalf("the files of a build in use are gone (%v)", err)
	}

	must(w.DeleteFleet(w.ctx, &api.DeleteFleetInput{FleetId: fleet}))(t)
	w.turn()
	w.tell(inst, lift.Event{Stopped: &lift.Stopped{}})
	w.tell(second, lift.Event{Stopped: &lift.Stopped{}})
	w.turn()
	if err := w.tidy(w.ctx); err != nil || w.stored(at) {
		t.Errorf("the files of a build without fleets stay (%v)", err)
	}
	if err := w.engine.View(w.ctx, func(tx store.Tx) error {
		_, ok, err := store.Builds.Get(tx, string(b.ID))
		if ok {
			t.Error("the record of the build stays")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Run tidies up every minute until its context ends.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		out := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{}))(t)
		ctx, stop := context.WithCancel(w.ctx)
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		synctest.Wait()
		if err := w.engine.Update(w.ctx, func(tx *engine.Tx) error {
			b, err := store.Builds.Find(tx, *out.Build.BuildId)
			if err != nil {
				return err
			}
			b.Deleted = true
			return store.Builds.Put(tx, b)
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(tidyEvery)
		synctest.Wait()
		if err := w.engine.View(w.ctx, func(tx store.Tx) error {
			_, ok, err := store.Builds.Get(tx, *out.Build.BuildId)
			if ok {
				t.Error("the deleted build is still there")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
