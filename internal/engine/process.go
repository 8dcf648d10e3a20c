package engine

import (
	"reflect"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

// loadProcess reads a process and the session it hosts or hosted last.
func (tx *Tx) loadProcess(id lift.ProcessID) (session.State, error) {
	p, err := store.Processes.Find(tx, string(id))
	if err != nil {
		return session.State{}, err
	}
	st := session.State{Process: *p}
	if p.SessionID != "" {
		s, ok, err := store.Sessions.Get(tx, string(p.SessionID))
		if err != nil {
			return st, err
		}
		// A session is remembered longer than a process lives; if it is gone
		// nothing of it can change.
		if ok && s.ProcessID == p.ID {
			st.Session = s
		}
	}
	return st, nil
}

// loadPlayers adds the players that ev may touch.
func (tx *Tx) loadPlayers(st *session.State, ev lift.Event) error {
	var id lift.PlayerSessionID
	switch {
	case session.NeedsPlayers(ev):
		return tx.loadLivePlayers(st)
	case ev.AcceptPlayer != nil:
		id = ev.AcceptPlayer.PlayerID
	case ev.RemovePlayer != nil:
		id = ev.RemovePlayer.PlayerID
	default:
		return nil
	}
	p, ok, err := store.Players.Get(tx, string(id))
	if ok {
		st.Players = append(st.Players, *p)
	}
	return err
}

// loadLivePlayers adds all players who hold a slot in the live session.
func (tx *Tx) loadLivePlayers(st *session.State) error {
	s := st.Live()
	if s == nil {
		return nil
	}
	ps, err := store.Players.All(tx, "live", string(s.ID)+"/")
	for _, p := range ps {
		st.Players = append(st.Players, *p)
	}
	return err
}

// saveProcess writes what differs between two states, and passes on what it
// means to others: an idle process to those who wait for one, a session that
// became ACTIVE or ended to its placement, a session that left ACTIVATING to
// its instance's count.
func (tx *Tx) saveProcess(old, st session.State) error {
	if old.Session != nil && old.Session.Status != st.Session.Status {
		if err := tx.sessionMoved(old.Session.Status, &st); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(old.Process, st.Process) {
		if err := store.Processes.Put(tx, &st.Process); err != nil {
			return err
		}
	}
	if free(st.Process) && !free(old.Process) {
		tx.freed = append(tx.freed, st.Process.FleetID)
	}
	if !reflect.DeepEqual(old.Session, st.Session) {
		if err := tx.SaveSession(st.Session); err != nil {
			return err
		}
	}
	for i := range st.Players { // those that the change is about
		if err := store.Players.Put(tx, &st.Players[i]); err != nil {
			return err
		}
	}
	return nil
}

// free reports whether a process can take a game session.
func free(p lift.Process) bool { return p.State == lift.ProcessIdle && !p.Unhealthy }

// sessionMoved is called before a session with a new status is saved. Its
// placement comes first: it may refuse, and a refused event must have written
// nothing.
func (tx *Tx) sessionMoved(was lift.GameSessionStatus, st *session.State) error {
	if was != lift.SessionActivating {
		return nil
	}
	if err := tx.attemptEnded(st); err != nil {
		return err
	}
	if s := st.Session; s.Capped {
		s.Capped = false
		return tx.countActivating(s.InstanceID, -1)
	}
	return nil
}

// attemptEnded tells the placement of a session, if there is one, what became
// of it.
func (tx *Tx) attemptEnded(st *session.State) error {
	s := st.Session
	if s.PlacementID == "" {
		return nil
	}
	p, err := store.Placements.Find(tx, store.InRegion(s.QueueRegion, string(s.PlacementID)))
	if err != nil || p.SessionID != s.ID { // see EndPlacement
		return err
	}
	var next lift.Placement
	switch s.Status {
	case lift.SessionActive:
		seats := make([]session.Seat, len(p.Players))
		for i, pl := range p.Players {
			seats[i] = session.Seat{ID: lift.PlayerSessionID("psess-" + tx.NewID()), PlayerID: pl.PlayerID, Data: pl.Data}
		}
		seated, players, err := session.Place(tx.Now, *s, seats)
		if err != nil {
			return err
		}
		*s = seated
		st.Players = append(st.Players, players...)
		next = placement.Fulfilled(tx.Now, *p, *s, players)
		return tx.fulfilled(&next, s)
	default:
		next = placement.Lost(tx.Now, *p, s.ProcessID)
	}
	return store.Placements.Put(tx, &next)
}

// fulfilled ends the placement of s. If it was made for a match that left seats
// open, they are offered to the matchmaker, where that is automatic.
func (tx *Tx) fulfilled(p *lift.Placement, s *lift.GameSession) error {
	var m *lift.Match
	var ts []*lift.Ticket
	if p.Match != "" {
		var err error
		if m, err = store.Matches.Find(tx, p.Match); err != nil {
			return err
		}
		if m.Follower != "" {
			if ts, err = tx.ticketsOf(m); err != nil {
				return err
			}
		}
	}
	if err := tx.placementEnded(p); err != nil || ts == nil {
		return err
	}
	return tx.offerSeats(s, m, ts)
}

// countActivating changes the count that guards a fleet's activation cap.
func (tx *Tx) countActivating(id lift.InstanceID, by int) error {
	i, err := store.Instances.Find(tx, string(id))
	if err != nil {
		return err
	}
	i.Activating = max(i.Activating+by, 0)
	return store.Instances.Put(tx, i)
}
