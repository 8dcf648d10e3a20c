package ops

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// keep stores a file in a bucket of the caller's, as the door to the files does.
func (w *world) keep(bucket, key string, content []byte) *api.S3Location {
	w.t.Helper()
	at := &api.S3Location{Bucket: &bucket, Key: &key}
	w.upload(at, content)
	return at
}

// script finds the stored script.
func (w *world) script(id string) (sc *lift.Script) {
	w.t.Helper()
	if err := w.engine.View(w.ctx, func(tx store.Tx) (err error) {
		sc, err = store.Scripts.Find(tx, id)
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return sc
}

func TestScripts(t *testing.T) {
	w := newWorld(t)
	zip := archiveOf(t)
	sc := must(w.CreateScript(w.ctx, &api.CreateScriptInput{Name: new("s"), Version: new("1"), ZipFile: zip, Tags: []api.Tag{{Key: "a", Value: "b"}}}))(t).Script
	id := *sc.ScriptId
	if *sc.SizeOnDisk != int64(len(zip)) || *sc.NodeJsVersion != "10.x" || !sc.CreationTime.Equal(w.now) ||
		*sc.ScriptArn != "arn:aws:gamelift:us-west-2:123456789012:script/"+id || !w.stored(sc.StorageLocation) {
		t.Errorf("got %+v", sc)
	}
	tags := must(w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceARN: *sc.ScriptArn}))(t).Tags
	if fmt.Sprint(tags) != "[{a b}]" {
		t.Errorf("tags %v", tags)
	}
	must(w.TagResource(w.ctx, &api.TagResourceInput{ResourceARN: *sc.ScriptArn, Tags: []api.Tag{{Key: "c", Value: "d"}}}))(t)

	// Name and version alone leave the content, and the creation time.
	w.pass(time.Minute)
	first := sc.StorageLocation
	sc = must(w.UpdateScript(w.ctx, &api.UpdateScriptInput{ScriptId: *sc.ScriptArn, Version: new("2")}))(t).Script
	if *sc.Name != "s" || *sc.Version != "2" || *sc.StorageLocation.Key != *first.Key || !w.stored(first) {
		t.Errorf("got %+v", sc)
	}
	// Other content takes the place of the first, which goes.
	sc = must(w.UpdateScript(w.ctx, &api.UpdateScriptInput{ScriptId: id, ZipFile: zip}))(t).Script
	second := sc.StorageLocation
	if *second.Key == *first.Key || w.stored(first) || !w.stored(second) {
		t.Errorf("the content lies at %s, before at %s", *second.Key, *first.Key)
	}
	if at := w.script(id).UpdatedAt; !at.Equal(w.now) {
		t.Errorf("content of %s", at)
	}
	// A bucket of the caller's is read and never touched.
	own := w.keep("my-scripts", "s.zip", zip)
	sc = must(w.UpdateScript(w.ctx, &api.UpdateScriptInput{ScriptId: id, StorageLocation: own}))(t).Script
	if *sc.SizeOnDisk != 0 || *sc.StorageLocation.Bucket != "my-scripts" || w.stored(second) {
		t.Errorf("got %+v", sc)
	}
	must(w.UpdateScript(w.ctx, &api.UpdateScriptInput{ScriptId: id, ZipFile: zip}))(t)
	if !w.stored(own) {
		t.Error("an update removed a caller's file")
	}
	must(w.UpdateScript(w.ctx, &api.UpdateScriptInput{ScriptId: id, StorageLocation: own}))(t)
	must(w.DeleteScript(w.ctx, &api.DeleteScriptInput{ScriptId: id}))(t)
	if !w.stored(own) {
		t.Error("the end of a script removed a caller's file")
	}
	_, err := w.DescribeScript(w.ctx, &api.DescribeScriptInput{ScriptId: id})
	refused(t, err, lift.NotFound, id)
}

func TestScriptPages(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		must(w.CreateScript(w.ctx, &api.CreateScriptInput{ZipFile: archiveOf(t)}))(t)
	}
	var seen []api.Script
	in := &api.ListScriptsInput{Limit: new(2)}
	for range 3 {
		out := must(w.ListScripts(w.ctx, in))(t)
		seen, in.NextToken = append(seen, out.Scripts...), out.NextToken
	}
	if len(seen) != 5 || in.NextToken != nil {
		t.Errorf("%d scripts on three pages", len(seen))
	}
	if out := must(w.ListScripts(w.in("eu-west-1"), &api.ListScriptsInput{}))(t); len(out.Scripts) != 0 {
		t.Errorf("another region has %d scripts", len(out.Scripts))
	}
}

// A build can come from a bucket of the caller's. What happens to the object
// afterwards does not matter to it.
func TestBuildFromABucket(t *testing.T) {
	w := newWorld(t)
	own := w.keep("my-builds", "game.zip", archiveOf(t))
	own.RoleArn = new("arn:aws:iam::123456789012:role/reader")
	out := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{StorageLocation: own, OperatingSystem: new("AMAZON_LINUX_2023")}))(t)
	if *out.Build.Status != "READY" || *out.Build.SizeOnDisk != 0 || out.UploadCredentials != nil || *out.StorageLocation.Bucket != "my-builds" || *out.StorageLocation.RoleArn != *own.RoleArn {
		t.Errorf("got %s of %d bytes at %+v", *out.Build.Status, *out.Build.SizeOnDisk, out.StorageLocation)
	}
	id := *out.Build.BuildId
	_, err := w.RequestUploadCredentials(w.ctx, &api.RequestUploadCredentialsInput{BuildId: id})
	refused(t, err, lift.InvalidRequest, "READY")
	w.keep("my-builds", "game.zip", []byte("other"))
	w.newFleet(func(in *api.CreateFleetInput) { in.BuildId = &id })
	copied := &api.S3Location{Bucket: new("chairlift-builds-us-west-2"), Key: new("123456789012/" + id)}
	if !w.stored(copied) {
		t.Error("the build has no files of its own")
	}

	// What is there and no archive makes a FAILED build, like an upload.
	b := must(w.CreateBuild(w.ctx, &api.CreateBuildInput{StorageLocation: own}))(t).Build
	if *b.Status != "FAILED" {
		t.Errorf("a text file made a %s build", *b.Status)
	}
}

// A check that an end of the service interrupted is done at the next start.
func TestBuildFromABucketAfterARestart(t *testing.T) {
	w := newWorld(t)
	own := w.keep("my-builds", "game.zip", archiveOf(t))
	w.Service.o.Files = blind{w.files}
	if _, err := w.CreateBuild(w.ctx, &api.CreateBuildInput{StorageLocation: own}); err == nil {
		t.Fatal("the check did not fail")
	}
	w.Service.o.Files = w.files
	if err := w.checkUploads(w.ctx); err != nil {
		t.Fatal(err)
	}
	if bs := must(w.ListBuilds(w.ctx, &api.ListBuildsInput{}))(t).Builds; len(bs) != 1 || *bs[0].Status != "READY" {
		t.Errorf("got %+v", bs)
	}
}

func TestContentRefusals(t *testing.T) {
	w := newWorld(t)
	zip := archiveOf(t)
	own := w.keep("my-scripts", "s.zip", zip)
	text := w.keep("my-scripts", "s.txt", []byte("text"))
	sc := *must(w.CreateScript(w.ctx, &api.CreateScriptInput{ZipFile: zip}))(t).Script.ScriptId
	at := func(bucket, key string) *api.S3Location { return &api.S3Location{Bucket: &bucket, Key: &key} }
	old := at("my-scripts", "s.zip")
	old.ObjectVersion = new("1")
	for i, c := range []struct {
		at    *api.S3Location
		zip   []byte
		words string
	}{
		{own, zip, "not both"},
		{nil, []byte("text"), "ZipFile"},
		{nil, bytes.Repeat([]byte("x"), scriptMaxBytes+1), "5000000"},
		{text, nil, "StorageLocation"},
		{&api.S3Location{Bucket: new("my-scripts")}, nil, "Key"},
		{at("my-scripts", "none.zip"), nil, "s3://my-scripts/none.zip"},
		{at("my.scripts", "s.zip"), nil, "dot"},
		{old, nil, `version "1"`},
	} {
		_, err := w.CreateScript(w.ctx, &api.CreateScriptInput{StorageLocation: c.at, ZipFile: c.zip})
		refused(t, err, lift.InvalidRequest, c.words)
		was := *w.script(sc)
		_, err = w.UpdateScript(w.ctx, &api.UpdateScriptInput{ScriptId: sc, Name: new("new"), StorageLocation: c.at, ZipFile: c.zip})
		refused(t, err, lift.InvalidRequest, c.words)
		if is := *w.script(sc); fmt.Sprint(is) != fmt.Sprint(was) {
			t.Errorf("%d: a refused update changed the script", i)
		}
		if c.zip == nil && c.at != text {
			_, err = w.CreateBuild(w.ctx, &api.CreateBuildInput{StorageLocation: c.at})
			refused(t, err, lift.InvalidRequest, c.words)
		}
	}
	_, err := w.CreateScript(w.ctx, &api.CreateScriptInput{})
	refused(t, err, lift.InvalidRequest, "ZipFile or StorageLocation")
	_, err = w.CreateScript(w.ctx, &api.CreateScriptInput{ZipFile: zip, Tags: []api.Tag{{Key: "aws:x"}}})
	refused(t, err, lift.TaggingFailed, "reserved")
	for _, id := range []string{"script-none", "arn:aws:gamelift:eu-west-1:123456789012:script/" + sc} {
		_, err = w.UpdateScript(w.ctx, &api.UpdateScriptInput{ScriptId: id})
		refused(t, err, lift.NotFound, id)
		_, err = w.DeleteScript(w.ctx, &api.DeleteScriptInput{ScriptId: id})
		refused(t, err, lift.NotFound, id)
	}
	if n := len(must(w.ListScripts(w.ctx, &api.ListScriptsInput{}))(t).Scripts); n != 1 {
		t.Errorf("%d scripts", n)
	}

	// Who may make builds may not read every bucket therefore.
	policy := auth.Policy{Statements: []auth.Statement{{Effect: auth.Allow, Action: auth.Patterns{"gamelift:*"}, Resource: auth.Patterns{"*"}}}}
	narrow := auth.WithCaller(w.ctx, auth.CallerFrom(w.ctx).Under(policy))
	if _, err := w.CreateBuild(narrow, &api.CreateBuildInput{StorageLocation: own}); err == nil || !bytes.Contains([]byte(err.Error()), []byte("s3:GetObject")) {
		t.Errorf("got %v", err)
	}
	refused(t, w.MayWrite(w.ctx, "my.bucket", "k"), lift.InvalidRequest, "dot")
}
