package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Memory and log limits of a SQLite connection. A service at rest stays small;
// the writer's pages are what commits touch.
const (
	writerCacheKiB  = 4096
	viewCacheKiB    = 512
	checkpointPages = 4000 // 4 KiB each: the log is moved into the database at 16 MB
)

// OpenSQLite opens the database in the file, or makes one; the folder exists.
// It holds path.lock for as long as the store is open, so that two processes
// never write to one database.
func OpenSQLite(path string, o Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	unlock, err := lock(path + ".lock")
	if err != nil {
		return nil, explainFile(path, err)
	}
	// SQLite gives its other files the mode of this one. What is in it is
	// for nobody else: keys, tokens, players.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		unlock()
		return nil, explainFile(path, err)
	}
	f.Close()
	sqlite.Fdatasync(true) // as durable as fsync, without its write of the file's times; not everywhere
	return open(sqliteDialect(path), o, unlock)
}

// explainFile says what to do about a lock or a file that cannot be opened.
func explainFile(path string, err error) error {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, store.ErrLocked):
		return fmt.Errorf("store: another chairlift serves the folder %s (%w): stop it, or choose another folder with --data", dir, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("store: the folder %s does not exist: %w", dir, err)
	case errors.Is(err, fs.ErrPermission), isReadOnlyFileSystem(err):
		return fmt.Errorf("store: %w: give this user write access to %s, or choose another folder with --data: %w", store.ErrReadOnly, dir, err)
	}
	return fmt.Errorf("store: %w", err)
}

func sqliteDialect(path string) *dialect {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") { // a drive letter
		slashed = "/" + slashed
	}
	dsn := func(pragmas ...string) string {
		u := url.URL{Scheme: "file", Path: slashed, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
		return u.String()
	}
	common := []string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)"}
	writer := dsn(append(common, fmt.Sprintf("cache_size(-%d)", writerCacheKiB),
		"wal_autocheckpoint(0)", "journal_size_limit(67108864)")...)
	viewer := dsn(append(common, fmt.Sprintf("cache_size(-%d)", viewCacheKiB), "query_only(1)")...)
	return &dialect{
		connect: func(view bool) (driver.Conn, error) {
			name := writer
			if view {
				name = viewer
			}
			c, err := sqlite.NewConnector(name)
			if err != nil {
				return nil, err
			}
			return c.Connect(context.Background())
		},
		sole:            true,
		ready:           func(c *conn) error { return readySQLite(c, path) },
		backup:          backupSQLite,
		checkpointPages: checkpointPages,
		explain:         func(err error) error { return explainSQLite(path, err) },
		param:           func(int) string { return "?" }, // a numbered one is looked up by name at each use
		begin:           "BEGIN IMMEDIATE",
		beginView:       "BEGIN",
		text:            "TEXT",
		blob:            "BLOB",
		tableEnd:        " WITHOUT ROWID",
	}
}

// readySQLite reports a file that is somebody else's, and a folder where a log
// beside the database cannot work.
func readySQLite(c *conn, path string) error {
	mode, err := c.text("PRAGMA journal_mode")
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("store: the file system of %s does not let SQLite share memory (journal mode %s): choose a folder on a local disk", filepath.Dir(path), mode)
	}
	others, err := c.int64("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'chairlift_schema')")
	if err == nil && others > 0 {
		err = fmt.Errorf("store: %s is a database of some other program: choose another file", path)
	}
	return err
}

func backupSQLite(c *conn, path string) error {
	// SQLite would fill an empty file: so this makes one, for nobody else to
	// read, and finds out whether there is one.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	defer f.Close()
	if path, err = filepath.Abs(path); err != nil { // nor a "file:" URI
		return fmt.Errorf("store: backup: %w", err)
	}
	if _, err := c.exec("VACUUM INTO ?", path); err != nil {
		os.Remove(path)
		return fmt.Errorf("store: backup to %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("store: backup to %s: %w", path, err)
	}
	return nil
}

// explainSQLite wraps the store's error for a result code in what to do about it.
func explainSQLite(path string, err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	dir := filepath.Dir(path)
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return fmt.Errorf("%w: %w", errDuplicate, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("store: %w: another program has %s open and writes to it, stop it: %w", store.ErrLocked, path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fmt.Errorf("store: %w: give this user write access to %s and the files in it: %w", store.ErrReadOnly, dir, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("store: %w: make room on the disk that holds %s: %w", store.ErrFull, dir, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("store: %w: restore %s from a backup: %w", store.ErrCorrupt, path, err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("store: cannot read or write %s, look at its disk and folder: %w", path, err)
	}
	return fmt.Errorf("store: %w", err)
}
