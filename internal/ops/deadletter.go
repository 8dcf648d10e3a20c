package ops

import (
	"context"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// checkTopic says in the log that a topic somebody names leads nowhere. That is
// no error: its events still go to sinks without topics.
func (s *Service) checkTopic(topic *string, source string) {
	if s.o.Listens != nil && or(topic, "") != "" && !s.o.Listens(*topic) {
		s.log.Warn("no sink is configured for this NotificationTarget; docs/events.md says how", "topic", *topic, "source", source)
	}
}

// ListDeadLetters lists the events of the caller's account that sinks did not
// take, the oldest first in each sink, of all regions.
func (s *Service) ListDeadLetters(ctx context.Context, in *api.ListDeadLettersInput) (*api.ListDeadLettersOutput, error) {
	c := s.caller(ctx)
	sink := or(in.Sink, "")
	p, err := s.page(c, in.Limit, in.NextToken, "ListDeadLetters", sink)
	if err != nil {
		return nil, err
	}
	prefix := ""
	if sink != "" {
		prefix = sink + "/"
	}
	return read(ctx, s, func(tx store.Tx) (*api.ListDeadLettersOutput, error) {
		ds, next, err := list(tx, p, store.DeadLetters, "sink", prefix, func(d *store.DeadLetter) bool { return d.Account == c.Account })
		return &api.ListDeadLettersOutput{DeadLetters: shapes(ds, deadLetterShape), NextToken: next}, err
	})
}

func deadLetterShape(d *store.DeadLetter) *api.DeadLetter {
	return &api.DeadLetter{
		DeadLetterId: opt(d.ID), Sink: opt(d.Sink), Type: opt(d.Type), TopicArn: opt(d.Publish.Topic), Region: opt(d.Region),
		EventTime: d.Publish.At, FailureTime: d.FailedAt, Attempts: new(d.Attempts), Reason: opt(d.Reason), Event: new(d.Publish.Event),
	}
}

// RetryDeadLetters sends dead letters again: the given ones, or all of a sink.
func (s *Service) RetryDeadLetters(ctx context.Context, in *api.RetryDeadLettersInput) (*api.RetryDeadLettersOutput, error) {
	const batch = 200
	c := s.caller(ctx)
	sink := or(in.Sink, "")
	if (len(in.DeadLetterIds) == 0) == (sink == "") {
		return nil, invalid("give either DeadLetterIds or a Sink, to send all of its dead letters again")
	}
	if sink == "" {
		return change(ctx, s, func(tx *engine.Tx) (*api.RetryDeadLettersOutput, error) {
			for _, id := range in.DeadLetterIds {
				d, ok, err := store.DeadLetters.Get(tx, id)
				if err != nil {
					return nil, err
				}
				if !ok || d.Account != c.Account {
					return nil, lift.Errorf(lift.NotFound, "dead letter %s not found; it was sent again, or is older than two weeks", id)
				}
				if err := tx.Redeliver(d); err != nil {
					return nil, err
				}
			}
			return &api.RetryDeadLettersOutput{Retried: new(len(in.DeadLetterIds))}, nil
		})
	}
	total := 0
	var at, next store.Cursor
	for n := batch; n == batch; at = next {
		retried, err := change(ctx, s, func(tx *engine.Tx) (int, error) {
			ds, end, err := store.DeadLetters.Scan(tx, "sink", sink+"/", at, batch)
			n, next = len(ds), end
			retried := 0
			for _, d := range ds {
				if err == nil && d.Account == c.Account {
					err = tx.Redeliver(d)
					retried++
				}
			}
			return retried, err
		})
		if err != nil {
			return nil, err
		}
		total += retried
	}
	return &api.RetryDeadLettersOutput{Retried: &total}, nil
}
