package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/cli"
	"github.com/chairlift-games/chairlift/internal/engine/matcher"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// TestScenarios plays the matchmaker's scenarios through the signed API of a
// service: after every second the tickets are as `chairlift flexmatch replay`
// says, who is matched with whom and in which teams. The pools are made anew
// each second, as after a restart, which may change nothing either.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../match/testdata/vectors/D*.json")
	if err != nil || len(files) < 19 {
		t.Fatalf("%d scenarios found, %v", len(files), err)
	}
	h := newScenarioHouse(t)
	for i, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			var s scenario
			text, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(text, &s)
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Kind == "validation" {
				h.validate(t, s)
				return
			}
			// A region of its own: scenarios share the names of players.
			h.play(t, s, replay(t, file), fmt.Sprintf("us-west-%d", i+10))
		})
	}
}

// scenario is what the test needs of a scenario file.
type scenario struct {
	Kind            string
	RuleSet         json.RawMessage
	RuleSetBody     string
	Configuration   api.CreateMatchmakingConfigurationInput
	Tickets         []scenarioTicket
	Actions         []scenarioAction
	RunUntilSeconds int
	Cases           []scenario
	Valid           bool
	Name, Why       string
}

type scenarioTicket struct {
	ID            string `json:"ticketId"`
	ArriveSeconds int
	Kind          string
	Players       []api.Player
}

type scenarioAction struct {
	AtSeconds    int
	Type, Ticket string
	Players      []string
}

func (s *scenario) body() string {
	if s.RuleSetBody != "" || len(s.RuleSet) == 0 {
		return s.RuleSetBody
	}
	return string(s.RuleSet)
}

// view is what is known of tickets at the end of a second: by ticket its
// status, the other tickets of its match, and its players' teams.
type view map[string]string

// replay returns the views by second that the replay command tells.
func replay(t *testing.T, file string) map[int]view {
	t.Helper()
	var out bytes.Buffer
	if err := (&cli.FlexmatchReplayCmd{Files: []string{file}, Format: "json"}).Run(&cli.World{Out: &out}); err != nil {
		t.Fatal(err)
	}
	views, now := map[int]view{}, view{}
	matched := map[string]string{}
	for line := range strings.Lines(out.String()) {
		var l struct {
			T                      int
			Kind, TicketID, Status string
			Tickets                json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		switch l.Kind {
		case "status":
			now[l.TicketID] = l.Status
		case "match":
			var tickets []struct {
				TicketID string
				Players  []struct{ PlayerID, Team string }
			}
			if err := json.Unmarshal(l.Tickets, &tickets); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, tk := range tickets {
				ids = append(ids, tk.TicketID)
			}
			slices.Sort(ids)
			for _, tk := range tickets {
				text := " " + strings.Join(ids, "+")
				slices.SortFunc(tk.Players, func(a, b struct{ PlayerID, Team string }) int { return cmp.Compare(a.PlayerID, b.PlayerID) })
				for _, p := range tk.Players {
					text += " " + p.PlayerID + ":" + p.Team
				}
				matched[tk.TicketID] = text
			}
		default:
			continue
		}
		shown := view{}
		for id, status := range now {
			shown[id] = status
			if status == "COMPLETED" {
				shown[id] += matched[id]
			}
		}
		views[l.T] = shown
	}
	return views
}

// scenarioHouse is a service whose clock the test moves. Nothing in it turns by
// itself.
type scenarioHouse struct {
	s     *Server
	creds auth.Credentials
	at    atomic.Int64 // microseconds since start
	start time.Time
}

func newScenarioHouse(t *testing.T) *scenarioHouse {
	h := &scenarioHouse{start: time.Now().Truncate(time.Second)}
	dir := t.TempDir()
	var err error
	h.s, err = Open(t.Context(), Options{Addr: "127.0.0.1:0", Data: dir, now: func() time.Time {
		return h.start.Add(time.Duration(h.at.Load()) * time.Microsecond)
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.s.serve(ctx, h.s.listen, h.s.front) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.s.Close()
	})
	if h.creds, err = auth.ReadCredentials(filepath.Join(dir, "credentials")); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *scenarioHouse) client(region string) *api.Client {
	return &api.Client{Invoker: &wire.Client{URL: h.s.URL(), Region: region, Credentials: h.creds}}
}

func (h *scenarioHouse) validate(t *testing.T, s scenario) {
	gl := h.client("us-west-2")
	for _, c := range s.Cases {
		_, err := gl.ValidateMatchmakingRuleSet(t.Context(), &api.ValidateMatchmakingRuleSetInput{RuleSetBody: c.body()})
		if (err == nil) != c.Valid {
			t.Errorf("%s (%s): %v", c.Name, c.Why, err)
		}
	}
}

func (h *scenarioHouse) play(t *testing.T, s scenario, want map[int]view, region string) {
	ctx, gl := t.Context(), h.client(region)
	if _, err := gl.CreateMatchmakingRuleSet(ctx, &api.CreateMatchmakingRuleSetInput{Name: "r", RuleSetBody: s.body()}); err != nil {
		t.Fatal(err)
	}
	in := s.Configuration
	in.Name, in.RuleSetName, in.FlexMatchMode = "m", "r", new("STANDALONE")
	if _, err := gl.CreateMatchmakingConfiguration(ctx, &in); err != nil {
		t.Fatal(err)
	}
	began := h.at.Load()/1e6 + 1
	var known []string
	for second := range s.RunUntilSeconds + 1 {
		// Within a second: what arrives and happens in its first 400 µs, a match
		// at 500, and what is due at 900, before the rest.
		at := func(micro int) { h.at.Store((began+int64(second))*1e6 + int64(micro)) }
		at(900)
		if _, err := h.s.engine.Turn(ctx, h.s.engine.Now()); err != nil {
			t.Fatal(err)
		}
		micro := 0
		for _, tk := range s.Tickets {
			if tk.ArriveSeconds == second {
				at(micro)
				micro++
				if err := submit(ctx, gl, tk); err != nil {
					t.Errorf("ticket %s: %v", tk.ID, err)
				}
				known = append(known, tk.ID)
			}
		}
		at(400)
		for _, a := range s.Actions {
			if a.AtSeconds == second {
				if err := act(ctx, gl, s, a); err != nil {
					t.Errorf("%s %s: %v", a.Type, a.Ticket, err)
				}
			}
		}
		at(500)
		if err := matcher.New(h.s.engine, slog.New(slog.DiscardHandler)).Round(ctx); err != nil {
			t.Fatal(err)
		}
		expected, changed := want[second]
		if !changed && second < s.RunUntilSeconds {
			continue
		}
		if !changed { // as it was
			expected = want[slices.Max(slices.Collect(maps.Keys(want)))]
		}
		got := h.view(t, gl, region, known)
		for _, id := range slices.Sorted(maps.Keys(expected)) {
			if got[id] != expected[id] {
				t.Errorf("second %d: ticket %s is %s, replay says %s", second, id, got[id], expected[id])
			}
		}
		if t.Failed() {
			return
		}
	}
}

func submit(ctx context.Context, gl *api.Client, tk scenarioTicket) (err error) {
	if tk.Kind == "backfill" {
		_, err = gl.StartMatchBackfill(ctx, &api.StartMatchBackfillInput{TicketId: &tk.ID, ConfigurationName: "m", Players: tk.Players})
	} else {
		_, err = gl.StartMatchmaking(ctx, &api.StartMatchmakingInput{TicketId: &tk.ID, ConfigurationName: "m", Players: tk.Players})
	}
	return err
}

func act(ctx context.Context, gl *api.Client, s scenario, a scenarioAction) error {
	if a.Type == "stop" {
		_, err := gl.StopMatchmaking(ctx, &api.StopMatchmakingInput{TicketId: a.Ticket})
		return err
	}
	for _, tk := range s.Tickets {
		for _, p := range tk.Players {
			if tk.ID == a.Ticket && a.Players == nil {
				a.Players = append(a.Players, *p.PlayerId)
			}
		}
	}
	_, err := gl.AcceptMatch(ctx, &api.AcceptMatchInput{TicketId: a.Ticket, PlayerIds: a.Players, AcceptanceType: strings.ToUpper(a.Type)})
	return err
}

// view asks the API for all tickets. Which of them share a match the API does
// not tell, so that comes from the store.
func (h *scenarioHouse) view(t *testing.T, gl *api.Client, region string, ids []string) view {
	t.Helper()
	out, matches, of := view{}, map[string][]string{}, map[string]string{}
	err := h.s.engine.View(t.Context(), func(tx store.Tx) error {
		for _, id := range ids {
			tk, err := store.Tickets.Find(tx, store.InRegion(region, id))
			if err != nil {
				return err
			}
			of[id] = string(tk.Match)
			matches[of[id]] = append(matches[of[id]], id)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for some := range slices.Chunk(ids, 10) {
		d, err := gl.DescribeMatchmaking(t.Context(), &api.DescribeMatchmakingInput{TicketIds: some})
		if err != nil {
			t.Fatal(err)
		}
		for _, tk := range d.TicketList {
			id := *tk.TicketId
			out[id] = *tk.Status
			if *tk.Status != "COMPLETED" {
				continue
			}
			slices.Sort(matches[of[id]])
			out[id] += " " + strings.Join(matches[of[id]], "+")
			slices.SortFunc(tk.Players, func(a, b api.Player) int { return cmp.Compare(*a.PlayerId, *b.PlayerId) })
			for _, p := range tk.Players {
				out[id] += " " + *p.PlayerId + ":" + *p.Team
			}
		}
	}
	return out
}
