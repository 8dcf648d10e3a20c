package bucket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/s3door"
)

func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ yaml, want string }{
		{"- {name: a-1, url: 'file://" + dir + "'}\n- {name: b-2, url: 'https://s3.example/x', access-key-id: A, secret-access-key: s}", ""},
		{"- {name: Builds, url: 'file://" + dir + "'}", "small letters"},
		{"- {name: chairlift-x, url: 'file://" + dir + "'}", "own buckets"},
		{"- {name: abc, url: 'file://" + dir + "/no'}", "cannot be opened"},
		{"- {name: abc, url: 'file://srv/builds'}", "from the root on"},
		{"- {name: abc, url: 'file://" + dir + "', region: r}", "needs no region"},
		{"- {name: abc, url: 'ftp://x/y'}", "file:///PATH"},
		{"- {name: abc, url: 'https://x'}", "file:///PATH"},
		{"- {name: abc, url: 'https://a:b@x/y'}", "settings of their own"},
		{"- {name: abc, url: 'https://x/y', access-key-id: A}", "or neither"},
		{"- {name: abc, url: 'https://x/y', access-key-id: A, secret-access-key-file: " + dir + "/no}", "cannot be read"},
		{"- {name: abc, url: 'file://" + dir + "'}\n- {name: abc, url: 'file://" + dir + "'}", "another of this name"},
		{"- {name: abc, path: x}", "no list of buckets"},
	} {
		var b Buckets
		err := b.UnmarshalText([]byte(test.yaml))
		if err == nil {
			_, err = b.Over(nil)
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s\ngot %v, want %q", test.yaml, err, test.want)
		}
	}
}

// own is a store of files with one file.
func own(t *testing.T) *blob.Dir {
	t.Helper()
	files, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	if _, err := files.Put(t.Context(), "mine/x", strings.NewReader("own")); err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, s blob.Store, key string) (string, error) {
	t.Helper()
	f, err := s.Open(t.Context(), key)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(blob.Reader(f))
	return string(text), err
}

// TestVersions reads from a service that keeps two versions of an object.
func TestVersions(t *testing.T) {
	versions := map[string]string{"": "new", "null": "old", "v2": "new"}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := versions[r.URL.Query().Get("versionId")]
		if !ok {
			http.Error(w, "no version", http.StatusBadRequest)
			return
		}
		io.WriteString(w, text)
	}))
	defer srv.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("file"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Buckets{{Name: "far", URL: srv.URL + "/artifacts"}, {Name: "near", URL: "file://" + filepath.ToSlash(dir)}}.Over(own(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ key, version, want string }{
		{"far/x", "", "new"}, {"far/x", "v2", "new"}, {"far/x", "null", "old"}, {"far/x", "v3", ""},
		{"near/x", "", "file"}, {"near/x", "null", "file"}, {"near/x", "v2", ""},
		{"mine/x", "", "own"}, {"mine/x", "null", "own"}, {"mine/x", "v2", ""},
	} {
		f, err := blob.OpenVersion(t.Context(), s, test.key, test.version)
		if test.want == "" {
			if !errors.Is(err, blob.ErrNotFound) {
				t.Errorf("%s at %q: %v", test.key, test.version, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s at %q: %v", test.key, test.version, err)
			continue
		}
		if got, err := io.ReadAll(blob.Reader(f)); string(got) != test.want || err != nil {
			t.Errorf("%s at %q: %q, %v", test.key, test.version, got, err)
		}
		f.Close()
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"builds/a.zip": "a", "../secret": "secret"} {
		path := filepath.Join(dir, "srv", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "srv", "link"))
	s, err := Buckets{{Name: "games", URL: "file://" + filepath.ToSlash(filepath.Join(dir, "srv"))}}.Over(own(t))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"games/builds/a.zip": "a", "mine/x": "own"} {
		if got, err := read(t, s, key); got != want || err != nil {
			t.Errorf("%s holds %q, %v; want %q", key, got, err, want)
		}
		if info, err := s.Stat(t.Context(), key); err != nil || info.SizeBytes != int64(len(want)) || info.ETag == "" {
			t.Errorf("%s: %+v, %v", key, info, err)
		}
	}
	for _, key := range []string{"games/builds", "games/no", "games/../secret", "games//builds/a.zip", "games/", "games", "other/x"} {
		if _, err := read(t, s, key); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if got, err := read(t, s, "games/link"); err == nil {
		t.Errorf("a link leads out of the folder, to %q", got)
	}
	readOnly(t, s, "games/builds/a.zip")
}

func readOnly(t *testing.T, s blob.Store, key string) {
	t.Helper()
	_, put := s.Put(t.Context(), key, strings.NewReader("x"))
	_, begin := s.Begin(t.Context(), key)
	for what, err := range map[string]error{"Put": put, "Begin": begin, "Delete": s.Delete(t.Context(), key)} {
		if !errors.Is(err, blob.ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// anyone lets every upload be.
type anyone struct{}

func (anyone) MayWrite(context.Context, string, string) error        { return nil }
func (anyone) Finished(context.Context, string, string, int64) error { return nil }

// TestService reads from the S3 door of another Chairlift.
func TestService(t *testing.T) {
	far := own(t)
	creds := auth.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}
	key := auth.Key{AccessKeyID: creds.AccessKeyID, Secret: creds.SecretAccessKey, Account: "000000000000", Principal: "root", Policy: auth.Everything()}
	requests := 0
	door := s3door.New(s3door.Options{Verifier: &auth.Verifier{Keys: auth.Keys{key.AccessKeyID: key}}, Files: far, Uploads: anyone{}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		door.ServeHTTP(w, r)
	}))
	defer srv.Close()
	large := strings.Repeat("0123456789", 100_000)
	for name, text := range map[string]string{"large": large, "a//b/./../späce +%2F?": "odd"} {
		if _, err := far.Put(t.Context(), "artifacts/"+name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Buckets{
		{Name: "far", URL: srv.URL + "/artifacts", Region: "eu-central-1", AccessKeyID: "AKID", SecretAccessKeyFile: secret},
		{Name: "wrong", URL: srv.URL + "/artifacts", AccessKeyID: "AKID", SecretAccessKey: "no"},
		{Name: "unsigned", URL: srv.URL + "/artifacts"},
		{Name: "nowhere", URL: "http://127.0.0.1:1/artifacts"},
	}.Over(own(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, s, "far/large"); got != large || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if requests != 2 {
		t.Errorf("reading in order took %d requests, want one and one for the size", requests)
	}
	if got, err := read(t, s, "far/a//b/./../späce +%2F?"); got != "odd" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := read(t, s, "far/no"); !errors.Is(err, blob.ErrNotFound) {
		t.Error(err)
	}
	for bucket, want := range map[string]string{"wrong": "refuses the bucket's access key", "unsigned": "refuses", "nowhere": "127.0.0.1:1"} {
		if _, err := s.Stat(t.Context(), bucket+"/large"); !errors.Is(err, blob.ErrElsewhere) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", bucket, err)
		}
	}
	readOnly(t, s, "far/large")

	// Here and there, and when it changes in between.
	f, err := s.Open(t.Context(), "far/large")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, off := range []int{999_995, 5, 500_000, 500_005, 999_998} {
		got := make([]byte, 5)
		n, err := f.ReadAt(got, int64(off))
		if want := large[off:min(off+5, len(large))]; string(got[:n]) != want || (n < 5) != (err == io.EOF) {
			t.Errorf("at %d: %q, %v; want %q", off, got[:n], err, want)
		}
	}
	if _, err := f.ReadAt(make([]byte, 1), int64(len(large))); err != io.EOF {
		t.Errorf("behind the end: %v", err)
	}
	if _, err := far.Put(t.Context(), "artifacts/large", bytes.NewReader(make([]byte, len(large)))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 5), 0); !errors.Is(err, blob.ErrElsewhere) || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("what was replaced is read: %v", err)
	}
}
