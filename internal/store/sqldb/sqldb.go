// Package sqldb is a store.Store in a SQL database: SQLite in a file, or
// PostgreSQL, which several servers may share. One text serves both; what
// differs is in a dialect, and in how a commit is written (flush.go, sets.go).
//
// One goroutine writes. It lets the transactions that wait run one after the
// other over a partial image of the database in memory, writes what they have
// changed in a few statements, and commits once for all of them: an fsync and
// the cost of a statement are shared by everybody who came meanwhile. Readers
// have connections and snapshots of their own and see committed data only.
//
// Each kind has a table, doc_<kind>, with a column by_<index> for each of its
// indexes, so that people can look into a database with the tools they have.
// The package must not know what is in a document.
//
//	s, err := sqldb.OpenSQLite(filepath.Join(dir, "chairlift.db"), sqldb.Options{Kinds: kinds})
package sqldb

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Options say what a store holds and what it may use.
type Options struct {
	Kinds []store.Kind
	// CacheBytes bounds the memory for rows that the writer keeps at hand;
	// 0 is 4 MiB.
	CacheBytes int
	// Views is how many View calls can read at a time, each on a connection;
	// 0 is one for each processor, at least 2 and at most 4.
	Views int
	// LockFile is held for as long as a PostgreSQL store is open, so that the
	// folder it is in serves one process; "" for none. SQLite has its own.
	LockFile string
}

// Store keeps documents in a SQL database.
type Store struct {
	store.Watchers

	tables map[string]*table
	writer *writer
	pool   *pool
	unlock func() error

	herald    *herald // nil where nobody else writes
	elsewhere store.Watchers

	mu     sync.RWMutex // guards closed; held for reading while a view runs
	closed bool
}

// open readies a database. It takes over unlock.
func open(d *dialect, o Options, unlock func() error) (_ *Store, err error) {
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	schema, err := store.NewSchema(o.Kinds)
	if err != nil {
		return nil, err
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 4 << 20
	}
	if o.Views == 0 {
		o.Views = min(max(runtime.GOMAXPROCS(0), 2), 4)
	}
	s := &Store{tables: map[string]*table{}, pool: newPool(d, o.Views), unlock: unlock}
	for name, kind := range schema {
		s.tables[name] = newTable(kind, d)
	}
	c, err := connect(d, false)
	if err != nil {
		return nil, err
	}
	if err = prepare(c, s.tables); err != nil {
		c.close()
		return nil, err
	}
	s.writer = newWriter(d, s.tables, o.CacheBytes, s.committed)
	s.writer.conn = c
	if d.shared {
		if err = s.writer.register(c); err != nil {
			c.close()
			return nil, err
		}
	}
	go s.writer.run()
	return s, nil
}

// committed is called after each commit that changed something.
func (s *Store) committed() {
	s.Wake()
	if s.herald != nil {
		s.herald.committed()
	}
}

// View is store.Store.View.
func (s *Store) View(ctx context.Context, f func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed()
	}
	return s.pool.with(ctx, func(c *conn) error {
		v := &view{ctx: ctx, conn: c, tables: s.tables}
		defer func() { v.done = true }()
		return f(v)
	})
}

// Update is store.Store.Update.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.writer.update(ctx, f)
}

// Backup writes a copy of the database, as of one moment, to a file that does
// not exist yet. Transactions go on meanwhile. The copy is a database that
// opens like this one.
func (s *Store) Backup(path string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed()
	}
	c, err := connect(s.pool.dialect, false)
	if err != nil {
		return err
	}
	defer c.close()
	return c.dialect.backup(c, path)
}

// Close is store.Store.Close.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	// The last connection to close moves the log into the database.
	err := cmp.Or(s.pool.close(), s.writer.close())
	if s.herald != nil {
		s.herald.close()
	}
	s.CloseAll()
	s.elsewhere.CloseAll()
	if e := s.unlock(); e != nil && err == nil {
		err = fmt.Errorf("store: %w", e)
	}
	return err
}
