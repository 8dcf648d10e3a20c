// Package ops gives the operations of the API their meaning: one method for
// each, one file for each resource.
//
// A method checks what crosses fields, runs one transaction of the engine and
// shapes the answer. What a single field may hold was checked before, by the
// checks generated from the model. Failures that a caller can act upon are
// *lift.Error; package ops knows nothing of how they, or the shapes, look on
// the wire, and holds no socket, goroutine or clock.
//
//	service, err := ops.New(ctx, ops.Options{Engine: e, Files: files, Credentials: temporary})
//	out, err := service.CreateFleet(auth.WithCaller(ctx, caller), &api.CreateFleetInput{…})
//
// The region of the caller's signature is the namespace: what belongs to
// another region is not found. Ids and ARNs are accepted alike.
package ops

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Options are what a Service is made of. Engine, Files and Credentials are
// required.
type Options struct {
	Engine      *engine.Engine
	Files       blob.Store // builds, scripts, and what callers keep in buckets of their own
	Credentials Minter
	Keys        Keyring // nil: no access keys can be made
	Logs        Logs    // what instances wrote; nil: nothing is kept
	// LogURL makes a link to a stored log that works for LogLinkLifetime without
	// a signature of its reader's; nil makes none.
	LogURL func(c auth.Caller, log string) string
	// Listens reports whether events published to a topic go anywhere; nil: they
	// do. Where they do not, the log says so to who names the topic.
	Listens func(topic string) bool
	// Rules default to Standard.
	Rules Rules
	// Region and Account stand in for those that a caller lacks.
	Region  string // default us-west-2
	Account string // default 000000000000
	Log     *slog.Logger
}

// Minter makes temporary credentials; *auth.Temporary is one.
type Minter interface {
	Mint(auth.Grant) auth.Credentials
}

// Keyring keeps the secrets of access keys; *auth.Keyring is one.
type Keyring interface {
	Seal(id, secret string) []byte
	Unseal(id string, sealed []byte) (string, error)
	Forget(id string)
}

// Service implements api.Service. It is safe for use by many goroutines.
type Service struct {
	api.Unimplemented // answers what is not built yet
	o                 Options
	engine            *engine.Engine
	rules             Rules
	seal              []byte // signs page tokens
	log               *slog.Logger
}

// New makes a Service. It reads the secret that signs page tokens, and makes it
// at the first start.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Rules == (Rules{}) {
		o.Rules = Standard
	}
	o.Region = cmp.Or(o.Region, "us-west-2")
	o.Account = cmp.Or(o.Account, "000000000000")
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	s := &Service{o: o, engine: o.Engine, rules: o.Rules, log: o.Log}
	err := s.engine.Update(ctx, func(tx *engine.Tx) error {
		const name = "page-tokens"
		kept, ok, err := store.Secrets.Get(tx, name)
		if err != nil {
			return err
		}
		if ok {
			s.seal = kept.Value
			return nil
		}
		s.seal = []byte(rand.Text())
		return store.Secrets.Put(tx, &store.Secret{Name: name, Value: s.seal})
	})
	if err != nil {
		return nil, fmt.Errorf("reading the secret of page tokens: %w", err)
	}
	return s, nil
}

// read runs f over a snapshot and returns what f returned.
func read[T any](ctx context.Context, s *Service, f func(store.Tx) (T, error)) (T, error) {
	var out T
	err := s.engine.View(ctx, func(tx store.Tx) (err error) {
		out, err = f(tx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// change runs f in a transaction and returns what f returned.
func change[T any](ctx context.Context, s *Service, f func(*engine.Tx) (T, error)) (T, error) {
	var out T
	err := s.engine.Update(ctx, func(tx *engine.Tx) (err error) {
		out, err = f(tx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// caller is who asks, and finds what that caller may see.
type caller struct{ auth.Caller }

func (s *Service) caller(ctx context.Context) caller {
	c := auth.CallerFrom(ctx)
	c.Region = cmp.Or(c.Region, s.o.Region)
	c.Account = cmp.Or(c.Account, s.o.Account)
	return caller{c}
}

// name returns the id in an ARN of the given type and of the caller's region.
// What is no such ARN comes back whole.
func (c caller) name(idOrARN, typ string) string {
	if parts := strings.SplitN(idOrARN, ":", 6); len(parts) == 6 && parts[0] == "arn" && parts[3] != c.Region {
		return idOrARN
	}
	return lift.Resource(idOrARN, typ)
}

// find returns the document if here says that the caller may see it.
func find[T any](c caller, tx store.Tx, t *store.Table[T], id, given string, here func(*T) bool) (*T, error) {
	v, ok, err := t.Get(tx, id)
	if err != nil {
		return nil, err
	}
	if !ok || !here(v) {
		return nil, lift.Errorf(lift.NotFound, "%s %s not found in region %s", t.Noun(), given, c.Region)
	}
	return v, nil
}

func (c caller) build(tx store.Tx, given string) (*lift.Build, error) {
	return find(c, tx, store.Builds, c.name(given, "build"), given, func(b *lift.Build) bool { return b.Region == c.Region && !b.Deleted })
}

func (c caller) script(tx store.Tx, given string) (*lift.Script, error) {
	return find(c, tx, store.Scripts, c.name(given, "script"), given, func(s *lift.Script) bool { return s.Region == c.Region })
}

func (c caller) alias(tx store.Tx, given string) (*lift.Alias, error) {
	return find(c, tx, store.Aliases, c.name(given, "alias"), given, func(a *lift.Alias) bool { return a.Region == c.Region })
}

func (c caller) location(tx store.Tx, given string) (*lift.Location, error) {
	return find(c, tx, store.Locations, store.InRegion(c.Region, c.name(given, "location")), given, func(*lift.Location) bool { return true })
}

// fleet finds a fleet that is not gone. One that is being deleted is found.
func (c caller) fleet(tx store.Tx, given string) (*lift.Fleet, error) {
	return find(c, tx, store.Fleets, c.name(given, "fleet"), given, func(f *lift.Fleet) bool {
		return f.Region == c.Region && f.Status != lift.FleetTerminated
	})
}

// lateFleet also finds a fleet that is gone, for as long as it is remembered
// (behaviour 2.1).
func (c caller) lateFleet(tx store.Tx, given string) (*lift.Fleet, error) {
	return find(c, tx, store.Fleets, c.name(given, "fleet"), given, func(f *lift.Fleet) bool { return f.Region == c.Region })
}

// session finds a game session by its ARN, which some clients write with an
// account in it (behaviour 0.2).
func (c caller) session(tx store.Tx, given string) (*lift.GameSession, error) {
	return find(c, tx, store.Sessions, string(sessionID(given)), given, func(s *lift.GameSession) bool { return s.Region == c.Region })
}

func sessionID(given string) lift.GameSessionID {
	if parts := strings.SplitN(given, ":", 6); len(parts) == 6 {
		parts[4] = ""
		given = strings.Join(parts, ":")
	}
	return lift.GameSessionID(given)
}

func (c caller) queue(tx store.Tx, given string) (*lift.Queue, error) {
	return find(c, tx, store.Queues, store.InRegion(c.Region, c.name(given, "gamesessionqueue")), given, func(*lift.Queue) bool { return true })
}

func (c caller) placement(tx store.Tx, given string) (*lift.Placement, error) {
	return find(c, tx, store.Placements, store.InRegion(c.Region, given), given, func(*lift.Placement) bool { return true })
}

func (c caller) ruleSet(tx store.Tx, given string) (*lift.RuleSet, error) {
	return find(c, tx, store.RuleSets, store.InRegion(c.Region, c.name(given, "matchmakingruleset")), given, func(*lift.RuleSet) bool { return true })
}

func (c caller) configuration(tx store.Tx, given string) (*lift.MatchmakingConfiguration, error) {
	return find(c, tx, store.Configurations, store.InRegion(c.Region, c.name(given, "matchmakingconfiguration")), given, func(*lift.MatchmakingConfiguration) bool { return true })
}

// home refuses a location that a fleet does not have. Fleets have one, their
// home region.
func home(f *lift.Fleet, location *string) error {
	if location == nil || *location == f.Region {
		return nil
	}
	return lift.Errorf(lift.NotFound, "fleet %s has no location %s, only its home region %s", f.ID, *location, f.Region)
}

// invalid is the error for a request that cannot be meant so.
func invalid(format string, args ...any) error {
	return lift.Errorf(lift.InvalidRequest, format, args...)
}

// opt is an optional text of an answer: absent rather than empty.
func opt[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	return new(string(s))
}

// or is an optional member of a request with what holds when it is absent.
func or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// expires is a time a while after the engine's now.
func (s *Service) expires(d time.Duration) time.Time { return s.engine.Now().Add(d) }
