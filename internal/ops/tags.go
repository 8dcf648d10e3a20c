package ops

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

const maxTags = 50 // of one resource (behaviour 10)

// TagResource adds tags or replaces those with the same keys.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	add, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return &api.TagResourceOutput{}, s.retag(ctx, in.ResourceARN, func(tags map[string]string) { maps.Copy(tags, add) })
}

// UntagResource removes tags; keys that are not there do not matter.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, s.retag(ctx, in.ResourceARN, func(tags map[string]string) {
		maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(in.TagKeys, key) })
	})
}

func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.ListTagsForResourceOutput, error) {
		tags, _, err := c.tagged(tx, in.ResourceARN)
		if err != nil {
			return nil, err
		}
		out := &api.ListTagsForResourceOutput{Tags: []api.Tag{}}
		for _, key := range slices.Sorted(maps.Keys(*tags)) {
			out.Tags = append(out.Tags, api.Tag{Key: key, Value: (*tags)[key]})
		}
		return out, nil
	})
}

// retag changes the tags of a resource.
func (s *Service) retag(ctx context.Context, arn string, edit func(map[string]string)) error {
	c := s.caller(ctx)
	return s.engine.Update(ctx, func(tx *engine.Tx) error {
		tags, save, err := c.tagged(tx, arn)
		if err != nil {
			return err
		}
		next := maps.Clone(*tags)
		if next == nil {
			next = map[string]string{}
		}
		if edit(next); len(next) > maxTags {
			return lift.Errorf(lift.TaggingFailed, "a resource has at most %d tags, this would make %d", maxTags, len(next))
		}
		*tags = next
		return save()
	})
}

// tagged finds a resource that can have tags. It returns its tags, and how to
// save the resource when they have changed.
func (c caller) tagged(tx store.Tx, arn string) (tags *map[string]string, save func() error, err error) {
	if lift.ARNRegion(arn) == "" {
		return nil, nil, invalid("ResourceARN must be the ARN of a resource, got %.100q", arn)
	}
	typ, _, _ := strings.Cut(strings.SplitN(arn, ":", 6)[5], "/")
	switch typ {
	case "build":
		b, err := c.build(tx, arn)
		return tagsIn(tx, store.Builds, b, err, func() *map[string]string { return &b.Tags })
	case "script":
		s, err := c.script(tx, arn)
		return tagsIn(tx, store.Scripts, s, err, func() *map[string]string { return &s.Tags })
	case "fleet":
		f, err := c.fleet(tx, arn)
		return tagsIn(tx, store.Fleets, f, err, func() *map[string]string { return &f.Tags })
	case "alias":
		a, err := c.alias(tx, arn)
		return tagsIn(tx, store.Aliases, a, err, func() *map[string]string { return &a.Tags })
	case "gameservergroup":
		g, err := c.group(tx, arn)
		return tagsIn(tx, store.GameServerGroups, g, err, func() *map[string]string { return &g.Tags })
	case "location":
		l, err := c.location(tx, arn)
		return tagsIn(tx, store.Locations, l, err, func() *map[string]string { return &l.Tags })
	case "gamesessionqueue":
		q, err := c.queue(tx, arn)
		return tagsIn(tx, store.Queues, q, err, func() *map[string]string { return &q.Tags })
	case "matchmakingruleset":
		r, err := c.ruleSet(tx, arn)
		return tagsIn(tx, store.RuleSets, r, err, func() *map[string]string { return &r.Tags })
	case "matchmakingconfiguration":
		m, err := c.configuration(tx, arn)
		return tagsIn(tx, store.Configurations, m, err, func() *map[string]string { return &m.Tags })
	}
	return nil, nil, lift.Errorf(lift.NotFound, "there is no resource %s", arn)
}

// tagsIn is the answer of tagged for a document that was found, or was not.
func tagsIn[T any](tx store.Tx, t *store.Table[T], v *T, err error, tags func() *map[string]string) (*map[string]string, func() error, error) {
	if err != nil {
		return nil, nil, err
	}
	return tags(), func() error { return t.Put(tx, v) }, nil
}

// tagsOf reads the tags that a request gives a resource.
func tagsOf(in []api.Tag) (map[string]string, error) {
	if len(in) > maxTags {
		return nil, lift.Errorf(lift.TaggingFailed, "a resource has at most %d tags, got %d", maxTags, len(in))
	}
	var tags map[string]string
	for _, t := range in {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, lift.Errorf(lift.TaggingFailed, "tag keys that begin with aws: are reserved, got %q", t.Key)
		}
		if _, twice := tags[t.Key]; twice {
			return nil, lift.Errorf(lift.TaggingFailed, "tag key %q is given twice", t.Key)
		}
		if tags == nil {
			tags = map[string]string{}
		}
		tags[t.Key] = t.Value
	}
	return tags, nil
}
