package clients

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/scenario"
)

var record = flag.Bool("record", false, "write testdata/coverage.txt anew")

const recordFile = "testdata/coverage.txt"

// An outcome is what came of one step with one client.
type outcome struct {
	unknown bool
	code    string // of the error
	answer  any    // normalised
}

// A trip is the journey of one client.
type trip struct {
	*client
	outcomes []outcome
	known    map[string]bool // operation and path of every member it ever read
}

// TestClients sends every client on the journey, and then compares what they
// were told.
func TestClients(t *testing.T) {
	text, err := os.ReadFile("testdata/journey.txt")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := scenario.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	root, archive := game(t)
	script, content := script(t)
	machine := map[string]any{"root": root, "zip": archive, "script": script, "content": content}
	var (
		mu    sync.Mutex
		trips []*trip
		seen  = Recording{}
	)
	t.Run("journey", func(t *testing.T) {
		for _, c := range all {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				addr, data := serve(t)
				p := newProxy(t, addr)
				tr := &traveller{t: t, client: c, proxy: p, driver: drive(t, c, p.url, data), answers: map[string]any{"machine": machine}, trip: &trip{client: c, known: map[string]bool{}}}
				tr.travel(steps)
				checkEvents(t, filepath.Join(filepath.Dir(data), eventsFile))
				mu.Lock()
				defer mu.Unlock()
				trips = append(trips, tr.trip)
				for _, r := range tr.calls {
					if r.refused != "" {
						seen.Refuse(r.op, r.refused, r.words)
					} else {
						seen.Add(c.name, r.op, r.in, r.out)
					}
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	slices.SortFunc(trips, func(a, b *trip) int { return strings.Compare(a.name, b.name) })
	compareTrips(t, steps, trips)
	if *record && !t.Failed() {
		if err := os.WriteFile(recordFile, []byte(seen.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checkEvents checks that the matchmaker told its NotificationTarget of the
// matches of the journey. Events come when their transaction is done, and there
// were many steps since.
func checkEvents(t *testing.T, file string) {
	t.Helper()
	want := []string{`"MatchmakingSearching"`, `"PotentialMatchCreated"`, `"AcceptMatch"`, `"MatchmakingSucceeded"`, `"MatchmakingCancelled"`}
	for began := time.Now(); ; time.Sleep(30 * time.Millisecond) {
		b, err := os.ReadFile(file)
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return strings.Contains(string(b), w) })
		switch {
		case len(missing) == 0:
			return
		case time.Since(began) > 10*time.Second:
			t.Errorf("the topic was told no %s: %v", strings.Join(missing, ", "), err)
			return
		}
	}
}

// compareTrips compares every client with one that knows every member.
func compareTrips(t *testing.T, steps []scenario.Step, trips []*trip) {
	i := slices.IndexFunc(trips, func(tr *trip) bool { return tr.newest })
	if i < 0 {
		if len(trips) > 1 {
			t.Log("no client here knows every member; nothing is compared")
		}
		return
	}
	model := trips[i]
	for _, tr := range trips {
		if tr == model {
			continue
		}
		missing := map[string]bool{}
		for n, s := range steps {
			a, b := model.outcomes[n], tr.outcomes[n]
			if b.unknown {
				continue
			}
			if a.code != b.code {
				t.Errorf("line %d, %s: %s gets the error %q, %s %q", s.Line, s.Op, model.name, a.code, tr.name, b.code)
			}
			// An old client reads no member that is newer than it: one that it
			// never read, in any answer.
			lacks := func(path string) bool {
				never := !tr.newest && !tr.known[s.Op+" "+path]
				if never {
					missing[s.Op+"."+path] = true
				}
				return never
			}
			for _, d := range Differences(a.answer, b.answer, func(string) bool { return false }, lacks) {
				t.Errorf("line %d, %s: %s and %s are told different things: %s", s.Line, s.Op, model.name, tr.name, d)
			}
		}
		t.Logf("%s tells the same as %s over %d steps; too old for %d members of answers", tr.name, model.name, len(steps), len(missing))
	}
}

// A traveller makes the journey with one client.
type traveller struct {
	t *testing.T
	*client
	*trip
	proxy   *proxy
	driver  *driver
	answers map[string]any
	calls   []call
	tries   int // how often the operation of the last step was called
}

// A call is one that succeeded, or that refused a member.
type call struct {
	op             string
	in             map[string]any
	out            any
	refused, words string
}

// travel makes the whole journey. It goes on after a step that failed, so that
// one run tells all there is to tell.
func (tr *traveller) travel(steps []scenario.Step) {
	failed := 0
	for _, s := range steps {
		began := time.Now()
		o, err := tr.step(s)
		if took := time.Since(began); took > 2*time.Second {
			tr.t.Logf("line %d, %s took %s", s.Line, s.Op, took.Round(time.Millisecond))
		}
		if err != nil {
			tr.t.Errorf("line %d, %s: %v", s.Line, s.Op, err)
			if failed++; failed > 20 {
				tr.t.Fatal("and so on")
			}
		}
		tr.outcomes = append(tr.outcomes, o)
	}
}

func (tr *traveller) step(s scenario.Step) (outcome, error) {
	unknown := outcome{unknown: true}
	in, err := scenario.Fill(s.In, tr.answers)
	if err != nil {
		if s.Since != "" && !tr.newest {
			return unknown, nil // it needs an answer that this client could not ask for
		}
		return unknown, err
	}
	switch s.Fault {
	case "500":
		tr.proxy.refuseNext(s.Op)
	case "clock":
		if err := tr.wrongClock(); err != nil {
			return unknown, err
		}
	}
	tr.proxy.forget("")
	question := map[string]any{"op": s.Op, "in": in}
	if s.Pages != "" {
		question["pages"] = s.Pages
	}
	began := time.Now()
	a, err := tr.driver.ask(question)
	for err == nil && time.Since(began) < 30*time.Second && a.Error == nil && a.Unknown == "" && scenario.Unmet(s.Until, a.Out) != "" {
		time.Sleep(30 * time.Millisecond)
		a, err = tr.driver.ask(question)
	}
	switch {
	case err != nil:
		return unknown, err
	case a.Unknown != "" && (s.Since == "" || tr.newest || s.Since <= tr.since):
		return unknown, fmt.Errorf("the client does not know %s", a.Unknown)
	case a.Unknown != "":
		return unknown, nil
	}
	if err := tr.retried(s); err != nil {
		return unknown, err
	}
	if a.Error != nil {
		if s.Fails != a.Error.Code || a.Error.Message == "" {
			return unknown, fmt.Errorf("the error %s: %s; expected %q", a.Error.Code, a.Error.Message, s.Fails)
		}
		if err := s.Refused(a.Error.Message); err != nil {
			return unknown, err
		}
		for _, member := range s.Refuse {
			tr.calls = append(tr.calls, call{op: s.Op, refused: member, words: a.Error.Message})
		}
		return outcome{code: a.Error.Code}, nil
	}
	if s.Name != "" {
		tr.answers[s.Name] = a.Out
	}
	if s.Fails != "" {
		return unknown, fmt.Errorf("no error, but %v; expected %s", a.Out, s.Fails)
	}
	if why := scenario.Unmet(tr.filled(slices.Concat(s.Until, s.Is)), a.Out); why != "" {
		return unknown, fmt.Errorf("%s in %v", why, a.Out)
	}
	n, err := Normalise(a.Out, journeyBegan, time.Now())
	if err != nil {
		return unknown, err
	}
	if s.Pages != "" {
		if err := tr.whole(s, in, a.Out); err != nil {
			return unknown, err
		}
		if tr.tries > 1 {
			// Every page but the first was asked for by the token that the one
			// before it had answered.
			in["NextToken"], a.Out.(map[string]any)["NextToken"] = "a token", "a token"
		}
	}
	tr.calls = append(tr.calls, call{op: s.Op, in: in, out: a.Out})
	known := map[string]bool{}
	Members(n, known)
	for path := range known {
		tr.known[s.Op+" "+path] = true
	}
	for _, path := range s.Loose {
		Loosen(n, path)
	}
	for _, path := range s.Sorted {
		Sort(n, path)
	}
	return outcome{answer: n}, nil
}

var journeyBegan = time.Now()

// filled returns expectations with the values they refer to.
func (tr *traveller) filled(wants []scenario.Want) []scenario.Want {
	for i, w := range wants {
		if v, err := scenario.Fill(map[string]any{"": w.Value}, tr.answers); err == nil {
			wants[i].Value = v[""].(string)
		}
	}
	return wants
}

// whole checks that pages held together what one answer without a limit holds,
// and each item once.
func (tr *traveller) whole(s scenario.Step, in map[string]any, out any) error {
	in = maps.Clone(in)
	delete(in, "Limit")
	a, err := tr.driver.ask(map[string]any{"op": s.Op, "in": in})
	if err != nil || a.Error != nil {
		return fmt.Errorf("asked without a limit: %v %v", a.Error, err)
	}
	pages, one := items(out, s.Pages), items(a.Out, s.Pages)
	if !slices.Equal(pages, one) {
		return fmt.Errorf("the pages held %v; one answer holds %v", pages, one)
	}
	if len(slices.Compact(pages)) != len(one) {
		return fmt.Errorf("something stands on two pages: %v", one)
	}
	return nil
}

// items are the elements of a list in an answer, as text, in order, but for
// links, which are signed anew every time.
func items(out any, member string) []string {
	list, _ := scenario.At(out, member)
	var texts []string
	each, _ := list.([]any)
	for _, item := range each {
		if m, ok := item.(map[string]any); ok {
			item = maps.Clone(m)
			delete(item.(map[string]any), "PreSignedLogUrl")
		}
		texts = append(texts, fmt.Sprint(item))
	}
	slices.Sort(texts)
	return texts
}

// skew is how wrong a client's clock is made: more than a signature may be.
const skew = 20 * time.Minute

// wrongClock makes the client's clock wrong: that of its process where the
// driver can do that; else by an answer with a wrong date, as Go's SDK goes by
// the last answer.
func (tr *traveller) wrongClock() error {
	a, err := tr.driver.ask(map[string]any{"op": "Skew", "in": map[string]any{"Seconds": skew.Seconds()}})
	if err != nil || a.Unknown == "" {
		return err
	}
	tr.proxy.wrongDate(skew)
	_, err = tr.driver.ask(map[string]any{"op": "ListBuilds", "in": map[string]any{}})
	return err
}

// retried checks that the client tried again where it had to.
func (tr *traveller) retried(s scenario.Step) error {
	tries := tr.proxy.forget(s.Op)
	tr.tries = len(tries)
	switch {
	case s.Fault == "500" && !slices.Equal(tries, []int{500, 200}):
		return fmt.Errorf("the statuses were %v; expected a second try after 500", tries)
	case s.Fault == "clock" && tr.corrects && (len(tries) != 2 || tries[0]/100 != 4 || tries[1] != 200):
		return fmt.Errorf("the statuses were %v; expected a refusal for the wrong clock, and a second try", tries)
	}
	return nil
}
