package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/ops"
)

// ruleSets are those of every world: any two players, two teams who are about
// equally good, and a party that may come with some places free.
var ruleSets = map[string]struct {
	body        string
	least, most int // players of a match
}{
	"pair": {`{"ruleLanguageVersion":"1.0","teams":[{"name":"all","minPlayers":2,"maxPlayers":2}]}`, 2, 2},
	"even": {`{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"number","default":10}],
		"teams":[{"name":"red","minPlayers":1,"maxPlayers":2},{"name":"blue","minPlayers":1,"maxPlayers":2}],
		"rules":[{"name":"fair","type":"distance","measurements":["avg(teams[red].players.attributes[skill])"],"referenceValue":"avg(teams[blue].players.attributes[skill])","maxDistance":5}],
		"expansions":[{"target":"rules[fair].maxDistance","steps":[{"waitTimeSeconds":15,"value":20}]}]}`, 2, 4},
	"party": {`{"ruleLanguageVersion":"1.0","teams":[{"name":"all","minPlayers":3,"maxPlayers":5}],
		"expansions":[{"target":"teams[all].minPlayers","steps":[{"waitTimeSeconds":10,"value":2}]}]}`, 2, 5},
}

// A matchmaker is one of the configurations that clients make.
func (w *world) matchmakers() []*lift.MatchmakingConfiguration {
	var all []*lift.MatchmakingConfiguration
	for _, id := range sortedKeys(w.facts.configurations) {
		all = append(all, w.facts.configurations[id])
	}
	return all
}

// matchmake does something about matchmaking.
func (c *client) matchmake(token string) {
	w := c.w
	all := w.matchmakers()
	if len(all) == 0 || len(all) < 3 && w.chance(10) {
		c.createMatchmaker(token)
		return
	}
	m := all[w.rng.IntN(len(all))]
	switch n := w.rng.IntN(100); {
	case n < 67:
		c.seek(m, token)
	case n < 75:
		c.backfill(m, token)
	case n < 85:
		c.stopTicket()
	case n < 92:
		c.describeTickets()
	case n < 97:
		c.changeMatchmaker(m)
	default:
		c.deleteMatchmaker(m)
	}
}

func (c *client) createMatchmaker(token string) {
	w := c.w
	if len(w.facts.queueNames) == 0 && w.chance(85) {
		c.createQueue(token, w.facts.fleetsAlive())
		return
	}
	name := sortedKeys(ruleSets)[w.rng.IntN(len(ruleSets))]
	if w.facts.rules[region+"/"+name] == nil {
		call(c, "CreateMatchmakingRuleSet "+name, (*ops.Service).CreateMatchmakingRuleSet, &api.CreateMatchmakingRuleSetInput{Name: name, RuleSetBody: ruleSets[name].body})
	}
	in := &api.CreateMatchmakingConfigurationInput{
		Name: "m-" + token, RuleSetName: name, RequestTimeoutSeconds: 10 + w.rng.IntN(110),
		AcceptanceRequired: w.chance(50), AcceptanceTimeoutSeconds: new(5 + w.rng.IntN(20)), FlexMatchMode: new(string(lift.Standalone)),
	}
	if len(w.facts.queueNames) > 0 && w.chance(85) {
		q := w.facts.queues[region+"/"+w.facts.queueNames[w.rng.IntN(len(w.facts.queueNames))]]
		in.FlexMatchMode, in.GameSessionQueueArns = new(string(lift.WithQueue)), []string{q.ARN()}
		if w.chance(40) {
			in.BackfillMode = new(string(lift.BackfillAutomatic))
		}
	}
	out, _ := call(c, "CreateMatchmakingConfiguration "+in.Name, (*ops.Service).CreateMatchmakingConfiguration, in)
	if out != nil {
		w.acknowledged("configuration", region+"/"+in.Name)
	}
}

// changeMatchmaker changes the rules, or whether players are asked.
func (c *client) changeMatchmaker(m *lift.MatchmakingConfiguration) {
	w := c.w
	in := &api.UpdateMatchmakingConfigurationInput{Name: m.Name}
	if names := sortedKeys(w.facts.rules); len(names) > 0 && w.chance(50) {
		in.RuleSetName = new(w.facts.rules[names[w.rng.IntN(len(names))]].Name)
	} else {
		in.AcceptanceRequired = new(!m.AcceptanceRequired)
	}
	call(c, "UpdateMatchmakingConfiguration "+m.Name, (*ops.Service).UpdateMatchmakingConfiguration, in)
}

func (c *client) deleteMatchmaker(m *lift.MatchmakingConfiguration) {
	call(c, "DeleteMatchmakingConfiguration "+m.Name, (*ops.Service).DeleteMatchmakingConfiguration, &api.DeleteMatchmakingConfigurationInput{Name: m.Name})
}

// seek asks for a match, sometimes twice, and sometimes for players who are
// looking for one already.
func (c *client) seek(m *lift.MatchmakingConfiguration, token string) {
	w := c.w
	in := &api.StartMatchmakingInput{TicketId: new("t-" + token), ConfigurationName: m.Name}
	for range 1 + max(0, w.rng.IntN(8)-5) {
		id := fmt.Sprintf("p-%d", w.rng.IntN(w.plan.seekers))
		if slices.ContainsFunc(in.Players, func(p api.Player) bool { return *p.PlayerId == id }) {
			continue
		}
		p := api.Player{PlayerId: new(id)}
		if m.RuleSet == "even" && w.chance(80) {
			p.PlayerAttributes = map[string]api.AttributeValue{"skill": {N: new(float64(w.rng.IntN(30)))}}
		}
		in.Players = append(in.Players, p)
	}
	c.startTicket(in)
}

// backfill asks for more players for a match that may run still.
func (c *client) backfill(m *lift.MatchmakingConfiguration, token string) {
	w := c.w
	t := w.someTicket(func(t *lift.Ticket) bool { return t.Status == lift.TicketCompleted && t.Configuration == m.Name })
	if t == nil {
		return
	}
	in := &api.StartMatchBackfillInput{TicketId: new("t-" + token), ConfigurationName: m.Name}
	if t.Session != nil {
		in.GameSessionArn = new(string(t.Session.SessionID))
	}
	for _, p := range t.Players {
		in.Players = append(in.Players, api.Player{PlayerId: new(p.ID), Team: new(p.Team)})
	}
	out, _ := call(c, "StartMatchBackfill "+*in.TicketId, (*ops.Service).StartMatchBackfill, in)
	if out != nil {
		w.acknowledged("ticket", region+"/"+*in.TicketId)
	}
}

func (c *client) startTicket(in *api.StartMatchmakingInput) {
	w := c.w
	out, answered := call(c, "StartMatchmaking "+*in.TicketId, (*ops.Service).StartMatchmaking, in)
	if out != nil {
		w.acknowledged("ticket", region+"/"+*in.TicketId)
	}
	if !answered || w.chance(5) {
		c.again = func() { c.startTicket(in) }
	}
}

func (c *client) stopTicket() {
	w := c.w
	t := w.someTicket(func(t *lift.Ticket) bool { return t.Status.Live() })
	if t == nil {
		return
	}
	out, _ := call(c, "StopMatchmaking "+string(t.ID), (*ops.Service).StopMatchmaking, &api.StopMatchmakingInput{TicketId: string(t.ID)})
	if out != nil {
		if now := w.facts.tickets[region+"/"+string(t.ID)]; now.Status != lift.TicketCancelled {
			w.fail("ticket %s was stopped and is %s", t.ID, now.Status)
		}
	}
}

// describeTickets compares what a caller sees with what is committed.
func (c *client) describeTickets() {
	w := c.w
	t := w.someTicket(func(*lift.Ticket) bool { return true })
	if t == nil {
		return
	}
	out, _ := call(c, "DescribeMatchmaking "+string(t.ID), (*ops.Service).DescribeMatchmaking, &api.DescribeMatchmakingInput{TicketIds: []string{string(t.ID)}})
	if out == nil {
		return
	}
	if len(out.TicketList) != 1 || *out.TicketList[0].Status != string(t.Status) {
		w.fail("ticket %s is %s and is shown as %+v", t.ID, t.Status, out.TicketList)
		return
	}
	if shown := out.TicketList[0]; (t.Session != nil) != (shown.GameSessionConnectionInfo != nil) {
		w.fail("ticket %s has %+v and is shown with %+v", t.ID, t.Session, shown.GameSessionConnectionInfo)
	}
}

func (w *world) someTicket(of func(*lift.Ticket) bool) *lift.Ticket {
	var all []*lift.Ticket
	for _, id := range sortedKeys(w.facts.tickets) {
		if t := w.facts.tickets[id]; of(t) {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[w.rng.IntN(len(all))]
}

// askPlayers lets the players of a proposed match answer, if they do.
func (w *world) askPlayers(t *lift.Ticket) {
	for _, p := range t.Players {
		if w.staged || w.bad(w.plan.faults.players, 15) {
			continue
		}
		accept := "ACCEPT"
		if w.bad(w.plan.faults.players, 10) {
			accept = "REJECT"
		}
		w.after(w.some(8*time.Second), func() { w.answer(t.ID, p.ID, accept) })
	}
}

// answer is a player's. It is given again if it was not heard, as long as it
// matters.
func (w *world) answer(id lift.TicketID, player, accept string) {
	c := &client{w: w, name: player}
	_, answered := call(c, "AcceptMatch "+string(id)+" "+accept, (*ops.Service).AcceptMatch, &api.AcceptMatchInput{TicketId: string(id), PlayerIds: []string{player}, AcceptanceType: accept})
	if t := w.facts.tickets[region+"/"+string(id)]; !answered && t != nil && t.Status == lift.TicketRequiresAcceptance {
		w.after(time.Second+w.some(2*time.Second), func() { w.answer(id, player, accept) })
	}
}
