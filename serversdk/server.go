package serversdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// sdkVersion is the protocol version we speak; services go by it.
const (
	sdkVersion  = "5.6.0"
	sdkLanguage = "Go"
)

// A Server is this process in the eyes of the service. Its methods are safe for
// concurrent use. A call waits for the service's answer, across a reconnect if
// there is one, for 20 s, or as long as ctx says if ctx has a deadline.
type Server struct {
	params Params
	timing timing
	conn   *connection
	exit   func(code int) // os.Exit, but for tests

	callbacks chan func() // OnStartGameSession and OnUpdateGameSession, one at a time
	closed    chan struct{}
	closeOnce sync.Once

	mu          sync.Mutex // guards what follows
	ready       *ProcessParameters
	session     *GameSession
	termination time.Time
	stopHealth  context.CancelFunc
}

// Init connects the process to the service. It reads the environment first (see
// [Params]). While the service cannot be reached it tries again, until ctx ends
// or three minutes have passed; a *[RefusedError] is returned at once.
func Init(ctx context.Context, p Params) (*Server, error) {
	p, t, err := p.withEnvironment()
	if err != nil {
		return nil, fmt.Errorf("serversdk: %w", err)
	}
	s := &Server{params: p, timing: t, exit: os.Exit, callbacks: make(chan func(), 64), closed: make(chan struct{})}
	s.conn = newConnection(p, t.call, s.hear)
	if err := s.conn.open(ctx); err != nil {
		return nil, fmt.Errorf("serversdk: %w", err)
	}
	go s.runCallbacks()
	return s, nil
}

// ProcessReady tells the service that the process can host a game session, and
// starts the heartbeats. A process whose session has ended may call it again,
// to be given another.
func (s *Server) ProcessReady(ctx context.Context, p ProcessParameters) error {
	if p.Port < 1 || p.Port > 60000 {
		return fmt.Errorf("serversdk: ProcessParameters.Port is %d; it must be where players connect, 1 to 60000", p.Port)
	}
	if p.OnStartGameSession == nil {
		return errors.New("serversdk: ProcessParameters.OnStartGameSession is not set; without it no game session can start")
	}
	s.mu.Lock()
	ready, session := s.ready, s.session
	s.ready, s.session = &p, nil // a session may be pushed before the answer is handled here
	s.mu.Unlock()
	_, err := s.conn.call(ctx, "ActivateServerProcess", activateServerProcess{
		SDKVersion: sdkVersion, SDKLanguage: sdkLanguage,
		ToolName: s.params.ToolName, ToolVersion: s.params.ToolVersion,
		Port: p.Port, LogPaths: p.LogPaths,
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.ready, s.session = ready, session
		return err
	}
	if s.stopHealth == nil {
		var health context.Context
		health, s.stopHealth = context.WithCancel(context.Background())
		go s.heartbeats(health)
	}
	return nil
}

// ActivateGameSession tells the service that the game session is ready for
// players.
func (s *Server) ActivateGameSession(ctx context.Context) error {
	return s.sessionCall(ctx, "ActivateGameSession", sessionCall{})
}

// AcceptPlayerSession asks whether the player who showed this id may play. An
// *[Error] says no: the id is unknown, belongs to another game session, was used
// before, or its reservation of 60 s is over.
func (s *Server) AcceptPlayerSession(ctx context.Context, playerSessionID string) error {
	return s.sessionCall(ctx, "AcceptPlayerSession", sessionCall{PlayerSessionID: playerSessionID})
}

// RemovePlayerSession says that a player has left; the place is free again.
func (s *Server) RemovePlayerSession(ctx context.Context, playerSessionID string) error {
	return s.sessionCall(ctx, "RemovePlayerSession", sessionCall{PlayerSessionID: playerSessionID})
}

// UpdatePlayerSessionCreationPolicy opens or closes the game session for new
// players.
func (s *Server) UpdatePlayerSessionCreationPolicy(ctx context.Context, p PlayerSessionPolicy) error {
	return s.sessionCall(ctx, "UpdatePlayerSessionCreationPolicy", sessionCall{PlayerSessionPolicy: p})
}

func (s *Server) sessionCall(ctx context.Context, action string, c sessionCall) error {
	session, ok := s.GameSession()
	if !ok {
		return ErrNoGameSession
	}
	c.GameSessionID = session.GameSessionID
	_, err := s.conn.call(ctx, action, c)
	return err
}

// DescribePlayerSessions reads player sessions, those of this process's game
// session or others.
func (s *Server) DescribePlayerSessions(ctx context.Context, r DescribePlayerSessionsRequest) (PlayerSessions, error) {
	s.mu.Lock()
	ready := s.ready != nil
	s.mu.Unlock()
	if !ready {
		return PlayerSessions{}, ErrNotReady
	}
	raw, err := s.conn.call(ctx, "DescribePlayerSessions", describePlayerSessions{
		GameSessionID: r.GameSessionID, PlayerSessionID: r.PlayerSessionID, PlayerID: r.PlayerID,
		PlayerSessionStatusFilter: r.StatusFilter, NextToken: r.NextToken, Limit: r.Limit,
	})
	if err != nil {
		return PlayerSessions{}, err
	}
	var reply describeReply
	if err := json.Unmarshal(raw, &reply); err != nil {
		return PlayerSessions{}, fmt.Errorf("serversdk: the answer to DescribePlayerSessions cannot be read: %w", err)
	}
	return reply.sessions(), nil
}

// ProcessEnding tells the service that the process is done: its game session
// ends. The process must exit within 30 s; [Server.Close] it before.
func (s *Server) ProcessEnding(ctx context.Context) error {
	_, err := s.conn.call(ctx, "TerminateServerProcess", struct{}{})
	if err != nil {
		return err
	}
	s.conn.letGo()
	s.endHealth()
	return nil
}

// Close ends the connection and the heartbeats; other SDKs call it Destroy. By
// itself it tells the service nothing: a process that exits without
// [Server.ProcessEnding] counts as crashed.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.endHealth()
		s.conn.close()
	})
	return nil
}

// GameSession returns the game session that the process was given, as it was
// told last.
func (s *Server) GameSession() (GameSession, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return GameSession{}, false
	}
	return *s.session, true
}

// TerminationTime returns when the service will kill the process, if it has
// asked it to end.
func (s *Server) TerminationTime() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.termination, !s.termination.IsZero()
}
