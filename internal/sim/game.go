package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/agent"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// kinds of game servers. The first is as it should be.
var kinds = []string{"good", "crash", "mute", "half", "never", "ill", "deaf", "rude", "stuck", "again"}

// game is a game server with a character.
type game struct {
	w    *world
	i    *instance
	id   lift.ProcessID
	kind string
	gone bool

	hosting  lift.GameSessionID
	match    string                        // its matchmaker data, if it was made by matchmaking
	players  []lift.PlayerSessionID        // who are in
	admitted map[lift.PlayerSessionID]bool // who ever were
	denied   []lift.PlayerSessionID        // who were turned away
	ending   bool
}

// hostOf returns the game server that hosts a game session, or nil.
func (w *world) hostOf(id lift.GameSessionID) *game {
	for _, i := range w.order {
		for _, p := range sortedKeys(i.games) {
			if g := i.games[p]; g.hosting == id && !g.gone && i.ended == "" {
				return g
			}
		}
	}
	return nil
}

func newGame(i *instance, id lift.ProcessID) *game {
	g := &game{w: i.w, i: i, id: id, kind: "good", admitted: map[lift.PlayerSessionID]bool{}}
	if g.w.bad(g.w.plan.faults.games, 50) {
		g.kind = kinds[g.w.rng.IntN(len(kinds))]
	}
	g.w.note("game "+short(id), "is %s", g.kind)
	return g
}

func (g *game) begin() {
	w := g.w
	switch {
	case g.kind == "crash" && w.chance(50):
		w.after(w.some(time.Second), func() { g.exit(1) })
	case g.kind == "mute":
	default:
		w.after(w.some(2*time.Second), g.knock)
	}
}

func (g *game) exit(code int) {
	if g.gone {
		return
	}
	g.gone = true
	g.w.tally.Exits++
	g.i.step(agent.Exited{ProcessID: g.id, ExitCode: code, Status: fmt.Sprint("exit code ", code)})
}

func (g *game) knock() {
	if g.gone {
		return
	}
	g.i.ask(func(c agent.Call) agent.Event { return agent.Knocked{Call: c, ProcessID: g.id, SDKVersion: "5.4.0"} }, func(a agent.Action) {
		if a.(agent.Admit).Refusal == nil && g.kind != "half" {
			g.w.after(g.w.some(2*time.Second), g.ready)
		}
	})
}

// ready says ProcessReady and then how it feels, as the SDKs do.
func (g *game) ready() {
	g.ask(sdk.ActivateServerProcess{Port: 7000 + g.i.ospid%1000}, func(a agent.Answer) {
		if a.Err == nil {
			g.beat()
			g.readyAgain()
		}
	})
}

// readyAgain says ProcessReady over and over, perhaps while a game session is
// on its way.
func (g *game) readyAgain() {
	if g.kind == "again" && g.hosting == "" && !g.ending && !g.w.calm {
		g.ask(sdk.ActivateServerProcess{Port: 7000 + g.i.ospid%1000}, func(agent.Answer) {
			g.w.after(g.w.some(2*time.Second), g.readyAgain)
		})
	}
}

func (g *game) beat() {
	if g.gone {
		return
	}
	ill := g.kind == "ill" && !g.w.calm && g.w.chance(70)
	g.ask(sdk.HeartbeatServerProcess{Healthy: !ill}, func(agent.Answer) {})
	g.w.after(50*time.Second+g.w.some(20*time.Second), g.beat)
	if g.kind == "crash" && g.w.chance(30) {
		g.w.after(g.w.some(20*time.Second), func() { g.exit(139) })
	}
}

func (g *game) ask(r sdk.Request, then func(agent.Answer)) {
	if g.gone {
		return
	}
	g.i.ask(asked(g.id, r), func(a agent.Action) {
		if !g.gone {
			then(a.(agent.Answer))
		}
	})
}

// hear takes what the agent pushes.
func (g *game) hear(p sdk.Push) {
	w := g.w
	if g.gone {
		return
	}
	switch p := p.(type) {
	case sdk.TerminateProcess:
		if g.kind != "deaf" {
			w.after(w.some(3*time.Second), g.finish)
		}
	case sdk.CreateGameSession:
		if g.hosting != "" {
			w.fail("process %s hosts %s and is given %s", g.id, g.hosting, p.GameSessionID)
		}
		g.hosting, g.match = lift.GameSessionID(p.GameSessionID), p.MatchmakerData
		switch {
		case g.kind == "rude" && w.chance(50):
			w.after(w.some(2*time.Second), func() { g.exit(3) })
		case g.kind == "never":
		default:
			w.after(w.some(5*time.Second), g.activate)
		}
	}
}

func (g *game) activate() {
	id := g.hosting
	g.ask(sdk.ActivateGameSession{GameSessionID: string(id)}, func(a agent.Answer) {
		w := g.w
		if a.Err != nil {
			// It came too late, and somebody will end this process.
			w.note("game "+short(g.id), "may not activate: %v", a.Err)
			return
		}
		w.tally.Activated++
		w.checkActivated(id)
		if w.staged {
			return
		}
		if w.chance(20) {
			policy := []lift.PlayerPolicy{lift.DenyAll, lift.AcceptAll}[w.rng.IntN(2)]
			g.ask(sdk.UpdatePlayerSessionCreationPolicy{GameSessionID: string(id), Policy: string(policy)}, func(agent.Answer) {})
		}
		if g.match != "" && w.chance(40) {
			w.after(w.some(20*time.Second), g.backfill)
		}
		w.after(10*time.Second+w.some(3*time.Minute), g.finish)
	})
	if g.kind == "again" && g.w.chance(50) {
		g.w.after(g.w.some(time.Second), g.activateAgain)
	}
}

// activateAgain says it twice, which is the same as once.
func (g *game) activateAgain() {
	g.ask(sdk.ActivateGameSession{GameSessionID: string(g.hosting)}, func(agent.Answer) {})
}

// backfill asks for more players for the match, as a game server does that
// reads its matchmaker data, and perhaps takes that back.
func (g *game) backfill() {
	w := g.w
	var data struct {
		Configuration string `json:"matchmakingConfigurationArn"`
		Teams         []struct {
			Name    string
			Players []struct{ PlayerID string }
		}
	}
	if err := json.Unmarshal([]byte(g.match), &data); err != nil {
		w.fail("the matchmaker data of %s cannot be read: %v", g.hosting, err)
		return
	}
	ask := sdk.StartMatchBackfill{GameSessionARN: string(g.hosting), ConfigurationARN: data.Configuration}
	for _, t := range data.Teams {
		for _, p := range t.Players {
			ask.Players = append(ask.Players, sdk.Player{PlayerID: p.PlayerID, Team: t.Name})
		}
	}
	g.ask(ask, func(a agent.Answer) {
		if a.Err != nil {
			w.note("game "+short(g.id), "gets no backfill: %v", a.Err)
			return
		}
		w.tally.Asked++
		id := a.Reply.(sdk.BackfillTicket).TicketID
		w.acknowledged("ticket", region+"/"+id)
		if w.chance(30) {
			w.after(w.some(20*time.Second), func() {
				g.ask(sdk.StopMatchBackfill{GameSessionARN: string(g.hosting), ConfigurationARN: data.Configuration, TicketID: id}, func(agent.Answer) {})
			})
		}
	})
}

// join is a player who shows a player session id.
func (g *game) join(p lift.PlayerSessionID) {
	w := g.w
	if g.gone || g.ending {
		return
	}
	g.ask(sdk.AcceptPlayerSession{GameSessionID: string(g.hosting), PlayerSessionID: string(p)}, func(a agent.Answer) {
		if a.Err != nil {
			w.note("game "+short(g.id), "turns %s away: %v", short(p), a.Err)
			g.denied = append(g.denied, p)
			return
		}
		w.tally.Seated++
		if g.admitted[p] {
			w.fail("player %s was accepted twice", p)
		}
		g.admitted[p] = true
		g.players = append(g.players, p)
		w.checkAccepted(g, p)
		if w.bad(w.plan.faults.players, 20) {
			w.after(w.some(5*time.Second), func() { g.join(p) }) // somebody has copied it
			return
		}
		if w.staged {
			return
		}
		w.after(w.some(90*time.Second), func() { g.leave(p) })
	})
}

func (g *game) leave(p lift.PlayerSessionID) {
	g.players = slices.DeleteFunc(g.players, func(x lift.PlayerSessionID) bool { return x == p })
	g.ask(sdk.RemovePlayerSession{GameSessionID: string(g.hosting), PlayerSessionID: string(p)}, func(agent.Answer) {})
}

// finish ends the game and the process, each kind in its way.
func (g *game) finish() {
	w := g.w
	switch {
	case g.gone || g.ending:
		return
	case g.kind == "rude" && w.chance(50):
		g.exit(2)
		return
	}
	g.ending = true
	g.ask(sdk.TerminateServerProcess{}, func(agent.Answer) {
		if g.kind != "stuck" {
			w.after(w.some(2*time.Second), func() { g.exit(0) })
		}
	})
}
