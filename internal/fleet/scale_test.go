package fleet

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

func rule(m lift.Metric, c lift.Comparison, threshold float64, periods int, a lift.AdjustmentType, amount int) lift.ScalingPolicy {
	return lift.ScalingPolicy{Name: "r", Metric: m, Comparison: c, Threshold: threshold, Periods: periods, Adjustment: a, Amount: amount}
}

// minutes weighs the policies once a minute and returns the desired number
// after each.
func minutes(c lift.Capacity, policies []lift.ScalingPolicy, usage ...Usage) string {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	var out []string
	for _, u := range usage {
		var why []string
		was := c.Desired
		policies, c, why = Scale(now, c, policies, u)
		if (c.Desired != was) != (len(why) > 0) {
			return fmt.Sprintf("desired %d, was %d, because of %q", c.Desired, was, why)
		}
		out = append(out, fmt.Sprint(c.Desired))
		now = now.Add(SampleEvery)
	}
	return strings.Join(out, " ")
}

func times(n int, u Usage) (us []Usage) {
	for range n {
		us = append(us, u)
	}
	return us
}

func TestRules(t *testing.T) {
	busy, calm, none := Usage{Instances: 2, Active: 8}, Usage{Instances: 2, Active: 1}, Usage{}
	c := lift.Capacity{Desired: 2, Min: 1, Max: 9}
	grow := rule(lift.ActiveGameSessions, lift.Above, 5, 2, lift.ChangeInNumber, 1)
	for name, tc := range map[string]struct {
		policies []lift.ScalingPolicy
		usage    []Usage
		want     string
	}{
		"fires after the periods":             {[]lift.ScalingPolicy{grow}, times(2, busy), "2 3"},
		"one calm minute begins the count":    {[]lift.ScalingPolicy{grow}, []Usage{busy, calm, busy, busy}, "2 2 2 3"},
		"no instances, no data":               {[]lift.ScalingPolicy{grow}, []Usage{busy, none, busy, busy}, "2 2 2 3"},
		"nor is that few":                     {[]lift.ScalingPolicy{rule(lift.ActiveGameSessions, lift.Below, 5, 1, lift.ExactCapacity, 9)}, []Usage{none, calm}, "2 9"},
		"rests ten minutes, and still counts": {[]lift.ScalingPolicy{grow}, times(13, busy), "2 3 3 3 3 3 3 3 3 3 3 4 4"},
		"others do not wait for it":           {[]lift.ScalingPolicy{grow, rule(lift.ActiveGameSessions, lift.AtLeast, 8, 1, lift.ChangeInNumber, 2)}, times(3, busy), "4 5 5"},
		"not beyond the maximum":              {[]lift.ScalingPolicy{rule(lift.ActiveInstances, lift.AtMost, 2, 1, lift.ExactCapacity, 50)}, times(1, busy), "9"},
		"not below the minimum":               {[]lift.ScalingPolicy{rule(lift.ActiveInstances, lift.AtMost, 2, 1, lift.ChangeInNumber, -50)}, times(1, busy), "1"},
		"percent is rounded away":             {[]lift.ScalingPolicy{rule(lift.ActiveInstances, lift.AtMost, 2, 1, lift.ChangeInPercent, 60)}, times(1, busy), "4"},
		"also downwards":                      {[]lift.ScalingPolicy{rule(lift.ActiveInstances, lift.Below, 3, 1, lift.ChangeInPercent, -1)}, times(1, busy), "1"},
		"queues count without instances": {[]lift.ScalingPolicy{rule(lift.QueueDepth, lift.Above, 0, 1, lift.ExactCapacity, 3)},
			[]Usage{{QueueDepth: 1}}, "3"},
		"not equal": {[]lift.ScalingPolicy{rule(lift.ActiveGameSessions, lift.Below, 8, 1, lift.ExactCapacity, 3), rule(lift.ActiveGameSessions, lift.Above, 8, 1, lift.ExactCapacity, 3)}, times(1, busy), "2"},
	} {
		if got := minutes(c, tc.policies, tc.usage...); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
	// From nothing, a percentage is that of one instance.
	if got := minutes(lift.Capacity{Max: 5}, []lift.ScalingPolicy{rule(lift.WaitTime, lift.AtLeast, 30, 1, lift.ChangeInPercent, 10)}, Usage{LongestWait: 30 * time.Second}); got != "1" {
		t.Errorf("from zero: %s", got)
	}
}

func TestTarget(t *testing.T) {
	target := []lift.ScalingPolicy{{Name: "t", Metric: lift.PercentAvailableGameSessions, Target: 20}}
	c := lift.Capacity{Desired: 2, Min: 1, Max: 9}
	full := Usage{Instances: 2, Active: 7, Activating: 1, ProcessesPerInstance: 5}
	more := Usage{Instances: 2, Active: 9, ProcessesPerInstance: 5}
	calm := Usage{Instances: 3, Idle: 1, Active: 3, ProcessesPerInstance: 5}
	empty := Usage{Instances: 3, Idle: 3, ProcessesPerInstance: 5}
	for name, tc := range map[string]struct {
		c     lift.Capacity
		usage []Usage
		want  string
	}{
		"exactly enough":                {c, times(1, full), "2"},
		"grows at once":                 {c, times(1, more), "3"},
		"shrinks after fifteen minutes": {lift.Capacity{Desired: 3, Min: 0, Max: 9}, times(16, calm), "3 3 3 3 3 3 3 3 3 3 3 3 3 3 2 2"},
		"a busy minute begins the wait": {lift.Capacity{Desired: 3, Min: 0, Max: 9}, append(append(times(10, calm), Usage{Instances: 3, Active: 12, ProcessesPerInstance: 5}), times(8, calm)...), strings.TrimSpace(strings.Repeat("3 ", 19))},
		"only by what is unused":        {lift.Capacity{Desired: 4, Min: 0, Max: 9}, times(15, Usage{Instances: 4, Idle: 0, Active: 4, ProcessesPerInstance: 5}), strings.TrimSpace(strings.Repeat("4 ", 15))},
		"not below the minimum":         {lift.Capacity{Desired: 3, Min: 1, Max: 9}, times(15, empty), strings.Repeat("3 ", 14) + "1"},
		"not up from zero":              {lift.Capacity{Desired: 0, Min: 0, Max: 9}, times(3, Usage{ProcessesPerInstance: 5, QueueDepth: 9}), "0 0 0"},
	} {
		if got := minutes(tc.c, target, tc.usage...); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	u := Usage{Instances: 4, Idle: 1, Activating: 2, Active: 3, Available: 5, Activatable: 4, Unhealthy: 2, Players: 7, FreeSeats: 8, QueueDepth: 9, LongestWait: 90 * time.Second}
	want := map[lift.Metric]float64{
		lift.ActivatingGameSessions: 2, lift.ActiveGameSessions: 3, lift.ActiveInstances: 4, lift.AvailableGameSessions: 5,
		lift.ConcurrentActivatable: 4, lift.AvailablePlayerSessions: 8, lift.CurrentPlayerSessions: 7, lift.IdleInstances: 1,
		lift.PercentIdleInstances: 25, lift.PercentAvailableGameSessions: 50, lift.QueueDepth: 9, lift.WaitTime: 90,
	}
	for m, v := range want {
		if got, ok := u.Value(m); !ok || got != v {
			t.Errorf("%s is %g (%v), want %g", m, got, ok, v)
		}
		if _, ok := (Usage{}).Value(m); ok != m.Queues() {
			t.Errorf("%s of no instances: %v", m, ok)
		}
	}
	if v, ok := (Usage{Instances: 1}).Value(lift.PercentAvailableGameSessions); ok {
		t.Errorf("a share of nothing is %g", v)
	}
}

func TestOutlook(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	resting := rule(lift.QueueDepth, lift.Above, 3, 2, lift.ChangeInNumber, 1)
	resting.Breaches, resting.FiredAt = 4, now.Add(-4*time.Minute)
	for _, c := range []struct {
		policy lift.ScalingPolicy
		want   string
	}{
		{rule(lift.WaitTime, lift.Above, 30, 5, lift.ChangeInNumber, 1), "scaling policy r watches WaitTime, which breaches its threshold of 30 for 0 of 5 minutes"},
		{resting, "scaling policy r watches QueueDepth, which breaches its threshold of 3 for 4 of 2 minutes; it fired and rests for another 6m0s"},
		{lift.ScalingPolicy{Name: "t", Target: 12.5}, "scaling policy t keeps 12.5% of the game sessions available"},
		{lift.ScalingPolicy{Name: "t", Target: 20, Breaches: 3}, "scaling policy t keeps 20% of the game sessions available; more are available for 3 minutes, and after 15 unused instances go"},
	} {
		if got := Outlook(now, c.policy); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// Whatever is given, the desired number stays within the limits, and what was
// given stays as it was.
func TestScaleStaysWithinLimits(t *testing.T) {
	check := func(desired, low, span uint8, amount int16, target uint8, adjustment uint8, used, processes uint8) bool {
		c := lift.Capacity{Min: int(low), Max: int(low) + int(span)}
		c.Desired = min(max(int(desired), c.Min), c.Max)
		ps := []lift.ScalingPolicy{
			rule(lift.ActiveInstances, lift.AtLeast, 0, 1, []lift.AdjustmentType{lift.ExactCapacity, lift.ChangeInNumber, lift.ChangeInPercent}[adjustment%3], int(amount)),
			{Target: 1 + math.Mod(float64(target), 99), Metric: lift.PercentAvailableGameSessions, Breaches: targetRest},
		}
		before := fmt.Sprint(ps)
		_, next, _ := Scale(time.Now(), c, ps, Usage{Instances: 1, Active: int(used), Idle: 3, ProcessesPerInstance: int(processes)})
		return next.Desired >= c.Min && next.Desired <= c.Max && next.Min == c.Min && next.Max == c.Max && fmt.Sprint(ps) == before
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}
