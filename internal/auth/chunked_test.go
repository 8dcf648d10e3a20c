package auth

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// published is the example of a body in signed chunks that S3's documentation gives.
func published() (r *http.Request, at time.Time) {
	var b bytes.Buffer
	data := strings.Repeat("a", 66560)
	fmt.Fprintf(&b, "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n%s\r\n", data[:65536])
	fmt.Fprintf(&b, "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n%s\r\n", data[65536:])
	fmt.Fprintf(&b, "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n")
	r = httptest.NewRequest("PUT", "https://s3.amazonaws.com/examplebucket/chunkObject.txt", &b)
	for k, v := range map[string]string{
		"Content-Encoding":             "aws-chunked",
		"X-Amz-Date":                   "20130524T000000Z",
		"X-Amz-Storage-Class":          "REDUCED_REDUNDANCY",
		"X-Amz-Decoded-Content-Length": "66560",
		"X-Amz-Content-Sha256":         signedChunks,
		"Authorization":                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
	} {
		r.Header.Set(k, v)
	}
	r.ContentLength = 66824
	return r, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
}

func exampleVerifier() *Verifier {
	return &Verifier{Keys: Keys{"AKIAIOSFODNN7EXAMPLE": {AccessKeyID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}}}
}

func TestPublishedChunks(t *testing.T) {
	r, at := published()
	if _, err := exampleVerifier().VerifyStream(t.Context(), r, at); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(iotest.OneByteReader(r.Body))
	if err != nil || len(b) != 66560 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if r.ContentLength != 66560 || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("headers still speak of chunks: %d, %v", r.ContentLength, r.Header)
	}
}

func TestTamperedChunks(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(string) string
		want   Reason
	}{
		{"a byte", func(s string) string { return strings.Replace(s, "\r\naaa", "\r\nbaa", 1) }, Mismatch},
		{"a signature", func(s string) string { return strings.Replace(s, "=ad80", "=ad81", 1) }, Mismatch},
		{"a chunk is missing", func(s string) string { return s[strings.Index(s, "400;"):] }, Mismatch},
		{"the end is missing", func(s string) string { return s[:strings.Index(s, "0;chunk-signature=b6")] }, BadBodyLength},
		{"text follows", func(s string) string { return s[:len(s)-2] + "x-amz-meta: 1\r\n\r\n" }, BadBodyLength},
		{"no size", func(s string) string { return "x" + s }, BadBodyLength},
		{"negative size", func(s string) string { return "-" + s }, BadBodyLength},
		{"smaller size", func(s string) string { return strings.Replace(s, "10000;", "ffff;", 1) }, BadBodyLength},
		{"endless line", func(s string) string { return strings.Repeat("0", 1<<20) + s }, BadBodyLength},
	} {
		r, at := published()
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(test.change(string(body))))
		if _, err := exampleVerifier().VerifyStream(t.Context(), r, at); err != nil {
			t.Fatal(err)
		}
		_, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			t.Errorf("%s: accepted", test.name)
		} else if got := reason(t, err); got != test.want {
			t.Errorf("%s: reason %d (%v), want %d", test.name, got, err, test.want)
		}
	}
}

// signedPut makes a signed request to put body with the given headers.
func signedPut(t *testing.T, body, hash string, header ...string) *http.Request {
	t.Helper()
	r, _ := http.NewRequest("PUT", "http://127.0.0.1:9080/bucket/key", strings.NewReader(body))
	r.Header.Set("X-Amz-Content-Sha256", hash)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	sdkSign(t, r, []byte(body), "s3", noon)
	return received(t, r, []byte(body))
}

func TestTrailersAndChecksums(t *testing.T) {
	const data = "123456789"
	// Check values of the catalogue of parametrised CRC algorithms, for "123456789".
	sums := map[string]string{
		"x-amz-checksum-crc32":     base64.StdEncoding.EncodeToString([]byte{0xcb, 0xf4, 0x39, 0x26}),
		"x-amz-checksum-crc32c":    base64.StdEncoding.EncodeToString([]byte{0xe3, 0x06, 0x92, 0x83}),
		"x-amz-checksum-crc64nvme": base64.StdEncoding.EncodeToString([]byte{0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88}),
		"x-amz-checksum-sha1":      "98O8HYCOBHMq32eZZczDTKeuNEE=",
		"x-amz-checksum-sha256":    "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
	}
	wrong := base64.StdEncoding.EncodeToString([]byte("nope"))
	v := testVerifier()
	read := func(r *http.Request) error {
		if _, err := v.VerifyStream(t.Context(), r, noon); err != nil {
			return err
		}
		b, err := io.ReadAll(r.Body)
		if err == nil && string(b) != data {
			t.Errorf("read %q", b)
		}
		return err
	}
	for name, sum := range sums {
		chunked := func(sum string) string {
			return "4\r\n1234\r\n5\r\n56789\r\n0\r\n" + name + ":" + sum + "\r\n\r\n"
		}
		headers := []string{"Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "9", "X-Amz-Trailer", name}
		if err := read(signedPut(t, chunked(sum), unsignedTrailer, headers...)); err != nil {
			t.Errorf("%s as a trailer: %v", name, err)
		}
		if err := read(signedPut(t, chunked(wrong), unsignedTrailer, headers...)); err == nil || reason(t, err) != BadBody {
			t.Errorf("%s wrong as a trailer: %v", name, err)
		}
		if err := read(signedPut(t, "9\r\n123456789\r\n0\r\n\r\n", unsignedTrailer, headers...)); err == nil || reason(t, err) != BadBody {
			t.Errorf("%s announced and not sent: %v", name, err)
		}
		if err := read(signedPut(t, data, hashHex([]byte(data)), name, sum)); err != nil {
			t.Errorf("%s as a header: %v", name, err)
		}
		if err := read(signedPut(t, data, unsignedPayload, name, wrong)); err == nil || reason(t, err) != BadBody {
			t.Errorf("%s wrong as a header: %v", name, err)
		}
	}
	if err := read(signedPut(t, data, hashHex([]byte("other")))); err == nil || reason(t, err) != BadBody {
		t.Errorf("another hash: %v", err)
	}
	// Fewer bytes in the chunks than the request says, and with a connection cut.
	short := signedPut(t, "4\r\n1234\r\n0\r\n\r\n", unsignedTrailer, "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "9")
	if err := read(short); err == nil || reason(t, err) != BadBodyLength {
		t.Errorf("shorter than its X-Amz-Decoded-Content-Length: %v", err)
	}
	cut := signedPut(t, data, unsignedPayload)
	cut.Body = io.NopCloser(io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if err := read(cut); err == nil || reason(t, err) != BadBodyLength {
		t.Errorf("cut: %v", err)
	}
	r := signedPut(t, data, unsignedPayload)
	r.ContentLength = 8
	r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), "content-length;", ""))
	sdkSign(t, r, nil, "s3", noon)
	if err := read(r); err == nil || reason(t, err) != BadBodyLength {
		t.Errorf("longer than its Content-Length: %v", err)
	}
}

// TestSignedTrailer signs chunks and a trailer the way a client does.
func TestSignedTrailer(t *testing.T) {
	build := func(trailer string) string {
		r := signedPut(t, "", signedTrailer, "X-Amz-Decoded-Content-Length", "3", "X-Amz-Trailer", "x-amz-checksum-crc32")
		s, err := ParseSignature(r)
		if err != nil {
			t.Fatal(err)
		}
		c := &chunkSigner{key: dayKey(testSecret, s.scope()), at: s.Time, scope: s.scope(), last: s.value}
		first := c.want("-PAYLOAD", emptyHash+"\n"+hashHex([]byte("abc")))
		c.last = first
		last := c.want("-PAYLOAD", emptyHash+"\n"+emptyHash)
		c.last = last
		end := c.want("-TRAILER", hashHex([]byte("x-amz-checksum-crc32:NSRBwg==\n")))
		return "3;chunk-signature=" + first + "\r\nabc\r\n0;chunk-signature=" + last + "\r\n" + trailer + "x-amz-trailer-signature:" + end + "\r\n\r\n"
	}
	for _, test := range []struct {
		body string
		want Reason
	}{
		{build("x-amz-checksum-crc32:NSRBwg==\r\n"), 0},
		{build("x-amz-checksum-crc32:NSRBwh==\r\n"), Mismatch},
		{build(""), Mismatch},
		{strings.Split(build(""), "x-amz-trailer")[0] + "\r\n", BadBodyLength},
	} {
		r := signedPut(t, "", signedTrailer, "X-Amz-Decoded-Content-Length", "3", "X-Amz-Trailer", "x-amz-checksum-crc32")
		r.Body = io.NopCloser(strings.NewReader(test.body))
		if _, err := testVerifier().VerifyStream(t.Context(), r, noon); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadAll(r.Body)
		if got := reason(t, err); got != test.want {
			t.Errorf("reason %d (%v), want %d for %q", got, err, test.want, test.body)
		}
	}
}

func FuzzChunks(f *testing.F) {
	f.Add([]byte("4\r\n1234\r\n0\r\nx-amz-checksum-crc32:aaaa\r\n\r\n"), true)
	f.Add([]byte("ffffffffffffffff\r\n"), false)
	f.Add([]byte("0\r\n\r\n"), false)
	f.Fuzz(func(t *testing.T, body []byte, trailer bool) {
		c := newChunkReader(bytes.NewReader(body))
		c.trailer = trailer
		n, _ := io.Copy(io.Discard, c)
		if n > int64(len(body)) {
			t.Fatalf("%d bytes out of %d", n, len(body))
		}
	})
}
