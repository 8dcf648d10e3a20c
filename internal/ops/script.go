package ops

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/archive"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

const (
	scriptMaxBytes     = 5_000_000 // of a ZipFile (behaviour 1.5)
	defaultNodeVersion = "10.x"    // realtime
)

func (s *Service) CreateScript(ctx context.Context, in *api.CreateScriptInput) (*api.CreateScriptOutput, error) {
	c := s.caller(ctx)
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	if in.ZipFile == nil && in.StorageLocation == nil {
		return nil, invalid("give ZipFile or StorageLocation: a script needs content")
	}
	id, err := s.newID(ctx)
	if err != nil {
		return nil, err
	}
	sc := &lift.Script{
		ID: lift.ScriptID("script-" + id), Region: c.Region, Account: c.Account, Name: or(in.Name, ""), Version: or(in.Version, ""),
		NodeVersion: or(in.NodeJsVersion, defaultNodeVersion), Tags: tags,
	}
	content, err := s.scriptContent(ctx, c, sc.ID, in.ZipFile, in.StorageLocation)
	if err != nil {
		return nil, err
	}
	out, err := once(ctx, s, func(tx *engine.Tx) (*api.CreateScriptOutput, error) {
		sc.CreatedAt = tx.Now
		content.into(sc, tx)
		return &api.CreateScriptOutput{Script: scriptShape(sc)}, store.Scripts.Put(tx, sc)
	})
	if err == nil && *out.Script.ScriptId != string(sc.ID) {
		// A retry: the first try's script has its own copy of the content.
		sc.Source, sc.Bucket, sc.Key = content.source, content.bucket, content.key
		s.dropScript(ctx, sc)
	}
	return out, err
}

// UpdateScript changes the members given. New content is for game sessions that
// begin afterwards (behaviour 1.5).
func (s *Service) UpdateScript(ctx context.Context, in *api.UpdateScriptInput) (*api.UpdateScriptOutput, error) {
	c := s.caller(ctx)
	was, err := read(ctx, s, func(tx store.Tx) (*lift.Script, error) { return c.script(tx, in.ScriptId) })
	if err != nil {
		return nil, err
	}
	content, err := s.scriptContent(ctx, c, was.ID, in.ZipFile, in.StorageLocation)
	if err != nil {
		return nil, err
	}
	out, err := change(ctx, s, func(tx *engine.Tx) (*api.UpdateScriptOutput, error) {
		sc, err := c.script(tx, in.ScriptId)
		if err != nil {
			return nil, err
		}
		was = new(*sc)
		sc.Name, sc.Version = or(in.Name, sc.Name), or(in.Version, sc.Version)
		content.into(sc, tx)
		return &api.UpdateScriptOutput{Script: scriptShape(sc)}, store.Scripts.Put(tx, sc)
	})
	if err == nil && content != nil {
		s.dropScript(ctx, was)
	}
	return out, err
}

func (s *Service) DescribeScript(ctx context.Context, in *api.DescribeScriptInput) (*api.DescribeScriptOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeScriptOutput, error) {
		sc, err := c.script(tx, in.ScriptId)
		if err != nil {
			return nil, err
		}
		return &api.DescribeScriptOutput{Script: scriptShape(sc)}, nil
	})
}

func (s *Service) ListScripts(ctx context.Context, in *api.ListScriptsInput) (*api.ListScriptsOutput, error) {
	c := s.caller(ctx)
	p, err := s.page(c, in.Limit, in.NextToken, "ListScripts")
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListScriptsOutput, error) {
		scs, next, err := list(tx, p, store.Scripts, "region", c.Region+"/", nil)
		return &api.ListScriptsOutput{Scripts: shapes(scs, scriptShape), NextToken: next}, err
	})
}

// DeleteScript removes the script and what was uploaded with it, never a file in
// a caller's bucket.
func (s *Service) DeleteScript(ctx context.Context, in *api.DeleteScriptInput) (*api.DeleteScriptOutput, error) {
	c := s.caller(ctx)
	sc, err := change(ctx, s, func(tx *engine.Tx) (*lift.Script, error) {
		sc, err := c.script(tx, in.ScriptId)
		if err != nil {
			return nil, err
		}
		return sc, store.Scripts.Delete(tx, string(sc.ID))
	})
	if err != nil {
		return nil, err
	}
	s.dropScript(ctx, sc)
	return &api.DeleteScriptOutput{}, nil
}

// dropScript removes uploaded content that no script names any more.
func (s *Service) dropScript(ctx context.Context, sc *lift.Script) {
	if sc.Source != nil {
		return
	}
	if err := s.o.Files.Delete(context.WithoutCancel(ctx), FileKey(sc.Bucket, sc.Key)); err != nil {
		s.log.Warn("the file of a deleted script stays", "script", sc.ID, "key", sc.Key, "err", err)
	}
}

// scriptContent is what a request gives a script to run.
type scriptContent struct {
	bucket, key string
	sizeBytes   int64
	source      *lift.Object
}

// scriptContent stores a ZipFile, or looks at what StorageLocation names; it is
// nil if a request has neither. A ZipFile is stored under a name of its own
// before the script names it, so that a script always has its content; a crash
// in between leaves the file, and nothing else.
func (s *Service) scriptContent(ctx context.Context, c caller, id lift.ScriptID, zip []byte, at *api.S3Location) (*scriptContent, error) {
	switch {
	case zip != nil && at != nil:
		return nil, invalid("give ZipFile or StorageLocation, not both")
	case len(zip) > scriptMaxBytes:
		return nil, invalid("ZipFile may have %d bytes, this one has %d; upload it to a bucket and give its StorageLocation", scriptMaxBytes, len(zip))
	case zip != nil:
		if err := checkScript(bytes.NewReader(zip), int64(len(zip))); err != nil {
			return nil, inMember(err, "ZipFile")
		}
		version, err := s.newID(ctx)
		if err != nil {
			return nil, err
		}
		content := &scriptContent{bucket: "chairlift-scripts-" + c.Region, key: c.Account + "/" + string(id) + "/" + version, sizeBytes: int64(len(zip))}
		_, err = s.o.Files.Put(ctx, FileKey(content.bucket, content.key), bytes.NewReader(zip))
		return content, err
	case at != nil:
		source, err := s.source(ctx, c, at)
		if err != nil {
			return nil, err
		}
		f, err := s.open(ctx, source)
		if errors.Is(err, blob.ErrNotFound) {
			return nil, invalid("StorageLocation: the object went away a moment ago")
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := checkScript(f, f.Info().SizeBytes); err != nil {
			return nil, inMember(err, "StorageLocation")
		}
		return &scriptContent{bucket: source.Bucket, key: source.Key, source: source}, nil
	}
	return nil, nil
}

// checkScript refuses what is no archive of files that can be unpacked.
func checkScript(r io.ReaderAt, sizeBytes int64) error {
	_, err := archive.Check(r, sizeBytes, archive.DefaultLimits)
	if refused, ok := errors.AsType[*archive.Refused](err); ok {
		return invalid("%v; a script is a zip of one or more files", refused)
	}
	return err
}

// into gives sc the content, if there is any.
func (n *scriptContent) into(sc *lift.Script, tx *engine.Tx) {
	if n != nil {
		sc.Bucket, sc.Key, sc.SizeBytes, sc.Source, sc.UpdatedAt = n.bucket, n.key, n.sizeBytes, n.source, tx.Now
	}
}

func scriptShape(sc *lift.Script) *api.Script {
	out := &api.Script{
		ScriptId: opt(sc.ID), ScriptArn: opt(sc.ARN()), Name: opt(sc.Name), Version: opt(sc.Version), SizeOnDisk: new(sc.SizeBytes),
		CreationTime: sc.CreatedAt, NodeJsVersion: opt(sc.NodeVersion),
		StorageLocation: &api.S3Location{Bucket: opt(sc.Bucket), Key: opt(sc.Key)},
	}
	if sc.Source != nil {
		out.StorageLocation = sourceShape(sc.Source)
	}
	return out
}
