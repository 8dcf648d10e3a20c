package ops

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func (w *world) session(id string) *api.GameSession {
	w.t.Helper()
	return &must(w.DescribeGameSessions(w.ctx, &api.DescribeGameSessionsInput{GameSessionId: &id}))(w.t).GameSessions[0]
}

// A repeated request gets the session it made, in its present state.
func TestIdempotency(t *testing.T) {
	s := newStage(t)
	in := &api.CreateGameSessionInput{FleetId: &s.fleet, MaximumPlayerSessionCount: 4, Name: new("n"), IdempotencyToken: new("once"), GameProperties: []api.GameProperty{{Key: "k", Value: "v"}}}
	first := must(s.CreateGameSession(s.ctx, in))(t).GameSession
	if want := "arn:aws:gamelift:us-west-2::gamesession/" + s.fleet + "/once"; *first.GameSessionId != want {
		t.Errorf("id %s, want %s", *first.GameSessionId, want)
	}
	s.activate(*first.GameSessionId)
	same := map[string]func(*api.CreateGameSessionInput){
		"as it was":         func(*api.CreateGameSessionInput) {},
		"by ARN":            func(in *api.CreateGameSessionInput) { in.FleetId = s.arn(s.fleet) },
		"by alias":          func(in *api.CreateGameSessionInput) { in.FleetId, in.AliasId = nil, &s.alias },
		"by the older name": func(in *api.CreateGameSessionInput) { in.IdempotencyToken, in.GameSessionId = nil, new("once") },
		"by both names":     func(in *api.CreateGameSessionInput) { in.GameSessionId = new("once") },
		"after the fleet ends": func(*api.CreateGameSessionInput) {
			s.edit(s.fleet, func(f *lift.Fleet) { f.Status = lift.FleetDeleting })
		},
	}
	for _, name := range []string{"as it was", "by ARN", "by alias", "by the older name", "by both names", "after the fleet ends"} {
		again := *in
		same[name](&again)
		out, err := s.CreateGameSession(s.ctx, &again)
		if err != nil || *out.GameSession.GameSessionId != *first.GameSessionId || *out.GameSession.Status != "ACTIVE" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*api.CreateGameSessionInput){
		"another count":    func(in *api.CreateGameSessionInput) { in.MaximumPlayerSessionCount = 5 },
		"another name":     func(in *api.CreateGameSessionInput) { in.Name = new("m") },
		"no name":          func(in *api.CreateGameSessionInput) { in.Name = nil },
		"another property": func(in *api.CreateGameSessionInput) { in.GameProperties = []api.GameProperty{{Key: "k", Value: "w"}} },
		"a creator":        func(in *api.CreateGameSessionInput) { in.CreatorId = new("c") },
		"data":             func(in *api.CreateGameSessionInput) { in.GameSessionData = new("d") },
		"a location":       func(in *api.CreateGameSessionInput) { in.Location = new("us-west-2") },
	} {
		again := *in
		change(&again)
		if _, err := s.CreateGameSession(s.ctx, &again); !isKind(err, lift.IdempotentParameterMismatch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// The token is one fleet's.
	other, _ := s.activeFleet()
	again := *in
	again.FleetId = &other
	if out := must(s.CreateGameSession(s.ctx, &again))(t); *out.GameSession.GameSessionId == *first.GameSessionId {
		t.Error("another fleet answered with the same session")
	}
	// It is remembered for 30 days after the end.
	p := s.hostOf(*first.GameSessionId)
	s.tell(p.InstanceID, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: p.ID}})
	s.pass(30*24*time.Hour - time.Second)
	if out := must(s.CreateGameSession(s.ctx, in))(t); *out.GameSession.Status != "TERMINATED" {
		t.Errorf("the session is %s", *out.GameSession.Status)
	}
}

// Many calls at once and fewer processes: each process takes one session, and
// everybody else hears why there was none.
func TestRaceForProcesses(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) { in.RuntimeConfiguration = launching(3) })
	var mu sync.Mutex
	var won []string
	var lost []error
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			out, err := w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				lost = append(lost, err)
				return
			}
			won = append(won, fmt.Sprint(*out.GameSession.Port))
		})
	}
	wg.Wait()
	if len(won) != 3 || won[0] == won[1] || won[1] == won[2] || won[0] == won[2] {
		t.Errorf("sessions on ports %q", won)
	}
	for _, err := range lost {
		refused(t, err, lift.FleetCapacityExceeded, "Unable to reserve a process on fleet "+fleet, "3 hosting a game session")
	}
}

func TestNoProcessSaysWhy(t *testing.T) {
	w := newWorld(t)
	fleet, inst := w.activeFleet(func(in *api.CreateFleetInput) {
		in.RuntimeConfiguration = launching(4)
		in.RuntimeConfiguration.MaxConcurrentGameSessionActivations = new(1)
	})
	in := &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1}
	must(w.CreateGameSession(w.ctx, in))(t)
	w.tell(inst,
		lift.Event{ProcessStarted: &lift.ProcessStarted{ProcessID: "young"}},
		lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: "proc-" + lift.ProcessID(inst) + "-p4", Healthy: false}})
	_, err := w.CreateGameSession(w.ctx, in)
	refused(t, err, lift.FleetCapacityExceeded, "1 hosting", "1 starting", "1 unhealthy", "passed over: 2 × instance is at its limit of activating")
}

// One creator may make so many sessions in so many minutes (behaviour 2.16).
func TestCreatorLimit(t *testing.T) {
	w := newWorld(t)
	fleet, _ := w.activeFleet(func(in *api.CreateFleetInput) {
		in.RuntimeConfiguration = launching(6)
		in.ResourceCreationLimitPolicy = &api.ResourceCreationLimitPolicy{NewGameSessionsPerCreator: new(2), PolicyPeriodInMinutes: new(10)}
	})
	make1 := func(creator string) error {
		_, err := w.CreateGameSession(w.ctx, &api.CreateGameSessionInput{FleetId: &fleet, MaximumPlayerSessionCount: 1, CreatorId: &creator})
		return err
	}
	long := strings.Repeat("ö", 1024) // as long as the model allows
	for _, creator := range []string{"ann", "ann", long, long} {
		if err := make1(creator); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, make1("ann"), lift.LimitExceeded, "10 minutes")
	refused(t, make1(long), lift.LimitExceeded)
	w.pass(10 * time.Minute)
	if err := make1("ann"); err != nil {
		t.Error(err)
	}
}

func TestUpdateGameSession(t *testing.T) {
	s := newStage(t)
	gs := must(s.UpdateGameSession(s.ctx, &api.UpdateGameSessionInput{
		GameSessionId: s.session, Name: new("renamed"), MaximumPlayerSessionCount: new(3), PlayerSessionCreationPolicy: new("DENY_ALL"),
		ProtectionPolicy: new("FullProtection"), GameProperties: []api.GameProperty{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
	}))(t).GameSession
	if *gs.Name != "renamed" || *gs.MaximumPlayerSessionCount != 3 || *gs.PlayerSessionCreationPolicy != "DENY_ALL" {
		t.Errorf("got %+v", gs)
	}
	_, err := s.CreatePlayerSession(s.ctx, &api.CreatePlayerSessionInput{GameSessionId: s.session, PlayerId: "p"})
	refused(t, err, lift.InvalidGameSessionStatus, "DENY_ALL")
	// What is left out stays, properties are added or overwritten.
	gs = must(s.UpdateGameSession(s.ctx, &api.UpdateGameSessionInput{
		GameSessionId: s.session, PlayerSessionCreationPolicy: new("ACCEPT_ALL"), GameProperties: []api.GameProperty{{Key: "b", Value: "3"}, {Key: "c", Value: "4"}},
	}))(t).GameSession
	if *gs.Name != "renamed" || fmt.Sprint(gs.GameProperties) != "[{a 1} {b 3} {c 4}]" {
		t.Errorf("got %s %v", *gs.Name, gs.GameProperties)
	}
	d := must(s.DescribeGameSessionDetails(s.ctx, &api.DescribeGameSessionDetailsInput{GameSessionId: &s.session}))(t).GameSessionDetails[0]
	if *d.ProtectionPolicy != "FullProtection" || *d.GameSession.Name != "renamed" {
		t.Errorf("details: %s of %s", *d.ProtectionPolicy, *d.GameSession.Name)
	}
	// Fewer slots than players is allowed: the session is full.
	must(s.CreatePlayerSessions(s.ctx, &api.CreatePlayerSessionsInput{GameSessionId: s.session, PlayerIds: []string{"p", "q"}}))(t)
	must(s.UpdateGameSession(s.ctx, &api.UpdateGameSessionInput{GameSessionId: s.session, MaximumPlayerSessionCount: new(1)}))(t)
	_, err = s.CreatePlayerSession(s.ctx, &api.CreatePlayerSessionInput{GameSessionId: s.session, PlayerId: "r"})
	refused(t, err, lift.GameSessionFull)
}

func TestDescribeGameSessionsByStatus(t *testing.T) {
	s := newStage(t)
	for status, want := range map[string]int{"": 4, "ACTIVE": 2, "ACTIVATING": 1, "TERMINATED": 1, "TERMINATING": 0} {
		in := &api.DescribeGameSessionsInput{AliasId: &s.alias, StatusFilter: opt(status)}
		found := must(s.DescribeGameSessions(s.ctx, in))(t).GameSessions
		if len(found) != want {
			t.Errorf("%q: %d sessions, want %d", status, len(found), want)
		}
		for _, gs := range found {
			if status != "" && *gs.Status != status {
				t.Errorf("%q lists a session that is %s", status, *gs.Status)
			}
		}
	}
	if found := must(s.DescribeGameSessions(s.ctx, &api.DescribeGameSessionsInput{GameSessionId: &s.ended, StatusFilter: new("ACTIVE")}))(t).GameSessions; len(found) != 0 {
		t.Error("a session that ended is ACTIVE")
	}
}

func TestTerminateGameSession(t *testing.T) {
	for mode, reason := range map[string]string{"TRIGGER_ON_PROCESS_TERMINATE": "TRIGGERED_ON_PROCESS_TERMINATE", "FORCE_TERMINATE": "FORCE_TERMINATED"} {
		s := newStage(t)
		s.take()
		gs := must(s.TerminateGameSession(s.ctx, &api.TerminateGameSessionInput{GameSessionId: s.session, TerminationMode: mode}))(t).GameSession
		if *gs.Status != "TERMINATING" || *gs.StatusReason != reason {
			t.Errorf("%s: %s, %s", mode, *gs.Status, *gs.StatusReason)
		}
		sent := s.take()
		if len(sent) != 1 || sent[0].TerminateProcess == nil || sent[0].TerminateProcess.Force != (mode == "FORCE_TERMINATE") {
			t.Errorf("%s sent %+v", mode, sent)
		}
		p := s.hostOf(s.session)
		s.tell(p.InstanceID, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: p.ID}})
		if gs := s.world.session(s.session); *gs.Status != "TERMINATED" || *gs.StatusReason != reason {
			t.Errorf("%s: in the end %s, %s", mode, *gs.Status, *gs.StatusReason)
		}
		gs = must(s.TerminateGameSession(s.ctx, &api.TerminateGameSessionInput{GameSessionId: s.session, TerminationMode: mode}))(t).GameSession
		if *gs.Status != "TERMINATED" || len(s.take()) != 0 {
			t.Errorf("%s again: %s", mode, *gs.Status)
		}
	}
}

func TestPlayers(t *testing.T) {
	s := newStage(t)
	must(s.UpdateGameSession(s.ctx, &api.UpdateGameSessionInput{GameSessionId: s.session, MaximumPlayerSessionCount: new(3)}))(t)
	long := strings.Repeat("ü", 1024)
	ps := must(s.CreatePlayerSessions(s.ctx, &api.CreatePlayerSessionsInput{
		GameSessionId: s.session, PlayerIds: []string{"ann", long}, PlayerDataMap: map[string]string{"ann": "red", "bob": "ignored"},
	}))(t).PlayerSessions
	if len(ps) != 2 || *ps[0].PlayerId != "ann" || *ps[0].PlayerData != "red" || ps[1].PlayerData != nil || *ps[0].Status != "RESERVED" ||
		*ps[0].IpAddress != "10.0.0.7" || *ps[0].Port == 0 || *ps[0].FleetId != s.fleet || !strings.HasPrefix(*ps[0].PlayerSessionId, "psess-") || !ps[0].CreationTime.Equal(s.now) {
		t.Errorf("got %+v", ps)
	}
	// All or nothing.
	_, err := s.CreatePlayerSessions(s.ctx, &api.CreatePlayerSessionsInput{GameSessionId: s.session, PlayerIds: []string{"x", "y"}})
	refused(t, err, lift.GameSessionFull, "1 of 3")
	if n := *s.world.session(s.session).CurrentPlayerSessionCount; n != 2 {
		t.Errorf("%d slots taken", n)
	}
	// One player may hold two slots.
	must(s.CreatePlayerSession(s.ctx, &api.CreatePlayerSessionInput{GameSessionId: s.session, PlayerId: "ann"}))(t)
	for name, q := range map[string]struct {
		in   api.DescribePlayerSessionsInput
		want int
	}{
		"session":    {api.DescribePlayerSessionsInput{GameSessionId: &s.session}, 3},
		"player":     {api.DescribePlayerSessionsInput{PlayerId: new("ann")}, 2},
		"a long id":  {api.DescribePlayerSessionsInput{PlayerId: &long}, 1},
		"stranger":   {api.DescribePlayerSessionsInput{PlayerId: new("an")}, 0},
		"id":         {api.DescribePlayerSessionsInput{PlayerSessionId: ps[0].PlayerSessionId, Limit: new(5), NextToken: new("ignored")}, 1},
		"by status":  {api.DescribePlayerSessionsInput{GameSessionId: &s.session, PlayerSessionStatusFilter: new("ACTIVE")}, 0},
		"by reserve": {api.DescribePlayerSessionsInput{GameSessionId: &s.session, PlayerSessionStatusFilter: new("RESERVED")}, 3},
	} {
		if got := must(s.DescribePlayerSessions(s.ctx, &q.in))(t).PlayerSessions; len(got) != q.want {
			t.Errorf("%s: %d players, want %d", name, len(got), q.want)
		}
	}
	// Who is not accepted within 60 s loses the slot.
	s.pass(60 * time.Second)
	if n := *s.world.session(s.session).CurrentPlayerSessionCount; n != 0 {
		t.Errorf("%d slots taken after a minute", n)
	}
	got := must(s.DescribePlayerSessions(s.ctx, &api.DescribePlayerSessionsInput{PlayerSessionId: ps[0].PlayerSessionId}))(t).PlayerSessions[0]
	if *got.Status != "TIMEDOUT" || got.TerminationTime.IsZero() {
		t.Errorf("got %s", *got.Status)
	}
}
