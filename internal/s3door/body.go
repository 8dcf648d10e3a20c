package s3door

import (
	"io"
	"net/http"
	"strings"
)

// A content is the body of an upload. The verifier has put a reader into the
// request that takes off the frames of aws-chunked and fails at the end if
// length, hash, chunk signatures or any checksum is not what the client said.
// Here it is bounded, and the end is told only if the location still takes it.
type content struct {
	r    *http.Request
	max  int64 // bytes
	read int64
	// atEnd, if set, is asked when everything held, before the end is told.
	atEnd func() error
	ended error // what the end was
}

// newContent prepares the body of r, which may have at most maxBytes.
func newContent(r *http.Request, maxBytes int64) (*content, error) {
	c := &content{r: r, max: maxBytes}
	if r.ContentLength > maxBytes {
		return nil, c.tooLarge()
	}
	return c, nil
}

func (c *content) tooLarge() *Fault {
	return fault(http.StatusBadRequest, "EntityTooLarge", "the file is larger than the %d bytes allowed; leave out what the server does not need", c.max)
}

func (c *content) Read(p []byte) (int, error) {
	if c.ended != nil {
		return 0, c.ended
	}
	n, err := c.r.Body.Read(p)
	c.read += int64(n)
	switch {
	case c.read > c.max:
		err = c.tooLarge()
	case err == io.EOF && c.atEnd != nil:
		if refused := c.atEnd(); refused != nil {
			err = refused
		}
	}
	c.ended = err
	return n, err
}

// echo repeats the checksums that held, as S3 does.
func (c *content) echo(answer http.Header) {
	for _, h := range []http.Header{c.r.Header, c.r.Trailer} {
		for name, values := range h {
			switch name {
			case "X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256":
				answer.Set(name, strings.TrimSpace(values[0]))
			}
		}
	}
}
