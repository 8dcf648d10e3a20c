package sqldb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
)

// A wire stands between a store and PostgreSQL and can be cut when a commit
// passes.
type wire struct {
	t       *testing.T
	to      string // the server's socket
	address string // of this end
	cut     atomic.Int32
	refuse  atomic.Bool
	cuts    atomic.Int32
}

const (
	cutBefore = 1 // the commit does not arrive
	cutAfter  = 2 // it does, and its answer does not
)

func newWire(t *testing.T, address string) *wire {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	const socket = ".s.PGSQL.5432"
	q := u.Query()
	dir, err := os.MkdirTemp("", "wire")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, to: filepath.Join(q.Get("host"), socket)}
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	w.address = u.String()
	l, err := net.Listen("unix", filepath.Join(dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		os.RemoveAll(dir)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
	return w
}

func (w *wire) carry(client net.Conn) {
	defer client.Close()
	if w.refuse.Load() {
		return
	}
	server, err := net.Dial("unix", w.to)
	if err != nil {
		return
	}
	defer server.Close()
	var silent atomic.Bool
	answered := make(chan struct{}, 1)
	go func() {
		defer client.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			if silent.Load() {
				answered <- struct{}{}
				return
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		how := int32(0)
		if bytes.Contains(b[:n], []byte("COMMIT\x00")) {
			if how = w.cut.Swap(0); how != 0 {
				w.cuts.Add(1)
			}
		}
		if how == cutBefore {
			return
		}
		silent.Store(how == cutAfter)
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
		if how == cutAfter {
			<-answered
			return
		}
	}
}

// TestCutCommit cuts the connection while a commit is on its way. What callers
// are told is what is in the database, and nothing happens twice.
func TestCutCommit(t *testing.T) {
	address := pgtest.URL(t)
	w := newWire(t, address)
	s := openPostgres(t, w.address, sqldb.Options{Kinds: notes})
	defer s.Close()
	acknowledged := 0
	for i := range 12 {
		w.cut.Store(int32(i % 3)) // also none
		runs := 0
		err := s.Update(t.Context(), func(tx store.Tx) error {
			runs++
			return count(tx)
		})
		if err != nil {
			t.Fatalf("commit %d: %v", i, err)
		}
		if want := 1 + i%3&cutBefore; runs != want {
			t.Errorf("commit %d ran %d times, want %d", i, runs, want)
		}
		acknowledged++
		if n := counted(t, s); n != acknowledged {
			t.Fatalf("%d commits are there, %d were acknowledged", n, acknowledged)
		}
	}
	if w.cuts.Load() != 8 {
		t.Errorf("the connection was cut %d times", w.cuts.Load())
	}

	t.Run("for good", func(t *testing.T) {
		sqldb.OutcomeLimit(t, 300*time.Millisecond)
		w.cut.Store(cutAfter)
		err := s.Update(t.Context(), func(tx store.Tx) error {
			w.refuse.Store(true)
			return count(tx)
		})
		if !errors.Is(err, store.ErrUnknown) {
			t.Errorf("the outcome nobody can know: %v", err)
		}
		err = s.Update(t.Context(), count)
		if err == nil || errors.Is(err, store.ErrUnknown) {
			t.Errorf("without a database: %v", err)
		}
		w.refuse.Store(false)
		if n := counted(t, s); n != acknowledged+1 {
			t.Errorf("%d commits are there, want %d", n, acknowledged+1)
		}
		if err := s.Update(t.Context(), count); err != nil {
			t.Error(err)
		}
	})
}

// count raises the number in a row by one.
func count(tx store.Tx) error {
	r, _, err := tx.Get("note", "count")
	if err != nil {
		return err
	}
	return tx.Put("note", store.Row{ID: "count", Body: append(r.Body[:len(r.Body):len(r.Body)], '.')})
}

func counted(t *testing.T, s store.Store) (n int) {
	t.Helper()
	err := s.View(t.Context(), func(tx store.Tx) error {
		r, _, err := tx.Get("note", "count")
		n = len(r.Body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPostgresRestarts lets the server of the database crash under load and
// come back.
func TestPostgresRestarts(t *testing.T) {
	sqldb.OutcomeLimit(t, 200*time.Millisecond)
	c := pgtest.New(t, "-c", "fsync=off")
	s := openPostgres(t, c.URL(), sqldb.Options{Kinds: notes})
	defer s.Close()
	var mu sync.Mutex
	acknowledged, unknown := map[string]bool{}, map[string]bool{}
	var failed, back atomic.Int32
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var down atomic.Bool
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("%d/%06d", i, n)
				err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Put("note", store.Row{ID: id}) })
				if err != nil {
					failed.Add(1)
					if !strings.Contains(err.Error(), "PostgreSQL at") {
						t.Error(err)
					}
					if errors.Is(err, store.ErrUnknown) {
						mu.Lock()
						unknown[id] = true
						mu.Unlock()
					}
					time.Sleep(5 * time.Millisecond)
					continue
				}
				if !down.Load() {
					back.Add(1)
				}
				mu.Lock()
				acknowledged[id] = true
				mu.Unlock()
			}
		})
	}
	for range 2 {
		time.Sleep(100 * time.Millisecond)
		c.Stop()
		down.Store(true)
		for from := failed.Load(); failed.Load() < from+8; {
			time.Sleep(time.Millisecond)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		down.Store(false)
		for from := back.Load(); back.Load() < from+20; {
			time.Sleep(time.Millisecond)
		}
	}
	close(stop)
	wg.Wait()
	err := s.View(t.Context(), func(tx store.Tx) error {
		rows, err := tx.Scan("note", "", "", store.Cursor{}, 1_000_000)
		there := map[string]bool{}
		for _, r := range rows {
			if there[r.ID] = true; !acknowledged[r.ID] && !unknown[r.ID] {
				t.Errorf("%s was refused and is there", r.ID)
			}
		}
		for id := range acknowledged {
			if !there[id] {
				t.Errorf("%s was acknowledged and is not there", id)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
