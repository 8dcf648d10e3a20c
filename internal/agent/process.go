package agent

import (
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// phase is how far a process is (behaviour 2.6). It only moves forward.
type phase int

const (
	launching    phase = iota // the launcher is at it
	initializing              // runs; InitSDK not seen yet
	activating                // InitSDK seen; not ready yet
	ready                     // idle, or hosting if it has a session
	terminating               // asked to end
	ending                    // said that it ends
	killed                    // ended by force, exit not seen yet
)

// process is one run of a game server.
type process struct {
	id         lift.ProcessID
	entry      lift.ServerProcess
	parameters string // as launched
	log        string // key of its output

	phase phase
	since time.Time // when it entered the phase
	began time.Time // when it was launched

	port    int
	wasUp   bool              // it was ready once
	served  bool              // it was given a game session once
	session *lift.GameSession // hosted now

	healthy bool
	wellAt  time.Time // the last healthy word

	early   []Knocked      // sockets it opened before the launcher said that it runs
	ended   bool           // it announced its end
	wanted  bool           // its end was asked for; it is no failure of the entry
	grace   time.Duration  // while terminating: how long it may take
	tellBy  time.Time      // while terminating: what it was told
	verdict lift.EventCode // why it is ended, if it deserves a code of its own
	reason  string         // why it is ended, in words
}

func (p *process) enter(now time.Time, ph phase) { p.phase, p.since = ph, now }

// deadline says when patience with p ends, and what follows then. A zero time
// means never.
func (c *Core) deadline(p *process) (time.Time, func(now time.Time)) {
	switch p.phase {
	case initializing:
		return c.since(p.began).Add(c.limits.InitSDK), func(now time.Time) {
			c.kill(now, p, lift.ProcessInitTimeout, fmt.Sprintf("The server process did not call InitSDK within %s of its launch. (A program without the Server SDK can run under chairlift wrap.)", span(c.limits.InitSDK)))
		}
	case activating:
		return c.since(p.since).Add(c.limits.Ready), func(now time.Time) {
			c.kill(now, p, lift.ProcessReadyTimeout, fmt.Sprintf("The server process did not call ProcessReady within %s of InitSDK.", span(c.limits.Ready)))
		}
	case ready:
		if p.healthy {
			return c.since(p.wellAt).Add(c.limits.Silent), func(now time.Time) { c.setHealth(now, p, false) }
		}
		return c.since(p.wellAt).Add(c.limits.Unhealthy), func(now time.Time) {
			p.verdict = lift.ProcessUnhealthy
			c.terminate(now, p, c.limits.Terminate, fmt.Sprintf("The server process reported no health for more than %s.", span(c.limits.Unhealthy)))
		}
	case terminating:
		return c.since(p.since).Add(p.grace), func(now time.Time) {
			c.kill(now, p, lift.ProcessForceTerminated, fmt.Sprintf("The server process was still running %s after it was asked to end (%s).", span(p.grace), p.reason))
		}
	case ending:
		return c.since(p.since).Add(c.limits.Exit), func(now time.Time) {
			c.kill(now, p, lift.ProcessExitTimeout, fmt.Sprintf("The server process was still running %s after ProcessEnding.", span(c.limits.Exit)))
		}
	case killed:
		return p.since.Add(c.limits.Rekill), func(now time.Time) {
			p.since = now
			c.do(Kill{p.id})
		}
	}
	return time.Time{}, nil
}

// deadlines does whatever is due.
func (c *Core) deadlines(now time.Time) {
	if at, ok := c.stepDeadline(); ok && !now.Before(at) {
		c.aborted = true
		c.do(Abort{})
	}
	for _, p := range c.inOrder {
		if at, then := c.deadline(p); !at.IsZero() && !now.Before(at) {
			then(now)
		}
	}
}

// kill ends p by force. The first verdict stays: it tells how the trouble began.
func (c *Core) kill(now time.Time, p *process, verdict lift.EventCode, reason string) {
	if p.phase == killed {
		return
	}
	if p.verdict == "" {
		p.verdict = verdict
		p.reason = reason
	}
	p.enter(now, killed)
	c.do(Kill{p.id})
}

// terminate asks p to end and gives it so long.
func (c *Core) terminate(now time.Time, p *process, grace time.Duration, reason string) {
	switch p.phase {
	case launching, ending, killed:
		return
	case initializing:
		// Nobody listens yet, and nothing is at stake.
		p.reason, p.wanted = reason, true
		p.enter(now, killed)
		c.do(Kill{p.id})
		return
	case terminating:
		if left := c.since(p.since).Add(p.grace).Sub(now); left <= grace {
			return
		}
	}
	if p.session == nil && p.phase != terminating {
		// A game session that is on its way to it goes elsewhere.
		c.report(now, lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: p.id}})
	}
	p.reason, p.grace, p.wanted = reason, grace, p.verdict == ""
	p.tellBy = now.Add(grace - min(c.limits.Margin, grace/10))
	p.enter(now, terminating)
	c.do(Push{p.id, sdk.TerminateProcess{TerminationTime: p.tellBy}})
}

func (c *Core) setHealth(now time.Time, p *process, healthy bool) {
	if p.healthy != healthy {
		p.healthy = healthy
		c.report(now, lift.Event{ProcessHealth: &lift.ProcessHealth{ProcessID: p.id, Healthy: healthy}})
	}
}

// terminateProcess is the service's wish to see a process end.
func (c *Core) terminateProcess(now time.Time, t lift.TerminateProcess) {
	p := c.processes[t.ProcessID]
	switch {
	case p == nil:
		c.missing(now, t.ProcessID)
	case t.Force:
		p.wanted = true
		c.kill(now, p, lift.ProcessForceTerminated, "The server process was ended by force: "+t.Reason+".")
	default:
		c.terminate(now, p, c.limits.Terminate, t.Reason)
	}
}

// startSession hands p its game session. A process that cannot take one leads
// to an event that ends the session: none hangs until its deadline.
func (c *Core) startSession(now time.Time, s lift.GameSession) {
	p := c.processes[s.ProcessID]
	switch {
	case p == nil:
		c.missing(now, s.ProcessID)
	case p.phase == terminating || p.phase == ending:
		c.report(now, lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: p.id}})
	case p.phase == killed:
		// Its exit follows in a moment.
	case p.phase != ready:
		c.kill(now, p, lift.ProcessCrashed, "The server process was given a game session before it was ready, and was replaced.")
	case p.session != nil && p.session.ID == s.ID:
		// Known already.
	default:
		p.session, p.served = &s, true
		c.do(Push{p.id, sdk.CreateGameSession{
			GameSessionID: string(s.ID), GameSessionName: s.Name, GameSessionData: s.Data,
			MaximumPlayerSessionCount: s.MaxPlayers, IPAddress: s.Address, DNSName: s.DNSName,
			Port: p.port, MatchmakerData: s.MatchmakerData, GameProperties: properties(s.Properties),
		}})
	}
}

// updateSession tells p what became of its game session. One that is over
// leaves the process free to say that it is ready again.
func (c *Core) updateSession(u lift.UpdateSession) {
	s := u.Session
	p := c.processes[s.ProcessID]
	if p == nil || p.session == nil || p.session.ID != s.ID {
		return
	}
	if !s.Status.Live() {
		p.session = nil
		return
	}
	p.session = &s
	c.do(Push{p.id, sdk.UpdateGameSession{
		GameSession: sdk.GameSession{
			GameSessionID: string(s.ID), Name: s.Name, FleetID: string(s.FleetID), Location: s.Location,
			GameSessionData: s.Data, MaximumPlayerSessionCount: s.MaxPlayers, IPAddress: s.Address, DNSName: s.DNSName,
			Port: p.port, MatchmakerData: s.MatchmakerData, GameProperties: properties(s.Properties),
			Status: string(s.Status), StatusReason: s.StatusReason,
		},
		UpdateReason: u.Reason, BackfillTicketID: u.Ticket,
	}})
}

// span spells a duration for people.
func span(d time.Duration) string {
	switch {
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= time.Second && d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return d.Round(time.Millisecond).String()
}

func properties(list []lift.Property) map[string]string {
	m := make(map[string]string, len(list))
	for _, p := range list {
		m[p.Key] = p.Value
	}
	return m
}
