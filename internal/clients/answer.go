package clients

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ids are the forms of what is new with every run.
var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b(?:i|pcx)-[0-9a-f]{17}\b`)

// secrets are members that hold something new in no known form.
var secrets = []string{"AccessKeyId", "SecretAccessKey", "SessionToken", "NextToken", "PreSignedUrl", "Key", "Port", "IpAddress"}

// Normalise returns an answer as it is the same for every client: ids by their
// kind, and times (which must lie from begin to end) and whole numbers in one
// form. Members that hold nothing are left out.
func Normalise(answer any, begin, end time.Time) (any, error) {
	return normalise("", answer, begin, end)
}

func normalise(path string, v any, begin, end time.Time) (any, error) {
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			n, err := normalise(strings.TrimPrefix(path+"."+k, "."), e, begin, end)
			if err != nil {
				return nil, err
			}
			if n != nil {
				out[k] = n
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			n, err := normalise(path, e, begin, end)
			if err != nil {
				return nil, err
			}
			out[i] = n
		}
		return out, nil
	case nil:
		return nil, nil
	case string, float64:
		if slices.Contains(secrets, name) {
			return "<" + name + ">", nil
		}
		if strings.HasSuffix(name, "Time") && name != "EstimatedWaitTime" { // a duration
			t, err := moment(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			if name == "ExpirationTime" { // the one that lies ahead
				t = t.Add(-24 * time.Hour)
			}
			// Some clients drop the fraction of the second.
			if t.Before(begin.Truncate(time.Second)) || t.After(end.Add(time.Second)) {
				return nil, fmt.Errorf("%s: the time %s is not from %s to %s", path, t, begin, end)
			}
			return "<time>", nil
		}
		if s, ok := v.(string); ok {
			return ids.ReplaceAllString(s, "<id>"), nil
		}
	}
	return v, nil
}

// moment reads a time as clients print it: seconds since 1970, or ISO 8601.
func moment(v any) (time.Time, error) {
	switch v := v.(type) {
	case float64:
		whole, part := math.Modf(v)
		return time.Unix(int64(whole), int64(part*1e9)), nil
	case string:
		return time.Parse(time.RFC3339, v)
	}
	return time.Time{}, fmt.Errorf("%v is no time", v)
}

// Loosen overwrites what stands at a path of a normalised answer, in every
// element of the lists on the way.
func Loosen(v any, path string) {
	each(v, path, func(any) any { return "<loose>" })
}

// Sort orders the list at a path of a normalised answer.
func Sort(v any, path string) {
	each(v, path, func(v any) any {
		if list, ok := v.([]any); ok {
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		return v
	})
}

// each replaces what stands at a path by what f makes of it.
func each(v any, path string, f func(any) any) {
	switch v := v.(type) {
	case map[string]any:
		name, rest, more := strings.Cut(path, ".")
		if e, ok := v[name]; ok && more {
			each(e, rest, f)
		} else if ok {
			v[name] = f(e)
		}
	case []any:
		for _, e := range v {
			each(e, path, f)
		}
	}
}

// Members adds the paths of the members that a value holds to a set: those of
// list elements and map values without an index or key. What is empty does not
// count: some clients show members that are not there so.
func Members(v any, into map[string]bool) { members("", v, into) }

func members(path string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if empty(e) {
				continue
			}
			p := strings.TrimPrefix(path+"."+k, ".")
			into[p] = true
			members(p, e, into)
		}
	case []any:
		for _, e := range v {
			members(path, e, into)
		}
	}
}

// Differences compares two normalised answers and returns a line for each
// member in which they differ. A member that one of them lacks is no difference
// if the other holds zero, for in Go zero and absent look alike, or if lacks
// says that the client cannot know the member.
func Differences(a, b any, lacksA, lacksB func(path string) bool) []string {
	d := differ{lacks: [2]func(string) bool{lacksA, lacksB}}
	d.compare("", "", a, b)
	return d.found
}

type differ struct {
	lacks [2]func(string) bool
	found []string
}

// compare walks both; at is the path with indexes, for people, and member the
// one without.
func (d *differ) compare(at, member string, a, b any) {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			break
		}
		names := slices.Sorted(maps.Keys(a))
		for k := range b {
			if _, both := a[k]; !both {
				names = append(names, k)
			}
		}
		for _, k := range names {
			x, hasA := a[k]
			y, hasB := b[k]
			p, m := strings.TrimPrefix(at+"."+k, "."), strings.TrimPrefix(member+"."+k, ".")
			switch {
			case hasA && hasB:
				d.compare(p, m, x, y)
			case hasA && !zero(x) && !d.lacks[1](m), hasB && !zero(y) && !d.lacks[0](m):
				d.found = append(d.found, fmt.Sprintf("%s: %v and %v", p, x, y))
			}
		}
		return
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			d.compare(at+"."+strconv.Itoa(i), member, a[i], b[i])
		}
		return
	}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		d.found = append(d.found, fmt.Sprintf("%s: %v and %v", at, a, b))
	}
}

func zero(v any) bool { return empty(v) || v == 0.0 || v == false }

func empty(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return v == nil || v == ""
}
