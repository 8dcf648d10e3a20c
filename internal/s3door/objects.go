package s3door

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/chairlift-games/chairlift/internal/blob"
)

// put stores a file that comes in one piece.
func (d *Door) put(c *call) error {
	if err := d.Uploads.MayWrite(c.Context(), c.bucket, c.key); err != nil {
		return err
	}
	if err := d.checkConditions(c); err != nil {
		return err
	}
	body, err := newContent(c.Request, d.MaxBytes)
	if err != nil {
		return err
	}
	unlock := func() {}
	defer func() { unlock() }()
	// Another upload may have ended while this one came in.
	body.atEnd = func() (err error) {
		if unlock, err = d.claim(c); err != nil {
			unlock = func() {}
		}
		return err
	}
	info, err := d.Files.Put(c.Context(), c.path(), body)
	if err != nil {
		return err
	}
	if err := d.Uploads.Finished(c.Context(), c.bucket, c.key, info.SizeBytes); err != nil {
		return err
	}
	body.echo(c.w.Header())
	c.w.Header().Set("Etag", quote(info.ETag))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// claim takes the key's lock and asks, for the last time, whether it may be
// written.
func (d *Door) claim(c *call) (unlock func(), err error) {
	unlock, err = d.writing.lock(c.Context(), c.path())
	if err != nil {
		return nil, err
	}
	if err := d.Uploads.MayWrite(c.Context(), c.bucket, c.key); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// checkConditions does the one condition on writes that makes sense here.
func (d *Door) checkConditions(c *call) error {
	if c.Header.Get("If-Match") != "" {
		return fault(http.StatusNotImplemented, "NotImplemented", "this store does not know If-Match on uploads")
	}
	switch c.Header.Get("If-None-Match") {
	case "":
		return nil
	case "*":
		if _, err := d.Files.Stat(c.Context(), c.path()); err == nil {
			return fault(http.StatusPreconditionFailed, "PreconditionFailed", "there is a file under this key")
		}
		return nil
	}
	return fault(http.StatusNotImplemented, "NotImplemented", "this store knows If-None-Match on uploads only with *")
}

// remove deletes a file that could be written again. Deleting what is not there
// is no error, as in S3.
func (d *Door) remove(c *call) error {
	unlock, err := d.claim(c)
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.Files.Delete(c.Context(), c.path()); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// get serves GetObject and HeadObject, with ranges and conditions.
func (d *Door) get(c *call) error {
	f, err := d.Files.Open(c.Context(), c.path())
	if err != nil {
		return err
	}
	defer f.Close()
	info := f.Info()
	if !satisfiable(c.Header.Get("Range"), info.SizeBytes) {
		c.w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(info.SizeBytes, 10))
		return fault(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the file has %d bytes", info.SizeBytes)
	}
	h := c.w.Header()
	h.Set("Etag", quote(info.ETag))
	h.Set("Content-Type", "binary/octet-stream")
	if h.Get("Accept-Ranges") == "" {
		h.Set("Accept-Ranges", "bytes")
	}
	http.ServeContent(c.w, c.Request, "", info.Modified, blob.Reader(f))
	return nil
}

// satisfiable says whether a single range begins within size bytes. Whatever
// else stands in the header is ignored, by us and by ServeContent.
func satisfiable(header string, size int64) bool {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return true
	}
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		return err != nil || n > 0 && size > 0
	}
	n, err := strconv.ParseInt(first, 10, 64)
	return err != nil || n < size
}

func quote(etag string) string { return `"` + etag + `"` }
