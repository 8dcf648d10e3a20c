package auth

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Signature is what a request says about its own signature. Nothing in it is
// true until [Verifier.Verify] has said so.
type Signature struct {
	AccessKeyID string
	Region      string
	Service     string
	Time        time.Time
	Token       string        // of temporary credentials
	Presigned   bool          // it came in the query
	Expires     time.Duration // how long a presigned request holds

	date    string
	headers []string
	value   string
}

func (s *Signature) scope() scope { return scope{s.date, s.Region, s.Service} }

// Scope reads the service a request is signed for, without checking anything:
// gamelift, s3, sts; empty for a request without a signature. It is for routing.
func Scope(r *http.Request) (service string) {
	credential := ""
	if h := r.Header.Get("Authorization"); strings.HasPrefix(h, algorithm) {
		credential = field(h[len(algorithm):], "Credential")
	} else if strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	if parts := strings.Split(credential, "/"); len(parts) >= 5 {
		return parts[len(parts)-2]
	}
	return ""
}

// field returns the value of one name=value of an Authorization header.
func field(header, name string) string {
	for part := range strings.SplitSeq(header, ",") {
		if n, v, ok := strings.Cut(strings.TrimSpace(part), "="); ok && n == name {
			return v
		}
	}
	return ""
}

// ParseSignature reads the signature of a request from its Authorization header
// or its query.
func ParseSignature(r *http.Request) (*Signature, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		return parseHeader(r, h)
	}
	if strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=") {
		return parseQuery(r.URL.Query())
	}
	return nil, refuse(Unsigned, "The request is not signed. Give the client an access key; chairlift env prints one.")
}

func parseHeader(r *http.Request, h string) (*Signature, error) {
	rest, ok := strings.CutPrefix(h, algorithm+" ")
	if !ok {
		return nil, refuse(Malformed, "The Authorization header must use %s.", algorithm)
	}
	s := &Signature{value: field(rest, "Signature"), Token: r.Header.Get("X-Amz-Security-Token")}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		// The plain Date header may stand in for it.
		if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			date = t.UTC().Format(timeFormat)
		}
	}
	return s, s.fill(field(rest, "Credential"), field(rest, "SignedHeaders"), date)
}

const (
	maxExpires = 7 * 24 * time.Hour // the longest a presigned request can hold
	defExpires = 15 * time.Minute   // where it does not say: all services but S3 let it be left out
)

func parseQuery(q url.Values) (*Signature, error) {
	if q.Get("X-Amz-Algorithm") != algorithm {
		return nil, refuse(Malformed, "X-Amz-Algorithm must be %s.", algorithm)
	}
	given := q.Has("X-Amz-Expires")
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	if given && (err != nil || seconds < 1 || time.Duration(seconds)*time.Second > maxExpires) {
		return nil, refuse(Malformed, "X-Amz-Expires must be a number of seconds from 1 to %d.", maxExpires/time.Second)
	}
	s := &Signature{
		value:     q.Get("X-Amz-Signature"),
		Token:     q.Get("X-Amz-Security-Token"),
		Presigned: true,
		Expires:   time.Duration(seconds) * time.Second,
	}
	if err := s.fill(q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Date")); err != nil {
		return nil, err
	}
	if !given {
		if s.Service == "s3" {
			return nil, refuse(Malformed, "A presigned request to S3 needs X-Amz-Expires.")
		}
		s.Expires = defExpires
	}
	return s, nil
}

// fill checks the parts header and query have in common.
func (s *Signature) fill(credential, headers, date string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" {
		return refuse(Malformed, "The Credential of the signature must have the form KEY/DATE/REGION/SERVICE/aws4_request.")
	}
	s.AccessKeyID, s.date, s.Region, s.Service = parts[0], parts[1], parts[2], parts[3]
	if s.AccessKeyID == "" || len(s.AccessKeyID) > 128 || !plain(s.Region) || !plain(s.Service) {
		return refuse(Malformed, "The Credential of the signature has an invalid key id, region or service.")
	}
	if len(s.value) != 64 {
		return refuse(Malformed, "The signature must have 64 hexadecimal digits.")
	}
	var err error
	if s.Time, err = time.Parse(timeFormat, date); err != nil {
		return refuse(Malformed, "X-Amz-Date must be a time like 20190903T120000Z.")
	}
	if !strings.HasPrefix(date, s.date) || len(s.date) != len(dateFormat) {
		return refuse(Malformed, "The date of the Credential must be the day of X-Amz-Date.")
	}
	s.headers = strings.Split(headers, ";")
	if len(s.headers) > 64 || !s.signs("host") {
		return refuse(Malformed, "SignedHeaders must name host.")
	}
	return nil
}

// signs says whether the signature covers the header, given in lower case.
func (s *Signature) signs(header string) bool {
	for _, h := range s.headers {
		if h == header {
			return true
		}
	}
	return false
}

// plain says whether s can be a region or service: it becomes part of names.
func plain(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}
