package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/s3door"
)

// s3auth lets the S3 door in by the same keys and policies as the API.
type s3auth struct{ verifier *auth.Verifier }

func (a s3auth) Authenticate(r *http.Request) (s3door.Grant, error) {
	framed := strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
	caller, err := a.verifier.VerifyStream(r.Context(), r, time.Now())
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return s3door.Grant{}, &s3door.Fault{Status: e.S3Status(), Code: e.S3Code(), Msg: e.Msg}
	}
	if err != nil {
		return s3door.Grant{}, err
	}
	return s3door.Grant{
		Allows: func(action, bucket, key string) bool {
			return caller.Check(action, "arn:aws:s3:::"+bucket+"/"+key) == nil
		},
		Body:    r.Body,
		Framed:  framed,
		Trailer: func() http.Header { return r.Trailer },
	}, nil
}
