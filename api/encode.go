package api

import (
	"maps"
	"slices"
	"time"
)

// An Encoder writes one value after the other. Keys and values of an object
// alternate between Object and End; elements of a list stand between List and End.
type Encoder interface {
	Object()
	Key(name string)
	// List begins a list of n elements.
	List(n int)
	// End ends the innermost object or list.
	End()

	String(string)
	Int(int64)
	Float(float64)
	Float32(float32) // apart from Float, for clients do not narrow what they read
	Bool(bool)
	Time(time.Time)
	Blob([]byte)
}

// Encode writes x to e, members in the model's order, absent ones left out, map
// entries in the order of their keys.
func Encode(e Encoder, x Shape) { x.encode(e) }

func writeStrings(e Encoder, v []string) {
	e.List(len(v))
	for _, s := range v {
		e.String(s)
	}
	e.End()
}

// writeMap writes an object with one member for each entry.
func writeMap[T any](e Encoder, v map[string]T, write func(Encoder, T)) {
	e.Object()
	for _, key := range slices.Sorted(maps.Keys(v)) {
		e.Key(key)
		write(e, v[key])
	}
	e.End()
}
