package match_test

import (
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

func ExamplePool() {
	set, _ := rules.Parse(`{"ruleLanguageVersion": "1.0", "teams": [{"name": "pair", "minPlayers": 2, "maxPlayers": 2}]}`)
	pool := match.NewPool(match.Config{Rules: set, RequestTimeout: time.Minute, Standalone: true})
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, id := range []string{"ann", "bob", "cleo"} {
		if _, err := pool.Add(now, match.Ticket{ID: match.TicketID(id), Start: now, Players: []match.Player{{ID: id}}}); err != nil {
			fmt.Println(err)
		}
	}
	update := pool.Pass(now)
	for _, m := range update.Matches {
		fmt.Println(m.ID, m.Tickets)
	}
	why, _ := pool.Explain(now, "cleo")
	fmt.Println(why.Summary[0])
	fmt.Println("call again at", update.Next.Format(time.TimeOnly))
	// Output:
	// match-1 [ann bob]
	// Nobody else waits, and a match needs at least 2 players.
	// call again at 12:01:00
}
