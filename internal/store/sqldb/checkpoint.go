package sqldb

import "database/sql/driver"

// A checkpointer moves SQLite's log into the database, beside the writer
// instead of in its way: a second connection copies most of it while commits
// go on, then the writer copies what has come meanwhile, which is little, and
// the log starts from its beginning again.
type checkpointer struct {
	dialect *dialect
	pages   int64 // in the log and not in the database, from which it works

	conn    *conn
	running bool
	done    chan error // of the copy that is running
}

func newCheckpointer(d *dialect, pages int64) *checkpointer {
	return &checkpointer{dialect: d, pages: pages, done: make(chan error, 1)}
}

// afterCommit is called by the writer between transactions. What fails here
// is tried again later and needs no report: an error of the disk meets the
// next commit, too.
func (k *checkpointer) afterCommit(writer *conn) {
	if k.running {
		select {
		case err := <-k.done:
			k.running = false
			if err == nil {
				checkpoint(writer, "PRAGMA wal_checkpoint(PASSIVE)")
			}
		default:
		}
		return
	}
	if pages, err := checkpoint(writer, "PRAGMA wal_checkpoint(NOOP)"); err != nil || pages < k.pages {
		return
	}
	if k.conn == nil {
		c, err := connect(k.dialect, false)
		if err != nil {
			return
		}
		k.conn = c
	}
	k.running = true
	go func() {
		_, err := checkpoint(k.conn, "PRAGMA wal_checkpoint(PASSIVE)")
		k.done <- err
	}()
}

// close waits for the copy that is running. The writer has ended.
func (k *checkpointer) close() error {
	if k.running {
		<-k.done
	}
	if k.conn == nil {
		return nil
	}
	return k.conn.close()
}

// checkpoint runs a checkpoint of some kind and returns how many pages are in
// the log and not in the database after it.
func checkpoint(c *conn, pragma string) (pages int64, err error) {
	err = c.query(pragma, func(line []driver.Value) error {
		log, _ := line[1].(int64)
		copied, _ := line[2].(int64)
		pages = log - copied
		return nil
	})
	return pages, err
}
