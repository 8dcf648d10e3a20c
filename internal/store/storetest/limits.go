package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
)

var limitKinds = []store.Kind{
	{Name: "session", Indexes: []string{"process", "instance"}},
	{Name: "player", Indexes: []string{"session"}},
	{Name: "process", Indexes: []string{"status"}},
	{Name: "instance"},
	{Name: "creator"},
}

// testLimits is about write skew: many callers at once, each of whom would
// find room, and no more of them get in than there is. Every limit that the
// service has is here, in the row where it lives.
func testLimits(t *testing.T, open Open) {
	const callers, room = 64, 10
	errNoRoom := errors.New("no room")

	// admit raises the number in a row by one, up to room.
	admit := func(tx store.Tx, kind, id string) error {
		n, err := number(tx, kind, id)
		if err != nil {
			return err
		}
		if n >= room {
			return errNoRoom
		}
		return putNumber(tx, kind, id, n+1)
	}
	cases := []struct {
		name  string
		claim func(tx store.Tx, i int) error
		check func(t *testing.T, tx store.Tx)
	}{
		{
			name: "slots in a session",
			claim: func(tx store.Tx, i int) error {
				id := fmt.Sprintf("p%02d", i)
				return andThen(admit(tx, "session", "s"), func() error {
					return tx.Put("player", store.Row{ID: id, Keys: map[string]string{"session": "s"}})
				})
			},
			check: func(t *testing.T, tx store.Tx) {
				if n := len(scan(t, tx, "player", "session", "s", store.Cursor{}, 99)); n != room {
					t.Errorf("%d players in %d slots", n, room)
				}
			},
		},
		{
			name: "activations in an instance",
			claim: func(tx store.Tx, i int) error {
				return andThen(admit(tx, "instance", "i"), func() error {
					return tx.Put("session", store.Row{ID: fmt.Sprintf("s%02d", i), Keys: map[string]string{"instance": "i"}})
				})
			},
			check: func(t *testing.T, tx store.Tx) {
				if n := len(scan(t, tx, "session", "instance", "i", store.Cursor{}, 99)); n != room {
					t.Errorf("%d sessions activate where %d may", n, room)
				}
			},
		},
		{
			name: "creations of a creator", // whose row is made by the first
			claim: func(tx store.Tx, i int) error {
				return andThen(admit(tx, "creator", "c"), func() error {
					return tx.Put("session", store.Row{ID: fmt.Sprintf("s%02d", i)})
				})
			},
			check: func(t *testing.T, tx store.Tx) {
				if n := len(scan(t, tx, "session", "", "", store.Cursor{}, 99)); n != room {
					t.Errorf("%d sessions created of %d", n, room)
				}
			},
		},
		{
			name: "one process, one session",
			claim: func(tx store.Tx, i int) error {
				idle, err := tx.Scan("process", "status", "idle/", store.Cursor{}, 1)
				if err != nil {
					return err
				}
				if len(idle) == 0 {
					return errNoRoom
				}
				p := idle[0]
				p.Keys = map[string]string{"status": "busy/" + p.ID}
				if err := tx.Put("process", p); err != nil {
					return err
				}
				return tx.Put("session", store.Row{ID: fmt.Sprintf("s%02d", i), Keys: map[string]string{"process": p.ID}})
			},
			check: func(t *testing.T, tx store.Tx) {
				sessions := scan(t, tx, "session", "process", "", store.Cursor{}, 99)
				for i := range sessions {
					if i > 0 && sessions[i].Keys["process"] == sessions[i-1].Keys["process"] {
						t.Errorf("process %s hosts two sessions", sessions[i].Keys["process"])
					}
				}
				if len(sessions) != room {
					t.Errorf("%d sessions on %d processes", len(sessions), room)
				}
				wantIDs(t, "idle processes", scan(t, tx, "process", "status", "idle/", store.Cursor{}, 99), "")
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, limitKinds)
			defer s.Close()
			update(t, s, func(tx store.Tx) {
				for i := range room {
					id := fmt.Sprintf("pr%02d", i)
					put(t, tx, "process", store.Row{ID: id, Keys: map[string]string{"status": "idle/" + id}})
				}
			})
			var in, out atomic.Int32
			concurrently(callers, func(i int) {
				err := s.Update(t.Context(), func(tx store.Tx) error {
					if err := c.claim(tx, i); err != nil {
						return err
					}
					if i%4 == 0 { // has a claim and fails after all
						return errFails
					}
					return nil
				})
				switch err {
				case nil:
					in.Add(1)
				case errNoRoom:
					out.Add(1)
				case errFails:
				default:
					t.Error(err)
				}
			})
			if in.Load() != room || out.Load() == 0 {
				t.Errorf("%d were let in and %d sent away, there was room for %d", in.Load(), out.Load(), room)
			}
			settle(t, s)
			both(t, s, c.check)
		})
	}

	t.Run("no update is lost", func(t *testing.T) {
		s := open(t, limitKinds)
		defer s.Close()
		concurrently(16, func(i int) {
			for range 10 {
				err := s.Update(t.Context(), func(tx store.Tx) error {
					n, err := number(tx, "creator", "c")
					if err != nil {
						return err
					}
					return putNumber(tx, "creator", "c", n+1)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		settle(t, s)
		both(t, s, func(t *testing.T, tx store.Tx) {
			if r, _ := get(t, tx, "creator", "c"); string(r.Body) != strconv.Itoa(160) {
				t.Errorf("counted to %s, want 160", r.Body)
			}
		})
	})
}

// andThen goes on with f unless there is an error already.
func andThen(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}
