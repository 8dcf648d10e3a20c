package ops

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// The types of scaling policies. The first is what an omitted type means
// (behaviour 2.17, a choice).
const (
	ruleBased   = "RuleBased"
	targetBased = "TargetBased"
)

// The range of targets, in percent of the game sessions (behaviour 2.17).
const (
	targetMin = 1
	targetMax = 99
)

// PutScalingPolicy makes a policy, or replaces the fleet's one of that name,
// which begins to count anew.
func (s *Service) PutScalingPolicy(ctx context.Context, in *api.PutScalingPolicyInput) (*api.PutScalingPolicyOutput, error) {
	c := s.caller(ctx)
	next, err := scalingPolicy(in)
	if err != nil {
		return nil, err
	}
	return change(ctx, s, func(tx *engine.Tx) (*api.PutScalingPolicyOutput, error) {
		f, sc, err := c.scaling(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if f.Status == lift.FleetError || f.Status == lift.FleetDeleting {
			return nil, invalid("fleet %s is %s and does not scale any more", f.ID, f.Status)
		}
		next := next
		at := slices.IndexFunc(sc.Policies, func(p lift.ScalingPolicy) bool { return p.Name == next.Name })
		for i, p := range sc.Policies {
			if next.Target > 0 && p.Target > 0 && i != at {
				return nil, invalid("fleet %s has the target based policy %s already, and can have one; change or delete that", f.ID, p.Name)
			}
		}
		if at >= 0 {
			next.Number = sc.Policies[at].Number
			sc.Policies[at] = next
		} else {
			sc.Made++
			next.Number = sc.Made
			sc.Policies = append(sc.Policies, next)
		}
		if sc.SampleAt.IsZero() && !f.ScalingStopped {
			sc.SampleAt = tx.Now.Add(fleet.SampleEvery)
		}
		return &api.PutScalingPolicyOutput{Name: &next.Name}, store.Scalings.Put(tx, sc)
	})
}

// scalingPolicy reads the policy of a request. Each type needs its own members
// and takes no others.
func scalingPolicy(in *api.PutScalingPolicyInput) (lift.ScalingPolicy, error) {
	p := lift.ScalingPolicy{Name: in.Name, Metric: lift.Metric(in.MetricName)}
	members := []struct {
		name string
		n    int
	}{
		{"ComparisonOperator", given(in.ComparisonOperator)}, {"Threshold", given(in.Threshold)}, {"EvaluationPeriods", given(in.EvaluationPeriods)},
		{"ScalingAdjustmentType", given(in.ScalingAdjustmentType)}, {"ScalingAdjustment", given(in.ScalingAdjustment)},
	}
	if or(in.PolicyType, ruleBased) == targetBased {
		for _, m := range members {
			if m.n > 0 {
				return p, invalid("%s belongs to rule based policies; a target based one has a TargetConfiguration", m.name)
			}
		}
		switch {
		case in.TargetConfiguration == nil:
			return p, invalid("TargetConfiguration is required for a target based policy")
		case p.Metric != lift.PercentAvailableGameSessions:
			return p, invalid("a target based policy has the MetricName %s, not %s", lift.PercentAvailableGameSessions, p.Metric)
		}
		if p.Target = in.TargetConfiguration.TargetValue; !(p.Target >= targetMin && p.Target <= targetMax) {
			return p, invalid("TargetValue must be from %d to %d percent, got %g", targetMin, targetMax, p.Target)
		}
		return p, nil
	}
	if in.TargetConfiguration != nil {
		return p, invalid("TargetConfiguration belongs to policies with the PolicyType %s", targetBased)
	}
	for _, m := range members {
		if m.n == 0 {
			return p, invalid("%s is required for a rule based policy", m.name)
		}
	}
	p.Comparison, p.Threshold, p.Periods = lift.Comparison(*in.ComparisonOperator), *in.Threshold, *in.EvaluationPeriods
	p.Adjustment, p.Amount = lift.AdjustmentType(*in.ScalingAdjustmentType), *in.ScalingAdjustment
	return p, nil
}

func (s *Service) DeleteScalingPolicy(ctx context.Context, in *api.DeleteScalingPolicyInput) (*api.DeleteScalingPolicyOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteScalingPolicyOutput, error) {
		f, sc, err := c.scaling(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		n := len(sc.Policies)
		sc.Policies = slices.DeleteFunc(sc.Policies, func(p lift.ScalingPolicy) bool { return p.Name == in.Name })
		if len(sc.Policies) == n {
			return nil, lift.Errorf(lift.NotFound, "fleet %s has no scaling policy %s", f.ID, in.Name)
		}
		return &api.DeleteScalingPolicyOutput{}, store.Scalings.Put(tx, sc)
	})
}

func (s *Service) DescribeScalingPolicies(ctx context.Context, in *api.DescribeScalingPoliciesInput) (*api.DescribeScalingPoliciesOutput, error) {
	c := s.caller(ctx)
	p, err := s.page(c, in.Limit, in.NextToken, "DescribeScalingPolicies", c.name(in.FleetId, "fleet"), or(in.StatusFilter, ""), or(in.Location, ""))
	if err != nil {
		return nil, err
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeScalingPoliciesOutput, error) {
		after, _ := strconv.Atoi(p.after.ID)
		f, sc, err := c.scaling(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if err := home(f, in.Location); err != nil {
			return nil, err
		}
		out := &api.DescribeScalingPoliciesOutput{ScalingPolicies: []api.ScalingPolicy{}}
		if or(in.StatusFilter, "ACTIVE") != "ACTIVE" {
			return out, nil // a policy is ACTIVE from the beginning to its end
		}
		for _, sp := range sc.Policies {
			switch n := len(out.ScalingPolicies); {
			case sp.Number <= after:
			case n == p.limit:
				out.NextToken = p.token(store.Cursor{ID: strconv.Itoa(after)})
				return out, nil
			default:
				out.ScalingPolicies = append(out.ScalingPolicies, scalingPolicyShape(f, sp))
				after = sp.Number
			}
		}
		return out, nil
	})
}

// StartFleetActions lets the scaling policies of a fleet act again. They begin
// to count anew: nobody looked in between.
func (s *Service) StartFleetActions(ctx context.Context, in *api.StartFleetActionsInput) (*api.StartFleetActionsOutput, error) {
	f, err := s.stopScaling(ctx, in.FleetId, in.Location, in.Actions, false)
	if err != nil {
		return nil, err
	}
	return &api.StartFleetActionsOutput{FleetId: opt(f.ID), FleetArn: opt(f.ARN())}, nil
}

// StopFleetActions keeps the scaling policies of a fleet from acting. Its
// capacity stays what it is, and can be changed by UpdateFleetCapacity.
func (s *Service) StopFleetActions(ctx context.Context, in *api.StopFleetActionsInput) (*api.StopFleetActionsOutput, error) {
	f, err := s.stopScaling(ctx, in.FleetId, in.Location, in.Actions, true)
	if err != nil {
		return nil, err
	}
	return &api.StopFleetActionsOutput{FleetId: opt(f.ID), FleetArn: opt(f.ARN())}, nil
}

// autoScaling is the one action that a fleet can stop and start.
const autoScaling = "AUTO_SCALING"

// stopScaling stops or starts actions of a fleet. Where it is so already, nothing
// changes (behaviour 2.18).
func (s *Service) stopScaling(ctx context.Context, id string, location *string, actions []string, stop bool) (*lift.Fleet, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*lift.Fleet, error) {
		f, sc, err := c.scaling(tx, id)
		if err != nil {
			return nil, err
		}
		if err := home(f, location); err != nil {
			return nil, err
		}
		if f.Status == lift.FleetDeleting {
			return nil, invalid("fleet %s is being deleted", f.ID)
		}
		if f.ScalingStopped == stop || !slices.Contains(actions, autoScaling) {
			return f, nil
		}
		f.ScalingStopped = stop
		sc.SampleAt = time.Time{}
		if !stop && len(sc.Policies) > 0 {
			sc.SampleAt = tx.Now.Add(fleet.SampleEvery)
		}
		for i := range sc.Policies {
			sc.Policies[i].Breaches = 0
		}
		if sc.Made > 0 {
			if err := store.Scalings.Put(tx, sc); err != nil {
				return nil, err
			}
		}
		return f, store.Fleets.Put(tx, f)
	})
}

// scaling finds a fleet with its scaling policies, of which there may be none.
func (c caller) scaling(tx store.Tx, given string) (*lift.Fleet, *lift.Scaling, error) {
	f, err := c.fleet(tx, given)
	if err != nil {
		return nil, nil, err
	}
	sc, ok, err := store.Scalings.Get(tx, string(f.ID))
	if !ok {
		sc = &lift.Scaling{FleetID: f.ID, Region: f.Region}
	}
	return f, sc, err
}

// stoppedActions is what StopFleetActions stopped.
func stoppedActions(f *lift.Fleet) []string {
	if f.ScalingStopped {
		return []string{autoScaling}
	}
	return nil
}

func scalingPolicyShape(f *lift.Fleet, p lift.ScalingPolicy) api.ScalingPolicy {
	out := api.ScalingPolicy{
		FleetId: opt(f.ID), FleetArn: opt(f.ARN()), Location: opt(f.Region), Name: opt(p.Name), Status: new("ACTIVE"),
		MetricName: opt(p.Metric), PolicyType: new(targetBased),
	}
	if p.Target > 0 {
		out.TargetConfiguration = &api.TargetConfiguration{TargetValue: p.Target}
		return out
	}
	out.PolicyType = new(ruleBased)
	out.ComparisonOperator, out.Threshold, out.EvaluationPeriods = opt(p.Comparison), &p.Threshold, &p.Periods
	out.ScalingAdjustmentType, out.ScalingAdjustment = opt(p.Adjustment), &p.Amount
	return out
}
