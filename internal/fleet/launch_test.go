package fleet_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
)

var launchStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func entry(path string, count int) lift.ServerProcess {
	return lift.ServerProcess{LaunchPath: path, Count: count}
}

func runtimeOf(entries ...lift.ServerProcess) lift.RuntimeConfiguration {
	return lift.RuntimeConfiguration{ServerProcesses: entries}
}

func times(n int, e lift.ServerProcess) []lift.ServerProcess {
	return slices.Repeat([]lift.ServerProcess{e}, n)
}

func TestLaunch(t *testing.T) {
	a, b := entry("/local/game/a", 2), entry("/local/game/b", 3)
	changed := a
	changed.Parameters = "-new"
	grown := entry("/local/game/a", 4)
	var noPace fleet.Pace
	quick := fleet.NewPacing(noPace)
	tests := []struct {
		name   string
		state  fleet.LaunchState
		start  []lift.ServerProcess
		lookIn time.Duration // 0: never
		why    []string      // a part of each sentence, in order
	}{
		{
			name:  "an empty instance gets all, in list order",
			state: fleet.LaunchState{Runtime: runtimeOf(a, b), Pacing: quick},
			start: slices.Concat(times(2, a), times(3, b)),
		},
		{
			name:  "as configured: nothing to do",
			state: fleet.LaunchState{Runtime: runtimeOf(a, b), Running: slices.Concat(times(2, a), times(3, b)), Pacing: quick},
		},
		{
			name:  "one ended",
			state: fleet.LaunchState{Runtime: runtimeOf(a, b), Running: slices.Concat(times(2, a), times(2, b)), Pacing: quick},
			start: times(1, b),
		},
		{
			name:  "other parameters make another entry, which waits for the old one's end",
			state: fleet.LaunchState{Runtime: runtimeOf(changed, b), Running: slices.Concat(times(2, a), times(3, b)), Pacing: quick},
			why:   []string{"2 of /local/game/a: the instance runs 5 processes"},
		},
		{
			name:  "and takes its place one by one",
			state: fleet.LaunchState{Runtime: runtimeOf(changed, b), Running: slices.Concat(times(1, a), times(3, b)), Pacing: quick},
			start: times(1, changed),
			why:   []string{"1 of /local/game/a: the instance runs 5 processes"},
		},
		{
			name:  "another count makes another entry too",
			state: fleet.LaunchState{Runtime: runtimeOf(grown), Running: times(2, a), Pacing: quick},
			start: times(2, grown),
			why:   []string{"2 of /local/game/a: the instance runs 4 processes"},
		},
		{
			name:  "a configuration that shrank ends nothing and starts nothing",
			state: fleet.LaunchState{Runtime: runtimeOf(entry("/local/game/c", 1)), Running: times(3, b), Pacing: quick},
			why:   []string{"1 of /local/game/c: the instance runs more processes"},
		},
		{
			name:  "equal entries listed twice want the sum",
			state: fleet.LaunchState{Runtime: runtimeOf(a, a), Running: times(3, a), Pacing: quick},
			start: times(1, a),
		},
		{
			name:  "never more than 50",
			state: fleet.LaunchState{Runtime: runtimeOf(entry("/local/game/a", 60)), Running: times(49, a), Pacing: quick},
			start: times(1, entry("/local/game/a", 60)),
			why:   []string{"59 of /local/game/a: the instance runs 50 processes"},
		},
		{
			name:   "the first launch is at once, the next waits",
			state:  fleet.LaunchState{Runtime: runtimeOf(a, b), Pacing: fleet.NewPacing(fleet.StandardPace)},
			start:  times(1, a),
			lookIn: 3 * time.Second,
			why:    []string{"1 of /local/game/a: launches are 3s apart", "3 of /local/game/b: launches are 3s apart"},
		},
		{
			name:   "pacing counts from the last launch",
			state:  fleet.LaunchState{Runtime: runtimeOf(a), Running: times(1, a), Pacing: fleet.NewPacing(fleet.LocalPace).Launched(launchStart.Add(-60 * time.Millisecond))},
			lookIn: 40 * time.Millisecond,
			why:    []string{"launches are 100ms apart"},
		},
		{
			name:   "an entry in a crash loop waits and leaves its vacancies to others",
			state:  fleet.LaunchState{Runtime: runtimeOf(a, b), Running: times(3, changed), Pacing: crashed(quick, a, 5)},
			start:  times(2, b),
			lookIn: 3 * time.Second,
			why:    []string{"2 of /local/game/a: 5 processes ended soon after their launch", "1 of /local/game/b: the instance runs 5"},
		},
		{
			name:  "an entry that has what it wants does not wait, whatever it did before",
			state: fleet.LaunchState{Runtime: runtimeOf(a), Running: times(2, a), Pacing: crashed(quick, a, 5)},
		},
		{
			name:   "of two that wait it looks at the first",
			state:  fleet.LaunchState{Runtime: runtimeOf(a, b), Pacing: crashed(crashed(quick, a, 6), b, 5)},
			lookIn: 3 * time.Second,
			why:    []string{"2 of /local/game/a: 6 processes ended soon", "3 of /local/game/b: 5 processes ended soon"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := fleet.Launch(launchStart, tt.state)
			if d := cmp.Diff(tt.start, got.Start); d != "" {
				t.Errorf("starts (-want +got):\n%s", d)
			}
			var look time.Time
			if tt.lookIn > 0 {
				look = launchStart.Add(tt.lookIn)
			}
			if !got.LookAt.Equal(look) {
				t.Errorf("looks again at %v, want %v", got.LookAt, look)
			}
			if len(got.Why) != len(tt.why) {
				t.Fatalf("reasons: %q, want %d", got.Why, len(tt.why))
			}
			for i, part := range tt.why {
				if !strings.Contains(got.Why[i], part) {
					t.Errorf("reason %q does not contain %q", got.Why[i], part)
				}
			}
		})
	}
}

// crashed is p after n processes of e ended a second after their launch, just now.
func crashed(p fleet.Pacing, e lift.ServerProcess, n int) fleet.Pacing {
	for range n {
		p = p.Failed(launchStart, launchStart.Add(-time.Second), e)
	}
	return p
}

// wait is how long Launch holds back the one process of e.
func wait(now time.Time, p fleet.Pacing, e lift.ServerProcess) time.Duration {
	plan := fleet.Launch(now, fleet.LaunchState{Runtime: runtimeOf(e), Pacing: p})
	if len(plan.Start) > 0 {
		return 0
	}
	return plan.LookAt.Sub(now)
}

func TestLaunchPace(t *testing.T) {
	e := entry("/local/game/a", 1)
	p := fleet.NewPacing(fleet.StandardPace).Launched(launchStart)
	steps := []struct {
		name string
		then func(fleet.Pacing) fleet.Pacing
		want time.Duration
	}{
		{"at first", func(p fleet.Pacing) fleet.Pacing { return p }, 3 * time.Second},
		{"after a healthy launch", fleet.Pacing.Healthy, 2 * time.Second},
		{"after two", fleet.Pacing.Healthy, time.Second},
		{"after many", fleet.Pacing.Healthy, time.Second},
		{"after a failure", func(p fleet.Pacing) fleet.Pacing {
			return p.Failed(launchStart, launchStart.Add(-time.Hour), entry("/local/game/other", 1))
		}, 3 * time.Second},
	}
	for _, s := range steps {
		if p = s.then(p); wait(launchStart, p, e) != s.want {
			t.Errorf("%s: launches are %v apart, want %v", s.name, wait(launchStart, p, e), s.want)
		}
	}
}

func TestCrashLoop(t *testing.T) {
	e, other := entry("/local/game/a", 1), entry("/local/game/b", 1)
	p := fleet.NewPacing(fleet.Pace{})
	var waits []time.Duration
	for range 12 {
		p = p.Failed(launchStart, launchStart.Add(-time.Second), e)
		waits = append(waits, wait(launchStart, p, e)/time.Second)
	}
	if want := []time.Duration{0, 0, 0, 0, 3, 6, 12, 24, 48, 60, 60, 60}; !slices.Equal(waits, want) {
		t.Errorf("waits after 1, 2, … fast exits: %d s, want %d", waits, want)
	}
	if w := wait(launchStart, p, other); w != 0 {
		t.Errorf("another entry waits %v", w)
	}
	if w := wait(launchStart, p.Served(e), e); w != 0 {
		t.Errorf("an entry that served waits %v", w)
	}
	if w := wait(launchStart, p.Failed(launchStart, launchStart.Add(-2*time.Minute), e), e); w != 0 {
		t.Errorf("after an exit that was not fast: waits %v", w)
	}
	later := launchStart.Add(11 * time.Minute)
	if w := wait(later, p.Failed(later, later.Add(-time.Second), e), e); w != 0 {
		t.Errorf("a fast exit long after the others: waits %v", w)
	}
	if w := wait(launchStart, fleet.NewPacing(fleet.Pace{}).Hopeless(launchStart, e), e); w != 3*time.Second {
		t.Errorf("an entry that cannot be launched waits %v, want 3s", w)
	}
}
