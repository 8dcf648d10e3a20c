package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
)

// importScaling gives fleets their capacity and scaling policies, once they are
// ACTIVE. It comes last, so that a fleet that never is keeps nothing else away.
func (m *importer) importScaling(ctx context.Context) error {
	for _, f := range m.fleets {
		was := deref(f.FleetId)
		fleet := m.now[was]
		counts, sized := m.capacities[was]
		if fleet == "" || !sized && len(m.policies[was]) == 0 && len(f.StoppedActions) == 0 {
			continue
		}
		what := fmt.Sprintf("fleet %s (%s)", deref(f.Name), was)
		if !m.dry {
			waiting, cancel := context.WithTimeout(ctx, 15*time.Minute)
			err := FollowFleet(waiting, &World{Ctx: ctx, Out: io.Discard, Err: m.Err, Getenv: m.Getenv}, m.api, fleet)
			cancel()
			if err != nil {
				m.cannot("capacity and scaling policies of %s: %s", what, Explain(err))
				continue
			}
		}
		if sized {
			if err := m.importCapacity(ctx, what, was, fleet, counts); err != nil {
				return err
			}
		}
		if err := m.importPolicies(ctx, what, was, fleet); err != nil {
			return err
		}
		if err := m.importStopped(ctx, what, was, fleet, f.StoppedActions); err != nil {
			return err
		}
	}
	return nil
}

// importCapacity changes a capacity that is still as it was made: what somebody
// chose here since the first run stays.
func (m *importer) importCapacity(ctx context.Context, what, was, fleet string, c api.EC2InstanceCounts) error {
	if !m.dry {
		out, err := m.api.DescribeFleetCapacity(ctx, &api.DescribeFleetCapacityInput{FleetIds: []string{fleet}})
		if err != nil {
			return err
		}
		if len(out.FleetCapacity) == 0 {
			return nil
		}
		if is := deref(out.FleetCapacity[0].InstanceCounts); deref(is.DESIRED) != 1 || deref(is.MINIMUM) != 0 || deref(is.MAXIMUM) != 1 {
			return nil
		}
	}
	if deref(c.DESIRED) == 1 && deref(c.MINIMUM) == 0 && deref(c.MAXIMUM) == 1 {
		return nil // every fleet begins so
	}
	m.make(fmt.Sprintf("capacity of %s: %d instances, %d to %d", what, deref(c.DESIRED), deref(c.MINIMUM), deref(c.MAXIMUM)), "capacity "+was, func() (string, error) {
		_, err := m.api.UpdateFleetCapacity(ctx, &api.UpdateFleetCapacityInput{FleetId: fleet, DesiredInstances: c.DESIRED, MinSize: c.MINIMUM, MaxSize: c.MAXIMUM})
		return fleet, err
	})
	return nil
}

// importPolicies makes the policies whose names the fleet does not have.
func (m *importer) importPolicies(ctx context.Context, what, was, fleet string) error {
	if len(m.policies[was]) == 0 {
		return nil
	}
	var here []api.ScalingPolicy
	if !m.dry {
		for token := (*string)(nil); ; {
			out, err := m.api.DescribeScalingPolicies(ctx, &api.DescribeScalingPoliciesInput{FleetId: fleet, NextToken: token})
			if err != nil {
				return err
			}
			here = append(here, out.ScalingPolicies...)
			if token = out.NextToken; token == nil {
				break
			}
		}
	}
	for _, p := range m.policies[was] {
		name := deref(p.Name)
		same := func(h api.ScalingPolicy) bool { return deref(h.Name) == name && deref(h.Status) != "DELETED" }
		if s := deref(p.Status); s != "" && s != "ACTIVE" || slices.ContainsFunc(here, same) {
			continue
		}
		m.make(fmt.Sprintf("scaling policy %s of %s", name, what), "policy "+was+" "+name, func() (string, error) {
			_, err := m.api.PutScalingPolicy(ctx, &api.PutScalingPolicyInput{
				Name: name, FleetId: fleet, ScalingAdjustment: p.ScalingAdjustment, ScalingAdjustmentType: p.ScalingAdjustmentType, Threshold: p.Threshold,
				ComparisonOperator: p.ComparisonOperator, EvaluationPeriods: p.EvaluationPeriods, MetricName: deref(p.MetricName), PolicyType: p.PolicyType,
				TargetConfiguration: p.TargetConfiguration,
			})
			return name, err
		})
	}
	return nil
}

// importStopped stops the actions that were stopped there, if that is news.
func (m *importer) importStopped(ctx context.Context, what, was, fleet string, actions []string) error {
	if len(actions) == 0 {
		return nil
	}
	if !m.dry {
		out, err := m.api.DescribeFleetAttributes(ctx, &api.DescribeFleetAttributesInput{FleetIds: []string{fleet}})
		if err != nil {
			return err
		}
		if len(out.FleetAttributes) == 0 || len(out.FleetAttributes[0].StoppedActions) > 0 {
			return nil
		}
	}
	m.make("stop of "+strings.Join(actions, ", ")+" of "+what, "stopped "+was, func() (string, error) {
		_, err := m.api.StopFleetActions(ctx, &api.StopFleetActionsInput{FleetId: fleet, Actions: actions})
		return fleet, err
	})
	return nil
}
