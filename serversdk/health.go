package serversdk

import (
	"context"
	"math/rand/v2"
	"time"
)

// heartbeats reports health at once and then about every minute. The jitter
// keeps many processes of one machine from reporting together.
func (s *Server) heartbeats(ctx context.Context) {
	asking := make(chan struct{}, 1) // full while OnHealthCheck runs
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		timer.Reset(s.timing.heartbeat + jitter(s.timing.jitter))
		go s.heartbeat(ctx, asking)
	}
}

// jitter is between -most and most.
func jitter(most time.Duration) time.Duration {
	return time.Duration((rand.Float64()*2 - 1) * float64(most))
}

func (s *Server) heartbeat(ctx context.Context, asking chan struct{}) {
	healthy := s.healthy(ctx, asking)
	if ctx.Err() != nil {
		return
	}
	if _, err := s.conn.call(ctx, "HeartbeatServerProcess", heartbeatServerProcess{healthy}); err != nil && ctx.Err() == nil {
		s.params.Log.Warn("heartbeat failed", "error", err)
	}
}

// healthy asks the game, and takes silence for no. While one question is
// unanswered no second one is asked.
func (s *Server) healthy(ctx context.Context, asking chan struct{}) bool {
	s.mu.Lock()
	ask := s.ready.OnHealthCheck
	s.mu.Unlock()
	if ask == nil {
		return true
	}
	answer := make(chan bool, 1)
	select {
	case asking <- struct{}{}:
		go func() {
			defer func() { <-asking }()
			answer <- ask()
		}()
	default: // still no answer to the last
	}
	timeout := time.NewTimer(s.timing.health)
	defer timeout.Stop()
	select {
	case ok := <-answer:
		return ok
	case <-timeout.C:
	case <-ctx.Done():
	}
	return false
}

func (s *Server) endHealth() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopHealth != nil {
		s.stopHealth()
	}
}
