package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// FlexmatchReplayCmd plays scenario files.
type FlexmatchReplayCmd struct {
	Files  []string `arg:"" help:"Scenario files."`
	Format string   `help:"text or json (one object a line)." enum:"text,json" default:"text"`
	Quiet  bool     `help:"Print verdicts only."`
}

// Run plays each file and errs if an expectation is not met.
func (c *FlexmatchReplayCmd) Run(w *World) error {
	failed := 0
	for _, path := range c.Files {
		ok, err := c.replay(w, path)
		if err != nil {
			return err
		}
		if !ok {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s of %d did not go as expected", plural(failed, "scenario"), len(c.Files))
	}
	return nil
}

// beside resolves a name relative to a file.
func beside(path, name string) string {
	if filepath.IsAbs(name) || path == "-" {
		return name
	}
	return filepath.Join(filepath.Dir(path), name)
}

func (c *FlexmatchReplayCmd) replay(w *World, path string) (bool, error) {
	s, err := readScenario(path)
	if err != nil {
		return false, err
	}
	var failures, missed []string
	if s.Kind == "validation" {
		failures = s.checkCases()
	} else {
		var tr *trace
		tr, err = s.play(s.RunUntilSeconds, func(tr *trace, second int, line any) {
			if c.Quiet {
				return
			}
			if c.Format == "json" {
				printJSON(w.Out, jsonLine(path, second, line, tr))
			} else {
				w.Printf("%s", textLine(second, line))
			}
		})
		if err != nil {
			failures = append(failures, err.Error())
		} else {
			for i := range s.Expect {
				e := &s.Expect[i]
				if wrong := e.check(tr); wrong != "" && e.Strength == "should" {
					missed = append(missed, e.Type+": "+wrong)
				} else if wrong != "" {
					failures = append(failures, e.Type+": "+wrong)
				}
			}
		}
	}
	if c.Format == "json" {
		verdict := map[string]any{"file": path, "kind": "verdict", "ok": len(failures) == 0, "failures": append([]string{}, failures...)}
		if len(missed) > 0 {
			verdict["missedGoals"] = missed
		}
		printJSON(w.Out, verdict)
		return len(failures) == 0, nil
	}
	for _, f := range failures {
		w.Printf("FAILED %s\n", f)
	}
	for _, f := range missed {
		w.Printf("goal missed: %s\n", f)
	}
	word := "ok"
	if len(failures) > 0 {
		word = "FAILED"
	}
	w.Printf("%-6s %s %s\n", word, path, s.Title)
	return len(failures) == 0, nil
}

// checkCases runs a file of rule sets with their expected validity.
func (s *scenario) checkCases() []string {
	var failures []string
	for _, c := range s.Cases {
		body := c.RuleSetBody
		if len(c.RuleSet) > 0 {
			body = string(c.RuleSet)
		}
		set, findings := rules.Parse(body)
		switch {
		case set == nil && c.Valid:
			failures = append(failures, fmt.Sprintf("%s should be valid (%s): %s", c.Name, c.Why, findings.Error()))
		case set != nil && !c.Valid:
			failures = append(failures, fmt.Sprintf("%s should not be valid: %s", c.Name, c.Why))
		}
	}
	return failures
}

func textLine(second int, line any) string {
	switch l := line.(type) {
	case statusAt:
		why := ""
		if l.change.Reason != "" {
			why = fmt.Sprintf(" (%s: %s)", l.change.Reason, l.change.Message)
		}
		return fmt.Sprintf("%4d s  %s is %s%s\n", second, l.ticket, l.change.To, why)
	case matchAt:
		teams := map[string][]string{}
		var order []string
		for _, s := range l.Seats {
			if teams[s.Team] == nil {
				order = append(order, s.Team)
			}
			teams[s.Team] = append(teams[s.Team], s.PlayerID)
		}
		var parts []string
		for _, team := range order {
			parts = append(parts, team+": "+strings.Join(teams[team], ", "))
		}
		return fmt.Sprintf("%4d s  %s formed: %s\n", second, l.ID, strings.Join(parts, " | "))
	case eventAt:
		if l.note != "" {
			return fmt.Sprintf("%4d s  refused: %s\n", second, l.note)
		}
	}
	return "" // events say what statuses and matches say already
}

func jsonLine(file string, second int, line any, tr *trace) map[string]any {
	out := map[string]any{"file": file, "t": second}
	switch l := line.(type) {
	case statusAt:
		out["kind"], out["ticketId"], out["status"] = "status", l.ticket, l.change.To
		if l.change.Reason != "" {
			out["reason"], out["message"] = l.change.Reason, l.change.Message
		}
	case matchAt:
		type player struct {
			PlayerID string `json:"playerId"`
			Team     string `json:"team"`
		}
		type ticket struct {
			TicketID match.TicketID `json:"ticketId"`
			Players  []player       `json:"players"`
		}
		tickets := []ticket{}
		for _, id := range l.Tickets {
			t := ticket{TicketID: id}
			for _, s := range l.Seats {
				if s.Ticket == id {
					t.Players = append(t.Players, player{s.PlayerID, s.Team})
				}
			}
			tickets = append(tickets, t)
		}
		out["kind"], out["matchId"], out["tickets"] = "match", l.ID, tickets
	case eventAt:
		out["kind"], out["type"], out["tickets"], out["detail"] = "event", l.Type, l.Tickets, tr.detail(l)
	}
	return out
}

// detail is an event's detail as section 16 of the specification has it.
func (tr *trace) detail(e eventAt) map[string]any {
	d := map[string]any{"type": e.Type}
	if e.note != "" {
		d["message"] = e.note
		return d
	}
	type player map[string]any
	describe := func(s match.Seat) player {
		p := player{"playerId": s.PlayerID}
		if s.Team != "" {
			p["team"] = s.Team
		}
		if s.Accepted != nil && e.Type == match.AcceptMatch {
			p["accepted"] = *s.Accepted
		}
		return p
	}
	tickets := []map[string]any{}
	all := []player{}
	for _, id := range e.Tickets {
		players := []player{}
		for _, s := range e.Players {
			if s.Ticket == id {
				players = append(players, describe(s))
			}
		}
		all = append(all, players...)
		t := map[string]any{"ticketId": id, "players": players}
		if start := tr.startOf(id); !start.IsZero() {
			t["startTime"] = start.UTC().Format("2006-01-02T15:04:05.000Z")
		}
		tickets = append(tickets, t)
	}
	d["tickets"] = tickets
	d["gameSessionInfo"] = map[string]any{"players": all}
	set := func(key string, v string) {
		if v != "" {
			d[key] = v
		}
	}
	set("matchId", e.Match)
	set("reason", e.Reason)
	set("message", e.Message)
	set("acceptance", e.Acceptance)
	switch e.Type {
	case match.MatchmakingSearching:
		d["estimatedWaitMillis"] = "NOT_AVAILABLE"
		if wait, ok := tr.pool.EstimatedWait(scenarioTime(e.second)); ok {
			d["estimatedWaitMillis"] = int(wait / time.Second) // seconds, whatever the name says
		}
	case match.PotentialMatchCreated:
		d["acceptanceRequired"] = tr.config.AcceptanceRequired
		if tr.config.AcceptanceRequired {
			d["acceptanceTimeout"] = tr.config.AcceptanceTimeoutSeconds
		}
	}
	if slices.Contains([]match.EventType{match.PotentialMatchCreated, match.MatchmakingTimedOut, match.MatchmakingCancelled}, e.Type) {
		metrics := []map[string]any{}
		for _, c := range e.Rules {
			metrics = append(metrics, map[string]any{"ruleName": c.Rule, "passedCount": c.Passed, "failedCount": c.Failed})
		}
		d["ruleEvaluationMetrics"] = metrics
	}
	return d
}

func (tr *trace) startOf(id match.TicketID) time.Time {
	return tr.tickets[id].Start
}
