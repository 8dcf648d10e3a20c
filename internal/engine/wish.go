package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match/rules"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Bounds of what is asked of a matchmaker (flexmatch 1).
const (
	ticketPlayers    = 10
	backfillPlayers  = 199
	playerIDChars    = 1024
	playerAttributes = 10
	attributeChars   = 100
	attributeItems   = 100 // strings in a list
	attributeEntries = 10  // in a map
)

// Wish is what players, or a game server for its match, ask of a matchmaker.
type Wish struct {
	ID       lift.TicketID // "" has one made
	Players  []lift.TicketPlayer
	Backfill bool               // the players are those of a match that runs, with their teams
	Session  lift.GameSessionID // of that match; none with STANDALONE
}

// Ask turns a wish, whose players have passed CheckPlayers, into a ticket for
// the matcher of c, or refuses it with the member of the request that is wrong.
// A ticket that can never match is taken all the same (flexmatch 10.2).
func (tx *Tx) Ask(c *lift.MatchmakingConfiguration, w Wish) (*lift.Ticket, error) {
	t := &lift.Ticket{
		ID: w.ID, Region: c.Region, Account: c.Account, Configuration: c.Name, Players: w.Players,
		StartedAt: tx.Now, Deadline: tx.Now.Add(time.Duration(c.RequestTimeoutSeconds) * time.Second),
	}
	set, err := tx.rules(c)
	if err != nil {
		return nil, err
	}
	if err := checkAttributes(set, w.Players); err != nil {
		return nil, err
	}
	for _, p := range w.Players {
		for name, a := range p.Attributes {
			if a.SL != nil {
				a.SL = distinct(a.SL)
				p.Attributes[name] = a
			}
		}
	}
	if w.Backfill {
		if err := checkTeams(set, w.Players); err != nil {
			return nil, err
		}
		t.Backfill = &lift.Backfill{}
		// A STANDALONE matchmaker knows no game sessions; a server that names its
		// own all the same is not refused.
		if c.Mode != lift.Standalone {
			s, err := tx.backfillable(c, w.Session)
			if err != nil {
				return nil, err
			}
			t.Backfill.SessionID, t.Backfill.Location = s.ID, s.Location
		}
	}
	if t.ID == "" {
		t.ID = lift.TicketID(tx.NewID())
	} else if old, known, err := store.Tickets.Get(tx, store.TicketKey(t)); err != nil {
		return nil, err
	} else if known {
		return nil, lift.Errorf(lift.InvalidRequest, "TicketId: there is a matchmaking ticket %s already, which is %s; choose another TicketId", old.ID, old.Status)
	}
	return t, tx.AddTicket(t)
}

// distinct returns what is in a list, once each (flexmatch 1).
func distinct(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// CheckPlayers refuses players that no ticket can have, whatever the rule set.
func CheckPlayers(players []lift.TicketPlayer, backfill bool) error {
	most := ticketPlayers
	if backfill {
		most = backfillPlayers
	}
	if n := len(players); n < 1 || n > most {
		return lift.Errorf(lift.InvalidRequest, "a ticket has 1 to %d Players, got %d", most, n)
	}
	seen := make(map[string]bool, len(players))
	for i, p := range players {
		bad := func(format string, args ...any) error {
			return lift.Errorf(lift.InvalidRequest, "Players[%d].%s", i, fmt.Sprintf(format, args...))
		}
		switch {
		case p.ID == "":
			return bad("PlayerId is required")
		case utf8.RuneCountInString(p.ID) > playerIDChars:
			return bad("PlayerId has more than %d characters", playerIDChars)
		case seen[p.ID]:
			return bad("PlayerId: player %s is named twice", p.ID)
		case !backfill && p.Team != "":
			return bad("Team must be left out: the match gives players their teams")
		case backfill && p.Team == "":
			return bad("Team is required: it tells where player %s plays", p.ID)
		case len(p.Attributes) > playerAttributes:
			return bad("PlayerAttributes has %d attributes, at most %d are allowed", len(p.Attributes), playerAttributes)
		}
		seen[p.ID] = true
		for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
			a := p.Attributes[name]
			if why := checkAttribute(a); why != "" {
				return bad("PlayerAttributes[%q]: %s", name, why)
			}
		}
		for location, ms := range p.LatencyMS {
			if ms < 1 || location == "" {
				return bad("LatencyInMs[%q] is %d; latencies are 1 ms or more, and each has the name of a location", location, ms)
			}
		}
	}
	return nil
}

func checkAttribute(a lift.Attribute) string {
	given := 0
	for _, is := range []bool{a.N != nil, a.S != nil, a.SL != nil, a.SDM != nil} {
		if is {
			given++
		}
	}
	long := func(s string) bool { return s == "" || utf8.RuneCountInString(s) > attributeChars }
	switch {
	case given != 1:
		return "give exactly one of S, N, SL and SDM"
	case a.S != nil && long(*a.S):
		return fmt.Sprintf("S must have 1 to %d characters", attributeChars)
	case len(a.SL) > attributeItems:
		return fmt.Sprintf("SL has %d strings, at most %d are allowed", len(a.SL), attributeItems)
	case slices.ContainsFunc(a.SL, long):
		return fmt.Sprintf("the strings of SL must have 1 to %d characters", attributeChars)
	case len(a.SDM) > attributeEntries:
		return fmt.Sprintf("SDM has %d entries, at most %d are allowed", len(a.SDM), attributeEntries)
	}
	for key := range a.SDM {
		if long(key) {
			return fmt.Sprintf("the keys of SDM must have 1 to %d characters", attributeChars)
		}
	}
	return ""
}

// checkAttributes refuses attributes that the rule set does not declare, or
// declares with another type. One that is missing is no mistake of the request,
// although its player may wait in vain (flexmatch 2.1).
func checkAttributes(set *rules.Set, players []lift.TicketPlayer) error {
	for i, p := range players {
		_, problems := set.LayOut(Values(p.Attributes))
		for _, b := range problems {
			if b.Got != rules.Missing {
				return lift.Errorf(lift.InvalidRequest, "Players[%d].PlayerAttributes: player %s: %s", i, p.ID, b)
			}
		}
	}
	return nil
}

// checkTeams refuses players in teams that the rule set does not have, or that
// are more than such a team ever holds.
func checkTeams(set *rules.Set, players []lift.TicketPlayer) error {
	count := make([]int, len(set.Teams))
	for i, p := range players {
		team := set.TeamIndex(p.Team)
		if team < 0 {
			var names []string
			for _, t := range set.Teams {
				names = append(names, t.Name)
			}
			return lift.Errorf(lift.InvalidRequest, "Players[%d].Team: the rule set has no team %s; its teams are %s", i, p.Team, strings.Join(names, ", "))
		}
		count[team]++
		most := 0
		for level := range set.Levels {
			most = max(most, set.Size(level, team).Max)
		}
		if count[team] > most {
			return lift.Errorf(lift.InvalidRequest, "Players[%d].Team: team %s has at most %d players", i, p.Team, most)
		}
	}
	return nil
}

// backfillable finds the session that more players are wanted for. It may be
// in another region than its matchmaker.
func (tx *Tx) backfillable(c *lift.MatchmakingConfiguration, id lift.GameSessionID) (*lift.GameSession, error) {
	if id == "" {
		return nil, lift.Errorf(lift.InvalidRequest, "GameSessionArn is required: matchmaking configuration %s is WITH_QUEUE", c.Name)
	}
	s, ok, err := store.Sessions.Get(tx, string(id))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, lift.Errorf(lift.NotFound, "GameSessionArn: game session %s not found", id)
	}
	region, _, _ := strings.Cut(s.Matchmaker, "/")
	switch {
	case s.Matchmaker == "":
		return nil, lift.Errorf(lift.InvalidRequest, "GameSessionArn: game session %s was not made by matchmaking, so it cannot be backfilled; CreatePlayerSession lets players in", id)
	case s.Region != c.Region && region != c.Region:
		return nil, lift.Errorf(lift.NotFound, "GameSessionArn: game session %s not found in region %s", id, c.Region)
	case s.Status != lift.SessionActive:
		return nil, lift.Errorf(lift.InvalidRequest, "GameSessionArn: game session %s is %s; players can join an ACTIVE one", id, s.Status)
	case s.Policy == lift.DenyAll:
		return nil, lift.Errorf(lift.InvalidRequest, "GameSessionArn: game session %s takes no new players: its policy is DENY_ALL; UpdateGameSession or UpdatePlayerSessionCreationPolicy with ACCEPT_ALL changes that", id)
	}
	return s, nil
}

// rules returns the rule set that c uses, parsed. It is parsed once: a rule set
// never changes, unless another takes its name, and every ticket is checked by
// one.
func (tx *Tx) rules(c *lift.MatchmakingConfiguration) (*rules.Set, error) {
	key := store.InRegion(c.Region, c.RuleSet)
	r, err := store.RuleSets.Find(tx, key)
	if err != nil {
		return nil, err
	}
	known, _ := tx.e.sets.Load(key)
	p, _ := known.(*parsed)
	if p == nil || p.body != r.Body {
		set, findings := rules.Parse(r.Body)
		if set == nil {
			return nil, fmt.Errorf("rule set %s: %w", r.Name, findings)
		}
		p = &parsed{r.Body, set}
		tx.e.sets.Store(key, p)
	}
	return p.set, nil
}

// parsed is a rule set that was parsed.
type parsed struct {
	body string
	set  *rules.Set
}

// Values are attributes as rules see them.
func Values(as map[string]lift.Attribute) map[string]rules.Value {
	out := make(map[string]rules.Value, len(as))
	for name, a := range as {
		switch {
		case a.N != nil:
			out[name] = rules.N(*a.N)
		case a.S != nil:
			out[name] = rules.S(*a.S)
		case a.SL != nil:
			out[name] = rules.SL(a.SL...)
		default:
			out[name] = rules.SDM(a.SDM)
		}
	}
	return out
}
