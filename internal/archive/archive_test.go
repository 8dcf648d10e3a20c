package archive

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entry is one line of a test archive.
type entry struct {
	name   string
	body   string
	mode   fs.FileMode
	method uint16
	flags  uint16
}

// zipped writes entries as an ordinary tool on Linux does.
func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Flags: e.flags}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		if e.method != 0 || e.flags != 0 {
			h.Method = e.method
			h.CompressedSize64, h.UncompressedSize64 = uint64(len(e.body)), uint64(len(e.body))
			f, err := w.CreateRaw(h)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(f, e.body)
			continue
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestRefused(t *testing.T) {
	ok := entry{name: "server", body: "x"}
	for _, tt := range []struct {
		name    string
		zip     []byte
		lim     *Limits
		want    string // in the sentence
		atEntry string
	}{
		{name: "empty upload", zip: nil, want: "the file is empty"},
		{name: "text", zip: []byte("hello"), want: "not a zip"},
		{name: "tar.gz", zip: []byte("\x1f\x8b\x08rest"), want: "gzip data"},
		{name: "tar", zip: append(make([]byte, 257), "ustar  "...), want: "a tar archive"},
		{name: "program", zip: []byte("\x7fELF\x02\x01"), want: "a Linux program"},
		{name: "cut short", zip: zipped(t, ok, entry{name: "b", body: "y"})[:60], want: "cut short"},
		{name: "no files", zip: zipped(t, entry{name: "dir/"}), want: "holds no file"},
		{name: "no entries", zip: zipped(t), want: "holds no file"},
		{name: "parent", zip: zipped(t, ok, entry{name: "../evil", body: "x"}), want: "leads out", atEntry: "../evil"},
		{name: "parent in the middle", zip: zipped(t, entry{name: "a/../../evil"}), want: "leads out"},
		{name: "parent even if harmless", zip: zipped(t, entry{name: "a/../b"}), want: "leads out"},
		{name: "parent with backslashes", zip: zipped(t, entry{name: `a\..\..\evil`}), want: "leads out"},
		{name: "absolute", zip: zipped(t, entry{name: "/etc/passwd"}), want: "absolute path"},
		{name: "absolute with backslash", zip: zipped(t, entry{name: `\windows\x`}), want: "absolute path"},
		{name: "UNC", zip: zipped(t, entry{name: `\\host\share\x`}), want: "absolute path"},
		{name: "drive", zip: zipped(t, entry{name: `C:\game\x`}), want: "drive letter"},
		{name: "drive relative", zip: zipped(t, entry{name: `c:x`}), want: "drive letter"},
		{name: "zero byte", zip: zipped(t, entry{name: "a\x00b"}), want: "zero byte"},
		{name: "long path", zip: zipped(t, entry{name: strings.Repeat("abcdefg/", 600)}), want: "4096"},
		{name: "long part", zip: zipped(t, entry{name: strings.Repeat("a", 256)}), want: "255"},
		{name: "only dots", zip: zipped(t, entry{name: ".", body: "x"}), want: "has no name"},
		{name: "twice", zip: zipped(t, ok, ok), want: "twice"},
		{name: "twice after cleaning", zip: zipped(t, ok, entry{name: "./server"}), want: "twice"},
		{name: "file and folder", zip: zipped(t, entry{name: "a"}, entry{name: "a/b"}), want: "lies in"},
		{name: "folder and file", zip: zipped(t, entry{name: "a/b"}, entry{name: "a"}), want: "twice, as a folder and as a file"},
		{name: "case on Windows", zip: zipped(t, entry{name: "a/X"}, entry{name: "A/y"}), lim: &Limits{Entries: 10, FoldCase: true}, want: "only in case"},
		{name: "device", zip: zipped(t, entry{name: "tty", mode: fs.ModeDevice | fs.ModeCharDevice | 0o600}), want: "neither a file"},
		{name: "pipe", zip: zipped(t, entry{name: "p", mode: fs.ModeNamedPipe | 0o600}), want: "neither a file"},
		{name: "encrypted", zip: zipped(t, entry{name: "s", body: "secret", flags: 1}), want: "without a password"},
		{name: "Deflate64", zip: zipped(t, entry{name: "s", body: "xx", method: 9}), want: "Deflate64"},
		{name: "odd method", zip: zipped(t, entry{name: "s", body: "xx", method: 77}), want: "number 77"},
		{name: "link out", zip: zipped(t, ok, linkTo("a/l", "../../etc")), want: "outside"},
		{name: "absolute link", zip: zipped(t, ok, linkTo("l", "/etc/passwd")), want: "absolute path"},
		{name: "climbing link", zip: zipped(t, ok, linkTo("l", "a/../b")), want: "climbs after"},
		{name: "backslash link", zip: zipped(t, ok, linkTo("l", `..\x`)), want: "outside"},
		{name: "empty link", zip: zipped(t, ok, linkTo("l", "")), want: "link to nothing"},
		{name: "long link", zip: zipped(t, ok, linkTo("l", strings.Repeat("a/", 2100))), want: "4096"},
		{name: "file under a link", zip: zipped(t, linkTo("l", "d"), entry{name: "l/x", body: "x"}), want: "as a link"},
		{name: "too many", zip: zipped(t, ok, entry{name: "b"}, entry{name: "c"}), lim: &Limits{Entries: 2}, want: "more than the 2 allowed"},
		{name: "too large", zip: zipped(t, entry{name: "a", body: strings.Repeat("x", 2000)}), lim: &Limits{Entries: 2, TotalBytes: 1024}, want: "1 KiB allowed"},
		{name: "ten gigabytes of zeros", zip: zeros(t, 10<<30), want: "made to fill a disk"},
		{name: "overlapping", zip: overlapping(t), want: "shares its bytes"},
		{name: "beyond the end", zip: beyond(t), want: "cut short"},
		{name: "lies about its count", zip: liar(t), lim: &Limits{Entries: 10}, want: "more than the 10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lim := DefaultLimits
			if tt.lim != nil {
				lim = *tt.lim
			}
			_, err := Check(bytes.NewReader(tt.zip), int64(len(tt.zip)), lim)
			refused, ok := errors.AsType[*Refused](err)
			if !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to say %q", err, tt.want)
			}
			if tt.atEntry != "" && refused.Entry != tt.atEntry {
				t.Errorf("entry %q, want %q", refused.Entry, tt.atEntry)
			}
			dir := t.TempDir()
			if _, err := unpack(t, tt.zip, filepath.Join(dir, "in"), lim); err == nil {
				t.Error("Unpack took what Check refused")
			}
			expectTree(t, dir, map[string]string{"in/": "drwxr-xr-x"})
		})
	}
}

func linkTo(name, target string) entry {
	return entry{name: name, body: target, mode: fs.ModeSymlink | 0o777}
}

func TestUnpack(t *testing.T) {
	body := zipped(t,
		entry{name: "bin/", mode: fs.ModeDir | 0o700},
		entry{name: "./bin/server", body: "#!/bin/sh\n", mode: 0o755},
		entry{name: "bin/owner-only", body: "x", mode: 0o700},
		entry{name: "data/levels/a.dat", body: strings.Repeat("level", 1000), mode: 0o640},
		entry{name: `win\sub\b.txt`, body: "backslash"},
		entry{name: `win\empty\`},
		entry{name: "Readme", body: "1"},
		entry{name: "README", body: "2"},
		entry{name: "setuid", body: "x", mode: fs.ModeSetuid | 0o755},
		linkTo("lib/libx.so", "../data/levels"),
		linkTo("lib/next", "libx.so/a.dat"),
		entry{name: "m\x81nchen.txt", body: "cp437"},
	)
	dir := t.TempDir()
	var last, total int64
	sum, err := unpackWith(t, body, dir, DefaultLimits, func(d, t int64) { last, total = d, t })
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{
		Files: 8, Folders: 2, Links: 2, Bytes: int64(10 + 1 + 5000 + 9 + 1 + 1 + 1 + 5),
		Notes: []string{
			"2 names have backslashes, which were taken for folder separators",
			`"Readme" and "README" differ only in case; they are two files on Linux and one on Windows`,
		},
	}
	if diff := cmp.Diff(want, sum); diff != "" {
		t.Error(diff)
	}
	if last != sum.Bytes || total != sum.Bytes {
		t.Errorf("progress ended at %d of %d, want %d of both", last, total, sum.Bytes)
	}
	checked, err := Check(bytes.NewReader(body), int64(len(body)), DefaultLimits)
	if diff := cmp.Diff(sum, checked); diff != "" || err != nil {
		t.Error(err, diff)
	}
	expectTree(t, dir, map[string]string{
		"bin/": "drwxr-xr-x", "bin/server": "-rwxr-xr-x", "bin/owner-only": "-rwxr-xr-x",
		"data/": "drwxr-xr-x", "data/levels/": "drwxr-xr-x", "data/levels/a.dat": "-rw-r--r--",
		"win/": "drwxr-xr-x", "win/sub/": "drwxr-xr-x", "win/sub/b.txt": "-rw-r--r--", "win/empty/": "drwxr-xr-x",
		"Readme": "-rw-r--r--", "README": "-rw-r--r--", "setuid": "-rwxr-xr-x",
		"lib/": "drwxr-xr-x", "lib/libx.so": "../data/levels", "lib/next": "libx.so/a.dat", "münchen.txt": "-rw-r--r--",
	})
	if got, err := os.ReadFile(filepath.Join(dir, "lib/next")); err != nil || len(got) != 5000 {
		t.Errorf("through two links: %d bytes, %v", len(got), err)
	}
	if _, err := unpack(t, body, dir, DefaultLimits); err == nil || !strings.Contains(err.Error(), "empty folder") {
		t.Errorf("unpacking over files: %v, want it refused", err)
	}
}

func TestSingleFolderIsNoted(t *testing.T) {
	body := zipped(t, entry{name: "Build/"}, entry{name: "Build/server", body: "x"})
	sum, err := Check(bytes.NewReader(body), int64(len(body)), DefaultLimits)
	want := []string{`everything lies in the folder "Build", so launch paths need it too`}
	if diff := cmp.Diff(want, sum.Notes); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// The umask of whoever unpacks does not decide what may be executed.
func TestExecutableBitDespiteUmask(t *testing.T) {
	defer umask(umask(0o177))
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(t, zipped(t, entry{name: "server", body: "x", mode: 0o755}), dir, DefaultLimits); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "server")); err != nil || info.Mode() != 0o755 {
		t.Errorf("mode %v, %v, want 0755", info.Mode(), err)
	}
}

func TestDamageIsFoundWhileUnpacking(t *testing.T) {
	stored := zipped(t, entry{name: "a", body: "content", method: 0, flags: 0x800})
	flip := func(b []byte, old, new string) []byte {
		out := bytes.Replace(b, []byte(old), []byte(new), 1)
		if bytes.Equal(out, b) {
			t.Fatalf("%q is not in the archive", old)
		}
		return out
	}
	packed := zipped(t, entry{name: "a", body: strings.Repeat("hello world ", 3000)})
	cut := bytes.Clone(packed)
	copy(cut[31:], "\xff\xff\xff\xff") // no valid block begins so
	for name, body := range map[string][]byte{
		"checksum": flip(withCRC(stored), "content", "kontent"),
		"deflate":  cut,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Check(bytes.NewReader(body), int64(len(body)), DefaultLimits); err != nil {
				t.Fatalf("Check reads no contents: %v", err)
			}
			_, err := unpack(t, body, t.TempDir(), DefaultLimits)
			if refused, ok := errors.AsType[*Refused](err); !ok || !strings.Contains(refused.Reason, "damaged") {
				t.Errorf("got %v, want the entry called damaged", err)
			}
		})
	}
	t.Run("more than declared", func(t *testing.T) {
		body := bytes.Clone(packed)
		dir := bytes.Index(body, []byte("PK\x01\x02"))
		binary.LittleEndian.PutUint32(body[dir+24:], 5) // uncompressed size
		out := t.TempDir()
		_, err := unpack(t, body, out, DefaultLimits)
		if info, _ := os.Stat(filepath.Join(out, "a")); info != nil && info.Size() > 5 {
			t.Errorf("%d bytes were written", info.Size())
		}
		if err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("got %v, want the entry called damaged", err)
		}
	})
}

// A failing disk is not the archive's fault: the caller may try again.
func TestReadErrorIsNotARefusal(t *testing.T) {
	body := zipped(t, entry{name: "a", body: strings.Repeat("x", 100)})
	_, err := Check(failing{bytes.NewReader(body)}, int64(len(body)), DefaultLimits)
	if _, refused := errors.AsType[*Refused](err); refused || !errors.Is(err, errDisk) {
		t.Errorf("got %v, want the disk's error", err)
	}
}

var errDisk = errors.New("input/output error")

type failing struct{ r io.ReaderAt }

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off == 0 {
		return 0, errDisk
	}
	return f.r.ReadAt(p, off)
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var entries []entry
	for i := range 50 {
		entries = append(entries, entry{name: fmt.Sprint(i), body: "x"})
	}
	body := zipped(t, entries...)
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = Unpack(ctx, bytes.NewReader(body), int64(len(body)), root, DefaultLimits, func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// Archives beyond 65,535 entries need zip64; the standard tools write it.
func TestZip64(t *testing.T) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := range 66_000 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("d%d/f%d", i%100, i), Method: zip.Store}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum, err := Check(bytes.NewReader(buf.Bytes()), int64(buf.Len()), DefaultLimits)
	if err != nil || sum.Files != 66_000 {
		t.Errorf("%d files, %v", sum.Files, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(zipped(f, entry{name: "a/b", body: "x", mode: 0o755}, linkTo("l", "a/b")))
	f.Add(zipped(f, entry{name: "../x", body: "x"}))
	f.Add(zipped(f, linkTo("l", "../x"), entry{name: "l/x", body: "x"}))
	f.Add(overlapping(f))
	lim := Limits{Entries: 50, TotalBytes: 1 << 20, Ratio: 100, RatioFloorBytes: 1 << 18}
	f.Fuzz(func(t *testing.T, body []byte) {
		dir := t.TempDir()
		in := filepath.Join(dir, "in")
		sum, err := unpack(t, body, in, lim)
		top, readErr := os.ReadDir(dir)
		if readErr != nil || len(top) != 1 {
			t.Fatalf("something was written outside: %v, %v", top, readErr)
		}
		if err != nil {
			return
		}
		real, err := filepath.EvalSymlinks(in)
		if err != nil {
			t.Fatal(err)
		}
		var bytes int64
		filepath.WalkDir(in, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				t.Fatal(err)
			}
			if d.Type()&fs.ModeSymlink != 0 {
				if to, err := filepath.EvalSymlinks(path); err == nil && to != real && !strings.HasPrefix(to, real+"/") {
					t.Fatalf("link %s leads to %s", path, to)
				}
			} else if info, _ := d.Info(); d.Type().IsRegular() {
				bytes += info.Size()
			}
			return nil
		})
		if bytes != sum.Bytes {
			t.Fatalf("%d bytes on disk, summary says %d", bytes, sum.Bytes)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"a/b", `..\x`, "C:x", "./a//b/", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		name, _, err := clean(raw)
		if err != nil || name == "" {
			return
		}
		if !fs.ValidPath(name) || !filepath.IsLocal(name) {
			t.Errorf("clean(%q) = %q is no path inside", raw, name)
		}
		if again, _, err := clean(name); err != nil || again != name {
			t.Errorf("clean(%q) = %q, %v: not stable", name, again, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	var entries []entry
	for i := range 10_000 {
		entries = append(entries, entry{name: fmt.Sprintf("Content/Paks/dir%d/file%d.uasset", i%50, i), body: "x"})
	}
	body := zipped(b, entries...)
	for b.Loop() {
		if _, err := Check(bytes.NewReader(body), int64(len(body)), DefaultLimits); err != nil {
			b.Fatal(err)
		}
	}
}

func unpack(t testing.TB, body []byte, dir string, lim Limits) (Summary, error) {
	return unpackWith(t, body, dir, lim, nil)
}

func unpackWith(t testing.TB, body []byte, dir string, lim Limits, progress func(int64, int64)) (Summary, error) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return Unpack(t.Context(), bytes.NewReader(body), int64(len(body)), root, lim, progress)
}

// expectTree compares a folder with names (folders end in a slash) and modes
// or link targets.
func expectTree(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return // no such modes
	}
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			got[name+"/"] = info.Mode().String()
		case d.Type()&fs.ModeSymlink != 0:
			got[name], err = os.Readlink(path)
		default:
			got[name] = info.Mode().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// zeros is an archive of one file of zeros, compressed a piece at a time.
func zeros(t testing.TB, size int64) []byte {
	var one bytes.Buffer
	fw, _ := flate.NewWriter(&one, flate.BestSpeed)
	chunk := make([]byte, 1<<20)
	for range 16 {
		fw.Write(chunk)
	}
	fw.Close()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.CreateRaw(&zip.FileHeader{Name: "zeros", Method: zip.Deflate, UncompressedSize64: uint64(size), CompressedSize64: uint64(one.Len())})
	if err != nil {
		t.Fatal(err)
	}
	f.Write(one.Bytes())
	w.Close()
	return buf.Bytes()
}

// overlapping is an archive whose two directory entries share one local header.
func overlapping(t testing.TB) []byte {
	body := zipped(t, entry{name: "a", body: "aaaa", mode: 0o644}, entry{name: "b", body: "bbbb", mode: 0o644})
	second := bytes.LastIndex(body, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(body[second+42:], 0) // offset of the local header
	return body
}

// beyond is an archive whose entry claims more bytes than the file has.
func beyond(t testing.TB) []byte {
	body := zipped(t, entry{name: "a", body: "aaaa"})
	dir := bytes.Index(body, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(body[dir+20:], 1<<20)
	return body
}

// liar is an archive whose directory has 65,536 entries more than its end
// record counts, which the record's 16 bits cannot tell apart.
func liar(t testing.TB) []byte {
	body := zipped(t, entry{name: "a", body: "aaaa"})
	dir, end := bytes.Index(body, []byte("PK\x01\x02")), bytes.Index(body, []byte("PK\x05\x06"))
	var out bytes.Buffer
	out.Write(body[:dir])
	for range 65_537 {
		out.Write(body[dir:end])
	}
	size := out.Len() - dir
	tail := bytes.Clone(body[end:])
	binary.LittleEndian.PutUint32(tail[12:], uint32(size))
	out.Write(tail)
	return out.Bytes()
}

// withCRC puts the checksum of "content" into a stored archive made raw.
func withCRC(body []byte) []byte {
	out := bytes.Clone(body)
	sum := crc32.ChecksumIEEE([]byte("content"))
	binary.LittleEndian.PutUint32(out[14:], sum)
	binary.LittleEndian.PutUint32(out[bytes.Index(out, []byte("PK\x01\x02"))+16:], sum)
	return out
}
