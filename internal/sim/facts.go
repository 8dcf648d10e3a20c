package sim

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
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
	queues        []string // by name, as they were made

	everSent map[lift.EffectID]bool                               // effects that were committed once
	seated   map[lift.GameSessionID]map[lift.PlayerSessionID]bool // who hold a slot
	most     map[lift.GameSessionID]int                           // slots a game session ever had
}

func newFacts() facts {
	return facts{
		fleets: map[lift.FleetID]*lift.Fleet{}, instances: map[lift.InstanceID]*lift.Instance{}, processes: map[lift.ProcessID]*lift.Process{},
		sessions: map[lift.GameSessionID]*lift.GameSession{}, players: map[lift.PlayerSessionID]*lift.PlayerSession{},
		placements: map[string]*lift.Placement{}, conversations: map[lift.InstanceID]*store.Conversation{}, effects: map[lift.EffectID]*store.Outbox{},
		everSent: map[lift.EffectID]bool{}, seated: map[lift.GameSessionID]map[lift.PlayerSessionID]bool{}, most: map[lift.GameSessionID]int{},
	}
}

// committed takes the changes of a transaction, row by row, then asks whether
// what stands now makes sense together.
func (w *world) committed(changes []change) {
	f := &w.facts
	if len(changes) > 0 {
		w.tally.Commits++
	}
	var touched touched
	for _, c := range changes {
		if c.kind == store.Secrets.Kind.Name {
			continue // made of true randomness
		}
		w.note("commit", "%s %s %s", c.kind, c.id, c.body)
		switch c.kind {
		case store.Fleets.Kind.Name:
			take(w, c, f.fleets, lift.FleetID(c.id), w.fleetMoved)
			touched.fleets.add(lift.FleetID(c.id))
		case store.Instances.Kind.Name:
			old := f.instances[lift.InstanceID(c.id)]
			take(w, c, f.instances, lift.InstanceID(c.id), w.instanceMoved)
			touched.instances.add(lift.InstanceID(c.id))
			if i := f.instances[lift.InstanceID(c.id)]; old == nil && i != nil {
				touched.grown.add(i.FleetID)
			}
		case store.Processes.Kind.Name:
			take(w, c, f.processes, lift.ProcessID(c.id), w.processMoved)
			touched.processes.add(lift.ProcessID(c.id))
		case store.Sessions.Kind.Name:
			old := f.sessions[lift.GameSessionID(c.id)]
			take(w, c, f.sessions, lift.GameSessionID(c.id), w.sessionMoved)
			touched.sessions.add(lift.GameSessionID(c.id))
			s := cmp.Or(f.sessions[lift.GameSessionID(c.id)], old)
			touched.processes.add(s.ProcessID)
			touched.instances.add(s.InstanceID)
			if old == nil {
				touched.opened.add(s.InstanceID)
			}
		case store.Players.Kind.Name:
			old := f.players[lift.PlayerSessionID(c.id)]
			take(w, c, f.players, lift.PlayerSessionID(c.id), w.playerMoved)
			p := cmp.Or(f.players[lift.PlayerSessionID(c.id)], old)
			f.seat(p, f.players[lift.PlayerSessionID(c.id)] != nil && p.Status.Live())
			touched.sessions.add(p.GameSessionID)
		case store.Placements.Kind.Name:
			take(w, c, f.placements, c.id, w.placementMoved)
			touched.placements.add(c.id)
			if p := f.placements[c.id]; p != nil && p.SessionID != "" {
				touched.sessions.add(p.SessionID)
			}
		case store.Conversations.Kind.Name:
			take(w, c, f.conversations, lift.InstanceID(c.id), w.conversationMoved)
		case store.Effects.Kind.Name:
			take(w, c, f.effects, lift.EffectID(c.id), func(_, now *store.Outbox) {
				if now != nil {
					f.everSent[now.ID] = true
				}
			})
		case store.Queues.Kind.Name:
			var q lift.Queue
			if c.body == nil || json.Unmarshal(c.body, &q) != nil {
				w.fail("queue %s: %s", c.id, c.body)
			} else if !slices.Contains(f.queues, q.Name) {
				f.queues = append(f.queues, q.Name)
			}
		}
	}
	w.together(&touched)
}

// touched lists what a commit may have put out of order.
type touched struct {
	fleets, grown     list[lift.FleetID]
	instances, opened list[lift.InstanceID]
	processes         list[lift.ProcessID]
	sessions          list[lift.GameSessionID]
	placements        list[string]
}

type list[T comparable] []T

func (l *list[T]) add(v T) {
	if !slices.Contains(*l, v) {
		*l = append(*l, v)
	}
}

// take puts a row in the place of what was there, and shows both.
func take[K comparable, T any](w *world, c change, rows map[K]*T, id K, moved func(old, now *T)) {
	old := rows[id]
	var now *T
	if c.body == nil {
		delete(rows, id)
	} else {
		now = new(T)
		if err := json.Unmarshal(c.body, now); err != nil {
			w.fail("%s %s: %v", c.kind, c.id, err)
			return
		}
		rows[id] = now
	}
	if old != nil || now != nil {
		moved(old, now)
	}
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
func (w *world) keptUntil(t time.Time) bool { return t.IsZero() || w.server.clock().Before(t) }
