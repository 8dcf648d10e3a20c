package lift

import "fmt"

// Kind says what sort of failure an Error is. The wire maps each kind to the
// exception of the same name, or to a declared one if the operation does not
// list it.
type Kind string

// The kinds, named as the API names its exceptions without the suffix.
const (
	InvalidRequest              Kind = "InvalidRequest"
	NotFound                    Kind = "NotFound"
	Conflict                    Kind = "Conflict"
	Unauthorized                Kind = "Unauthorized"
	LimitExceeded               Kind = "LimitExceeded"
	InvalidFleetStatus          Kind = "InvalidFleetStatus"
	FleetCapacityExceeded       Kind = "FleetCapacityExceeded"
	GameSessionFull             Kind = "GameSessionFull"
	InvalidGameSessionStatus    Kind = "InvalidGameSessionStatus"
	IdempotentParameterMismatch Kind = "IdempotentParameterMismatch"
	TerminalRoutingStrategy     Kind = "TerminalRoutingStrategy"
	NotReady                    Kind = "NotReady"
	OutOfCapacity               Kind = "OutOfCapacity"
	TaggingFailed               Kind = "TaggingFailed"
	UnsupportedRegion           Kind = "UnsupportedRegion"
	Throttling                  Kind = "Throttling"
	NotSupported                Kind = "NotSupported" // known to the model, not built yet
)

// Error is a failure that the caller caused or can act upon. Every other error
// is internal: logged, and shown to nobody.
type Error struct {
	Kind Kind
	Msg  string // a sentence for the user, saying what to do next where there is something
}

func (e *Error) Error() string { return e.Msg }

// Errorf makes an Error.
func Errorf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}
