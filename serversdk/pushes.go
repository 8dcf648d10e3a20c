package serversdk

import (
	"context"
	"encoding/json"
)

// hear takes one push. It runs on the connection's reader and must not block.
func (s *Server) hear(action string, raw []byte) {
	var err error
	switch action {
	case "CreateGameSession":
		var m createGameSession
		if err = json.Unmarshal(raw, &m); err == nil {
			s.start(m)
		}
	case "UpdateGameSession":
		var m updateGameSession
		if err = json.Unmarshal(raw, &m); err == nil {
			s.update(m)
		}
	case "TerminateProcess":
		var m terminateProcess
		if err = json.Unmarshal(raw, &m); err == nil {
			s.terminate(m)
		}
	case "RefreshConnection":
		var m refreshConnection
		if err = json.Unmarshal(raw, &m); err == nil {
			s.conn.refresh(m.RefreshConnectionEndpoint, m.AuthToken)
		}
	default:
		s.params.Log.Warn("ignored an unknown message of the service", "action", action)
	}
	if err != nil {
		s.params.Log.Error("a message of the service cannot be read", "action", action, "error", err)
	}
}

func (s *Server) start(m createGameSession) {
	session := m.session()
	session.Name = m.GameSessionName
	session.FleetID = s.params.FleetID
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ready == nil:
		s.params.Log.Warn("ignored a game session: ProcessReady was not called", "session", session.GameSessionID)
		return
	case s.session != nil && s.session.GameSessionID == session.GameSessionID:
		return // repeated, because the service could not know that it had arrived
	}
	s.session = &session
	ready := s.ready
	s.later(func() { ready.OnStartGameSession(session) })
}

func (s *Server) update(m updateGameSession) {
	g := m.GameSession
	session := g.session()
	session.Name, session.FleetID, session.Location = g.Name, g.FleetID, g.Location
	session.Status, session.StatusReason = g.Status, g.StatusReason
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready == nil || s.session == nil {
		return
	}
	s.session = &session
	f := s.ready.OnUpdateGameSession
	if f == nil {
		return
	}
	s.later(func() {
		f(GameSessionUpdate{GameSession: session, UpdateReason: m.UpdateReason, BackfillTicketID: m.BackfillTicketID})
	})
}

func (s *Server) terminate(m terminateProcess) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.termination.IsZero()
	s.termination = fromEpochMS(m.TerminationTime)
	if !first {
		return // only the time is news
	}
	if s.ready != nil && s.ready.OnProcessTerminate != nil {
		go s.ready.OnProcessTerminate()
		return
	}
	go s.endByDefault()
}

// endByDefault is what happens without OnProcessTerminate.
func (s *Server) endByDefault() {
	code := 0
	if err := s.ProcessEnding(context.Background()); err != nil {
		s.params.Log.Error("could not tell the service that the process ends", "error", err)
		code = 1
	}
	s.Close()
	s.exit(code)
}

// later has a callback run after those before it; mu is held.
func (s *Server) later(f func()) {
	select {
	case s.callbacks <- f:
	default:
		s.params.Log.Error("64 callbacks wait for one that does not return; dropped a message of the service")
	}
}

func (s *Server) runCallbacks() {
	for {
		select {
		case f := <-s.callbacks:
			f()
		case <-s.closed:
			return
		}
	}
}
