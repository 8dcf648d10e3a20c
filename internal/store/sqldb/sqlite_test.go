package sqldb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
	"github.com/chairlift-games/chairlift/internal/store/storetest"
)

var notes = []store.Kind{{Name: "note", Indexes: []string{"tag"}}}

func openFile(tb testing.TB, path string, o sqldb.Options) *sqldb.Store {
	tb.Helper()
	s, err := sqldb.OpenSQLite(path, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func fresh(tb testing.TB) string { return filepath.Join(tb.TempDir(), "test.db") }

// withoutSync saves the time of waiting for a disk where no test depends on it.
func withoutSync(t *testing.T, s *sqldb.Store) *sqldb.Store {
	t.Helper()
	if err := s.Exec("PRAGMA synchronous = OFF"); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, kinds []store.Kind) store.Store {
		return openFile(t, fresh(t), sqldb.Options{Kinds: kinds})
	})
}

// TestStoreWithSmallLimits runs the suite with next to no memory: everything
// that the writer remembers is full, dropped and read again all the time.
func TestStoreWithSmallLimits(t *testing.T) {
	sqldb.SmallLimits(t)
	storetest.Run(t, func(t *testing.T, kinds []store.Kind) store.Store {
		s := openFile(t, fresh(t), sqldb.Options{Kinds: kinds, CacheBytes: 20_000, Views: 1})
		return withoutSync(t, s)
	})
}

// TestStoreThatIsShared runs the suite without the assumption that nobody else
// writes.
func TestStoreThatIsShared(t *testing.T) {
	storetest.Run(t, func(t *testing.T, kinds []store.Kind) store.Store {
		s := openFile(t, fresh(t), sqldb.Options{Kinds: kinds})
		s.ForgetBetweenCommits()
		return withoutSync(t, s)
	})
}

func TestDurable(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T) func([]store.Kind) (store.Store, error) {
		path := fresh(t)
		return func(kinds []store.Kind) (store.Store, error) {
			s, err := sqldb.OpenSQLite(path, sqldb.Options{Kinds: kinds})
			if err != nil {
				return nil, err
			}
			return s, nil
		}
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B, kinds []store.Kind) store.Store {
		return openFile(b, fresh(b), sqldb.Options{Kinds: kinds})
	})
}

// The variable that makes a run of this test binary a child of TestKill, with
// the path of the database.
const childVariable = "CHAIRLIFT_TEST_STORE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		child(path)
	}
	os.Exit(pgtest.Main(m))
}

// child writes pairs of rows from many goroutines and prints the number of
// each pair that is committed, until it is killed.
func child(path string) {
	s, err := sqldb.OpenSQLite(path, sqldb.Options{Kinds: notes})
	if err != nil {
		fmt.Println("cannot open:", err)
		os.Exit(1)
	}
	var n atomic.Int64
	n.Store(time.Now().UnixNano())
	for range 8 {
		go func() {
			for {
				pair := strconv.FormatInt(n.Add(1), 10)
				err := s.Update(context.Background(), func(tx store.Tx) error {
					return errors.Join(
						tx.Put("note", store.Row{ID: pair + "/a", Keys: map[string]string{"tag": pair}}),
						tx.Put("note", store.Row{ID: pair + "/b", Keys: map[string]string{"tag": pair}}))
				})
				if err != nil {
					fmt.Println("cannot write:", err)
					os.Exit(1)
				}
				fmt.Println(pair)
			}
		}()
	}
	time.Sleep(time.Minute) // an orphan ends by itself
	os.Exit(1)
}

func TestKill(t *testing.T) {
	path := fresh(t)
	acknowledged := map[string]bool{}
	for range 3 {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childVariable+"="+path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			if i == 200 {
				// The lock is held: by the child, whom the message names.
				_, err := sqldb.OpenSQLite(path, sqldb.Options{Kinds: notes})
				if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "another chairlift serves the folder "+filepath.Dir(path)) ||
					!strings.Contains(err.Error(), strconv.Itoa(c.Process.Pid)) {
					t.Errorf("opening what another process has: %v", err)
				}
				c.Process.Kill()
			}
			if _, err := strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(lines.Text())
			}
			acknowledged[lines.Text()] = true
		}
		c.Wait()

		s := openFile(t, path, sqldb.Options{Kinds: notes})
		if verdict, err := s.Text("PRAGMA integrity_check"); verdict != "ok" || err != nil {
			t.Errorf("integrity: %s, %v", verdict, err)
		}
		err = s.View(t.Context(), func(tx store.Tx) error {
			byID, err := tx.Scan("note", "", "", store.Cursor{}, 1_000_000)
			if err != nil {
				return err
			}
			byTag, err := tx.Scan("note", "tag", "", store.Cursor{}, 1_000_000)
			if err != nil {
				return err
			}
			if len(byID) != len(byTag) || len(byID)%2 != 0 {
				t.Errorf("%d rows by id, %d by tag", len(byID), len(byTag))
			}
			found := map[string]int{}
			for _, r := range byTag {
				found[r.Keys["tag"]]++
			}
			for pair := range acknowledged {
				if found[pair] != 2 {
					t.Errorf("of the acknowledged pair %s %d rows are there", pair, found[pair])
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 600 {
		t.Errorf("only %d pairs were acknowledged", len(acknowledged))
	}
}

func TestLockedInOneProcess(t *testing.T) {
	path := fresh(t)
	s := openFile(t, path, sqldb.Options{Kinds: notes})
	if _, err := sqldb.OpenSQLite(path, sqldb.Options{Kinds: notes}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := openFile(t, path, sqldb.Options{Kinds: notes}).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	path := fresh(t)
	s := openFile(t, path, sqldb.Options{Kinds: notes})
	if err := s.Exec("INSERT INTO chairlift_schema (version) VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for range 2 { // and it stays as it is
		_, err := sqldb.OpenSQLite(path, sqldb.Options{Kinds: append([]store.Kind{{Name: "later"}}, notes...)})
		if !errors.Is(err, store.ErrNewerSchema) || !strings.Contains(err.Error(), "it has schema 7") || !strings.Contains(err.Error(), "start the newer Chairlift again, or restore the backup") {
			t.Errorf("newer schema: %v", err)
		}
	}
}

// TestPaths opens files whose names mean something to SQLite or to URLs.
func TestPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "100%.db", "50%25.db", "what?.db", "a#b.db", "ü.db", "a&b=c;d.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := openFile(t, path, sqldb.Options{Kinds: notes})
		put(t, s, "x")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		if len(found) != 2 { // with the lock; the log is gone
			t.Errorf("%s: made %q", name, found)
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func put(t *testing.T, s store.Store, id string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("note", store.Row{ID: id}) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestCannotOpen(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged.db")
	if err := os.WriteFile(damaged, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign.db")
	s := openFile(t, foreign, sqldb.Options{})
	if err := errors.Join(s.Exec("CREATE TABLE recipes (id)"), s.Exec("DROP TABLE chairlift_schema")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	cases := []struct {
		name, path string
		kinds      []store.Kind
		is         error
		says       string
	}{
		{"no folder", filepath.Join(dir, "missing", "x.db"), notes, nil, "does not exist"},
		{"no database", damaged, notes, store.ErrCorrupt, "restore " + damaged},
		{"somebody else's", foreign, notes, nil, "some other program"},
		{"a folder", dir, notes, nil, dir},
		{"a wrong kind", filepath.Join(dir, "x.db"), []store.Kind{{Name: "a b"}}, nil, `"a b"`},
	}
	for _, c := range cases {
		for range 2 { // also once the first attempt has failed
			_, err := sqldb.OpenSQLite(c.path, sqldb.Options{Kinds: c.kinds})
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

// TestVersions: a row's version grows with each commit that changes it, which
// is what guards it where others write, too.
func TestVersions(t *testing.T) {
	s := openFile(t, fresh(t), sqldb.Options{Kinds: notes})
	defer s.Close()
	for i, change := range []func(store.Tx) error{
		func(tx store.Tx) error { return tx.Put("note", store.Row{ID: "x", Due: time.Unix(1, 0)}) },
		func(tx store.Tx) error {
			_, _, err := tx.Get("note", "x")
			return errors.Join(err, tx.Put("note", store.Row{ID: "x", Due: time.Unix(1, 0)}))
		},
		func(tx store.Tx) error {
			_, err := tx.Claim("note", "w", time.Unix(2, 0), time.Unix(3, 0), 1)
			return err
		},
		func(tx store.Tx) error {
			return errors.Join(tx.Delete("note", "x"), tx.Put("note", store.Row{ID: "x"}))
		},
	} {
		if err := s.Update(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Int64("SELECT version FROM doc_note WHERE id = 'x'"); v != int64(i+1) || err != nil {
			t.Errorf("after commit %d the version is %d (%v)", i+1, v, err)
		}
	}
}

// TestLogStaysShort commits without a pause, with views now and then, and looks
// at the log beside the database.
func TestLogStaysShort(t *testing.T) {
	path := fresh(t)
	s := withoutSync(t, openFile(t, path, sqldb.Options{Kinds: notes}))
	s.CheckpointFrom(100)
	const writers, rows, bytes = 4, 400, 16_000 // in all 25 MB
	var longest atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rows {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					return tx.Put("note", store.Row{ID: fmt.Sprintf("%d/%d", i, w), Body: make([]byte, bytes)})
				})
				if err != nil {
					t.Error(err)
				}
				if i%20 == w {
					if err := s.View(context.Background(), func(tx store.Tx) error {
						_, err := tx.Scan("note", "", "", store.Cursor{}, 10)
						return err
					}); err != nil {
						t.Error(err)
					}
				}
				if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > longest.Load() {
					longest.Store(info.Size())
				}
			}
		})
	}
	wg.Wait()
	t.Logf("the log had up to %d bytes", longest.Load())
	if n := longest.Load(); n > writers*rows*bytes/2 || n < 100*4096 {
		t.Errorf("the log had %d bytes", n)
	}
	if verdict, err := s.Text("PRAGMA integrity_check"); verdict != "ok" || err != nil {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openFile(t, path, sqldb.Options{Kinds: notes})
	defer s.Close()
	if n, err := s.Int64("SELECT COUNT(*) FROM doc_note"); n != writers*rows || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestBackup(t *testing.T) {
	s := openFile(t, fresh(t), sqldb.Options{Kinds: notes})
	defer s.Close()
	put(t, s, "first")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // pairs of rows, of which a copy has both or none
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			err := s.Update(context.Background(), func(tx store.Tx) error {
				return errors.Join(
					tx.Put("note", store.Row{ID: fmt.Sprintf("%06d/a", i), Keys: map[string]string{"tag": "pair"}}),
					tx.Put("note", store.Row{ID: fmt.Sprintf("%06d/b", i), Keys: map[string]string{"tag": "pair"}}))
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	time.Sleep(20 * time.Millisecond)
	path := filepath.Join(t.TempDir(), "it's a copy.db")
	if err := s.Backup(path); err != nil {
		t.Fatal(err)
	}
	close(stop)
	wg.Wait()
	if err := s.Backup(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("backup to a file that exists: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("copy: %v, %v", info, err)
	}

	c := openFile(t, path, sqldb.Options{Kinds: notes})
	defer c.Close()
	err := c.View(t.Context(), func(tx store.Tx) error {
		_, ok, err := tx.Get("note", "first")
		if err != nil || !ok {
			t.Errorf("first row: %v, %v", ok, err)
		}
		rows, err := tx.Scan("note", "tag", "pair", store.Cursor{}, 1_000_000)
		if len(rows) == 0 || len(rows)%2 != 0 {
			t.Errorf("%d rows of pairs", len(rows))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, "goes on")
}

// TestFull fails the commit of a whole group and looks what becomes of
// everybody in it, and of the store.
func TestFull(t *testing.T) {
	s := openFile(t, fresh(t), sqldb.Options{Kinds: notes})
	defer s.Close()
	put(t, s, "before")
	pages, err := s.Int64("PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+5)); err != nil {
		t.Fatal(err)
	}

	inside, release := make(chan struct{}), make(chan struct{})
	var failed atomic.Int32
	var wg sync.WaitGroup
	errOwn := errors.New("own")
	for i := range 10 {
		wg.Go(func() {
			if i > 0 {
				<-inside
			}
			err := s.Update(t.Context(), func(tx store.Tx) error {
				if i == 0 {
					close(inside)
					<-release
				}
				rows, err := tx.Scan("note", "", "", store.Cursor{}, 99)
				if err != nil {
					return err
				}
				if i == 5 && len(rows) > 1 { // saw what never came to be
					return errOwn
				}
				return tx.Put("note", store.Row{ID: strconv.Itoa(i), Body: make([]byte, 20_000)})
			})
			switch {
			case errors.Is(err, store.ErrFull) && strings.Contains(err.Error(), "make room"):
				failed.Add(1)
			case err == nil:
				t.Error("committed on a full disk")
			default:
				t.Error(err)
			}
		})
	}
	<-inside
	time.Sleep(20 * time.Millisecond) // until the others wait
	close(release)
	wg.Wait()
	if failed.Load() != 10 {
		t.Errorf("%d failed", failed.Load())
	}

	if err := s.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "after")
	for name, call := range map[string]func(context.Context, func(store.Tx) error) error{"View": s.View, "Update": s.Update} {
		err := call(t.Context(), func(tx store.Tx) error {
			rows, err := tx.Scan("note", "", "", store.Cursor{}, 99)
			if len(rows) != 2 || rows[0].ID != "after" || rows[1].ID != "before" {
				t.Errorf("%s: what is left: %v", name, rows)
			}
			for i := range 10 {
				if _, ok, _ := tx.Get("note", strconv.Itoa(i)); ok {
					t.Errorf("%s: row %d is there", name, i)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
