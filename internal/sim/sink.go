package sim

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/notify"
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

// news is an event as the sink should hear of it.
type news struct {
	*lift.Publish
	committed time.Time // by the world's clock
	arrived   int       // so many times
}

// newNotifier makes what carries events to the sink.
func (s *server) newNotifier() *notify.Notifier {
	sinks, err := notify.Sinks{{Name: sinkName, URL: "http://sink", GiveUp: 7 * 24 * time.Hour}}.Ready()
	if err == nil {
		var n *notify.Notifier
		if n, err = notify.New(notify.Options{Store: s.store, Sinks: sinks, HTTP: (*wayToSink)(s), Now: s.clock, Owner: s.owner()}); err == nil {
			return n
		}
	}
	panic(err) // the sink is well spelled
}

// wakeNotifier tells that there may be something for the sink.
func (s *server) wakeNotifier() {
	if s.notifier != nil {
		s.notifier.Wake(sinkName)
		s.planNotify(s.w.now.Add(s.w.some(5 * time.Millisecond)))
	}
}

// planNotify plans the next step of the notifier.
func (s *server) planNotify(at time.Time) {
	if !s.notifyAt.IsZero() && !at.Before(s.notifyAt) {
		return
	}
	s.notifyAt = at
	life := s.life
	s.w.at(at, func() {
		if !s.up || s.life != life || !s.notifyAt.Equal(at) {
			return
		}
		s.notifyAt = time.Time{}
		attempts, next, err := s.notifier.Step(s.w.ctx)
		if err != nil {
			s.w.note(s.name, "events: %v", err)
			s.expected(err)
		}
		for _, a := range attempts {
			s.soon(s.w.onTheWay(), func() {
				a.Send(s.w.ctx)
				s.soon(s.w.onTheWay(), func() { s.land(a) })
			})
		}
		s.planNotify(later(s.w.now.Add(s.w.some(3*time.Millisecond)), next.Add(-s.skew)))
	})
}

// land notes the outcome of an attempt, and tries again if the store refuses.
func (s *server) land(a *notify.Attempt) {
	if err := a.Land(s.w.ctx); err != nil {
		s.expected(err)
		s.soon(2*time.Second, func() { s.land(a) })
		return
	}
	s.wakeNotifier()
}

// onTheWay is how long something takes to the sink or back, at most.
func (w *world) onTheWay() time.Duration {
	if w.bad(w.plan.faults.slow, 20) {
		return 15 * time.Second
	}
	return 20 * time.Millisecond
}

// wayToSink is the network between a server and the sink.
type wayToSink server

func (s *wayToSink) RoundTrip(r *http.Request) (*http.Response, error) {
	w := s.w
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if w.bad(w.plan.faults.slow, 10) {
		return nil, errors.New("the sink cannot be reached")
	}
	w.hear((*server)(s), string(body))
	if w.bad(w.plan.faults.slow, 10) {
		return nil, errors.New("the sink's answer is lost")
	}
	return &http.Response{StatusCode: 200, Status: "200 OK", Body: http.NoBody, Request: r}, nil
}

// hear checks an event that arrives: somebody committed it, its sender has the
// lease, all that came before it about the same subject has arrived and nothing
// that came after it. It may arrive again after something failed, and not else.
func (w *world) hear(s *server, event string) {
	n := w.facts.news[event]
	if n == nil {
		w.fail("%s tells the sink what nobody committed: %s", s.name, event)
		return
	}
	n.arrived++
	w.tally.Heard++
	w.note("sink", "hears from %s of %v at %s", s.name, n.Subjects, n.At)
	if n.arrived > 1 && (!w.plan.anyFault() || w.calm && n.committed.After(w.calmAt.Add(turnsSettle))) {
		w.fail("the sink hears %d times of %v at %s, although nothing failed", n.arrived, n.Subjects, n.At)
	}
	several := len(w.servers) > 1
	if several && (w.plan.faults.clocks || w.plan.faults.skew) {
		return // a lease is worth what the clocks are
	}
	if l := w.facts.leases[notify.Lease(sinkName)]; several && (l == nil || l.Owner != s.owner()) {
		w.fail("%s sends events, and the lease is %+v", s.name, l)
	}
	for _, subject := range n.Subjects {
		before := true
		for _, o := range w.facts.newsOf[subject] {
			switch {
			case o == n:
				before = false
			case before && o.arrived == 0:
				w.fail("the sink hears of %s at %s and has not heard of it at %s", subject, n.At, o.At)
			case !before && o.arrived > 0:
				w.fail("the sink hears of %s at %s after it heard of it at %s", subject, n.At, o.At)
			}
		}
	}
}

// turnsSettle is how long after the faults a server may still be about to find
// out that it has lost its turn.
const turnsSettle = 3 * store.LeaseFor

// forgotten: an event is forgotten when the sink has it.
func (w *world) forgotten(p *lift.Publish) {
	if w.facts.news[p.Event].arrived == 0 {
		w.fail("the event of %v at %s is forgotten, and the sink never heard of it", p.Subjects, p.At)
	}
}

// published notes what a commit tells the world, and checks that what is told
// of one thing has rising times.
func (w *world) published(p *lift.Publish, t *touched) {
	n := &news{Publish: p, committed: w.now}
	w.facts.news[p.Event] = n
	for _, s := range p.Subjects {
		of := w.facts.newsOf[s]
		if len(of) > 0 && !p.At.After(of[len(of)-1].At) {
			w.fail("of %s an event of %s is told after one of %s", s, p.At, of[len(of)-1].At)
		}
		w.facts.newsOf[s] = append(of, n)
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
