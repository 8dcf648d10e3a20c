package s3door

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/blob"
)

const (
	namespace       = "http://s3.amazonaws.com/doc/2006-03-01/"
	partMaxBytes    = 5 << 30 // S3's own limit
	listMaxBytes    = 4 << 20 // a CompleteMultipartUpload of 10,000 parts with every checksum fits
	partsPerListing = 1000    // S3's own limit
)

func (d *Door) createUpload(c *call) error {
	if err := d.Uploads.MayWrite(c.Context(), c.bucket, c.key); err != nil {
		return err
	}
	id, err := d.Files.Begin(c.Context(), c.path())
	if err != nil {
		return err
	}
	// Clients want to hear back which checksum they chose.
	for _, name := range []string{"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type"} {
		if v := c.Header.Get(name); v != "" {
			c.w.Header().Set(name, v)
		}
	}
	return answer(c.w, struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		Xmlns    string   `xml:"xmlns,attr"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Xmlns: namespace, Bucket: c.bucket, Key: c.key, UploadID: id})
}

func (d *Door) putPart(c *call) error {
	number, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || number < 1 || number > blob.PartsMax {
		return fault(http.StatusBadRequest, "InvalidArgument", "part numbers go from 1 to %d", blob.PartsMax)
	}
	if err := d.Uploads.MayWrite(c.Context(), c.bucket, c.key); err != nil {
		return err
	}
	body, err := newContent(c.Request, min(d.MaxBytes, partMaxBytes))
	if err != nil {
		return err
	}
	part, err := d.Files.PutPart(c.Context(), c.path(), c.query.Get("uploadId"), number, body)
	if err != nil {
		return err
	}
	body.echo(c.w.Header())
	c.w.Header().Set("Etag", quote(part.ETag))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

type completion struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
	} `xml:"Part"`
}

func (d *Door) completeUpload(c *call) error {
	ctx, id := c.Context(), c.query.Get("uploadId")
	text, err := io.ReadAll(c.Body)
	if err != nil {
		return err
	}
	var wish completion
	if err := xml.Unmarshal(text, &wish); err != nil {
		return fault(http.StatusBadRequest, "MalformedXML", "the list of parts cannot be read: %v", err)
	}

	parts, err := d.Files.Parts(ctx, c.path(), id)
	if errors.Is(err, blob.ErrNoUpload) {
		return d.completeAgain(c, id)
	}
	if err != nil {
		return err
	}
	arrived := map[int]blob.Part{}
	for _, p := range parts {
		arrived[p.Number] = p
	}
	var numbers []int
	var total int64
	for _, p := range wish.Parts {
		has, ok := arrived[p.PartNumber]
		if !ok || strings.Trim(p.ETag, `"`) != has.ETag {
			return fault(http.StatusBadRequest, "InvalidPart", "part %d has not arrived, or not with the ETag named; upload it and complete again", p.PartNumber)
		}
		numbers = append(numbers, p.PartNumber)
		total += has.SizeBytes
	}
	if total > d.MaxBytes {
		return fault(http.StatusBadRequest, "EntityTooLarge", "the parts have %d bytes, more than the %d a file may have; leave out what the server does not need", total, d.MaxBytes)
	}
	if declared := c.Header.Get("X-Amz-Mp-Object-Size"); declared != "" && declared != strconv.FormatInt(total, 10) {
		return fault(http.StatusBadRequest, "InvalidRequest", "the parts have %d bytes and not the %s declared", total, declared)
	}

	unlock, err := d.claim(c)
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.checkConditions(c); err != nil {
		return err
	}
	info, err := d.Files.Complete(ctx, c.path(), id, numbers)
	if err != nil {
		return err
	}
	if err := d.Uploads.Finished(ctx, c.bucket, c.key, info.SizeBytes); err != nil {
		return err
	}
	return d.completed(c, info)
}

// completeAgain answers a client that completed an upload before and did not
// hear so. If Finished failed then, it is asked again.
func (d *Door) completeAgain(c *call, id string) error {
	info, err := d.Files.Complete(c.Context(), c.path(), id, nil)
	if err != nil {
		return err
	}
	if unlock, err := d.claim(c); err == nil {
		defer unlock()
		if err := d.Uploads.Finished(c.Context(), c.bucket, c.key, info.SizeBytes); err != nil {
			return err
		}
	}
	return d.completed(c, info)
}

func (d *Door) completed(c *call, info blob.Info) error {
	return answer(c.w, struct {
		XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
		Xmlns    string   `xml:"xmlns,attr"`
		Location string
		Bucket   string
		Key      string
		ETag     string
	}{Xmlns: namespace, Location: "http://" + c.Host + c.URL.EscapedPath(), Bucket: c.bucket, Key: c.key, ETag: quote(info.ETag)})
}

func (d *Door) abortUpload(c *call) error {
	if err := d.Files.Abort(c.Context(), c.path(), c.query.Get("uploadId")); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

type listedPart struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
}

func (d *Door) listParts(c *call) error {
	limit, err := numberOr(c.query.Get("max-parts"), partsPerListing)
	if err != nil {
		return err
	}
	after, err := numberOr(c.query.Get("part-number-marker"), 0)
	if err != nil {
		return err
	}
	id := c.query.Get("uploadId")
	parts, err := d.Files.Parts(c.Context(), c.path(), id)
	if err != nil {
		return err
	}
	out := struct {
		XMLName              xml.Name `xml:"ListPartsResult"`
		Xmlns                string   `xml:"xmlns,attr"`
		Bucket               string
		Key                  string
		UploadID             string `xml:"UploadId"`
		PartNumberMarker     int
		NextPartNumberMarker int
		MaxParts             int
		IsTruncated          bool
		Parts                []listedPart `xml:"Part"`
	}{Xmlns: namespace, Bucket: c.bucket, Key: c.key, UploadID: id, PartNumberMarker: after, MaxParts: min(limit, partsPerListing)}
	for _, p := range parts {
		if p.Number <= after {
			continue
		}
		if len(out.Parts) == out.MaxParts {
			out.IsTruncated = true
			break
		}
		out.NextPartNumberMarker = p.Number
		out.Parts = append(out.Parts, listedPart{p.Number, p.Modified.Format(time.RFC3339), quote(p.ETag), p.SizeBytes})
	}
	return answer(c.w, out)
}

func numberOr(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fault(http.StatusBadRequest, "InvalidArgument", "%q is not a number", text)
	}
	return n, nil
}
