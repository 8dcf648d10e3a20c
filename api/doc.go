// Package api is the GameLift API as Go: one struct per shape of the newest
// model, one row per operation, the checks the model asks for, and the walkers
// that read and write the structs in any encoding. Chairlift's own operations
// sit beside GameLift's in the same form.
//
// It knows no protocol and no service: package wire puts the structs on the
// wire, and whoever implements [Service] gives the operations their meaning.
// Files named *_gen.go come from internal/apigen and are never edited.
//
//	type ops struct{ api.Unimplemented }
//
//	func (ops) ListFleets(ctx context.Context, in *api.ListFleetsInput) (*api.ListFleetsOutput, error) {
//		return &api.ListFleetsOutput{FleetIds: []string{"fleet-1"}}, nil
//	}
//
// How the model's types look in Go: an optional scalar or a structure is a
// pointer; a required scalar is a plain value; lists, maps and blobs are absent
// when nil; a timestamp is absent when its time is zero. Enums are strings.
package api

//go:generate go run ../internal/apigen -out .
