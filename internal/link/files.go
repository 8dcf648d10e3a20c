package link

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Builds and logs travel beside the conversation, as plain HTTP: they are
// large, and HTTP resumes them well enough.

const (
	logChunkBytes   = 1 << 20          // what an agent sends in one request
	logRequestBytes = 8 << 20          // what a hub takes in one request
	logKeyBytes     = 512              // longest name of a log
	stall           = 30 * time.Second // a transfer that moves nothing for so long is cut
)

// serveBuild sends the archive of the instance's build, or the range of it
// that is asked for.
func (h *Hub) serveBuild(w http.ResponseWriter, r *http.Request, id lift.InstanceID) {
	f, err := h.o.Service.Build(r.Context(), id)
	if err != nil {
		h.fail(w, "open the build", id, err)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/zip")
	http.ServeContent(&patient{ResponseWriter: w}, r, "", time.Time{}, f)
}

// patient is a ResponseWriter whose deadline counts from the last write: a
// build may take hours, but it must move.
type patient struct{ http.ResponseWriter }

func (p *patient) Write(b []byte) (int, error) {
	// A writer without deadlines, as in a test, has none to extend.
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(stall))
	return p.ResponseWriter.Write(b)
}

// sizeOf is the answer to a piece of a log: the bytes it has now.
type sizeOf struct {
	Size int64 `json:"size"`
}

func (h *Hub) serveLog(w http.ResponseWriter, r *http.Request, id lift.InstanceID, key string) {
	if !validKey(key) {
		http.Error(w, "a log has a key of up to 512 letters, digits and . _ - in parts separated by /", http.StatusBadRequest)
		return
	}
	offset, err := strconv.ParseUint(r.URL.Query().Get("offset"), 10, 63)
	if err != nil {
		http.Error(w, "?offset= is where the piece begins, in bytes from 0", http.StatusBadRequest)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(2 * stall))
	size, err := h.o.Service.AppendLog(r.Context(), id, key, int64(offset), http.MaxBytesReader(w, r.Body, logRequestBytes))
	status := http.StatusOK
	switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
	case errors.Is(err, ErrOffset):
		status = http.StatusConflict
	case tooLarge:
		http.Error(w, "a piece of a log has at most 8 MiB", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		h.fail(w, "append to a log", id, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(sizeOf{size})
}

// validKey reports whether a log may be named so: parts of safe characters,
// none of which is special to a file system.
func validKey(key string) bool {
	if len(key) > logKeyBytes {
		return false
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part[0] == '.' {
			return false
		}
		for _, c := range []byte(part) {
			switch {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			default:
				return false
			}
		}
	}
	return true
}

// fail answers a request that the service could not serve. An error that a
// user can act upon is final; after any other the agent tries again.
func (h *Hub) fail(w http.ResponseWriter, doing string, id lift.InstanceID, err error) {
	le, ok := errors.AsType[*lift.Error](err)
	if !ok {
		h.o.Log.Error("agent request failed", "doing", doing, "instance", id, "error", err)
		http.Error(w, "the service cannot do this now; try again", http.StatusServiceUnavailable)
		return
	}
	status := http.StatusBadRequest
	switch le.Kind {
	case lift.NotFound:
		status = http.StatusNotFound
	case lift.LimitExceeded:
		status = http.StatusRequestEntityTooLarge
	case lift.NotReady, lift.Throttling, lift.OutOfCapacity:
		status = http.StatusServiceUnavailable
	}
	http.Error(w, le.Msg, status)
}

// rest discards what is left of a small answer, so that its connection can be
// used again, and returns the beginning as text.
func rest(body io.Reader) string {
	b, _ := io.ReadAll(io.LimitReader(body, 4096))
	return truncate(strings.TrimSpace(string(b)), 1024)
}

// truncate cuts s to at most max bytes of valid UTF-8.
func truncate(s string, max int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= max {
		return s
	}
	for !utf8.RuneStart(s[max]) { // s[0] is one
		max--
	}
	return s[:max]
}
