package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
)

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
