package server

import (
	"context"
	"crypto/subtle"
	"io"

	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/s3door"
	"github.com/chairlift-games/chairlift/internal/store"
)

// agents is what the hub speaks for: it puts the words of the link into those
// of the engine.
type agents struct {
	engine *engine.Engine
	builds blob.Store
	logs   *logs
}

func (a *agents) Authenticate(ctx context.Context, id lift.InstanceID, token string) error {
	i, err := a.instance(ctx, id)
	switch {
	case err != nil:
		return err
	case subtle.ConstantTimeCompare([]byte(engine.HashToken(token)), []byte(i.TokenHash)) != 1:
		return lift.Errorf(lift.Unauthorized, "the token of instance %s is wrong", id)
	case i.Status == lift.InstanceTerminated:
		return lift.Errorf(lift.NotFound, "instance %s was given up: %s", id, i.Reason)
	}
	return nil
}

func (a *agents) instance(ctx context.Context, id lift.InstanceID) (i *lift.Instance, err error) {
	err = a.engine.View(ctx, func(tx store.Tx) error {
		i, err = store.Instances.Find(tx, string(id))
		return err
	})
	return i, err
}

func (a *agents) Resume(ctx context.Context, id lift.InstanceID) (uint64, []lift.Effect, error) {
	return a.engine.Resume(ctx, id)
}

func (a *agents) Handle(ctx context.Context, id lift.InstanceID, b link.Batch) (link.Ack, error) {
	events := make([]engine.Numbered, len(b.Events))
	for i, n := range b.Events {
		events[i] = engine.Numbered{Seq: n.Seq, Event: n.Event}
	}
	last, replies, err := a.engine.Handle(ctx, id, engine.Batch{Events: events, Got: b.Got, Read: b.Read})
	ack := link.Ack{UpTo: last}
	for _, r := range replies {
		ack.Replies = append(ack.Replies, link.NumberedReply{Seq: r.Event, Reply: r.Reply})
	}
	return ack, err
}

func (a *agents) Build(ctx context.Context, id lift.InstanceID) (io.ReadSeekCloser, error) {
	var b *lift.Build
	err := a.engine.View(ctx, func(tx store.Tx) error {
		i, err := store.Instances.Find(tx, string(id))
		if err != nil {
			return err
		}
		f, err := store.Fleets.Find(tx, string(i.FleetID))
		if err != nil {
			return err
		}
		b, err = store.Builds.Find(tx, string(f.BuildID))
		return err
	})
	if err != nil {
		return nil, err
	}
	f, err := a.builds.Open(ctx, s3door.Key(b.Bucket, b.Key))
	if err != nil {
		return nil, err
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{blob.Reader(f), f}, nil
}

func (a *agents) AppendLog(_ context.Context, id lift.InstanceID, key string, offset int64, r io.Reader) (int64, error) {
	return a.logs.append(id, key, offset, r)
}
