package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chairlift-games/chairlift/internal/golden"
	"github.com/chairlift-games/chairlift/internal/lift"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	sid = lift.GameSessionID("arn:aws:gamelift:us-west-2::gamesession/fleet-1/one")
	pid = lift.ProcessID("p1")
)

func process(state lift.ProcessState) lift.Process {
	return lift.Process{ID: pid, InstanceID: "i-1", FleetID: "fleet-1", State: state, Port: 7777, Address: "10.0.0.1"}
}

func hosting(status lift.GameSessionStatus, players ...lift.PlayerSession) State {
	p := process(lift.ProcessHosting)
	p.SessionID = sid
	s := &lift.GameSession{
		ID: sid, FleetID: "fleet-1", ProcessID: pid, InstanceID: "i-1", Status: status, MaxPlayers: 2, Policy: lift.AcceptAll,
		CreatedAt: t0, ActivateBy: t0.Add(300 * time.Second),
	}
	for _, pl := range players {
		if pl.Status.Live() {
			s.PlayerCount++
		}
	}
	return State{Process: p, Session: s, Players: players}
}

func player(id string, status lift.PlayerSessionStatus) lift.PlayerSession {
	p := lift.PlayerSession{ID: lift.PlayerSessionID(id), PlayerID: "player-" + id, GameSessionID: sid, Status: status}
	if status == lift.PlayerReserved {
		p.ReservedUntil = t0.Add(Reservation)
	}
	return p
}

// TestMoves walks every state and trigger and writes what happens: the golden
// file is the diagram of a process' life.
func TestMoves(t *testing.T) {
	states := []lift.ProcessState{lift.ProcessInitializing, lift.ProcessActivating, lift.ProcessIdle, lift.ProcessHosting, lift.ProcessUsed, lift.ProcessTerminating, lift.ProcessGone}
	triggers := []trigger{onConnected, onReady, onReserved, onTerminated, onEnding, onExited}
	var b strings.Builder
	for _, s := range states {
		for _, tr := range triggers {
			p := process(s)
			after := "refused"
			if move(&p, tr) == nil {
				after = string(p.State)
			} else if p.State != s {
				t.Errorf("%s in %s was refused and still moved the process to %s", tr, s, p.State)
			}
			fmt.Fprintf(&b, "%-13s %-17s → %s\n", s, tr, after)
		}
	}
	golden.File(t, "testdata/moves.txt", b.String())
}

func TestApply(t *testing.T) {
	now := t0.Add(10 * time.Second)
	cases := []struct {
		name  string
		state State
		event lift.Event
		want  func(*State) // what differs afterwards
		err   lift.Kind
	}{
		{
			name: "a process that is ready is idle with its port", state: State{Process: process(lift.ProcessActivating)},
			event: lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: pid, Port: 7000, LogPaths: []string{"logs"}}},
			want: func(s *State) {
				s.Process.State, s.Process.Port, s.Process.LogPaths = lift.ProcessIdle, 7000, []string{"logs"}
			},
		},
		{
			name: "a process that connects says which SDK it has", state: State{Process: process(lift.ProcessInitializing)},
			event: lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: pid, SDKVersion: "5.1.2", SDKLanguage: "Go"}},
			want: func(s *State) {
				s.Process.State, s.Process.SDKVersion, s.Process.SDKLanguage = lift.ProcessActivating, "5.1.2", "Go"
			},
		},
		{
			name: "a process that is not well", state: hosting(lift.SessionActive),
			event: lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: pid}},
			want:  func(s *State) { s.Process.Unhealthy = true },
		},
		{
			name: "ready while it ends", state: State{Process: process(lift.ProcessTerminating)},
			event: lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: pid, Port: 7000}}, err: lift.Conflict,
		},
		{
			name: "ready while hosting is a conflict", state: hosting(lift.SessionActive),
			event: lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: pid, Port: 7000}}, err: lift.Conflict,
		},
		{
			name: "ready again after the session ended", state: hosting(lift.SessionTerminated),
			event: lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: pid, Port: 7000}},
			want:  func(s *State) { s.Process.State, s.Process.Port = lift.ProcessIdle, 7000 },
		},
		{
			name: "activate", state: hosting(lift.SessionActivating),
			event: lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: pid, SessionID: sid}},
			want:  func(s *State) { s.Session.Status = lift.SessionActive },
		},
		{
			name: "activate twice is the same as once", state: hosting(lift.SessionActive),
			event: lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: pid, SessionID: sid}}, want: func(*State) {},
		},
		{
			name: "activate a session of somebody else", state: hosting(lift.SessionActivating),
			event: lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: pid, SessionID: "other"}}, err: lift.Unauthorized,
		},
		{
			name: "activate too late", state: hosting(lift.SessionTerminated),
			event: lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: pid, SessionID: sid}}, err: lift.NotFound,
		},
		{
			name: "accept", state: hosting(lift.SessionActive, player("a", lift.PlayerReserved)),
			event: lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: pid, SessionID: sid, PlayerID: "a"}},
			want:  func(s *State) { s.Players[0].Status, s.Players[0].ReservedUntil = lift.PlayerActive, time.Time{} },
		},
		{
			name: "accept twice", state: hosting(lift.SessionActive, player("a", lift.PlayerActive)),
			event: lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: pid, SessionID: sid, PlayerID: "a"}}, err: lift.Conflict,
		},
		{
			name: "accept a stranger", state: hosting(lift.SessionActive),
			event: lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: pid, SessionID: sid, PlayerID: "x"}}, err: lift.NotFound,
		},
		{
			name: "accept the second of two", state: hosting(lift.SessionActive, player("a", lift.PlayerReserved), player("b", lift.PlayerReserved)),
			event: lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: pid, SessionID: sid, PlayerID: "b"}},
			want:  func(s *State) { s.Players[1].Status, s.Players[1].ReservedUntil = lift.PlayerActive, time.Time{} },
		},
		{
			name: "accept for somebody else's session", state: hosting(lift.SessionActive, player("a", lift.PlayerReserved)),
			event: lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: pid, SessionID: "other", PlayerID: "a"}}, err: lift.Unauthorized,
		},
		{
			name: "accept a player of another session",
			state: func() State {
				p := player("a", lift.PlayerReserved)
				p.GameSessionID = "other"
				return hosting(lift.SessionActive, p)
			}(),
			event: lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: pid, SessionID: sid, PlayerID: "a"}}, err: lift.NotFound,
		},
		{
			name: "remove frees the slot", state: hosting(lift.SessionActive, player("a", lift.PlayerActive)),
			event: lift.Event{RemovePlayer: &lift.RemovePlayer{ProcessID: pid, SessionID: sid, PlayerID: "a"}},
			want: func(s *State) {
				s.Session.PlayerCount = 0
				s.Players[0].Status, s.Players[0].EndedAt, s.Players[0].KeepUntil = lift.PlayerCompleted, now, now.Add(Retention)
			},
		},
		{
			name: "remove who never came", state: hosting(lift.SessionActive, player("a", lift.PlayerReserved)),
			event: lift.Event{RemovePlayer: &lift.RemovePlayer{ProcessID: pid, SessionID: sid, PlayerID: "a"}}, err: lift.Conflict,
		},
		{
			name: "remove a stranger", state: hosting(lift.SessionActive),
			event: lift.Event{RemovePlayer: &lift.RemovePlayer{ProcessID: pid, SessionID: sid, PlayerID: "x"}}, err: lift.NotFound,
		},
		{
			name: "remove after the end", state: hosting(lift.SessionTerminated, player("a", lift.PlayerActive)),
			event: lift.Event{RemovePlayer: &lift.RemovePlayer{ProcessID: pid, SessionID: sid, PlayerID: "a"}}, err: lift.NotFound,
		},
		{
			name: "close for new players", state: hosting(lift.SessionActive),
			event: lift.Event{PlayerPolicy: &lift.SetPlayerPolicy{ProcessID: pid, SessionID: sid, Policy: lift.DenyAll}},
			want:  func(s *State) { s.Session.Policy = lift.DenyAll },
		},
		{
			name: "open again", state: func() State {
				st := hosting(lift.SessionActive)
				st.Session.Policy = lift.DenyAll
				return st
			}(),
			event: lift.Event{PlayerPolicy: &lift.SetPlayerPolicy{ProcessID: pid, SessionID: sid, Policy: lift.AcceptAll}},
			want:  func(s *State) { s.Session.Policy = lift.AcceptAll },
		},
		{
			name: "a policy without a session", state: State{Process: process(lift.ProcessIdle)},
			event: lift.Event{PlayerPolicy: &lift.SetPlayerPolicy{ProcessID: pid, Policy: lift.DenyAll}}, err: lift.NotFound,
		},
		{
			name: "a policy that does not exist", state: hosting(lift.SessionActive),
			event: lift.Event{PlayerPolicy: &lift.SetPlayerPolicy{ProcessID: pid, SessionID: sid, Policy: "SOME"}}, err: lift.InvalidRequest,
		},
		{
			name: "an exit ends the session and its players", state: hosting(lift.SessionActive, player("a", lift.PlayerActive), player("b", lift.PlayerReserved)),
			event: lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: pid, Message: "exit code 1"}},
			want: func(s *State) {
				s.Process.State, s.Process.EndedAt, s.Process.Exit = lift.ProcessGone, now, "exit code 1"
				s.Session.Status, s.Session.EndedAt, s.Session.KeepUntil, s.Session.PlayerCount = lift.SessionTerminated, now, now.Add(Retention), 0
				s.Session.Ended = "its server process exited: exit code 1"
				for i, as := range []lift.PlayerSessionStatus{lift.PlayerCompleted, lift.PlayerTimedOut} {
					p := &s.Players[i]
					p.Status, p.ReservedUntil, p.EndedAt, p.KeepUntil = as, time.Time{}, now, now.Add(Retention)
				}
			},
		},
		{
			name: "a process that says it ends", state: hosting(lift.SessionActive),
			event: lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: pid}},
			want: func(s *State) {
				s.Process.State = lift.ProcessTerminating
				s.Session.Status, s.Session.EndedAt, s.Session.KeepUntil = lift.SessionTerminated, now, now.Add(Retention)
				s.Session.Ended = "its server said that it ends (ProcessEnding)"
			},
		},
		{
			name: "a process that is gone does not end", state: State{Process: process(lift.ProcessGone)},
			event: lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: pid}}, err: lift.Conflict,
		},
		{
			name: "a process exits once", state: State{Process: process(lift.ProcessGone)},
			event: lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: pid}}, err: lift.Conflict,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := c.state.clone()
			got, err := Apply(now, c.state, c.event)
			if diff := cmp.Diff(before, c.state); diff != "" {
				t.Errorf("the state handed in was changed:\n%s", diff)
			}
			if c.err != "" {
				le, ok := errors.AsType[*lift.Error](err)
				if !ok || le.Kind != c.err {
					t.Fatalf("got error %v, want one of kind %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := before
			c.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if ends := c.state.Live() != nil && got.Live() == nil; ends && !NeedsPlayers(c.event) {
				t.Error("the event ends a session, and NeedsPlayers says that its players do not matter")
			}
		})
	}
}

func TestAnExpiredReservationIsNotAccepted(t *testing.T) {
	st := hosting(lift.SessionActive, player("a", lift.PlayerReserved))
	ev := lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: pid, PlayerID: "a"}}
	if _, err := Apply(t0.Add(Reservation-time.Microsecond), st, ev); err != nil {
		t.Errorf("just in time: %v", err)
	}
	if _, err := Apply(t0.Add(Reservation), st, ev); err == nil {
		t.Error("accepted at the moment the reservation ended")
	}
}

func TestAdmit(t *testing.T) {
	s := *hosting(lift.SessionActive, player("a", lift.PlayerActive)).Session
	got, players, err := Admit(t0, s, []Seat{{ID: "psess-b", PlayerID: "b", Data: "d"}})
	if err != nil || got.PlayerCount != 2 || len(players) != 1 {
		t.Fatalf("got %+v, %v, %v", got, players, err)
	}
	if p := players[0]; p.Status != lift.PlayerReserved || !p.ReservedUntil.Equal(t0.Add(60*time.Second)) || p.Data != "d" {
		t.Errorf("got %+v", p)
	}
	for name, c := range map[string]struct {
		change func(*lift.GameSession)
		seats  int
		kind   lift.Kind
	}{
		"one too many: nobody comes in": {func(*lift.GameSession) {}, 2, lift.GameSessionFull},
		"lowered below the count":       {func(s *lift.GameSession) { s.MaxPlayers = 0 }, 1, lift.GameSessionFull},
		"closed":                        {func(s *lift.GameSession) { s.Policy = lift.DenyAll }, 1, lift.InvalidGameSessionStatus},
		"not active yet":                {func(s *lift.GameSession) { s.Status = lift.SessionActivating }, 1, lift.InvalidGameSessionStatus},
		"ended":                         {func(s *lift.GameSession) { s.Status = lift.SessionTerminated }, 1, lift.InvalidGameSessionStatus},
	} {
		t.Run(name, func(t *testing.T) {
			s := s
			c.change(&s)
			after, players, err := Admit(t0, s, make([]Seat, c.seats))
			le, ok := errors.AsType[*lift.Error](err)
			if !ok || le.Kind != c.kind || players != nil || after.PlayerCount != s.PlayerCount {
				t.Errorf("got %+v, %v, %v", after, players, err)
			}
		})
	}
}

func TestActivationMissed(t *testing.T) {
	st := hosting(lift.SessionActivating)
	if _, _, n := ActivationMissed(t0.Add(299*time.Second), st); n != nil {
		t.Fatal("ended before its time")
	}
	got, effects, n := ActivationMissed(t0.Add(300*time.Second), st)
	if len(n) != 1 || n[0].Code != lift.SessionActivationTimeout || got.Session.Status != lift.SessionTerminated || got.Process.State != lift.ProcessTerminating {
		t.Fatalf("got %+v %+v", got, n)
	}
	if len(effects) != 1 || effects[0].TerminateProcess == nil || effects[0].To != lift.ToAgent("i-1") {
		t.Errorf("got effects %+v", effects)
	}
	if _, _, n := ActivationMissed(t0.Add(time.Hour), hosting(lift.SessionActive)); n != nil {
		t.Error("an ACTIVE session missed its activation")
	}
	if _, _, n := ActivationMissed(t0.Add(time.Hour), State{Process: process(lift.ProcessIdle)}); n != nil {
		t.Error("no session missed its activation")
	}
}

func TestReservationMissed(t *testing.T) {
	s := *hosting(lift.SessionActive, player("a", lift.PlayerReserved)).Session
	after, p := ReservationMissed(t0.Add(Reservation), s, player("a", lift.PlayerReserved))
	if p.Status != lift.PlayerTimedOut || after.PlayerCount != 0 {
		t.Errorf("in its time: %+v, %d players", p, after.PlayerCount)
	}
	if after, p := ReservationMissed(t0.Add(Reservation-1), s, player("a", lift.PlayerReserved)); p.Status != lift.PlayerReserved || after.PlayerCount != 1 {
		t.Errorf("before its time: %+v, %d players", p, after.PlayerCount)
	}
	if after, p := ReservationMissed(t0.Add(Reservation), s, player("a", lift.PlayerActive)); p.Status != lift.PlayerActive || after.PlayerCount != 1 {
		t.Errorf("after the player came: %+v, %d players", p, after.PlayerCount)
	}
}

func TestReserve(t *testing.T) {
	st, effects, err := Reserve(t0, process(lift.ProcessIdle), Want{ID: sid, MaxPlayers: 3, Timeout: time.Minute})
	if err != nil || st.Process.State != lift.ProcessHosting || st.Process.SessionID != sid || st.Session.Status != lift.SessionActivating ||
		!st.Session.ActivateBy.Equal(t0.Add(time.Minute)) || len(effects) != 1 || effects[0].StartSession.Session.ID != sid {
		t.Errorf("an idle process: %+v, %+v, %v", st, effects, err)
	}
	busy := process(lift.ProcessActivating)
	if st, effects, err := Reserve(t0, busy, Want{ID: sid}); err == nil || st.Session != nil || effects != nil || st.Process.SessionID != "" {
		t.Errorf("one that is not ready: %+v, %+v, %v", st, effects, err)
	}
}

// A backfill that is refused leaves the data of its match out of the session.
func TestJoin(t *testing.T) {
	s := *hosting(lift.SessionActive).Session
	if s, _, err := Join(t0, s, make([]Seat, 2), "new"); err != nil || s.MatchmakerData != "new" || s.PlayerCount != 2 {
		t.Errorf("with room: %+v, %v", s, err)
	}
	if s, _, err := Join(t0, s, make([]Seat, 3), "new"); err == nil || s.MatchmakerData != "" || s.PlayerCount != 0 {
		t.Errorf("without: %+v, %v", s, err)
	}
}

// A process is told to end once, and one that is gone not at all.
func TestUnplaced(t *testing.T) {
	for state, told := range map[lift.ProcessState]int{lift.ProcessHosting: 1, lift.ProcessTerminating: 0, lift.ProcessGone: 0} {
		st := hosting(lift.SessionActivating)
		st.Process.State = state
		got, effects := Unplaced(t0, st, "stopped")
		if len(effects) != told || got.Session.Status != lift.SessionTerminated || got.Session.Ended != "stopped" {
			t.Errorf("its process %s: %+v, %+v", state, got, effects)
		}
	}
}

func TestLost(t *testing.T) {
	got := Lost(t0, hosting(lift.SessionActive, player("a", lift.PlayerActive)), "power")
	if got.Process.State != lift.ProcessGone || got.Process.Exit != "power" || got.Session.Ended != "its instance is gone: power" || got.Players[0].Status != lift.PlayerCompleted {
		t.Errorf("got %+v", got)
	}
	if again := Lost(t0.Add(time.Hour), got, "rust"); !again.Process.EndedAt.Equal(t0) || again.Process.Exit != "power" {
		t.Errorf("lost twice: %+v", again.Process)
	}
}

func TestTerminate(t *testing.T) {
	asked, effects := Terminate(hosting(lift.SessionActive), false)
	if asked.Session.Status != lift.SessionTerminating || asked.Session.StatusReason != ReasonTriggered || asked.Process.State != lift.ProcessTerminating {
		t.Errorf("asked: %+v", asked)
	}
	if len(effects) != 1 || effects[0].TerminateProcess == nil || effects[0].TerminateProcess.Force {
		t.Errorf("asked with %+v", effects)
	}
	if again, effects := Terminate(asked, false); len(effects) != 0 || again.Session.StatusReason != ReasonTriggered {
		t.Errorf("asked twice: %+v %+v", again, effects)
	}
	forced, effects := Terminate(asked, true)
	if forced.Session.StatusReason != ReasonForced || len(effects) != 1 || !effects[0].TerminateProcess.Force || effects[0].TerminateProcess.ProcessID == "" {
		t.Errorf("forced: %+v %+v", forced, effects)
	}
	if _, effects := Terminate(forced, true); len(effects) != 0 {
		t.Errorf("forced twice: %+v", effects)
	}
	if at, effects := Terminate(hosting(lift.SessionActive), true); at.Process.State != lift.ProcessTerminating || len(effects) != 1 || !effects[0].TerminateProcess.Force {
		t.Errorf("forced at once: %+v %+v", at, effects)
	}
	ended, err := Apply(t0, forced, lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: forced.Process.ID}})
	if err != nil || ended.Session.Status != lift.SessionTerminated || ended.Session.StatusReason != ReasonForced {
		t.Errorf("after the exit: %+v, %v", ended.Session, err)
	}
	if _, effects := Terminate(hosting(lift.SessionTerminated), true); len(effects) != 0 {
		t.Errorf("a session that ended: %+v", effects)
	}
}

func TestCreated(t *testing.T) {
	limit := lift.CreatorLimit{Sessions: 2, Minutes: 10}
	c := lift.Creator{FleetID: "f", CreatorID: "c"}
	var err error
	for i, at := range []time.Duration{0, time.Minute} {
		if c, err = Created(t0.Add(at), limit, c); err != nil {
			t.Fatalf("creation %d: %v", i, err)
		}
	}
	if _, err = Created(t0.Add(9*time.Minute), limit, c); err == nil {
		t.Fatal("the third within ten minutes was allowed")
	}
	if c, err = Created(t0.Add(10*time.Minute), limit, c); err != nil || len(c.Times) != 2 {
		t.Fatalf("after the first left the window: %v %v", c.Times, err)
	}
	for _, half := range []lift.CreatorLimit{{Sessions: 2}, {Minutes: 10}, {}} {
		if Limits(half) {
			t.Errorf("%+v restricts somebody", half)
		}
	}
}

func TestPaced(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	c := lift.Creator{FleetID: "fleet-1", CreatorID: "c"}
	c, err := Paced(now, time.Second, c)
	if err != nil || !c.KeepUntil.Equal(now.Add(time.Second)) {
		t.Fatalf("%+v, %v", c, err)
	}
	if same, err := Paced(now.Add(time.Second-1), time.Second, c); err == nil || err.(*lift.Error).Kind != lift.Throttling || !same.Times[0].Equal(now) {
		t.Errorf("within the pause: %+v, %v", same, err)
	}
	if next, err := Paced(now.Add(time.Second), time.Second, c); err != nil || len(next.Times) != 1 || !next.Times[0].Equal(now.Add(time.Second)) {
		t.Errorf("after the pause: %+v, %v", next, err)
	}
}
