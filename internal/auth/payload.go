package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What X-Amz-Content-Sha256 can be instead of a hash.
const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	signedChunks    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// VerifyStream checks the signature of a request with a body too large to hold,
// as S3 has them, and replaces the body by one that verifies itself while it is
// read: hash, chunk signatures, checksums and length are compared before the end,
// and a body that is not what was promised ends in an [*Error] instead of io.EOF.
// A receiver must not use what it read before it has seen io.EOF.
//
// The encoding aws-chunked is undone, in the headers and ContentLength as well;
// what stood in its trailers is in r.Trailer after io.EOF.
func (v *Verifier) VerifyStream(ctx context.Context, r *http.Request, now time.Time) (Caller, error) {
	s, err := ParseSignature(r)
	if err != nil {
		return Caller{}, err
	}
	kind := r.Header.Get("X-Amz-Content-Sha256")
	if kind == "" {
		kind = r.URL.Query().Get("X-Amz-Content-Sha256")
	}
	if kind == "" {
		if !s.Presigned {
			return Caller{}, refuse(Malformed, "A request to S3 needs the header X-Amz-Content-Sha256.")
		}
		kind = unsignedPayload
	}
	caller, day, err := v.verify(ctx, r, s, kind, now)
	if err != nil {
		return Caller{}, err
	}

	body := &payload{sums: promised(r.Header), left: r.ContentLength}
	switch kind {
	case unsignedPayload:
		body.src = r.Body
	case unsignedTrailer, signedChunks, signedTrailer:
		size, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || size < 0 {
			return Caller{}, refuse(Malformed, "A body in chunks needs the header X-Amz-Decoded-Content-Length.")
		}
		chunks := newChunkReader(r.Body)
		if kind != unsignedTrailer {
			chunks.signer = &chunkSigner{key: day, at: s.Time, scope: s.scope(), last: s.value}
		}
		chunks.trailer = kind != signedChunks
		body.src, body.left = chunks, size
		body.trailer, r.Trailer = chunks.found, chunks.found
		unchunk(r, size)
	default:
		if len(kind) != 64 {
			return Caller{}, refuse(Malformed, "X-Amz-Content-Sha256 %.64q is not a hash and none of the known words.", kind)
		}
		body.src, body.sha, body.wantSHA = r.Body, sha256.New(), strings.ToLower(kind)
	}
	if r.Body == nil {
		body.src = http.NoBody
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, closer{r.Body}}
	return caller, nil
}

// unchunk makes the headers those of the plain body.
func unchunk(r *http.Request, size int64) {
	var rest []string
	for part := range strings.SplitSeq(r.Header.Get("Content-Encoding"), ",") {
		if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
			rest = append(rest, part)
		}
	}
	r.Header.Del("Content-Encoding")
	if len(rest) > 0 {
		r.Header.Set("Content-Encoding", strings.Join(rest, ","))
	}
	r.ContentLength = size
	r.Header.Set("Content-Length", strconv.FormatInt(size, 10))
	r.TransferEncoding = nil
}

type closer struct{ io.Closer }

func (c closer) Close() error {
	if c.Closer == nil {
		return nil
	}
	return c.Closer.Close()
}

// A payload is a body that compares itself with what was promised.
type payload struct {
	src     io.Reader
	left    int64 // bytes that must still come; -1 unknown
	sums    []*checksum
	trailer http.Header // of src, complete at its end
	sha     hash.Hash
	wantSHA string
	err     error // sticks
}

func (p *payload) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.src.Read(b)
	if p.left >= 0 {
		if int64(n) > p.left {
			p.err = refuse(BadBodyLength, "The body is longer than the request says.")
			return 0, p.err
		}
		p.left -= int64(n)
	}
	for _, c := range p.sums {
		c.sum.Write(b[:n])
	}
	if p.sha != nil {
		p.sha.Write(b[:n])
	}
	switch {
	case err == io.EOF:
		p.err = p.end()
	case errors.Is(err, io.ErrUnexpectedEOF):
		p.err = refuse(BadBodyLength, "The body ends early.")
	default:
		p.err = err
	}
	return n, p.err
}

// end returns io.EOF if everything is as promised.
func (p *payload) end() error {
	if p.left > 0 {
		return refuse(BadBodyLength, "The body is %d bytes shorter than the request says.", p.left)
	}
	if p.sha != nil && hex.EncodeToString(p.sha.Sum(nil)) != p.wantSHA {
		return refuse(BadBody, "X-Amz-Content-Sha256 is not the hash of the body.")
	}
	for _, c := range p.sums {
		if c.want == "" {
			c.want = p.trailer.Get(c.header)
		}
		if err := c.verify(); err != nil {
			return err
		}
	}
	return io.EOF
}
