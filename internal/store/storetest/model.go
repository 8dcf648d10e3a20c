package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/memdb"
)

// An op is one call on a Tx, in a form that can be made twice.
type op struct {
	name          string
	kind, id      string
	index, prefix string
	after         store.Cursor
	limit         int
	row           store.Row
	now           int
}

// do makes the call and returns what it answered as text.
func (o op) do(tx store.Tx) string {
	switch o.name {
	case "get":
		r, ok, err := tx.Get(o.kind, o.id)
		return fmt.Sprintf("get %s: %s %v %v", o.id, show(r), ok, err)
	case "put":
		return fmt.Sprintf("put %s: %v", show(o.row), tx.Put(o.kind, o.row))
	case "get and put":
		r, ok, err := tx.Get(o.kind, o.row.ID)
		return fmt.Sprintf("get and put %s: %s %v %v %v", show(o.row), show(r), ok, err, tx.Put(o.kind, o.row))
	case "delete":
		return fmt.Sprintf("delete %s: %v", o.id, tx.Delete(o.kind, o.id))
	case "scan":
		rows, err := tx.Scan(o.kind, o.index, o.prefix, o.after, o.limit)
		return fmt.Sprintf("scan %q %q %q %d: %s %v", o.index, o.prefix, o.after, o.limit, show(rows...), err)
	case "walk": // page by page, to the end
		var b strings.Builder
		for after := o.after; ; {
			rows, err := tx.Scan(o.kind, o.index, o.prefix, after, o.limit)
			if fmt.Fprintf(&b, "%s %v; ", show(rows...), err); len(rows) == 0 {
				return fmt.Sprintf("walk %q %q %q %d: %s", o.index, o.prefix, o.after, o.limit, b.String())
			}
			after = rows[len(rows)-1].Cursor(o.index)
		}
	case "claim":
		rows, err := tx.Claim(o.kind, o.id, at(o.now), at(o.now+o.limit), o.limit)
		return fmt.Sprintf("claim %s %d %d: %s %v", o.id, o.now, o.limit, show(rows...), err)
	case "next":
		due, ok, err := tx.NextDue(o.kind)
		return fmt.Sprintf("next: %v %v %v", due, ok, err)
	}
	panic(o.name)
}

func show(rows ...store.Row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "[%s %q %v due %s by %q until %s]", r.ID, r.Body, r.Keys, clock(r.Due), r.Owner, clock(r.Until))
	}
	return b.String()
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(epoch).String()
}

var (
	someIDs     = rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"})
	someIndexes = rapid.SampledFrom([]string{"", "status", "status", "build"})
	someValues  = rapid.SampledFrom([]string{"", "A", "A/1", "A/2", "B", "B/1"})
	someTimes   = rapid.IntRange(0, 20)
)

func genOp(writes bool) *rapid.Generator[op] {
	names := []string{"get", "scan", "scan", "walk", "next"}
	if writes {
		names = append(names, "put", "get and put", "get and put", "get and put", "delete", "claim")
	}
	return rapid.Custom(func(t *rapid.T) op {
		o := op{
			name:  rapid.SampledFrom(names).Draw(t, "op"),
			kind:  "fleet",
			id:    someIDs.Draw(t, "id"),
			limit: rapid.IntRange(1, 7).Draw(t, "limit"),
			now:   someTimes.Draw(t, "now"),
		}
		switch o.name {
		case "scan", "walk":
			o.index = someIndexes.Draw(t, "index")
			if o.index == "" {
				o.prefix = rapid.SampledFrom([]string{"", "", "", "c"}).Draw(t, "prefix")
			} else {
				o.prefix = someValues.Draw(t, "prefix")
			}
			if rapid.Bool().Draw(t, "from a cursor") {
				o.after = store.Cursor{Value: someValues.Draw(t, "value"), ID: o.id}
			}
		case "put", "get and put":
			o.row = store.Row{ID: o.id, Body: []byte(rapid.StringMatching("[x-z]{0,2}").Draw(t, "body"))}
			o.row.Keys = map[string]string{"status": someValues.Draw(t, "status"), "build": someValues.Draw(t, "build")}
			if rapid.Bool().Draw(t, "is due") {
				o.row.Due = at(someTimes.Draw(t, "due"))
			}
		}
		return o
	})
}

// A script is the calls of one transaction, and whether it fails after them.
type script struct {
	ops   []op
	view  bool
	fails bool
}

func genScript(t *rapid.T) script {
	s := script{view: rapid.IntRange(0, 4).Draw(t, "view") == 0}
	s.ops = rapid.SliceOfN(genOp(!s.view), 1, 8).Draw(t, "ops")
	s.fails = rapid.IntRange(0, 5).Draw(t, "fails") == 0
	return s
}

// run runs the script and returns all answers as text. Each time the closure
// starts it calls started.
func (sc script) run(t *testing.T, s store.Store, started func()) string {
	call := s.Update
	if sc.view {
		call = s.View
	}
	var answers []string
	err := call(t.Context(), func(tx store.Tx) error {
		started()
		answers = nil
		for _, o := range sc.ops {
			answers = append(answers, o.do(tx))
		}
		if sc.fails {
			return errFails
		}
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		err = store.ErrConflict
	}
	return fmt.Sprintf("%s\n%v", strings.Join(answers, "\n"), err)
}

// testModel gives the store and memdb the same transactions and compares every
// answer. Some of the transactions come at the same time: then the order in
// which the store ran them is the order in which memdb gets them.
func testModel(t *testing.T, open Open) {
	s := start(t, open)
	rapid.Check(t, func(rt *rapid.T) {
		model, err := memdb.New(kinds...)
		if err != nil {
			rt.Fatal(err)
		}
		defer model.Close()
		update(t, s, func(tx store.Tx) {
			for _, r := range scan(t, tx, "fleet", "", "", store.Cursor{}, 99) {
				remove(t, tx, "fleet", r.ID)
			}
		})
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			scripts := make([]script, rapid.SampledFrom([]int{1, 1, 4}).Draw(rt, "at once"))
			answers := make([]string, len(scripts))
			var mu sync.Mutex
			var order []int // of starts; the last start of each counts
			for i := range scripts {
				scripts[i] = genScript(rt)
				if len(scripts) > 1 {
					scripts[i].view = false // its place in the order is not known
					scripts[i].ops = rapid.SliceOfN(genOp(true), 1, 8).Draw(rt, "ops")
				}
			}
			concurrently(len(scripts), func(i int) {
				answers[i] = scripts[i].run(t, s, func() {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
				})
			})
			last := map[int]int{}
			for n, i := range order {
				last[i] = n
			}
			for n, i := range order {
				if last[i] != n {
					continue
				}
				want := scripts[i].run(t, model, func() {})
				if d := diff(strings.Split(want, "\n"), strings.Split(answers[i], "\n")); d != "" {
					rt.Fatalf("answers differ (- model, + store), run order %v:\n%s", order, d)
				}
			}
		}
		all := script{view: true, ops: []op{
			{name: "scan", kind: "fleet", limit: 99}, {name: "scan", kind: "fleet", index: "status", limit: 99},
			{name: "scan", kind: "fleet", index: "build", limit: 99}, {name: "next", kind: "fleet"},
		}}
		if d := diff(all.run(t, model, func() {}), all.run(t, s, func() {})); d != "" {
			rt.Fatalf("what is left differs (- model, + store):\n%s", d)
		}
	})
}
