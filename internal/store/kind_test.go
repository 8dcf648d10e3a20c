package store

import (
	"fmt"
	"testing"
	"time"
)

func TestNewSchemaRefuses(t *testing.T) {
	var many []string
	for i := range MaxIndexes + 1 {
		many = append(many, fmt.Sprintf("x%d", i))
	}
	for what, kinds := range map[string][]Kind{
		"kind twice":           {{Name: "a"}, {Name: "a"}},
		"kind in another case": {{Name: "a"}, {Name: "A"}},
		"kind without a name":  {{}},
		"kind with a space":    {{Name: "a b"}},
		"kind with a quote":    {{Name: "a\"b"}},
		"a number first":       {{Name: "1a"}},
		"index twice":          {{Name: "a", Indexes: []string{"x", "X"}}},
		"index without a name": {{Name: "a", Indexes: []string{""}}},
		"too many indexes":     {{Name: "a", Indexes: many}},
	} {
		if _, err := NewSchema(kinds); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	s, err := NewSchema([]Kind{{Name: "game-session", Indexes: many[:MaxIndexes]}, {Name: "Player_2"}})
	if err != nil || len(s) != 2 {
		t.Errorf("good kinds: %v, %v", s, err)
	}
}

func TestMicros(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	before := time.Date(1960, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ in, want time.Time }{
		{time.Time{}, time.Time{}},
		{day, day},
		{day.Add(1), day.Add(1000)},
		{day.Add(999), day.Add(1000)},
		{day.Add(1000), day.Add(1000)},
		{before.Add(1), before.Add(1000)}, // never earlier, on either side of 1970
		{before.Add(1000), before.Add(1000)},
		{time.Unix(0, 0), time.Unix(0, 0).UTC()},
		{day.In(time.FixedZone("east", 3600)), day},
	} {
		if got := Micros(c.in); got != c.want {
			t.Errorf("Micros(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

func TestClaimable(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	for _, c := range []struct{ due, until, want time.Time }{
		{want: time.Time{}},
		{due: at(5), want: at(5)},
		{due: at(5), until: at(4), want: at(5)},
		{due: at(5), until: at(6), want: at(6)},
		{until: at(6), want: time.Time{}}, // nothing that is not due is held
	} {
		if got := (Row{Due: c.due, Until: c.until}).Claimable(); got != c.want {
			t.Errorf("due %v, held until %v: claimable at %v, want %v", c.due, c.until, got, c.want)
		}
	}
}
