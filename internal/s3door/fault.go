package s3door

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// A Fault is an error as S3 clients know them.
type Fault struct {
	Status int
	Code   string // NoSuchKey, AccessDenied, …
	Msg    string
}

func (f *Fault) Error() string { return f.Code + ": " + f.Msg }

func fault(status int, code, format string, args ...any) *Fault {
	return &Fault{status, code, fmt.Sprintf(format, args...)}
}

// faultOf turns any error into one a client may see. What is not known to be
// the client's fault is internal and says nothing.
func faultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return &Fault{e.S3Status(), e.S3Code(), e.Msg}
	}
	if e, ok := errors.AsType[*lift.Error](err); ok {
		switch e.Kind {
		case lift.NotFound:
			return &Fault{http.StatusNotFound, "NoSuchKey", e.Msg}
		case lift.Throttling:
			return &Fault{http.StatusServiceUnavailable, "SlowDown", e.Msg}
		}
		return &Fault{http.StatusForbidden, "AccessDenied", e.Msg}
	}
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge:
		return fault(http.StatusBadRequest, "EntityTooLarge", "the request's body is larger than allowed")
	case errors.Is(err, blob.ErrNotFound):
		return fault(http.StatusNotFound, "NoSuchKey", "no file was uploaded under this key")
	case errors.Is(err, blob.ErrNoUpload):
		return fault(http.StatusNotFound, "NoSuchUpload", "there is no such upload; it was completed, aborted, or left alone for too long: begin again")
	case errors.Is(err, blob.ErrNoPart):
		return fault(http.StatusBadRequest, "InvalidPart", "%v; upload it and complete again", err)
	case errors.Is(err, blob.ErrBadPart):
		return fault(http.StatusBadRequest, "InvalidPartOrder", "%v", err)
	case errors.Is(err, blob.ErrBadKey):
		return fault(http.StatusBadRequest, "KeyTooLongError", "%v", err)
	case errors.Is(err, blob.ErrReadOnly):
		return fault(http.StatusMethodNotAllowed, "MethodNotAllowed", "%v", err)
	case errors.Is(err, blob.ErrElsewhere):
		return fault(http.StatusServiceUnavailable, "ServiceUnavailable", "%v", err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault(http.StatusBadRequest, "IncompleteBody", "the body ended before its declared length")
	case errors.Is(err, context.Canceled):
		return fault(http.StatusBadRequest, "RequestTimeout", "the request was given up")
	}
	return fault(http.StatusInternalServerError, "InternalError", "the store failed; the service's log says why")
}

// write answers with the fault, if nothing was answered yet.
func (f *Fault) write(w http.ResponseWriter, r *http.Request, requestID string) {
	body := fmt.Appendf([]byte(xml.Header), "<Error>%s%s%s%s</Error>",
		element("Code", f.Code), element("Message", f.Msg), element("Resource", r.URL.Path), element("RequestId", requestID))
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.Status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

func element(name, text string) string {
	b, _ := xml.Marshal(struct {
		XMLName xml.Name
		Text    string `xml:",chardata"`
	}{xml.Name{Local: name}, text})
	return string(b)
}

// answer writes v as the XML answer of a call.
func answer(w http.ResponseWriter, v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	body = append([]byte(xml.Header), body...)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
	return nil
}
