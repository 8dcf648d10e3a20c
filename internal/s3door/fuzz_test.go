package s3door

import (
	"context"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
)

// FuzzRequest sends signed requests of any shape: the answer is never an
// internal failure, and nothing is written but where the door lets it.
func FuzzRequest(f *testing.F) {
	f.Add("PUT", "h", "/b/open", "", "", "content")
	f.Add("PUT", "b.files.test", "/open", "", "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\nX-Amz-Checksum-Crc32: AAAA", "x")
	f.Add("PUT", "h", "/b/open", "partNumber=1&uploadId=x", "X-Amz-Decoded-Content-Length: 4\nContent-Encoding: aws-chunked", "4\r\n1234\r\n0\r\n\r\n")
	f.Add("PUT", "h", "/b/open", "", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nX-Amz-Decoded-Content-Length: 4\nX-Amz-Trailer: x-amz-checksum-crc32", "4\r\n1234\r\n0\r\nx-amz-checksum-crc32:aaaa\r\n\r\n")
	f.Add("POST", "bucket.s3.eu-west-1.amazonaws.com", "/open", "uploads", "", "")
	f.Add("POST", "h", "/b/open", "uploadId=U", "", `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"a"</ETag></Part></CompleteMultipartUpload>`)
	f.Add("GET", "h", "/b/kept", "", "Range: bytes=1-2", "")
	f.Add("HEAD", "h", "/b/kept", "x-id=HeadObject", "Range: bytes=-1", "")
	f.Add("GET", "h", "/b/open", "uploadId=U&max-parts=2&part-number-marker=-1", "", "")
	f.Add("DELETE", "h", "//..//b", "uploadId=", "", "")

	files, err := blob.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	defer files.Close()
	if _, err := files.Put(f.Context(), Key("b", "kept"), strings.NewReader("kept")); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, host, path, query, header, body string) {
		l := &locations{open: map[string]bool{Key("b", "open"): true}, finished: map[string]int64{}}
		if strings.Contains(query, "=U") { // a disk takes its time: only where it matters
			id, err := files.Begin(t.Context(), Key("b", "open"))
			if err != nil {
				t.Fatal(err)
			}
			defer files.Abort(context.Background(), Key("b", "open"), id)
			if _, err := files.PutPart(t.Context(), Key("b", "open"), id, 1, strings.NewReader("part")); err != nil {
				t.Fatal(err)
			}
			query = strings.ReplaceAll(query, "=U", "="+id)
		}
		r := httptest.NewRequest("GET", "http://h/", strings.NewReader(body))
		// A server lets no other methods and hosts through than these, or so.
		if r.Method = method; !token(method) || strings.ContainsAny(host, " \n/") {
			return
		}
		r.Host, r.URL = host, &url.URL{Scheme: "http", Host: "h", Path: "/" + strings.TrimPrefix(path, "/"), RawQuery: query}
		for line := range strings.SplitSeq(header, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok && token(name) {
				r.Header.Add(name, value)
			}
		}
		auth.Sign(r, []byte(body), root, "us-west-2", "s3", time.Now())
		w := httptest.NewRecorder()
		New(Options{Verifier: &auth.Verifier{Keys: keys}, Files: files, Uploads: l, Domains: []string{"files.test"}}).ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != 501 {
			t.Fatalf("%s %s?%s answered %d %s", method, r.URL.Path, r.URL.RawQuery, w.Code, w.Body)
		}
		for name := range l.finished {
			if name != Key("b", "open") {
				t.Fatalf("%s was written", name)
			}
		}
	})
}

// token says whether text can be a method or the name of a header.
func token(text string) bool {
	for _, c := range []byte(text) {
		if c != '-' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return text != ""
}
