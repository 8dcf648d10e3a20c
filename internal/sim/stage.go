package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/scenario"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// Play lives through a scenario, in a world without faults unless the options'
// plan names some. At its end everything has to come to rest, as in [Run].
func Play(seed uint64, steps []scenario.Step, o Options) Outcome {
	w := newWorld(seed, func(*rand.Rand) plan { return plan{servers: 1, busy: 2 * time.Minute} }, o)
	defer w.close()
	w.staged = true
	return w.outcome(func() {
		w.begin()
		w.scheduleFaults()
		if err := scenario.Play(steps, newStage(w), restLimit); err != nil && w.err == nil {
			w.fail("%v", err)
		}
		w.endFaults()
		w.endClients()
		w.goOn(func() bool { return w.rest })
	})
}

// stage is a world as the cast of a scenario.
type stage struct {
	w      *world
	client *scenario.Client
}

func newStage(w *world) *stage {
	creds := auth.Credentials{AccessKeyID: "AKIASIM", SecretAccessKey: "secret"}
	s := &stage{w: w}
	s.client = &scenario.Client{URL: "http://sim", Region: region, Credentials: creds, HTTP: &door{w, creds}, Now: s.Now, Sleep: s.Sleep}
	return s
}

func (s *stage) Now() time.Time { return s.w.now }

func (s *stage) Sleep(d time.Duration) { s.until(d, func() bool { return false }) }

// until lets the world go on until it is enough, for so long at most.
func (s *stage) until(limit time.Duration, enough func() bool) bool {
	w, late := s.w, false
	w.after(limit, func() { late = true })
	w.goOn(func() bool { return late || enough() })
	return enough()
}

func (s *stage) Do(op string, in map[string]any) (any, error) {
	w := s.w
	if w.err != nil {
		return nil, w.err
	}
	text := func(name string) string { return fmt.Sprint(in[name]) }
	w.note("scenario", "%s", op)
	switch op {
	case "UploadBuild":
		return map[string]any{"BuildId": "build-1"}, nil
	case "PlayerJoins":
		return nil, s.join(lift.PlayerSessionID(text("PlayerSessionId")))
	case "PlayerLeaves":
		return nil, s.leave(lift.PlayerSessionID(text("PlayerSessionId")))
	case "GameServerDies":
		g := s.w.hostOf(lift.GameSessionID(text("GameSessionId")))
		if g == nil {
			return nil, fmt.Errorf("no game server hosts %s", text("GameSessionId"))
		}
		g.exit(1)
		return nil, nil
	case "ServiceDies":
		for _, one := range w.servers {
			one.crash()
		}
		if !s.until(restLimit, func() bool { return !slices.ContainsFunc(w.servers, func(s *server) bool { return !s.up && !s.away }) }) {
			return nil, errors.New("the service does not start again")
		}
		return nil, nil
	}
	return s.client.Call(op, in)
}

// lingers is how long a game server waits for others when all players left.
const lingers = 3 * time.Second

func (s *stage) join(id lift.PlayerSessionID) error {
	var g *game
	if p := s.w.facts.players[id]; p != nil {
		g = s.w.hostOf(p.GameSessionID)
	}
	if g == nil {
		return fmt.Errorf("no game server waits for %s", id)
	}
	was := len(g.denied)
	g.join(id)
	s.until(restLimit, func() bool { return len(g.denied) > was || slices.Contains(g.players, id) })
	switch {
	case len(g.denied) > was:
		return &scenario.Refusal{Code: "Denied", Message: "the game server turned the player away"}
	case !slices.Contains(g.players, id):
		return fmt.Errorf("the game server does not answer %s", id)
	}
	return nil
}

func (s *stage) leave(id lift.PlayerSessionID) error {
	for _, i := range s.w.order {
		for _, p := range sortedKeys(i.games) {
			if g := i.games[p]; slices.Contains(g.players, id) {
				g.leave(id)
				s.w.after(lingers, func() {
					if len(g.players) == 0 {
						g.finish()
					}
				})
				return nil
			}
		}
	}
	return fmt.Errorf("%s is in no game", id)
}

// door is the way to the service for clients of a scenario: what package wire
// does with a signed request, whichever life of the service there is.
type door struct {
	w     *world
	creds auth.Credentials
}

func (d *door) RoundTrip(r *http.Request) (*http.Response, error) {
	s := d.w.anyServer()
	if s == nil {
		return nil, errors.New("the service is away")
	}
	key := auth.Key{AccessKeyID: d.creds.AccessKeyID, Secret: d.creds.SecretAccessKey, Account: account, Principal: "arn:aws:iam::" + account + ":user/sim", Policy: auth.Everything()}
	answer := httptest.NewRecorder()
	wire.NewHandler(wire.Options{
		Service: s.ops, Verifier: &auth.Verifier{Keys: auth.Keys{key.AccessKeyID: key}}, Now: func() time.Time { return d.w.now },
	}).ServeHTTP(answer, r)
	if s.store.dying {
		s.crash()
		return nil, errors.New("the service ended before it answered")
	}
	s.after()
	return answer.Result(), nil
}
