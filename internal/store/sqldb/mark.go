package sqldb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Where several servers write to one database each has a row in the table
// chairlift_writer, in which every commit of it writes its number. Three things
// follow. A server that finds the numbers of the others as they were goes on
// with what it has read, as if it were alone; else it reads anew, and a group
// that has decided on what may be old runs again. When a connection breaks while a commit is on its way, the row tells
// what became of it. And a newer Chairlift that changes the tables deletes the
// rows, after which the older ones cannot commit any more.
const writerTable = `CREATE TABLE IF NOT EXISTS chairlift_writer (
	id TEXT PRIMARY KEY, commits BIGINT NOT NULL, beat TIMESTAMPTZ NOT NULL DEFAULT now()) WITH (fillfactor = 50)`

// outcomeLimit is how long the writer asks what became of a commit. The database
// ends a transaction whose server fell silent sooner (see session). A variable
// for tests.
var outcomeLimit = 20 * time.Second

const outcomePause = 200 * time.Millisecond

// errFenced: the server's row in chairlift_writer is gone.
var errFenced = errors.New("the database was changed by another Chairlift")

// register gives this server its row, and removes those of servers that are
// long gone.
func (w *writer) register(c *conn) error {
	var b [12]byte
	rand.Read(b[:])
	w.id, w.commits = hex.EncodeToString(b[:]), 0
	if _, err := c.exec("DELETE FROM chairlift_writer WHERE beat < now() - interval '30 days'"); err != nil {
		return err
	}
	_, err := c.exec("INSERT INTO chairlift_writer (id, commits) VALUES ($1, 0)", w.id)
	return err
}

// unregister removes this server's row.
func (w *writer) unregister(c *conn) error {
	_, err := c.exec("DELETE FROM chairlift_writer WHERE id = $1", w.id)
	return err
}

// fenceOff keeps the servers that are at work from committing.
func fenceOff(c *conn) error {
	_, err := c.exec("DELETE FROM chairlift_writer")
	return err
}

// flushShared writes what is pending, with the number of the commit, in one
// round trip, and commits in another.
func (w *writer) flushShared() error {
	c, err := w.connected()
	if err != nil {
		return err
	}
	var s setWriter
	if !w.began && w.pendingRows() == 0 { // only read; the answer must not be old
		others, err := c.text(othersText, w.id)
		if err != nil {
			return err
		}
		return w.look(others)
	}
	if !w.began {
		s.queue(expectation{rows: -1}, w.dialect.begin)
		w.began = true
	}
	changed := false
	for _, m := range w.order {
		if len(m.pending) > 0 {
			s.add(m)
			changed = true
		}
	}
	if changed {
		w.commits++
		s.queue(expectation{rows: 1}, "UPDATE chairlift_writer SET commits = $2, beat = now() WHERE id = $1", w.id, w.commits)
	}
	if changed || w.alone {
		others, err := s.send(c, w.id)
		if err == nil {
			err = w.look(others)
		}
		if err != nil {
			if errors.Is(err, errFenced) {
				err = fmt.Errorf("store: %w: another Chairlift has changed the tables of the database; start this one again, in the same version: %w", store.ErrNewerSchema, errFenced)
			}
			return err
		}
	}
	tag, err := c.driver.(*stdlib.Conn).Conn().Exec(context.Background(), "COMMIT")
	switch {
	case err == nil && tag.String() == "COMMIT":
		return nil
	case err == nil:
		return fmt.Errorf("store: %w: the database answered COMMIT with %s", errRace, tag)
	case !changed || !w.lost():
		return w.dialect.explain(err)
	}
	return w.outcome(fmt.Errorf("%w: %w", errLost, w.dialect.explain(err)))
}

// othersText sums up what the other servers have committed.
const othersText = "SELECT count(*) || '/' || coalesce(sum(commits), 0) FROM chairlift_writer WHERE id <> $1"

// look compares what the others have committed with what it was at the last
// look. It returns errRace if the group rests on what was read before that.
func (w *writer) look(others string) error {
	same, rested := others == w.others, w.alone
	w.others, w.alone = others, same
	if rested && !same {
		return fmt.Errorf("store: %w", errRace)
	}
	return nil
}

// outcome finds out what became of a commit whose connection broke: nil if it
// happened, cause if not, store.ErrUnknown if nobody can tell.
func (w *writer) outcome(cause error) error {
	w.drop()
	for began := time.Now(); time.Since(began) < outcomeLimit; {
		if happened, err := w.happened(); err == nil {
			if happened {
				return nil
			}
			return cause
		}
		select {
		case <-time.After(outcomePause):
		case <-w.stop:
			return fmt.Errorf("store: %w, and the service is stopping: %w", store.ErrUnknown, cause)
		}
	}
	return fmt.Errorf("store: %w, as the database has not answered for %s: %w", store.ErrUnknown, outcomeLimit, cause)
}

// happened reads whether the last commit is in the database. The lock waits for
// the end of the transaction, should it still be under way.
func (w *writer) happened() (bool, error) {
	c, err := w.connected()
	if err != nil {
		return false, err
	}
	n, err := c.int64("SELECT commits FROM chairlift_writer WHERE id = $1 FOR UPDATE", w.id)
	if err != nil {
		w.drop()
	}
	return n == w.commits, err
}
