package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

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
