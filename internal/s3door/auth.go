package s3door

import (
	"io"
	"net/http"
)

// Auth tells who calls.
type Auth interface {
	// Authenticate checks the signature of r, by header or presigned. Errors
	// are Faults (SignatureDoesNotMatch, InvalidAccessKeyId, …).
	Authenticate(r *http.Request) (Grant, error)
}

// A Grant is what a verified request may do, and its body.
type Grant struct {
	// Allows says whether policy and scope of the credentials let them do
	// action ("s3:PutObject") to one object.
	Allows func(action, bucket, key string) bool
	// Body is the request's body without the frames of aws-chunked. Reading it
	// fails if it is not what was signed.
	Body io.Reader
	// Framed says that there were such frames, so that the request's length is
	// not that of the content.
	Framed bool
	// Trailer gives the trailing headers once Body has ended; nil if there are
	// none.
	Trailer func() http.Header
}
