package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	testID     = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var noon = time.Date(2019, 9, 3, 12, 0, 0, 0, time.UTC)

func testVerifier() *Verifier {
	return &Verifier{
		Keys: Keys{testID: {
			AccessKeyID: testID, Secret: testSecret, Account: "000000000000",
			Principal: "arn:aws:iam::000000000000:root", Policy: Everything(),
		}},
		Temporary: NewTemporary([]byte("master")),
	}
}

// received makes of a client's request what a server would see.
func received(t *testing.T, r *http.Request, body []byte) *http.Request {
	t.Helper()
	s := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body))
	s.Host = r.Host
	if s.Host == "" {
		s.Host = r.URL.Host
	}
	s.Header = r.Header.Clone()
	s.ContentLength = int64(len(body))
	return s
}

func reason(t *testing.T, err error) Reason {
	t.Helper()
	if err == nil {
		return 0
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error is no *auth.Error: %v", err)
	}
	return e.Reason
}

// TestVanilla checks the published example of the signing algorithm.
func TestVanilla(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "example.amazonaws.com"
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	r.Header.Set("X-Amz-Date", at.Format(timeFormat))
	s := scope{"20150830", "us-east-1", "service"}
	got := sign(dayKey(testSecret, s), stringToSign(r, []string{"host", "x-amz-date"}, emptyHash, at, s))
	if want := "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

// sdkSign signs with the stock SDK's signer.
func sdkSign(t *testing.T, r *http.Request, body []byte, service string, at time.Time) {
	t.Helper()
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		hash = hashHex(body)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}, r, hash, service, "us-west-2", at)
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerifySDKSignatures(t *testing.T) {
	body := []byte(`{"Name":"x"}`)
	for _, test := range []struct {
		name, service, url string
		header             map[string]string
	}{
		{"json", "gamelift", "http://127.0.0.1:9080/", map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "GameLift.ListFleets"}},
		{"cbor", "gamelift", "http://127.0.0.1:9080/service/GameLift/operation/ListFleets", map[string]string{"Smithy-Protocol": "rpc-v2-cbor", "Accept": "application/cbor", "Amz-Sdk-Invocation-Id": "a  b   c"}},
		{"odd path", "gamelift", "http://h/a%20b/c+d/%E4%B8%AD~", nil},
		{"s3 key", "s3", "http://h:1/bucket/a%20b//c%2Bd/%E4%B8%AD~(1)", map[string]string{"X-Amz-Content-Sha256": hashHex(body)}},
		{"s3 query", "s3", "http://h/b?uploads=&prefix=a%20b%2Fc&x=%2B&list-type=2", map[string]string{"X-Amz-Content-Sha256": unsignedPayload}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequest("POST", test.url, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range test.header {
				r.Header.Set(k, v)
			}
			sdkSign(t, r, body, test.service, noon)
			v := testVerifier()
			got, err := v.Verify(t.Context(), received(t, r, body), body, noon.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if got.Region != "us-west-2" || got.Service != test.service || got.AccessKeyID != testID || got.Account != "000000000000" {
				t.Errorf("caller %+v", got)
			}
			if s := Scope(r); s != test.service {
				t.Errorf("Scope is %q", s)
			}
			if test.service == "s3" {
				stream := received(t, r, body)
				if _, err := v.VerifyStream(t.Context(), stream, noon); err != nil {
					t.Fatalf("streaming: %v", err)
				}
				if b, err := io.ReadAll(stream.Body); err != nil || !bytes.Equal(b, body) {
					t.Fatalf("streaming: %q, %v", b, err)
				}
			}
		})
	}
}

// TestTampering changes one thing after the other in a good request.
func TestTampering(t *testing.T) {
	body := []byte(`{}`)
	good := func() *http.Request {
		r, _ := http.NewRequest("POST", "http://127.0.0.1:9080/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "GameLift.ListFleets")
		Sign(r, body, Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}, "us-west-2", "gamelift", noon)
		return received(t, r, body)
	}
	replace := func(header, old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set(header, strings.Replace(r.Header.Get(header), old, new, 1))
		}
	}
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		body   string
		now    time.Time
		want   Reason
	}{
		{name: "nothing"},
		{name: "host", change: func(r *http.Request) { r.Host = "127.0.0.1" }, want: Mismatch},
		{name: "target", change: replace("X-Amz-Target", "List", "Delete"), want: Mismatch},
		{name: "region", change: replace("Authorization", "us-west-2", "us-east-1"), want: Mismatch},
		{name: "method", change: func(r *http.Request) { r.Method = "PUT" }, want: Mismatch},
		{name: "path", change: func(r *http.Request) { r.URL.Path = "/x" }, want: Mismatch},
		{name: "query", change: func(r *http.Request) { r.URL.RawQuery = "a=b" }, want: Mismatch},
		{name: "body", body: "[]", want: Mismatch},
		{name: "key", change: replace("Authorization", testID, "AKIDOTHER"), want: UnknownKey},
		{name: "target unsigned", change: replace("Authorization", ";x-amz-target", ""), want: Malformed},
		{name: "host unsigned", change: replace("Authorization", "host;", ""), want: Malformed},
		{name: "other day", change: replace("Authorization", "/20190903/", "/20190904/"), want: Malformed},
		{name: "token of nobody", change: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, want: InvalidToken},
		{name: "no signature", change: func(r *http.Request) { r.Header.Del("Authorization") }, want: Unsigned},
		{name: "other algorithm", change: replace("Authorization", "AWS4-HMAC-SHA256", "AWS4-ECDSA"), want: Malformed},
		{name: "late", now: noon.Add(MaxSkew + time.Second), want: Skewed},
		{name: "just not late", now: noon.Add(MaxSkew)},
		{name: "early", now: noon.Add(-MaxSkew - time.Second), want: Skewed},
		{name: "claimed hash", change: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", unsignedPayload) }, want: Mismatch},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := good()
			if test.change != nil {
				test.change(r)
			}
			if test.body == "" {
				test.body = string(body)
			}
			if test.now.IsZero() {
				test.now = noon
			}
			_, err := testVerifier().Verify(t.Context(), r, []byte(test.body), test.now)
			if got := reason(t, err); got != test.want {
				t.Errorf("reason %d (%v), want %d", got, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), testSecret) {
				t.Error("the error tells the secret")
			}
		})
	}
}

func TestKeysThatDoNotHold(t *testing.T) {
	r, _ := http.NewRequest("POST", "http://h/", nil)
	Sign(r, nil, Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}, "us-west-2", "gamelift", noon)
	down := errors.New("store is down")
	for _, test := range []struct {
		name string
		keys KeySource
		want Reason
	}{
		{"disabled", Keys{testID: {AccessKeyID: testID, Secret: testSecret, Disabled: true}}, UnknownKey},
		{"expired", Keys{testID: {AccessKeyID: testID, Secret: testSecret, Expires: noon}}, UnknownKey},
		{"no secret", Keys{testID: {AccessKeyID: testID}}, UnknownKey},
		{"no source", nil, UnknownKey},
		{"second source", Sources{Keys{}, Keys{testID: {AccessKeyID: testID, Secret: testSecret}}}, 0},
	} {
		v := &Verifier{Keys: test.keys}
		_, err := v.Verify(t.Context(), received(t, r, nil), nil, noon)
		if got := reason(t, err); got != test.want {
			t.Errorf("%s: reason %d (%v), want %d", test.name, got, err, test.want)
		}
	}
	v := &Verifier{Keys: failing{down}}
	if _, err := v.Verify(t.Context(), received(t, r, nil), nil, noon); !errors.Is(err, down) {
		t.Errorf("a source that fails: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Key(context.Context, string, time.Time) (Key, error) { return Key{}, f.err }

// TestDayKeyCache: a replaced secret must take effect at once, and the cache is bounded.
func TestDayKeyCache(t *testing.T) {
	v := testVerifier()
	for range 3 * maxDays {
		v.dayKey(rand16(), scope{"20190903", "r", "s"})
	}
	if len(v.days) > maxDays {
		t.Errorf("%d keys cached", len(v.days))
	}
	a, b := v.dayKey("one", scope{"20190903", "r", "s"}), v.dayKey("two", scope{"20190903", "r", "s"})
	if a == b {
		t.Error("two secrets share a derived key")
	}
}

func rand16() string { return NewCredentials().SecretAccessKey }

func TestPresign(t *testing.T) {
	target, _ := url.Parse("http://127.0.0.1:9080/logs/a%20b/c.zip?x=1+2")
	signed := Presign("GET", target, Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}, "us-west-2", "s3", time.Hour, noon)
	request := func() *http.Request { return httptest.NewRequest("GET", signed.String(), nil) }
	v := testVerifier()
	for _, at := range []time.Duration{-MaxSkew, 0, time.Hour} {
		if _, err := v.VerifyStream(t.Context(), request(), noon.Add(at)); err != nil {
			t.Errorf("after %v: %v", at, err)
		}
	}
	if _, err := v.VerifyStream(t.Context(), request(), noon.Add(time.Hour+time.Second)); reason(t, err) != Expired {
		t.Errorf("after its end: %v", err)
	}
	if _, err := v.VerifyStream(t.Context(), request(), noon.Add(-MaxSkew-time.Second)); reason(t, err) != Skewed {
		t.Errorf("before its beginning: %v", err)
	}
	r := request()
	r.Method = "PUT"
	if _, err := v.VerifyStream(t.Context(), r, noon); reason(t, err) != Mismatch {
		t.Errorf("another method: %v", err)
	}
	r = request()
	r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Expires=3600", "X-Amz-Expires=7200", 1)
	if _, err := v.VerifyStream(t.Context(), r, noon); reason(t, err) != Mismatch {
		t.Errorf("longer life: %v", err)
	}
	if Scope(request()) != "s3" {
		t.Error("the scope of a presigned request is not found")
	}

	// The stock signer's URL.
	r, _ = http.NewRequest("GET", "http://h/b/k%20k?X-Amz-Expires=60", nil)
	sdk, _, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).PresignHTTP(t.Context(),
		aws.Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}, r, unsignedPayload, "s3", "us-west-2", noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyStream(t.Context(), httptest.NewRequest("GET", sdk, nil), noon); err != nil {
		t.Errorf("the SDK's presigned URL: %v", err)
	}
}

// Who presigns without saying for how long gets 15 minutes, but not at S3.
func TestPresignedWithoutEnd(t *testing.T) {
	for service, want := range map[string]Reason{"sts": Expired, "s3": Malformed} {
		r, _ := http.NewRequest("GET", "http://h/?Action=GetCallerIdentity", nil)
		url, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}, r, emptyHash, service, "us-west-2", noon)
		if err != nil {
			t.Fatal(err)
		}
		verify := func(after time.Duration) error {
			_, err := testVerifier().Verify(t.Context(), httptest.NewRequest("GET", url, nil), nil, noon.Add(after))
			return err
		}
		if err := verify(defExpires); (err == nil) != (service == "sts") {
			t.Errorf("%s: %v", service, err)
		}
		if err := verify(defExpires + time.Second); reason(t, err) != want {
			t.Errorf("%s, late: %v", service, err)
		}
	}
}

func FuzzParseSignature(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20190903/us-west-2/gamelift/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("a", 64), "20190903T120000Z", "")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/20190903/r/s3/aws4_request&X-Amz-Date=20190903T120000Z&X-Amz-Expires=5&X-Amz-SignedHeaders=host&X-Amz-Signature=00")
	f.Add("AWS4-HMAC-SHA256 Credential=////", "x", "a=%zz&&=")
	v := testVerifier()
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		r.URL.RawQuery = query
		Scope(r)
		if _, err := v.Verify(t.Context(), r, nil, noon); err == nil {
			t.Fatalf("accepted without a good signature: %q", authorization)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(`{"GameSessionId":"arn:aws:gamelift:us-west-2::gamesession/fleet-1/gsess-1","PlayerId":"p"}`)
	r, _ := http.NewRequest("POST", "http://127.0.0.1:9080/", nil)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "GameLift.CreatePlayerSession")
	Sign(r, body, Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}, "us-west-2", "gamelift", noon)
	v := testVerifier()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(context.Background(), r, body, noon); err != nil {
			b.Fatal(err)
		}
	}
}
