package ops

import (
	"fmt"
	"testing"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func TestTags(t *testing.T) {
	s := newStage(t)
	acc := "123456789012"
	for _, arn := range []string{
		lift.BuildARN("us-west-2", acc, lift.BuildID(s.build)), *s.arn(s.fleet), lift.AliasARN("us-west-2", lift.AliasID(s.alias)), lift.QueueARN("us-west-2", acc, s.queue),
		"arn:aws:gamelift:us-west-2:" + acc + ":matchmakingruleset/" + s.ruleSet, "arn:aws:gamelift:us-west-2:" + acc + ":matchmakingconfiguration/" + s.matchmaker,
	} {
		tags := func() string {
			return fmt.Sprint(must(s.ListTagsForResource(s.ctx, &api.ListTagsForResourceInput{ResourceARN: arn}))(t).Tags)
		}
		if got := tags(); got != "[]" {
			t.Errorf("%s has tags %s", arn, got)
		}
		must(s.TagResource(s.ctx, &api.TagResourceInput{ResourceARN: arn, Tags: []api.Tag{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}}}))(t)
		must(s.TagResource(s.ctx, &api.TagResourceInput{ResourceARN: arn, Tags: []api.Tag{{Key: "b", Value: "3"}}}))(t)
		if got := tags(); got != "[{a 2} {b 3}]" {
			t.Errorf("%s has tags %s", arn, got)
		}
		must(s.UntagResource(s.ctx, &api.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"b", "none"}}))(t)
		if got := tags(); got != "[{a 2}]" {
			t.Errorf("%s has tags %s", arn, got)
		}
		var many []api.Tag
		for n := range 50 {
			many = append(many, api.Tag{Key: fmt.Sprint(n)})
		}
		_, err := s.TagResource(s.ctx, &api.TagResourceInput{ResourceARN: arn, Tags: many})
		refused(t, err, lift.TaggingFailed, "51")
		_, err = s.TagResource(s.ctx, &api.TagResourceInput{ResourceARN: arn, Tags: []api.Tag{{Key: "AWS:x"}}})
		refused(t, err, lift.TaggingFailed, "reserved")
		_, err = s.ListTagsForResource(s.in("eu-west-1"), &api.ListTagsForResourceInput{ResourceARN: arn})
		refused(t, err, lift.NotFound)
	}
	for arn, kind := range map[string]lift.Kind{
		s.fleet: lift.InvalidRequest, *s.arn("fleet-none"): lift.NotFound, "arn:aws:gamelift:us-west-2::teapot/x": lift.NotFound, s.session: lift.NotFound,
	} {
		_, err := s.ListTagsForResource(s.ctx, &api.ListTagsForResourceInput{ResourceARN: arn})
		refused(t, err, kind)
	}
}
