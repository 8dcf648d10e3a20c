package s3door

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// checksums are the ones S3 knows, by the end of their header's name.
var checksums = map[string]func() hash.Hash{
	"Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"Crc32c":    func() hash.Hash { return crc32.New(castagnoli) },
	"Crc64nvme": func() hash.Hash { return crc64.New(nvme) },
	"Sha1":      sha1.New,
	"Sha256":    sha256.New,
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5) // reversed polynomial of NVM Express
)

const checksumPrefix = "X-Amz-Checksum-"

// A content is the body of an upload as its client meant it. Reading it to the
// end proves every length and checksum the client gave; when one does not hold
// the last read fails with a Fault, so that nothing is stored.
type content struct {
	r      io.Reader
	checks []*check
	length int64 // declared; -1 if unknown
	read   int64
	max    int64
	grant  Grant
	// atEnd is asked when everything held, before the end is told.
	atEnd func() error
	ended error // what the end was
}

type check struct {
	header string // Content-Md5, X-Amz-Checksum-Crc32, …
	want   []byte // nil: comes in the trailer
	sum    hash.Hash
}

// newContent prepares the body of r, which may have at most maxBytes.
func newContent(r *http.Request, grant Grant, maxBytes int64) (*content, error) {
	c := &content{r: grant.Body, length: r.ContentLength, max: maxBytes, grant: grant}
	if decoded := r.Header.Get("X-Amz-Decoded-Content-Length"); decoded != "" {
		n, err := strconv.ParseInt(decoded, 10, 64)
		if err != nil || n < 0 {
			return nil, fault(http.StatusBadRequest, "InvalidArgument", "X-Amz-Decoded-Content-Length is not a number of bytes")
		}
		c.length = n
	} else if grant.Framed {
		c.length = -1
	}
	if c.length > maxBytes {
		return nil, c.tooLarge()
	}
	if md := r.Header.Get("Content-Md5"); md != "" {
		if err := c.expect("Content-Md5", md, md5.New()); err != nil {
			return nil, err
		}
	}
	for name, newHash := range checksums {
		if value := r.Header.Get(checksumPrefix + name); value != "" {
			if err := c.expect(checksumPrefix+name, value, newHash()); err != nil {
				return nil, err
			}
		}
	}
	for name := range strings.SplitSeq(r.Header.Get("X-Amz-Trailer"), ",") {
		header := http.CanonicalHeaderKey(strings.TrimSpace(name))
		if newHash, known := checksums[strings.TrimPrefix(header, checksumPrefix)]; known && strings.HasPrefix(header, checksumPrefix) {
			c.checks = append(c.checks, &check{header: header, sum: newHash()})
		}
	}
	slices.SortFunc(c.checks, func(a, b *check) int { return strings.Compare(a.header, b.header) })
	return c, nil
}

func (c *content) expect(header, value string, sum hash.Hash) error {
	want, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(want) != sum.Size() {
		return fault(http.StatusBadRequest, "InvalidDigest", "%s is not %d bytes in base64", header, sum.Size())
	}
	c.checks = append(c.checks, &check{header, want, sum})
	return nil
}

func (c *content) tooLarge() *Fault {
	return fault(http.StatusBadRequest, "EntityTooLarge", "the file is larger than the %d bytes allowed; leave out what the server does not need", c.max)
}

func (c *content) Read(p []byte) (int, error) {
	if c.ended != nil {
		return 0, c.ended
	}
	n, err := c.r.Read(p)
	c.read += int64(n)
	for _, check := range c.checks {
		check.sum.Write(p[:n])
	}
	switch {
	case c.read > c.max:
		err = c.tooLarge()
	case err == io.EOF:
		err = c.end()
	}
	c.ended = err
	return n, err
}

// end gives io.EOF if everything the client said of the body holds.
func (c *content) end() error {
	if c.length >= 0 && c.read != c.length {
		return fault(http.StatusBadRequest, "IncompleteBody", "%d bytes came of the %d declared", c.read, c.length)
	}
	for _, check := range c.checks {
		if check.want == nil {
			var trailer string
			if c.grant.Trailer != nil {
				trailer = c.grant.Trailer().Get(check.header)
			}
			want, err := base64.StdEncoding.DecodeString(trailer)
			if err != nil || len(want) != check.sum.Size() {
				return fault(http.StatusBadRequest, "MalformedTrailerError", "the trailer %s, which was announced, is missing or not %d bytes in base64", check.header, check.sum.Size())
			}
			check.want = want
		}
		if string(check.sum.Sum(nil)) != string(check.want) {
			return fault(http.StatusBadRequest, "BadDigest", "%s does not match the content that arrived; send it again", check.header)
		}
	}
	if c.atEnd != nil {
		if err := c.atEnd(); err != nil {
			return err
		}
	}
	return io.EOF
}

// echo repeats the checksums that held, as S3 does.
func (c *content) echo(h http.Header) {
	for _, check := range c.checks {
		if strings.HasPrefix(check.header, checksumPrefix) {
			h.Set(check.header, base64.StdEncoding.EncodeToString(check.want))
		}
	}
}
