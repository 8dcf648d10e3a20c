package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// How long finished things are remembered.
const (
	keepProcesses = time.Hour // for logs and "why"
	KeepFleets    = time.Hour // behaviour 2.1: a terminated fleet's events stay readable
	keepEvents    = 30 * 24 * time.Hour
	keepServers   = time.Hour // after the last word of one of several servers
)

// Outbox is a saved effect that its receiver has not confirmed.
type Outbox struct {
	lift.Effect
	SentAt  time.Time
	RetryAt time.Time // for the host; agents are told again when they connect
}

// Server is one of several that work on one database.
type Server struct {
	ID     string
	Host   string    `json:",omitempty"` // the name of its host; "" for none
	BeatAt time.Time // when it was last there
}

// DeadLetter is an event that a sink did not take.
type DeadLetter struct {
	ID        lift.EffectID
	Sink      string
	Account   string
	Region    string
	Type      string // of the event
	Publish   lift.Publish
	FailedAt  time.Time
	Attempts  int
	Reason    string // of the last failure
	KeepUntil time.Time
}

// Conversation is what the service remembers of its talk with one agent.
type Conversation struct {
	InstanceID lift.InstanceID
	LastEvent  uint64          // the number of the last event handled
	Server     string          `json:",omitempty"` // the server it last connected to, of several
	Replies    []NumberedReply `json:",omitempty"`
}

// NumberedReply is the outcome of the event with that number. It is kept until
// the agent says that it has it.
type NumberedReply struct {
	Event uint64
	Reply lift.Reply
}

// Answer is what a call made, kept for its retries.
type Answer struct {
	Call      string // auth.Caller.CallID
	Result    json.RawMessage
	KeepUntil time.Time
}

// Secret is something random that must survive a restart.
type Secret struct {
	Name  string
	Value []byte
}

// The tables. An index value begins with what is searched for and ends with
// what the results are ordered by.
var (
	// Builds: those that are deleted and whose files may still be there are
	// found by "deleted"; those whose files arrived and are being checked by
	// "received".
	Builds = &Table[lift.Build]{
		Kind: Kind{Name: "build", Indexes: []string{"region", "received", "deleted"}}, noun: "build",
		id: func(b *lift.Build) string { return string(b.ID) },
		keys: func(b *lift.Build) map[string]string {
			if b.Deleted {
				return map[string]string{"deleted": "yes"}
			}
			k := map[string]string{"region": b.Region + "/"}
			if b.Status == lift.BuildInitialized && !b.ReceivedAt.IsZero() {
				k["received"] = "yes"
			}
			return k
		},
		due: func(b *lift.Build) time.Time {
			if b.Status == lift.BuildInitialized && !b.Deleted {
				return b.UploadBy
			}
			return time.Time{}
		},
	}

	Scripts = &Table[lift.Script]{
		Kind: Kind{Name: "script", Indexes: []string{"region"}}, noun: "script",
		id:   func(s *lift.Script) string { return string(s.ID) },
		keys: func(s *lift.Script) map[string]string { return map[string]string{"region": s.Region + "/"} },
	}

	Aliases = &Table[lift.Alias]{
		Kind: Kind{Name: "alias", Indexes: []string{"region"}}, noun: "alias",
		id:   func(a *lift.Alias) string { return string(a.ID) },
		keys: func(a *lift.Alias) map[string]string { return map[string]string{"region": a.Region + "/"} },
	}

	Locations = &Table[lift.Location]{
		Kind: Kind{Name: "location"}, noun: "location",
		id: func(l *lift.Location) string { return InRegion(l.Region, l.Name) },
	}

	// Fleets are found by region and, while they may still need its files, by
	// build.
	Fleets = &Table[lift.Fleet]{
		Kind: Kind{Name: "fleet", Indexes: []string{"region", "build"}}, noun: "fleet",
		id: func(f *lift.Fleet) string { return string(f.ID) },
		keys: func(f *lift.Fleet) map[string]string {
			if f.Status == lift.FleetTerminated {
				return nil
			}
			return map[string]string{"region": f.Region + "/", "build": string(f.BuildID)}
		},
		due: func(f *lift.Fleet) time.Time {
			if f.Status == lift.FleetTerminated && f.LookAt.IsZero() {
				return f.TerminatedAt.Add(KeepFleets)
			}
			return f.LookAt
		},
	}

	// Scalings: one for each fleet that has had scaling policies.
	Scalings = &Table[lift.Scaling]{
		Kind: Kind{Name: "scaling"}, noun: "scaling of fleet",
		id:  func(s *lift.Scaling) string { return string(s.FleetID) },
		due: func(s *lift.Scaling) time.Time { return s.SampleAt },
	}

	PeeringAuthorizations = &Table[lift.PeeringAuthorization]{
		Kind: Kind{Name: "peeringauthorization"}, noun: "peering authorization",
		id: func(a *lift.PeeringAuthorization) string {
			return PeeringAuthorizationKey(a.Region, a.PeerAccount, a.PeerNetwork, a.FleetOwner)
		},
		due: func(a *lift.PeeringAuthorization) time.Time { return a.ExpiresAt },
	}

	Peerings = &Table[lift.Peering]{
		Kind: Kind{Name: "peering", Indexes: []string{"fleet"}}, noun: "peering connection",
		id: func(p *lift.Peering) string { return string(p.ID) },
		keys: func(p *lift.Peering) map[string]string {
			return map[string]string{"fleet": p.Region + "/" + string(p.FleetID) + "/"}
		},
		due: func(p *lift.Peering) time.Time {
			if p.Status == lift.PeeringInitiating {
				return p.CreatedAt
			}
			return time.Time{}
		},
	}

	GameServerGroups = &Table[lift.GameServerGroup]{
		Kind: Kind{Name: "gameservergroup"}, noun: "game server group",
		id:  func(g *lift.GameServerGroup) string { return InRegion(g.Region, g.Name) },
		due: func(g *lift.GameServerGroup) time.Time { return g.LookAt },
	}

	// GameServers: "group" lists those of a group by the time of registration;
	// "free" those that can be claimed, the one that was registered first first.
	GameServers = &Table[lift.GameServer]{
		Kind: Kind{Name: "gameserver", Indexes: []string{"group", "free"}}, noun: "game server",
		id: func(s *lift.GameServer) string { return InRegion(s.Region, s.ID) },
		keys: func(s *lift.GameServer) map[string]string {
			place := InRegion(s.Region, s.Group) + "/" + stamp(s.RegisteredAt)
			k := map[string]string{"group": place}
			if !s.Utilized && s.ClaimedUntil.IsZero() {
				k["free"] = place
			}
			return k
		},
		due: func(s *lift.GameServer) time.Time {
			if !s.ClaimedUntil.IsZero() && s.ClaimedUntil.Before(s.LookAt) {
				return s.ClaimedUntil
			}
			return s.LookAt
		},
	}

	// Instances that are gone are found by id only.
	Instances = &Table[lift.Instance]{
		Kind: Kind{Name: "instance", Indexes: []string{"fleet"}}, noun: "instance",
		id: func(i *lift.Instance) string { return string(i.ID) },
		keys: func(i *lift.Instance) map[string]string {
			if i.Status == lift.InstanceTerminated {
				return nil
			}
			return map[string]string{"fleet": string(i.FleetID) + "/"}
		},
		due: func(i *lift.Instance) time.Time {
			switch i.Status {
			case lift.InstanceTerminating:
				return i.StopBy
			case lift.InstanceTerminated:
				return i.EndedAt.Add(KeepFleets)
			}
			return time.Time{}
		},
	}

	// Processes: "idle" lists those that can take a game session, the oldest
	// instance first; "fleet" all that live.
	Processes = &Table[lift.Process]{
		Kind: Kind{Name: "process", Indexes: []string{"idle", "fleet", "instance"}}, noun: "process",
		id: func(p *lift.Process) string { return string(p.ID) },
		keys: func(p *lift.Process) map[string]string {
			if p.State == lift.ProcessGone {
				return nil
			}
			k := map[string]string{"fleet": string(p.FleetID) + "/", "instance": string(p.InstanceID) + "/"}
			if p.State == lift.ProcessIdle && !p.Unhealthy {
				k["idle"] = string(p.FleetID) + "/" + string(p.InstanceID)
			}
			return k
		},
		due: func(p *lift.Process) time.Time {
			if p.State == lift.ProcessGone {
				return p.EndedAt.Add(keepProcesses)
			}
			return time.Time{}
		},
	}

	// Sessions are ordered by creation within their fleet; "live" lists those
	// that hold a process.
	Sessions = &Table[lift.GameSession]{
		Kind: Kind{Name: "session", Indexes: []string{"fleet", "live"}}, noun: "game session",
		id: func(s *lift.GameSession) string { return string(s.ID) },
		keys: func(s *lift.GameSession) map[string]string {
			k := map[string]string{"fleet": string(s.FleetID) + "/" + stamp(s.CreatedAt)}
			if s.Status.Live() {
				k["live"] = string(s.FleetID) + "/" + string(s.Status)
			}
			return k
		},
		due: func(s *lift.GameSession) time.Time {
			switch {
			case s.Status == lift.SessionActivating:
				return s.ActivateBy
			case s.Status.Live():
				return time.Time{}
			}
			return s.KeepUntil
		},
	}

	// Players: "live" lists those that hold a slot of a session.
	Players = &Table[lift.PlayerSession]{
		Kind: Kind{Name: "player", Indexes: []string{"session", "live", "player"}}, noun: "player session",
		id: func(p *lift.PlayerSession) string { return string(p.ID) },
		keys: func(p *lift.PlayerSession) map[string]string {
			k := map[string]string{
				"session": string(p.GameSessionID) + "/",
				"player":  PlayerKey(p.Region, p.PlayerID),
			}
			if p.Status.Live() {
				k["live"] = string(p.GameSessionID) + "/"
			}
			return k
		},
		due: func(p *lift.PlayerSession) time.Time {
			switch p.Status {
			case lift.PlayerReserved:
				return p.ReservedUntil
			case lift.PlayerActive:
				return time.Time{}
			}
			return p.KeepUntil
		},
	}

	Creators = &Table[lift.Creator]{
		Kind: Kind{Name: "creator"}, noun: "creator",
		id:  func(c *lift.Creator) string { return CreatorKey(c.FleetID, c.CreatorID) },
		due: func(c *lift.Creator) time.Time { return c.KeepUntil },
	}

	Queues = &Table[lift.Queue]{
		Kind: Kind{Name: "queue"}, noun: "game session queue",
		id: func(q *lift.Queue) string { return InRegion(q.Region, q.Name) },
	}

	// Placements: "waiting" lists those that look for a place, the oldest
	// first in each queue.
	Placements = &Table[lift.Placement]{
		Kind: Kind{Name: "placement", Indexes: []string{"waiting"}}, noun: "game session placement",
		id: func(p *lift.Placement) string { return InRegion(p.Region, string(p.ID)) },
		keys: func(p *lift.Placement) map[string]string {
			if p.Status != lift.PlacementPending || p.SessionID != "" || p.Attempts == 0 {
				return nil
			}
			return map[string]string{"waiting": InRegion(p.Region, p.Queue) + "/" + stamp(p.StartedAt)}
		},
		due: func(p *lift.Placement) time.Time {
			switch {
			case p.Status != lift.PlacementPending:
				return p.KeepUntil
			case !p.TryAt.IsZero() && p.TryAt.Before(p.Deadline):
				return p.TryAt
			}
			return p.Deadline
		},
	}

	RuleSets = &Table[lift.RuleSet]{
		Kind: Kind{Name: "ruleset"}, noun: "matchmaking rule set",
		id: func(r *lift.RuleSet) string { return InRegion(r.Region, r.Name) },
	}

	// Configurations: "ruleset" lists those that use a rule set.
	Configurations = &Table[lift.MatchmakingConfiguration]{
		Kind: Kind{Name: "configuration", Indexes: []string{"ruleset"}}, noun: "matchmaking configuration",
		id: func(m *lift.MatchmakingConfiguration) string { return InRegion(m.Region, m.Name) },
		keys: func(m *lift.MatchmakingConfiguration) map[string]string {
			return map[string]string{"ruleset": InRegion(m.Region, m.RuleSet) + "/"}
		},
	}

	// Tickets: "live" lists those that are not done, "arriving" those that wait
	// for their matcher, the oldest first in each configuration.
	Tickets = &Table[lift.Ticket]{
		Kind: Kind{Name: "ticket", Indexes: []string{"live", "arriving"}}, noun: "matchmaking ticket",
		id: func(t *lift.Ticket) string { return InRegion(t.Region, string(t.ID)) },
		keys: func(t *lift.Ticket) map[string]string {
			if !t.Status.Live() {
				return nil
			}
			place := InRegion(t.Region, t.Configuration) + "/" + stamp(t.StartedAt)
			k := map[string]string{"live": place}
			if t.Arriving {
				k["arriving"] = place
			}
			return k
		},
		due: func(t *lift.Ticket) time.Time {
			switch t.Status {
			case lift.TicketQueued, lift.TicketSearching:
				return t.Deadline
			case lift.TicketRequiresAcceptance, lift.TicketPlacing:
				return time.Time{} // held back (flexmatch 10.1)
			}
			return t.KeepUntil
		},
	}

	Seekers = &Table[lift.Seeker]{
		Kind: Kind{Name: "seeker"}, noun: "player in matchmaking",
		id: func(s *lift.Seeker) string { return PlayerKey(s.Region, s.PlayerID) },
	}

	Waits = &Table[lift.RecentWaits]{
		Kind: Kind{Name: "waits"}, noun: "recent waits",
		id: func(w *lift.RecentWaits) string { return InRegion(w.Region, w.Configuration) },
	}

	Matches = &Table[lift.Match]{
		Kind: Kind{Name: "match"}, noun: "match",
		id: func(m *lift.Match) string { return InRegion(m.Region, string(m.ID)) },
		due: func(m *lift.Match) time.Time {
			if m.Status == lift.MatchProposed {
				return m.AnswerBy
			}
			return time.Time{}
		},
	}

	Events = &Table[lift.FleetEvent]{
		Kind: Kind{Name: "event", Indexes: []string{"fleet"}}, noun: "event",
		id: func(e *lift.FleetEvent) string { return string(e.ID) },
		keys: func(e *lift.FleetEvent) map[string]string {
			return map[string]string{"fleet": string(e.FleetID) + "/" + stamp(e.At)}
		},
		due: func(e *lift.FleetEvent) time.Time { return e.At.Add(keepEvents) },
	}

	// Effects are listed by receiver; those for a sink in the order of their
	// events.
	Effects = &Table[Outbox]{
		Kind: Kind{Name: "effect", Indexes: []string{"to"}}, noun: "effect",
		id: func(o *Outbox) string { return string(o.ID) },
		keys: func(o *Outbox) map[string]string {
			to := string(o.To) + "/"
			if o.Publish != nil {
				to += stamp(o.Publish.At)
			}
			return map[string]string{"to": to}
		},
		due: func(o *Outbox) time.Time { return o.RetryAt },
	}

	// DeadLetters are listed by sink, the oldest first.
	DeadLetters = &Table[DeadLetter]{
		Kind: Kind{Name: "deadletter", Indexes: []string{"sink"}}, noun: "dead letter",
		id: func(d *DeadLetter) string { return string(d.ID) },
		keys: func(d *DeadLetter) map[string]string {
			return map[string]string{"sink": d.Sink + "/" + stamp(d.FailedAt)}
		},
		due: func(d *DeadLetter) time.Time { return d.KeepUntil },
	}

	Conversations = &Table[Conversation]{
		Kind: Kind{Name: "conversation"}, noun: "conversation",
		id: func(c *Conversation) string { return string(c.InstanceID) },
	}

	// Keys are found by account, the oldest first.
	Keys = &Table[lift.AccessKey]{
		Kind: Kind{Name: "key", Indexes: []string{"account"}}, noun: "access key",
		id: func(k *lift.AccessKey) string { return k.ID },
		keys: func(k *lift.AccessKey) map[string]string {
			return map[string]string{"account": k.Account + "/" + stamp(k.CreatedAt)}
		},
		due: func(k *lift.AccessKey) time.Time { return k.KeepUntil },
	}

	Answers = &Table[Answer]{
		Kind: Kind{Name: "answer"}, noun: "answer",
		id:  func(a *Answer) string { return a.Call },
		due: func(a *Answer) time.Time { return a.KeepUntil },
	}

	Servers = &Table[Server]{
		Kind: Kind{Name: "server"}, noun: "server",
		id:  func(s *Server) string { return s.ID },
		due: func(s *Server) time.Time { return s.BeatAt.Add(keepServers) },
	}

	Leases = &Table[Lease]{
		Kind: Kind{Name: "lease"}, noun: "lease",
		id: func(l *Lease) string { return l.Name },
	}

	Secrets = &Table[Secret]{
		Kind: Kind{Name: "secret"}, noun: "secret",
		id: func(s *Secret) string { return s.Name },
	}
)

// Kinds lists every kind, for those who open a store.
func Kinds() []Kind {
	return []Kind{
		Builds.declared(), Scripts.declared(), Aliases.declared(), Locations.declared(), Fleets.declared(), Scalings.declared(),
		PeeringAuthorizations.declared(), Peerings.declared(), GameServerGroups.declared(), GameServers.declared(), Instances.declared(),
		Processes.declared(), Sessions.declared(), Players.declared(), Creators.declared(), Queues.declared(), Placements.declared(),
		RuleSets.declared(), Configurations.declared(), Tickets.declared(), Seekers.declared(), Waits.declared(), Matches.declared(),
		Events.declared(), Effects.declared(), DeadLetters.declared(), Conversations.declared(), Keys.declared(), Answers.declared(),
		Secrets.declared(), Servers.declared(), Leases.declared(),
	}
}

// InRegion is the id of things that callers name themselves: unique in their
// region only.
func InRegion(region, name string) string { return region + "/" + name }

// TicketKey is the id of a ticket.
func TicketKey(t *lift.Ticket) string { return InRegion(t.Region, string(t.ID)) }

// PeeringAuthorizationKey is the id of a PeeringAuthorization.
func PeeringAuthorizationKey(region, peer, network, owner string) string {
	return strings.Join([]string{region, bounded(peer), bounded(network), bounded(owner)}, "/")
}

// CreatorKey is the id of a Creator.
func CreatorKey(f lift.FleetID, creator string) string { return string(f) + "/" + bounded(creator) }

// PlayerKey is the value of a player in the index "player". It ends with a
// character that hardly occurs in a player id, which may be any text; readers
// still compare.
func PlayerKey(region, player string) string { return region + "/" + bounded(player) + "\x1f" }

// bounded makes a caller's own text of up to 1,024 characters fit to be part of
// a key: it is itself, or its digest if it is long or holds what keys cannot.
func bounded(s string) string {
	const longest = 256
	if len(s) <= longest && !strings.ContainsRune(s, 0) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// FleetEventsFrom is the cursor in the index "fleet" of Events before the first
// event of f at or after t.
func FleetEventsFrom(f lift.FleetID, t time.Time) Cursor {
	return Cursor{Value: string(f) + "/" + stamp(t)}
}

// stamp writes a time so that texts sort as times do.
func stamp(t time.Time) string { return t.UTC().Format("20060102T150405.000000") }
