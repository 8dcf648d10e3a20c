package sqldb_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
	"github.com/chairlift-games/chairlift/internal/store/storetest"
)

func openPostgres(tb testing.TB, address string, o sqldb.Options) *sqldb.Store {
	tb.Helper()
	s, err := sqldb.OpenPostgres(address, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T, kinds []store.Kind) store.Store {
		return openPostgres(t, pgtest.URL(t), sqldb.Options{Kinds: kinds})
	})
}

func TestPostgresShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T, kinds []store.Kind, n int) []store.Shared {
		address := pgtest.URL(t)
		servers := make([]store.Shared, n)
		for i := range servers {
			servers[i] = openPostgres(t, address, sqldb.Options{Kinds: kinds, Views: 2})
		}
		return servers
	})
}

func TestPostgresDurable(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T) func([]store.Kind) (store.Store, error) {
		address := pgtest.URL(t)
		return func(kinds []store.Kind) (store.Store, error) {
			s, err := sqldb.OpenPostgres(address, sqldb.Options{Kinds: kinds})
			if err != nil {
				return nil, err
			}
			return s, nil
		}
	})
}

func BenchmarkPostgres(b *testing.B) {
	c := pgtest.New(b)
	storetest.Bench(b, func(b *testing.B, kinds []store.Kind) store.Store {
		return openPostgres(b, c.Schema(b), sqldb.Options{Kinds: kinds})
	})
}

// TestCannotOpenPostgres: each says in a sentence what to do.
func TestCannotOpenPostgres(t *testing.T) {
	c := pgtest.Shared(t)
	for _, text := range []string{
		"CREATE ROLE guest LOGIN", "CREATE DATABASE mine",
		"CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0",
		"CREATE DATABASE foreign_one",
	} {
		c.Exec(t, text)
	}
	pgtest.Exec(t, c.Database("foreign_one", nil), "CREATE TABLE recipes (id INT)")
	newer := c.Schema(t)
	openPostgres(t, newer, sqldb.Options{Kinds: notes}).Close()
	pgtest.Exec(t, newer, "INSERT INTO chairlift_schema (version) VALUES (7)")
	as := func(user, database string) string {
		u, err := url.Parse(c.Database(database, nil))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, "hunter2")
		return u.String()
	}
	cases := []struct {
		name, address string
		is            error
		says          string
	}{
		{"no address", "postgres://a:hunter2@[::1/x", nil, "postgres://user:password@host:5432/database"},
		{"nobody there", "postgres://a:hunter2@127.0.0.1:1/x?connect_timeout=2", nil, "127.0.0.1:1 cannot be reached: start it"},
		{"no such user", as("stranger", "mine"), nil, "does not let user stranger in"},
		{"no such database", c.Database("missing", nil), nil, "there is no database missing"},
		{"no rights", as("guest", "mine"), nil, "ALTER DATABASE mine OWNER TO guest"},
		{"no schema", c.Database("mine", url.Values{"search_path": {"nowhere"}}), nil, "CREATE SCHEMA"},
		{"another encoding", c.Database("ascii", nil), nil, "UTF8"},
		{"somebody else's", c.Database("foreign_one", nil), nil, "1 tables of some other program"},
		{"newer", newer, store.ErrNewerSchema, "schema 7"},
	}
	for _, x := range cases {
		_, err := sqldb.OpenPostgres(x.address, sqldb.Options{Kinds: notes})
		if err == nil || x.is != nil && !errors.Is(err, x.is) || !strings.Contains(err.Error(), x.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	sqldb.OldestPostgres(t, 99_00_00)
	if _, err := sqldb.OpenPostgres(c.Database("mine", nil), sqldb.Options{Kinds: notes}); err == nil || !strings.Contains(err.Error(), "needs 99 or newer") {
		t.Errorf("an old server: %v", err)
	}
}

// TestOlderServerIsFencedOff: a Chairlift that changes the tables keeps those
// that do not know of it from writing.
func TestOlderServerIsFencedOff(t *testing.T) {
	address := pgtest.URL(t)
	older := openPostgres(t, address, sqldb.Options{Kinds: notes})
	defer older.Close()
	put(t, older, "before")
	same := openPostgres(t, address, sqldb.Options{Kinds: notes})
	defer same.Close()
	put(t, older, "as before")
	newer := openPostgres(t, address, sqldb.Options{Kinds: append([]store.Kind{{Name: "later"}}, notes...)})
	defer newer.Close()
	for _, s := range []store.Store{older, same} {
		err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("note", store.Row{ID: "after"}) })
		if !errors.Is(err, store.ErrNewerSchema) || !strings.Contains(err.Error(), "start this one again") {
			t.Errorf("a server from before the change writes: %v", err)
		}
	}
	put(t, newer, "after")
}
