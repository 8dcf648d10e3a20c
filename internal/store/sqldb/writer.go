package sqldb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

const (
	queueMax     = 4096 // transactions that wait; more wait to be let in
	groupRowsMax = 4096 // changed rows after which a group takes no more
)

// Where others write, too, a group runs again this often when they were faster,
// and each of its transactions then as often alone.
const (
	sharedAttempts = 6
	racePause      = time.Millisecond // the most, for each attempt so far
)

// groupMax is how many transactions share a commit. A variable for tests.
var groupMax = 256

// A writer is the one goroutine that changes the database. It takes what
// waits, lets each transaction run in turn, and commits them together.
//
// A closure runs on its caller's own goroutine: the writer hands it the turn
// and waits. So a panic, or the end of that goroutine, happens where it
// belongs, and costs the group nothing.
type writer struct {
	dialect *dialect
	images  map[string]*image
	order   []*image // by name
	cache   *cache
	wake    func() // after each commit that changed something

	queue   chan *request
	ran     chan struct{} // a closure has had its turn
	stop    chan struct{} // closed to end run
	stopped chan struct{} // closed when run has ended

	conn         *conn
	began        bool          // a transaction is open on conn
	id           string        // of the row in chairlift_writer, where others write, too
	commits      int64         // the number of the last commit tried, in that row
	others       string        // what the others had committed when it was last looked; see mark.go
	locking      bool          // rows are locked as they are read: for one who lost too often
	alone        bool          // nobody else committed between the last two looks: what was read stays true
	checkpointer *checkpointer // nil if there is nothing for it to do
	texts        map[textRef]string
	args         []driver.Value // reused
}

// A request is one call of Update.
type request struct {
	f       func(store.Tx) error
	started atomic.Bool   // by whoever sets it: the writer, or the caller who leaves
	turn    chan *tx      // the closure is to run
	done    chan error    // the outcome
	ran     chan struct{} // the writer's
	runs    int           // of the closure
	err     error         // of the closure, or a conflict
	left    bool          // the closure did not return: its caller is gone
}

// start reports whether the caller of start is the first, who now decides.
func (r *request) start() bool { return r.started.CompareAndSwap(false, true) }

// update is Store.Update.
func (w *writer) update(ctx context.Context, f func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{f: f, turn: make(chan *tx, 1), done: make(chan error, 1), ran: w.ran}
	select {
	case <-w.stop:
		return errClosed()
	default:
	}
	canceled, stopped := ctx.Done(), w.stopped
	select {
	case w.queue <- r:
	case <-canceled:
		return ctx.Err()
	case <-stopped:
		return errClosed()
	}
	for {
		select {
		case t := <-r.turn:
			r.run(t)
		case err := <-r.done:
			return err
		case <-canceled:
			if r.start() {
				return ctx.Err()
			}
			canceled = nil
		case <-stopped:
			if r.start() {
				return errClosed()
			}
			stopped = nil
		}
	}
}

// run gives the closure its turn, on its caller's goroutine.
func (r *request) run(t *tx) {
	r.left = true
	defer func() { r.ran <- struct{}{} }()
	r.err = r.f(t)
	r.left = false
}

// run works until stop is closed. What waits then is not started.
func (w *writer) run() {
	defer close(w.stopped)
	group := make([]*request, 0, groupMax)
	for {
		select {
		case <-w.stop:
			return
		default:
		}
		select {
		case <-w.stop:
			return
		case r := <-w.queue:
			group = w.commit(r, group[:0])
			clear(group)
		}
	}
}

// commit makes one commit of first and of what waits behind it, and returns
// the slice for the next one.
func (w *writer) commit(first *request, group []*request) []*request {
	// Those whom the last commit has just answered get to ask again.
	runtime.Gosched()

	if !w.dialect.sole && !w.alone {
		w.forget()
	}
	for r := first; r != nil; r = w.next(len(group)) {
		if r.start() {
			group = append(group, r)
			w.attempt(r, false)
		}
	}
	w.conclude(group)
	return group
}

// conclude commits what the group has changed and answers.
func (w *writer) conclude(group []*request) {
	changed, err := w.write(group)
	if isConflict(err) && w.dialect.shared && len(group) > 1 {
		// Another server keeps changing what one of the group wants. Alone it
		// keeps nobody else from a commit.
		for i, r := range group {
			if !r.left {
				w.attempt(r, false)
				w.conclude(group[i : i+1])
			}
		}
		return
	}
	if err != nil && !errors.Is(err, store.ErrUnknown) {
		err = fmt.Errorf("store: nothing of the transaction was kept: %w", err)
	}
	for _, r := range group {
		if !r.left {
			// If the commit failed then so did those whose closure did not
			// want it: what they saw may never have come to be.
			r.done <- cmp.Or(err, r.err)
		}
	}
	if err == nil && changed {
		w.wake()
		if w.checkpointer != nil {
			w.checkpointer.afterCommit(w.conn)
		}
	}
}

// write writes what the group has changed and commits. If others came first it
// lets the closures run again.
func (w *writer) write(group []*request) (changed bool, err error) {
	attempts := 2
	defer func() { w.locking = false }()
	if w.dialect.shared {
		attempts = sharedAttempts
	}
	for try := 1; ; try++ {
		changed = w.pendingRows() > 0
		// A closure that met a broken connection has failed with that.
		if lost := w.lost(); !lost {
			if err = w.flush(); err == nil {
				return changed, nil
			}
		} else if err == nil {
			err = errLost
		}
		// A connection that broke costs the group no more than another run,
		// unless nobody knows what became of the commit.
		again := isConflict(err) || (w.lost() || errors.Is(err, errLost)) && !errors.Is(err, store.ErrUnknown)
		w.abort()
		if !again || try == attempts {
			return false, err
		}
		// Somebody added a row that exists: now everybody looks before he adds,
		// so that it hits the one whose fault it is.
		verify := !w.dialect.shared || errors.Is(err, errDuplicate)
		err = nil
		w.locking = w.dialect.shared && len(group) == 1
		if w.dialect.shared && try > 1 { // let one of those who are after the same row go first
			time.Sleep(rand.N(time.Duration(try) * racePause))
		}
		for _, r := range group {
			if !r.left {
				w.attempt(r, verify)
			}
		}
	}
}

func isConflict(err error) bool {
	_, conflict := errors.AsType[*store.ConflictError](err)
	return conflict || errors.Is(err, errRace)
}

// next returns a request that waits, or nil if there is none or the group of
// that size is large enough.
func (w *writer) next(size int) *request {
	if size >= groupMax || w.pendingRows() >= groupRowsMax {
		return nil
	}
	select {
	case r := <-w.queue:
		return r
	default:
		return nil
	}
}

// attempt runs a closure, again after a conflict, and makes its writes part of
// the group or sets r.err.
func (w *writer) attempt(r *request, verify bool) {
	for {
		t := &tx{writer: w}
		r.turn <- t
		<-w.ran
		t.done = true
		if r.runs++; r.left || r.err != nil {
			return
		}
		if r.err = t.apply(verify); r.err == nil || r.runs >= store.Attempts {
			return
		}
	}
}

func (w *writer) pendingRows() (n int) {
	for _, m := range w.order {
		n += len(m.pending)
	}
	return n
}

// connected returns the connection, made anew if there is none.
func (w *writer) connected() (*conn, error) {
	if w.conn == nil {
		c, err := connect(w.dialect, false)
		if err != nil {
			return nil, err
		}
		w.conn = c
	}
	return w.conn, nil
}

// begun returns the connection with a transaction open on it.
func (w *writer) begun() (*conn, error) {
	c, err := w.connected()
	if err != nil || w.began {
		return c, err
	}
	if _, err := c.exec(w.dialect.begin); err != nil {
		return nil, err
	}
	w.began = true
	return c, nil
}

// reading returns the connection to read on. A database that others write to
// is read as it is: what a closure writes is guarded by its version.
func (w *writer) reading() (*conn, error) {
	if w.dialect.shared && !w.locking {
		return w.connected()
	}
	return w.begun()
}

// lost reports whether the connection broke.
func (w *writer) lost() bool {
	return w.conn != nil && w.dialect.lost != nil && w.dialect.lost(w.conn.driver)
}

// flush writes what is pending and commits.
func (w *writer) flush() error {
	if !w.began && w.pendingRows() == 0 && !w.alone {
		return nil
	}
	if w.dialect.shared {
		if err := w.flushShared(); err != nil {
			return err
		}
	} else if err := w.flushSole(); err != nil {
		return err
	}
	w.began = false
	for _, m := range w.order {
		m.settle()
	}
	return nil
}

func (w *writer) flushSole() error {
	c, err := w.begun()
	if err != nil {
		return err
	}
	for _, m := range w.order {
		if len(m.pending) > 0 {
			if err := m.flush(c); err != nil {
				return err
			}
		}
	}
	_, err = c.exec("COMMIT")
	return err
}

// abort drops the group's work and all that was concluded from it.
func (w *writer) abort() {
	if w.began && !w.lost() {
		if _, err := w.conn.exec("ROLLBACK"); err != nil {
			// Whatever state this connection is in, the next one is not.
			w.drop()
		}
	}
	if w.lost() {
		w.drop()
	}
	w.began, w.alone = false, false
	w.forget()
}

// drop closes the connection; the next use makes a new one.
func (w *writer) drop() {
	if w.conn != nil {
		w.conn.close()
		w.conn = nil
	}
	w.began = false
}

// forget drops what was read and what is pending.
func (w *writer) forget() {
	for _, m := range w.order {
		m.forget()
	}
	w.cache.clear()
}

func newWriter(d *dialect, tables map[string]*table, cacheBytes int, wake func()) *writer {
	w := &writer{
		dialect: d, cache: newCache(cacheBytes), wake: wake,
		images: map[string]*image{}, texts: map[textRef]string{},
		queue: make(chan *request, queueMax), ran: make(chan struct{}, 1),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if d.checkpointPages > 0 {
		w.checkpointer = newCheckpointer(d, d.checkpointPages)
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		m := newImage(tables[name], w)
		w.images[name] = m
		w.order = append(w.order, m)
	}
	return w
}

// close ends the writer; what waits is not started.
func (w *writer) close() (err error) {
	close(w.stop)
	<-w.stopped
	if w.checkpointer != nil {
		err = w.checkpointer.close()
	}
	if w.conn != nil {
		if w.dialect.shared && !w.lost() {
			_ = w.unregister(w.conn) // for tidiness: it would be removed some day
		}
		err = cmp.Or(w.conn.close(), err)
	}
	return err
}

func errClosed() error { return fmt.Errorf("store: %w", store.ErrClosed) }
