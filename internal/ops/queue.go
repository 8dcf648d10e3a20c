package ops

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Seconds that a placement may wait in a queue (behaviour 8.1).
const (
	timeoutDefault = 600
	timeoutMin     = 10
	timeoutMax     = 600
)

func (s *Service) CreateGameSessionQueue(ctx context.Context, in *api.CreateGameSessionQueueInput) (*api.CreateGameSessionQueueOutput, error) {
	c := s.caller(ctx)
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	settings := &api.UpdateGameSessionQueueInput{
		TimeoutInSeconds: in.TimeoutInSeconds, PlayerLatencyPolicies: in.PlayerLatencyPolicies, Destinations: in.Destinations,
		FilterConfiguration: in.FilterConfiguration, PriorityConfiguration: in.PriorityConfiguration,
		CustomEventData: in.CustomEventData, NotificationTarget: in.NotificationTarget,
	}
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateGameSessionQueueOutput, error) {
		q := &lift.Queue{Name: in.Name, Region: c.Region, Account: c.Account, TimeoutSeconds: timeoutDefault, CreatedAt: tx.Now, Tags: tags}
		if _, exists, err := store.Queues.Get(tx, store.InRegion(q.Region, q.Name)); err != nil || exists {
			return nil, cmp.Or(err, invalid("there is a game session queue %s already; UpdateGameSessionQueue changes it", q.Name))
		}
		if err := s.configure(tx, c, q, settings); err != nil {
			return nil, err
		}
		return &api.CreateGameSessionQueueOutput{GameSessionQueue: queueShape(q)}, store.Queues.Put(tx, q)
	})
}

// UpdateGameSessionQueue changes the members given; lists replace what was
// there completely.
func (s *Service) UpdateGameSessionQueue(ctx context.Context, in *api.UpdateGameSessionQueueInput) (*api.UpdateGameSessionQueueOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateGameSessionQueueOutput, error) {
		q, err := c.queue(tx, in.Name)
		if err != nil {
			return nil, err
		}
		if err := s.configure(tx, c, q, in); err != nil {
			return nil, err
		}
		return &api.UpdateGameSessionQueueOutput{GameSessionQueue: queueShape(q)}, store.Queues.Put(tx, q)
	})
}

// configure gives q the settings that a request names.
func (s *Service) configure(tx store.Tx, c caller, q *lift.Queue, in *api.UpdateGameSessionQueueInput) error {
	if t := in.TimeoutInSeconds; t != nil {
		if !s.rules.AnyQueueTimeout && (*t < timeoutMin || *t > timeoutMax) {
			return invalid("TimeoutInSeconds must be from %d to %d, got %d", timeoutMin, timeoutMax, *t)
		}
		q.TimeoutSeconds = *t
	}
	if in.PlayerLatencyPolicies != nil {
		policies, err := latencyPolicies(in.PlayerLatencyPolicies)
		if err != nil {
			return err
		}
		q.LatencyPolicies = policies
	}
	if in.Destinations != nil {
		if limit := s.rules.Destinations; limit > 0 && len(in.Destinations) > limit {
			return lift.Errorf(lift.LimitExceeded, "a queue has at most %d destinations, got %d", limit, len(in.Destinations))
		}
		q.Destinations = nil
		for i, d := range in.Destinations {
			if err := s.checkDestination(tx, c, or(d.DestinationArn, "")); err != nil {
				return inMember(err, "Destinations[%d].DestinationArn", i)
			}
			q.Destinations = append(q.Destinations, *d.DestinationArn)
		}
	}
	if in.FilterConfiguration != nil {
		q.AllowedLocations = in.FilterConfiguration.AllowedLocations
	}
	if in.PriorityConfiguration != nil {
		if err := prioritize(q, in.PriorityConfiguration); err != nil {
			return err
		}
	}
	q.CustomEventData = or(in.CustomEventData, q.CustomEventData)
	q.NotificationTarget = or(in.NotificationTarget, q.NotificationTarget)
	s.checkTopic(in.NotificationTarget, q.ARN())
	return nil
}

// checkDestination refuses what is no ARN of a fleet or alias that exists
// (behaviour 8.2). What happens to it later is a placement's matter.
func (s *Service) checkDestination(tx store.Tx, c caller, arn string) error {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "gamelift" {
		return invalid("must be the ARN of a fleet or an alias, got %.100q", arn)
	}
	c.Region = parts[3] // destinations may be in any region
	var err error
	switch typ, _, _ := strings.Cut(parts[5], "/"); typ {
	case "fleet":
		_, err = c.fleet(tx, arn)
	case "alias":
		_, err = c.alias(tx, arn)
	default:
		return invalid("must be the ARN of a fleet or an alias, got %.100q", arn)
	}
	if isKind(err, lift.NotFound) {
		return lift.Errorf(s.rules.UnknownDestination, "%v", err)
	}
	return err
}

// latencyPolicies reads the policies in the order in which they come into
// force: by rising cap (behaviour 8.4).
func latencyPolicies(in []api.PlayerLatencyPolicy) ([]lift.LatencyPolicy, error) {
	out := make([]lift.LatencyPolicy, len(in))
	for i, p := range in {
		if p.MaximumIndividualPlayerLatencyMilliseconds == nil {
			return nil, invalid("PlayerLatencyPolicies[%d].MaximumIndividualPlayerLatencyMilliseconds is required", i)
		}
		out[i] = lift.LatencyPolicy{MaxMS: *p.MaximumIndividualPlayerLatencyMilliseconds, DurationSeconds: or(p.PolicyDurationSeconds, 0)}
	}
	slices.SortStableFunc(out, func(a, b lift.LatencyPolicy) int { return cmp.Compare(a.MaxMS, b.MaxMS) })
	for _, p := range out[:max(len(out)-1, 0)] {
		if p.DurationSeconds == 0 {
			return nil, invalid("the player latency policy of %d ms has no PolicyDurationSeconds, so those with a higher cap would never come into force", p.MaxMS)
		}
	}
	return out, nil
}

// prioritize gives q its order of places (behaviour 8.5).
func prioritize(q *lift.Queue, in *api.PriorityConfiguration) error {
	q.PriorityOrder, q.LocationOrder = nil, nil
	for _, k := range in.PriorityOrder {
		key := lift.PriorityKey(k)
		if slices.Contains(q.PriorityOrder, key) {
			return invalid("PriorityConfiguration.PriorityOrder names %s twice", k)
		}
		q.PriorityOrder = append(q.PriorityOrder, key)
	}
	for _, l := range in.LocationOrder {
		if slices.Contains(q.LocationOrder, l) {
			return invalid("PriorityConfiguration.LocationOrder names %s twice", l)
		}
		q.LocationOrder = append(q.LocationOrder, l)
	}
	if slices.Contains(q.PriorityOrder, lift.ByLocation) && q.LocationOrder == nil {
		return invalid("PriorityConfiguration.PriorityOrder names LOCATION, so LocationOrder is required")
	}
	return nil
}

// DeleteGameSessionQueue removes the queue and ends the placements that wait in
// it, a batch at a time; one that is missed fails at its next attempt. A
// placement whose game session is being activated goes on.
func (s *Service) DeleteGameSessionQueue(ctx context.Context, in *api.DeleteGameSessionQueueInput) (*api.DeleteGameSessionQueueOutput, error) {
	const batch = 200
	c := s.caller(ctx)
	q, err := change(ctx, s, func(tx *engine.Tx) (*lift.Queue, error) {
		q, err := c.queue(tx, in.Name)
		if err != nil {
			return nil, err
		}
		return q, store.Queues.Delete(tx, store.InRegion(q.Region, q.Name))
	})
	for n := batch; n == batch && err == nil; {
		n, err = change(ctx, s, func(tx *engine.Tx) (int, error) {
			ps, _, err := store.Placements.Scan(tx, "waiting", store.InRegion(q.Region, q.Name)+"/", store.Cursor{}, batch)
			if err != nil {
				return 0, err
			}
			tx.KeepQueue(q)
			for _, p := range ps {
				if err := tx.EndPlacement(p, placement.Failed(tx.Now, *p, "its queue was deleted")); err != nil {
					return 0, err
				}
			}
			return len(ps), nil
		})
	}
	if err != nil {
		return nil, err
	}
	return &api.DeleteGameSessionQueueOutput{}, nil
}

func (s *Service) DescribeGameSessionQueues(ctx context.Context, in *api.DescribeGameSessionQueuesInput) (*api.DescribeGameSessionQueuesOutput, error) {
	c := s.caller(ctx)
	var p page
	if in.Names == nil {
		var err error
		if p, err = s.page(c, in.Limit, in.NextToken, "DescribeGameSessionQueues"); err != nil {
			return nil, err
		}
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeGameSessionQueuesOutput, error) {
		if in.Names == nil {
			qs, next, err := list(tx, p, store.Queues, "", c.Region+"/", nil)
			return &api.DescribeGameSessionQueuesOutput{GameSessionQueues: shapes(qs, queueShape), NextToken: next}, err
		}
		var qs []*lift.Queue
		for _, name := range in.Names {
			q, err := c.queue(tx, name)
			switch {
			case err == nil:
				qs = append(qs, q)
			case !isKind(err, lift.NotFound):
				return nil, err
			}
		}
		return &api.DescribeGameSessionQueuesOutput{GameSessionQueues: shapes(qs, queueShape)}, nil
	})
}

func queueShape(q *lift.Queue) *api.GameSessionQueue {
	out := &api.GameSessionQueue{
		Name: opt(q.Name), GameSessionQueueArn: opt(q.ARN()), TimeoutInSeconds: new(q.TimeoutSeconds),
		CustomEventData: opt(q.CustomEventData), NotificationTarget: opt(q.NotificationTarget),
		Destinations: make([]api.GameSessionQueueDestination, len(q.Destinations)),
	}
	for i, d := range q.Destinations {
		out.Destinations[i].DestinationArn = opt(d)
	}
	if q.AllowedLocations != nil {
		out.FilterConfiguration = &api.FilterConfiguration{AllowedLocations: q.AllowedLocations}
	}
	if q.PriorityOrder != nil || q.LocationOrder != nil {
		out.PriorityConfiguration = &api.PriorityConfiguration{LocationOrder: q.LocationOrder}
		for _, k := range q.PriorityOrder {
			out.PriorityConfiguration.PriorityOrder = append(out.PriorityConfiguration.PriorityOrder, string(k))
		}
	}
	for _, p := range q.LatencyPolicies {
		out.PlayerLatencyPolicies = append(out.PlayerLatencyPolicies, api.PlayerLatencyPolicy{
			MaximumIndividualPlayerLatencyMilliseconds: new(p.MaxMS), PolicyDurationSeconds: positive(p.DurationSeconds),
		})
	}
	return out
}
