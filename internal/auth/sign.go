package auth

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials are what a client signs with.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // of temporary credentials, else empty
}

// Sign signs r, whose body is given, for a region and a service. It sets X-Amz-Date,
// X-Amz-Security-Token and Authorization. Set all other headers and Host before.
func Sign(r *http.Request, body []byte, c Credentials, region, service string, now time.Time) {
	now = now.UTC()
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	r.Header.Set("X-Amz-Date", now.Format(timeFormat))
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}
	hash := hashHex(body)
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	signed := []string{"host"}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") || name == "content-type" || name == "smithy-protocol" || name == "amz-sdk-invocation-id" {
			signed = append(signed, name)
		}
	}
	slices.Sort(signed)
	s := scope{now.Format(dateFormat), region, service}
	signature := sign(dayKey(c.SecretAccessKey, s), stringToSign(r, signed, hash, now, s))
	r.Header.Set("Authorization", algorithm+" Credential="+c.AccessKeyID+"/"+s.String()+
		", SignedHeaders="+strings.Join(signed, ";")+", Signature="+signature)
}

// Presign returns target with a signature in its query that lets anybody send it
// with the given method until now+expires (1 s to 7 days) has passed. The body
// is not covered.
func Presign(method string, target *url.URL, c Credentials, region, service string, expires time.Duration, now time.Time) *url.URL {
	now = now.UTC()
	s := scope{now.Format(dateFormat), region, service}
	u := *target
	q := u.Query()
	q.Set("X-Amz-Algorithm", algorithm)
	q.Set("X-Amz-Credential", c.AccessKeyID+"/"+s.String())
	q.Set("X-Amz-Date", now.Format(timeFormat))
	q.Set("X-Amz-Expires", strconv.FormatInt(int64(min(max(expires, time.Second), maxExpires)/time.Second), 10))
	q.Set("X-Amz-SignedHeaders", "host")
	if c.SessionToken != "" {
		q.Set("X-Amz-Security-Token", c.SessionToken)
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	r := &http.Request{Method: method, URL: &u, Host: u.Host}
	hash := emptyHash
	if service == "s3" {
		hash = unsignedPayload
	}
	u.RawQuery += "&X-Amz-Signature=" + sign(dayKey(c.SecretAccessKey, s), stringToSign(r, []string{"host"}, hash, now, s))
	return &u
}
