package ops

import (
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

const maxTags = 50 // of one resource (behaviour 10)

// tagsOf reads the tags of a new resource.
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
