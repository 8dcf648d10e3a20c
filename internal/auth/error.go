package auth

import "fmt"

// A Reason says why a request was refused.
type Reason int

const (
	_             Reason = iota
	Unsigned             // no signature at all
	Malformed            // a signature that cannot be read
	UnknownKey           // a key that does not exist or is disabled
	Mismatch             // the signature or the body's checksum is wrong
	Skewed               // the request's time is too far from ours
	Expired              // a presigned request ran out
	ExpiredToken         // temporary credentials or a compute token ran out
	InvalidToken         // a session token that is not ours
	Denied               // the key's policy does not allow it
	BadBody              // a body that is not what its headers promise
	BadBodyLength        // more or fewer bytes than promised
)

// An Error is a refused request. Its text is for the caller and says what to change.
type Error struct {
	Reason Reason
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

func refuse(reason Reason, format string, args ...any) *Error {
	return &Error{reason, fmt.Sprintf(format, args...)}
}

// Code is the name AWS's JSON, CBOR and Query protocols give the error.
func (e *Error) Code() string {
	switch e.Reason {
	case Unsigned:
		return "MissingAuthenticationTokenException"
	case Malformed:
		return "IncompleteSignatureException"
	case UnknownKey, InvalidToken:
		return "UnrecognizedClientException"
	case Expired:
		return "RequestExpired"
	case ExpiredToken:
		return "ExpiredTokenException"
	case Denied:
		return "AccessDeniedException"
	}
	return "InvalidSignatureException"
}

// S3Code is the name S3 gives the error.
func (e *Error) S3Code() string {
	switch e.Reason {
	case Unsigned, Denied, Expired:
		return "AccessDenied"
	case Malformed:
		return "AuthorizationHeaderMalformed"
	case UnknownKey:
		return "InvalidAccessKeyId"
	case Skewed:
		return "RequestTimeTooSkewed"
	case ExpiredToken:
		return "ExpiredToken"
	case InvalidToken:
		return "InvalidToken"
	case BadBody:
		return "BadDigest"
	case BadBodyLength:
		return "IncompleteBody"
	}
	return "SignatureDoesNotMatch"
}

// S3Status is the HTTP status S3 answers the error with.
func (e *Error) S3Status() int {
	switch e.Reason {
	case Malformed, ExpiredToken, InvalidToken, BadBody, BadBodyLength:
		return 400
	}
	return 403
}
