package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
)

// service is a bucket of an S3-compatible service.
type service struct {
	bucket *url.URL
	region string
	creds  auth.Credentials
}

// A service that does not begin to answer in time is not waited for.
var client = &http.Client{Transport: func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 20 * time.Second
	return t
}()}

// do makes a request whose answer is good, 200 or 206; its body is the caller's
// to close. Errors wrap ErrNotFound or ErrElsewhere.
func (s *service) do(ctx context.Context, method, key, version string, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.bucket.String(), nil)
	if err != nil {
		return nil, err
	}
	r.URL.Path = strings.TrimSuffix(s.bucket.Path, "/") + "/" + key // as it is: in keys a//b is not a/b
	r.URL.RawPath = auth.EscapePath(r.URL.Path)
	if version != "" {
		r.URL.RawQuery = url.Values{"versionId": {version}}.Encode()
	}
	for name := range header {
		r.Header.Set(name, header.Get(name))
	}
	if s.creds.AccessKeyID != "" {
		auth.Sign(r, nil, s.creds, s.region, "s3", time.Now())
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", blob.ErrElsewhere, err)
	}
	if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusPartialContent {
		return answer, nil
	}
	answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusNotFound:
		return nil, blob.ErrNotFound
	case http.StatusBadRequest:
		if version != "" { // S3 says so of what is no version at all
			return nil, blob.ErrNotFound
		}
	case http.StatusForbidden, http.StatusUnauthorized:
		return nil, fmt.Errorf("%w: %s refuses the bucket's access key (%s)", blob.ErrElsewhere, s.bucket.Host, answer.Status)
	case http.StatusPreconditionFailed:
		return nil, fmt.Errorf("%w: the object was replaced while it was read", blob.ErrElsewhere)
	}
	return nil, fmt.Errorf("%w: %s answers %s", blob.ErrElsewhere, s.bucket.Host, answer.Status)
}

func (s *service) stat(ctx context.Context, key, version string) (blob.Info, error) {
	if key == "" {
		return blob.Info{}, blob.ErrNotFound
	}
	answer, err := s.do(ctx, http.MethodHead, key, version, nil)
	if err != nil {
		return blob.Info{}, err
	}
	answer.Body.Close()
	if answer.ContentLength < 0 {
		return blob.Info{}, fmt.Errorf("%w: %s does not tell the size of the object", blob.ErrElsewhere, s.bucket.Host)
	}
	tag := strings.Trim(answer.Header.Get("Etag"), `"`)
	modified, _ := http.ParseTime(answer.Header.Get("Last-Modified"))
	return blob.Info{
		Key: key, SizeBytes: answer.ContentLength, ETag: tag, Modified: modified,
		SHA256: cmp.Or(tag, fmt.Sprint(modified.UnixNano())), // it tells versions of the object apart, no more
	}, nil
}

func (s *service) open(ctx context.Context, key, version string) (blob.File, error) {
	info, err := s.stat(ctx, key, version)
	if err != nil {
		return nil, err
	}
	return &object{ctx: ctx, service: s, version: version, info: info}, nil
}

// object is one that is read from: as a stream while reads follow one another,
// with a new request where one does not. All requests are for the version that
// there was at first.
type object struct {
	ctx     context.Context
	service *service
	version string // empty: the latest
	info    blob.Info

	mu   sync.Mutex
	body io.ReadCloser // nil: none
	at   int64         // where body is
}

func (o *object) Info() blob.Info { return o.info }

func (o *object) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end()
	return nil
}

func (o *object) end() {
	if o.body != nil {
		o.body.Close()
		o.body = nil
	}
}

func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("an object is read from before its beginning")
	}
	if off >= o.info.SizeBytes {
		return 0, io.EOF
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.body == nil || o.at != off {
		if err := o.begin(off); err != nil {
			return 0, err
		}
	}
	want := min(int64(len(p)), o.info.SizeBytes-off)
	n, err := io.ReadFull(o.body, p[:want])
	o.at += int64(n)
	if err != nil {
		o.end()
		return n, fmt.Errorf("%w: %w", blob.ErrElsewhere, err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// begin asks for the object from a place on.
func (o *object) begin(off int64) error {
	o.end()
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-", off)}}
	if o.info.ETag != "" {
		header.Set("If-Match", `"`+o.info.ETag+`"`)
	}
	answer, err := o.service.do(o.ctx, http.MethodGet, o.info.Key, o.version, header)
	if err != nil {
		return err
	}
	if off > 0 && answer.StatusCode != http.StatusPartialContent {
		answer.Body.Close()
		return fmt.Errorf("%w: %s does not give parts of objects", blob.ErrElsewhere, o.service.bucket.Host)
	}
	o.body, o.at = answer.Body, off
	return nil
}
