package session

import (
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// ActivationMissed ends a session that stayed ACTIVATING past its deadline and
// sends its process away, since it may be stuck (behaviour 3.1). The notice is
// for the fleet's event log. Nothing happens if the session moved on meanwhile.
func ActivationMissed(now time.Time, st State) (State, []lift.Effect, []lift.Notice) {
	s := st.Live()
	if s == nil || s.Status != lift.SessionActivating || now.Before(s.ActivateBy) {
		return st, nil, nil
	}
	st = st.clone()
	st.end(now, fmt.Sprintf("its server did not call ActivateGameSession within %s", s.ActivateBy.Sub(s.CreatedAt)))
	effects := Dismiss(&st.Process, lift.TerminateProcess{Reason: "its game session was not activated in time"})
	p := st.Process
	return st, effects, []lift.Notice{{
		Code: lift.SessionActivationTimeout,
		Message: fmt.Sprintf("game session %s was not activated within %s: the server got it and did not call ActivateGameSession; launchPath(%s), arguments(%s), instanceId(%s)",
			st.Session.ID, s.ActivateBy.Sub(s.CreatedAt), p.LaunchPath, p.Parameters, p.InstanceID),
	}}
}

// Dismiss tells the process to end, unless it is ending already or gone.
func Dismiss(p *lift.Process, how lift.TerminateProcess) []lift.Effect {
	if move(p, onTerminated) != nil {
		return nil
	}
	how.ProcessID = p.ID
	return []lift.Effect{{To: lift.ToAgent(p.InstanceID), TerminateProcess: &how}}
}

// Reasons for the end of a game session, as the API spells them (behaviour 3.1).
const (
	ReasonTriggered = "TRIGGERED_ON_PROCESS_TERMINATE"
	ReasonForced    = "FORCE_TERMINATED"
)

// Terminate begins the end of a live session because its owner said so
// (behaviour 3.4): its process is asked to end or, by force, ended at once. The
// session is TERMINATED when the process has announced its end or is gone. A
// session that was asked to end can still be forced; asking again changes
// nothing.
func Terminate(st State, force bool) (State, []lift.Effect) {
	s := st.Live()
	if s == nil || s.StatusReason == ReasonForced {
		return st, nil
	}
	st = st.clone()
	how := lift.TerminateProcess{Reason: "its game session was terminated by request", Force: force}
	st.Session.Status, st.Session.StatusReason = lift.SessionTerminating, ReasonTriggered
	if force {
		st.Session.StatusReason = ReasonForced
	}
	if force && st.Process.State == lift.ProcessTerminating {
		how.ProcessID = st.Process.ID // it was asked before
		return st, []lift.Effect{{To: lift.ToAgent(st.Process.InstanceID), TerminateProcess: &how}}
	}
	return st, Dismiss(&st.Process, how)
}

// Lost ends the process and its session because its instance is gone.
func Lost(now time.Time, st State, why string) State {
	st = st.clone()
	if st.Process.State == lift.ProcessGone {
		return st
	}
	st.Process.State, st.Process.EndedAt, st.Process.Exit = lift.ProcessGone, now, why
	st.end(now, "its instance is gone: "+why)
	return st
}

// Unplaced ends a session whose placement was withdrawn before it was ACTIVE.
// Its process has already been told of the session, so it is sent away.
func Unplaced(now time.Time, st State, why string) (State, []lift.Effect) {
	st = st.clone()
	st.end(now, why)
	return st, Dismiss(&st.Process, lift.TerminateProcess{Reason: why})
}

// ReservationMissed frees the slot of a player who was not accepted in time,
// and changes nothing for any other.
func ReservationMissed(now time.Time, s lift.GameSession, p lift.PlayerSession) (lift.GameSession, lift.PlayerSession) {
	if p.Status == lift.PlayerReserved && expired(now, &p) {
		leave(now, &s, &p, lift.PlayerTimedOut)
	}
	return s, p
}
