// Package match finds matches among waiting tickets: the FlexMatch matchmaker
// as a core without clock, goroutine, lock or I/O.
//
// A [Pool] holds the tickets of one matchmaking configuration. Its owner adds
// and stops tickets, hands over players' answers and calls [Pool.Pass]; every
// call takes the time and returns an [Update] with what changed. A pool belongs
// to one goroutine. It knows nothing of storage, placements or the wire: a
// ticket whose match goes on to be placed has left the pool, and comes back by
// Add with its old start time if the placement fails.
//
//	pool := match.NewPool(match.Config{Rules: set, RequestTimeout: time.Minute})
//	update, err := pool.Add(now, ticket)
//	update = pool.Pass(now)
//	for _, m := range update.Matches { … }
//	// call Pass again at update.Next, or when a ticket arrives
//
// How it searches: the rule set is compiled into a plan (plan.go) that says
// which rules partition the pool, which are windows on a number, which follow
// from team sizes alone, and which can prune a partial match. Tickets live in
// sorted indexes (index.go); an anchor's candidates are gathered from them
// (gather.go) and put together by branch and bound (search.go). The judge of
// package rules reads every roster found against the rule set as written, so a
// mistake in a fast path can cost a match but never form a wrong one.
//
// Only what changed is searched again: a pass over a pool in which nothing
// happened costs nothing.
package match
