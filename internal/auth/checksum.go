package auth

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
	"sync"
)

// nvme is the polynomial of CRC-64/NVME, reversed.
var nvme = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(0x9a6c9329ac4bc9b5) })

// newChecksum returns the hash of a header such as x-amz-checksum-crc32 or
// Content-MD5, or nil if the header (in lower case) is no checksum known here.
func newChecksum(header string) hash.Hash {
	switch header {
	case "x-amz-checksum-crc32":
		return crc32.NewIEEE()
	case "x-amz-checksum-crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "x-amz-checksum-crc64nvme":
		return crc64.New(nvme())
	case "x-amz-checksum-sha1":
		return sha1.New()
	case "x-amz-checksum-sha256":
		return sha256.New()
	case "content-md5":
		return md5.New()
	}
	return nil
}

// A checksum is one that a request promises for its body.
type checksum struct {
	header string // in lower case
	sum    hash.Hash
	want   string // base64; empty until the trailer has come
}

// verify compares the promise with what came.
func (c *checksum) verify() error {
	got := base64.StdEncoding.EncodeToString(c.sum.Sum(nil))
	if c.want != got {
		return refuse(BadBody, "The body does not have the %s the request gives: it is %s.", c.header, got)
	}
	return nil
}

// promised lists the checksums that headers and the announced trailers give.
func promised(h http.Header) []*checksum {
	var all []*checksum
	for name, values := range h {
		name = strings.ToLower(name)
		if sum := newChecksum(name); sum != nil {
			all = append(all, &checksum{name, sum, strings.TrimSpace(values[0])})
		}
	}
	for name := range strings.SplitSeq(h.Get("X-Amz-Trailer"), ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if sum := newChecksum(name); sum != nil {
			all = append(all, &checksum{header: name, sum: sum})
		}
	}
	return all
}
