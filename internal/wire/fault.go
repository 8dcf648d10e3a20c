package wire

import (
	"errors"
	"net/http"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// A fault is an error as a client sees it.
type fault struct {
	code     string // the exception's name, without a namespace
	message  string
	status   int
	internal bool // log the error that led here: the client does not see it
}

// The errors every operation may answer, declared or not: all SDKs know them.
const (
	accessDenied        = "AccessDeniedException"
	serialization       = "SerializationException"
	throttling          = "ThrottlingException"
	unknownOperation    = "UnknownOperationException"
	requestTooLarge     = "RequestEntityTooLargeException"
	invalidSignature    = "InvalidSignatureException"
	missingAuthenticity = "MissingAuthenticationTokenException"
)

func clientFault(code, message string) fault {
	return fault{code: code, message: message, status: http.StatusBadRequest}
}

// faultOf says what a client of op hears about err. A nil op is a request that
// has not come as far as an operation.
func faultOf(op *api.Operation, err error, requestID string) fault {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		if e.Reason == auth.Denied && op != nil && op.Declares(api.UnauthorizedException) {
			return clientFault(api.UnauthorizedException, e.Msg) // behaviour 7
		}
		return clientFault(e.Code(), e.Msg)
	}
	if e, ok := errors.AsType[*api.DecodeError](err); ok {
		return clientFault(serialization, e.Error())
	}
	if e, ok := errors.AsType[api.Findings](err); ok {
		return clientFault(declared(op, api.InvalidRequestException), e.Error())
	}
	if e, ok := errors.AsType[*api.UnsupportedError](err); ok {
		return clientFault(declared(op, api.InvalidRequestException), e.Error())
	}
	if e, ok := errors.AsType[*lift.Error](err); ok {
		switch e.Kind {
		case lift.Throttling:
			return clientFault(throttling, e.Msg)
		case lift.NotSupported:
			return clientFault(declared(op, api.InvalidRequestException), e.Msg)
		}
		return clientFault(declared(op, string(e.Kind)+"Exception"), e.Msg)
	}
	return fault{
		code:     api.InternalServiceException,
		message:  "The service failed on this request. Its log tells why, under request id " + requestID + ".",
		status:   http.StatusInternalServerError,
		internal: true,
	}
}

// declared returns the wanted exception if clients know it from op, else
// InvalidRequestException: an undeclared one reaches users of Go and JavaScript
// as a generic error, without its type.
func declared(op *api.Operation, exception string) string {
	if op == nil || op.Declares(exception) {
		return exception
	}
	return api.InvalidRequestException
}
