package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// dialer returns the client that reaches o.Server, and the URL before every
// path. A unix socket has no name, so any does.
func dialer(o Options) (*http.Client, string, error) {
	t := &http.Transport{
		TLSClientConfig:       o.TLS,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: stall,
		MaxIdleConns:          4,
		IdleConnTimeout:       time.Minute,
	}
	client := &http.Client{Transport: t}
	if path, ok := strings.CutPrefix(o.Server, "unix:"); ok {
		if path == "" {
			return nil, "", errors.New("link: unix: needs the path of a socket")
		}
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		return client, "http://service", nil
	}
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, "", fmt.Errorf("link: the server %q is none of unix:/path, http://host:port, https://host:port", o.Server)
	}
	t.Proxy = http.ProxyFromEnvironment
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	return client, u.Scheme + "://" + u.Host, nil
}

func (a *Agent) url(path string, q url.Values) string {
	if q == nil {
		q = url.Values{}
	}
	q.Set("instance", string(a.o.Instance))
	return a.base + path + "?" + q.Encode()
}

func (a *Agent) header() http.Header {
	return http.Header{"Authorization": {"Bearer " + a.o.Token}}
}

// errFinal marks an answer that will not be another one next time.
var errFinal = errors.New("link: refused")

// persist calls try until it succeeds, fails for good or ctx ends, with the
// same pauses as Run. An attempt that moved something starts over with the
// first.
func (a *Agent) persist(ctx context.Context, try func() (moved bool, err error)) error {
	pause := firstPause
	for {
		moved, err := try()
		if err == nil || errors.Is(err, errFinal) || errors.Is(err, ErrOffset) {
			return err
		}
		if moved {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; the last attempt: %w", ctx.Err(), err)
		case <-a.done:
			return a.ended()
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, a.o.lastPause())
	}
}

// final reports whether asking again is of no use. 401 is not final, as on
// the link itself: tokens can be put right.
func final(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusUnauthorized &&
		status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// FetchBuild writes the archive of the instance's build to w and returns its
// size in bytes. It resumes where a connection broke, until ctx ends.
func (a *Agent) FetchBuild(ctx context.Context, w io.Writer) (size int64, err error) {
	f := fetch{w: w, size: -1}
	err = a.persist(ctx, func() (bool, error) {
		before := f.got
		err := a.fetch(ctx, &f)
		return f.got > before, err
	})
	if err != nil {
		return f.got, fmt.Errorf("fetch the build: %w", err)
	}
	return f.got, nil
}

// fetch is a download under way: got bytes of size (-1: unknown) are written.
type fetch struct {
	w         io.Writer
	got, size int64
}

func (a *Agent) fetch(ctx context.Context, f *fetch) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url("/agent/build", nil), nil)
	if err != nil {
		return err
	}
	req.Header = a.header()
	if f.got > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", f.got))
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	size, from := resp.ContentLength, int64(0)
	switch resp.StatusCode {
	case http.StatusOK:
		if f.got > 0 {
			return fmt.Errorf("%w: the service does not resume the download", errFinal)
		}
	case http.StatusPartialContent:
		var to int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size); err != nil || from != f.got {
			return fmt.Errorf("%w: asked for bytes from %d, got %q", errFinal, f.got, resp.Header.Get("Content-Range"))
		}
	default:
		err := fmt.Errorf("the service answered %d: %s", resp.StatusCode, rest(resp.Body))
		if final(resp.StatusCode) {
			err = fmt.Errorf("%w: %w", errFinal, err)
		}
		return err
	}
	if f.size >= 0 && size != f.size {
		return fmt.Errorf("%w: the build had %d bytes and now has %d", errFinal, f.size, size)
	}
	f.size = size
	// A transfer may take hours, but it must move.
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing has arrived for %v", stall)) })
	defer watch.Stop()
	buf := make([]byte, 256<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			watch.Reset(stall)
			if _, err := f.w.Write(buf[:n]); err != nil {
				return fmt.Errorf("%w: %w", errFinal, err) // the writer's trouble, not the network's
			}
			f.got += int64(n)
		}
		switch {
		case f.got == f.size, err == io.EOF && f.size < 0:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return fmt.Errorf("%w after %d bytes", err, f.got)
		}
	}
}

// AppendLog sends all of r to the log key, from offset on, and returns the
// size of the log then. It may be repeated: what the log has already is not
// written again. It outlasts a service that is away, until ctx ends. ErrOffset
// means that the log has only size bytes: go on from there.
func (a *Agent) AppendLog(ctx context.Context, key string, offset int64, r io.Reader) (size int64, err error) {
	if !validKey(key) {
		return 0, fmt.Errorf("link: %q cannot be the key of a log", key)
	}
	size = offset
	buf := make([]byte, logChunkBytes)
	for first := true; ; first = false {
		n, rerr := io.ReadFull(r, buf)
		if n == 0 && !first {
			return size, nil
		}
		chunk := buf[:n]
		err := a.persist(ctx, func() (bool, error) {
			var err error
			size, err = a.appendLog(ctx, key, offset, chunk)
			return false, err
		})
		if err != nil {
			return size, fmt.Errorf("append to the log %s: %w", key, err)
		}
		offset += int64(n)
		switch rerr {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return size, nil
		default:
			return size, rerr
		}
	}
}

func (a *Agent) appendLog(ctx context.Context, key string, offset int64, chunk []byte) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*stall)
	defer cancel()
	u := a.url("/agent/logs/"+key, url.Values{"offset": {strconv.FormatInt(offset, 10)}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(chunk))
	if err != nil {
		return offset, fmt.Errorf("%w: %w", errFinal, err)
	}
	req.Header = a.header()
	resp, err := a.client.Do(req)
	if err != nil {
		return offset, err
	}
	defer resp.Body.Close()
	if s := resp.StatusCode; s != http.StatusOK && s != http.StatusConflict {
		err := fmt.Errorf("the service answered %d: %s", s, rest(resp.Body))
		if final(s) {
			err = fmt.Errorf("%w: %w", errFinal, err)
		}
		return offset, err
	}
	var answer sizeOf
	if err := json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&answer); err != nil {
		return offset, fmt.Errorf("read the size of a log: %w", err)
	}
	if resp.StatusCode == http.StatusConflict {
		return answer.Size, ErrOffset
	}
	return answer.Size, nil
}
