package blob

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func open(t testing.TB) (*Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blobs")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

func put(t testing.TB, d *Dir, key, body string) Info {
	t.Helper()
	info, err := d.Put(t.Context(), key, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func content(t testing.TB, d *Dir, key string) string {
	t.Helper()
	f, err := d.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(Reader(f))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPutAndOpen(t *testing.T) {
	for _, key := range []string{"builds/a.zip", "a//b", "../../evil", "/abs", ".", "ünï", strings.Repeat("k", KeyMaxBytes), `C:\x`, "a\x00b"} {
		d, path := open(t)
		put(t, d, key, "first")
		info := put(t, d, key, "second")
		want := Info{Key: key, SizeBytes: 6, SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte("second"))), ETag: fmt.Sprintf("%x", md5.Sum([]byte("second")))}
		if diff := cmp.Diff(want, info, cmpopts.IgnoreFields(Info{}, "Modified")); diff != "" {
			t.Error(diff)
		}
		if got := content(t, d, key); got != "second" {
			t.Errorf("%q: %q", key, got)
		}
		// A new process finds it.
		again, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if stat, err := again.Stat(t.Context(), key); err != nil || stat != info {
			t.Errorf("%q after reopening: %+v, %v", key, stat, err)
		}
		again.Close()
		if n := files(t, path); n != 2 {
			t.Errorf("%q: %d files on disk, want a record and its data", key, n)
		}
		if outside, _ := os.ReadDir(filepath.Dir(path)); len(outside) != 1 {
			t.Errorf("%q wrote outside: %v", key, outside)
		}
		for range 2 {
			if err := d.Delete(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
		if _, err := d.Stat(t.Context(), key); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q after Delete: %v", key, err)
		}
		if n := files(t, path); n != 0 {
			t.Errorf("%q: %d files left", key, n)
		}
	}
}

func TestBadKeys(t *testing.T) {
	d, _ := open(t)
	for _, key := range []string{"", strings.Repeat("k", KeyMaxBytes+1), "\xff"} {
		if _, err := d.Put(t.Context(), key, strings.NewReader("x")); !errors.Is(err, ErrBadKey) {
			t.Errorf("Put: %v", err)
		}
		if _, err := d.Begin(t.Context(), key); !errors.Is(err, ErrBadKey) {
			t.Errorf("Begin: %v", err)
		}
		if _, err := d.Open(t.Context(), key); !errors.Is(err, ErrBadKey) {
			t.Errorf("Open: %v", err)
		}
	}
}

// An upload that breaks off leaves what was there before, and nothing else.
func TestBrokenPut(t *testing.T) {
	d, path := open(t)
	put(t, d, "k", "old")
	broken := errors.New("connection reset")
	if _, err := d.Put(t.Context(), "k", io.MultiReader(strings.NewReader("new"), iotest.ErrReader(broken))); err != broken {
		t.Errorf("got %v, want the reader's error as it is", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Put(ctx, "k", strings.NewReader("new")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := content(t, d, "k"); got != "old" {
		t.Errorf("content %q", got)
	}
	if n := files(t, path); n != 2 {
		t.Errorf("%d files on disk, want 2", n)
	}
}

func TestReadersKeepWhatTheyOpened(t *testing.T) {
	d, _ := open(t)
	put(t, d, "k", "old content")
	f, err := d.Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, "k", "new")
	if b, err := io.ReadAll(Reader(f)); string(b) != "old content" {
		t.Errorf("%q, %v", b, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestParts(t *testing.T) {
	d, path := open(t)
	ctx := t.Context()
	id, err := d.Begin(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[int]string{1: strings.Repeat("a", 5000), 2: strings.Repeat("b", 300), 3: "", 4: "dropped", 7: strings.Repeat("c", 70)}
	for _, number := range []int{7, 4, 2, 3, 1} {
		if number == 2 {
			if _, err := d.PutPart(ctx, "k", id, 2, strings.NewReader("replaced")); err != nil {
				t.Fatal(err)
			}
		}
		part, err := d.PutPart(ctx, "k", id, number, strings.NewReader(bodies[number]))
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%x", md5.Sum([]byte(bodies[number]))); part.ETag != want {
			t.Errorf("part %d: ETag %s, want %s", number, part.ETag, want)
		}
	}
	parts, err := d.Parts(ctx, "k", id)
	var numbers []int
	for _, p := range parts {
		numbers = append(numbers, p.Number)
		if p.SizeBytes != int64(len(bodies[p.Number])) {
			t.Errorf("part %d has %d bytes", p.Number, p.SizeBytes)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 7}, numbers); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := d.Stat(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("before Complete: %v", err)
	}
	for name, wrong := range map[string][]int{"none": {}, "missing": {1, 5}, "far": {1, 9000}} {
		if _, err := d.Complete(ctx, "k", id, wrong); !errors.Is(err, ErrNoPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, wrong := range map[string][]int{"falling": {2, 1}, "twice": {1, 1}, "zero": {0}, "beyond": {10001}} {
		if _, err := d.Complete(ctx, "k", id, wrong); !errors.Is(err, ErrBadPart) {
			t.Errorf("%s: %v", name, err)
		}
	}

	info, err := d.Complete(ctx, "k", id, []int{1, 2, 3, 7})
	if err != nil {
		t.Fatal(err)
	}
	want := bodies[1] + bodies[2] + bodies[7]
	sums := md5.New()
	for _, n := range []int{1, 2, 3, 7} {
		sum := md5.Sum([]byte(bodies[n]))
		sums.Write(sum[:])
	}
	if info.SizeBytes != int64(len(want)) || info.ETag != fmt.Sprintf("%x-4", sums.Sum(nil)) {
		t.Errorf("%+v", info)
	}
	if got := content(t, d, "k"); got != want {
		t.Errorf("content of %d bytes differs", len(got))
	}
	f, err := d.Open(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := iotest.TestReader(Reader(f), []byte(want)); err != nil {
		t.Error(err)
	}
	if n := files(t, path); n != 1+3 {
		t.Errorf("%d files on disk, want a record and three pieces", n)
	}
	// Who did not hear the answer asks again.
	if again, err := d.Complete(ctx, "k", id, []int{1, 2, 3, 7}); err != nil || again != info {
		t.Errorf("completing again: %+v, %v", again, err)
	}
	if _, err := d.PutPart(ctx, "k", id, 1, strings.NewReader("late")); !errors.Is(err, ErrNoUpload) {
		t.Errorf("a late part: %v", err)
	}
	if err := d.Delete(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if n := files(t, path); n != 0 {
		t.Errorf("%d files left", n)
	}
}

func TestUploadIdentifiers(t *testing.T) {
	d, path := open(t)
	ctx := t.Context()
	id, err := d.Begin(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []struct{ key, id string }{{"other", id}, {"k", "../objects"}, {"k", ""}, {"k", strings.Repeat("A", len(id))}, {"k", id + "/"}} {
		if _, err := d.PutPart(ctx, wrong.key, wrong.id, 1, strings.NewReader("x")); !errors.Is(err, ErrNoUpload) {
			t.Errorf("PutPart(%q, %q): %v", wrong.key, wrong.id, err)
		}
		if _, err := d.Parts(ctx, wrong.key, wrong.id); !errors.Is(err, ErrNoUpload) {
			t.Errorf("Parts: %v", err)
		}
		if _, err := d.Complete(ctx, wrong.key, wrong.id, []int{1}); !errors.Is(err, ErrNoUpload) {
			t.Errorf("Complete: %v", err)
		}
		if err := d.Abort(ctx, wrong.key, wrong.id); !errors.Is(err, ErrNoUpload) {
			t.Errorf("Abort: %v", err)
		}
	}
	for _, number := range []int{0, -1, PartsMax + 1} {
		if _, err := d.PutPart(ctx, "k", id, number, strings.NewReader("x")); !errors.Is(err, ErrBadPart) {
			t.Errorf("part %d: %v", number, err)
		}
	}
	if _, err := d.PutPart(ctx, "k", id, 1, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := d.Abort(ctx, "k", id); err != nil {
		t.Fatal(err)
	}
	if n := files(t, path); n != 0 {
		t.Errorf("%d files left after Abort", n)
	}
}

func TestPartsAtOnce(t *testing.T) {
	d, _ := open(t)
	id, err := d.Begin(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var numbers []int
	var want strings.Builder
	for n := 1; n <= 20; n++ {
		body := fmt.Sprintf("part %d;", n)
		numbers = append(numbers, n)
		want.WriteString(body)
		for range 2 { // clients retry
			wg.Go(func() {
				if _, err := d.PutPart(t.Context(), "k", id, n, strings.NewReader(body)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for range 4 {
		wg.Go(func() {
			if _, err := d.Complete(t.Context(), "k", id, numbers); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := content(t, d, "k"); got != want.String() {
		t.Errorf("got %q", got)
	}
}

// Whoever writes last wins; nobody ever sees a mixture or nothing.
func TestOneKeyAtOnce(t *testing.T) {
	d, path := open(t)
	put(t, d, "k", strings.Repeat("0", 1000))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for range 10 {
				if _, err := d.Put(t.Context(), "k", strings.NewReader(strings.Repeat(fmt.Sprint(w), 1000))); err != nil {
					t.Error(err)
				}
				if got := content(t, d, "k"); strings.Count(got, got[:1]) != 1000 {
					t.Errorf("mixed: %q", got)
				}
			}
		})
	}
	wg.Wait()
	if n := files(t, path); n != 2 {
		t.Errorf("%d files on disk, want 2", n)
	}
}

func TestSweep(t *testing.T) {
	d, path := open(t)
	ctx := t.Context()
	put(t, d, "kept", "kept")
	begin := func(key string) string {
		id, err := d.Begin(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.PutPart(ctx, key, id, 1, strings.NewReader("part")); err != nil {
			t.Fatal(err)
		}
		return id
	}
	begin("left behind")
	// A crash between making a file of its parts and ending the upload.
	half := begin("half")
	record, err := d.partRecords(half)
	if err != nil {
		t.Fatal(err)
	}
	record[1].Key = "half"
	if err := d.writeJSON(objectName("half"), record[1]); err != nil {
		t.Fatal(err)
	}
	for _, orphan := range []string{"data/ORPHAN", "objects/x.json.ABC.tmp"} {
		if err := os.WriteFile(filepath.Join(path, orphan), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(path, "uploads", strings.Repeat("B", len(half))), 0o700); err != nil {
		t.Fatal(err)
	}

	before := files(t, path)
	if err := d.Sweep(ctx, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := files(t, path); n != before {
		t.Errorf("%d of %d files left, but all are new", n, before)
	}
	if err := d.Sweep(ctx, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if content(t, d, "kept") != "kept" || content(t, d, "half") != "part" {
		t.Error("a stored file changed")
	}
	if n := files(t, path); n != 4 {
		t.Errorf("%d files left, want two records and their data", n)
	}
	if left, _ := os.ReadDir(filepath.Join(path, "uploads")); len(left) != 0 {
		t.Errorf("uploads left: %v", left)
	}
}

func files(t testing.TB, path string) (n int) {
	t.Helper()
	err := filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func BenchmarkPut(b *testing.B) {
	d, _ := open(b)
	body := bytes.Repeat([]byte("x"), 8<<20)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := d.Put(b.Context(), "k", bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}
