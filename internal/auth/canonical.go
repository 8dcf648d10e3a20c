package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	dateFormat = "20060102"

	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// A scope is the part of a credential that is not the key id.
type scope struct{ date, region, service string }

func (s scope) String() string {
	return s.date + "/" + s.region + "/" + s.service + "/aws4_request"
}

// dayKey derives the key that signs one day's requests of one region and service.
func dayKey(secret string, s scope) [32]byte {
	key := mac([]byte("AWS4"+secret), s.date)
	key = mac(key[:], s.region)
	key = mac(key[:], s.service)
	return mac(key[:], "aws4_request")
}

func mac(key []byte, text string) (sum [32]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	h.Sum(sum[:0])
	return sum
}

func hashHex(b []byte) string {
	sum := sha256.Sum256(b)
	return hexOf(&sum)
}

func hexOf(sum *[32]byte) string {
	var text [64]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// sign returns the hexadecimal signature of a string to sign.
func sign(key [32]byte, text string) string {
	sum := mac(key[:], text)
	return hexOf(&sum)
}

// stringToSign builds the text whose MAC is the signature of r. Signed names the
// lower-case headers it covers, in order.
func stringToSign(r *http.Request, signed []string, payloadHash string, at time.Time, s scope) string {
	b := make([]byte, 0, 1024)
	b = append(append(b, r.Method...), '\n')
	b = append(append(b, canonicalPath(r.URL, s.service)...), '\n')
	b = append(append(b, canonicalQuery(r.URL.RawQuery)...), '\n')
	for _, name := range signed {
		b = append(append(b, name...), ':')
		b = append(appendHeader(b, r, name), '\n')
	}
	b = append(b, '\n')
	for i, name := range signed {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(append(b, '\n'), payloadHash...)

	return algorithm + "\n" + at.Format(timeFormat) + "\n" + s.String() + "\n" + hashHex(b)
}

// appendHeader appends the canonical value of a header: values joined by commas,
// spaces trimmed and runs of them made one.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	var values []string
	switch name {
	case "host":
		return append(b, r.Host...)
	case "content-length":
		// Go keeps it outside the header map.
		return strconv.AppendInt(b, r.ContentLength, 10)
	case "transfer-encoding":
		values = r.TransferEncoding
	default:
		values = r.Header[http.CanonicalHeaderKey(name)]
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		v = strings.Trim(v, " \t")
		if strings.Contains(v, "  ") {
			v = strings.Join(strings.FieldsFunc(v, func(c rune) bool { return c == ' ' }), " ")
		}
		b = append(b, v...)
	}
	return b
}

// canonicalPath is the path as it was sent, escaped once more for every service
// but S3.
func canonicalPath(u *url.URL, service string) string {
	path := u.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // as it will be sent; url.URL.JoinPath leaves it out
	}
	if service != "s3" {
		path = escape(path, true)
	}
	return path
}

// canonicalQuery sorts the parameters but the signature itself, and escapes them
// in the one form all clients sign.
func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	type pair struct{ name, value string }
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		p := pair{reescape(name), reescape(value)}
		if p.name != "X-Amz-Signature" {
			pairs = append(pairs, p)
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}

func reescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	return escape(s, false)
}

// EscapePath spells a path in the one form that S3 signs, which escapes more than
// a URL must.
func EscapePath(path string) string { return escape(path, true) }

// escape percent-encodes everything but unreserved characters, and slashes in paths.
func escape(s string, path bool) string {
	const hex = "0123456789ABCDEF"
	keep := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '_' || c == '.' || c == '~' || (path && c == '/')
	}
	i := 0
	for i < len(s) && keep(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; keep(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
