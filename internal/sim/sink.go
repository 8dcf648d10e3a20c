package sim

import (
	"bytes"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/notify/event"
	"github.com/chairlift-games/chairlift/internal/store"
)

// sinkName is the one that hears of everything, in worlds that have one.
const sinkName = "all"

func (w *world) sinks(string) []string {
	if !w.plan.sink {
		return nil
	}
	return []string{sinkName}
}

// empty carries the events that wait to the sink, from time to time.
func (s *server) empty() {
	w := s.w
	s.soon(3*time.Second, s.empty)
	var waiting []*store.Outbox
	err := s.engine.View(w.ctx, func(tx store.Tx) (err error) {
		waiting, _, err = store.Effects.Scan(tx, "to", string(lift.ToSink(sinkName))+"/", store.Cursor{}, 20)
		return err
	})
	for _, o := range waiting {
		if err == nil && !w.bad(w.plan.faults.slow, 20) {
			w.checkSent(o.Effect)
			err = s.engine.Confirm(w.ctx, o.ID)
		}
	}
	if err != nil {
		s.expected(err)
	}
}

// published notes what a commit tells the world, and checks that what is told
// of one thing has rising times.
func (w *world) published(p *lift.Publish, t *touched) {
	for _, s := range p.Subjects {
		if last := w.facts.toldAt[s]; !p.At.After(last) {
			w.fail("of %s an event of %s is told after one of %s", s, p.At, last)
		}
		w.facts.toldAt[s] = p.At
		t.told = append(t.told, told{s, []byte(p.Event)})
	}
}

// told is an event about a subject.
type told struct {
	subject string
	event   []byte
}

// checkTold: what became of a ticket is told with it.
func (w *world) checkTold(old, now *lift.Ticket, t *touched) {
	kind := map[lift.TicketStatus]string{
		lift.TicketRequiresAcceptance: event.PotentialMatchCreated, lift.TicketPlacing: event.PotentialMatchCreated,
		lift.TicketCompleted: event.MatchmakingSucceeded, lift.TicketFailed: event.MatchmakingFailed,
		lift.TicketCancelled: event.MatchmakingCancelled, lift.TicketTimedOut: event.MatchmakingTimedOut,
	}[now.Status]
	switch {
	case now.Status == lift.TicketSearching && old != nil && old.Arriving && !now.Arriving:
		kind = event.MatchmakingSearching
	case kind == "" || old == nil || old.Status == now.Status,
		now.Status == lift.TicketPlacing && old.Status != lift.TicketSearching:
		return
	}
	subject := "ticket/" + region + "/" + string(now.ID)
	for _, told := range t.told {
		if told.subject == subject && bytes.Contains(told.event, []byte(`"type":"`+kind+`"`)) {
			return
		}
	}
	w.fail("ticket %s is %s, and there is no event %s", now.ID, now.Status, kind)
}
