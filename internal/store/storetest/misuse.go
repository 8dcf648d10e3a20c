package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

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
