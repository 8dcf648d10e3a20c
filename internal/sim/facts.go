package sim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/stumble"
)

// facts is what is committed, decoded: what the checks look at.
type facts struct {
	fleets        map[lift.FleetID]*lift.Fleet
	instances     map[lift.InstanceID]*lift.Instance
	processes     map[lift.ProcessID]*lift.Process
	sessions      map[lift.GameSessionID]*lift.GameSession
	players       map[lift.PlayerSessionID]*lift.PlayerSession
	placements    map[string]*lift.Placement
	conversations map[lift.InstanceID]*store.Conversation
	effects       map[lift.EffectID]*store.Outbox
	leases        map[string]*store.Lease
	epochs        map[string]int64 // the last of each lease, also of one that is forgotten
	scalings      map[lift.FleetID]*lift.Scaling
	queues        map[string]*lift.Queue
	queueNames    []string // as they were made

	rules          map[string]*lift.RuleSet
	configurations map[string]*lift.MatchmakingConfiguration
	tickets        map[string]*lift.Ticket
	seekers        map[string]*lift.Seeker
	matches        map[string]*lift.Match

	everSent map[lift.EffectID]bool                               // effects that were committed once
	seated   map[lift.GameSessionID]map[lift.PlayerSessionID]bool // who hold a slot
	most     map[lift.GameSessionID]int                           // slots a game session ever had

	waitsSince map[lift.TicketID]time.Time // when a ticket began to search, in the world's time
	news       map[string]*news            // by what is told
	newsOf     map[string][]*news          // about a subject, in the order of commits
}

func newFacts() facts {
	return facts{
		fleets: map[lift.FleetID]*lift.Fleet{}, instances: map[lift.InstanceID]*lift.Instance{}, processes: map[lift.ProcessID]*lift.Process{},
		sessions: map[lift.GameSessionID]*lift.GameSession{}, players: map[lift.PlayerSessionID]*lift.PlayerSession{},
		placements: map[string]*lift.Placement{}, conversations: map[lift.InstanceID]*store.Conversation{}, effects: map[lift.EffectID]*store.Outbox{}, leases: map[string]*store.Lease{}, epochs: map[string]int64{}, scalings: map[lift.FleetID]*lift.Scaling{}, queues: map[string]*lift.Queue{},
		rules: map[string]*lift.RuleSet{}, configurations: map[string]*lift.MatchmakingConfiguration{}, tickets: map[string]*lift.Ticket{},
		seekers: map[string]*lift.Seeker{}, matches: map[string]*lift.Match{}, waitsSince: map[lift.TicketID]time.Time{}, news: map[string]*news{}, newsOf: map[string][]*news{},
		everSent: map[lift.EffectID]bool{}, seated: map[lift.GameSessionID]map[lift.PlayerSessionID]bool{}, most: map[lift.GameSessionID]int{},
	}
}

// committed takes what a transaction wrote, row by row, then asks whether what
// stands now makes sense together.
func (w *world) committed(tx store.Tx, written []stumble.Key) error {
	if len(written) > 0 {
		w.tally.Commits++
	}
	var touched touched
	for _, k := range written {
		if k.Kind == store.Secrets.Kind.Name {
			continue // made of true randomness
		}
		row, _, err := tx.Get(k.Kind, k.ID)
		if err != nil {
			return err
		}
		w.noteCommit(k.Kind, k.ID, row.Body)
		if err := w.written(tx, k, &touched); err != nil {
			return err
		}
	}
	w.together(&touched)
	return nil
}

// written takes a row that was written and notes whom it concerns.
func (w *world) written(tx store.Tx, k stumble.Key, t *touched) (err error) {
	f := &w.facts
	switch k.Kind {
	case store.Fleets.Kind.Name:
		_, _, err = take(tx, store.Fleets, k.ID, f.fleets, w.fleetMoved)
	case store.Instances.Kind.Name:
		var old, now *lift.Instance
		old, now, err = take(tx, store.Instances, k.ID, f.instances, w.instanceMoved)
		t.instances.add(lift.InstanceID(k.ID))
		if old == nil && now != nil {
			t.grown.add(now.FleetID)
			t.under.add(engine.FleetsLease)
		}
	case store.Processes.Kind.Name:
		_, _, err = take(tx, store.Processes, k.ID, f.processes, w.processMoved)
		t.processes.add(lift.ProcessID(k.ID))
	case store.Sessions.Kind.Name:
		var old, now *lift.GameSession
		old, now, err = take(tx, store.Sessions, k.ID, f.sessions, w.sessionMoved)
		if s := cmp.Or(now, old); s != nil {
			t.sessions.add(s.ID)
			for _, s := range []*lift.GameSession{old, now} {
				if s != nil && s.BackfillTicket != "" {
					t.tickets.add(s.BackfillTicket)
				}
			}
			t.processes.add(s.ProcessID)
			t.instances.add(s.InstanceID)
			if old == nil {
				t.opened.add(s.InstanceID)
			}
		}
	case store.Players.Kind.Name:
		var old, now *lift.PlayerSession
		old, now, err = take(tx, store.Players, k.ID, f.players, w.playerMoved)
		if p := cmp.Or(now, old); p != nil {
			f.seat(p, now != nil && now.Status.Live())
			t.sessions.add(p.GameSessionID)
		}
	case store.Placements.Kind.Name:
		var now *lift.Placement
		_, now, err = take(tx, store.Placements, k.ID, f.placements, w.placementMoved)
		t.placements.add(k.ID)
		if now != nil && now.SessionID != "" {
			t.sessions.add(now.SessionID)
		}
		if now != nil && now.Match != "" {
			t.matches.add(now.Match)
		}
	case store.Conversations.Kind.Name:
		_, _, err = take(tx, store.Conversations, k.ID, f.conversations, w.conversationMoved)
	case store.Effects.Kind.Name:
		_, _, err = take(tx, store.Effects, k.ID, f.effects, func(old, now *store.Outbox) {
			if now != nil {
				f.everSent[now.ID] = true
			}
			if old == nil && now.Publish != nil {
				w.published(now.Publish, t)
			}
			if now == nil && old.Publish != nil {
				w.forgotten(old.Publish)
			}
		})
	case store.Scalings.Kind.Name:
		_, _, err = take(tx, store.Scalings, k.ID, f.scalings, t.scalingMoved)
	case store.Leases.Kind.Name:
		_, _, err = take(tx, store.Leases, k.ID, f.leases, w.leaseMoved)
		t.leases.add(k.ID)
		if c, ok := strings.CutPrefix(k.ID, store.MatchLease("")); ok {
			t.news = append(t.news, func() { w.checkLeaseOf(c) })
		}
	case store.Queues.Kind.Name:
		_, _, err = take(tx, store.Queues, k.ID, f.queues, func(old, now *lift.Queue) {
			if old == nil {
				f.queueNames = append(f.queueNames, now.Name)
			}
		})
	case store.RuleSets.Kind.Name:
		_, _, err = take(tx, store.RuleSets, k.ID, f.rules, nil)
	case store.Configurations.Kind.Name:
		_, _, err = take(tx, store.Configurations, k.ID, f.configurations, nil)
		t.news = append(t.news, func() { w.checkLeaseOf(k.ID) })
	case store.Tickets.Kind.Name:
		var old, now *lift.Ticket
		old, now, err = take(tx, store.Tickets, k.ID, f.tickets, w.ticketMoved)
		t.tickets.add(k.ID)
		if found(old, now) {
			t.under.add(store.MatchLease(region + "/" + now.Configuration))
		}
		if now != nil && now.Backfill != nil && now.Backfill.SessionID != "" {
			t.sessions.add(now.Backfill.SessionID)
		}
		if now != nil && w.plan.sink {
			t.news = append(t.news, func() { w.checkTold(old, now, t) })
		}
		for _, s := range []*lift.Ticket{old, now} {
			if s != nil && s.Match != "" {
				t.matches.add(region + "/" + string(s.Match))
			}
		}
	case store.Seekers.Kind.Name:
		var old, now *lift.Seeker
		old, now, err = take(tx, store.Seekers, k.ID, f.seekers, nil)
		for _, s := range []*lift.Seeker{old, now} {
			if s != nil {
				t.tickets.add(region + "/" + string(s.TicketID))
			}
		}
	case store.Matches.Kind.Name:
		_, _, err = take(tx, store.Matches, k.ID, f.matches, w.matchMoved)
		t.matches.add(k.ID)
	}
	return err
}

// touched lists what a commit may have put out of order.
type touched struct {
	grown             list[lift.FleetID]
	instances, opened list[lift.InstanceID]
	processes         list[lift.ProcessID]
	sessions          list[lift.GameSessionID]
	placements        list[string]
	tickets, matches  list[string]
	leases, under     list[string] // those held, and those that had to be
	weighed           []weighing
	told              []told
	news              []func() // asks whether it was told
}

type list[T comparable] []T

func (l *list[T]) add(v T) {
	if !slices.Contains(*l, v) {
		*l = append(*l, v)
	}
}

// take puts a row in the place of what was there, and shows both.
func take[K ~string, T any](tx store.Tx, table *store.Table[T], id string, rows map[K]*T, moved func(old, now *T)) (old, now *T, err error) {
	old = rows[K(id)]
	now, ok, err := table.Get(tx, id)
	switch {
	case err != nil:
		return nil, nil, err
	case ok:
		rows[K(id)] = now
	default:
		delete(rows, K(id))
	}
	if (old != nil || now != nil) && moved != nil {
		moved(old, now)
	}
	return old, now, nil
}

func (f *facts) seat(p *lift.PlayerSession, live bool) {
	seats := f.seated[p.GameSessionID]
	if seats == nil {
		seats = map[lift.PlayerSessionID]bool{}
		f.seated[p.GameSessionID] = seats
	}
	if live {
		seats[p.ID] = true
	} else {
		delete(seats, p.ID)
	}
}

// fleetsAlive lists the fleets that clients know of, oldest first.
func (f *facts) fleetsAlive() []*lift.Fleet {
	var all []*lift.Fleet
	for _, id := range sortedKeys(f.fleets) {
		if s := f.fleets[id].Status; s != lift.FleetTerminated && s != lift.FleetDeleting {
			all = append(all, f.fleets[id])
		}
	}
	return all
}

func (f *facts) liveSessions(s lift.GameSessionStatus) []*lift.GameSession {
	var all []*lift.GameSession
	for _, id := range sortedKeys(f.sessions) {
		if f.sessions[id].Status == s {
			all = append(all, f.sessions[id])
		}
	}
	return all
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// keptUntil reports whether something that is gone was to be kept longer.
func (w *world) keptUntil(t time.Time) bool { return t.IsZero() || w.clock().Before(t) }
