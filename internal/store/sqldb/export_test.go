package sqldb

import "testing"

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

// Exec runs a statement as the writer would, inside a transaction of its own
// only if the text says so. Nothing else may be going on.
func (s *Store) Exec(text string) error {
	_, err := s.writer.conn.exec(text)
	return err
}

// Int64 returns the one number that a query answers.
func (s *Store) Int64(text string) (int64, error) { return s.writer.conn.int64(text) }

// Text returns the first text that a query answers.
func (s *Store) Text(text string) (string, error) { return s.writer.conn.text(text) }
