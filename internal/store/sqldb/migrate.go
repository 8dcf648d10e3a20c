package sqldb

import (
	"database/sql/driver"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/chairlift-games/chairlift/internal/store"
)

// The migrations bring the store's own tables forward, by number, each in one
// transaction. There is no way back.
//
//go:embed migrations/*.sql
var migrations embed.FS

// prepare looks whether the database is what the store needs, and brings it to
// the state that this program works with. Of several servers one at a time
// does so.
func prepare(c *conn, tables map[string]*table) (err error) {
	d := c.dialect
	if d.lock != "" {
		if err := c.script(d.lock); err != nil {
			return err
		}
		defer func() {
			if e := c.script(d.unlock); err == nil {
				err = e
			}
		}()
	}
	if err := d.ready(c); err != nil {
		return err
	}
	return migrate(c, tables)
}

// migrate brings a database to the state that this program works with.
func migrate(c *conn, tables map[string]*table) error {
	if _, err := c.exec("CREATE TABLE IF NOT EXISTS chairlift_schema (version BIGINT NOT NULL)"); err != nil {
		return err
	}
	version, err := c.int64("SELECT MAX(version) FROM chairlift_schema")
	if err != nil {
		return err
	}
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted, and numbered without a gap
	if err != nil {
		return err
	}
	if version > int64(len(names)) {
		return fmt.Errorf("store: %w: it has schema %d and this program knows up to %d; start the newer Chairlift again, or restore the backup made before the upgrade",
			store.ErrNewerSchema, version, len(names))
	}
	for i, name := range names {
		if int64(i) < version {
			continue
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		err = inTransaction(c, func() error {
			if err := c.script(string(text)); err != nil {
				return err
			}
			_, err := c.exec(fmt.Sprintf("INSERT INTO chairlift_schema (version) VALUES (%d)", i+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("store: migration %s: %w", name, err)
		}
	}
	for _, text := range c.dialect.own {
		if err := c.script(text); err != nil {
			return err
		}
	}
	err = inTransaction(c, func() error {
		changed := false
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			did, err := tables[name].reconcile(c)
			if err != nil {
				return fmt.Errorf("store: kind %q: %w", name, err)
			}
			changed = changed || did
		}
		if changed && c.dialect.shared {
			return fenceOff(c)
		}
		return nil
	})
	c.forget() // none of this is used again
	return err
}

func inTransaction(c *conn, f func() error) error {
	if _, err := c.exec(c.dialect.begin); err != nil {
		return err
	}
	if err := f(); err != nil {
		c.exec("ROLLBACK")
		return err
	}
	_, err := c.exec("COMMIT")
	return err
}

// reconcile makes the database's table what the kind declares: it creates it,
// drops indexes that are declared no more (their values would grow stale), and
// adds and fills new ones. It reports whether there was anything to do.
func (t *table) reconcile(c *conn) (changed bool, err error) {
	d := t.dialect
	run := func(texts []string) error {
		for _, text := range texts {
			if err := c.script(text); err != nil {
				return err
			}
		}
		return nil
	}
	known, err := c.int64("SELECT COUNT(*) FROM chairlift_kind WHERE kind = "+d.param(1), t.kind.Name)
	if err != nil {
		return false, err
	}
	if known == 0 {
		if err := run(t.create()); err != nil {
			return false, err
		}
		if _, err := c.exec("INSERT INTO chairlift_kind (kind) VALUES ("+d.param(1)+")", t.kind.Name); err != nil {
			return false, err
		}
	}
	var have []string
	err = c.query("SELECT name FROM chairlift_index WHERE kind = "+d.param(1)+" ORDER BY name", func(line []driver.Value) error {
		have = append(have, line[0].(string))
		return nil
	}, t.kind.Name)
	if err != nil {
		return false, err
	}
	for _, x := range have {
		if slices.Contains(t.kind.Indexes, x) {
			continue
		}
		if err := run(t.dropIndex(x)); err != nil {
			return false, err
		}
		if _, err := c.exec("DELETE FROM chairlift_index WHERE kind = "+d.param(1)+" AND name = "+d.param(2), t.kind.Name, x); err != nil {
			return false, err
		}
	}
	var added []string
	for _, x := range t.kind.Indexes {
		if slices.Contains(have, x) {
			continue
		}
		if err := run(t.addIndex(x)); err != nil {
			return false, err
		}
		if _, err := c.exec("INSERT INTO chairlift_index (kind, name) VALUES ("+d.params(1, 2)+")", t.kind.Name, x); err != nil {
			return false, err
		}
		added = append(added, x)
	}
	changed = known == 0 || len(added) > 0 || len(have)+len(added) > len(t.kind.Indexes)
	if len(added) == 0 || known == 0 {
		return changed, nil
	}
	return changed, t.fill(c, added)
}

// fillBatch is how many rows fill reads at a time.
const fillBatch = 500

// fill gives the rows that exist their values in new indexes.
func (t *table) fill(c *conn, added []string) error {
	var from store.Cursor
	for {
		docs, err := t.readRange(c, byID, from, end, fillBatch)
		if err != nil || len(docs) == 0 {
			return err
		}
		if t.kind.Keys == nil {
			return fmt.Errorf("index %q is new and there are rows without a value for it; declare Kind.Keys, which computes one from a row's body", added)
		}
		for _, d := range docs {
			keys, err := t.kind.Keys(d.row.Body)
			if err != nil {
				return fmt.Errorf("row %q: values for the new index %q: %w", d.row.ID, added, err)
			}
			r := d.row
			r.Keys = maps.Clone(r.Keys)
			for _, x := range added {
				if keys[x] != "" {
					if r.Keys == nil {
						r.Keys = map[string]string{}
					}
					r.Keys[x] = keys[x]
				}
			}
			if _, err := t.kind.Stored(r); err != nil {
				return err
			}
			now := t.newDoc(r)
			now.version = d.version + 1
			if mask := changed(d, now); mask != 0 {
				if _, err := c.exec(t.update(mask), updateArguments(mask, d, now, nil)...); err != nil {
					return err
				}
			}
		}
		last := docs[len(docs)-1].row.ID
		from = store.Cursor{Value: last, ID: last}
	}
}
