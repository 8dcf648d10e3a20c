package demo

import (
	"fmt"
	"testing"
	"time"
)

// The table counts who was in, how even the teams were and which pairs stayed
// together.
func TestSummarise(t *testing.T) {
	alone := group{name: "bot-01", players: 4, party: 1, skill: 30, milliseconds: 20}
	pairs := group{name: "bot-02", players: 4, party: 2, skill: 40, milliseconds: 90}
	in := func(g group, n int, session, team string) result {
		return result{PlayerID: fmt.Sprintf("%s-%d", g.name, n), In: true, GameSession: session, Team: team, SeatMS: float64(n), group: g}
	}
	rs := []result{
		in(alone, 1, "s", "red"), in(alone, 4, "s", "red"), // 30 and 50
		in(pairs, 1, "s", "blue"), in(pairs, 2, "s", "blue"), // 40 both
		in(pairs, 3, "s2", "red"), in(pairs, 4, "s2", "blue"), // 60 both, and torn apart
		{PlayerID: "bot-01-2", group: alone, Error: "no seat"},
	}
	if got := rs[5].skill(); got != 60 {
		t.Errorf("the last pair of a group has skill %g", got)
	}
	rows := map[string]string{}
	for _, row := range summarise(time.Second, rs, 7) {
		rows[row[0]] = row[1]
	}
	for name, want := range map[string]string{
		"players in": "6 of 7", "game sessions": "2", "team skill apart, mean": "0.0", "pairs in one team": "1 of 2", "farthest player": "90 ms from the region", "request to seat, p50": "3 ms",
	} {
		if rows[name] != want {
			t.Errorf("%s: %q, want %q", name, rows[name], want)
		}
	}
	rs[1].PlayerID = "bot-01-3" // 30 and 43.3 against 40 and 40, and a session that is even
	if got := balance(rs); got != "1.7" {
		t.Errorf("teams are %s apart", got)
	}
}

func TestGroups(t *testing.T) {
	d := &demo{Cmd: Cmd{Players: 10}}
	players := 0
	for i, g := range d.groups() {
		players += g.players
		if g.party != 1+i%2 || g.skill < 30 || g.skill+spread > 70 || g.milliseconds < 1 {
			t.Errorf("%+v", g)
		}
	}
	if players != 10 {
		t.Errorf("%d players in groups", players)
	}
}
