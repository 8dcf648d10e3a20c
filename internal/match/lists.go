package match

import (
	"slices"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A listRule is a collection rule in a form that can be followed while a match
// grows. Lists are sorted sets of interned strings, one per party.
type listRule struct {
	rule  int
	kind  listKind
	teams []int
	by    bool // every team on its own
	set   int  // the measured lists, index into entry sets
	other int  // wanted: the lists that make the reference
	merge rules.Aggregation
	attr  int
}

type listKind uint8

const (
	listCommon  listKind = iota // intersection: the common strings shrink as parties join
	listQuota                   // contains: the count grows
	listBlocked                 // reference_intersection_count against player ids: counts grow
	listWanted                  // reference_intersection_count against a set intersection: counts shrink
	listFixed                   // reference_intersection_count against a literal
)

// setColumn is a list attribute as one set per party.
type setColumn struct {
	attribute int
	merge     rules.Aggregation
}

func (p *plan) setColumn(attribute int, merge rules.Aggregation) int {
	c := setColumn{attribute, merge}
	if i := slices.Index(p.setColumns, c); i >= 0 {
		return i
	}
	p.setColumns = append(p.setColumns, c)
	return len(p.setColumns) - 1
}

// compileList recognises the collection rules that can prune. It reports
// whether the rule treats all teams alike.
func (p *plan) compileList(i int, r *rules.Rule) (alike bool) {
	if len(r.Measurements) != 1 {
		return false
	}
	e := r.Measurements[0]
	flat := flatPath(e)
	l := listRule{rule: i, merge: r.Aggregation}
	path := e.Path
	switch {
	case path != nil:
		l.by = path.Several
	case e.Func == rules.Flatten && e.Arg.Path != nil:
		path = e.Arg.Path
	default:
		return false
	}
	alike = flat != nil
	if path.Member != rules.MemberAttribute || p.set.Attributes[path.Attribute].Kind != rules.TextList {
		return alike
	}
	l.teams, l.attr = path.Teams, path.Attribute
	if r.Operation == rules.Contains {
		l.kind = listQuota
		if !r.Written {
			l.merge = rules.AggregateNone
		}
		p.lists = append(p.lists, l)
		return alike
	}
	l.set = p.setColumn(l.attr, l.merge)
	if r.Operation == rules.Intersection {
		l.kind = listCommon
		p.lists = append(p.lists, l)
		return alike
	}
	for k := range p.set.Levels {
		v := p.set.Levels[k].Limits[i].Value
		if v.Kind == rules.ListReference {
			l.kind = listFixed
			if k > 0 && p.set.Levels[0].Limits[i].Value.Kind != rules.ListReference {
				return false
			}
			continue
		}
		if k > 0 && (p.set.Levels[0].Limits[i].Value.Kind != v.Kind || v.Expr.String() != p.set.Levels[0].Limits[i].Value.Expr.String()) {
			return false
		}
		ref := v.Expr
		switch {
		case flatPath(ref) != nil && flatPath(ref).Member == rules.MemberPlayerID && flat != nil:
			l.kind = listBlocked
			p.playerIDs = true
		case ref.Func == rules.SetIntersection && flatPath(ref.Arg) != nil && flat != nil && p.set.Attributes[flatPath(ref.Arg).Attribute].Kind == rules.TextList:
			l.kind = listWanted
			l.other = p.setColumn(flatPath(ref.Arg).Attribute, l.merge)
		default:
			return alike && overAll(ref)
		}
	}
	p.lists = append(p.lists, l)
	return alike
}

// listState follows one list rule through a search.
type listState struct {
	common [][]uint32 // per team or one: the running intersection, nil before the first party
	count  []int      // per team or one: collections that hold the reference
	saved  []listUndo
}

type listUndo struct {
	at     int
	common []uint32
	count  int
}

// scope returns which running value a team belongs to, or -1 if the rule does
// not look at the team.
func (l *listRule) scope(team int) int {
	i := slices.Index(l.teams, team)
	if i >= 0 && !l.by {
		return 0
	}
	return i
}

// push follows party pt of e into a team. It returns false if the rule is
// broken beyond repair; pop must be called in either case.
func (l *listRule) push(s *search, st *listState, pt *partyEntry, team int) bool {
	at := l.scope(team)
	if at < 0 {
		st.saved = append(st.saved, listUndo{at: -1})
		return true
	}
	limits := &s.limits[l.rule]
	undo := listUndo{at: at}
	ok := true
	switch l.kind {
	case listCommon, listWanted:
		own := pt.sets[l.set]
		if l.kind == listWanted {
			own = pt.sets[l.other]
		}
		undo.common = st.common[at]
		if st.common[at] == nil {
			st.common[at] = own
		} else {
			st.common[at] = s.intersect(st.common[at], own)
		}
		if l.kind == listCommon {
			ok = len(st.common[at]) >= limits.MinCount
		} else {
			ok = l.wanted(s, pt, st.common[at], limits.MinCount)
		}
	case listQuota:
		undo.count = st.count[at]
		st.count[at] += pt.holding(l, limits.Value.S)
		ok = limits.MaxCount < 0 || st.count[at] <= limits.MaxCount
		ok = ok && (limits.MinCount <= 0 || l.by || st.count[at]+s.missing(l.teams) >= limits.MinCount)
	case listFixed:
		n := pt.found(l, limits.Value.List)
		ok = (limits.MinCount < 0 || n >= limits.MinCount) && (limits.MaxCount < 0 || n <= limits.MaxCount)
	case listBlocked:
		ok = limits.MaxCount < 0 || l.unblocked(s, pt, limits.MaxCount)
	}
	st.saved = append(st.saved, undo)
	return ok
}

func (l *listRule) pop(st *listState) {
	u := st.saved[len(st.saved)-1]
	st.saved = st.saved[:len(st.saved)-1]
	if u.at < 0 {
		return
	}
	switch l.kind {
	case listCommon, listWanted:
		st.common[u.at] = u.common
	case listQuota:
		st.count[u.at] = u.count
	}
}

// wanted checks every party's own set, and the new one's, against the strings
// that everybody wants.
func (l *listRule) wanted(s *search, pt *partyEntry, reference []uint32, least int) bool {
	if least <= 0 {
		return true
	}
	if overlap(pt.sets[l.set], reference) < least {
		return false
	}
	for i := range s.chosen {
		if q := s.chosen[i].party; q != pt && overlap(q.sets[l.set], reference) < least {
			return false
		}
	}
	return true
}

// unblocked counts players of the match on each party's list.
func (l *listRule) unblocked(s *search, pt *partyEntry, most int) bool {
	count := func(list []uint32) int {
		if len(list) == 0 {
			return 0
		}
		n := overlap(list, pt.players)
		for i := range s.chosen {
			if q := s.chosen[i].party; q != pt {
				n += overlap(list, q.players)
			}
		}
		return n
	}
	if count(pt.sets[l.set]) > most {
		return false
	}
	for i := range s.chosen {
		if q := s.chosen[i].party; q != pt && count(q.sets[l.set]) > most {
			return false
		}
	}
	return true
}

// missing is how many players are still to come in some teams.
func (s *search) missing(teams []int) int {
	n := 0
	for _, t := range teams {
		n += s.need[t]
	}
	return n
}

// overlap counts the common elements of two sorted sets.
func overlap(a, b []uint32) int {
	n := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			n++
			i++
			j++
		}
	}
	return n
}

// intersect returns the common elements of two sorted sets, in scratch space
// that lives as long as the search.
func (s *search) intersect(a, b []uint32) []uint32 {
	from := len(s.ids)
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			s.ids = append(s.ids, a[i])
			i++
			j++
		}
	}
	return s.ids[from:len(s.ids):len(s.ids)]
}

// A distinctRule is a comparison with != and no reference over players: no two
// of them have the same value.
type distinctRule struct {
	rule  int
	attr  int
	teams []int
	by    bool
}

// compileDistinct recognises such a rule.
func (p *plan) compileDistinct(i int, r *rules.Rule) bool {
	if r.Operation != rules.NotEqual || r.Written || len(r.Measurements) != 1 || p.set.Levels[0].Limits[i].Value.Kind != rules.NoReference {
		return false
	}
	e := r.Measurements[0]
	path := e.Path
	if e.Func == rules.Flatten {
		path = e.Arg.Path
	}
	if path == nil || path.Member != rules.MemberAttribute || p.set.Attributes[path.Attribute].Kind == rules.TextList {
		return false
	}
	p.distinct = append(p.distinct, distinctRule{i, path.Attribute, path.Teams, e.Path != nil && path.Several})
	p.teamBlind = p.teamBlind && flatPath(e) != nil
	return true
}

// allows reports whether party pt can join a team without repeating a value.
func (d *distinctRule) allows(s *search, pt *partyEntry, team int) bool {
	if !slices.Contains(d.teams, team) {
		return true
	}
	for i := range pt.party {
		v := &pt.party[i].Attributes[d.attr]
		for k := range i {
			if w := &pt.party[k].Attributes[d.attr]; v.N == w.N && v.S == w.S {
				return false
			}
		}
		for c := range s.chosen {
			if s.chosen[c].party == pt || d.by && s.chosen[c].team != team || !slices.Contains(d.teams, s.chosen[c].team) {
				continue
			}
			for k := range s.chosen[c].party.party {
				if w := &s.chosen[c].party.party[k].Attributes[d.attr]; v.N == w.N && v.S == w.S {
					return false
				}
			}
		}
	}
	return true
}
