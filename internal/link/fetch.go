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
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialer returns the client that reaches o.Server, and its URL without a path.
// A unix socket has no name, so any does.
func dialer(o Options) (*http.Client, *url.URL, error) {
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
			return nil, nil, errors.New("link: unix: needs the path of a socket")
		}
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		return client, &url.URL{Scheme: "http", Host: "service"}, nil
	}
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, fmt.Errorf("link: the server %q is none of unix:/path, http://host:port, https://host:port", o.Server)
	}
	t.Proxy = http.ProxyFromEnvironment
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	return client, &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// url returns where the service has something for this agent. The query may
// hold more than who asks.
func (a *Agent) url(path string, query ...string) *url.URL {
	q := append(query, "instance="+url.QueryEscape(string(a.o.Instance)))
	return &url.URL{Scheme: a.base.Scheme, Host: a.base.Host, Path: path, RawQuery: strings.Join(q, "&")}
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

// do makes a request beside the conversation. An answer of another status than
// those is an error.
func (a *Agent) do(ctx context.Context, method string, u *url.URL, h http.Header, body []byte, statuses ...int) (*http.Response, error) {
	// It cannot fail with a method that there is and a URL that is given later.
	req, _ := http.NewRequestWithContext(ctx, method, "", bytes.NewReader(body))
	req.URL, req.Header = u, h
	resp, err := a.client.Do(req)
	if err != nil || slices.Contains(statuses, resp.StatusCode) {
		return resp, err
	}
	defer resp.Body.Close()
	err = fmt.Errorf("the service answered %d: %s", resp.StatusCode, rest(resp.Body))
	if final(resp.StatusCode) {
		err = fmt.Errorf("%w: %w", errFinal, err)
	}
	return nil, err
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
	watch     *time.Timer // of one attempt: cuts a transfer that does not move
}

// Write takes what arrived.
func (f *fetch) Write(b []byte) (int, error) {
	f.watch.Reset(stall)
	n, err := f.w.Write(b)
	f.got += int64(n)
	if err != nil {
		err = fmt.Errorf("%w: %w", errFinal, err) // the writer's trouble, not the network's
	}
	return n, err
}

// fetch makes one attempt at what is missing.
func (a *Agent) fetch(ctx context.Context, f *fetch) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := a.header()
	if f.got > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-", f.got))
	}
	resp, err := a.do(ctx, http.MethodGet, a.url("/agent/build"), h, nil, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	size, from := resp.ContentLength, int64(0)
	if resp.StatusCode == http.StatusPartialContent {
		var to int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size); err != nil {
			return fmt.Errorf("%w: a part of the build without its place: %w", errFinal, err)
		}
	}
	switch {
	case from != f.got:
		return fmt.Errorf("%w: the service does not resume the download: asked for bytes from %d, got them from %d", errFinal, f.got, from)
	case f.size >= 0 && size != f.size:
		return fmt.Errorf("%w: the build had %d bytes and now has %d", errFinal, f.size, size)
	}
	f.size = size
	// A transfer may take hours, but it must move.
	f.watch = time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing has arrived for %v", stall)) })
	defer f.watch.Stop()
	_, err = io.CopyBuffer(f, resp.Body, make([]byte, 256<<10))
	switch {
	case err != nil:
		return fmt.Errorf("%w after %d bytes", err, f.got)
	case f.got < f.size:
		return io.ErrUnexpectedEOF
	}
	return nil
}

// AppendLog sends all of r to the log key, from offset on, and returns the
// size of the log then. It may be repeated: what the log has already is not
// written again. It outlasts a service that is away, until ctx ends. ErrOffset
// means that the log has only size bytes: go on from there.
func (a *Agent) AppendLog(ctx context.Context, key string, offset int64, r io.Reader) (size int64, err error) {
	buf := make([]byte, logChunkBytes)
	for {
		n, rerr := io.ReadFull(r, buf)
		err := a.persist(ctx, func() (bool, error) {
			var err error
			size, err = a.appendLog(ctx, key, offset, buf[:n])
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
	u := a.url("/agent/logs/"+key, "offset="+strconv.FormatInt(offset, 10))
	resp, err := a.do(ctx, http.MethodPost, u, a.header(), chunk, http.StatusOK, http.StatusConflict)
	if err != nil {
		return offset, err
	}
	defer resp.Body.Close()
	var answer sizeOf
	if err := json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&answer); err != nil {
		return offset, fmt.Errorf("read the size of a log: %w", err)
	}
	if resp.StatusCode == http.StatusConflict {
		return answer.Size, ErrOffset
	}
	return answer.Size, nil
}
