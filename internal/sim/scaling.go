package sim

import (
	"fmt"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/ops"
)

// What the rules of clients look at, and when they act.
var (
	ruleMetrics = []lift.Metric{
		lift.ActivatingGameSessions, lift.ActiveGameSessions, lift.ActiveInstances, lift.AvailableGameSessions, lift.AvailablePlayerSessions,
		lift.CurrentPlayerSessions, lift.IdleInstances, lift.PercentIdleInstances, lift.QueueDepth, lift.WaitTime,
	}
	comparisons = []lift.Comparison{lift.AtLeast, lift.Above, lift.Below, lift.AtMost}
	adjustments = []lift.AdjustmentType{lift.ExactCapacity, lift.ChangeInNumber, lift.ChangeInPercent}
)

// changePolicies has a fleet scale itself by another policy or one less, or not
// at all for now.
func (c *client) changePolicies(f *lift.Fleet) {
	w := c.w
	id, actions := string(f.ID), []string{"AUTO_SCALING"}
	name := fmt.Sprint("policy-", w.rng.IntN(3))
	switch n := w.rng.IntN(100); {
	case n < 10:
		call(c, "StopFleetActions "+short(f.ID), (*ops.Service).StopFleetActions, &api.StopFleetActionsInput{FleetId: id, Actions: actions})
	case n < 25:
		call(c, "StartFleetActions "+short(f.ID), (*ops.Service).StartFleetActions, &api.StartFleetActionsInput{FleetId: id, Actions: actions})
	case n < 40:
		call(c, "DeleteScalingPolicy "+short(f.ID), (*ops.Service).DeleteScalingPolicy, &api.DeleteScalingPolicyInput{FleetId: id, Name: name})
	case n < 60:
		c.putPolicy(&api.PutScalingPolicyInput{
			FleetId: id, Name: name, MetricName: string(lift.PercentAvailableGameSessions), PolicyType: new("TargetBased"),
			TargetConfiguration: &api.TargetConfiguration{TargetValue: float64(1 + w.rng.IntN(99))},
		})
	default:
		in := &api.PutScalingPolicyInput{
			FleetId: id, Name: name, MetricName: string(ruleMetrics[w.rng.IntN(len(ruleMetrics))]),
			ComparisonOperator: new(string(comparisons[w.rng.IntN(len(comparisons))])), Threshold: new(float64(w.rng.IntN(4))), EvaluationPeriods: new(1 + w.rng.IntN(2)),
			ScalingAdjustmentType: new(string(adjustments[w.rng.IntN(len(adjustments))])), ScalingAdjustment: new(w.rng.IntN(3)),
		}
		if *in.ScalingAdjustmentType != string(lift.ExactCapacity) && w.chance(50) {
			in.ScalingAdjustment = new(-1 - w.rng.IntN(2))
		}
		c.putPolicy(in)
	}
}

func (c *client) putPolicy(in *api.PutScalingPolicyInput) {
	call(c, "PutScalingPolicy "+in.Name+" on "+in.MetricName, (*ops.Service).PutScalingPolicy, in)
}

// checkScaled: a fleet that its policies scaled was to be scaled, within its
// bounds, by a rule no more often than it may.
func (w *world) checkScaled(t *touched) {
	for _, s := range t.weighed {
		f := w.facts.fleets[s.now.FleetID]
		if f == nil || f.ScalingStopped || f.Status != lift.FleetActive && !f.Status.Preparing() {
			w.fail("the policies of fleet %s are weighed, which is %+v", s.now.FleetID, f)
			return
		}
		if w.clock().Before(s.old.SampleAt) {
			w.fail("the policies of fleet %s are weighed before %s", f.ID, s.old.SampleAt)
		}
		w.tally.Weighed++
	}
}

// weighing is a scaling of a fleet before and after its policies were weighed.
type weighing struct{ old, now *lift.Scaling }

// scalingMoved notes which policies were weighed: their next time is another.
func (t *touched) scalingMoved(old, now *lift.Scaling) {
	if old != nil && now != nil && !old.SampleAt.IsZero() && now.SampleAt.After(old.SampleAt) && old.Made == now.Made {
		t.weighed = append(t.weighed, weighing{old, now})
	}
}
