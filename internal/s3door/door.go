// Package s3door speaks as much of S3 as the clients of GameLift need: they
// upload builds and scripts and fetch logs with it. Behind it stands a
// blob.Store; a finished upload is told to Uploads.
//
//	door := s3door.New(s3door.Options{Verifier: verifier, Files: files, Uploads: …})
//	http.Serve(listener, door) // or where the router finds a scope of s3
//
// It does PutObject, uploads in parts, HeadObject and GetObject with ranges, by
// signed and presigned requests, in path and virtual host style. It knows no
// builds: which keys may be written, and when no more, Uploads says; those can
// be deleted as well. It lists nothing; the API does that.
//
// The credentials RequestUploadCredentials gives carry a policy for one key, so
// whoever has them opens that and nothing else.
//
// Bodies go to the disk as they come: no call holds more than a few buffers.
//
// Why not a library: rclone/gofakes3 v0.0.12 skips chunk signatures and
// trailing checksums unread, knows key pairs and not who may write which key,
// and forgets uploads in parts when the process ends. What is left of it under
// these needs is the routing.
package s3door

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
)

// Options make a Door. Verifier, Files and Uploads are needed.
type Options struct {
	Verifier *auth.Verifier
	Files    blob.Store
	Uploads  Uploads
	// Domains are names this address is known by, without port: in
	// "bucket.DOMAIN" the bucket is part of the host. localhost and the names
	// of S3 itself are always known.
	Domains []string
	// MaxBytes is the most one file may have; 0 means 100 GiB.
	MaxBytes int64
	Log      *slog.Logger     // nil logs nothing
	Now      func() time.Time // nil is time.Now
}

// Uploads says which keys may be written and hears when one was.
type Uploads interface {
	// MayWrite refuses with a *lift.Error when the location does not exist or
	// accepts no (more) files.
	MayWrite(ctx context.Context, bucket, key string) error
	// Finished is called when the file is stored, before the client hears so.
	// After an error the client does not, and may upload again.
	Finished(ctx context.Context, bucket, key string, sizeBytes int64) error
}

// Key is the blob key of an object, for those who read what was uploaded.
func Key(bucket, key string) string { return bucket + "/" + key }

// Door is the handler.
type Door struct {
	Options
	writing locks
}

// New makes a Door.
func New(o Options) *Door {
	if o.MaxBytes == 0 {
		o.MaxBytes = 100 << 30
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Domains = append(slices.Clone(o.Domains), "localhost")
	return &Door{Options: o, writing: locks{held: map[string]chan struct{}{}}}
}

// A call is one request on its way through.
type call struct {
	*http.Request
	w           http.ResponseWriter
	bucket, key string
	query       url.Values
}

func (c *call) path() string { return Key(c.bucket, c.key) }

func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := rand.Text()
	w.Header().Set("X-Amz-Request-Id", requestID)
	err := d.serve(w, r)
	if err == nil {
		return
	}
	f := faultOf(err)
	level := slog.LevelDebug
	if f.Status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	// The query is left out: that of a presigned request is a secret.
	d.Log.Log(r.Context(), level, "s3 request failed", "request", requestID, "method", r.Method, "path", r.URL.Path, "code", f.Code, "error", err)
	f.write(w, r, requestID)
}

func (d *Door) serve(w http.ResponseWriter, r *http.Request) error {
	// The verifier replaces the body. It must not do so in net/http's own
	// request: that would no longer see that the client waits for leave to send
	// its body (Expect: 100-continue), and wait for the body itself.
	c := &call{Request: r.WithContext(r.Context()), w: w, query: r.URL.Query()}
	c.bucket, c.key = d.locate(r)
	op, err := route(c)
	if err != nil {
		return err
	}
	caller, err := d.verify(op, c)
	if err != nil {
		return err
	}
	if err := caller.Check(op.action, "arn:aws:s3:::"+Key(c.bucket, c.key)); err != nil {
		return err
	}
	return op.do(d, c)
}

// verify checks the signature. From then on the body, as it is read, proves
// that it is what the client said.
func (d *Door) verify(op operation, c *call) (auth.Caller, error) {
	if !op.listBody {
		return d.Verifier.VerifyStream(c.Context(), c.Request, d.Now())
	}
	// Checksums in the headers of a completion are those of the whole file and
	// not of the list that is the body; the list's own hash is signed.
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.Body, listMaxBytes))
	if err != nil {
		return auth.Caller{}, err
	}
	c.Body = io.NopCloser(bytes.NewReader(body))
	return d.Verifier.Verify(c.Context(), c.Request, body, d.Now())
}

// An operation is one row of what the door can do.
type operation struct {
	action   string // in policies
	do       func(*Door, *call) error
	listBody bool // the body is a list of parts and no content
}

// route picks the operation. Everything S3 has beyond the subset is named in
// the answer, so that nobody takes an ignored parameter for a kept promise.
func route(c *call) (operation, error) {
	var sub []string
	for name := range c.query {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(lower, "x-amz-"), lower == "x-id": // signatures, and the operation's name as a courtesy
		default:
			sub = append(sub, name)
		}
	}
	slices.Sort(sub)
	unknown := fault(http.StatusNotImplemented, "NotImplemented", "this store has no %s %s; it takes uploads and serves files, everything else the GameLift API does", c.Method, c.URL.Path)
	if c.bucket == "" || c.key == "" {
		return operation{}, unknown
	}
	switch what := c.Method + " " + strings.Join(sub, "&"); what {
	case "PUT ":
		if c.Header.Get("X-Amz-Copy-Source") != "" {
			return operation{}, fault(http.StatusNotImplemented, "NotImplemented", "this store does not copy; upload the file")
		}
		return operation{action: "s3:PutObject", do: (*Door).put}, nil
	case "POST uploads":
		return operation{action: "s3:PutObject", do: (*Door).createUpload}, nil
	case "PUT partNumber&uploadId":
		if c.Header.Get("X-Amz-Copy-Source") != "" {
			return operation{}, fault(http.StatusNotImplemented, "NotImplemented", "this store does not copy; upload the part")
		}
		return operation{action: "s3:PutObject", do: (*Door).putPart}, nil
	case "POST uploadId":
		return operation{action: "s3:PutObject", do: (*Door).completeUpload, listBody: true}, nil
	case "DELETE uploadId":
		return operation{action: "s3:AbortMultipartUpload", do: (*Door).abortUpload}, nil
	case "GET uploadId", "GET max-parts&part-number-marker&uploadId", "GET max-parts&uploadId", "GET part-number-marker&uploadId":
		return operation{action: "s3:ListMultipartUploadParts", do: (*Door).listParts}, nil
	case "DELETE ":
		return operation{action: "s3:DeleteObject", do: (*Door).remove}, nil
	case "GET ", "HEAD ":
		return operation{action: "s3:GetObject", do: (*Door).get}, nil
	default:
		if len(sub) > 0 {
			return operation{}, fault(http.StatusNotImplemented, "NotImplemented", "this store does not know ?%s with %s; it takes uploads and serves files", strings.Join(sub, "&"), c.Method)
		}
		return operation{}, unknown
	}
}

// awsHost is a name of S3 itself, as sent through a proxy: with the bucket in
// front or without.
var awsHost = regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?$`)

// locate finds bucket and key. The path is taken as it is: "//" and ".." are
// parts of a key like any other.
func (d *Door) locate(r *http.Request) (bucket, key string) {
	host := strings.ToLower(r.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if m := awsHost.FindStringSubmatch(host); m != nil && m[1] != "" {
		return m[1], path
	}
	for _, domain := range d.Domains {
		if b, ok := strings.CutSuffix(host, "."+strings.ToLower(domain)); ok && b != "" {
			return b, path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// locks lets one write at a time end at a key, so that between the last
// question whether it may be written and the word that it was, nobody else
// writes it.
type locks struct {
	mu   sync.Mutex
	held map[string]chan struct{}
}

func (l *locks) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		l.mu.Lock()
		wait, taken := l.held[key]
		if !taken {
			mine := make(chan struct{})
			l.held[key] = mine
			l.mu.Unlock()
			return sync.OnceFunc(func() {
				l.mu.Lock()
				delete(l.held, key)
				l.mu.Unlock()
				close(mine)
			}), nil
		}
		l.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
