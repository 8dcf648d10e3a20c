// Package storetest proves that a store keeps the contract of package store.
//
// Each implementation calls Run from a test. The suite must not know how a
// store works inside: what it checks is what callers rely on.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, kinds []store.Kind) store.Store { … })
//	}
package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Open returns an empty store for the kinds. The suite closes it.
type Open func(t *testing.T, kinds []store.Kind) store.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for name, f := range map[string]func(*testing.T, Open){
		"Rows":       testRows,
		"Scan":       testScan,
		"OwnReads":   testOwnReads,
		"Claim":      testClaim,
		"NextDue":    testNextDue,
		"Guards":     testGuards,
		"Undeclared": testUndeclared,
		"Refused":    testRefused,
		"Visibility": testVisibility,
		"Isolation":  testIsolation,
		"Panic":      testPanic,
		"Context":    testContext,
		"Watch":      testWatch,
		"Close":      testClose,
		"Limits":     testLimits,
		"Model":      testModel,
	} {
		t.Run(name, func(t *testing.T) { f(t, open) })
	}
}

// Two kinds that the tests use: one with two indexes, one with none.
var kinds = []store.Kind{
	{Name: "fleet", Indexes: []string{"status", "build"}},
	{Name: "note"},
}

var (
	epoch    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errFails = errors.New("the closure fails")
)

func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

func start(t *testing.T, open Open) store.Store {
	t.Helper()
	s := open(t, kinds)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func update(t *testing.T, s store.Store, f func(store.Tx)) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error { f(tx); return nil })
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func view(t *testing.T, s store.Store, f func(store.Tx)) {
	t.Helper()
	err := s.View(t.Context(), func(tx store.Tx) error { f(tx); return nil })
	if err != nil {
		t.Fatalf("View: %v", err)
	}
}

// both runs f in a View and in an Update.
func both(t *testing.T, s store.Store, f func(*testing.T, store.Tx)) {
	t.Helper()
	t.Run("View", func(t *testing.T) { view(t, s, func(tx store.Tx) { f(t, tx) }) })
	t.Run("Update", func(t *testing.T) { update(t, s, func(tx store.Tx) { f(t, tx) }) })
}

// write puts rows, reading them first so that they may exist.
func write(t *testing.T, s store.Store, kind string, rows ...store.Row) {
	t.Helper()
	update(t, s, func(tx store.Tx) {
		for _, r := range rows {
			get(t, tx, kind, r.ID)
			put(t, tx, kind, r)
		}
	})
}

func put(t *testing.T, tx store.Tx, kind string, rows ...store.Row) {
	t.Helper()
	for _, r := range rows {
		if err := tx.Put(kind, r); err != nil {
			t.Fatalf("Put %s %q: %v", kind, r.ID, err)
		}
	}
}

func get(t *testing.T, tx store.Tx, kind, id string) (store.Row, bool) {
	t.Helper()
	r, ok, err := tx.Get(kind, id)
	if err != nil {
		t.Fatalf("Get %s %q: %v", kind, id, err)
	}
	return r, ok
}

func remove(t *testing.T, tx store.Tx, kind, id string) {
	t.Helper()
	if err := tx.Delete(kind, id); err != nil {
		t.Fatalf("Delete %s %q: %v", kind, id, err)
	}
}

func scan(t *testing.T, tx store.Tx, kind, index, prefix string, after store.Cursor, limit int) []store.Row {
	t.Helper()
	rows, err := tx.Scan(kind, index, prefix, after, limit)
	if err != nil {
		t.Fatalf("Scan %s %q %q: %v", kind, index, prefix, err)
	}
	return rows
}

func claim(t *testing.T, tx store.Tx, kind, owner string, now, until time.Time, limit int) []store.Row {
	t.Helper()
	rows, err := tx.Claim(kind, owner, now, until, limit)
	if err != nil {
		t.Fatalf("Claim %s: %v", kind, err)
	}
	return rows
}

func ids(rows []store.Row) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}

func wantIDs(t *testing.T, what string, rows []store.Row, want string) {
	t.Helper()
	if got := ids(rows); got != want {
		t.Errorf("%s: got [%s], want [%s]", what, got, want)
	}
}

func diff(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

func testRows(t *testing.T, open Open) {
	s := start(t, open)
	rows := []store.Row{
		{ID: "plain"},
		{ID: "body", Body: []byte("{\"a\":1}\x00\xff")},
		{ID: "keys", Body: []byte("x"), Keys: map[string]string{"status": "ACTIVE", "build": "b/ü/1"}},
		{ID: "one key", Keys: map[string]string{"build": "b2"}},
		{ID: "due", Due: time.Date(2031, 12, 31, 23, 59, 59, 123456000, time.UTC)},
		{ID: "early", Due: time.Date(1969, 7, 20, 20, 17, 40, 1000, time.UTC)},
		{ID: "start of unix time", Due: time.Unix(0, 0).UTC()},
		{ID: "quote ' \" ; -- %", Body: []byte("'"), Keys: map[string]string{"status": "' OR 1=1"}},
		{ID: "日本語", Body: make([]byte, 20_000)},
		{ID: strings.Repeat("i", store.MaxKeyBytes), Keys: map[string]string{"status": strings.Repeat("s", store.MaxKeyBytes)}},
	}
	write(t, s, "fleet", rows...)
	both(t, s, func(t *testing.T, tx store.Tx) {
		for _, want := range rows {
			got, ok := get(t, tx, "fleet", want.ID)
			if d := diff(want, got); !ok || d != "" {
				t.Errorf("row %.20q: found %v, difference:\n%s", want.ID, ok, d)
			}
		}
		if r, ok := get(t, tx, "fleet", "absent"); ok {
			t.Errorf("absent row: %v", r)
		}
		if r, ok := get(t, tx, "note", "plain"); ok {
			t.Errorf("row of another kind: %v", r)
		}
		got := map[string]store.Row{}
		for _, r := range scan(t, tx, "fleet", "", "", store.Cursor{}, 100) {
			got[r.ID] = r
		}
		want := map[string]store.Row{}
		for _, r := range rows {
			want[r.ID] = r
		}
		if d := diff(want, got); d != "" {
			t.Errorf("rows by Scan:\n%s", d)
		}
	})

	t.Run("replaced", func(t *testing.T) {
		write(t, s, "fleet", store.Row{ID: "keys", Body: []byte("y"), Keys: map[string]string{"status": "ERROR", "build": ""}})
		both(t, s, func(t *testing.T, tx store.Tx) {
			got, _ := get(t, tx, "fleet", "keys")
			if d := diff(store.Row{ID: "keys", Body: []byte("y"), Keys: map[string]string{"status": "ERROR"}}, got); d != "" {
				t.Error(d)
			}
			wantIDs(t, "old value", scan(t, tx, "fleet", "status", "ACTIVE", store.Cursor{}, 9), "")
			wantIDs(t, "removed value", scan(t, tx, "fleet", "build", "b/", store.Cursor{}, 9), "")
			wantIDs(t, "new value", scan(t, tx, "fleet", "status", "ERROR", store.Cursor{}, 9), "keys")
		})
	})

	t.Run("due is rounded up", func(t *testing.T) {
		write(t, s, "fleet", store.Row{ID: "plain", Due: epoch.Add(1001).In(time.FixedZone("x", 3600))})
		both(t, s, func(t *testing.T, tx store.Tx) {
			got, _ := get(t, tx, "fleet", "plain")
			if want := epoch.Add(2000); got.Due != want {
				t.Errorf("due %v, want %v", got.Due, want)
			}
		})
	})

	t.Run("deleted and made again", func(t *testing.T) {
		update(t, s, func(tx store.Tx) { remove(t, tx, "fleet", "one key") })
		both(t, s, func(t *testing.T, tx store.Tx) {
			if _, ok := get(t, tx, "fleet", "one key"); ok {
				t.Error("row is still there")
			}
			wantIDs(t, "by index", scan(t, tx, "fleet", "build", "b2", store.Cursor{}, 9), "")
		})
		update(t, s, func(tx store.Tx) { put(t, tx, "fleet", store.Row{ID: "one key", Body: []byte("again")}) })
		both(t, s, func(t *testing.T, tx store.Tx) {
			if r, _ := get(t, tx, "fleet", "one key"); string(r.Body) != "again" {
				t.Errorf("row is %v", r)
			}
		})
	})
}

// scanRows are in the order that every scan of index status has.
var scanRows = []store.Row{
	{ID: "z", Keys: map[string]string{"status": "A"}},
	{ID: "b", Keys: map[string]string{"status": "A/1"}},
	{ID: "c", Keys: map[string]string{"status": "A/1"}},
	{ID: "a", Keys: map[string]string{"status": "A/2"}},
	{ID: "d", Keys: map[string]string{"status": "Aé"}},
	{ID: "e", Keys: map[string]string{"status": "B"}},
	{ID: "f", Keys: map[string]string{"status": "a"}},
	{ID: "g", Keys: map[string]string{"status": "\U0010FFFF"}},
	{ID: "h", Keys: map[string]string{"status": "\U0010FFFFx"}},
}

type scanCase struct {
	index, prefix string
	after         store.Cursor
	limit         int
	want          string
}

var scanCases = []scanCase{
	{"status", "", store.Cursor{}, 99, "z b c a d e f g h"},
	{"status", "A", store.Cursor{}, 99, "z b c a d"},
	{"status", "A/", store.Cursor{}, 99, "b c a"},
	{"status", "A/1", store.Cursor{}, 99, "b c"},
	{"status", "A/", store.Cursor{}, 2, "b c"},
	{"status", "A/", store.Cursor{Value: "A/1", ID: "b"}, 99, "c a"},
	{"status", "A/", store.Cursor{Value: "A/1", ID: "bb"}, 99, "c a"},
	{"status", "A/", store.Cursor{Value: "A/2", ID: "a"}, 99, ""},
	{"status", "A/", store.Cursor{Value: "A", ID: "z"}, 99, "b c a"},
	{"status", "A/", store.Cursor{Value: "B", ID: "e"}, 99, ""},
	{"status", "", store.Cursor{Value: "A/1", ID: "c"}, 3, "a d e"},
	{"status", "C", store.Cursor{}, 99, ""},
	{"status", "\U0010FFFF", store.Cursor{}, 99, "g h"},
	{"build", "", store.Cursor{}, 99, ""},
	{"", "", store.Cursor{}, 99, "a b c d e f g h z"},
	{"", "", store.Cursor{ID: "c"}, 2, "d e"},
	{"", "", store.Cursor{Value: "ignored", ID: "c"}, 2, "d e"},
	{"", "c", store.Cursor{}, 99, "c"},
	{"", "z", store.Cursor{ID: "z"}, 99, ""},
}

func checkScans(t *testing.T, tx store.Tx) {
	t.Helper()
	for _, c := range scanCases {
		rows := scan(t, tx, "fleet", c.index, c.prefix, c.after, c.limit)
		wantIDs(t, fmt.Sprintf("Scan(%q, %q, %q, %d)", c.index, c.prefix, c.after, c.limit), rows, c.want)
	}
}

func testScan(t *testing.T, open Open) {
	s := start(t, open)
	shuffled := slices.Clone(scanRows)
	slices.SortFunc(shuffled, func(a, b store.Row) int { return -strings.Compare(a.ID, b.ID) })
	write(t, s, "fleet", shuffled...)
	for range 3 { // the store may remember
		both(t, s, checkScans)
	}

	t.Run("page by page", func(t *testing.T) {
		both(t, s, func(t *testing.T, tx store.Tx) {
			for _, index := range []string{"", "status"} {
				all := scan(t, tx, "fleet", index, "", store.Cursor{}, 99)
				var pages []store.Row
				var after store.Cursor
				for {
					page := scan(t, tx, "fleet", index, "", after, 2)
					if len(page) == 0 {
						break
					}
					pages = append(pages, page...)
					after = page[len(page)-1].Cursor(index)
				}
				if d := diff(all, pages); d != "" {
					t.Errorf("index %q:\n%s", index, d)
				}
			}
		})
	})

	t.Run("many rows", func(t *testing.T) {
		const n = 1500
		update(t, s, func(tx store.Tx) {
			for i := range n {
				put(t, tx, "note", store.Row{ID: fmt.Sprintf("n%05d", i*7919%n)})
			}
		})
		both(t, s, func(t *testing.T, tx store.Tx) {
			for _, limit := range []int{1, n - 1, n, n + 1} {
				rows := scan(t, tx, "note", "", "n", store.Cursor{}, limit)
				if len(rows) != min(limit, n) || !slices.IsSortedFunc(rows, func(a, b store.Row) int { return strings.Compare(a.ID, b.ID) }) {
					t.Errorf("limit %d: %d rows, or not in order", limit, len(rows))
				}
			}
		})
	})
}

// testOwnReads makes the same picture as testScan inside one transaction: out
// of rows that are committed, replaced, moved, deleted and new.
func testOwnReads(t *testing.T, open Open) {
	s := start(t, open)
	write(t, s, "fleet",
		store.Row{ID: "a", Keys: map[string]string{"status": "B"}, Due: at(5)},                               // moves
		store.Row{ID: "b", Keys: map[string]string{"status": "A/1", "build": "gone"}},                        // loses a value
		store.Row{ID: "c", Keys: map[string]string{"status": "A/1"}},                                         // stays
		store.Row{ID: "e", Keys: map[string]string{"build": "e"}},                                            // gains and loses
		store.Row{ID: "ee", Keys: map[string]string{"status": "A/1"}, Due: at(1)},                            // is deleted
		store.Row{ID: "g", Keys: map[string]string{"status": "\U0010FFFF"}}, store.Row{ID: "zz", Due: at(2)}, // stays; deleted
	)
	for round := range 3 {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			if round > 0 { // with, and without, having looked before
				scan(t, tx, "fleet", "status", "A/", store.Cursor{}, 1)
				scan(t, tx, "fleet", "", "", store.Cursor{}, 99)
			}
			for _, id := range []string{"ee", "zz"} {
				remove(t, tx, "fleet", id)
			}
			for i := len(scanRows) - 1; i >= 0; i-- {
				get(t, tx, "fleet", scanRows[i].ID)
				put(t, tx, "fleet", store.Row{ID: scanRows[i].ID, Keys: map[string]string{"status": "A/5", "build": "y"}})
				put(t, tx, "fleet", scanRows[i])
			}
			put(t, tx, "fleet", store.Row{ID: "short", Keys: map[string]string{"status": "A/1"}})
			remove(t, tx, "fleet", "short")
			for range 2 {
				checkScans(t, tx)
			}
			for _, id := range []string{"ee", "short"} {
				if _, ok := get(t, tx, "fleet", id); ok {
					t.Errorf("%q was deleted and is there", id)
				}
			}
			if due, ok, err := tx.NextDue("fleet"); ok || err != nil {
				t.Errorf("NextDue: %v, %v, %v; nothing is due any more", due, ok, err)
			}
			if round == 2 {
				return nil
			}
			return errFails
		})
		if round < 2 && !errors.Is(err, errFails) || round == 2 && err != nil {
			t.Fatal(err)
		}
	}
	both(t, s, checkScans)
}

func testClaim(t *testing.T, open Open) {
	s := start(t, open)
	write(t, s, "fleet",
		store.Row{ID: "never"},
		store.Row{ID: "c", Due: at(1), Keys: map[string]string{"status": "x"}},
		store.Row{ID: "b", Due: at(2)}, store.Row{ID: "a", Due: at(2)},
		store.Row{ID: "now", Due: at(10)},
		store.Row{ID: "later", Due: at(10).Add(time.Microsecond)},
	)
	steps := []struct {
		name       string
		now, until int
		limit      int
		want       string
	}{
		{"two of those due", 10, 20, 2, "c a"},
		{"the next ones, not those claimed", 10, 30, 9, "b now"},
		{"nothing is left", 10, 30, 9, ""},
		{"what became due meanwhile", 19, 30, 9, "later"},
		{"claims end at their instant", 20, 40, 9, "a c"},
		{"and again", 30, 60, 1, "b"},
		{"", 30, 60, 9, "later now"},
	}
	for _, step := range steps {
		// What is rolled back leaves no claim.
		err := s.Update(t.Context(), func(tx store.Tx) error {
			wantIDs(t, step.name+", taken back", claim(t, tx, "fleet", "w", at(step.now), at(step.until), step.limit), step.want)
			return errFails
		})
		if !errors.Is(err, errFails) {
			t.Fatal(err)
		}
		update(t, s, func(tx store.Tx) {
			rows := claim(t, tx, "fleet", "w", at(step.now), at(step.until), step.limit)
			wantIDs(t, step.name, rows, step.want)
			for _, r := range rows {
				if r.Owner != "w" || r.Until != at(step.until) {
					t.Errorf("%s: %q is held by %q until %v", step.name, r.ID, r.Owner, r.Until)
				}
				if own, _ := get(t, tx, "fleet", r.ID); diff(r, own) != "" {
					t.Errorf("%s: own read:\n%s", step.name, diff(r, own))
				}
			}
		})
	}
	both(t, s, func(t *testing.T, tx store.Tx) {
		want := store.Row{ID: "c", Due: at(1), Keys: map[string]string{"status": "x"}, Owner: "w", Until: at(40)}
		if got, _ := get(t, tx, "fleet", "c"); diff(want, got) != "" {
			t.Errorf("claimed row:\n%s", diff(want, got))
		}
	})

	t.Run("put clears the claim", func(t *testing.T) {
		update(t, s, func(tx store.Tx) {
			r, _ := get(t, tx, "fleet", "c")
			put(t, tx, "fleet", r)
			r, _ = get(t, tx, "fleet", "c")
			if r.Owner != "" || !r.Until.IsZero() {
				t.Errorf("held by %q until %v", r.Owner, r.Until)
			}
			wantIDs(t, "claimable at once", claim(t, tx, "fleet", "w", at(30), at(40), 9), "c")
			put(t, tx, "fleet", store.Row{ID: "c"})
			wantIDs(t, "not due any more", claim(t, tx, "fleet", "w", at(90), at(91), 9), "a b later now")
		})
		both(t, s, func(t *testing.T, tx store.Tx) {
			if r, _ := get(t, tx, "fleet", "c"); r.Owner != "" {
				t.Errorf("held by %q", r.Owner)
			}
		})
	})
}

func testNextDue(t *testing.T, open Open) {
	s := start(t, open)
	want := func(what string, want time.Time) {
		t.Helper()
		both(t, s, func(t *testing.T, tx store.Tx) {
			got, ok, err := tx.NextDue("fleet")
			if err != nil || ok == want.IsZero() || got != want {
				t.Errorf("%s: NextDue is %v, %v, %v; want %v", what, got, ok, err, want)
			}
		})
	}
	want("empty", time.Time{})
	write(t, s, "fleet", store.Row{ID: "never"})
	want("nothing due", time.Time{})
	write(t, s, "fleet", store.Row{ID: "a", Due: at(7)}, store.Row{ID: "b", Due: at(5)})
	want("the earliest", at(5))
	update(t, s, func(tx store.Tx) { claim(t, tx, "fleet", "w", at(5), at(6), 9) })
	want("the end of a claim", at(6))
	update(t, s, func(tx store.Tx) { claim(t, tx, "fleet", "w", at(6), at(60), 9) })
	want("the other one", at(7))
	update(t, s, func(tx store.Tx) { claim(t, tx, "fleet", "w", at(7), at(50), 9) })
	want("all are claimed", at(50))
	write(t, s, "fleet", store.Row{ID: "b", Due: at(3)})
	want("one was put again", at(3))
	update(t, s, func(tx store.Tx) {
		remove(t, tx, "fleet", "b")
		got, ok, err := tx.NextDue("fleet")
		if err != nil || !ok || got != at(50) {
			t.Errorf("after own delete: %v, %v, %v", got, ok, err)
		}
	})
	want("one was deleted", at(50))
}

func testUndeclared(t *testing.T, open Open) {
	s := start(t, open)
	names := func(what string, err error, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if err == nil || !strings.Contains(err.Error(), p) {
				t.Errorf("%s: error %v does not name %q", what, err, p)
			}
		}
	}
	calls := func(t *testing.T, tx store.Tx) {
		_, _, err := tx.Get("flete", "x")
		names("Get", err, "flete")
		_, err = tx.Scan("flete", "", "", store.Cursor{}, 1)
		names("Scan", err, "flete")
		_, err = tx.Scan("fleet", "stauts", "", store.Cursor{}, 1)
		names("Scan index", err, "fleet", "stauts")
		_, _, err = tx.NextDue("flete")
		names("NextDue", err, "flete")
	}
	both(t, s, calls)
	update(t, s, func(tx store.Tx) {
		names("Put", tx.Put("flete", store.Row{ID: "x"}), "flete")
		names("Put index", tx.Put("fleet", store.Row{ID: "x", Keys: map[string]string{"stauts": "A"}}), "fleet", "stauts")
		names("Delete", tx.Delete("flete", "x"), "flete")
		_, err := tx.Claim("flete", "w", at(1), at(2), 1)
		names("Claim", err, "flete")
	})
}

func testRefused(t *testing.T, open Open) {
	s := start(t, open)
	refused := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	long := strings.Repeat("x", store.MaxKeyBytes+1)
	update(t, s, func(tx store.Tx) {
		for what, r := range map[string]store.Row{
			"no id":           {},
			"a long id":       {ID: long},
			"an id with NUL":  {ID: "a\x00b"},
			"a binary id":     {ID: "\xff"},
			"a long value":    {ID: "x", Keys: map[string]string{"status": long}},
			"a binary value":  {ID: "x", Keys: map[string]string{"status": "\xc3"}},
			"a large body":    {ID: "x", Body: make([]byte, store.MaxBodyBytes+1)},
			"due in the far":  {ID: "x", Due: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
			"due in the past": {ID: "x", Due: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
		} {
			refused(what, tx.Put("fleet", r))
		}
		_, err := tx.Scan("fleet", "", "", store.Cursor{}, 0)
		refused("limit 0", err)
		_, err = tx.Scan("fleet", "", "\xff", store.Cursor{}, 1)
		refused("a binary prefix", err)
		_, err = tx.Claim("fleet", "w", at(1), at(2), 0)
		refused("claim limit 0", err)
		_, err = tx.Claim("fleet", "", at(1), at(2), 1)
		refused("a claim by nobody", err)
		_, err = tx.Claim("fleet", "w", at(2), at(2), 1)
		refused("a claim until now", err)
	})
	view(t, s, func(tx store.Tx) {
		if rows := scan(t, tx, "fleet", "", "", store.Cursor{}, 9); len(rows) > 0 {
			t.Errorf("refused rows are there: %v", rows)
		}
		_, claimErr := tx.Claim("fleet", "w", at(1), at(2), 1)
		for what, err := range map[string]error{
			"Put": tx.Put("fleet", store.Row{ID: "x"}), "Delete": tx.Delete("fleet", "x"), "Claim": claimErr,
		} {
			if !errors.Is(err, store.ErrView) {
				t.Errorf("%s in a view: %v", what, err)
			}
		}
	})
	for what, kinds := range map[string][]store.Kind{
		"kind twice":           {{Name: "a"}, {Name: "a"}},
		"kind in another case": {{Name: "a"}, {Name: "A"}},
		"kind without a name":  {{}},
		"kind with a space":    {{Name: "a b"}},
		"kind with a quote":    {{Name: "a\"b"}},
		"index twice":          {{Name: "a", Indexes: []string{"x", "x"}}},
		"index without a name": {{Name: "a", Indexes: []string{""}}},
		"too many indexes":     {{Name: "a", Indexes: slices.Collect(maps.Keys(manyNames(store.MaxIndexes + 1)))}},
	} {
		_, err := store.NewSchema(kinds)
		refused(what, err)
	}
}

func manyNames(n int) map[string]bool {
	m := map[string]bool{}
	for i := range n {
		m[fmt.Sprintf("x%d", i)] = true
	}
	return m
}

func testClose(t *testing.T, open Open) {
	s := open(t, kinds)
	write(t, s, "fleet", store.Row{ID: "a"})
	var kept store.Tx
	for _, f := range []func(context.Context, func(store.Tx) error) error{s.View, s.Update} {
		if err := f(t.Context(), func(tx store.Tx) error { kept = tx; return nil }); err != nil {
			t.Fatal(err)
		}
		if _, _, err := kept.Get("fleet", "a"); !errors.Is(err, store.ErrDone) {
			t.Errorf("Get after the end: %v", err)
		}
	}
	if err := kept.Put("fleet", store.Row{ID: "a"}); !errors.Is(err, store.ErrDone) {
		t.Errorf("Put after the end: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	unused := func(store.Tx) error { t.Error("ran on a closed store"); return nil }
	if err := s.View(t.Context(), unused); !errors.Is(err, store.ErrClosed) {
		t.Errorf("View: %v", err)
	}
	if err := s.Update(t.Context(), unused); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Update: %v", err)
	}
	if _, ok := <-s.Watch(t.Context()); ok {
		t.Error("a watch of a closed store wakes")
	}
}
