package matcher

import (
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// explain asks why a ticket waits.
func explain(t *testing.T, e *engine.Engine, id string) (why []string) {
	t.Helper()
	err := e.View(t.Context(), func(tx store.Tx) error {
		tk, err := store.Tickets.Find(tx, "us-west-2/"+id)
		if err != nil {
			return err
		}
		why, err = Explain(tx, e.Now(), tk)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return why
}

// Nothing is explained of a ticket whose configuration is gone.
func TestExplainWithoutAConfiguration(t *testing.T) {
	e := newEngine(t)
	if err := submit(t.Context(), e, "m", "t"); err != nil {
		t.Fatal(err)
	}
	if why := explain(t, e, "t"); len(why) != 0 {
		t.Errorf("got %q", why)
	}
}

// A ticket is told what keeps it waiting, whether its matcher has seen it or not,
// and not what is wrong with another.
func TestExplain(t *testing.T) {
	e := newEngine(t, "m")
	putRules(t, e, bySkill)
	now := e.Now()
	ticket := func(id string, s lift.TicketStatus, skill lift.Attribute) {
		tk := withSkill(id, skill, now)
		tk.Status, tk.Arriving = s, s == lift.TicketQueued
		put(t, e, tk)
	}
	ticket("a-misfit", lift.TicketSearching, lift.Attribute{S: new("high")})
	ticket("matched", lift.TicketPlacing, lift.Attribute{N: new(1.0)})
	for id, status := range map[string]lift.TicketStatus{"seen": lift.TicketSearching, "new": lift.TicketQueued} {
		ticket(id, status, lift.Attribute{N: new(1.0)})
		if why := explain(t, e, id); len(why) == 0 || !strings.Contains(why[0], "Nobody else") {
			t.Errorf("%s waits because of %q", id, why)
		}
		change(t, e, func(tx *engine.Tx) error { return store.Tickets.Delete(tx, "us-west-2/"+id) })
	}
	if why := explain(t, e, "a-misfit"); len(why) != 1 || !strings.Contains(why[0], "skill") {
		t.Errorf("the misfit waits because of %q", why)
	}
}

// What was valid once may not be for the Chairlift that runs now. It says so, to
// players who ask and in the log, instead of ending.
func TestARuleSetFromBefore(t *testing.T) {
	e := newEngine(t, "m")
	putRules(t, e, `{"ruleLanguageVersion":"0.9"}`)
	if err := submit(t.Context(), e, "m", "t"); err != nil {
		t.Fatal(err)
	}
	if why := explain(t, e, "t"); len(why) != 1 || !strings.Contains(why[0], "rule set other") {
		t.Errorf("got %q", why)
	}
	if _, err := newDriver(e, quiet, "us-west-2/m").run(t.Context()); err == nil || !strings.Contains(err.Error(), "rule set other") {
		t.Errorf("got %v", err)
	}
}
