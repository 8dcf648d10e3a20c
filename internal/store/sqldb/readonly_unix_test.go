//go:build unix

package sqldb_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
)

func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	makeReadOnly(t, dir)
	_, err := sqldb.OpenSQLite(filepath.Join(dir, "x.db"), sqldb.Options{Kinds: notes})
	if !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("read-only folder: %v", err)
	}
}

// makeReadOnly takes away the right to write to a folder, until the test ends.
func makeReadOnly(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() == 0 {
		mountReadOnly(t, dir) // root may write wherever a mount lets it
		return
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
}
