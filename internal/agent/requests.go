package agent

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// maxPort is the highest port a game server may report (behaviour 2.8).
const maxPort = 60000

// knocked lets in the processes that this agent launched and that still live.
func (c *Core) knocked(now time.Time, ev Knocked) {
	p := c.processes[ev.ProcessID]
	switch {
	case p == nil || p.phase == killed:
		c.do(Admit{ev.Call, &sdk.Refusal{Status: http.StatusForbidden, Reason: "the instance runs no process with this pID; use the GAMELIFT_SDK_PROCESS_ID of the environment"}})
		return
	case p.phase == launching:
		p.early = append(p.early, ev) // a quick one; the launcher will say in a moment that it runs
		return
	case p.phase == initializing:
		p.enter(now, activating)
		c.report(now, lift.Event{ProcessConnected: &lift.ProcessConnected{ProcessID: p.id, SDKVersion: ev.SDKVersion, SDKLanguage: ev.SDKLanguage}})
	}
	c.do(Admit{Call: ev.Call})
}

// asked answers what the agent can answer, and passes on what only the service can.
func (c *Core) asked(now time.Time, ev Asked) {
	p := c.processes[ev.ProcessID]
	if p == nil || p.phase == killed {
		c.answer(ev.Call, sdk.Errorf(http.StatusBadRequest, "the process has ended"))
		return
	}
	switch r := ev.Request.(type) {
	case sdk.ActivateServerProcess:
		err := c.processReady(now, p, r)
		c.answer(ev.Call, err)
		if err == nil && p.phase == terminating {
			// It may not have listened before.
			c.do(Push{p.id, sdk.TerminateProcess{TerminationTime: p.tellBy}})
		}
	case sdk.HeartbeatServerProcess:
		if r.Healthy {
			p.wellAt = now
		}
		if p.phase == ready {
			c.setHealth(now, p, r.Healthy)
		}
		c.answer(ev.Call, nil)
	case sdk.TerminateServerProcess:
		if !p.ended {
			p.ended = true
			p.enter(now, ending)
			c.report(now, lift.Event{ProcessEnding: &lift.ProcessEnding{ProcessID: p.id}})
			p.session = nil
		}
		c.answer(ev.Call, nil)
	case sdk.ActivateGameSession:
		id, err := p.hosts(r.GameSessionID)
		c.pass(now, ev.Call, p, err, lift.Event{ActivateSession: &lift.ActivateSession{ProcessID: p.id, SessionID: id}})
	case sdk.AcceptPlayerSession:
		id, err := p.hosts(r.GameSessionID)
		c.pass(now, ev.Call, p, err, lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: p.id, SessionID: id, PlayerID: lift.PlayerSessionID(r.PlayerSessionID)}})
	case sdk.RemovePlayerSession:
		id, err := p.hosts(r.GameSessionID)
		c.pass(now, ev.Call, p, err, lift.Event{RemovePlayer: &lift.RemovePlayer{ProcessID: p.id, SessionID: id, PlayerID: lift.PlayerSessionID(r.PlayerSessionID)}})
	case sdk.UpdatePlayerSessionCreationPolicy:
		policy := lift.PlayerPolicy(r.Policy)
		id, err := p.hosts(r.GameSessionID)
		if err == nil && policy != lift.AcceptAll && policy != lift.DenyAll {
			err = sdk.Errorf(http.StatusBadRequest, "PlayerSessionPolicy must be ACCEPT_ALL or DENY_ALL, got %q", r.Policy)
		}
		c.pass(now, ev.Call, p, err, lift.Event{PlayerPolicy: &lift.SetPlayerPolicy{ProcessID: p.id, SessionID: id, Policy: policy}})
	case sdk.StartMatchBackfill:
		id, err := p.hosts(r.GameSessionARN)
		c.pass(now, ev.Call, p, err, lift.Event{StartBackfill: &lift.StartBackfill{
			ProcessID: p.id, SessionID: id, Configuration: r.ConfigurationARN, TicketID: lift.TicketID(r.TicketID), Players: ticketPlayers(r.Players),
		}})
	case sdk.StopMatchBackfill:
		id, err := p.hosts(r.GameSessionARN)
		c.pass(now, ev.Call, p, err, lift.Event{StopBackfill: &lift.StopBackfill{
			ProcessID: p.id, SessionID: id, Configuration: r.ConfigurationARN, TicketID: lift.TicketID(r.TicketID),
		}})
	case sdk.DescribePlayerSessions:
		c.pass(now, ev.Call, p, oneOf(r.GameSessionID, r.PlayerSessionID, r.PlayerID), lift.Event{DescribePlayers: &lift.DescribePlayers{
			ProcessID: p.id, GameSessionID: lift.GameSessionID(r.GameSessionID), PlayerSessionID: lift.PlayerSessionID(r.PlayerSessionID),
			PlayerID: r.PlayerID, Status: r.StatusFilter, NextToken: r.NextToken, Limit: r.Limit,
		}})
	default:
		c.answer(ev.Call, sdk.Errorf(http.StatusBadRequest, "%s is not available here", ev.Request.Action()))
	}
}

func (c *Core) answer(call Call, err *sdk.Error) { c.do(Answer{Call: call, Err: err}) }

// pass asks the service, unless err says that there is no need to.
func (c *Core) pass(now time.Time, call Call, p *process, err *sdk.Error, ev lift.Event) {
	if err != nil {
		c.answer(call, err)
		return
	}
	ev.At = now
	c.waiting[call] = question{process: p.id, describe: ev.DescribePlayers != nil, activate: ev.ActivateSession != nil, backfill: ev.StartBackfill != nil}
	c.do(Ask{call, ev})
}

// hosts returns the game session that p hosts, and what is wrong if that is not
// the one named. A server may leave the name out, since it hosts one at most.
func (p *process) hosts(named string) (lift.GameSessionID, *sdk.Error) {
	switch {
	case !p.wasUp:
		return "", sdk.Errorf(http.StatusBadRequest, "the process is not ready; call ProcessReady first")
	case p.session == nil:
		return "", sdk.Errorf(http.StatusNotFound, "the process hosts no game session")
	case named != "" && named != string(p.session.ID):
		return "", sdk.Errorf(http.StatusForbidden, "the process hosts game session %s, not %s", p.session.ID, named)
	}
	return p.session.ID, nil
}

func oneOf(keys ...string) *sdk.Error {
	given := 0
	for _, k := range keys {
		if k != "" {
			given++
		}
	}
	if given != 1 {
		return sdk.Errorf(http.StatusBadRequest, "give exactly one of GameSessionId, PlayerSessionId and PlayerId, not %d of them", given)
	}
	return nil
}

// processReady makes p idle. It is answered here and now: some SDKs wait 6 s
// only (design section 5).
func (c *Core) processReady(now time.Time, p *process, r sdk.ActivateServerProcess) *sdk.Error {
	switch {
	case p.phase == ending:
		return sdk.Errorf(http.StatusConflict, "the process said that it ends; ProcessReady is too late")
	case p.session != nil:
		return sdk.Errorf(http.StatusConflict, "the process hosts game session %s; ProcessReady comes before a game session or after its end", p.session.ID)
	case r.Port < 1 || r.Port > maxPort:
		return sdk.Errorf(http.StatusBadRequest, "ProcessReady names port %d; players connect to a port from 1 to %d", r.Port, maxPort)
	}
	first := !p.wasUp
	p.wasUp, p.port, p.wellAt = true, r.Port, now
	if p.phase == terminating {
		return nil
	}
	p.healthy = true
	if p.phase != ready {
		p.enter(now, ready)
	}
	c.report(now, lift.Event{ProcessReady: &lift.ProcessReady{ProcessID: p.id, Port: r.Port, LogPaths: r.LogPaths}})
	if first {
		c.pacing, c.changed = c.pacing.Healthy(), true
	}
	c.checkPort(now, p)
	return nil
}

// checkPort warns of a port that players may not reach (behaviour 2.8).
func (c *Core) checkPort(now time.Time, p *process) {
	for _, other := range c.inOrder {
		if other != p && other.port == p.port && other.phase == ready {
			c.warnOnce(now, fmt.Sprintf("clash %d", p.port),
				"Two server processes of instance %s report port %d. Give each a port of its own: put {port} into the parameters, which becomes a free port.", c.o.Instance, p.port)
		}
	}
	if len(c.fleet.InboundPorts) == 0 {
		return // nobody said which ports there should be
	}
	for _, allowed := range c.fleet.InboundPorts {
		if allowed.FromPort <= p.port && p.port <= allowed.ToPort {
			return
		}
	}
	c.warnOnce(now, fmt.Sprintf("port %d", p.port), "A server process of instance %s listens on port %d, which no inbound permission of the fleet covers: players may not get through. Open it with UpdateFleetPortSettings or use another port.", c.o.Instance, p.port)
}

// reconfigure takes new settings of the fleet, unless it knows of later ones.
// Entries that could not be launched, perhaps for want of a port, are tried
// again; running processes that no permission covers any more are told.
func (c *Core) reconfigure(now time.Time, told lift.Reconfigure) {
	if told.Revision < c.fleet.Revision {
		return
	}
	moved := !slices.Equal(told.InboundPorts, c.fleet.InboundPorts)
	c.fleet = told
	clear(c.refused)
	for _, p := range c.inOrder {
		if moved && p.phase == ready {
			c.checkPort(now, p)
		}
	}
}

// replied passes the service's answer on.
func (c *Core) replied(ev Replied) {
	q, ok := c.waiting[ev.Call]
	if !ok {
		return
	}
	delete(c.waiting, ev.Call)
	r := ev.Reply
	switch {
	case r.Status != http.StatusOK:
		status := r.Status
		if status < 400 || status > 599 {
			status = http.StatusInternalServerError
		}
		c.answer(ev.Call, sdk.Errorf(status, "%s", r.Message))
	case q.describe:
		c.do(Answer{Call: ev.Call, Reply: playerSessions(r)})
	case q.backfill:
		c.do(Answer{Call: ev.Call, Reply: sdk.BackfillTicket{TicketID: string(r.TicketID)}})
	default:
		if q.activate {
			c.pacing, c.changed = c.pacing.Served(c.processes[q.process].entry), true
		}
		c.answer(ev.Call, nil)
	}
}

func ticketPlayers(in []sdk.Player) []lift.TicketPlayer {
	out := make([]lift.TicketPlayer, len(in))
	for i, p := range in {
		out[i] = lift.TicketPlayer{ID: p.PlayerID, Team: p.Team, LatencyMS: p.LatencyMS}
		for name, v := range p.Attributes {
			var a lift.Attribute
			switch v.Type {
			case "STRING":
				a.S = &v.S
			case "DOUBLE":
				a.N = &v.N
			case "STRING_LIST":
				a.SL = append([]string{}, v.SL...)
			default:
				if a.SDM = v.SDM; a.SDM == nil {
					a.SDM = map[string]float64{}
				}
			}
			if out[i].Attributes == nil {
				out[i].Attributes = map[string]lift.Attribute{}
			}
			out[i].Attributes[name] = a
		}
	}
	return out
}

func playerSessions(r lift.Reply) sdk.PlayerSessions {
	out := sdk.PlayerSessions{NextToken: r.NextToken}
	for _, s := range r.Players {
		out.Sessions = append(out.Sessions, sdk.PlayerSession{
			PlayerSessionID: string(s.ID), PlayerID: s.PlayerID, GameSessionID: string(s.GameSessionID), FleetID: string(s.FleetID),
			PlayerData: s.Data, IPAddress: s.Address, DNSName: s.DNSName, Port: s.Port,
			CreationTime: s.CreatedAt, TerminationTime: s.EndedAt, Status: string(s.Status),
		})
	}
	return out
}
