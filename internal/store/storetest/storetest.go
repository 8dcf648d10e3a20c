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
	"bytes"
	"errors"
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
	for _, c := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"Rows", testRows},
		{"Scan", testScan},
		{"OwnReads", testOwnReads},
		{"Claim", testClaim},
		{"NextDue", testNextDue},
		{"Guards", testGuards},
		{"Undeclared", testUndeclared},
		{"Refused", testRefused},
		{"Visibility", testVisibility},
		{"Isolation", testIsolation},
		{"Panic", testPanic},
		{"Context", testContext},
		{"Watch", testWatch},
		{"Close", testClose},
		{"Limits", testLimits},
		{"Model", testModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
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

// diff compares as cmp does, except that nil is empty and large bodies take no
// time.
func diff(want, got any) string {
	some := func(a, b []byte) bool { return len(a)+len(b) > 0 }
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(store.Row{}), cmp.FilterValues(some, cmp.Comparer(bytes.Equal)))
}
