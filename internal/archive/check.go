package archive

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Check says what is in the zip that r holds and whether it is safe to unpack.
// It reads the directory and the head of every entry, not the contents: those
// are held against their checksums when Unpack writes them.
func Check(r io.ReaderAt, sizeBytes int64, lim Limits) (Summary, error) {
	plan, err := read(r, sizeBytes, lim)
	if err != nil {
		return Summary{}, err
	}
	return plan.sum, nil
}

// A plan is an archive whose every entry passed the checks.
type plan struct {
	sum     Summary
	folders []string // parents first
	files   []planned
	links   []planned
}

type planned struct {
	entry  *zip.File
	name   string // relative to the folder, with slashes
	target string // of a link
}

func read(r io.ReaderAt, sizeBytes int64, lim Limits) (*plan, error) {
	if sizeBytes == 0 {
		return nil, refuse("", "the file is empty; upload it again")
	}
	// A real directory has 100 to 200 bytes per entry. The budget stops one
	// that lies about its count before it is all in memory.
	budget := &budgetReader{r: r, left: int64(lim.Entries)*256 + 1<<20}
	z, err := zip.NewReader(budget, sizeBytes)
	budget.left = -1
	switch {
	case errors.Is(err, errBudget):
		return nil, refuse("", "the archive lists more than the %d files and folders allowed; leave out what the server does not need", lim.Entries)
	case errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrAlgorithm), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, notAZip(r, sizeBytes)
	case err != nil && !errors.Is(err, zip.ErrInsecurePath): // names get checks of our own
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	if len(z.File) > lim.Entries {
		return nil, refuse("", "the archive holds %d files and folders, more than the %d allowed; leave out what the server does not need", len(z.File), lim.Entries)
	}

	p := &plan{}
	t := newTree(lim.FoldCase)
	spans := make([]span, 0, len(z.File))
	backslashes := 0
	for _, entry := range z.File {
		name, bs, refused := clean(entry.Name)
		if refused != nil {
			return nil, refused
		}
		if bs {
			backslashes++
		}
		k, refused := kindOf(entry, bs)
		if refused != nil {
			return nil, refused
		}
		if name == "" {
			if k != folder {
				return nil, refuse(entry.Name, "has no name; make the zip again with another tool")
			}
			continue
		}
		if refused := t.add(entry.Name, name, k); refused != nil {
			return nil, refused
		}
		if k == folder {
			p.sum.Folders++
			p.folders = append(p.folders, name)
			continue
		}

		s, err := spanOf(entry, sizeBytes)
		if err != nil {
			return nil, err
		}
		spans = append(spans, s)
		if k == link {
			target, err := linkTarget(entry)
			if err != nil {
				return nil, err
			}
			if refused := checkLink(entry.Name, name, target); refused != nil {
				return nil, refused
			}
			p.sum.Links++
			p.links = append(p.links, planned{entry, name, strings.ReplaceAll(target, `\`, "/")})
			continue
		}
		if size := entry.UncompressedSize64; size > 1<<62 {
			return nil, refuse(entry.Name, "claims to be %d bytes large; the archive is damaged, make it again", size)
		}
		p.sum.Files++
		p.sum.Bytes += int64(entry.UncompressedSize64)
		if p.sum.Bytes < 0 || lim.TotalBytes > 0 && p.sum.Bytes > lim.TotalBytes {
			return nil, refuse("", "the archive unpacks to more than the %s allowed; leave out what the server does not need", human(lim.TotalBytes))
		}
		p.files = append(p.files, planned{entry: entry, name: name})
	}

	if p.sum.Files == 0 {
		return nil, refuse("", "the archive holds no file; zip the folder that holds the server")
	}
	if lim.Ratio > 0 && p.sum.Bytes > lim.RatioFloorBytes && p.sum.Bytes/lim.Ratio > sizeBytes {
		return nil, refuse("", "%s of archive unpack to %s, more than %d times as much, as archives do that are made to fill a disk; leave out large empty files", human(sizeBytes), human(p.sum.Bytes), lim.Ratio)
	}
	if refused := overlap(spans); refused != nil {
		return nil, refused
	}
	p.note(t, backslashes)
	return p, nil
}

func (p *plan) note(t *tree, backslashes int) {
	if backslashes > 0 {
		p.sum.Notes = append(p.sum.Notes, fmt.Sprintf("%d names have backslashes, which were taken for folder separators", backslashes))
	}
	if t.collision[0] != "" {
		p.sum.Notes = append(p.sum.Notes, fmt.Sprintf("%s and %s differ only in case; they are two files on Linux and one on Windows", quoted(t.collision[0]), quoted(t.collision[1])))
	}
	if top := t.single(); top != "" {
		p.sum.Notes = append(p.sum.Notes, fmt.Sprintf("everything lies in the folder %s, so launch paths need it too", quoted(top)))
	}
}

// kindOf says whether an entry is a file, a folder or a link.
func kindOf(entry *zip.File, backslashes bool) (kind, *Refused) {
	if entry.Flags&1 != 0 {
		return 0, refuse(entry.Name, "is encrypted; zip without a password")
	}
	mode := entry.Mode()
	switch {
	case mode.IsDir() || strings.HasSuffix(entry.Name, "/") || backslashes && strings.HasSuffix(entry.Name, `\`):
		if entry.UncompressedSize64 != 0 {
			return 0, refuse(entry.Name, "is a folder with content of its own; the archive is damaged, make it again")
		}
		return folder, nil
	case mode&fs.ModeSymlink != 0:
		return link, methodKnown(entry)
	case mode.IsRegular():
		return file, methodKnown(entry)
	}
	return 0, refuse(entry.Name, "is neither a file nor a folder nor a link (%s); leave out devices, pipes and sockets", mode.Type())
}

func methodKnown(entry *zip.File) *Refused {
	if entry.Method == zip.Store || entry.Method == zip.Deflate {
		return nil
	}
	name, known := map[uint16]string{9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES encryption"}[entry.Method]
	if !known {
		name = fmt.Sprintf("number %d", entry.Method)
	}
	return refuse(entry.Name, "is packed with the method %s; zip with plain Deflate (Windows Explorer uses Deflate64 above 2 GB: use another tool there)", name)
}

func linkTarget(entry *zip.File) (string, error) {
	if entry.UncompressedSize64 > linkMaxBytes {
		return "", refuse(entry.Name, "is a link of %d bytes, more than the %d a link may have; remove it and zip again", entry.UncompressedSize64, linkMaxBytes)
	}
	body, err := entry.Open()
	if err != nil {
		return "", damaged(entry, err)
	}
	defer body.Close()
	target, err := io.ReadAll(io.LimitReader(body, linkMaxBytes+1))
	if err != nil {
		return "", damaged(entry, err)
	}
	return string(target), nil
}

// A span is where the packed bytes of an entry lie.
type span struct {
	from, to int64
	name     string
}

func spanOf(entry *zip.File, sizeBytes int64) (span, error) {
	from, err := entry.DataOffset()
	if err != nil {
		return span{}, damaged(entry, err)
	}
	packed := entry.CompressedSize64
	if from < 0 || from > sizeBytes || packed > uint64(sizeBytes-from) {
		return span{}, refuse(entry.Name, "reaches beyond the end of the archive, which was cut short; upload it again")
	}
	return span{from, from + int64(packed), entry.Name}, nil
}

// overlap finds entries that share bytes, as only archives made to unpack to
// more than they hold do.
func overlap(spans []span) *Refused {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return refuse(spans[i].name, "shares its bytes with entry %s, as archives do that are made to fill a disk; make the zip with an ordinary tool", quoted(spans[i-1].name))
		}
	}
	return nil
}

// damaged tells the archive's fault from the machine's.
func damaged(entry *zip.File, err error) error {
	switch {
	case errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), isCorrupt(err):
		return refuse(entry.Name, "is damaged (%v); make the zip again and upload it again", err)
	}
	return fmt.Errorf("reading %s from the archive: %w", quoted(entry.Name), err)
}

// notAZip says what a file is that is no zip.
func notAZip(r io.ReaderAt, sizeBytes int64) error {
	head := make([]byte, min(sizeBytes, 512))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return fmt.Errorf("reading the archive: %w", err)
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return refuse("", "the file begins as a zip but its directory, which comes last, is missing or damaged: it was cut short; upload it again")
	}
	for _, f := range formats {
		if len(head) >= f.at+len(f.magic) && string(head[f.at:f.at+len(f.magic)]) == f.magic {
			return refuse("", "the file is %s, not a zip; zip the folder that holds the server", f.name)
		}
	}
	return refuse("", "the file is not a zip; zip the folder that holds the server")
}

var formats = []struct {
	at          int
	magic, name string
}{
	{0, "\x1f\x8b", "gzip data (a .tar.gz, perhaps)"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{0, "Rar!", "a RAR archive"},
	{0, "\xfd7zXZ", "XZ data (a .tar.xz, perhaps)"},
	{0, "\x28\xb5\x2f\xfd", "Zstandard data"},
	{0, "BZh", "bzip2 data (a .tar.bz2, perhaps)"},
	{257, "ustar", "a tar archive"},
	{0, "\x7fELF", "a Linux program"},
	{0, "MZ", "a Windows program"},
}

var errBudget = errors.New("directory too large")

// budgetReader gives errBudget once more than left bytes were read. A negative
// left lifts the limit.
type budgetReader struct {
	r    io.ReaderAt
	left int64
}

func (b *budgetReader) ReadAt(p []byte, off int64) (int, error) {
	if b.left >= 0 {
		if int64(len(p)) > b.left {
			return 0, errBudget
		}
		b.left -= int64(len(p))
	}
	return b.r.ReadAt(p, off)
}
