package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
)

func testGuards(t *testing.T, open Open) {
	s := start(t, open)
	cases := []struct {
		name     string
		f        func(*testing.T, store.Tx)
		conflict bool
		want     string // body of row "x" afterwards, "-" if absent
	}{
		{"put without looking", func(t *testing.T, tx store.Tx) { put(t, tx, "fleet", row("x", "new")) }, true, "old"},
		{"put after get", func(t *testing.T, tx store.Tx) {
			get(t, tx, "fleet", "x")
			put(t, tx, "fleet", row("x", "new"))
		}, false, "new"},
		{"put after scan", func(t *testing.T, tx store.Tx) {
			scan(t, tx, "fleet", "status", "A", store.Cursor{}, 9)
			put(t, tx, "fleet", row("x", "new"))
		}, false, "new"},
		{"put after a scan that did not reach it", func(t *testing.T, tx store.Tx) {
			scan(t, tx, "fleet", "", "", store.Cursor{}, 1)
			put(t, tx, "fleet", row("x", "new"))
		}, true, "old"},
		{"put after claim", func(t *testing.T, tx store.Tx) {
			claim(t, tx, "fleet", "w", at(9), at(10), 9)
			put(t, tx, "fleet", row("x", "new"))
		}, false, "new"},
		{"put twice without looking", func(t *testing.T, tx store.Tx) {
			put(t, tx, "fleet", row("x", "new"))
			get(t, tx, "fleet", "x")
			put(t, tx, "fleet", row("x", "newer"))
		}, true, "old"},
		{"delete without looking", func(t *testing.T, tx store.Tx) { remove(t, tx, "fleet", "x") }, false, "-"},
		{"delete and put", func(t *testing.T, tx store.Tx) {
			remove(t, tx, "fleet", "x")
			put(t, tx, "fleet", row("x", "new"))
		}, false, "new"},
		{"put without looking and delete", func(t *testing.T, tx store.Tx) {
			put(t, tx, "fleet", row("x", "new"))
			remove(t, tx, "fleet", "x")
		}, true, "old"},
		{"put of another id without looking", func(t *testing.T, tx store.Tx) { put(t, tx, "fleet", row("y", "new")) }, false, "old"},
		{"come and gone", func(t *testing.T, tx store.Tx) {
			put(t, tx, "fleet", row("y", "new"))
			remove(t, tx, "fleet", "y")
		}, false, "old"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			update(t, s, func(tx store.Tx) {
				remove(t, tx, "fleet", "y")
				get(t, tx, "fleet", "x")
				put(t, tx, "fleet", row("a", "first"), row("x", "old"))
			})
			runs := 0
			err := s.Update(t.Context(), func(tx store.Tx) error {
				runs++
				put(t, tx, "note", store.Row{ID: c.name})
				c.f(t, tx)
				return nil
			})
			if c.conflict != errors.Is(err, store.ErrConflict) || !c.conflict && err != nil {
				t.Errorf("Update: %v", err)
			}
			if c.conflict && runs != store.Attempts {
				t.Errorf("ran %d times, want %d", runs, store.Attempts)
			}
			both(t, s, func(t *testing.T, tx store.Tx) {
				r, ok := get(t, tx, "fleet", "x")
				if ok == (c.want == "-") || ok && string(r.Body) != c.want {
					t.Errorf("row is %q (there: %v), want %q", r.Body, ok, c.want)
				}
				if _, ok := get(t, tx, "note", c.name); ok == c.conflict {
					t.Errorf("the other row of the transaction is there: %v", ok)
				}
			})
			update(t, s, func(tx store.Tx) { remove(t, tx, "fleet", "a") })
		})
	}

	t.Run("the closure's error comes before a conflict", func(t *testing.T) {
		write(t, s, "fleet", row("x", "old"))
		err := s.Update(t.Context(), func(tx store.Tx) error {
			put(t, tx, "fleet", row("x", "new"))
			return errFails
		})
		if err != errFails {
			t.Errorf("Update: %v", err)
		}
	})

	t.Run("one of many that put the same row", func(t *testing.T) {
		var won, lost atomic.Int32
		concurrently(32, func(i int) {
			err := s.Update(t.Context(), func(tx store.Tx) error {
				return tx.Put("note", store.Row{ID: "mine", Body: strconv.AppendInt(nil, int64(i), 10)})
			})
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, store.ErrConflict):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
		if won.Load() != 1 || lost.Load() != 31 {
			t.Errorf("%d won and %d lost", won.Load(), lost.Load())
		}
	})
}

func row(id, body string) store.Row {
	return store.Row{ID: id, Body: []byte(body), Keys: map[string]string{"status": "A"}, Due: at(1)}
}

// concurrently calls f with 0 to n-1, each on a goroutine, and waits for all.
func concurrently(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// number reads a row whose body is a number; an absent one is 0.
func number(tx store.Tx, kind, id string) (int, error) {
	r, ok, err := tx.Get(kind, id)
	if !ok || err != nil {
		return 0, err
	}
	return strconv.Atoi(string(r.Body))
}

func putNumber(tx store.Tx, kind, id string, n int) error {
	return tx.Put(kind, store.Row{ID: id, Body: strconv.AppendInt(nil, int64(n), 10)})
}

func testVisibility(t *testing.T, open Open) {
	s := start(t, open)
	const total = 1000
	update(t, s, func(tx store.Tx) {
		if err := errors.Join(putNumber(tx, "fleet", "a", total), putNumber(tx, "fleet", "b", 0)); err != nil {
			t.Fatal(err)
		}
	})
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := s.View(t.Context(), func(tx store.Tx) error {
					a, err := number(tx, "fleet", "a")
					if err != nil {
						return err
					}
					time.Sleep(100 * time.Microsecond) // let others commit
					b, err := number(tx, "fleet", "b")
					if err == nil && a+b != total {
						err = fmt.Errorf("a view sees %d and %d, in sum not %d", a, b, total)
					}
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	concurrently(8, func(i int) {
		for n := range 20 {
			var b int
			err := s.Update(t.Context(), func(tx store.Tx) error {
				a, err := number(tx, "fleet", "a")
				if err != nil {
					return err
				}
				if b, err = number(tx, "fleet", "b"); err != nil {
					return err
				}
				if a+b != total {
					return fmt.Errorf("an update sees %d and %d", a, b)
				}
				b++
				err = errors.Join(putNumber(tx, "fleet", "a", a-1), putNumber(tx, "fleet", "b", b))
				if n%3 == 0 {
					b--
					return errFails
				}
				return err
			})
			if err != nil && err != errFails {
				t.Error(err)
			}
			// What this caller was told is committed is there.
			err = s.View(t.Context(), func(tx store.Tx) error {
				now, err := number(tx, "fleet", "b")
				if err == nil && now < b {
					err = fmt.Errorf("%d after the commit of %d", now, b)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	close(stop)
	readers.Wait()
	view(t, s, func(tx store.Tx) {
		if b, err := number(tx, "fleet", "b"); b != 8*13 || err != nil {
			t.Errorf("%d steps were kept, want %d (%v)", b, 8*13, err)
		}
	})
}

// testIsolation lets transactions that fail run among others that do not.
func testIsolation(t *testing.T, open Open) {
	s := start(t, open)
	write(t, s, "fleet", row("taken", "x"))
	concurrently(60, func(i int) {
		id := fmt.Sprintf("n%02d", i)
		err := s.Update(t.Context(), func(tx store.Tx) error {
			n, err := number(tx, "note", "count")
			if err != nil {
				return err
			}
			if err := errors.Join(putNumber(tx, "note", "count", n+1), putNumber(tx, "note", id, i)); err != nil {
				return err
			}
			switch i % 3 {
			case 1:
				return errFails
			case 2: // in conflict each time
				return tx.Put("fleet", row("taken", "y"))
			}
			return nil
		})
		if want := []error{nil, errFails, store.ErrConflict}[i%3]; !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	})
	both(t, s, func(t *testing.T, tx store.Tx) {
		if n, err := number(tx, "note", "count"); n != 20 || err != nil {
			t.Errorf("count is %d (%v), want 20", n, err)
		}
		rows := scan(t, tx, "note", "", "n", store.Cursor{}, 99)
		if len(rows) != 20 {
			t.Errorf("%d rows are left: %s", len(rows), ids(rows))
		}
		for _, r := range rows {
			if n, _ := strconv.Atoi(string(r.Body)); n%3 != 0 {
				t.Errorf("row %s was to leave nothing", r.ID)
			}
		}
	})
}

func testPanic(t *testing.T, open Open) {
	s := start(t, open)
	type oops struct{ n int }
	caught := func(f func()) (v any) {
		defer func() { v = recover() }()
		f()
		return nil
	}
	concurrently(20, func(i int) {
		if i%2 == 0 {
			err := s.Update(t.Context(), func(tx store.Tx) error { return putNumber(tx, "note", fmt.Sprint(i), i) })
			if err != nil {
				t.Error(err)
			}
			return
		}
		for _, call := range []func(context.Context, func(store.Tx) error) error{s.Update, s.View} {
			v := caught(func() {
				call(t.Context(), func(tx store.Tx) error {
					putNumber(tx, "note", fmt.Sprint(i), i)
					panic(oops{i})
				})
			})
			if v != (oops{i}) {
				t.Errorf("the caller of a panic recovered %v", v)
			}
		}
	})
	// A goroutine that ends inside its closure (t.FailNow does that) is gone, the store is not.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Update(t.Context(), func(tx store.Tx) error {
			putNumber(tx, "note", "gone", 1)
			runtime.Goexit()
			return nil
		})
		t.Error("went on after its end")
	}()
	<-ended
	both(t, s, func(t *testing.T, tx store.Tx) {
		rows := scan(t, tx, "note", "", "", store.Cursor{}, 99)
		wantIDs(t, "rows that are left", rows, "0 10 12 14 16 18 2 4 6 8")
	})
}

func testContext(t *testing.T, open Open) {
	s := start(t, open)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	unused := func(store.Tx) error { t.Error("ran with a context that has ended"); return nil }
	for _, call := range []func(context.Context, func(store.Tx) error) error{s.Update, s.View} {
		if err := call(canceled, unused); err != context.Canceled {
			t.Errorf("ended context: %v", err)
		}
	}

	t.Run("ends while it runs", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Update(ctx, func(tx store.Tx) error {
			cancel()
			if _, _, err := tx.Get("note", "kept"); err != nil {
				return err
			}
			return putNumber(tx, "note", "kept", 1)
		})
		if err != nil {
			t.Errorf("Update: %v", err)
		}
		view(t, s, func(tx store.Tx) {
			if _, ok := get(t, tx, "note", "kept"); !ok {
				t.Error("the outcome was not the true one")
			}
		})
		ctx, cancel = context.WithCancel(t.Context())
		err = s.View(ctx, func(tx store.Tx) error {
			cancel()
			_, _, err := tx.Get("note", "kept")
			return err
		})
		if err != context.Canceled {
			t.Errorf("View: %v", err)
		}
	})

	t.Run("ends while it waits", func(t *testing.T) {
		inside, release := make(chan struct{}), make(chan struct{})
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			first <- s.Update(t.Context(), func(tx store.Tx) error {
				close(inside)
				<-release
				return nil
			})
		}()
		<-inside
		ctx, cancel := context.WithCancel(t.Context())
		go func() { second <- s.Update(ctx, unused) }()
		time.Sleep(5 * time.Millisecond) // so that it most likely waits
		cancel()
		time.Sleep(5 * time.Millisecond)
		close(release)
		if err := <-first; err != nil {
			t.Errorf("first: %v", err)
		}
		if err := <-second; err != context.Canceled {
			t.Errorf("second: %v", err)
		}
	})

	t.Run("ends at any moment", func(t *testing.T) {
		var kept atomic.Int32
		concurrently(100, func(i int) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
			defer cancel()
			err := s.Update(ctx, func(tx store.Tx) error { return putNumber(tx, "fleet", fmt.Sprint(i), i) })
			switch {
			case err == nil:
				kept.Add(1)
			case !errors.Is(err, context.DeadlineExceeded):
				t.Error(err)
			}
		})
		view(t, s, func(tx store.Tx) {
			if n := len(scan(t, tx, "fleet", "", "", store.Cursor{}, 999)); n != int(kept.Load()) {
				t.Errorf("%d are stored, %d were told so", n, kept.Load())
			}
		})
	})
}

func testWatch(t *testing.T, open Open) {
	s := start(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, b := s.Watch(ctx), s.Watch(t.Context())
	quiet := func(what string) {
		t.Helper()
		select {
		case <-a:
			t.Errorf("%s: a wake-up", what)
		default:
		}
	}
	woken := func(what string) {
		t.Helper()
		for _, c := range []<-chan struct{}{a, b} {
			select {
			case <-c:
			case <-time.After(5 * time.Second):
				t.Fatalf("%s: no wake-up", what)
			}
		}
	}
	// The last one tells when everything before it has been seen.
	settle := func() {
		t.Helper()
		write(t, s, "note", store.Row{ID: "settle"})
		woken("a commit")
	}
	settle()
	view(t, s, func(tx store.Tx) { get(t, tx, "note", "settle") })
	quiet("a view")
	update(t, s, func(tx store.Tx) { get(t, tx, "note", "settle") })
	quiet("an update without writes")
	s.Update(t.Context(), func(tx store.Tx) error { put(t, tx, "note", store.Row{ID: "x"}); return errFails })
	quiet("an update that failed")
	for i := range 10 {
		write(t, s, "note", store.Row{ID: fmt.Sprint(i)})
	}
	woken("ten commits")
	settle()

	cancel()
	for range a { // ends, after one wake-up at most
	}
	write(t, s, "note", store.Row{ID: "after"})
	if _, ok := <-b; !ok {
		t.Error("the other watch has ended, too")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range b {
	}
}
