package cli

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// printReports prints one report, or two side by side.
func (c *FlexmatchSimulateCmd) printReports(w *World, reports []*simReport, described []string) {
	w.Printf("crowd: %d tickets, %s\n", reports[0].tickets, strings.Join(described, ", "))
	if len(described) > 0 && c.Tickets == "" {
		w.Printf("       %g tickets a second for %s, parties %s, seed %d; timeout %s\n", c.Rate, c.For, c.Parties, c.Seed, c.Timeout)
	}
	row := func(name string, cell func(r *simReport) string) {
		line := fmt.Sprintf("%-28s", name)
		for _, r := range reports {
			line += fmt.Sprintf(" %22s", cell(r))
		}
		w.Printf("%s\n", strings.TrimRight(line, " "))
	}
	heading := func(name string) { w.Printf("\n%s\n", name) }
	if len(reports) > 1 {
		w.Printf("\n")
		row("", func(r *simReport) string { return baseName(r.file) })
	} else {
		w.Printf("\n%s: %s\n", baseName(reports[0].file), describeSet(reports[0].set))
	}
	row("matches", func(r *simReport) string { return fmt.Sprint(r.matches) })
	row("players matched", func(r *simReport) string { return fmt.Sprintf("%d (%s)", r.placed, percent(r.placed, r.players)) })
	row("tickets timed out", func(r *simReport) string { return fmt.Sprintf("%d (%s)", r.timedOut, percent(r.timedOut, r.tickets)) })
	for _, q := range []struct {
		name string
		at   float64
	}{{"wait p50", 0.5}, {"wait p95", 0.95}, {"wait p99", 0.99}} {
		row(q.name, func(r *simReport) string {
			return fmt.Sprintf("%.1f s", quantile(r.waits, q.at).Seconds())
		})
	}
	heading("waits of matched tickets")
	limit := time.Second
	for _, r := range reports {
		limit = max(limit, quantile(r.waits, 0.999))
	}
	edges := waitEdges(limit)
	for i, edge := range edges {
		from := time.Duration(0)
		if i > 0 {
			from = edges[i-1]
		}
		row(fmt.Sprintf("  up to %s", edge), func(r *simReport) string {
			n := 0
			for _, v := range r.waits {
				if v > from && v <= edge || i == 0 && v <= edge || i == len(edges)-1 && v > edge {
					n++
				}
			}
			return chart(n, len(r.waits))
		})
	}
	heading("match sizes")
	for _, n := range union(reports, func(r *simReport) []int { return slices.Collect(maps.Keys(r.sizes)) }) {
		row(fmt.Sprintf("  %s", plural(n, "player")), func(r *simReport) string { return chart(r.sizes[n], r.matches) })
	}
	heading("expansions in force")
	for k := range max(len(reports[0].levels), len(reports[len(reports)-1].levels)) {
		name := "  none yet"
		if k > 0 {
			name = fmt.Sprintf("  step %d", k)
			if len(reports) == 1 {
				name = fmt.Sprintf("  from %s", reports[0].set.Levels[k].Age)
			}
		}
		row(name, func(r *simReport) string {
			if k >= len(r.levels) {
				return ""
			}
			return chart(r.levels[k], r.matches)
		})
	}
	c.printSpreads(row, heading, reports)
	heading("tickets matched, by party size")
	for _, n := range union(reports, func(r *simReport) []int { return slices.Collect(maps.Keys(r.parties)) }) {
		row(fmt.Sprintf("  party of %d", n), func(r *simReport) string {
			if n > largestTeam(r.set) {
				return "larger than any team"
			}
			return chart(r.parties[n][1], r.parties[n][0])
		})
	}
	heading("rule evaluations that failed")
	var names []string
	for _, r := range reports {
		for _, rc := range r.rules {
			if !slices.Contains(names, rc.Rule) {
				names = append(names, rc.Rule)
			}
		}
	}
	for _, name := range names {
		row("  "+name, func(r *simReport) string {
			for _, rc := range r.rules {
				if rc.Rule == name {
					return fmt.Sprintf("%d of %d", rc.Failed, rc.Failed+rc.Passed)
				}
			}
			return ""
		})
	}
	row("searches cut short", func(r *simReport) string { return fmt.Sprintf("%d of %d", r.stats.Undecided, r.stats.Searches) })
}

// printSpreads shows, for each number attribute, how far a match's players and
// team averages lie apart.
func (c *FlexmatchSimulateCmd) printSpreads(row func(string, func(*simReport) string), heading func(string), reports []*simReport) {
	var names []string
	for _, r := range reports {
		for _, a := range r.set.Attributes {
			if a.Kind == rules.Number && !slices.Contains(names, a.Name) {
				names = append(names, a.Name)
			}
		}
	}
	if len(names) == 0 {
		return
	}
	heading("spread within a match, p50 / p95")
	for _, name := range names {
		show := func(label string, pick func(r *simReport) map[int][]float64) {
			row(label, func(r *simReport) string {
				i := slices.IndexFunc(r.set.Attributes, func(a rules.Attribute) bool { return a.Name == name })
				if i < 0 || len(pick(r)[i]) == 0 {
					return ""
				}
				list := slices.Sorted(slices.Values(pick(r)[i]))
				return readable(quantile(list, 0.5)) + " / " + readable(quantile(list, 0.95))
			})
		}
		show("  "+name, func(r *simReport) map[int][]float64 { return r.spread })
		show("  "+name+", team averages", func(r *simReport) map[int][]float64 { return r.gap })
	}
}

// largestTeam is how many players a team has at most, at any time.
func largestTeam(set *rules.Set) int {
	most := 0
	for level := range set.Levels {
		for team := range set.Teams {
			most = max(most, set.Size(level, team).Max)
		}
	}
	return most
}

// readable writes a number with no more digits than people compare.
func readable(x float64) string {
	switch a := math.Abs(x); {
	case a >= 100:
		x = math.Round(x)
	case a >= 1:
		x = math.Round(10*x) / 10
	default:
		return fmt.Sprintf("%.2g", x)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// union lists the numbers of all reports in order.
func union(reports []*simReport, of func(*simReport) []int) []int {
	var out []int
	for _, r := range reports {
		out = append(out, of(r)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// waitEdges divides waits into about eight bins with round ends.
func waitEdges(limit time.Duration) []time.Duration {
	width := limit / 8
	for _, round := range []time.Duration{time.Second / 2, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute} {
		if width <= round {
			width = round
			break
		}
	}
	var edges []time.Duration
	for e := width; ; e += width {
		edges = append(edges, e)
		if e >= limit {
			return edges
		}
	}
}

// chart is a share as a bar of up to ten characters and a percentage.
func chart(n, of int) string {
	if of == 0 {
		return "-"
	}
	eighths := n * 80 / of
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return fmt.Sprintf("%-10s %6s", bar, percent(n, of))
}

func percent(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

// baseName is a file's name without its folder and ending.
func baseName(path string) string {
	path = path[strings.LastIndexAny(path, "/\\")+1:]
	return strings.TrimSuffix(path, ".json")
}

// json is the report for machines.
func (r *simReport) json() map[string]any {
	seconds := func(q float64) float64 { return quantile(r.waits, q).Seconds() }
	sizes, parties := map[string]int{}, map[string]any{}
	for n, count := range r.sizes {
		sizes[fmt.Sprint(n)] = count
	}
	for n, counts := range r.parties {
		parties[fmt.Sprint(n)] = map[string]int{"tickets": counts[0], "matched": counts[1]}
	}
	levels := []map[string]any{}
	for k, n := range r.levels {
		levels = append(levels, map[string]any{"fromSeconds": r.set.Levels[k].Age.Seconds(), "matches": n})
	}
	spreads := map[string]any{}
	for i, a := range r.set.Attributes {
		if len(r.spread[i]) == 0 {
			continue
		}
		list, gaps := slices.Sorted(slices.Values(r.spread[i])), slices.Sorted(slices.Values(r.gap[i]))
		spreads[a.Name] = map[string]float64{
			"p50": quantile(list, 0.5), "p95": quantile(list, 0.95), "teamAverageP50": quantile(gaps, 0.5), "teamAverageP95": quantile(gaps, 0.95),
		}
	}
	evaluations := []map[string]any{}
	for _, c := range r.rules {
		evaluations = append(evaluations, map[string]any{"rule": c.Rule, "passed": c.Passed, "failed": c.Failed})
	}
	return map[string]any{
		"file": r.file, "tickets": r.tickets, "players": r.players, "matches": r.matches, "playersMatched": r.placed, "ticketsTimedOut": r.timedOut,
		"waitSeconds": map[string]float64{"p50": seconds(0.5), "p95": seconds(0.95), "p99": seconds(0.99)},
		"matchSizes":  sizes, "expansions": levels, "parties": parties, "spread": spreads, "rules": evaluations,
		"searches": r.stats.Searches, "searchesCutShort": r.stats.Undecided,
	}
}
