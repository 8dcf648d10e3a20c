// Package session decides what an event or a missed deadline does to a server
// process, its game session and its players (behaviour 2.6, 3 and 4).
//
// Every function takes the whole state and returns the new one with the
// effects it wants; nothing is stored, sent or looked up here, and no clock is
// read. A request that makes no sense in a state is a *lift.Error, never a
// guess. The legal moves of a process stand in one table, processMoves.
//
//	st, err := session.Apply(now, session.State{Process: p, Session: s}, ev)
package session

import (
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Clocks of behaviour 3.5 and 4.
const (
	Reservation = 60 * time.Second    // a RESERVED player must be accepted within it
	Retention   = 30 * 24 * time.Hour // ended game and player sessions are remembered
)

// State is a process with what an event about it may touch.
type State struct {
	Process lift.Process
	// Session is the game session the process hosts or hosted last, nil if none.
	Session *lift.GameSession
	// Players are those that the event concerns: the one it names, or, when the
	// session ends, all that still hold a slot.
	Players []lift.PlayerSession
}

// Live returns the session if it still holds the process.
func (s State) Live() *lift.GameSession {
	if s.Session != nil && s.Session.Status.Live() {
		return s.Session
	}
	return nil
}

// NeedsPlayers reports whether Apply must be given all players of the session
// that hold a slot, because ev may end it.
func NeedsPlayers(ev lift.Event) bool { return ev.ProcessEnding != nil || ev.ProcessExited != nil }

// Apply moves st by one event of the process's agent. It returns the new
// state; what it was given is not changed.
func Apply(now time.Time, st State, ev lift.Event) (State, error) {
	st = st.clone()
	switch {
	case ev.ProcessConnected != nil:
		st.Process.SDKVersion = ev.ProcessConnected.SDKVersion
		st.Process.SDKLanguage = ev.ProcessConnected.SDKLanguage
		return st, move(&st.Process, onConnected)
	case ev.ProcessReady != nil:
		return ready(st, *ev.ProcessReady)
	case ev.ProcessHealth != nil:
		st.Process.Unhealthy = !ev.ProcessHealth.Healthy
		return st, nil
	case ev.ProcessEnding != nil:
		if err := move(&st.Process, onEnding); err != nil {
			return st, err
		}
		st.end(now, "its server said that it ends (ProcessEnding)")
		return st, nil
	case ev.ProcessExited != nil:
		if err := move(&st.Process, onExited); err != nil {
			return st, err
		}
		st.Process.EndedAt = now
		st.Process.Exit = ev.ProcessExited.Message
		st.end(now, strings.TrimSuffix("its server process exited: "+ev.ProcessExited.Message, ": "))
		return st, nil
	case ev.ActivateSession != nil:
		return activate(st, *ev.ActivateSession)
	case ev.AcceptPlayer != nil:
		return accept(now, st, *ev.AcceptPlayer)
	case ev.RemovePlayer != nil:
		return remove(now, st, *ev.RemovePlayer)
	case ev.PlayerPolicy != nil:
		return setPolicy(st, *ev.PlayerPolicy)
	}
	return st, lift.Errorf(lift.InvalidRequest, "this event says nothing about a process")
}

// Launched makes the process that an agent started.
func Launched(now time.Time, i lift.Instance, ev lift.ProcessStarted) lift.Process {
	return lift.Process{
		ID: ev.ProcessID, InstanceID: i.ID, FleetID: i.FleetID, Region: i.Region, Location: i.Location,
		State: lift.ProcessInitializing, LaunchPath: ev.LaunchPath, Parameters: ev.Parameters, OSPID: ev.OSPID,
		Address: i.Address, DNSName: i.DNSName, StartedAt: now,
	}
}

func ready(st State, ev lift.ProcessReady) (State, error) {
	if s := st.Live(); s != nil {
		return st, lift.Errorf(lift.Conflict, "the process hosts %s; ProcessReady comes before a game session or after its end", s.ID)
	}
	if err := move(&st.Process, onReady); err != nil {
		return st, err
	}
	st.Process.Port, st.Process.LogPaths = ev.Port, ev.LogPaths
	st.Process.Unhealthy = false
	return st, nil
}

// activate is idempotent: a server that asks twice is told the same.
func activate(st State, ev lift.ActivateSession) (State, error) {
	s, err := st.hosted(ev.SessionID)
	if err != nil {
		return st, err
	}
	switch s.Status {
	case lift.SessionActivating:
		s.Status = lift.SessionActive
		return st, nil
	case lift.SessionActive:
		return st, nil
	}
	return st, lift.Errorf(lift.Conflict, "game session %s is %s and cannot be activated", s.ID, s.Status)
}

func accept(now time.Time, st State, ev lift.AcceptPlayer) (State, error) {
	if _, err := st.hosted(ev.SessionID); err != nil {
		return st, err
	}
	p, err := st.player(ev.PlayerID)
	if err != nil {
		return st, err
	}
	if p.Status != lift.PlayerReserved || expired(now, p) {
		return st, lift.Errorf(lift.Conflict, "player session %s is %s; only a RESERVED one can be accepted", p.ID, p.Status)
	}
	p.Status, p.ReservedUntil = lift.PlayerActive, time.Time{}
	return st, nil
}

func expired(now time.Time, p *lift.PlayerSession) bool {
	return !now.Before(p.ReservedUntil)
}

func remove(now time.Time, st State, ev lift.RemovePlayer) (State, error) {
	s, err := st.hosted(ev.SessionID)
	if err != nil {
		return st, err
	}
	p, err := st.player(ev.PlayerID)
	if err != nil {
		return st, err
	}
	if p.Status != lift.PlayerActive {
		return st, lift.Errorf(lift.Conflict, "player session %s is %s; only an ACTIVE one can be removed", p.ID, p.Status)
	}
	leave(now, s, p, lift.PlayerCompleted)
	return st, nil
}

func setPolicy(st State, ev lift.SetPlayerPolicy) (State, error) {
	s, err := st.hosted(ev.SessionID)
	if err != nil {
		return st, err
	}
	if ev.Policy != lift.AcceptAll && ev.Policy != lift.DenyAll {
		return st, lift.Errorf(lift.InvalidRequest, "the player session policy must be ACCEPT_ALL or DENY_ALL, got %q", ev.Policy)
	}
	s.Policy = ev.Policy
	return st, nil
}

// hosted returns the live session of the process if it is the one named. A
// server may leave the name out, since it hosts one at most.
func (s State) hosted(id lift.GameSessionID) (*lift.GameSession, error) {
	live := s.Live()
	switch {
	case live == nil:
		return nil, lift.Errorf(lift.NotFound, "the process hosts no game session")
	case id != "" && id != live.ID:
		return nil, lift.Errorf(lift.Unauthorized, "the process hosts game session %s, not %s", live.ID, id)
	}
	return live, nil
}

// player returns the player with this id, who must belong to the session.
func (s State) player(id lift.PlayerSessionID) (*lift.PlayerSession, error) {
	for i := range s.Players {
		if p := &s.Players[i]; p.ID == id && p.GameSessionID == s.Session.ID {
			return p, nil
		}
	}
	return nil, lift.Errorf(lift.NotFound, "player session %s not found in this game session", id)
}

// end finishes the live session, if there is one, and all its players. Why is
// for people.
func (s *State) end(now time.Time, why string) {
	if live := s.Live(); live != nil {
		live.Status, live.Ended = lift.SessionTerminated, why
		live.EndedAt, live.KeepUntil = now, now.Add(Retention)
		for i := range s.Players {
			switch p := &s.Players[i]; p.Status {
			case lift.PlayerReserved:
				leave(now, live, p, lift.PlayerTimedOut)
			case lift.PlayerActive:
				leave(now, live, p, lift.PlayerCompleted)
			}
		}
	}
}

func leave(now time.Time, s *lift.GameSession, p *lift.PlayerSession, as lift.PlayerSessionStatus) {
	p.Status, p.ReservedUntil = as, time.Time{}
	p.EndedAt, p.KeepUntil = now, now.Add(Retention)
	s.PlayerCount--
}

func (s State) clone() State {
	if s.Session != nil {
		c := *s.Session
		s.Session = &c
	}
	s.Players = append([]lift.PlayerSession(nil), s.Players...)
	return s
}
