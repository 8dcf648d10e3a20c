package matcher

import (
	"bytes"
	"encoding/json"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// ticketOf is a ticket as pools see it.
func ticketOf(t *lift.Ticket) match.Ticket {
	out := match.Ticket{ID: match.TicketID(t.ID), Start: t.StartedAt, Backfill: t.Backfill != nil}
	for _, p := range t.Players {
		mp := match.Player{ID: p.ID, Attributes: engine.Values(p.Attributes), LatencyMS: p.LatencyMS}
		if b := t.Backfill; b != nil {
			mp.Team = p.Team
			if ms, ok := p.LatencyMS[b.Location]; b.Location != "" {
				// The session stays where it is, so no other location counts.
				mp.LatencyMS = nil
				if ok {
					mp.LatencyMS = map[string]int{b.Location: ms}
				}
			}
		}
		out.Players = append(out.Players, mp)
	}
	return out
}

// matchOf makes the row of a match that a pool found.
func matchOf(c *lift.MatchmakingConfiguration, set *rules.Set, f match.Match, ts []*lift.Ticket, id lift.MatchID) *lift.Match {
	m := &lift.Match{ID: id, Region: c.Region, Account: c.Account, Configuration: c.Name, MaxPlayers: set.Seats(f.Level), Backfill: lift.TicketID(f.Backfill)}
	m.Evaluations = map[lift.TicketID][]lift.RuleCount{}
	for i, id := range f.Tickets {
		m.Tickets = append(m.Tickets, lift.TicketID(id))
		m.Evaluations[lift.TicketID(id)] = evaluations(f.Evaluations[i])
	}
	for _, s := range f.Seats {
		m.Seats = append(m.Seats, lift.MatchSeat{Ticket: lift.TicketID(s.Ticket), PlayerID: s.PlayerID, Team: s.Team})
	}
	m.Data = matchmakerData(c, set, m, ts)
	return m
}

// evaluations is never nil, even of a rule set without rules.
func evaluations(cs []match.RuleCount) []lift.RuleCount {
	out := make([]lift.RuleCount, len(cs))
	for i, c := range cs {
		out[i] = lift.RuleCount(c)
	}
	return out
}

// The matchmaker data of flexmatch 15, which game servers parse.
type (
	dataOfMatch struct {
		MatchID       string       `json:"matchId"`
		Configuration string       `json:"matchmakingConfigurationArn"`
		Teams         []dataOfTeam `json:"teams"`
		BackfillMode  *string      `json:"autoBackfillMode"`
		BackfillID    *string      `json:"autoBackfillTicketId"`
	}
	dataOfTeam struct {
		Name    string         `json:"name"`
		Players []dataOfPlayer `json:"players"`
	}
	dataOfPlayer struct {
		ID         string                 `json:"playerId"`
		Attributes map[string]dataOfValue `json:"attributes"`
	}
	dataOfValue struct {
		Type  string `json:"attributeType"`
		Value any    `json:"valueAttribute"`
	}
	// double is a number that always has a decimal point, as parsers of game
	// servers have always seen it.
	double float64
)

func (d double) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(float64(d))
	if bytes.ContainsAny(b, ".e") {
		return b, err
	}
	return append(b, ".0"...), err
}

func matchmakerData(c *lift.MatchmakingConfiguration, set *rules.Set, m *lift.Match, ts []*lift.Ticket) string {
	players := map[string]lift.TicketPlayer{}
	for _, t := range ts {
		for _, p := range t.Players {
			players[p.ID] = p
		}
	}
	data := dataOfMatch{MatchID: string(m.ID), Configuration: c.ARN()}
	for _, team := range set.Teams {
		dt := dataOfTeam{Name: team.Name, Players: []dataOfPlayer{}}
		for _, s := range m.Seats {
			if s.Team != team.Name {
				continue
			}
			dp := dataOfPlayer{ID: s.PlayerID, Attributes: map[string]dataOfValue{}}
			values, _ := set.LayOut(engine.Values(players[s.PlayerID].Attributes))
			for i, v := range values {
				if v.Kind != rules.Missing {
					dp.Attributes[set.Attributes[i].Name] = dataOf(v)
				}
			}
			dt.Players = append(dt.Players, dp)
		}
		data.Teams = append(data.Teams, dt)
	}
	b, _ := json.Marshal(data) // texts and finite numbers, which always can be
	return string(b)
}

func dataOf(v rules.Value) dataOfValue {
	switch v.Kind {
	case rules.Number:
		return dataOfValue{"DOUBLE", double(v.N)}
	case rules.Text:
		return dataOfValue{"STRING", v.S}
	case rules.TextList:
		return dataOfValue{"STRING_LIST", append([]string{}, v.SL...)}
	}
	m := map[string]double{}
	for _, e := range v.SDM {
		m[e.Key] = double(e.N)
	}
	return dataOfValue{"STRING_DOUBLE_MAP", m}
}
