package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Service is everything Chairlift serves.
type Service interface {
	GameLift
	Chairlift
}

// A Shape is the input or output structure of an operation.
type Shape interface {
	decode(*reader)
	encode(Encoder)
	check(*checker)
}

// An Operation is one row of the model.
type Operation struct {
	Service   string   // GameLift or Chairlift: the prefix of its target
	Name      string   // as in the model
	HasOutput bool     // false: a success answers no body at all
	Items     string   // the output member that pages (Limit, NextToken), or empty
	Errors    []string // the exceptions it declares, sorted

	NewInput  func() Shape
	NewOutput func() Shape
	// Call runs the operation of s. The input must come from NewInput.
	Call func(ctx context.Context, s Service, in Shape) (Shape, error)
	// Subjects tells which resources an input names: of which kind, as it stands
	// in ARNs (or arn, when the name is one already), and the name or ARN. It is
	// nil when no input of the operation names a resource.
	Subjects func(in Shape, each func(kind, name string))
}

// Declares says whether clients know the named exception from this operation.
func (o *Operation) Declares(exception string) bool {
	return slices.Contains(o.Errors, exception)
}

// Find returns the named operation, or nil. The result is shared: do not change it.
func Find(name string) *Operation {
	i, ok := slices.BinarySearchFunc(Operations[:], name, func(o Operation, name string) int {
		return strings.Compare(o.Name, name)
	})
	if !ok {
		return nil
	}
	return &Operations[i]
}

// answer makes a nil output an untyped nil.
func answer[P interface {
	comparable
	Shape
}](out P, err error) (Shape, error) {
	var none P
	if out == none {
		return nil, err
	}
	return out, err
}

// Unimplemented answers every operation with an [UnsupportedError]. Embed it and
// write the operations that exist.
type Unimplemented struct{}

// UnsupportedError says that an operation is part of the API but not of this release.
type UnsupportedError struct{ Operation string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s is not supported by this release of Chairlift yet.%s", e.Operation, e.instead())
}

// instead says what does the same work.
func (e *UnsupportedError) instead() string {
	switch {
	case strings.Contains(e.Operation, "Container"), strings.Contains(e.Operation, "FleetDeployment"):
		return " Container fleets are not built: upload the game server as a build with CreateBuild and run it with CreateFleet; both need no container."
	case e.Operation == "GetPlayerConnectionDetails":
		return " The player gateway is not built: CreatePlayerSession answers with the address and port to connect to."
	}
	return ""
}

// An Invoker carries one call to a service and fills in out.
type Invoker interface {
	Invoke(ctx context.Context, op *Operation, in, out Shape) error
}

// A Client is a [Service] whose operations are carried out by an Invoker elsewhere.
type Client struct{ Invoker }

func invoke[P Shape](ctx context.Context, c Client, name string, in Shape, out P) (P, error) {
	if err := c.Invoke(ctx, Find(name), in, out); err != nil {
		var none P
		return none, err
	}
	return out, nil
}
