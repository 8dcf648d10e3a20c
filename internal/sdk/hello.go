package sdk

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// maxNameBytes bounds each part of a process name. Clients check 256 characters
// themselves since 5.3 (server-sdk A.1).
const maxNameBytes = 256

// maxTokenBytes bounds the two tokens of a connect. Ours are far shorter.
const maxTokenBytes = 4096

// ParseHello reads the query of a connect. C++ and C# put values into the query
// as they are, so the parser is gentler than net/url: a '+' stays a '+' (no
// value ever holds a space) and a stray '%' stays a '%'.
func ParseHello(rawQuery string) (Hello, *Refusal) {
	q := parseQuery(rawQuery)
	h := Hello{
		Process:          Process{Fleet: q["FleetId"], Compute: q["ComputeId"], ID: q["pID"]},
		Token:            q["Authorization"],
		IdempotencyToken: q["IdempotencyToken"],
		SDKVersion:       q["sdkVersion"],
		SDKLanguage:      q["sdkLanguage"],
	}
	if len(h.SDKVersion) > maxNameBytes || len(h.SDKLanguage) > maxNameBytes {
		h.SDKVersion, h.SDKLanguage = "", "" // they decide nothing
	}
	for _, part := range [...]struct{ name, value string }{
		{"pID", h.Process.ID}, {"FleetId", h.Process.Fleet}, {"ComputeId", h.Process.Compute},
	} {
		switch {
		case part.value == "":
			return h, refuse(http.StatusBadRequest, "the query lacks "+part.name+"; a Server SDK of generation 5 sends pID, FleetId, ComputeId and Authorization")
		case len(part.value) > maxNameBytes:
			return h, refuse(http.StatusBadRequest, part.name+" is longer than 256 bytes")
		case strings.ContainsFunc(part.value, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
			return h, refuse(http.StatusBadRequest, part.name+" holds a character that is not text")
		}
	}
	switch {
	case len(h.Token) > maxTokenBytes || len(h.IdempotencyToken) > maxTokenBytes:
		return h, refuse(http.StatusBadRequest, "Authorization or IdempotencyToken is longer than 4096 bytes")
	case h.Token == "":
		return h, refuse(http.StatusForbidden, "the query lacks Authorization; set GAMELIFT_SDK_AUTH_TOKEN to a token of GetComputeAuthToken")
	case h.Token == "SigV4":
		return h, refuse(http.StatusForbidden, "signing in with AWS credentials (SigV4) is not available here yet; set GAMELIFT_SDK_AUTH_TOKEN to a token of GetComputeAuthToken")
	}
	return h, nil
}

func refuse(status int, reason string) *Refusal { return &Refusal{Status: status, Reason: reason} }

// parseQuery takes the first value of each name.
func parseQuery(raw string) map[string]string {
	values := make(map[string]string, 8)
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name = unescape(name)
		if _, seen := values[name]; !seen {
			values[name] = unescape(value)
		}
	}
	return values
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
