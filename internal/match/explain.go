package match

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// An Explanation says why a ticket has no match yet, and what may change that.
type Explanation struct {
	Ticket  TicketID
	Status  Status
	Age     time.Duration
	Level   int      // expansion level of its own age
	Never   []string // reasons why no match can ever hold it; empty if one can
	Waiting int      // other tickets that search
	// Undecided says that the last search around it was cut short, so that a
	// match may exist all the same.
	Undecided bool
	// Within is the number of players, its own included, who could share a
	// match with it now as far as pairs of tickets tell; Needed is how many
	// the smallest match has at its level, and Seats the biggest.
	Within, Needed, Seats int
	Near                  []Neighbour
	// Attempt is the fullest match of the nearest tickets and the first rule
	// that breaks it, when there are players enough.
	Attempt *Attempt
	Helps   []Help
	Summary []string // the same in sentences, most important first
}

// A Neighbour is another waiting ticket and what stands between the two.
type Neighbour struct {
	Ticket  TicketID
	Players int
	Age     time.Duration
	Fits    bool   // nothing keeps the two apart now
	Rule    string // the first rule that keeps them apart, or "team sizes"
	Why     string // with its numbers
	// FitsIn is the time from now until an expansion lets them together;
	// negative if none does.
	FitsIn time.Duration
}

// An Attempt is a match that does not hold.
type Attempt struct {
	Tickets []TicketID
	Rule    string
	Why     string
}

// A Help is an expansion that changes what the ticket can do.
type Help struct {
	In   time.Duration // from now
	Age  time.Duration // of the expansion
	What string
}

// How much Explain looks at and lists.
const (
	explainLooks  = 300
	explainLists  = 10
	explainShapes = 200
)

// Explain says why a ticket is unmatched at a time. It changes nothing; call
// it between passes, from the pool's owner.
func (p *Pool) Explain(now time.Time, id TicketID) (Explanation, error) {
	e := p.entries[id]
	if e == nil {
		return Explanation{}, &TicketError{Ticket: id, Why: "it does not wait here: it is matched, ended or unknown"}
	}
	x := Explanation{Ticket: id, Status: e.status, Age: now.Sub(time.Unix(0, e.start)), Level: e.level, Never: e.never, Undecided: e.queued && e.tried == p.passes && p.passes > 0}
	x.Waiting = p.waiting
	if e.status == Searching {
		x.Waiting--
	}
	switch {
	case len(x.Never) > 0:
	case p.set.Large:
		p.explainLarge(&x, e)
	default:
		p.explainSmall(now, &x, e)
	}
	x.Summary = p.summarize(&x, e)
	return x, nil
}

func (p *Pool) explainSmall(now time.Time, x *Explanation, e *entry) {
	s := p.search
	near := p.nearest(e)
	fake := p.openCandidates(e, near)
	for _, o := range near {
		n := Neighbour{Ticket: o.id, Players: o.size, Age: now.Sub(time.Unix(0, o.start)), FitsIn: -1}
		from := min(e.level, o.level)
		clock := max(e.start, o.start)
		if p.set.Algorithm.Oldest {
			from, clock = max(e.level, o.level), min(e.start, o.start)
		}
		for k := from; k < len(p.set.Levels); k++ {
			rule, why := s.apart(e, o, k, &fake)
			if rule == "" {
				n.Fits = k == from
				n.FitsIn = max(0, time.Unix(0, clock).Add(p.set.Levels[k].Age).Sub(now))
				break
			}
			if k == from {
				n.Rule, n.Why = rule, why
			}
		}
		x.Near = append(x.Near, n)
	}
	x.Within = e.size
	var fits []*entry
	for i, n := range x.Near {
		if n.Fits {
			x.Within += n.Players
			fits = append(fits, near[i])
		}
	}
	shapes := p.plan.shapesFor(e.level, e.backfill)
	if len(shapes) > 0 {
		x.Needed, x.Seats = shapes[len(shapes)-1].total, shapes[0].total
	}
	if len(shapes) > 0 && x.Within >= x.Needed {
		x.Attempt = s.attempt(e, fits, shapes)
	}
	p.helps(now, x, e)
	slices.SortStableFunc(x.Near, func(a, b Neighbour) int {
		rank := func(n Neighbour) time.Duration {
			switch {
			case n.Fits:
				return -1
			case n.FitsIn < 0:
				return math.MaxInt64
			}
			return n.FitsIn
		}
		return cmp.Compare(rank(a), rank(b))
	})
	x.Near = x.Near[:min(len(x.Near), explainLists)]
}

// nearest lists the waiting tickets closest to e: same partition first, then
// by the first number the rules look at, then by age.
func (p *Pool) nearest(e *entry) []*entry {
	var out []*entry
	for _, o := range p.entries {
		if o != e && o.status == Searching && len(o.never) == 0 && !(o.backfill && e.backfill) {
			out = append(out, o)
		}
	}
	column := slices.IndexFunc(p.plan.columns, func(c column) bool { return !c.text })
	far := func(o *entry) float64 {
		d := 0.0
		if column >= 0 {
			d = math.Abs(o.parties[0].cols[column] - e.parties[0].cols[column])
		}
		if o.key != e.key {
			d += 1e12
		}
		return d
	}
	slices.SortFunc(out, func(a, b *entry) int { return cmp.Or(cmp.Compare(far(a), far(b)), compareAge(a, b)) })
	return out[:min(len(out), explainLooks)]
}

// openCandidates describes, for bounds, who else could come: anybody like the
// tickets at hand.
func (p *Pool) openCandidates(e *entry, near []*entry) candidates {
	c := candidates{low: make([]float64, len(p.plan.columns)), high: make([]float64, len(p.plan.columns))}
	for i := range c.low {
		c.low[i], c.high[i] = math.Inf(1), math.Inf(-1)
		for _, o := range append(near[:len(near):len(near)], e) {
			for k := range o.parties {
				c.low[i], c.high[i] = min(c.low[i], o.parties[k].cols[i]), max(c.high[i], o.parties[k].cols[i])
			}
		}
	}
	for i, column := range p.plan.summed {
		c.sums = append(c.sums, [2][]float64{})
		c.measureOpenSums(i, column)
	}
	return c
}

// measureOpenSums is measureSums for anybody like the tickets at hand, as many
// as it takes: Explain asks what two tickets could do in better company.
func (c *candidates) measureOpenSums(i, column int) {
	low, high := []float64{0}, []float64{0}
	for n := range rules.SmallMatchSeats {
		low, high = append(low, low[n]+c.low[column]), append(high, high[n]+c.high[column])
	}
	c.sums[i] = [2][]float64{low, high}
}

// apart says which rule keeps two tickets out of one match at a level, with
// its numbers. The rule is "" if nothing does.
func (s *search) apart(a, b *entry, level int, open *candidates) (rule, why string) {
	if b.backfill {
		a, b = b, a
	}
	if a.key != b.key {
		return s.partitioned(a, b, level)
	}
	s.anchor, s.level, s.limits, s.c = a, level, s.plan.set.Levels[level].Limits, open
	s.changed, s.parties, s.free = false, true, true
	s.nodes, s.exhausted = math.MaxInt, false
	bits := s.locations()
	if s.plan.latency {
		mask := b.parties[0].masks[s.plan.masks[level]]
		bits = slices.DeleteFunc(bits, func(bit int) bool { return mask>>uint(bit)&1 == 0 })
		if len(bits) == 0 {
			return s.tooFar(a, b, level)
		}
	}
	shapes := s.plan.shapesFor(level, a.backfill)
	if len(shapes) > explainShapes {
		shapes = slices.Concat(shapes[:explainShapes/2], shapes[len(shapes)-explainShapes/2:])
	}
	for _, bit := range bits {
		s.bit = bit
		for i := range shapes {
			if r, w, together := s.pair(&shapes[i], a, b); together {
				return "", ""
			} else if r != "" && rule == "" {
				rule, why = r, w
			}
		}
	}
	if rule == "" {
		return "team sizes", fmt.Sprintf("parties of %d and %d do not fit into the teams together", a.size, b.size)
	}
	return rule, why
}

// pair tries two tickets in all teams of a shape.
func (s *search) pair(sh *shape, a, b *entry) (rule, why string, together bool) {
	s.reset(sh)
	note := func() {
		i := slices.IndexFunc(s.failed, func(n uint32) bool { return n > 0 })
		if i < 0 || rule != "" {
			return
		}
		rule = s.plan.set.Rules[i].Name
		for _, v := range s.judge.Verdicts(s.level, s.roster) {
			if v.Rule == i && !v.Holds {
				why = v.Why
			}
		}
		if why == "" {
			why = "no way to complete a match with both can satisfy it"
		}
	}
	inTeams := func(e *entry, then func() bool) bool {
		if e.backfill {
			for i := range e.parties {
				if s.need[e.parties[i].team] < len(e.parties[i].party) {
					return false
				}
			}
			clear(s.failed)
			ok := s.push(e, -1)
			if !ok {
				note()
			}
			ok = ok && then()
			s.pop(e)
			return ok
		}
		seats := ^uint64(0)
		if len(s.plan.seats) > 0 {
			seats = e.parties[0].seats[s.plan.seatMasks[s.level]]
		}
		for t := range s.need {
			if s.need[t] < e.size {
				continue
			}
			if seats>>uint(t)&1 == 0 {
				continue
			}
			clear(s.failed)
			ok := s.push(e, t)
			if !ok {
				note()
			}
			ok = ok && then()
			s.pop(e)
			if ok {
				return true
			}
		}
		return false
	}
	together = inTeams(a, func() bool { return inTeams(b, func() bool { return true }) })
	return rule, why, together
}

// duo is a roster of two tickets, enough to see numbers of rules about all
// players.
func (s *search) duo(a, b *entry) rules.Roster {
	r := make(rules.Roster, len(s.plan.set.Teams))
	for _, e := range []*entry{a, b} {
		for i := range e.parties {
			t := max(e.parties[i].team, 0)
			if e == b && !e.backfill && len(r) > 1 && len(r[1]) == 0 {
				t = 1
			}
			r[t] = append(r[t], e.parties[i].party)
		}
	}
	return r
}

func (s *search) partitioned(a, b *entry, level int) (rule, why string) {
	for _, v := range s.judge.Verdicts(level, s.duo(a, b)) {
		r := &s.plan.set.Rules[v.Rule]
		if _, equal := s.plan.equalForAll(r, v.Rule); !v.Holds && v.Required && (equal || r.Type == rules.BatchDistance && s.plan.set.Attributes[r.Attribute].Kind == rules.Text) {
			return v.Name, v.Why
		}
	}
	return "partition", "an attribute that must be equal for the whole match differs"
}

func (s *search) tooFar(a, b *entry, level int) (rule, why string) {
	verdicts := s.judge.Verdicts(level, s.duo(a, b))
	for _, v := range verdicts {
		if v.Type == rules.LatencyRule && v.Required && !v.Holds {
			return v.Name, v.Why
		}
	}
	return "latency", "no location serves both"
}

// attempt fills the biggest match it can from the tickets that fit the anchor
// one by one, and says which rule breaks it.
func (s *search) attempt(a *entry, fits []*entry, shapes []shape) *Attempt {
	within := a.size
	for _, e := range fits {
		within += e.size
	}
	for i := range shapes {
		if shapes[i].total > within {
			continue
		}
		need := slices.Clone(shapes[i].sizes)
		roster := make(rules.Roster, len(need))
		at := &Attempt{}
		missing := shapes[i].total
		put := func(e *entry) {
			best := -1
			for t, n := range need {
				if n >= e.size && (best < 0 || n > need[best]) {
					best = t
				}
			}
			if e.backfill {
				for k := range e.parties {
					t := e.parties[k].team
					need[t] -= len(e.parties[k].party)
					roster[t] = append(roster[t], e.parties[k].party)
				}
			} else if best >= 0 {
				need[best] -= e.size
				roster[best] = append(roster[best], e.parties[0].party)
			} else {
				return
			}
			missing -= e.size
			at.Tickets = append(at.Tickets, e.id)
		}
		put(a)
		for _, e := range fits {
			if missing > 0 && !e.backfill {
				put(e)
			}
		}
		if missing != 0 {
			continue
		}
		for _, v := range s.judge.Verdicts(a.level, roster) {
			if v.Required && !v.Holds {
				at.Rule, at.Why = v.Name, v.Why
				return at
			}
		}
	}
	return nil
}

// helps lists the expansions ahead that let a neighbour in or make smaller
// matches enough.
func (p *Pool) helps(now time.Time, x *Explanation, e *entry) {
	for k := e.level + 1; k < len(p.set.Levels); k++ {
		if shapes := p.plan.shapesFor(k, e.backfill); len(shapes) > 0 && (x.Needed == 0 || shapes[len(shapes)-1].total < x.Needed) {
			x.Helps = append(x.Helps, Help{
				In: time.Unix(0, e.start).Add(p.set.Levels[k].Age).Sub(now), Age: p.set.Levels[k].Age,
				What: fmt.Sprintf("a match needs only %s (%s)", players(shapes[len(shapes)-1].total), p.changes(k)),
			})
			break
		}
	}
	soonest, count := time.Duration(-1), 0
	for _, n := range x.Near {
		switch {
		case n.Fits || n.FitsIn < 0:
		case soonest < 0 || n.FitsIn < soonest:
			soonest, count = n.FitsIn, 1
		case n.FitsIn == soonest:
			count++
		}
	}
	if soonest >= 0 {
		for _, n := range x.Near {
			if !n.Fits && n.FitsIn == soonest {
				x.Helps = append(x.Helps, Help{In: soonest, What: fmt.Sprintf("ticket %s fits then%s: rule %s has loosened enough", n.Ticket, more(count-1), n.Rule)})
				break
			}
		}
	}
	slices.SortStableFunc(x.Helps, func(a, b Help) int { return cmp.Compare(a.In, b.In) })
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d more", n)
}

func players(n int) string {
	if n == 1 {
		return "1 player"
	}
	return fmt.Sprintf("%d players", n)
}

// changes names what a level changes against the one before.
func (p *Pool) changes(k int) string {
	var parts []string
	a, b := &p.set.Levels[k-1], &p.set.Levels[k]
	for d := range b.Sizes {
		if a.Sizes[d].Min != b.Sizes[d].Min {
			parts = append(parts, fmt.Sprintf("teams[%s].minPlayers %d", p.set.Definitions[d].Name, b.Sizes[d].Min))
		}
		if a.Sizes[d].Max != b.Sizes[d].Max {
			parts = append(parts, fmt.Sprintf("teams[%s].maxPlayers %d", p.set.Definitions[d].Name, b.Sizes[d].Max))
		}
	}
	return strings.Join(parts, ", ")
}

// explainLarge looks at populations instead of pairs.
func (p *Pool) explainLarge(x *Explanation, e *entry) {
	l := &largeSearch{pool: p, set: p.set, judge: p.search.judge, populations: map[populationKey]*population{}}
	x.Needed, x.Seats = l.size(e.level)
	for _, c := range l.choices(e, e.level) {
		n := l.population(c).players
		if p.set.Algorithm.Oldest || e.backfill || !slices.Contains(l.population(c).entries, e) {
			n += e.size
		}
		x.Within = max(x.Within, n)
	}
	for k := e.level + 1; k < len(p.set.Levels); k++ {
		if least, _ := l.size(k); least < x.Needed {
			x.Helps = append(x.Helps, Help{In: p.set.Levels[k].Age - x.Age, Age: p.set.Levels[k].Age, What: fmt.Sprintf("a match needs only %s", players(least))})
			break
		}
	}
}

// summarize says it in sentences.
func (p *Pool) summarize(x *Explanation, e *entry) []string {
	if len(x.Never) > 0 {
		out := []string{"It can never match:"}
		return append(out, x.Never...)
	}
	if e.status == RequiresAcceptance {
		return []string{"It is in a proposed match and waits for players to accept."}
	}
	var out []string
	switch {
	case x.Needed == 0:
		out = append(out, "No team sizes satisfy the rules about sizes at its age.")
	case x.Waiting == 0 && x.Needed > e.size:
		out = append(out, fmt.Sprintf("Nobody else waits, and a match needs at least %s.", players(x.Needed)))
	case x.Within < x.Needed:
		out = append(out, fmt.Sprintf("%s could share a match with it now, itself included; a match needs at least %d.", players(x.Within), x.Needed))
	case x.Attempt != nil:
		out = append(out, fmt.Sprintf("There are players enough (%d of at least %d), but together they break %s: %s.", x.Within, x.Needed, x.Attempt.Rule, x.Attempt.Why))
	default:
		out = append(out, fmt.Sprintf("%s could share a match with it pair by pair, but no whole match of them obeys every rule.", players(x.Within)))
	}
	for _, n := range x.Near {
		if !n.Fits {
			out = append(out, fmt.Sprintf("The nearest ticket that does not fit is %s: %s, %s.", n.Ticket, n.Rule, n.Why))
			break
		}
	}
	if x.Undecided {
		out = append(out, "The last search around it was cut short, so a match may exist; the next pass searches longer.")
	}
	for _, h := range x.Helps {
		out = append(out, fmt.Sprintf("In %s: %s.", h.In.Round(100*time.Millisecond), h.What))
	}
	if len(x.Helps) == 0 && len(x.Near) > 0 && x.Within < x.Needed {
		out = append(out, "No expansion ahead changes that.")
	}
	return out
}

// RuleCounts adds up the evaluations of each rule, of the first fifty (18), over
// all searches so far.
func (p *Pool) RuleCounts() []RuleCount {
	out := make([]RuleCount, len(p.counted))
	for k, i := range p.counted {
		out[k] = RuleCount{p.set.Rules[i].Name, int(p.totals[i].passed), int(p.totals[i].failed)}
	}
	return out
}
