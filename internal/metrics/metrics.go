// Package metrics counts what happens and looks at what is there, in the names
// of behaviour 9 as Prometheus spells them.
//
// Nothing is written to the store for statistics: what happens is counted in
// memory, from when this server started; what is there is read from the store
// when somebody asks, at most every few seconds. It must not know who calls it.
//
//	m := metrics.New(metrics.Options{Store: s})
//	m.Request("GameLift", "CreateFleet", "", 3*time.Millisecond)
//	mux.Handle("GET /metrics", m)
package metrics

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Options are what Metrics are made of. Store is required.
type Options struct {
	Store store.Store
	Now   func() time.Time // default time.Now
}

// Metrics is safe for use by many goroutines. It is the handler of /metrics.
type Metrics struct {
	o   Options
	set *vm.Set

	mu     sync.Mutex // guards what follows
	looked time.Time
	text   []byte // of the last look at the store
}

// lookEvery is how old what is said of the store may be.
const lookEvery = 5 * time.Second

// seconds are the bounds of durations that are measured in milliseconds.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// waits are the bounds of what players wait for.
var waits = []float64{.1, .5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600}

// New makes Metrics with nothing counted.
func New(o Options) *Metrics {
	if o.Now == nil {
		o.Now = time.Now
	}
	vm.ExposeMetadata(true) // a line of # TYPE for each name
	return &Metrics{o: o, set: vm.NewSet()}
}

// Request counts a call of the API and how long its answer took. Code is the
// name of the exception, "" for a success.
func (m *Metrics) Request(service, operation, code string, took time.Duration) {
	if operation == "" {
		service, operation = "unknown", "unknown"
	}
	if code == "" {
		code = "OK"
	}
	m.set.GetOrCreateCounter(name("chairlift_requests_total", "service", service, "operation", operation, "code", code)).Inc()
	m.set.GetOrCreatePrometheusHistogramExt(name("chairlift_request_seconds", "operation", operation), seconds).Update(took.Seconds())
}

// Event counts an attempt to deliver an event, by what came of it.
func (m *Metrics) Event(sink, result string) {
	m.set.GetOrCreateCounter(name("chairlift_event_attempts_total", "sink", sink, "result", result)).Inc()
}

// Count counts something that happened n times to the thing that label names, by
// the name behaviour 9 gives it: "PlacementsSucceeded".
func (m *Metrics) Count(what string, n int, label, of, region string) {
	m.set.GetOrCreateCounter(name("chairlift_"+snake(what)+"_total", label, of, "region", region)).Add(n)
}

// Wait notes how long somebody waited for what, likewise.
func (m *Metrics) Wait(what string, took time.Duration, label, of, region string) {
	m.set.GetOrCreatePrometheusHistogramExt(name("chairlift_"+snake(what)+"_seconds", label, of, "region", region), waits).Update(took.Seconds())
}

// Waits notes how long several waited at once, likewise.
func (m *Metrics) Waits(what string, took []time.Duration, label, of, region string) {
	h := m.set.GetOrCreatePrometheusHistogramExt(name("chairlift_"+snake(what)+"_seconds", label, of, "region", region), waits)
	for _, t := range took {
		h.Update(t.Seconds())
	}
}

// Rule counts evaluations of a rule of a matchmaking configuration's rule set,
// by the name behaviour 9 gives them.
func (m *Metrics) Rule(what string, n int, configuration, rule, region string) {
	m.set.GetOrCreateCounter(name("chairlift_"+snake(what)+"_total", "matchmaking_configuration_name", configuration, "rule_name", rule, "region", region)).Add(n)
}

// Pass notes how long the matchmaker of a configuration took to look through its
// pool once.
func (m *Metrics) Pass(took time.Duration, configuration, region string) {
	m.set.GetOrCreatePrometheusHistogramExt(name("chairlift_matchmaker_pass_seconds", "matchmaking_configuration_name", configuration, "region", region), seconds).Update(took.Seconds())
}

func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	look, err := m.look(r)
	if err != nil {
		http.Error(w, "the store cannot be read: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	var out bytes.Buffer
	m.set.WritePrometheus(&out)
	out.Write(look)
	vm.WriteProcessMetrics(&out)
	_, _ = w.Write(out.Bytes()) // an error means the client has gone
}

// look returns what the store holds, as it was at most a few seconds ago.
func (m *Metrics) look(r *http.Request) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.o.Now()
	if m.text != nil && now.Sub(m.looked) < lookEvery && !now.Before(m.looked) {
		return m.text, nil
	}
	c := newCensus(now)
	if err := m.o.Store.View(r.Context(), func(tx store.Tx) error {
		c = newCensus(now)
		return c.count(tx)
	}); err != nil {
		return nil, err
	}
	m.looked, m.text = now, c.write()
	return m.text, nil
}

// name writes a metric with its labels, given as names and values in turn.
func name(metric string, labels ...string) string {
	var b strings.Builder
	b.WriteString(metric)
	for i := 0; i < len(labels); i += 2 {
		b.WriteString([]string{"{", ","}[min(i, 1)])
		fmt.Fprintf(&b, "%s=%s", labels[i], strconv.Quote(labels[i+1]))
	}
	b.WriteByte('}')
	return b.String()
}

// snake spells ActiveInstances as active_instances.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
