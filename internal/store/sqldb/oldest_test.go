package sqldb_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
)

// What a database consists of, in an order that does not depend on its history.
const (
	shapeSQLite = `SELECT group_concat(x, char(10)) FROM (
		SELECT m.name || ' ' || p.name || ' ' || p.type AS x FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'
		UNION ALL SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1)`
	shapePostgres = `SELECT string_agg(x, chr(10) ORDER BY x) FROM (
		SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || coalesce(collation_name, '') AS x
			FROM information_schema.columns WHERE table_schema = current_schema()
		UNION ALL SELECT replace(indexdef, current_schema() || '.', '') FROM pg_indexes WHERE schemaname = current_schema()) shape`
)

// The oldest databases that somebody may have become those of today, with all that
// is in them, and go on.
func TestOldestSQLite(t *testing.T) {
	path := fresh(t)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(fixture(t, "schema-1-sqlite.sql")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	open := func(path string) func([]store.Kind) *sqldb.Store {
		return func(kinds []store.Kind) *sqldb.Store { return openFile(t, path, sqldb.Options{Kinds: kinds}) }
	}
	testOldest(t, open(path), open(fresh(t)), shapeSQLite)
}

func TestOldestPostgres(t *testing.T) {
	address := pgtest.URL(t)
	pgtest.Exec(t, address, fixture(t, "schema-1-postgres.sql"))
	open := func(address string) func([]store.Kind) *sqldb.Store {
		return func(kinds []store.Kind) *sqldb.Store { return openPostgres(t, address, sqldb.Options{Kinds: kinds}) }
	}
	testOldest(t, open(address), open(pgtest.URL(t)), shapePostgres)
}

func fixture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func testOldest(t *testing.T, old, fresh func([]store.Kind) *sqldb.Store, shape string) {
	s := fresh(store.Kinds())
	want, err := s.Text(shape)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	migrations, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	bare := store.Kinds()
	for i := range bare {
		bare[i].Indexes = nil
	}
	for _, from := range []string{"as it was", "as it is", "without any index"} {
		if from == "without any index" { // as if all were younger than the rows
			old(bare).Close()
		}
		s := old(store.Kinds())
		if n, err := s.Int64("SELECT MAX(version) FROM chairlift_schema"); n != int64(len(migrations)) || err != nil {
			t.Errorf("%s: schema %d, want %d (%v)", from, n, len(migrations), err)
		}
		if got, err := s.Text(shape); got != want || err != nil {
			t.Errorf("%s: it consists of\n%s\nand a fresh one of\n%s\n%v", from, got, want, err)
		}
		holdsTheOldest(t, from, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = old(store.Kinds())
	defer s.Close()
	// Everything in it can be written anew, and what there was not then, too.
	err = s.Update(t.Context(), func(tx store.Tx) error {
		for _, k := range store.Kinds() {
			rows, err := tx.Scan(k.Name, "", "", store.Cursor{}, 100)
			for _, r := range rows {
				if err == nil {
					err = tx.Put(k.Name, r)
				}
			}
			if err != nil {
				return err
			}
		}
		_, _, err := store.Hold(tx, "fleets", "me", time.Now())
		return err
	})
	if err != nil {
		t.Error(err)
	}
	holdsTheOldest(t, "written anew", s)
}

// holdsTheOldest checks that every row is there, can be read, and is found by
// every index as if it were written now.
func holdsTheOldest(t *testing.T, from string, s *sqldb.Store) {
	t.Helper()
	err := s.View(t.Context(), func(tx store.Tx) error {
		count := 0
		for _, k := range store.Kinds() {
			rows, err := tx.Scan(k.Name, "", "", store.Cursor{}, 100)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if k.Name == store.Leases.Kind.Name {
					continue
				}
				count++
				for _, x := range k.Indexes {
					keys, err := k.Keys(r.Body)
					if err != nil {
						return err
					}
					if r.Keys[x] != keys[x] {
						t.Errorf("%s: %s %s has %q in index %s, want %q", from, k.Name, r.ID, r.Keys[x], x, keys[x])
					}
					found, err := tx.Scan(k.Name, x, keys[x], store.Cursor{}, 100)
					if err != nil {
						return err
					}
					if in := slices.ContainsFunc(found, func(o store.Row) bool { return o.ID == r.ID }); in != (keys[x] != "") {
						t.Errorf("%s: %s %s is found by index %s: %t", from, k.Name, r.ID, x, in)
					}
				}
			}
		}
		if count != 13 {
			t.Errorf("%s: %d rows, want 13", from, count)
		}
		f, err := store.Fleets.Find(tx, "fleet-1")
		if err != nil {
			return err
		}
		if f.Name != "Überflotte 'x'" || f.Tags["team"] != "blue" {
			t.Errorf("%s: fleet %+v", from, f)
		}
		secret, err := store.Secrets.Find(tx, "tokens")
		if err != nil {
			return err
		}
		if !slices.Equal(secret.Value, []byte{0, 1, 254, 255}) {
			t.Errorf("%s: secret %v", from, secret.Value)
		}
		live, _, err := store.Sessions.Scan(tx, "live", "fleet-1/", store.Cursor{}, 9)
		if err == nil && (len(live) != 1 || live[0].Name != "evening" || live[0].PlayerCount != 1) {
			t.Errorf("%s: live game sessions %+v", from, live)
		}
		if err != nil || from == "written anew" {
			return err
		}
		held := time.Date(2026, 11, 24, 17, 0, 30, 0, time.UTC)
		if due, ok, err := tx.NextDue("placement"); !due.Equal(held) || !ok || err != nil {
			t.Errorf("%s: the placement that somebody had claimed is due at %v, %t, %v", from, due, ok, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
