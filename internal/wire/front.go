package wire

import (
	"net/http"
	"strings"

	"github.com/chairlift-games/chairlift/internal/auth"
)

// Front is the one address: it hands each request to the door it is meant for.
// It decides by what a request is, before any ServeMux, which would redirect S3
// keys with // in them. A nil door is answered like a request nobody wants.
type Front struct {
	API       http.Handler // GameLift, Chairlift and STS: a [Handler]
	S3        http.Handler // builds and logs
	ServerSDK http.Handler // WebSockets of game servers without an agent
	Agent     http.Handler // WebSockets of agents
	Web       http.Handler // /console, /healthz, /readyz, /metrics
}

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if door := f.door(r); door != nil {
		door.ServeHTTP(w, r)
		return
	}
	nobody(w, r)
}

// door says where a request belongs, or nil.
func (f *Front) door(r *http.Request) http.Handler {
	path := r.URL.Path
	if isWebSocket(r) {
		switch {
		case under(path, "/server-sdk"):
			return f.ServerSDK
		case under(path, "/agent"):
			return f.Agent
		}
	}
	if r.Header.Get("X-Amz-Target") != "" || strings.HasPrefix(path, "/service/") && r.Header.Get("Smithy-Protocol") != "" {
		return f.API
	}
	switch auth.Scope(r) {
	case "s3":
		return f.S3
	case "":
	default:
		return f.API
	}
	for _, root := range [...]string{"/console", "/healthz", "/readyz", "/metrics"} {
		if under(path, root) {
			return f.Web
		}
	}
	// Somebody typed the address into a browser.
	if f.Web != nil && path == "/" && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
		return http.RedirectHandler("/console/", http.StatusFound)
	}
	if isQuery(r) || isJSON(r) || isCBOR(r) {
		return f.API // which says that the signature is missing
	}
	return nil
}

// under says whether path is root or below it.
func under(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || rest[0] == '/')
}

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

func isJSON(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json-")
}

func isCBOR(r *http.Request) bool {
	return r.Header.Get("Smithy-Protocol") != "" || strings.HasPrefix(r.Header.Get("Content-Type"), "application/cbor")
}

// isQuery says whether r speaks AWS's Query protocol, of which we know STS.
func isQuery(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") ||
		strings.Contains(r.URL.RawQuery, "Action=")
}

// nobody answers an unsigned request that is for none of the doors: whoever sends
// one without a body and a target most likely speaks S3.
func nobody(w http.ResponseWriter, r *http.Request) {
	id := newRequestID()
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("X-Amz-Request-Id", id)
	h.Set("X-Amzn-Requestid", id)
	w.WriteHeader(http.StatusForbidden)
	if r.Method != http.MethodHead {
		writeXML(w, struct {
			XMLName   struct{} `xml:"Error"`
			Code      string
			Message   string
			Resource  string
			RequestID string `xml:"RequestId"`
		}{
			Code:      "AccessDenied",
			Message:   "The request is not signed and nothing public is served here. API clients need an access key; people find the console under /console/.",
			Resource:  r.URL.Path,
			RequestID: id,
		})
	}
}
