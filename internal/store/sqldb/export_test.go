package sqldb

import (
	"context"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

// SmallLimits makes everything the writer remembers so small that little work
// reaches the edges of it. No store is open when it is called, and none when
// the test ends.
func SmallLimits(t *testing.T) {
	max, fill, list, group := windowMax, windowFill, windowsPerIndex, groupMax
	windowMax, windowFill, windowsPerIndex, groupMax = 4, 1, 2, 3
	t.Cleanup(func() { windowMax, windowFill, windowsPerIndex, groupMax = max, fill, list, group })
}

// ForgetBetweenCommits makes the writer work as it does where others write, too.
func (s *Store) ForgetBetweenCommits() { s.writer.dialect.sole = false }

// CheckpointFrom sets the length of the log, in pages, from which it is moved
// into the database.
func (s *Store) CheckpointFrom(pages int64) { s.writer.checkpointer.pages = pages }

// OldestPostgres sets the version that is refused below, until the test ends.
func OldestPostgres(t *testing.T, version int64) {
	before := oldestPostgres
	oldestPostgres = version
	t.Cleanup(func() { oldestPostgres = before })
}

// OutcomeLimit sets how long the outcome of a commit is asked for, until the
// test ends.
func OutcomeLimit(t *testing.T, d time.Duration) {
	before := outcomeLimit
	outcomeLimit = d
	t.Cleanup(func() { outcomeLimit = before })
}

// Exec runs a statement on the writer's connection, outside of a transaction.
func (s *Store) Exec(text string) error {
	return s.onWriter(func(c *conn) error {
		_, err := c.exec(text)
		return err
	})
}

// Int64 returns the first number that a query answers.
func (s *Store) Int64(text string) (n int64, err error) {
	err = s.onWriter(func(c *conn) (err error) {
		n, err = c.int64(text)
		return err
	})
	return n, err
}

// Text returns the first text that a query answers.
func (s *Store) Text(text string) (answer string, err error) {
	err = s.onWriter(func(c *conn) (err error) {
		answer, err = c.text(text)
		return err
	})
	return answer, err
}

// onWriter calls f while the writer waits for a closure that reads nothing, so
// that its connection is free.
func (s *Store) onWriter(f func(*conn) error) error {
	return s.Update(context.Background(), func(store.Tx) error { return f(s.writer.conn) })
}
