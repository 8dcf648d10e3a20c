package auth

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A chunkReader undoes the content encoding aws-chunked:
//
//	HEX-SIZE[;chunk-signature=SIGNATURE] CRLF data CRLF …
//	0[;chunk-signature=SIGNATURE] CRLF [trailer: value CRLF]… CRLF
//
// Each chunk's signature covers the one before, so no chunk can be dropped,
// repeated or moved.
type chunkReader struct {
	src     *bufio.Reader
	found   http.Header  // the trailers, once the body has ended
	signer  *chunkSigner // nil when chunks are not signed
	trailer bool         // trailers may follow the last chunk

	left int64 // bytes of the current chunk still to come
	sig  string
	hash hash.Hash // of the current chunk
	err  error     // sticks
}

const (
	maxChunkLine = 4 << 10
	maxTrailers  = 32
)

func newChunkReader(src io.Reader) *chunkReader {
	if src == nil {
		src = strings.NewReader("")
	}
	return &chunkReader{src: bufio.NewReaderSize(src, maxChunkLine), found: http.Header{}, hash: sha256.New()}
}

func (c *chunkReader) Read(b []byte) (int, error) {
	for c.err == nil {
		if c.left > 0 {
			n, err := c.src.Read(b[:min(int64(len(b)), c.left)])
			c.left -= int64(n)
			if c.signer != nil {
				c.hash.Write(b[:n])
			}
			if err == io.EOF {
				c.err = io.ErrUnexpectedEOF
			} else {
				c.err = err
			}
			if c.left == 0 && c.err == nil {
				c.err = c.endChunk()
			}
			return n, c.err
		}
		c.err = c.next()
	}
	return 0, c.err
}

// next begins the next chunk, or takes everything after the last one.
func (c *chunkReader) next() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, rest, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 63)
	if err != nil {
		return malformed("%.32q is not the size of a chunk", size)
	}
	c.sig, _ = strings.CutPrefix(strings.TrimSpace(rest), "chunk-signature=")
	c.left = int64(n)
	c.hash.Reset()
	if n > 0 {
		return nil
	}
	if c.signer != nil {
		if err := c.signer.chunk(c.sig, c.hash); err != nil {
			return err
		}
	}
	if err := c.trailers(); err != nil {
		return err
	}
	return io.EOF
}

// endChunk takes the line break after a chunk and compares its signature.
func (c *chunkReader) endChunk() error {
	if line, err := c.line(); err != nil {
		return err
	} else if line != "" {
		return malformed("a chunk is longer than its size")
	}
	if c.signer != nil {
		return c.signer.chunk(c.sig, c.hash)
	}
	return nil
}

// trailers takes the lines after the last chunk up to an empty one or the end.
func (c *chunkReader) trailers() error {
	var text strings.Builder // as it is signed
	for range maxTrailers {
		line, err := c.line()
		if err == io.ErrUnexpectedEOF || (err == nil && line == "") {
			if c.signer != nil && c.trailer {
				return malformed("the signature of the trailers is missing")
			}
			return nil
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || !c.trailer {
			return malformed("unexpected text after the last chunk")
		}
		if name == "x-amz-trailer-signature" {
			if c.signer == nil {
				continue
			}
			return c.signer.trailer(value, text.String())
		}
		text.WriteString(name + ":" + value + "\n")
		c.found.Set(name, value)
	}
	return malformed("more than %d trailers", maxTrailers)
}

// line reads up to CRLF. The end of the body right at its begin is
// io.ErrUnexpectedEOF.
func (c *chunkReader) line() (string, error) {
	line, err := c.src.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", malformed("a line is longer than %d bytes", maxChunkLine)
	case err == io.EOF:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

func malformed(format string, args ...any) error {
	return refuse(BadBodyLength, "The body is not valid aws-chunked: "+format+".", args...)
}

// A chunkSigner knows the signature the next one builds on.
type chunkSigner struct {
	key   [32]byte
	at    time.Time
	scope scope
	last  string
}

func (s *chunkSigner) chunk(signature string, data hash.Hash) error {
	return s.compare(signature, s.want("-PAYLOAD", emptyHash+"\n"+hex.EncodeToString(data.Sum(nil))))
}

func (s *chunkSigner) trailer(signature, text string) error {
	return s.compare(signature, s.want("-TRAILER", hashHex([]byte(text))))
}

func (s *chunkSigner) want(kind, hashes string) string {
	return sign(s.key, algorithm+kind+"\n"+s.at.Format(timeFormat)+"\n"+s.scope.String()+"\n"+s.last+"\n"+hashes)
}

func (s *chunkSigner) compare(got, want string) error {
	if subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return refuse(Mismatch, "The signature of a chunk does not match.")
	}
	s.last = want
	return nil
}
