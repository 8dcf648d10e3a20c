package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/golden"
	"github.com/chairlift-games/chairlift/internal/lift"
)

const topic = "arn:aws:sns:us-west-2:123456789012:matches"

// audience is a court whose events are heard.
type audience struct {
	*court
	types map[string]bool
}

func newAudience(t *testing.T) *audience {
	c := newCourt(t)
	for _, name := range []string{"queue", "asks", "alone"} {
		must(c.UpdateMatchmakingConfiguration(c.ctx, &api.UpdateMatchmakingConfigurationInput{Name: name, NotificationTarget: new(topic), CustomEventData: new("season 3")}))(t)
	}
	must(c.UpdateGameSessionQueue(c.ctx, &api.UpdateGameSessionQueueInput{Name: "q", NotificationTarget: new(topic), CustomEventData: new("queue data")}))(t)
	c.take()
	c.sinks = []string{"bus"}
	return &audience{court: c, types: map[string]bool{}}
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// said compares the events since it was last called with the golden file of
// that name.
func (a *audience) said(name string) {
	a.t.Helper()
	var out bytes.Buffer
	ids := map[string]string{}
	var before time.Time
	for _, eff := range a.take() {
		p := eff.Publish
		if p == nil {
			continue
		}
		if sink, ok := eff.To.Sink(); !ok || sink != "bus" || p.Topic != topic || !p.At.After(before) {
			a.t.Errorf("%s: an event to %s for topic %s at %s, after %s", name, eff.To, p.Topic, p.At, before)
		}
		before = p.At
		var ev struct{ Detail struct{ Type string } }
		if err := json.Unmarshal([]byte(p.Event), &ev); err != nil {
			a.t.Fatal(err)
		}
		a.types[ev.Detail.Type] = true
		fmt.Fprintf(&out, "%s, about %s\n", ev.Detail.Type, strings.Join(p.Subjects, " and "))
		if err := json.Indent(&out, []byte(p.Event), "", "  "); err != nil {
			a.t.Fatal(err)
		}
		out.WriteString("\n\n")
	}
	text := uuid.ReplaceAllStringFunc(out.String(), func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("00000000-0000-0000-0000-%012d", len(ids)+1)
		}
		return ids[id]
	})
	golden.File(a.t.(*testing.T), "testdata/events/"+name+".txt", text)
}

// Every event, in the form that clients parse.
func TestEvents(t *testing.T) {
	a := newAudience(t)
	a.start("queue", "a", 1)
	a.start("queue", "far", 50)
	a.match()
	a.said("searching")
	a.pass(1500 * time.Millisecond)
	a.start("queue", "b", 9)
	a.match()
	a.said("found-without-acceptance")
	a.turn()
	a.activate(a.sessions()[0])
	a.said("placed")
	must(a.StopMatchmaking(a.ctx, &api.StopMatchmakingInput{TicketId: "far"}))(t)
	a.said("stopped")

	a.start("alone", "solo", 1)
	a.match()
	a.take()
	a.start("alone", "other", 1)
	a.match()
	a.said("standalone")
	a.start("alone", "lonely", 1)
	a.match()
	a.take()
	a.pass(time.Minute)
	a.said("timed-out")

	a.start("asks", "c", 1)
	a.start("asks", "d", 1)
	a.match()
	a.take()
	a.answer("c", "ACCEPT")
	a.said("accepted-by-one")
	a.answer("d", "ACCEPT")
	a.said("accepted-by-all")
	a.turn()
	a.pass(20 * time.Second) // nobody activates the session
	a.said("placement-timed-out")
	a.match() // the two are found again
	a.take()
	a.answer("c", "ACCEPT")
	a.answer("d", "REJECT")
	a.said("rejected")
	a.start("asks", "e", 1)
	a.match()
	a.take()
	a.answer("e", "ACCEPT")
	a.pass(10 * time.Second)
	a.said("acceptance-timed-out")
	a.match() // e searches again
	a.said("searching-again")
	must(a.StopMatchmaking(a.ctx, &api.StopMatchmakingInput{TicketId: "e"}))(t)

	in := &api.StartGameSessionPlacementInput{PlacementId: "p1", GameSessionQueueName: "q", MaximumPlayerSessionCount: 2}
	must(a.StartGameSessionPlacement(a.ctx, in))(t)
	a.take()
	must(a.StopGameSessionPlacement(a.ctx, &api.StopGameSessionPlacementInput{PlacementId: "p1"}))(t)
	a.said("placement-cancelled")
	a.edit(a.fleet, func(f *lift.Fleet) { f.Status = lift.FleetError })
	a.start("queue", "f", 1)
	a.start("queue", "g", 1)
	a.match()
	a.turn()
	a.take()
	must(a.DeleteGameSessionQueue(a.ctx, &api.DeleteGameSessionQueueInput{Name: "q"}))(t)
	a.said("placement-failed")
	a.start("queue", "h", 1)
	a.start("queue", "i", 1)
	a.match()
	a.said("no-queue")
	a.start("alone", "j", 1)
	a.match()
	a.take()
	must(a.CreateMatchmakingRuleSet(a.ctx, &api.CreateMatchmakingRuleSetInput{Name: "text", RuleSetBody: textRules}))(t)
	must(a.UpdateMatchmakingConfiguration(a.ctx, &api.UpdateMatchmakingConfigurationInput{Name: "alone", RuleSetName: new("text")}))(t)
	a.match()
	a.said("no-match-for-these-attributes")

	want := []string{
		"AcceptMatch", "AcceptMatchCompleted", "MatchmakingCancelled", "MatchmakingFailed", "MatchmakingSearching", "MatchmakingSucceeded",
		"MatchmakingTimedOut", "PlacementCancelled", "PlacementFailed", "PlacementFulfilled", "PlacementTimedOut", "PotentialMatchCreated",
	}
	if got := slices.Sorted(maps.Keys(a.types)); !slices.Equal(got, want) {
		t.Errorf("heard %s, want %s", got, want)
	}
}

// Where nobody listens events cost no row.
func TestNoSinkNoRow(t *testing.T) {
	a := newAudience(t)
	a.sinks = nil
	a.start("alone", "a", 1)
	a.start("alone", "b", 1)
	a.match()
	a.expect("a COMPLETED", "b COMPLETED")
	if left := a.take(); len(left) != 0 {
		t.Errorf("effects %+v", left)
	}
}

// textRules wants a skill in words.
const textRules = `{"ruleLanguageVersion":"1.0","playerAttributes":[{"name":"skill","type":"string"}],"teams":[{"name":"t","minPlayers":2,"maxPlayers":2}]}`
